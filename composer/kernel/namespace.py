"""`setns(2)` and `unshare(2)`; Python has them from 3.12 on."""

from __future__ import annotations

from composer.kernel import clone, libc

KINDS = {
    "mnt": clone.CLONE_NEWNS,
    "pid": clone.CLONE_NEWPID,
    "uts": clone.CLONE_NEWUTS,
    "ipc": clone.CLONE_NEWIPC,
    "cgroup": clone.CLONE_NEWCGROUP,
    "net": clone.CLONE_NEWNET,
    "user": clone.CLONE_NEWUSER,
}
"""The `CLONE_NEW...` flag of each name in `/proc/<pid>/ns`."""


def setns(fd: int, flags: int) -> None:
    """Join the namespace behind `fd`, or with a pidfd all those in `flags` at once."""
    libc.call("setns", fd, flags)


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` for new ones."""
    libc.call("unshare", flags)
