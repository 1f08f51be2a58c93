"""Another attempt, where the failure may pass: how often, and after how long.

Waits double and are scattered, so that many clients that failed together do not come back together. What a registry asks
for in `Retry-After` is waited for if it is short; a limit of hours is for the user to know.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from composer.clock import Clock
from composer.errors import RegistryError

T = TypeVar("T")

ATTEMPTS = 5
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 20.0


class Patience:
    """Counts failures in a row."""

    def __init__(self, clock: Clock, attempts: int = ATTEMPTS) -> None:
        self._clock = clock
        self._attempts = attempts
        self._failures = 0

    def progressed(self) -> None:
        """Something came: failures before do not count any more."""
        self._failures = 0

    async def after(self, error: RegistryError) -> None:
        """Wait until the next attempt. Raises `error` itself where another one would not help."""
        self._failures += 1
        asked = error.wait_seconds
        if not error.retryable or self._failures >= self._attempts or (asked or 0) > _LONGEST_WAIT:
            error.retryable = False  # whoever called us need not try as often again
            raise error
        wait = _FIRST_WAIT * 2.0 ** (self._failures - 1) * random.uniform(0.5, 1.5)
        await self._clock.sleep(max(wait, asked or 0.0))


async def persistently(clock: Clock, attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` returns, tried again while it fails with an error that may pass."""
    patience = Patience(clock)
    while True:
        try:
            return await attempt()
        except RegistryError as error:
            await patience.after(error)
