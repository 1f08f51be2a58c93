"""The C library's handle and the one door through which it is called.

`PyDLL` rather than `CDLL`: the calls are short, and `clone3(2)` must not give up the interpreter lock.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import c_char_p, c_long
from functools import partial
from typing import cast

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = c_long

_waiting = ctypes.CDLL(None, use_errno=True)
"""For calls that wait for a disk: other threads run meanwhile."""

# Numbers from 424 on are the same on every architecture (the kernel's unified table).
SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432
SYS_CLONE3 = 435
SYS_CLOSE_RANGE = 436
SYS_OPENAT2 = 437
SYS_MOUNT_SETATTR = 442

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000


def call(name: str, *arguments: object, about: str = "") -> int:
    """What the library function `name` returns. Raises OSError for -1; its `filename` holds `name` and `about`."""
    return checked(getattr(_libc, name)(*map(_native, arguments)), name, about)


def wait_for(name: str, *arguments: object, about: str = "") -> int:
    """As `call`, for functions that may take long: the interpreter lock is given up."""
    return checked(getattr(_waiting, name)(*map(_native, arguments)), name, about)


def declare(name: str, *types: type) -> Callable[..., int]:
    """The library function `name` with its argument types, for calls made many times; check what it returns."""
    function = getattr(_libc, name)
    function.argtypes = types
    return cast("Callable[..., int]", function)


def declare_syscall(number: int, *types: type) -> Callable[..., int]:
    """The system call `number` with its argument types, as `declare`."""
    function = _libc["syscall"]  # by item it is an object of its own, with types of its own
    function.restype = c_long
    function.argtypes = (c_long, *types)
    return cast("Callable[..., int]", partial(function, number))


def checked(result: int, name: str, about: str = "") -> int:
    """`result`, of a declared function. Raises OSError for -1; its `filename` holds `name` and `about`."""
    if result == -1:
        raise failure(f"{name} {about}".rstrip())
    return result


def failure(about: str) -> OSError:
    """The error of the call that just returned -1."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number).lower(), about)


def syscall(name: str, number: int, *arguments: object, about: str = "") -> int:
    """What the system call `number` returns; `name` is how an error speaks of it."""
    return checked(_libc.syscall(c_long(number), *map(_native, arguments)), name, about)


def _native(argument: object) -> object:
    # A bare int would be passed as a C int: the upper half of a flag word or pointer would be lost.
    if isinstance(argument, int):
        return c_long(argument)
    if isinstance(argument, str):
        return c_char_p(os.fsencode(argument))
    return argument
