"""`clone3(2)`: a child process in new namespaces and its pidfd, in one call.

Only for single-threaded processes: like `os.fork`, the child goes on in the middle of the interpreter.
"""

from __future__ import annotations

import ctypes
import os
import signal
from ctypes import c_int, c_uint64

from composer.kernel import libc

CLONE_PIDFD = 0x00001000
CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_CLEAR_SIGHAND = 0x100000000


class _CloneArguments(ctypes.Structure):
    """`struct clone_args`, version 0."""

    _fields_ = [
        (name, c_uint64)
        for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls")
    ]


# Looked up here: in the child, whose memory is still shared with ours, a lookup touches many pages of the dynamic linker.
_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_child = ctypes.pythonapi.PyOS_AfterFork_Child


def clone3(flags: int) -> tuple[int, int]:
    """(pid, pidfd) in the parent, (0, -1) in the child.

    The pidfd is close-on-exec. With CLONE_PARENT the child is our parent's and sends no signal when it ends; reap it
    with `waitid(P_PIDFD)` and `__WALL`.
    """
    pidfd = c_int(-1)
    arguments = _CloneArguments(
        flags=flags | CLONE_PIDFD,
        pidfd=ctypes.addressof(pidfd),
        exit_signal=0 if flags & CLONE_PARENT else signal.SIGCHLD,
    )
    pointer, size = ctypes.byref(arguments), ctypes.sizeof(arguments)
    _before_fork()
    try:
        pid = libc.syscall("clone3", libc.SYS_CLONE3, pointer, size)
    except OSError:
        _after_fork_parent()
        raise
    if pid == 0:
        _after_fork_child()
        return 0, -1
    _after_fork_parent()
    os.set_inheritable(pidfd.value, False)
    return pid, pidfd.value
