"""Mount options as `fstab(5)` and the OCI runtime specification spell them, sorted by who wants them.

<https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md#linux-mount-options>
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_DIRSYNC = 128
MS_NOATIME = 1 << 10
MS_NODIRATIME = 1 << 11
MS_BIND = 1 << 12
MS_REC = 1 << 14
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24

FLAGS = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "sync": MS_SYNCHRONOUS,
    "remount": MS_REMOUNT,
    "dirsync": MS_DIRSYNC,
    "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME,
    "bind": MS_BIND,
    "rec": MS_REC,
    "relatime": MS_RELATIME,
    "strictatime": MS_STRICTATIME,
}
"""Flags of `mount(2)` by the option that sets them."""

_CLEAR = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "async": MS_SYNCHRONOUS,
    "atime": MS_NOATIME,
    "diratime": MS_NODIRATIME,
    "norelatime": MS_RELATIME,
    "nostrictatime": MS_STRICTATIME,
    "defaults": 0,
}
_PROPAGATION = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"})


@dataclass(frozen=True, slots=True)
class MountOptions:
    """Options taken apart; `data` is what the file system itself reads."""

    flags: int = 0
    data: tuple[str, ...] = ()
    propagation: str = ""
    bind: bool = False
    recursive: bool = False
    copy: bool = False
    """`tmpcopyup`: a tmpfs begins with what the image has there."""

    @property
    def read_only(self) -> bool:
        return bool(self.flags & MS_RDONLY)


def parse(options: Iterable[str]) -> MountOptions:
    """The options taken apart; a later one overrules an earlier one, an unknown one is the file system's."""
    flags, data, propagation = 0, [], ""
    seen = set()
    for option in options:
        seen.add(option)
        if option in _PROPAGATION:
            propagation = option
        elif option in _CLEAR:
            flags &= ~_CLEAR[option]
        elif option in FLAGS and option not in ("bind", "rec"):
            flags |= FLAGS[option]
        elif option not in ("bind", "rbind", "tmpcopyup", "notmpcopyup"):
            data.append(option)
    return MountOptions(
        flags=flags,
        data=tuple(data),
        propagation=propagation,
        bind=not seen.isdisjoint({"bind", "rbind"}),
        recursive="rbind" in seen,
        copy="tmpcopyup" in seen,
    )


def flag_names(flags: int) -> str:
    """The flags by name, for people."""
    return ",".join(name for name, bit in FLAGS.items() if flags & bit)
