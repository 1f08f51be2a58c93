from __future__ import annotations

import pytest

from composer.errors import Diagnostic, ProjectError
from composer.project.document import Mapping, Scalar, plain
from composer.project.source import MAX_DEPTH, dump_yaml, parse


def read(text: str) -> object:
    (document,) = parse(text, "c.yaml")
    return plain(document)


def refused(text: str) -> Diagnostic:
    with pytest.raises(ProjectError) as caught:
        parse(text, "c.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.location is not None
    return diagnostic


def place(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.location is not None
    return diagnostic.location.line, diagnostic.location.column


def test_every_node_knows_where_it_stands() -> None:
    (document,) = parse("services:\n  web:\n    image: 'nginx'\n", "c.yaml")
    assert isinstance(document, Mapping)
    services = document.entries["services"]
    assert isinstance(services, Mapping)
    web = services.entries["web"]
    assert isinstance(web, Mapping)
    image = web.entries["image"]

    assert isinstance(image, Scalar)
    assert str(image.mark.location) == "c.yaml:3:12"
    assert image.mark.location.source == "    image: 'nginx'"
    assert image.mark.length == len("'nginx'")
    assert (web.key("image").line, web.key("image").column) == (3, 5)
    assert services.key("web").line == 2


def test_quotes_blocks_and_tags_make_strings() -> None:
    assert read("a: '1'\nb: \"yes\"\nc: !!str 2\nd: |\n  3\ne: >-\n  4\n  5\nf: !!int \"6\"\n") == {
        "a": "1", "b": "yes", "c": "2", "d": "3\n", "e": "4 5", "f": 6,
    }  # fmt: skip


def test_columns_count_characters_not_bytes() -> None:
    (document,) = parse("ä: {ö: ü}", "c.yaml")
    assert isinstance(document, Mapping)
    inner = document.entries["ä"]
    assert isinstance(inner, Mapping)
    assert inner.entries["ö"].mark.column == 8


def test_aliases_and_merge_keys_are_resolved() -> None:
    text = "x: &a {k: 1, l: 2}\ny: &b {l: 3, m: 4}\nz: {<<: [*a, *b], k: 0}\nw: {<<: *b}\nv: *a\n"

    assert read(text) == {
        "x": {"k": 1, "l": 2}, "y": {"l": 3, "m": 4}, "z": {"k": 0, "l": 2, "m": 4}, "w": {"l": 3, "m": 4}, "v": {"k": 1, "l": 2},
    }  # fmt: skip


def test_a_file_may_hold_several_documents_and_empty_ones_do_not_count() -> None:
    assert [plain(document) for document in parse("a: 1\n---\n---\nb: 2\n", "c.yaml")] == [{"a": 1}, {"b": 2}]
    assert parse("# only a comment\n", "c.yaml") == ()
    assert parse("", "c.yaml") == ()


def test_a_repeated_key_is_an_error_that_names_both_places() -> None:
    found = refused("a: 1\nb: 2\n'a': 3\n")

    assert found.message == "the key `a` is given twice: first in line 1"
    assert place(found) == (3, 1)


def test_a_tab_is_named_as_what_it_is() -> None:
    found = refused("services:\n  web:\n\t  image: x\n")

    assert "tabs" in found.message
    assert place(found) == (3, 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [1, 2\nb: c", 2, "not YAML"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: 'x\n", 1, "a quote is never closed"),
        ("a: @x", 1, "cannot start any token"),
        ("a: *x", 1, "has no anchor `&x`"),
        ("a: &x [*x]", 1, "stands inside of what it names"),
        ("? [a]\n: b", 1, "a key must be a string, found a list"),
        ("a:\n  80: b", 2, "a key must be a string, found the number `80`"),
        ("a: !thing b", 1, "the tag `!thing`"),
        ("a: !!python/object:os.system {}", 1, "has no meaning here"),
        ("a: !!int x", 1, "`x` is not a `!!int`"),
        ("<<: 3", 1, "`<<` can only merge mappings"),
        ("a: \x00", 1, "not YAML"),
        ("a: b\n c: d", 2, "not YAML"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    found = refused(text)

    assert said in found.message
    assert place(found)[0] == line


def test_a_billion_laughs_are_not_heard_out() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))

    assert "expands to more than" in refused(text).message


def test_depth_is_bounded_also_through_aliases() -> None:
    assert "levels deep" in refused("[" * 100_000).message
    assert "levels deep" in refused("\n".join(" " * i + "- " for i in range(MAX_DEPTH + 2))).message
    chain = "a0: &a0 " + "[" * 30 + "]" * 30 + "\n"
    chain += "".join(f"a{i}: &a{i} {'[' * 30}*a{i - 1}{']' * 30}\n" for i in range(1, 4))
    assert "levels deep" in refused(chain).message


def test_a_huge_file_is_not_parsed() -> None:
    assert "larger than" in refused("a: " + "x" * (5 << 20)).message


def test_what_is_dumped_reads_back_the_same() -> None:
    data = {
        "strings": [
            "",
            "1",
            "on",
            "yes",
            "22:22",
            "~",
            "null",
            "0x1f",
            "1e3",
            "- a",
            "a: b",
            "#",
            "a\nb\n",
            " x ",
            "é",
            "=",
            "<<",
            "*a",
        ],
        "scalars": [1, 1.5, True, None],
        "nested": {"a": {"b": []}, "c": {}},
    }

    text = dump_yaml(data)

    assert read(text) == data
    assert '  - "on"\n' in text
    assert '  - "22:22"\n' in text
