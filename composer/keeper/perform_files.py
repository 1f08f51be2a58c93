"""Steps that make single files in a container's root: devices, links, directories; and the seeding of a volume."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from composer.keeper import inside
from composer.keeper.context import Context, Table
from composer.keeper.copytree import copy_tree
from composer.keeper.steps import CopyTree, Device, Directory, Symlink
from composer.kernel import mount
from composer.kernel.libc import AT_FDCWD


def _make_device(context: Context, step: Device) -> None:
    parent, name = inside.parent_of(context.root, step.target)
    kind = stat.S_IFBLK if step.kind == "b" else stat.S_IFCHR
    number = os.makedev(step.major, step.minor)
    try:
        os.mknod(name, kind | step.mode, number, dir_fd=parent)
        os.chown(name, step.uid, step.gid, dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        if os.stat(name, dir_fd=parent, follow_symlinks=False).st_rdev != number:
            raise
    except PermissionError:  # a user namespace has no nodes of its own: show the host's
        tree = mount.open_tree(AT_FDCWD, step.source or step.target, recursive=False)
        mount.move_mount(tree, inside.make_file(context.root, step.target))
        os.close(tree)
    finally:
        os.close(parent)


def _link(context: Context, step: Symlink) -> None:
    parent, name = inside.parent_of(context.root, step.target)
    with contextlib.suppress(FileExistsError):
        os.symlink(step.text, name, dir_fd=parent)
    os.close(parent)


def _make_directory(context: Context, step: Directory) -> None:
    try:
        os.close(inside.make_directory(context.root, step.target, step.mode, step.uid, step.gid))
    except NotADirectoryError as error:
        raise OSError(errno.ENOTDIR, "what the container has there is no directory") from error


def _seed(context: Context, step: CopyTree) -> None:
    """Fill a new volume, once: a second container waits for the lock, and a mark tells of a copy that was cut short."""
    try:
        source = inside.find(context.root, step.target, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    destination = os.open(step.destination, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(destination, fcntl.LOCK_EX)
        mark = Path(f"{step.destination}.seeding")
        if next(os.scandir(destination), None) and not mark.exists():
            return
        mark.touch()
        copy_tree(source, destination)
        mark.unlink()
    finally:
        os.close(destination)
        os.close(source)


FILES: Table = {Device: _make_device, Symlink: _link, Directory: _make_directory, CopyTree: _seed}
