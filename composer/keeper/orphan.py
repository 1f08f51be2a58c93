"""The data plane of a keeper that died: it lives on with the containers, and has what they need to go on.

It holds what keeper and engine hold, so that both may die at once. Without privileges that is all there is of a network, as its
namespace cannot be pinned; and it is the one process that is still in the user namespace which all of it belongs to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.keeper import wire
from composer.keeper.notes import note

_ANSWERS_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Orphan:
    """What a data plane has given us: items by name, and itself as `Auxiliary.unpack` takes it."""

    items: list[tuple[str, dict[str, Any], list[int]]]
    process: dict[str, Any]


def find(path: Path) -> int:
    """The pid of the data plane that waits at `path`, 0 for none."""
    sock = _connect(path)
    if sock is None:
        return 0
    with sock:
        return _peer(sock)


def survivor(fifos: Path) -> int:
    """The pid of a process that writes into one of the FIFOs below a directory: a container's, 0 for none.

    Where the data plane has died as well, it tells what user namespace everything belonged to.
    """
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if (process / "fd/1").readlink().is_relative_to(fifos) and int(process.name) != os.getpid():
                    return int(process.name)
    return 0


def claim(path: Path) -> Orphan | None:
    """Have everything from the data plane that waits at `path`; None if there is none, or it does not answer."""
    sock = _connect(path)
    if sock is None:
        return None
    items: list[tuple[str, dict[str, Any], list[int]]] = []
    try:
        wire.send(sock, {"do": "hand over"})
        while received := wire.receive(sock):
            message, fds = received
            if "end" in message:
                pid = _peer(sock)
                process = {
                    "wanted": False,
                    "pid": pid,
                    "command": [],
                    "pidfd": os.pidfd_open(pid),
                    "sock": sock.detach(),
                }
                return Orphan(items, process)
            items.append((str(message["name"]), dict(message["meta"]), fds))
    except (OSError, ValueError, KeyError, TypeError) as error:
        note(f"the former data plane does not hand over: {error}")
    sock.close()
    for _name, _meta, fds in items:
        for fd in fds:
            os.close(fd)
    return None


def _connect(path: Path) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(_ANSWERS_WITHIN)
    try:
        wire.connect(sock, path)
    except OSError:
        sock.close()
        return None
    return sock


def _peer(sock: socket.socket) -> int:
    """Who listens: the first word of `struct ucred` (`unix(7)`)."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
