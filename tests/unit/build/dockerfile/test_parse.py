import pytest

from composer.build.dockerfile.instructions import (
    Copy,
    Env,
    ExecForm,
    Heredoc,
    MountFlag,
    Pair,
    Run,
    ShellForm,
)
from composer.build.dockerfile.parse import parse, parse_trigger
from composer.build.dockerfile.source import Span
from composer.errors import BuildError


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(BuildError) as caught:
        parse(text)
    return [f"{problem.location} {problem.message}" for problem in caught.value.diagnostics]


def test_a_file_is_global_arguments_and_stages() -> None:
    dockerfile = parse(
        "ARG V=3\nFROM --platform=$BUILDPLATFORM python:$V AS Build\nENV A=1 B='2 3'\nFROM scratch\nCOPY --from=build /a /b\n"
    )

    assert dockerfile.global_args[0].pairs == (Pair("V", "3"),)
    build, last = dockerfile.stages
    assert (build.name, build.title, build.base.image, build.base.platform) == (
        "build",
        "build",
        "python:$V",
        "$BUILDPLATFORM",
    )
    assert isinstance(build.instructions[0], Env)
    assert build.instructions[0].pairs == (Pair("A", "1"), Pair("B", "'2 3'"))
    assert (last.name, last.title) == (None, "1")
    assert isinstance(last.instructions[0], Copy)
    assert (last.instructions[0].source_stage, last.instructions[0].sources, last.instructions[0].destination) == (
        "build",
        ("/a",),
        "/b",
    )


def test_continued_lines_are_one_instruction_without_comments_and_empty_lines() -> None:
    dockerfile = parse("FROM a\nRUN one \\\n  # not this\n\n  && two\nUSER x\n")

    run, user = dockerfile.stages[0].instructions
    assert isinstance(run, Run)
    assert run.command == ShellForm("one   && two")
    assert (run.span, user.span) == (Span(2, 5), Span(6, 6))
    assert dockerfile.empty_continuations == (5,)


def test_a_heredoc_alone_is_the_script() -> None:
    (run,) = parse("FROM a\nRUN --mount=type=cache,target=/x <<-'EOF'\n\techo $A\n\tEOF\n").stages[0].instructions

    assert isinstance(run, Run)
    assert run.mounts == (MountFlag("type=cache,target=/x"),)
    assert isinstance(run.command, ShellForm)
    assert run.command.heredocs == (Heredoc("EOF", "\techo $A\n", expand=False, strip_tabs=True),)
    assert run.command.script == "echo $A\n"


def test_a_json_array_has_no_shell() -> None:
    (run,) = parse('FROM a\nRUN ["a", "b c"]\n').stages[0].instructions

    assert isinstance(run, Run)
    assert run.command == ExecForm(("a", "b c"))


def test_all_problems_of_a_file_are_told_at_once_with_their_places() -> None:
    assert problems("FROM a b\nCOPPY x y\nRUN --netwrok=host x\nEXPOSE\n  COPY \\\n  --chwon=1 a b\n") == [
        "Dockerfile:1:6 `FROM` requires either one or three arguments",
        "Dockerfile:2:1 unknown instruction `COPPY`",
        "Dockerfile:3:5 `RUN` does not know the flag `--netwrok`",
        "Dockerfile:4:1 `EXPOSE` requires at least one argument",
        "Dockerfile:6:3 `COPY` does not know the flag `--chwon`",
    ]


def test_a_trigger_of_an_image_is_read_as_an_instruction() -> None:
    copy = parse_trigger("COPY . /app", "node:1")

    assert isinstance(copy, Copy)
    assert copy.sources == (".",)
