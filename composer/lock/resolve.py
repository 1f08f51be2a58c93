"""Finding out what names mean now: registries, servers and git repositories are asked in parallel.

Every failure is told, with the place of the use that it concerns; what could be found out is lost then, since a lock is
whole or not written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from composer.clock import Clock
from composer.errors import ComposerError, Diagnostic, ProjectError, Severity
from composer.lock.model import Lock, LockedImage, measured_platform
from composer.lock.update import Found, Wanted
from composer.lock.uses import Use, Uses
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.survey import Surveyor

Tell = Callable[[str, str, str], None]
"""Hears of each name as it is asked for and known: kind, name, `resolving`, `locked` or `unchanged`."""


async def resolve(wanted: Wanted, lock: Lock, uses: Uses, access: Access, clock: Clock, tell: Tell) -> Found:
    """What the wanted names mean now; `lock` is what is known so far.

    Raises:
        ProjectError: some could not be found out; a diagnostic for each.
    """
    asking = _Asking(tell)
    images: dict[str, LockedImage] = {}

    async def image(name: str) -> bool:
        before = lock.images.get(name)
        images[name] = await _image(surveyor, name, before)
        return before is None or images[name].digest != before.digest

    async with Surveyor.open(access, clock, "lock") as surveyor:
        await asyncio.gather(*(asking.ask("image", name, uses.images, image) for name in wanted.images))
    asking.check()
    return Found(images)


class _Asking:
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


async def _image(surveyor: Surveyor, name: str, before: LockedImage | None) -> LockedImage:
    reference = parse(name)
    if before is not None and await surveyor.digest(reference) == before.digest:
        return before
    survey = await surveyor.survey(reference, measured_platform)
    return LockedImage(survey.digest, survey.platforms, _time(survey.created), survey.size, survey.source)


def _time(text: str) -> datetime | None:
    """When an image says that it was made; images that are the same whenever they are built say nothing of use."""
    try:
        time = datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return time if time.year > 1970 else None
