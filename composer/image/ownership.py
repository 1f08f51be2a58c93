"""What this process may give to the files it makes: owners, devices, and which attributes overlay reads.

Root may do everything; root of a user namespace only what its id maps cover (`user_namespaces(7)`). The difference is
this record, which is passed to whoever makes files; nobody else asks who we are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_ALL = 2**32 - 1

Ranges = tuple[tuple[int, int], ...]
"""Ids that exist for us: (first, count)."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owners that can be given; any other id becomes ours ("squashed")."""

    uid: int = 0
    gid: int = 0
    uids: Ranges = ((0, _ALL),)
    gids: Ranges = ((0, _ALL),)
    devices: bool = True
    """Whether `mknod(2)` makes devices for us."""
    overlay_attributes: str = "trusted.overlay."
    """Where overlay keeps its marks; `user.overlay.` with its option `userxattr`."""

    @classmethod
    def of_this_process(cls, proc: Path = Path("/proc/self")) -> Ownership:
        """What the kernel allows this process."""
        uid, gid = os.geteuid(), os.getegid()
        uids, gids = _ranges(proc / "uid_map"), _ranges(proc / "gid_map")
        if uid != 0:
            return cls(uid, gid, ((uid, 1),), ((gid, 1),), devices=False, overlay_attributes="user.overlay.")
        if uids == gids == ((0, _ALL),):
            return cls()
        return cls(uid, gid, uids, gids, devices=False, overlay_attributes="user.overlay.")

    def allowed(self, uid: int, gid: int) -> tuple[int, int]:
        """The owner that a file for `uid`:`gid` gets."""
        return (
            uid if any(first <= uid < first + count for first, count in self.uids) else self.uid,
            gid if any(first <= gid < first + count for first, count in self.gids) else self.gid,
        )


def _ranges(id_map: Path) -> Ranges:
    lines = [line.split() for line in id_map.read_text().splitlines()]
    return tuple((int(inside), int(count)) for inside, _outside, count in lines)
