"""Signals as something that a loop can wait for."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

from composer.keeper.loop import Loop

_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_kept: list[tuple[socket.socket, socket.socket]] = []
"""Open for as long as the process: a signal may come at any time."""


def watch(loop: Loop, heed: Callable[[set[int]], None]) -> None:
    """Call `heed` with the numbers of the signals that came: that children ended, or that we are to. They do nothing else."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    for number in _WATCHED:
        signal.signal(number, lambda *_: None)
    loop.watch(ours.fileno(), lambda: heed(set(ours.recv(4096))))
    _kept.append((ours, theirs))
