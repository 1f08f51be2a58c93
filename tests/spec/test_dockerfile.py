"""Docker's own parser, wrapped by the package `dockerfile`, reads the same files as we do."""

import importlib
import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from composer.build.dockerfile.directives import read_directives
from composer.build.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Command,
    Copy,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from composer.build.dockerfile.problems import Problems
from composer.build.dockerfile.read import FLAGS, INSTRUCTIONS, read
from composer.build.dockerfile.reading import Reading, UnreadableError
from composer.build.dockerfile.source import source_of
from composer.build.dockerfile.statements import Statement, statements
from tests.make.dockerfile import PAGE, page

FILES = sorted((Path(__file__).parent / "dockerfiles").glob("*.Dockerfile"))


@pytest.fixture(scope="module")
def docker() -> Any:
    if platform.machine() != "x86_64":
        pytest.skip(f"the package `dockerfile` is not built for {platform.machine()}")
    return importlib.import_module("dockerfile")


class Seen(NamedTuple):
    """What both parsers say of one instruction."""

    name: str
    inner: str | None
    first: int
    last: int
    text: str
    flags: tuple[str, ...]
    values: tuple[str, ...] | None
    """None where we refuse them."""
    heredocs: tuple[tuple[str, str], ...]


def dockers(docker: Any, text: str) -> list[Seen] | str | None:
    """Docker's reading, or its error; None where it cuts a character in two."""
    try:
        commands = docker.parse_string(text)
    except docker.GoParseError as error:
        return str(error)
    except UnicodeDecodeError:
        return None
    return [
        Seen(
            command.cmd.upper(),
            command.sub_cmd.upper() if command.sub_cmd else None,
            command.start_line,
            command.end_line,
            command.original.split("\n")[0],
            tuple(command.flags),
            tuple(value.strip() for value in command.value),
            tuple((heredoc.name, heredoc.content) for heredoc in command.heredocs),
        )
        for command in commands
        if command.cmd
    ]


def ours(text: str) -> tuple[list[Seen], list[str]]:
    """Our reading, and our errors."""
    problems = Problems()
    source = source_of(text, "Dockerfile", problems)
    directives, first = read_directives(source, problems)
    seen = [_seen(each, directives.escape, problems) for each in statements(source, first, directives.escape, problems)]
    return seen, [problem.message for problem in problems.diagnostics]


def _seen(statement: Statement, escape: str, problems: Problems) -> Seen:
    inner = statement.inner() if statement.name == "ONBUILD" else None
    before = len(problems.diagnostics)
    try:
        values = _values(read(Reading(statement, escape, problems)))
    except UnreadableError:
        values = None
    if len(problems.diagnostics) > before or _json_and_more((inner or statement).rest):
        values = None
    return Seen(
        statement.name,
        inner.name if inner and inner.keyword else None,
        statement.span.first,
        statement.span.last,
        statement.text,
        tuple(flag.text for flag in statement.flags),
        values and tuple(value.strip() for value in values),
        # The wrapper looks for them on the instruction that ONBUILD holds, where the parser does not put them.
        () if inner else tuple((heredoc.name, heredoc.content) for heredoc in statement.heredocs),
    )


def _json_and_more(text: str) -> bool:
    """Whether a JSON array is followed by more: the version that is wrapped overlooks it, later ones do not."""
    start = text.find("[")
    try:
        _, end = json.JSONDecoder().raw_decode(text, max(start, 0))
    except ValueError:
        return False
    return bool(text[end:].strip())


def _values(instruction: Instruction) -> tuple[str, ...] | None:
    match instruction:
        case From(image=image, as_keyword=keyword, alias=alias):
            return (image, keyword, alias) if alias else (image,)
        case Arg():
            return tuple(pair.key if pair.value is None else f"{pair.key}={pair.value}" for pair in instruction.pairs)
        case Env() | Label():
            return tuple(part for pair in instruction.pairs for part in (pair.key, pair.value or ""))
        case Copy() | Add():
            return None if instruction.heredocs else (*instruction.sources, instruction.destination)
        case Run() | Cmd() | Entrypoint():
            return _command(instruction.command)
        case Healthcheck(command=command):
            return None if command is None else ("CMD", *_command(command))
        case Onbuild(instruction=inner):
            return _values(inner)
        case Shell(argv=argv):
            return argv
        case Volume(paths=paths):
            return paths
        case Expose(ports=ports):
            return ports
        case Maintainer(author=text) | StopSignal(signal=text) | User(user=text) | Workdir(path=text):
            return (text,)
        case _:
            raise AssertionError(instruction)


def _command(command: Command) -> tuple[str, ...]:
    if isinstance(command, ExecForm):
        return command.argv
    return (command.text,) if command.text else ()


def compare(docker: Any, text: str) -> None:
    theirs = dockers(docker, text)
    seen, problems = ours(text)
    if theirs is None:
        return
    if not all(flag.isascii() for each in seen for flag in each.flags):
        return  # Docker's parser takes the bytes of a flag for characters
    if any("<<" in each.text and _json_and_more(each.text) for each in seen):
        return
    if isinstance(theirs, str):
        # An empty file is a matter of the whole, not of its statements.
        fine = theirs == "file with no instructions" or ("JSON" in theirs and any(each.values is None for each in seen))
        assert problems or fine, f"we accept what Docker refuses: {theirs}"
        return
    ours_to_compare = [
        mine if mine.values is not None else mine._replace(values=other.values)
        for mine, other in zip(seen, theirs, strict=False)
    ]
    assert ours_to_compare == theirs[: len(seen)]
    assert len(seen) == len(theirs) or problems


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_whole_files_read_alike(docker: Any, path: Path) -> None:
    text = path.read_text()
    compare(docker, text)
    compare(docker, text.replace("\n", "\r\n"))
    compare(docker, "\ufeff" + text)


def test_the_corpus_is_without_fault() -> None:
    for path in FILES:
        assert ours(path.read_text())[1] == []


def test_the_corpus_has_every_instruction_and_flag() -> None:
    seen = [each for path in FILES for each in ours(path.read_text())[0]]

    assert {each.name for each in seen} == set(INSTRUCTIONS)
    for name, flags in FLAGS.items():
        used = {flag[2:].partition("=")[0] for each in seen if each.name == name for flag in each.flags}
        assert used == set(flags)


def test_the_page_is_the_one_the_tables_make() -> None:
    assert PAGE.read_text().splitlines() == list(page()), "run `python -m tests.make.dockerfile`"


_PIECES = st.sampled_from(
    [
        *("FROM ", "run ", "COPY ", "ADD ", "ENV ", "LABEL ", "ARG ", "ONBUILD ", "CMD ", "HEALTHCHECK ", "VOLUME "),
        *("EXPOSE ", "USER ", "WORKDIR ", "SHELL ", "STOPSIGNAL ", "MAINTAINER ", "Entrypoint", "NOPE "),
        *(
            "a",
            "b=1",
            "x y",
            " as ",
            "CMD ",
            "none",
            "$V",
            "${V:-'x y'}",
            "é",
            "\u00a0",
            "\t",
            " ",
            "  ",
            "=",
            "--",
            "--a",
        ),
        *("--from=x ", "--mount='a b' ", '--x="y" ', "--link ", "'", '"', "\\", "`", "\\\\", "\\\n", "\\ \n", "`\n"),
        *("\n", "\n", "\n", "\r\n", "\n\n", "# c\n", "#\n", "# escape=`\n", "#syntax=x\n", "# check=a\n", "\\\n\n"),
        *('["a", "b"]', "[]", "[1]", '["a"', '["a"] b', "[ ", '"\\n"', "<<E", "<<-E", "<<'E'", "3<<E ", "<<", "<<<E"),
        *("E\n", "\tE\n", "\nE\n", "<<E\nbody\nE\n", ' <<-"E"\n\tbody\n\tE\n', ";", "|", "\v", "\x1c"),
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECES, max_size=14).map("".join))
@example("ENV a='\n")
@example("RUN <<E \\\n\nx\nE\nE\n")
@example("\\\n")
def test_whatever_is_written_reads_alike(docker: Any, text: str) -> None:
    compare(docker, "FROM a\n" + text)
    compare(docker, text)
