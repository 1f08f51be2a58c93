"""One engine of a machine at a time: what all of them share is looked at and changed in one go."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

_PAUSE, _LONGEST = 0.005, 10.0
"""Seconds between two tries, and until we go on regardless: an engine that hangs must not keep the others from their work."""


@contextlib.asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Hold the lock of the file `path`, which is there only meanwhile; the kernel frees it when we die."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LONGEST
    while (descriptor := _take(path)) < 0 and loop.time() < deadline:  # noqa: ASYNC110  another process has it
        await asyncio.sleep(_PAUSE)
    try:
        yield
    finally:
        if descriptor >= 0:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _take(path: Path) -> int:
    """A descriptor that holds the lock, -1 while somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor  # and who had it before us has not taken the file away
    os.close(descriptor)
    return -1
