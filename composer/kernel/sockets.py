"""`getsockopt(2)` with an argument, as the tables of `iptables-legacy` want it; Python's takes none."""

from __future__ import annotations

import ctypes

from composer.kernel import libc


def ask(fd: int, level: int, option: int, question: bytes) -> bytes:
    """What the option answers in place of `question`, at most as long as that. Raises OSError."""
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    libc.call("getsockopt", fd, level, option, buffer, ctypes.byref(length))
    return buffer.raw[: length.value]
