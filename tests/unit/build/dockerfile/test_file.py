"""What holds for a file as a whole: directives, text, comments, places."""

import pytest

from composer.build.dockerfile.instructions import Directives, Run, ShellForm
from composer.build.dockerfile.parse import parse, parse_trigger
from composer.build.dockerfile.source import Span
from composer.errors import BuildError, error_from_wire


def messages(text: str | bytes) -> list[str]:
    with pytest.raises(BuildError) as caught:
        parse(text)
    return [f"{told.location.line if told.location else 0}: {told.message}" for told in caught.value.diagnostics]


def test_directives_count_until_something_else_stands_there() -> None:
    text = (
        "# Syntax = docker/dockerfile:1.7\n#check=skip=all;error=true\n# escape=`\n# a comment\n# escape=\\\nFROM a\n"
    )

    directives = parse(text).directives
    assert (directives.syntax, directives.escape, directives.check) == (
        "docker/dockerfile:1.7",
        "`",
        "skip=all;error=true",
    )
    assert directives.lines == {"syntax": 1, "check": 2, "escape": 3}
    assert parse("# comment\n# escape=`\nFROM a\n").directives == Directives()
    assert parse("\n# escape=`\nFROM a\n").directives == Directives()


def test_a_shebang_hides_the_escape_only() -> None:
    directives = parse("#!/usr/bin/env x\n# syntax=docker/dockerfile\n# escape=`\nFROM a\n").directives

    assert (directives.syntax, directives.escape) == ("docker/dockerfile", "\\")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# escape=x\nFROM a\n", ["1: `x` is no escape character"]),
        ("# escape=`\n# escape=`\nFROM a\n", ["2: only one `escape` parser directive can be used"]),
        ("", ["1: a file with no instructions"]),
        ("# only a comment\n", ["1: a file with no instructions"]),
        ("ARG A=1\n", ["1: a file with no stage to build"]),
        ("RUN a\nENV b=c\nFROM a\n", ["1: no build stage for `RUN`"]),
        ("FROM a\n\\\n", ["2: a continuation line with nothing to continue"]),
        ("FROM a\nRUN a\0b\n", ["2: the line holds a NUL character"]),
        (b"FROM a\n# caf\xe9\nRUN caf\xe9\n", ["3: the line holds bytes that are no UTF-8"]),
        ("FROM a\nRUN cat <<A <<B\nA\nUSER x\n", ["2: the heredoc `B` does not end"]),
        ("FROM a\n" + "x" * (5 << 20), ["1: the file has more than 4 MiB"]),
        ("NOPE\n" * 500, [f"{line}: unknown instruction `NOPE`" for line in range(1, 101)]),
    ],
    ids=range(12),
)
def test_what_is_wrong_with_a_file(text: str | bytes, told: list[str]) -> None:
    assert messages(text) == told


def test_bytes_in_comments_need_not_be_text() -> None:
    assert len(parse(b"# caf\xe9\nFROM a\n").stages) == 1


@pytest.mark.parametrize(
    ("syntax", "is_ours"),
    [
        ("docker/dockerfile:1", True),
        ("docker/dockerfile:1.7-labs", True),
        ("docker.io/docker/dockerfile:1.4@sha256:" + "0" * 64, True),
        ("docker/dockerfile-upstream:master", True),
        ("docker/dockerfile", True),
        ("docker/dockerfile:2", False),
        ("r2d4/mocker", False),
    ],
)
def test_only_dockers_own_frontends_are_taken_for_this_language(syntax: str, is_ours: bool) -> None:
    warnings = parse(f"# syntax={syntax}\nFROM a\n").warnings

    assert [warning.message for warning in warnings] == (
        [] if is_ours else [f"the frontend `{syntax}` is not used: the file is read as Dockerfile syntax 1"]
    )


def test_line_ends_and_byte_order_mark_make_no_difference() -> None:
    text = "FROM a\nRUN a \\\n  b\nCOPY <<E /x\n1\nE\nUSER u\n"
    plain, windows = parse(text), parse(("\ufeff" + text.replace("\n", "\r\n")).encode())

    assert [each.span for each in windows.stages[0].instructions] == [Span(2, 3), Span(4, 6), Span(7, 7)]
    assert [each.text for each in plain.stages[0].instructions] == [
        each.text for each in windows.stages[0].instructions
    ]


def test_comments_above_an_instruction_are_its_own() -> None:
    dockerfile = parse("# far\n\n# one\n# two\nFROM a\n# gone\n#\nRUN b\n")

    assert dockerfile.stages[0].base.comments == ("one", "two")
    assert dockerfile.stages[0].instructions[0].comments == ()


def test_another_escape_continues_lines_too() -> None:
    (run,) = parse("# escape=`\nFROM a\nRUN a `\n  b\\\n").stages[0].instructions

    assert isinstance(run, Run)
    assert run.command == ShellForm("a   b\\")


def test_places_lead_to_the_line_that_was_continued() -> None:
    with pytest.raises(BuildError) as caught:
        parse(
            "FROM a\n  RUN \\\n    # comment\n    --mount=type=cache,target=/x \\\n    --nope=1 \\\n  a\n",
            "sub/Dockerfile",
        )

    (told,) = caught.value.diagnostics
    assert str(told.location) == "sub/Dockerfile:5:5"
    assert told.location is not None
    assert told.location.source == "    --nope=1 \\"


def test_a_trigger_that_is_none_names_its_image() -> None:
    with pytest.raises(BuildError) as caught:
        parse_trigger("NOPE", "node:1")

    assert str(caught.value.location) == "ONBUILD of node:1:2:9"


def test_the_error_crosses_a_socket_with_everything_it_says() -> None:
    with pytest.raises(BuildError) as caught:
        parse("NOPE\nNEITHER\n")

    back = error_from_wire(caught.value.to_wire())
    assert isinstance(back, BuildError)
    assert back.diagnostics == caught.value.diagnostics
    assert back.exit_code == 17
