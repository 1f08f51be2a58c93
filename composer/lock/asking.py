"""Many questions at once: each is told of, and those that had no answer are told with the place of the use they concern."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from composer.errors import ComposerError, Diagnostic, ProjectError, Severity
from composer.lock.uses import Use

Tell = Callable[[str, str, str], None]
"""Hears of each name as it is asked for and known: kind, name, `resolving`, `locked` or `unchanged`."""


class Asking:
    """Tells of every question and gathers those that had no answer."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._problems: dict[tuple[str, str], Diagnostic] = {}

    async def ask(
        self, kind: str, name: str, uses: Mapping[str, Sequence[Use]], find: Callable[[str], Awaitable[bool]]
    ) -> None:
        """Let `find` find out about `name`; it returns whether that is news."""
        self._tell(kind, name, "resolving")
        try:
            news = await find(name)
        except ComposerError as error:
            place = next((use.location for use in uses.get(name, ()) if use.location), None)
            self._problems[kind, name] = Diagnostic(Severity.ERROR, error.message, place, hint=error.hint)
            self._tell(kind, name, "error")
        else:
            self._tell(kind, name, "locked" if news else "unchanged")

    def check(self) -> None:
        """Raises ProjectError if there were problems."""
        if self._problems:
            error = ProjectError([self._problems[key] for key in sorted(self._problems)])
            error.exit_code = 1
            raise error
