"""What an instruction is worth in its stage: variables as they are when it is reached, what came before it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from composer.build.dockerfile.expand import ExpansionError, expand
from composer.build.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Shell,
    ShellForm,
    Workdir,
)
from composer.build.dockerfile.lint import rules
from composer.build.dockerfile.lint.finding import Finding, found
from composer.build.dockerfile.place import as_written, problem_at
from composer.build.dockerfile.ports import read_ports
from composer.build.dockerfile.problems import nearest
from composer.build.dockerfile.source import Source
from composer.build.dockerfile.sources import is_remote
from composer.build.dockerfile.substitute import substituted
from composer.build.dockerfile.values import UnfitError
from composer.errors import Diagnostic
from composer.ignore import DockerPatterns
from composer.oci.config import ImageConfig

_SECRET = re.compile("(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE)
_NO_SECRET = re.compile("(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
_SOME_NAME = "\x7f"
"""A file that nobody has: ignored only if everything is."""


@dataclass(slots=True)
class StageState:
    """Where a stage stands; a stage built on it begins there."""

    env: dict[str, str]
    declared: set[str] = field(default_factory=set)
    """The ARGs so far, also those without a value."""
    has_shell: bool = False
    has_workdir: bool = False
    knows_base: bool = True
    """Whether all variables of the base image are known: if not, one that is not defined here may be defined there."""

    def inherited(self) -> StageState:
        """The state that a stage built on this one begins with."""
        return replace(self, env=dict(self.env), declared=set(self.declared))

    @classmethod
    def of_image(cls, config: ImageConfig | None) -> StageState:
        """The state that a stage built on an image begins with; None is an image that is not at hand."""
        # BuildKit sees to it that there is always a PATH.
        env = {"PATH": ""} | dict(entry.partition("=")[::2] for entry in (config.env if config else ()))
        return cls(env, has_shell=bool(config and config.shell), knows_base=config is not None)


class Walk:
    """One stage, its instructions taken in order."""

    def __init__(
        self,
        source: Source,
        escape: str,
        state: StageState,
        args: Mapping[str, str],
        inherited: Mapping[str, str],
        ignored: DockerPatterns | None,
    ) -> None:
        """`args` are the build arguments, `inherited` the global ARGs."""
        self._source = source
        self._escape = escape
        self._state = state
        self._args = args
        self._inherited = inherited
        self._ignored = ignored
        self._once: dict[str, Instruction] = {}
        self.problems: list[Diagnostic] = []
        """What a build would stop at."""

    def take(self, written: Instruction) -> Iterator[Finding]:
        """Findings about the next instruction of the stage."""
        if isinstance(written, Arg):
            yield from self._arg(written)
            return
        try:
            result = substituted(written, self._state.env, self._escape)
        except ValueError as error:
            self._problem(written, str(error), hint=error.hint if isinstance(error, UnfitError) else "")
            return
        instruction = result.instruction
        if not isinstance(instruction, Expose):  # as BuildKit has it
            yield from self._undefined(written, result.undefined)
        match instruction:
            case Env() | Label():
                yield from self._pairs(written, instruction)
            case Cmd() | Entrypoint() | Healthcheck():
                yield from self._command(instruction)
            case Shell():
                self._state.has_shell = True
            case Workdir():
                yield from self._workdir(written, instruction)
            case Expose():
                yield from self._expose(written, instruction)
            case Copy() | Add():
                yield from self._copy(written, instruction)
            case _:
                pass

    def _problem(self, instruction: Instruction, message: str, word: str = "", hint: str = "") -> None:
        self.problems.append(problem_at(self._source, instruction, message, word, hint))

    def _undefined(self, instruction: Instruction, names: frozenset[str]) -> Iterator[Finding]:
        for name in sorted(names - self._state.declared):
            near = nearest(name, self._state.env)
            if near or self._state.knows_base:
                yield found(
                    rules.UNDEFINED_VAR,
                    instruction,
                    word=as_written(instruction, name),
                    hint=f"write `${near}`" if near else "",
                    name=name,
                    suggestion=f" (did you mean ${near}?)" if near else "",
                )

    def _arg(self, instruction: Arg) -> Iterator[Finding]:
        for pair in instruction.pairs:
            yield from _secret(instruction, pair.key)
            value = self._args.get(pair.key)
            if value is None and pair.value is None:
                value = self._inherited.get(pair.key)
            elif value is None:
                try:
                    expanded = expand(pair.value or "", self._state.env, self._escape)
                except ExpansionError as error:
                    self._problem(instruction, str(error), pair.key)
                    continue
                yield from self._undefined(instruction, expanded.undefined)
                value = expanded.text
            self._state.declared.add(pair.key)
            if value is not None:
                self._state.env[pair.key] = value

    def _pairs(self, written: Instruction, instruction: Env | Label) -> Iterator[Finding]:
        for pair in instruction.pairs:
            if pair.legacy:
                hint = f"write `{written.keyword} {pair.key}={json.dumps(pair.value, ensure_ascii=False)}`"
                yield found(rules.LEGACY_KEY_VALUE_FORMAT, written, hint=hint, keyword=written.keyword)
            if isinstance(instruction, Env):
                yield from _secret(written, pair.key)
        if isinstance(instruction, Env):
            self._state.env |= {pair.key: pair.value or "" for pair in instruction.pairs}

    def _command(self, instruction: Cmd | Entrypoint | Healthcheck) -> Iterator[Finding]:
        """Of two, the one before is reported: it is the one that counts for nothing."""
        if (before := self._once.get(instruction.name)) is not None:
            hint = f"line {instruction.span.first} replaces it: remove one of them"
            yield found(rules.MULTIPLE_INSTRUCTIONS_DISALLOWED, before, hint=hint, keyword=instruction.keyword)
        self._once[instruction.name] = instruction
        command = instruction.command
        if isinstance(command, ShellForm) and not isinstance(instruction, Healthcheck) and not self._state.has_shell:
            words = command.text.split()
            plain = all(re.fullmatch(r"[\w./:=@%+,-]+", word) for word in words)
            hint = f"write `{instruction.keyword} {json.dumps(words)}`" if words and plain else ""
            yield found(rules.JSON_ARGS_RECOMMENDED, instruction, hint=hint, keyword=instruction.keyword)

    def _workdir(self, written: Instruction, instruction: Workdir) -> Iterator[Finding]:
        if not self._state.has_workdir and not instruction.path.startswith("/"):
            path = json.dumps(instruction.path, ensure_ascii=False)
            yield found(rules.WORKDIR_RELATIVE_PATH, written, word=instruction.path, path=path)
        self._state.has_workdir = True

    def _expose(self, written: Instruction, instruction: Expose) -> Iterator[Finding]:
        for word in instruction.ports:
            ports = read_ports(word)
            if ports.written_protocol != ports.written_protocol.lower():
                hint = f"write `{word.replace(ports.written_protocol, ports.protocol)}`"
                yield found(rules.EXPOSE_PROTO_CASING, written, word=word, hint=hint, port=word)
            if ports.has_host:
                hint = f"write `{word.rpartition(':')[2]}`; `ports` of a service publishes it"
                yield found(rules.EXPOSE_INVALID_FORMAT, written, word=word, hint=hint, port=word)

    def _copy(self, written: Instruction, instruction: Copy | Add) -> Iterator[Finding]:
        ignored = self._ignored
        if ignored is None or ignored.has_exceptions or (isinstance(instruction, Copy) and instruction.source_stage):
            return
        for source in instruction.sources:
            if isinstance(instruction, Add) and is_remote(source):
                continue
            path = posixpath.normpath(source)
            inner = path.lstrip("/")
            if ignored.matches(_SOME_NAME if inner in ("", ".") else inner):
                what = instruction.name.capitalize()
                yield found(rules.COPY_IGNORED_FILE, written, word=source, instruction=what, path=path)


def _secret(instruction: Instruction, name: str) -> Iterator[Finding]:
    if _SECRET.search(name) and not _NO_SECRET.search(name):
        yield found(rules.SECRETS_USED_IN_ARG_OR_ENV, instruction, word=name, instruction=instruction.name, name=name)
