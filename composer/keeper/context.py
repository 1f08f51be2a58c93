"""What a child of the keeper carries from step to step."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.keeper import wire


@dataclass(slots=True)
class Context:
    """The descriptors a child was given, its root, and the channel on which it speaks to the keeper.

    The channel carries `{"report": [names]}` with descriptors, at most one `{"error": ...}`, and `{"exec": true}` or
    `{"done": true}`; it is close-on-exec, so its end after `exec` means that the program runs.
    """

    channel: socket.socket
    fds: Mapping[str, int]
    unshare_cgroup: bool = False
    """A cgroup namespace is still to be made: after `JoinCgroup`, or its root would be the keeper's cgroup."""
    _root: int = -1

    @property
    def root(self) -> int:
        """The directory that `target` paths start from: the mounted root, later `/` itself."""
        if self._root < 0:
            self._root = os.open("/", os.O_PATH | os.O_DIRECTORY)
        return self._root

    @root.setter
    def root(self, fd: int) -> None:
        if self._root >= 0:
            os.close(self._root)
        self._root = fd

    def fd(self, name: str) -> int:
        """The descriptor that came as `name`. Raises OSError (EBADF) if none did."""
        try:
            return self.fds[name]
        except KeyError:
            raise OSError(errno.EBADF, f"no descriptor named `{name}` came with the request") from None

    def report(self, fds: Mapping[str, int]) -> None:
        """Send descriptors up by name; ours stay open."""
        wire.send(self.channel, {"report": list(fds)}, list(fds.values()))


Table = dict[type[Any], Callable[[Context, Any], None]]
"""Who carries out which step; each raises OSError."""
