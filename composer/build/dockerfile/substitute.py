"""An instruction with its variables replaced, for those instructions that take any.

RUN's command, CMD, ENTRYPOINT, SHELL, HEALTHCHECK and ONBUILD take none: their shell, if any, does it when they run. ARG
is a matter of its own, see `scope.arg_value`.
<https://docs.docker.com/reference/dockerfile/#environment-replacement>
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from composer.build.dockerfile.expand import Expanded, expand
from composer.build.dockerfile.instructions import (
    Add,
    Copy,
    Env,
    Expose,
    Heredoc,
    Instruction,
    Label,
    Pair,
    Run,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from composer.build.dockerfile.mount import Mount, read_mount
from composer.build.dockerfile.values import must_fit


@dataclass(frozen=True, slots=True)
class Substituted:
    """The instruction, and the variables it asked for."""

    instruction: Instruction
    """Of the same class as what went in."""
    used: frozenset[str]
    undefined: frozenset[str]
    """Those without a value; nothing stands in their place."""
    mounts: tuple[Mount, ...] = ()
    """Of a RUN."""


def substituted(instruction: Instruction, env: Mapping[str, str], escape: str = "\\") -> Substituted:
    """The instruction with the values of `env`.

    Raises:
        ExpansionError: a word cannot be expanded.
        UnfitError: a value, its variables replaced, is none that may stand there; MountError for mounts.
    """
    replacing = _Replacing(env, escape)
    mounts: tuple[Mount, ...] = ()
    if isinstance(instruction, Run):
        mounts = tuple(read_mount(flag.text, replacing.word) for flag in instruction.mounts)
    result = replacing.instruction(instruction)
    must_fit(result)
    return Substituted(result, frozenset(replacing.used), frozenset(replacing.undefined), mounts)


class _Replacing:
    def __init__(self, env: Mapping[str, str], escape: str) -> None:
        self._env = env
        self._escape = escape
        self.used: set[str] = set()
        self.undefined: set[str] = set()

    def instruction(self, instruction: Instruction) -> Instruction:
        match instruction:
            case Env() | Label():
                return replace(instruction, pairs=tuple(map(self._pair, instruction.pairs)))
            case Copy() | Add():
                return self._transfer(instruction)
            case Workdir():
                return replace(instruction, path=self.word(instruction.path))
            case User():
                return replace(instruction, user=self.word(instruction.user))
            case StopSignal():
                return replace(instruction, signal=self.word(instruction.signal))
            case Volume():
                return replace(instruction, paths=self._words(instruction.paths))
            case Expose():
                split = (self._note(expand(port, self._env, self._escape)).words for port in instruction.ports)
                return replace(instruction, ports=tuple(port for ports in split for port in ports))
            case _:
                return instruction

    def word(self, word: str) -> str:
        return self._note(expand(word, self._env, self._escape)).text

    def _note(self, expanded: Expanded) -> Expanded:
        self.used |= expanded.used
        self.undefined |= expanded.undefined
        return expanded

    def _words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self.word, words))

    def _pair(self, pair: Pair) -> Pair:
        return replace(pair, key=self.word(pair.key), value=self.word(pair.value or ""))

    def _transfer(self, instruction: Copy | Add) -> Instruction:
        result = replace(
            instruction,
            owner=self.word(instruction.owner),
            mode=self.word(instruction.mode),
            sources=self._words(instruction.sources),
            destination=self.word(instruction.destination),
            excludes=self._words(instruction.excludes),
            heredocs=tuple(map(self._document, instruction.heredocs)),
        )
        return replace(result, checksum=self.word(result.checksum)) if isinstance(result, Add) else result

    def _document(self, heredoc: Heredoc) -> Heredoc:
        """Its tabs go before its variables come: those of a value stay."""
        if not heredoc.expand:
            return heredoc
        text = self._note(expand(heredoc.document, self._env, quotes=False)).text
        return replace(heredoc, content=text, strip_tabs=False)
