"""One statement to one instruction, each as BuildKit reads it.

<https://github.com/moby/buildkit/blob/master/frontend/dockerfile/instructions/parse.go>
"""

from __future__ import annotations

import re
from collections.abc import Callable

from composer.build.dockerfile import read_healthcheck, read_run, read_transfer
from composer.build.dockerfile.instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    From,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from composer.build.dockerfile.problems import did_you_mean
from composer.build.dockerfile.reading import Kind, Reading
from composer.build.dockerfile.words import at_spaces, quoted_words

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
FROM_FLAGS = {"platform": Kind.TEXT}
_NO_TRIGGERS = ("FROM", "MAINTAINER", "ONBUILD")


def read(reading: Reading) -> Instruction:
    """The instruction. Raises UnreadableError when there can be none; other problems are noted and a best guess comes back."""
    keyword = reading.statement.keyword
    reader = _READERS.get(keyword.upper())
    if reader is None:
        raise reading.wrong_keyword(f"unknown instruction `{keyword[:100]}`", hint=did_you_mean(keyword, _READERS))
    return reader(reading)


def _from(reading: Reading) -> From:
    words = at_spaces(reading.statement.rest)
    platform = reading.flags(FROM_FLAGS).get("platform", "")
    as_keyword = alias = ""
    if len(words) == 3 and words[1].lower() == "as":
        as_keyword, alias = words[1:]
        if not _STAGE_NAME.fullmatch(alias.lower()):
            hint = "begin with a letter; then letters, digits, `-`, `_` and `.`"
            raise reading.fail(f"invalid name for build stage: `{alias}`", alias, hint=hint)
    elif len(words) != 1:
        hint = (
            f"did you mean `{words[0]} AS {words[2]}`?"
            if len(words) == 3
            else "write `FROM image` or `FROM image AS name`"
        )
        raise reading.fail("`FROM` requires either one or three arguments", hint=hint)
    return From(**reading.common, image=words[0], platform=platform, alias=alias, as_keyword=as_keyword)


def _arg(reading: Reading) -> Arg:
    reading.flags({})
    words = quoted_words(reading.statement.rest, reading.escape)
    if not words:
        raise reading.fail("`ARG` requires at least one argument")
    pairs: list[Pair] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not key:
            reading.wrong("`ARG` names can not be blank", word)
        pairs.append(Pair(key, value if equals else None))
    return Arg(**reading.common, pairs=tuple(pairs))


def _pairs(reading: Reading) -> tuple[Pair, ...]:
    name, rest = reading.statement.name, reading.statement.rest
    reading.flags({})
    words = quoted_words(rest, reading.escape)
    if not words:
        raise reading.fail(f"`{name}` requires at least one argument")
    if "=" not in words[0]:
        key, *value = at_spaces(rest, 1)
        if not value:
            raise reading.fail(f"`{name}` must have two arguments", key, hint=f"write `{name} {key}=value`")
        return (Pair(key, value[0], legacy=True),)
    pairs: list[Pair] = []
    for word in words:
        key, equals, value_text = word.partition("=")
        if not equals:
            hint = f'quote the value if it has spaces: `{pairs[-1].key}="{pairs[-1].value} {word}"`'
            raise reading.fail(f"can't find = in `{word}`: must be of the form name=value", word, hint=hint)
        if not key:
            reading.wrong(f"`{name}` names can not be blank", word)
        pairs.append(Pair(key, value_text))
    return tuple(pairs)


def _env(reading: Reading) -> Env:
    return Env(**reading.common, pairs=_pairs(reading))


def _label(reading: Reading) -> Label:
    return Label(**reading.common, pairs=_pairs(reading))


def _maintainer(reading: Reading) -> Maintainer:
    reading.flags({})
    return Maintainer(**reading.common, author=reading.one())


def _cmd(reading: Reading) -> Cmd:
    reading.flags({})
    return Cmd(**reading.common, command=reading.command())


def _entrypoint(reading: Reading) -> Entrypoint:
    reading.flags({})
    return Entrypoint(**reading.common, command=reading.command())


def _shell(reading: Reading) -> Shell:
    reading.flags({})
    argv = reading.strings()
    if argv is None and reading.statement.rest:
        raise reading.fail(
            "`SHELL` requires the arguments to be in JSON form", hint='write `SHELL ["/bin/bash", "-c"]`'
        )
    if not argv:
        raise reading.fail("`SHELL` requires at least one argument")
    return Shell(**reading.common, argv=tuple(argv))


def _onbuild(reading: Reading) -> Onbuild:
    reading.flags({})
    statement = reading.statement
    if not statement.rest:
        raise reading.fail("`ONBUILD` requires at least one argument")
    inner = Reading(statement.inner(), reading.escape, reading.problems)
    trigger = inner.statement.name
    if trigger == "ONBUILD":
        raise inner.wrong_keyword("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in _NO_TRIGGERS:
        raise inner.wrong_keyword(f"`{trigger}` isn't allowed as an ONBUILD trigger")
    documents = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs)
    return Onbuild(**reading.common, expression=statement.rest + documents, instruction=read(inner))


def _stopsignal(reading: Reading) -> StopSignal:
    reading.flags({})
    return StopSignal(**reading.common, signal=reading.one())


def _user(reading: Reading) -> User:
    reading.flags({})
    return User(**reading.common, user=reading.one())


def _workdir(reading: Reading) -> Workdir:
    reading.flags({})
    return Workdir(**reading.common, path=reading.one())


def _volume(reading: Reading) -> Volume:
    reading.flags({})
    paths = [path.strip() for path in reading.words()]
    if not paths:
        raise reading.fail("`VOLUME` requires at least one argument")
    if not all(paths):
        reading.wrong("a `VOLUME` can not be an empty string")
    return Volume(**reading.common, paths=tuple(paths))


def _expose(reading: Reading) -> Expose:
    reading.flags({})
    ports = at_spaces(reading.statement.rest)
    if not ports:
        raise reading.fail("`EXPOSE` requires at least one argument")
    return Expose(**reading.common, ports=tuple(ports))


_READERS: dict[str, Callable[[Reading], Instruction]] = {
    "ADD": read_transfer.read_add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": read_transfer.read_copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": read_healthcheck.read_healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": read_run.read_run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}

FLAGS = {
    "ADD": read_transfer.ADD_FLAGS,
    "COPY": read_transfer.COPY_FLAGS,
    "FROM": FROM_FLAGS,
    "HEALTHCHECK": read_healthcheck.HEALTHCHECK_FLAGS,
    "RUN": read_run.RUN_FLAGS,
}
"""The flags that there are."""
INSTRUCTIONS = tuple(_READERS)
