"""A container's terminal: a pty of its own devpts, our controlling terminal and stdio (`pty(7)`, `tty_ioctl(4)`)."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import termios

from composer.keeper import inside
from composer.keeper.context import Context
from composer.keeper.steps import Terminal
from composer.kernel import mount

# `termios` lacks these three; `_IOW('T', 0x31, int)` and so on.
TIOCSPTLCK = 0x40045431
TIOCGPTN = 0x80045430
TIOCGPTPEER = 0x5441
_PTMX = os.makedev(5, 2)


def open_terminal(context: Context, step: Terminal) -> None:
    """Make the pty and report its master as `pty`. Raises OSError."""
    master = inside.find(context.root, "/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    status = os.fstat(master)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _PTMX:
        raise OSError(errno.ENODEV, "not a terminal multiplexer", "/dev/ptmx")
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    # The peer is asked of the master: a path below /dev/pts might be something an image or a volume put there.
    slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", step.rows, step.columns, 0, 0))
    os.fchown(slave, step.uid, -1)
    if step.console:
        _show_as_console(context, master, slave)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for standard in (0, 1, 2):
        os.dup2(slave, standard, inheritable=True)
    context.report({"pty": master})
    os.close(slave)
    os.close(master)


def _show_as_console(context: Context, master: int, slave: int) -> None:
    (number,) = struct.unpack("I", fcntl.ioctl(master, TIOCGPTN, bytes(4)))
    name = inside.find(context.root, f"/dev/pts/{number}", os.O_PATH | os.O_NOFOLLOW)
    if os.fstat(name).st_rdev != os.fstat(slave).st_rdev:
        raise OSError(errno.ENODEV, "not our terminal", f"/dev/pts/{number}")
    tree = mount.open_tree(name, recursive=False)
    target = inside.make_file(context.root, "/dev/console")
    mount.move_mount(tree, target)
    for fd in (name, tree, target):
        os.close(fd)
