"""Becoming root in a user namespace of our own, for a keeper that is started by an ordinary user.

`user_namespaces(7)`. If one of our processes lives in such a namespace still, it is joined: what runs there can be entered from
nowhere else. With `newuidmap(1)` and a range in `/etc/subuid` all its ids are mapped, else (or where that does not work) only
the user's own to root. The process then executes itself again: only so does the kernel take its memory, and with it
`/proc/self`, to belong to the new namespace.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from composer.errors import HostError
from composer.keeper.notes import note
from composer.kernel.clone import CLONE_NEWNS, CLONE_NEWUSER
from composer.kernel.namespace import setns, unshare

_NS_GET_PARENT = 0xB702
"""`ioctl_ns(2)`: a descriptor of the namespace around one."""


def enter_namespaces(command: list[str], environment: Mapping[str, str], former: int) -> NoReturn:
    """Execute `command` as root of new user and mount namespaces. Raises HostError where those are not allowed.

    The user namespace is that of the process `former`, if there is one: we own it, and so may do everything in it.
    """
    if former and _join(former):
        os.execve(command[0], command, dict(environment))  # noqa: S606 - ourselves
    uid, gid = os.geteuid(), os.getegid()
    ranges = _ranges(uid)
    helper = _mapper(uid, gid, ranges) if ranges else None
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        if helper is None or not helper.finish():
            _map_own_id(uid, gid)
    except OSError as error:
        raise HostError(
            f"cannot make a user namespace: {(error.strerror or '').lower()}",
            hint="allow unprivileged user namespaces (sysctl `kernel.unprivileged_userns_clone=1`, "
            "`kernel.apparmor_restrict_unprivileged_userns=0`), or run as root",
        ) from error
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.execve(command[0], command, dict(environment))  # noqa: S606 - ourselves


def _join(pid: int) -> bool:
    """Join the user namespace of `pid`, with a mount namespace of our own; whether that was possible."""
    try:
        fd = _outermost(pid)
        try:
            setns(fd, CLONE_NEWUSER)
        finally:
            os.close(fd)
        unshare(CLONE_NEWNS)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    except OSError as error:
        note(f"cannot join the user namespace of [{pid}]: {(error.strerror or '').lower()}")
        return False
    return True


def _outermost(pid: int) -> int:
    """A descriptor of the user namespace that `pid` is in, or of the one around it that ours has made. Raises OSError."""
    ours = Path("/proc/self/ns/user").stat()
    found = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    while True:
        try:
            parent = fcntl.ioctl(found, _NS_GET_PARENT)
        except OSError:
            os.close(found)
            raise
        if os.path.samestat(os.fstat(parent), ours):
            os.close(parent)
            return found
        os.close(found)
        found = parent


def _map_own_id(uid: int, gid: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _ranges(uid: int) -> dict[str, tuple[int, int]]:
    """First id and count of our ranges: `{"uid": ..., "gid": ...}`; empty if we have none or cannot use them."""
    if not shutil.which("newuidmap") or not shutil.which("newgidmap"):
        return {}
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    found = {kind: _range(Path(f"/etc/sub{kind}"), {name, str(uid)}) for kind in ("uid", "gid")}
    return {kind: value for kind, value in found.items() if value} if all(found.values()) else {}


def _range(path: Path, owners: set[str]) -> tuple[int, int] | None:
    """The first range of one of `owners` in `path` (`subuid(5)`)."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in owners and first.isdigit() and count.isdigit():
            return int(first), int(count)
    return None


class _Helper:
    """A child outside of the new namespace that writes its maps, when told that it exists."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def finish(self) -> bool:
        """Let it write the maps; whether it could."""
        _output, errors = self._process.communicate(b"go")
        if self._process.returncode:
            note(f"cannot map the ids of /etc/subuid: {errors.decode(errors='replace').strip()}; there is a single one")
        return self._process.returncode == 0


def _mapper(uid: int, gid: int, ranges: dict[str, tuple[int, int]]) -> _Helper:
    """A helper that maps our own id to root and the ranges to 1 and up."""
    commands = [
        " ".join(map(str, [f"new{kind}map", os.getpid(), 0, own, 1, 1, *ranges[kind]]))
        for kind, own in (("uid", uid), ("gid", gid))
    ]
    script = f"read -r go; {' && '.join(commands)}"
    return _Helper(subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE))
