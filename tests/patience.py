"""How long tests wait for what must come."""

import asyncio
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds. What comes ends the wait at once; so this costs nothing, and a machine with much else to do may take its time."""


async def until(claim: Callable[[], object]) -> None:
    """Return once the claim is true. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not claim():  # noqa: ASYNC110 - what others do
            await asyncio.sleep(0.01)
