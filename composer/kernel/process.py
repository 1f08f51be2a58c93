"""Processes by pidfd: who they are, how they ended; `pidfd_open(2)`, `ioctl_pidfd(2)`, `waitid(2)`, `proc(5)`."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterable, Sequence
from ctypes import c_int, c_void_p
from pathlib import Path

from composer.kernel import libc, privilege

__WALL = 0x40000000
PIDFD_INFO_EXIT = 1 << 3
CLOSE_RANGE_CLOEXEC = 4

_SIG_DFL, _SIG_ERR = 0, -1
_signal = libc.declare("signal", c_int, c_void_p)

_SIGTIMEDWAIT = {"128", "137", "177", "421"}
"""`rt_sigtimedwait(2)` of x86-64, of the newer architectures, and both of 32-bit programs."""

_PIDFD_INFO = struct.Struct("=QQ11Ii")  # mask, cgroupid, eleven ids, exit_code: 64 bytes, PIDFD_INFO_SIZE_VER0
PIDFD_GET_INFO = 3 << 30 | _PIDFD_INFO.size << 16 | 0xFF << 8 | 11


def start_time(pid: int) -> int:
    """When `pid` started, in clock ticks since boot: with the pid it names a process for good. Raises OSError."""
    fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Not by pathlib: the keeper asks just after a clone, when each page that it writes to is copied.
        stat = os.read(fd, 4096)
    finally:
        os.close(fd)
    return int(stat[stat.rindex(b")") + 2 :].split()[19])  # field 22; the name in field 2 may hold anything


def hears(pid: int, number: int) -> bool:
    """Whether a process has said anything about a signal: the first of a pid namespace is not even sent others.

    (`pid_namespaces(7)`; handled, ignored and blocked in `proc_pid_status(5)`.) True for a process that is gone.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    masks = (line.split()[1] for line in status.splitlines() if line.startswith(("SigBlk:", "SigIgn:", "SigCgt:")))
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks) or _awaits_signals(pid)


def _awaits_signals(pid: int) -> bool:
    """Whether a process stands in `sigwait(3)` or its kin, as small inits do: then no mask shows what it waits for.

    True also where that cannot be told (`proc_pid_syscall(5)`).
    """
    try:
        number = Path(f"/proc/{pid}/syscall").read_text().partition(" ")[0]
    except OSError:
        return True
    return number in _SIGTIMEDWAIT


def pid_of(pidfd: int) -> int:
    """The pid behind a pidfd, -1 once it was reaped. Raises OSError for a descriptor that is no pidfd."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise OSError(errno.EBADF, f"descriptor {pidfd} is no pidfd")


def restore_signal(number: int) -> None:
    """Let a signal do what it does by default (`signal(2)`), without the interpreter's own books of handlers."""
    if _signal(number, _SIG_DFL) == _SIG_ERR:
        raise libc.failure("signal")


def reap(pidfd: int) -> int | None:
    """The exit status of our child behind `pidfd` as `exit_status` tells it, None while it runs.

    Raises ChildProcessError for a process that is not (or no longer) ours to reap.
    """
    result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | __WALL)
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


def ended_child() -> int | None:
    """The pid of some child that ended and still waits to be reaped; None when there is none."""
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | __WALL)
    except ChildProcessError:
        return None
    return result.si_pid if result else None


def exit_of_stranger(pidfd: int) -> int | None:
    """The exit status of a process that somebody else reaped; None if not reaped yet or not told (before 6.15)."""
    buffer = bytearray(_PIDFD_INFO.pack(PIDFD_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(pidfd, PIDFD_GET_INFO, buffer)
    except OSError:  # ENOTTY, EINVAL: an older kernel; ESRCH: gone, and the kernel keeps no record
        return None
    mask, *_ids, exit_code = _PIDFD_INFO.unpack(buffer)
    return exit_status(exit_code) if mask & PIDFD_INFO_EXIT else None


def exit_status(wait_status: int) -> int:
    """A `wait(2)` status as shells count: the exit code, or 128 and the signal's number."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def close_on_exec_from(first: int) -> None:
    """Mark every descriptor from `first` on close-on-exec (`close_range(2)`)."""
    libc.syscall("close_range", libc.SYS_CLOSE_RANGE, first, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor that is not in `kept` (`close_range(2)`)."""
    first = 0
    for fd in sorted(kept):
        if first < fd:  # (0, 0) would close all there are
            os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 0x7FFFFFFF)


def rename(name: str, words: Sequence[str]) -> None:
    """Be called `name` and `words` by `ps`, as far as the command line that we were started with has room.

    The kernel shows what lies where that command line was put (`proc_pid_cmdline(5)`). Raises OSError.
    """
    privilege.prctl(privilege.PR_SET_NAME, ctypes.addressof(ctypes.create_string_buffer(os.fsencode(name)[:15])))
    stat = Path("/proc/self/stat").read_bytes()
    start, end = map(int, stat[stat.rindex(b")") + 2 :].split()[45:47])  # fields 48 and 49
    text = b"\0".join(map(os.fsencode, words))[: max(0, end - start - 1)]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, text, len(text))
