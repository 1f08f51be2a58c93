"""`openat2(2)`: looking up a path as if a directory were the root, whatever symbolic links it meets."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint64

from composer.kernel import libc

RESOLVE_NO_XDEV = 0x01
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10


class _OpenHow(ctypes.Structure):
    """`struct open_how`."""

    _fields_ = [("flags", c_uint64), ("mode", c_uint64), ("resolve", c_uint64)]


_openat2 = libc.declare_syscall(libc.SYS_OPENAT2, c_int, c_char_p, POINTER(_OpenHow), c_size_t)


def openat2(directory_fd: int, path: str, flags: int = os.O_PATH, mode: int = 0, resolve: int = RESOLVE_IN_ROOT) -> int:
    """Open `path` below `directory_fd`; the descriptor is close-on-exec. By default an O_PATH one, kept inside."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    while True:
        try:
            return libc.checked(_openat2(directory_fd, os.fsencode(path), how, ctypes.sizeof(how)), "openat2", path)
        except BlockingIOError:
            continue  # EAGAIN: a rename elsewhere made the lookup of `..` unsafe; the kernel asks for another try
