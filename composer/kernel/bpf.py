"""Programs for the kernel's own machine, attached to control groups: `bpf(2)`, and its uapi header linux/bpf.h."""

from __future__ import annotations

import ctypes
import os
import struct

from composer.kernel import libc

CGROUP_DEVICE = 15
"""BPF_PROG_TYPE_CGROUP_DEVICE: asked before a device is opened or made by a process of the group."""

_SYS_BPF = {"x86_64": 321, "i386": 357, "i686": 357, "ppc64le": 361, "s390x": 351}
_SYS_BPF_GENERIC = 280
_PROG_LOAD, _PROG_ATTACH = 5, 8
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI = 2
_INSTRUCTION = 8
_LICENSE = b"Apache-2.0\0"

_LOAD = struct.Struct("=IIQQIIQII16s")
"""prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, prog_name."""
_ATTACH = struct.Struct("=IIII")
"""target_fd, attach_bpf_fd, attach_type, attach_flags."""


def load(kind: int, program: bytes, name: str) -> int:
    """A descriptor of the program, which the kernel has proved to be safe. Raises OSError: EPERM without privilege."""
    instructions, license_ = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(_LICENSE)
    attributes = _LOAD.pack(
        kind,
        len(program) // _INSTRUCTION,
        ctypes.addressof(instructions),
        ctypes.addressof(license_),
        0,
        0,
        0,
        0,
        0,
        name.encode()[:15],
    )
    fd = _bpf(_PROG_LOAD, attributes, "BPF_PROG_LOAD")
    os.set_inheritable(fd, False)
    return fd


def attach_device_filter(group: int, program: int) -> None:
    """Have `program` asked for every device that a process below the cgroup behind `group` opens; it stays with the group.

    Filters of the groups above stay in force: all have to agree.
    """
    _bpf(_PROG_ATTACH, _ATTACH.pack(group, program, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI), "BPF_PROG_ATTACH")


def _bpf(command: int, attributes: bytes, about: str) -> int:
    number = _SYS_BPF.get(os.uname().machine, _SYS_BPF_GENERIC)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return libc.syscall("bpf", number, command, buffer, len(attributes), about=about)
