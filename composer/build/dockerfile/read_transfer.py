"""COPY and ADD."""

from __future__ import annotations

from typing import Any, TypeVar

from composer.build.dockerfile.heredoc import heredoc_of, is_heredoc
from composer.build.dockerfile.instructions import Add, Copy, Heredoc
from composer.build.dockerfile.ownership import problem_of
from composer.build.dockerfile.reading import Kind, Reading

_BOTH = {"chown": Kind.TEXT, "chmod": Kind.TEXT, "link": Kind.SWITCH, "exclude": Kind.TEXTS}
COPY_FLAGS = {"from": Kind.TEXT, **_BOTH, "parents": Kind.SWITCH}
ADD_FLAGS = {**_BOTH, "checksum": Kind.TEXT, "keep-git-dir": Kind.SWITCH, "unpack": Kind.SWITCH}

_Transfer = TypeVar("_Transfer", Copy, Add)


def read_copy(reading: Reading) -> Copy:
    """The COPY. Raises UnreadableError."""
    flags = reading.flags(COPY_FLAGS)
    source_stage = flags.get("from", "")
    if "$" in source_stage[:-1]:
        hint = "name a stage: `FROM …$NAME AS alias`, then `--from=alias`"
        reading.wrong_flag(reading.flag("from"), "`--from` doesn't support variable expansion", hint=hint)
    parents = flags.get("parents", False)
    return _checked(
        reading, Copy(**reading.common, **_common(reading, flags), source_stage=source_stage, parents=parents)
    )


def read_add(reading: Reading) -> Add:
    """The ADD. Raises UnreadableError."""
    flags = reading.flags(ADD_FLAGS)
    add = Add(
        **reading.common,
        **_common(reading, flags),
        checksum=flags.get("checksum", ""),
        keep_git_dir=flags.get("keep-git-dir"),
        unpack=flags.get("unpack"),
    )
    return _checked(reading, add)


def _checked(reading: Reading, transfer: _Transfer) -> _Transfer:
    """The instruction, a mode or an owner that cannot be noted at its flag."""
    if problem := problem_of(transfer):
        flag, message, hint = problem
        reading.wrong_flag(reading.flag(flag), message, hint=hint)
    return transfer


def _common(reading: Reading, flags: dict[str, Any]) -> dict[str, Any]:
    name = reading.statement.name
    words = reading.words()
    if len(words) < 2:
        why = "but only one was provided; the destination could not be determined" if words else "none was provided"
        raise reading.fail(
            f"`{name}` requires at least two arguments, {why}", hint=f"write `{name} source… destination`"
        )
    *sources, destination = words
    if is_heredoc(destination):
        raise reading.fail(f"`{name}` cannot accept a heredoc as a destination", destination)
    contents = {heredoc.name: heredoc for heredoc in reading.statement.heredocs}
    documents: list[Heredoc] = []
    paths: list[str] = []
    for source in sources:
        heredoc = heredoc_of(source) if is_heredoc(source) else None
        if heredoc is None:
            paths.append(source)
        elif heredoc.name in contents:
            documents.append(contents[heredoc.name])
        else:
            reading.wrong(f"the heredoc `{heredoc.name}` has no content", source)
    return {
        "sources": tuple(paths),
        "destination": destination,
        "heredocs": tuple(documents),
        "owner": flags.get("chown", ""),
        "mode": flags.get("chmod", ""),
        "link": flags.get("link", False),
        "excludes": tuple(flags.get("exclude", ())),
    }
