"""What the store has put in its place without waiting for the disk, and the moment when it has to be there.

A layer that comes is renamed to its place as soon as it is whole: should we be killed, the kernel still has it. Only a
crash of the machine could lose parts of it, so everything is synchronised once before a name leads to it, and what no
name leads to is deleted at the first use after the machine was started anew. One `syncfs(2)` an image costs a fraction of
one a layer: each of those would wait for the others' data, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from composer.kernel.filesystem import synchronise

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Disk:
    """The file systems below some directories, as far as this process writes to them."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._writers = 0
        self._unsettled = False

    @contextmanager
    def unsettled(self) -> Iterator[None]:
        """What is put in its place meanwhile need not be on the disk."""
        with self._lock:
            self._writers += 1
            self._unsettled = True
        try:
            yield
        finally:
            with self._lock:
                self._writers -= 1
                self._unsettled = True

    def settle(self) -> None:
        """Have everything on the disk that was put in its place before. Raises OSError."""
        with self._settling:  # whoever comes second waits for the first, whose call may have what he needs
            with self._lock:
                if not self._unsettled:
                    return
                self._unsettled = self._writers > 0
            try:
                self._synchronise()
            except OSError:
                with self._lock:
                    self._unsettled = True
                raise

    def _synchronise(self) -> None:
        done: set[int] = set()
        for directory in self._directories:
            try:
                descriptor = os.open(directory, _OPEN)
            except FileNotFoundError:
                continue  # then nothing was put there
            try:
                device = os.fstat(descriptor).st_dev
                if device not in done:
                    done.add(device)
                    synchronise(descriptor)
            finally:
                os.close(descriptor)


def boot_id() -> str:
    """What no other run of this machine has; `random(4)`."""
    return Path("/proc/sys/kernel/random/boot_id").read_text()
