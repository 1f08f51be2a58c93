import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.build.files import ContentCache, FilesError, Reason, inline, open_chain, open_context, select
from tests.unit.build.files.trees import Lab, look, make


@pytest.fixture
def lab(tmp_path: Path, contents: ContentCache) -> Lab:
    return Lab(tmp_path, contents)


def digest(lab: Lab, *sources: str, **options: object) -> str:
    return select(open_context(lab.context, lab.contents), sources, **options).digest  # type: ignore[arg-type]


def refused(lab: Lab, source: str) -> FilesError:
    with pytest.raises(FilesError) as failure:
        digest(lab, source)
    return failure.value


# What BuildKit's own tests of --parents copy, and what they expect.
PARENTS = {
    "a/b/c/d/foo": "1",
    "a/b/c/d/e/bay": "2",
    "a/b2/c/d/e/bar": "3",
    "a/b/c2/d/e/baz": "4",
    "a/b/c2/d/e2/baz": "5",
}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["/a/b/./c/d"], ["c/d/e/bay", "c/d/foo"]),
        (["/a/b/c/d/."], ["a/b/c/d/e/bay", "a/b/c/d/foo"]),
        (["./a/b/c/d"], ["a/b/c/d/e/bay", "a/b/c/d/foo"]),
        (["/a/./b/./c"], ["b/c/d/e/bay", "b/c/d/foo"]),
        (["/a/./*/c"], ["b/c/d/e/bay", "b/c/d/foo", "b2/c/d/e/bar"]),
        (["/a/b*/./c/**/e"], ["c/d/e/bar", "c/d/e/bay"]),
        (["/a/b/c*/./d/**/baz", "/a/b*/./c/**/bar"], ["c/d/e/bar", "d/e/baz", "d/e2/baz"]),
        (["a/b/c/d/foo"], ["a/b/c/d/foo"]),
        (["**/ba?"], ["a/b/c/d/e/bay", "a/b/c2/d/e/baz", "a/b/c2/d/e2/baz", "a/b2/c/d/e/bar"]),
    ],
)
def test_parents_keep_the_path_below_the_pivot(lab: Lab, sources: list[str], expected: list[str]) -> None:
    lab.put(PARENTS)

    upper = lab.copy(sources, "/out/", parents=True)

    assert [name.removeprefix("out/") for name, what in look(upper).items() if what[0] == "-"] == expected


def test_parents_keep_the_modes_of_directories_and_need_what_has_no_wildcard(lab: Lab) -> None:
    lab.put(PARENTS)
    (lab.context / "a/b").chmod(0o700)

    assert look(lab.copy("a/b/c/d/foo", "/", parents=True))["a/b"] == "drwx------"
    with pytest.raises(FilesError, match="`a/nothing`: no such file"):
        lab.copy("a/nothing", "/", parents=True)
    assert look(lab.copy("a/noth*", "/", parents=True)) == {}


EXCLUDED = {
    "dir1/101.png": "",
    "dir1/102.txt": "",
    "dir1/103.jpeg": "",
    "dir2/201.pdf": "",
    "dir3/301.mp3": "",
    "dir3/302.mpeg": "",
    "hom.txt": "",
    "home.md": "",
}


@pytest.mark.parametrize(
    ("source", "excludes", "expected"),
    [
        (".", ["*/*.png", "*/*.jpeg", "hom*"], ["dir1/102.txt", "dir2/201.pdf", "dir3/301.mp3", "dir3/302.mpeg"]),
        ("dir3/", ["*.mp3"], ["302.mpeg"]),
        ("dir*", ["*.mp3", "*.jpeg", "*.png", "*.pdf", "*.txt"], ["302.mpeg"]),
        ("dir*", ["*"], []),
        ("hom*", ["*.txt"], ["home.md"]),
        (".", ["dir*", "!dir2"], ["dir2/201.pdf", "hom.txt", "home.md"]),
        (".", ["**", "!**/*.mp3"], ["dir3/301.mp3"]),
    ],
)
def test_excludes(lab: Lab, source: str, excludes: list[str], expected: list[str]) -> None:
    lab.put(EXCLUDED)

    upper = lab.copy(source, "/out/", excludes=excludes)

    assert [name.removeprefix("out/") for name, what in look(upper).items() if what[0] == "-"] == expected
    assert (upper / "out").is_dir()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[^a].txt", ["b.txt"]),
        ("[a-b].t*", ["a.txt", "b.txt"]),
        ("*/x", ["x"]),
        ("s*/*", ["x"]),
        ("arr[[]0].md", ["arr[0].md"]),
        ("*.none", []),
    ],
)
def test_wildcards(lab: Lab, pattern: str, expected: list[str]) -> None:
    lab.put({"a.txt": "", "b.txt": "", "arr[0].md": "", "sub/x": "", "sub/deeper/y": "", "other": "-> sub"})

    items = select(open_context(lab.context, lab.contents), [pattern]).items

    assert [item.name for item in items if item.entry.is_file] == expected


def test_a_wildcard_that_matches_nothing_is_told(lab: Lab) -> None:
    assert select(open_context(lab.context, lab.contents), ["*.none"]).unmatched == ("*.none",)


@pytest.mark.parametrize("pattern", ["[a", "a[]", "[]a]", "x\\*\\", "*[z-]"])
def test_a_malformed_pattern_is_an_error(lab: Lab, pattern: str) -> None:
    assert refused(lab, f"*{pattern}").reason is Reason.PATTERN


def test_a_link_as_a_source_is_followed_inside_the_context(lab: Lab) -> None:
    lab.put({"real/a": "a", "dir": "-> real", "file": "-> /real/a", "up": "-> ../../../real"})

    assert look(lab.copy("dir", "/"))["a"].endswith(" a")
    assert look(lab.copy("file", "/"))["file"].endswith(" a")
    assert look(lab.copy("f*", "/"))["file"].endswith(" a")
    assert look(lab.copy("up/a", "/"))["a"].endswith(" a")
    assert look(lab.copy("dir/../real/a", "/"))["a"].endswith(" a")


def test_a_link_below_a_source_stays_a_link(lab: Lab) -> None:
    lab.put({"src/secret": "-> /etc/shadow", "src/up": "-> ../../.."})

    assert look(lab.copy("src", "/")) == {"secret": "link /etc/shadow", "up": "link ../../.."}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd", "../outside"])
def test_a_link_never_leads_out_of_the_context(lab: Lab, target: str) -> None:
    lab.put({"link": f"-> {target}"})
    make(lab.path, {"outside": "secret"})

    failure = refused(lab, "link")

    assert failure.reason is Reason.OUTSIDE
    assert f"the link `link` leads to `{target}`" in failure.message


def test_links_in_circles_are_an_error(lab: Lab) -> None:
    lab.put({"a": "-> b", "b": "-> a"})

    assert refused(lab, "a").reason is Reason.MISSING


def test_a_source_above_the_context_is_outside(lab: Lab) -> None:
    make(lab.path, {"outside": "secret"})

    assert refused(lab, "../outside").reason is Reason.OUTSIDE


def test_dots_stop_at_the_root(lab: Lab) -> None:
    lab.put({"a": "inside"})
    make(lab.path, {"a": "outside"})

    assert look(lab.copy("../a", "/"))["a"].endswith("inside")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("pacakge.json", "did you mean `package.json`?"),
        ("SRC/main.py", "did you mean `src/main.py`?"),
        ("src/mian.py", "did you mean `src/main.py`?"),
        ("main.py", "did you mean `src/main.py`?"),
        ("quite/different", ""),
    ],
)
def test_a_missing_source_says_what_it_may_have_meant(lab: Lab, source: str, hint: str) -> None:
    lab.put({"package.json": "", "src/main.py": ""})

    failure = refused(lab, source)

    assert (failure.reason, failure.hint) == (Reason.MISSING, hint)
    assert failure.message == f"`{source}`: no such file in the build context"


def test_an_ignored_source_says_which_rule(lab: Lab) -> None:
    lab.put({".dockerignore": "# logs\n*.log\n!keep.log\n", "a.log": "", "keep.log": ""})

    failure = refused(lab, "a.log")

    assert (failure.reason, failure.ignored_by) == (Reason.IGNORED, ".dockerignore:2")
    assert failure.message == "`a.log`: left out of the context by `*.log` in .dockerignore:2"
    assert digest(lab, "keep.log")
    assert refused(lab, "b.log").reason is Reason.MISSING


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(lab: Lab) -> None:
    lab.put({".dockerignore": "a\n", "docker/web.Dockerfile.dockerignore": "b\n", "a": "", "b": ""})
    dockerfile = lab.context / "docker/web.Dockerfile"

    tree = open_context(lab.context, lab.contents, dockerfile=dockerfile)

    assert select(tree, ["a"]).items
    with pytest.raises(FilesError, match=r"by `b` in docker/web.Dockerfile.dockerignore:1"):
        select(tree, ["b"])


def test_an_exception_brings_its_directories_along(lab: Lab) -> None:
    lab.put(
        {".dockerignore": "node_modules\n!node_modules/mine/*.js\n", "node_modules/mine/a.js": "", "node_modules/b": ""}
    )

    assert [n for n in look(lab.copy(".", "/")) if n != ".dockerignore"] == [
        "node_modules",
        "node_modules/mine",
        "node_modules/mine/a.js",
    ]


def test_a_malformed_ignore_file_says_where(lab: Lab) -> None:
    lab.put({".dockerignore": "ok\n[a\n"})

    with pytest.raises(FilesError, match=r"`.dockerignore`: line 2: .* without its `]`"):
        open_context(lab.context, lab.contents)


def test_a_fifo_as_an_ignore_file_is_not_waited_for(lab: Lab) -> None:
    os.mkfifo(lab.context / ".dockerignore")

    assert open_context(lab.context, lab.contents).root.is_directory


def test_a_context_that_is_no_directory_is_an_error(lab: Lab) -> None:
    lab.put({"file": ""})

    with pytest.raises(FilesError, match="is not a directory"):
        open_context(lab.context / "file", lab.contents)
    with pytest.raises(FilesError, match="no such file or directory"):
        open_context(lab.context / "nothing", lab.contents)


def _touch(path: Path) -> None:
    os.utime(path, (1, 1))


SAME: list[Callable[[Path], object]] = [
    lambda src: _touch(src / "a"),
    lambda src: _touch(src),
    lambda src: src.chmod(0o700),
    lambda src: os.chown(src / "a", 5, 5),
    lambda src: make(src.parent, {"elsewhere": "x"}),
    lambda src: os.mknod(src / "socket", stat.S_IFSOCK | 0o600),
]

DIFFERENT: list[Callable[[Path], object]] = [
    lambda src: (src / "a").write_text("b"),
    lambda src: (src / "a").chmod(0o755),
    lambda src: (src / "a").rename(src / "b"),
    lambda src: (src / "sub").chmod(0o700),
    lambda src: (src / "new").mkdir(),
    lambda src: make(src, {"l2": "-> a"}),
    lambda src: os.setxattr(src / "a", "user.x", b"1"),
    lambda src: os.mkfifo(src / "pipe"),
]


@pytest.mark.parametrize("change", SAME)
def test_the_digest_does_not_know(lab: Lab, change: Callable[[Path], object]) -> None:
    lab.put({"src/a": "a", "src/sub/l": "-> x"})
    before = digest(lab, "src")

    change(lab.context / "src")

    assert digest(lab, "src") == before


@pytest.mark.parametrize("change", DIFFERENT)
def test_the_digest_knows(lab: Lab, change: Callable[[Path], object]) -> None:
    lab.put({"src/a": "a", "src/sub/l": "-> x"})
    before = digest(lab, "src")

    change(lab.context / "src")

    assert digest(lab, "src") != before


def test_the_digest_tells_one_file_with_two_names_from_two(lab: Lab) -> None:
    lab.put({"src/a": "a", "src/b": "a"})
    two = digest(lab, "src")
    (lab.context / "src/b").unlink()
    os.link(lab.context / "src/a", lab.context / "src/b")

    assert digest(lab, "src") != two


def test_the_digest_knows_owners_of_a_stage_where_they_matter(tmp_path: Path, contents: ContentCache) -> None:
    layer = make(tmp_path / "layer", {"a": "a"})

    def of(owners: bool) -> str:
        return select(open_chain([layer], contents, name="stage"), ["a"], owners=owners).digest

    before = of(True), of(False)
    os.chown(layer / "a", 5, 5)

    assert of(True) != before[0]
    assert of(False) == before[1]


def test_the_digest_is_the_same_for_a_heredoc_and_a_file(lab: Lab) -> None:
    lab.put({"note": "hello"})
    (lab.context / "note").chmod(0o644)

    assert inline("note", b"hello").digest == digest(lab, "note")


def test_the_digest_does_not_depend_on_where_a_context_is(lab: Lab, tmp_path: Path) -> None:
    lab.put({"src/a": "a"})
    (lab.context).rename(tmp_path / "moved")
    moved = select(open_context(tmp_path / "moved", lab.contents), ["src"]).digest
    lab.put({"other/a": "a"})

    assert moved == digest(lab, "other")


def test_what_is_asked_for_twice_is_looked_for_once(lab: Lab, contents: ContentCache) -> None:
    lab.put({"a": "1", "b": "2"})
    tree = open_context(lab.context, contents)
    first = select(tree, ["."])

    assert select(tree, ["."]) is first
    assert select(tree, ["."], owners=False) is not first
    assert select(tree, ["."], excludes=["a"]) is not first
    assert select(open_context(lab.context, contents), ["."]) is not first
