"""Every failure we expect.

* ComposerError            message, hint, location, exit_code
  x ProjectError           the Compose file is wrong - the user can fix it; carries every diagnostic
    + BuildError           a Dockerfile is wrong, or one of its instructions failed
  x UsageError             the command line asks for something that cannot be
  x ImageError             an image, layer or archive is missing, damaged or not what it says
  x RegistryError          a registry said no, or nothing at all            code (of the specification), status, retryable
  x ContainerError         a container did not do what was asked            step, errno
  x HostError              this machine cannot do what we need              the missing feature
  x StateError             what we find on disk is not ours or is newer than us
  x EngineError            the engine could not be reached or answered with an error
    + KeeperLostError           the keeper died under a request of the engine, which starts another

Anything else is a bug: it is not caught below `composer.__main__`, which prints where to report it. Only what the world does to
files where nobody had a better word for it becomes a `HostError` there (`HostError.of`).

Errors carry data and are rendered once, by `cli.render.errors`. Messages are lower-case, without a full stop,
literals in backticks: *what could not be done: why*. `hint` says what to try, in the imperative.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text the user wrote; `line` and `column` count from 1, `length` is the caret's width."""

    file: str
    line: int
    column: int
    length: int = 1
    source: str = ""
    """The source line itself, without its line end; empty when it is not at hand."""
    lines: int = 1
    """How many lines are meant, from `line` on; of several, all in `source`, no part is marked."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """Whether a diagnostic stops the command."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell about a file: what, where, and what to try."""

    severity: Severity
    message: str
    location: Location | None = None
    label: str = ""
    """What stands beside the caret."""
    hint: str = ""
    about_running: bool = False
    """Worth telling only when the project is run, not when its files are merely read."""
    attribute: tuple[str, ...] = ()
    """As an error's, where there is no `location` yet."""


class ComposerError(Exception):
    """A failure with words for the user; see the module docstring for the tree."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location
        self.attribute: tuple[str, ...] = ()
        """What of the project it is about, for whoever knows where that was written: `("services", "web", "user")`."""

    def __str__(self) -> str:
        return self.message

    def to_wire(self) -> dict[str, Any]:
        """The error as JSON-able data, read back by `error_from_wire` on the other side of a socket."""
        return {
            "kind": next(kind.__name__ for kind in type(self).__mro__ if kind.__name__ in _KINDS),
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "location": asdict(self.location) if self.location else None,
        }


class ProjectError(ComposerError):
    """The Compose file is wrong; `diagnostics` holds every problem in file order."""

    exit_code = 15  # what Docker Compose exits with for a file that does not parse or validate

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        super().__init__(first.message, hint=first.hint, location=first.location)
        self.diagnostics = tuple(diagnostics)

    def to_wire(self) -> dict[str, Any]:
        """As `ComposerError.to_wire`, with every diagnostic."""
        return {**super().to_wire(), "diagnostics": [asdict(diagnostic) for diagnostic in self.diagnostics]}


class BuildError(ProjectError):
    """A Dockerfile is wrong, or one of its instructions failed; `diagnostics` say where."""

    exit_code = 17  # what Docker Compose exits with for a build that fails


class UsageError(ComposerError):
    """The command line asks for something that cannot be."""


class ImageError(ComposerError):
    """An image, layer or archive is missing, damaged or not what it says."""


class RegistryError(ComposerError):
    """A registry said no, or nothing at all; `code` is the distribution specification's, `status` that of HTTP."""

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", status: int = 0, retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.status = status
        self.retryable = retryable
        """Whether the same request may succeed later."""
        self.wait_seconds: float | None = None
        """How long the registry asks us to wait."""


class ContainerError(ComposerError):
    """A container did not do what was asked; `step` is the init step or driver call, `errno` the kernel's word."""

    def __init__(
        self, message: str, *, hint: str = "", step: str = "", about: str = "", errno: int = 0, exit_code: int = 1
    ) -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.about = about
        """What of the container the step was about: a path in it, a limit."""
        self.errno = errno
        self.exit_code = exit_code


class HostError(ComposerError):
    """This machine cannot do what we need, or would let us harm it."""

    @classmethod
    def of(cls, error: Exception) -> HostError | None:
        """What the world has done to a file or to all of this machine, in words; None where the mistake may be ours."""
        if not isinstance(error, OSError) or error.strerror is None:
            return None
        if isinstance(error.filename, str) and error.errno in _OF_A_FILE | _OF_THE_MACHINE:
            return cls(f"cannot use `{error.filename}`: {error.strerror.lower()}")
        return cls(error.strerror.lower()) if error.errno in _OF_THE_MACHINE else None


_OF_A_FILE = {
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ESTALE,
}
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class StateError(ComposerError):
    """What we find on disk is not ours, is damaged, or is newer than us."""


class EngineError(ComposerError):
    """The engine could not be reached, or failed while working on a request."""


class KeeperLostError(EngineError):
    """The keeper died under a request: whether it was carried out is unknown. Another is being started."""

    def __init__(self, message: str, *, hint: str = "run the command again: another keeper is being started") -> None:
        super().__init__(message, hint=hint)


_KINDS: dict[str, type[ComposerError]] = {
    kind.__name__: kind
    for kind in (
        ComposerError,
        BuildError,
        UsageError,
        ImageError,
        RegistryError,
        ContainerError,
        HostError,
        StateError,
        EngineError,
        KeeperLostError,
    )
}


def error_from_wire(data: Mapping[str, Any]) -> ComposerError:
    """The error that `to_wire` wrote; an unknown kind comes back as `EngineError`."""
    if diagnostics := data.get("diagnostics"):
        kind_of_project = BuildError if data.get("kind") == BuildError.__name__ else ProjectError
        failure = kind_of_project([_diagnostic(diagnostic) for diagnostic in diagnostics])
        failure.exit_code = int(data.get("exit_code", failure.exit_code))
        return failure
    kind = _KINDS.get(str(data.get("kind")), EngineError)
    location = data.get("location")
    error = kind(str(data.get("message", "")), hint=str(data.get("hint", "")))
    error.exit_code = int(data.get("exit_code", 1))
    error.location = Location(**location) if location else None
    return error


def _diagnostic(data: Mapping[str, Any]) -> Diagnostic:
    location = data.get("location")
    place = Location(**location) if location else None
    return Diagnostic(Severity(data["severity"]), data["message"], place, data.get("label", ""), data.get("hint", ""))


def first_failure(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of what went wrong at once; the rest mostly says the same."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
