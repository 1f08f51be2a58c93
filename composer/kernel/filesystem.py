"""`fsopen(2)`, `fsconfig(2)`, `fsmount(2)`: a new file system as a detached mount."""

from __future__ import annotations

import os
from collections.abc import Iterable
from ctypes import c_char_p, c_int, c_uint

from composer.kernel import libc, mount

FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6

_fsopen = libc.declare_syscall(libc.SYS_FSOPEN, c_char_p, c_uint)
_fsconfig = libc.declare_syscall(libc.SYS_FSCONFIG, c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = libc.declare_syscall(libc.SYS_FSMOUNT, c_int, c_uint, c_uint)

LONGEST_VALUE = 255
"""`fsconfig(2)` takes no longer strings."""


def new_filesystem(kind: str, options: Iterable[tuple[str, str | None]], flags: int = 0, source: str = "") -> int:
    """A detached mount of a new `kind` with mount `flags` (MS_...) and `options`; None as value means a bare flag.

    The caller closes the descriptor. Raises OSError with what the kernel logged about the options.
    """
    context = libc.checked(_fsopen(os.fsencode(kind), FSOPEN_CLOEXEC), "fsopen", kind)
    try:
        if source:
            _configure(context, FSCONFIG_SET_STRING, "source", source)
        for key, value in options:
            _configure(context, FSCONFIG_SET_FLAG if value is None else FSCONFIG_SET_STRING, key, value)
        _configure(context, FSCONFIG_CMD_CREATE, None, None)
        return libc.checked(_fsmount(context, FSMOUNT_CLOEXEC, mount.attributes(flags)), "fsmount", kind)
    except OSError as error:
        if error.errno and (log := _log(context)):
            raise OSError(error.errno, os.strerror(error.errno).lower(), log) from None
        raise
    finally:
        os.close(context)


def synchronise(descriptor: int) -> None:
    """`syncfs(2)`: everything written to the file system of `descriptor` is on its disk. Raises OSError."""
    libc.wait_for("syncfs", descriptor)


def parse_options(data: str) -> list[tuple[str, str | None]]:
    """`mode=755,size=64k` as `fsconfig` wants it."""
    pairs = (item.partition("=") for item in data.split(",") if item)
    return [(key, value if separator else None) for key, separator, value in pairs]


def _configure(context: int, command: int, key: str | None, value: str | None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (key, value)]
    if _fsconfig(context, command, *encoded, 0) == -1:
        about = "" if key is None else key if value is None else f"{key}={value}"
        raise libc.failure(f"fsconfig {about}".rstrip())


def _log(context: int) -> str:
    """The kernel's own words about a failure: messages that wait in the context, each with a severity before it."""
    messages = []
    while True:
        try:
            messages.append(os.read(context, 1024).decode(errors="replace")[2:].strip())
        except OSError:  # ENODATA: no more
            return "; ".join(messages)
