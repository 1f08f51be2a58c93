"""What a user is told of a step that failed: the instruction, its place in the Dockerfile, and what it said last."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from composer.build.dockerfile.source import Source
from composer.build.operations import RunOperation, Vertex
from composer.errors import BuildError, ComposerError, Diagnostic, Severity
from composer.runtime import signals

_LAST_LINES = 20
_LONGEST_LINE = 500
_FULL = "No space left on device"
_FULL_HINT = (
    "the disk is full, it seems: `compose system prune` frees some of it, COMPOSER_DATA moves the data directory"
)


class RunFailed(ComposerError):  # noqa: N818 - what happened, not what is wrong
    """A step's process ended with another status than 0."""

    def __init__(self, status: int, output: Tail) -> None:
        super().__init__(f"exit status {status}")
        self.status = status
        self.lines = output.lines()


class Tail:
    """The last lines of a step's output."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._open = ""

    def feed(self, text: str) -> None:
        """More output."""
        *whole, rest = (self._open + text).split("\n")
        self._lines.extend(whole)
        self._open = rest[-_LONGEST_LINE:]

    def lines(self) -> list[str]:
        """As far as there is output."""
        lines = [*self._lines, self._open] if self._open else list(self._lines)
        return [line.rstrip("\r")[:_LONGEST_LINE] for line in lines[-_LAST_LINES:]]


def explained(error: ComposerError, vertex: Vertex, source: Source) -> BuildError:
    """A new error with the instruction and its place; one that says these already is said again."""
    if isinstance(error, BuildError):
        return BuildError(error.diagnostics)
    if vertex.span is None:
        return BuildError([Diagnostic(Severity.ERROR, error.message, hint=error.hint)])
    line = source.excerpt(vertex.span)[0] if vertex.span.first <= len(source.lines) else ""
    indent = len(line) - len(line.lstrip())
    place = source.location(vertex.span.first, indent + 1, len(line.strip()))
    instruction = line.split(maxsplit=1)[0].upper() if line.strip() else "FROM"
    message, hint = f"{instruction} {error.message}", error.hint
    if isinstance(error, RunFailed):
        message = f"`{vertex.name}` {signals.meaning(error.status)}"
        meant = source.excerpt(vertex.span)
        place = replace(place, lines=len(meant), source="\n".join(meant))
        hint = (
            "its last lines:\n" + "\n".join(f"  {line}" for line in error.lines) if error.lines else "it wrote nothing"
        )
        if any(_FULL in line for line in error.lines):
            hint += f"\n{_FULL_HINT}"
    elif isinstance(vertex.operation, RunOperation):
        message = f"`{vertex.name}` could not be run: {error.message}"
    return BuildError([Diagnostic(Severity.ERROR, message, place, hint=hint)])
