"""Which file systems tell nothing of changes: those that others can change elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "lustre", "glusterfs", "vboxsf", "prl_fs"}
    | {"vmhgfs", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "fuse.vmhgfs-fuse"}
)
"""By type, as mounts name them."""


def mounts() -> str:
    """What `/proc/self/mountinfo` says, "" if it cannot be read."""
    with contextlib.suppress(OSError):
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    return ""


def filesystem_of(path: str, mounted: str) -> str:
    """The type of the file system that `path` is on, of those `mounted` (`proc_pid_mountinfo(5)`); "" if that cannot be told."""
    best, kind = "", ""
    with contextlib.suppress(ValueError):
        for line in mounted.splitlines():
            fields = line.split()
            place = fields[4].encode().decode("unicode_escape")
            if len(place) >= len(best) and (path == place or path.startswith(place.rstrip("/") + "/")):
                best, kind = place, fields[fields.index("-") + 1]
    return kind
