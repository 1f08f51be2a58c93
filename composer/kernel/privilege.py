"""What a process may do: `prctl(2)`, `capabilities(7)`, `seccomp(2)`."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable
from ctypes import c_int, c_uint32, c_ulong, c_ushort, c_void_p
from functools import cache
from pathlib import Path

from composer.kernel import libc

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

SECCOMP_MODE_FILTER = 2
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", c_uint32), ("pid", c_uint32)]


class _CapabilityWord(ctypes.Structure):
    _fields_ = [("effective", c_uint32), ("permitted", c_uint32), ("inheritable", c_uint32)]


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", c_ushort), ("filter", c_void_p)]


_prctl = libc.declare("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)


def prctl(option: int, *arguments: int, about: str = "") -> int:
    """`prctl(2)` with missing arguments as zero, as most options demand."""
    result = _prctl(option, *arguments, *(0,) * (4 - len(arguments)))
    if result == -1:
        raise libc.failure(f"prctl {about}")
    return result


@cache
def last_capability() -> int:
    """The highest capability number that this kernel knows; asked once, so a child needs no `/proc`."""
    return int(Path("/proc/sys/kernel/cap_last_cap").read_text())


def drop_bounding(keep: Collection[int], last: int) -> None:
    """Remove every capability up to `last` but `keep` from the bounding set; needs CAP_SETPCAP."""
    for capability in range(last + 1):
        if capability not in keep:
            prctl(PR_CAPBSET_DROP, capability, about="PR_CAPBSET_DROP")


def capset(effective: Iterable[int], permitted: Iterable[int], inheritable: Iterable[int]) -> None:
    """Set the three capability sets of this thread."""
    words = (_CapabilityWord * 2)()
    for name, capabilities in (("effective", effective), ("permitted", permitted), ("inheritable", inheritable)):
        for capability in capabilities:
            word = words[capability // 32]
            setattr(word, name, getattr(word, name) | 1 << capability % 32)
    libc.call("capset", ctypes.byref(_CapabilityHeader(_LINUX_CAPABILITY_VERSION_3, 0)), words)


def set_ambient(capabilities: Iterable[int]) -> None:
    """Make exactly `capabilities` ambient; each must be permitted and inheritable."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, about="PR_CAP_AMBIENT_CLEAR_ALL")
    for capability in capabilities:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, about="PR_CAP_AMBIENT_RAISE")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter: an array of `struct sock_filter`, eight bytes each."""
    instructions = ctypes.create_string_buffer(program, len(program))
    structure = _Program(len(program) // 8, ctypes.addressof(instructions))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(structure), about="PR_SET_SECCOMP")
