"""What a keeper takes along when it executes itself again, in newer code: data as JSON, and descriptors by number.

`execve(2)` keeps the process: its pid, its children, its locks, and every descriptor that is not close-on-exec. All else it
knew travels in a memfd. A keeper reads what every older one wrote: keys are only ever added.
"""

from __future__ import annotations

import json
import os
from typing import Any

FORMAT = 1


class Luggage:
    """The descriptors that are to survive, while the data about them is put together."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    def add(self, fd: int) -> int:
        """`fd`, which survives from now on; a negative one is none."""
        if fd >= 0:
            self.fds.append(fd)
        return fd

    def seal(self, state: dict[str, Any]) -> int:
        """A memfd with `state` and the numbers of the descriptors, and all of them survive `execve`. Raises OSError."""
        memfd = os.memfd_create("composer-keeper")
        self.fds.append(memfd)
        view = memoryview(json.dumps({"format": FORMAT, "fds": self.fds, **state}).encode())
        while view:
            view = view[os.write(memfd, view) :]
        for fd in self.fds:
            os.set_inheritable(fd, True)
        return memfd

    def unseal(self) -> None:
        """It did not come to that: nothing survives, and the memfd is closed."""
        for fd in self.fds:
            os.set_inheritable(fd, False)
        os.close(self.fds.pop())


def open_luggage(memfd: int) -> dict[str, Any]:
    """What our predecessor left in `memfd`. Raises ValueError, KeyError for what is none."""
    state = json.loads(os.pread(memfd, os.fstat(memfd).st_size, 0))
    if state["format"] > FORMAT:
        raise ValueError(f"written by a newer keeper: format {state['format']}")
    return dict(state)


def claim(state: dict[str, Any]) -> None:
    """Have what came with `state` end with this program again, and close the memfd that it came in."""
    *fds, memfd = state["fds"]
    for fd in fds:
        os.set_inheritable(fd, False)
    os.close(memfd)
