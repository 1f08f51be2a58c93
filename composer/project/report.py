"""Where the phases leave what they have to say, so that all of it is told at once and in file order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from composer.errors import Diagnostic, ProjectError, Severity
from composer.project.document import Mark

_NOWHERE = (1 << 30, 0, 0)
MAX_PROBLEMS = 300
"""After these the rest of the project is not looked at: nobody would read on."""
_LONGEST = 400


class Report:
    """Problems and warnings of one load; the phases share one."""

    def __init__(self, *, raw: bool = False) -> None:
        self.raw = raw
        """Variables stay as they are, so what holds one cannot be checked."""
        self._said: dict[tuple[Severity, str, int, int, int], tuple[tuple[int, int, int], Diagnostic]] = {}

    def error(self, message: str, mark: Mark | None, *, label: str = "", hint: str = "") -> None:
        """Note a problem; loading goes on to find the others and then ends in `raise_errors`."""
        self._add(Severity.ERROR, message, mark, label, hint)

    def warn(
        self, message: str, mark: Mark | None, *, label: str = "", hint: str = "", about_running: bool = False
    ) -> None:
        """Note something to tell that does not stop the command."""
        self._add(Severity.WARNING, message, mark, label, hint, about_running)

    def refuse(self, message: str, mark: Mark | None, *, label: str = "", hint: str = "") -> None:
        """Note what can be read, merged and printed, but not brought up here: an error for whoever tries."""
        self._add(Severity.ERROR, message, mark, label, hint, about_running=True)

    def _add(
        self, severity: Severity, message: str, mark: Mark | None, label: str, hint: str, about_running: bool = False
    ) -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST - 100]}…{message[-100:]}"  # a long value in its middle
        place = (mark.text.order, mark.line, mark.column) if mark else _NOWHERE
        location = mark.location if mark else None
        # An aliased node is visited once for each use; what is wrong with it is said once.
        self._said.setdefault(
            (severity, message, *place), (place, Diagnostic(severity, message, location, label, hint, about_running))
        )
        if len(self._said) >= MAX_PROBLEMS:
            self.raise_errors()

    def take(self, diagnostics: Iterable[Diagnostic], order: int) -> None:
        """Note what another reader found in the text of that `order`."""
        for found in diagnostics:
            place = (order, found.location.line, found.location.column) if found.location else _NOWHERE
            self._said.setdefault((found.severity, f"{found.location} {found.message}", *place), (place, found))

    def pass_on(self, diagnostics: Iterable[Diagnostic], mark: Mark, where: str = "") -> None:
        """Note what is wrong with a file that is named at `mark`, at its own place if it has one."""
        place = (mark.text.order, mark.line, mark.column)
        for found in diagnostics:
            message = f"{where}: {found.message}" if where else found.message
            told = replace(found, message=message, location=found.location or mark.location)
            self._said.setdefault((found.severity, message, *place), (place, told))

    def _of(self, severity: Severity, about_running: bool | None = None) -> tuple[Diagnostic, ...]:
        said = [
            entry
            for entry in self._said.values()
            if entry[1].severity is severity and about_running in (None, entry[1].about_running)
        ]
        return tuple(diagnostic for _, diagnostic in sorted(said, key=lambda entry: entry[0]))

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings so far, in file order."""
        return self._of(Severity.WARNING)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The problems so far, in file order."""
        return self._of(Severity.ERROR, about_running=False)

    @property
    def obstacles(self) -> tuple[Diagnostic, ...]:
        """What stands against bringing the project up, in file order."""
        return self._of(Severity.ERROR, about_running=True)

    def raise_errors(self) -> None:
        """Raise `ProjectError` with every problem noted; return if there is none."""
        if errors := self.errors:
            raise ProjectError(errors)
