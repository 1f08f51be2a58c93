"""From a system call filter to the BPF program that `seccomp(2)` installs, through libseccomp.

libseccomp sorts the calls into a binary tree (a fifth of the run time of a chain). Before its program stands a short one of
ours: a call newer than every call the filter names is answered with ENOSYS, not EPERM, as runc does it; a C library takes
EPERM for the kernel's last word and ENOSYS for "try the older call".

Compiling takes tens of milliseconds, so programs are kept on disk under the digest of everything that they depend on.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

from composer.errors import HostError
from composer.oci.runtime_spec import LinuxSeccomp, to_json
from composer.runtime.default_profile import DEFAULT_RULES
from composer.runtime.lenient import lenient_rules
from composer.runtime.profile import ENOSYS, EPERM, resolved

_FORMAT = 2
"""Raised when this module compiles the same filter to another program."""

_BINARY_TREE = 2
_RET_ERRNO, _DATA = 0x00050000, 0xFFFF

# struct sock_filter and the classic BPF instructions used here (linux/bpf_common.h)
_INSTRUCTION = struct.Struct("HBBI")
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _RETURN = 0x20, 0x15, 0x25, 0x06
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET = 0, 4  # struct seccomp_data


def default_filter(capabilities: Collection[str], machine: str = "", *, lenient: bool = False) -> LinuxSeccomp:
    """The default profile for a container with these capabilities in its bounding set.

    With `lenient`, giving files or oneself to others does nothing, successfully: for a root who is the only user there is.
    """
    rules = lenient_rules(DEFAULT_RULES) if lenient else DEFAULT_RULES
    return resolved(rules, capabilities, machine or platform.machine())


def program(wanted: LinuxSeccomp, cache: Path | None = None) -> bytes:
    """The program for `wanted`: an array of `struct sock_filter`. From the directory `cache` if it has been made before.

    Raises:
        HostError: libseccomp is missing, or too old for this filter.
    """
    file = cache / f"{_digest(wanted)}.bpf" if cache else None
    if file and (found := _read(file)):
        return found
    compiled = compile_filter(wanted)
    if file:
        _write(file, compiled)
    return compiled


def compile_filter(wanted: LinuxSeccomp) -> bytes:
    """The program for `wanted`, made anew. Raises as `program` does."""
    seccomp = _library()
    try:
        compiler = seccomp.SyscallFilter(_action(seccomp, wanted.default_action, wanted.default_errno_ret))
        if hasattr(seccomp.Attr, "CTL_OPTIMIZE"):
            compiler.set_attr(seccomp.Attr.CTL_OPTIMIZE, _BINARY_TREE)
        architectures = [getattr(seccomp.Arch, name.removeprefix("SCMP_ARCH_")) for name in wanted.architectures]
        for architecture in architectures:
            # The native one is there already: EEXIST, which the binding's own test for it gets wrong.
            if architecture != seccomp.system_arch():
                compiler.add_arch(architecture)
        newest = dict.fromkeys(architectures, 0)
        for rule in wanted.syscalls:
            action = _action(seccomp, rule.action, rule.errno_ret)
            # libseccomp writes MASKED_EQ as (mask, value), the specification as value and valueTwo.
            args = [seccomp.Arg(a.index, _COMPARISONS[a.op], a.value, a.value_two) for a in rule.args]
            for name in rule.names:
                if (number := _resolve(seccomp, name)) is None:
                    continue  # newer than the library: ENOSYS by our prologue, or EPERM
                compiler.add_rule(action, number, *args)
                for architecture in architectures:
                    newest[architecture] = max(newest[architecture], seccomp.resolve_syscall(architecture, name))
        # A filter that lets pass what it does not name lets newer calls pass too.
        lets_pass = wanted.default_action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
        return (b"" if lets_pass else _prologue(newest)) + _export(compiler)
    except (OSError, AttributeError) as error:
        raise HostError(f"cannot compile the system call filter: {error}", hint="libseccomp 2.5 is needed") from error


_COMPARISONS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}


def _library() -> Any:
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:  # the package is there, the C library it loads is not
        raise HostError(
            "cannot filter system calls: libseccomp is missing",
            hint="install it: `apt install libseccomp2`, `dnf install libseccomp` or `apk add libseccomp`",
        ) from error
    return pyseccomp


def _action(seccomp: Any, name: str, errno: int | None) -> int:
    if name == "SCMP_ACT_ERRNO":
        return int(seccomp.ERRNO(EPERM if errno is None else errno))
    return int(getattr(seccomp, name.removeprefix("SCMP_ACT_")))


def _resolve(seccomp: Any, name: str) -> int | None:
    """The call's number here; a negative one of the library's own where only a compatible architecture has it."""
    try:
        number = int(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))
    except (OSError, ValueError):
        return None
    return None if number == -1 else number


def _export(compiler: Any) -> bytes:
    fd = os.memfd_create("composer-seccomp", os.MFD_CLOEXEC)
    with os.fdopen(fd, "r+b") as file:
        compiler.export_bpf(file)
        file.seek(0)
        return file.read()


def _prologue(newest: dict[int, int]) -> bytes:
    """ENOSYS for numbers above the newest that the filter knows on each architecture; else fall through.

    x32 says it is x86_64 and sets a high bit in the number, so it gets ENOSYS too: what a kernel without x32 says.
    """
    out = _INSTRUCTION.pack(_LOAD, 0, 0, _ARCHITECTURE_OFFSET)
    for architecture, largest in newest.items():
        body = [
            (_LOAD, 0, 0, _NUMBER_OFFSET),
            (_JUMP_GREATER, 0, 1, largest),
            (_RETURN, 0, 0, _RET_ERRNO | (ENOSYS & _DATA)),
            # The architecture back in the accumulator, for the next comparison.
            (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        ]
        out += _INSTRUCTION.pack(_JUMP_EQUAL, 0, len(body), architecture)
        out += b"".join(_INSTRUCTION.pack(*instruction) for instruction in body)
    return out


def _digest(wanted: LinuxSeccomp) -> str:
    depends = [_FORMAT, platform.machine(), _library_version(), to_json(wanted)]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def _library_version() -> str:
    """The file name of the C library (`libseccomp.so.2.5.4`), without loading it: that alone takes milliseconds."""
    for directory in (Path("/usr/lib"), Path("/usr/lib64"), Path("/lib")):
        for found in (*directory.glob("libseccomp.so.2"), *directory.glob("*/libseccomp.so.2")):
            return found.resolve().name
    return "unknown"


def _read(file: Path) -> bytes:
    """The program kept in `file`, or nothing if there is none or it is damaged: a filter is never half a filter."""
    try:
        data = file.read_bytes()
    except OSError:
        return b""
    digest, found = data[:32], data[32:]
    return found if found and hashlib.sha256(found).digest() == digest else b""


def _write(file: Path, compiled: bytes) -> None:
    """Keep the program. Several threads may do so at once; a full disk costs the time to compile again, no more."""
    temporary = file.with_suffix(f".{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(hashlib.sha256(compiled).digest() + compiled)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
