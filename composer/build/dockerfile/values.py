"""What values may be, once their variables are replaced: signals, paths, checksums, ports."""

from __future__ import annotations

import re

from composer.build.dockerfile.instructions import Add, Copy, Expose, Instruction, StopSignal, Volume
from composer.build.dockerfile.ownership import problem_of
from composer.build.dockerfile.ports import read_ports
from composer.build.dockerfile.sources import is_git, is_remote
from composer.errors import ContainerError
from composer.runtime import signals

_DIGEST = re.compile("sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_COMMIT = re.compile("[0-9a-f]{7,64}")


class UnfitError(ValueError):
    """A value that is none of those that may stand there."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def must_fit(instruction: Instruction) -> None:
    """Raise UnfitError if the instruction's values, variables replaced, cannot be."""
    match instruction:
        case StopSignal(signal=signal):
            try:
                signals.number(signal)
            except ContainerError as error:
                raise UnfitError(error.message, error.hint) from None
        case Volume(paths=paths) if not all(paths):
            raise UnfitError("a `VOLUME` can not be an empty string")
        case Expose(ports=ports):
            for port in ports:
                try:
                    read_ports(port)
                except ValueError as error:
                    raise UnfitError(str(error)) from None
        case Copy() | Add():
            if problem := problem_of(instruction):
                raise UnfitError(*problem[1:])
            if isinstance(instruction, Add) and instruction.checksum:
                _checksum(instruction)
        case _:
            return


def _checksum(add: Add) -> None:
    checksum = add.checksum
    if len(add.sources) != 1 or add.heredocs:
        raise UnfitError("`--checksum` can't be specified for multiple sources", "write one `ADD` for each")
    if not is_remote(add.sources[0]):
        raise UnfitError("`--checksum` requires an HTTP(S) or Git source")
    if is_git(add.sources[0]):
        if not _COMMIT.fullmatch(checksum):
            raise UnfitError(f"`--checksum={checksum}` is no commit", "give the commit's hash")
    elif not _DIGEST.fullmatch(checksum):
        raise UnfitError(f"`--checksum={checksum}` is no digest", "write `sha256:` and 64 hexadecimal digits")
