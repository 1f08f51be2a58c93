"""Ports that a test may have to itself until it uses them."""

from __future__ import annotations

import random
import socket

_RANGE = range(10_000, 32_000)
"""Below those that the kernel gives to whoever asks for any (ip_local_port_range of ip(7)): nobody is given one of them."""

_chance = random.SystemRandom()
_given: set[int] = set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of this host that nobody uses, nor will before the test does; of the same number never another one."""
    while True:
        port = _chance.choice(_RANGE)
        if port not in _given and _is_free(port, kind):
            _given.add(port)
            return port


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
