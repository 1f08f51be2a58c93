"""Mounts as descriptors: `open_tree`, `mount_setattr`, `move_mount`, and leaving the old root.

A mount is made detached, gets its attributes while nobody can see it, and only then appears at an opened place. So a
read-only bind is never writable for an instant, and no path is looked up twice (kernel 5.12).
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_uint64

from composer.kernel import libc
from composer.kernel.libc import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MS_NOSYMFOLLOW = 0x100

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_ATIME = 0x70
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40

_ATTRIBUTES = {
    MS_RDONLY: MOUNT_ATTR_RDONLY,
    MS_NOSUID: MOUNT_ATTR_NOSUID,
    MS_NODEV: MOUNT_ATTR_NODEV,
    MS_NOEXEC: MOUNT_ATTR_NOEXEC,
    MS_NOATIME: MOUNT_ATTR_NOATIME,
    MS_NODIRATIME: MOUNT_ATTR_NODIRATIME,
    MS_STRICTATIME: MOUNT_ATTR_STRICTATIME,
    MS_NOSYMFOLLOW: MOUNT_ATTR_NOSYMFOLLOW,
}

PROPAGATION = {"private": MS_PRIVATE, "slave": MS_SLAVE, "shared": MS_SHARED, "unbindable": MS_UNBINDABLE}


class _MountAttributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = [(name, c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


_open_tree = libc.declare_syscall(libc.SYS_OPEN_TREE, c_int, c_char_p, c_uint)
_move_mount = libc.declare_syscall(libc.SYS_MOVE_MOUNT, c_int, c_char_p, c_int, c_char_p, c_uint)
_mount_setattr = libc.declare_syscall(
    libc.SYS_MOUNT_SETATTR, c_int, c_char_p, c_uint, POINTER(_MountAttributes), c_size_t
)


def attributes(flags: int) -> int:
    """The `MOUNT_ATTR_...` bits for the per-mount ones among `MS_...` flags."""
    return sum(attribute for flag, attribute in _ATTRIBUTES.items() if flags & flag)


def propagation(mode: str) -> tuple[int, bool]:
    """The `MS_...` flag and whether it is recursive, of a name such as `rslave`. Raises ValueError for others."""
    recursive = mode.startswith("r")
    try:
        return PROPAGATION[mode[1:] if recursive else mode], recursive
    except KeyError:
        raise ValueError(f"`{mode}` is no mount propagation") from None


def mount(source: str, target: str, filesystem: str, flags: int, data: str = "") -> None:
    """`mount(2)`, for the few cases that the descriptor calls do not cover."""
    libc.call("mount", source, target, filesystem, flags, data, about=f"{filesystem or source} on {target}")


def open_tree(fd: int, path: str = "", *, recursive: bool = True) -> int:
    """A detached copy of the mount at `path`, or at `fd` itself: the first half of a bind mount."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return libc.checked(_open_tree(fd, os.fsencode(path), flags), "open_tree", path)


def move_mount(mount_fd: int, target_fd: int) -> None:
    """Let the detached mount `mount_fd` appear at the opened place `target_fd`."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
    libc.checked(_move_mount(mount_fd, b"", target_fd, b"", flags), "move_mount")


def mount_setattr(fd: int, path: str = "", *, attr_set: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """Set `MOUNT_ATTR_...` bits and propagation of the mount at `path`, or at `fd` itself."""
    if not attr_set and not propagation:
        return
    clear = MOUNT_ATTR_ATIME if attr_set & MOUNT_ATTR_ATIME else 0
    structure = _MountAttributes(attr_set, clear, propagation, 0)
    flags = (AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    result = _mount_setattr(fd, os.fsencode(path), flags, structure, ctypes.sizeof(structure))
    libc.checked(result, "mount_setattr", path)


def set_propagation(path: str, mode: str) -> None:
    """Change how mounts spread from and to `path`; `mode` as `mount_namespaces(7)` names it."""
    flag, recursive = propagation(mode)
    mount_setattr(AT_FDCWD, path, propagation=flag, recursive=recursive)


def umount2(path: str, flags: int = MNT_DETACH) -> None:
    """Unmount `path`; by default lazily, for whoever still uses it."""
    libc.call("umount2", path, flags, about=path)


def pivot_root(root_fd: int) -> None:
    """Make the mount at `root_fd` our root and let the old one go (`pivot_root(2)`, "pivot_root(".", ".")")."""
    os.fchdir(root_fd)
    libc.call("pivot_root", ".", ".")
    # The old root is now stacked on the new one: detach what is on top, and stand in what is below.
    umount2(".", MNT_DETACH)
    os.chdir("/")
