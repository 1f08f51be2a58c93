"""Steps that build a container's root: mounts, and what hides parts of them (`mount(2)`, `mount_namespaces(7)`).

A mount is prepared detached, then moved onto a descriptor that was resolved inside the root; see `kernel.mount`.
"""

from __future__ import annotations

import errno
import os
import stat

from composer.keeper import inside, overlay
from composer.keeper.context import Context, Table
from composer.keeper.copytree import copy_tree
from composer.keeper.steps import (
    Bind,
    Files,
    Mask,
    Mount,
    Overlay,
    PivotRoot,
    Propagation,
    ReadOnly,
    Root,
    Stack,
)
from composer.kernel import mount
from composer.kernel.filesystem import new_filesystem, parse_options
from composer.kernel.libc import AT_FDCWD

_DEV_NULL = os.makedev(1, 3)


def _spread(_context: Context, step: Propagation) -> None:
    mount.set_propagation("/", step.mode)


def _overlay(context: Context, step: Overlay) -> None:
    context.root = _appear(overlay.new_overlay(step), os.open(step.rootfs, os.O_PATH | os.O_DIRECTORY))


def _root(context: Context, step: Root) -> None:
    tree = mount.open_tree(AT_FDCWD, step.source)
    mount.mount_setattr(tree, propagation=mount.MS_PRIVATE, recursive=True)
    context.root = _appear(tree, os.open(step.rootfs, os.O_PATH | os.O_DIRECTORY))


def _mount(context: Context, step: Mount) -> None:
    try:
        target = inside.make_directory(context.root, step.target)
    except NotADirectoryError as error:
        raise OSError(errno.ENOTDIR, "what the container has there is no directory") from error
    tree = new_filesystem(step.filesystem, parse_options(step.data), step.flags & ~mount.MS_RDONLY, step.filesystem)
    if step.copy:
        copy_tree(inside.find(target, ".", os.O_RDONLY | os.O_DIRECTORY), os.open(".", os.O_RDONLY, dir_fd=tree))
    if step.flags & mount.MS_RDONLY:
        mount.mount_setattr(tree, attr_set=mount.MOUNT_ATTR_RDONLY)
    os.close(_appear(tree, target))


def _bind(context: Context, step: Bind) -> None:
    tree = mount.open_tree(AT_FDCWD, step.source, recursive=step.recursive)
    spread, deep = mount.propagation(step.propagation or "rprivate")
    attributes = mount.attributes(step.flags | (mount.MS_RDONLY if step.read_only else 0))
    if deep == step.recursive:
        mount.mount_setattr(tree, attr_set=attributes, propagation=spread, recursive=deep)
    else:
        mount.mount_setattr(tree, attr_set=attributes, recursive=step.recursive)
        mount.mount_setattr(tree, propagation=spread, recursive=deep)
    os.close(_appear(tree, _place(context.root, step.target, tree)))


def _stack(context: Context, step: Stack) -> None:
    """Mount the layers out of the way, show the part of them that is wanted, and take them out of sight again."""
    layers = overlay.new_overlay(Overlay(step.place, step.lower, step.upper, step.work, step.options))
    place = _appear(layers, os.open(step.place, os.O_PATH | os.O_DIRECTORY))
    wanted = inside.find(place, step.path)
    tree = mount.open_tree(wanted, recursive=False)
    mount.mount_setattr(tree, propagation=mount.MS_PRIVATE, attr_set=0 if step.upper else mount.MOUNT_ATTR_RDONLY)
    os.close(wanted)
    os.close(_appear(tree, _place(context.root, step.target, tree)))
    os.close(place)
    mount.umount2(step.place)


def _give(context: Context, step: Files) -> None:
    """Make the files on one tmpfs, show each at its target, and take the tmpfs itself out of sight."""
    flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
    tree = new_filesystem("tmpfs", [("mode", "700")], flags, "tmpfs")
    place = _appear(tree, os.open(step.place, os.O_PATH | os.O_DIRECTORY))
    for number, (target, content, mode, uid, gid) in enumerate(step.files):
        fd = os.open(str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place)
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
        os.close(fd)
        file = mount.open_tree(place, str(number), recursive=False)
        mount.mount_setattr(file, attr_set=mount.MOUNT_ATTR_RDONLY | mount.attributes(flags))
        try:
            os.close(_appear(file, _place(context.root, target, file)))
        except OSError as error:
            raise OSError(error.errno, error.strerror, target) from error
    os.close(place)
    mount.umount2(step.place)


def _pivot(context: Context, _step: PivotRoot) -> None:
    mount.pivot_root(context.root)
    context.root = os.open("/", os.O_PATH | os.O_DIRECTORY)


def _mask(context: Context, step: Mask) -> None:
    """Cover files with `/dev/null` and directories with copies of one empty read-only tmpfs."""
    empty = -1
    for path in step.paths:
        if (target := _find(context, path)) < 0:
            continue
        if not stat.S_ISDIR(os.fstat(target).st_mode):
            tree = mount.open_tree(_null(context), recursive=False)
        elif empty < 0:
            tree = new_filesystem("tmpfs", [("nr_inodes", "1"), ("nr_blocks", "1")], _HIDING, "tmpfs")
        else:
            tree = mount.open_tree(empty, recursive=False)
        mounted = _appear(tree, target)
        if empty < 0 and stat.S_ISDIR(os.fstat(mounted).st_mode):
            empty = mounted
        else:
            os.close(mounted)


_HIDING = mount.MS_RDONLY | mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC


def _null(context: Context) -> int:
    """The container's `/dev/null`, which must be the device: whatever else an image put there would hide nothing."""
    fd = inside.find(context.root, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _DEV_NULL:
        raise OSError(errno.ENODEV, "not the null device", "/dev/null")
    return fd


def _make_read_only(context: Context, step: ReadOnly) -> None:
    for path in step.paths:
        if path == "/":
            mount.mount_setattr(context.root, attr_set=mount.MOUNT_ATTR_RDONLY)
        elif (target := _find(context, path)) >= 0:
            tree = mount.open_tree(target)
            mount.mount_setattr(tree, attr_set=mount.MOUNT_ATTR_RDONLY, recursive=True)
            os.close(_appear(tree, target))


def _find(context: Context, path: str) -> int:
    """What is at `path`, -1 if nothing."""
    try:
        return inside.find(context.root, path)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _place(root: int, target: str, tree: int) -> int:
    """Where `tree` is to appear, made like it if missing. Raises OSError, in words, where a directory and a file would meet."""
    is_directory = stat.S_ISDIR(os.fstat(tree).st_mode)
    try:
        place = inside.make_like(root, target, tree)
    except NotADirectoryError as error:
        meet = is_directory and _is_file(root, target)
        why = (
            "it is a directory, and what the container has there is a file" if meet else "a part of that path is a file"
        )
        raise OSError(errno.ENOTDIR, why) from error
    if not is_directory and stat.S_ISDIR(os.fstat(place).st_mode):
        os.close(place)
        raise OSError(errno.EISDIR, "it is a file, and what the container has there is a directory")
    return place


def _is_file(root: int, path: str) -> bool:
    try:
        found = inside.find(root, path)
    except OSError:
        return False
    mode = os.fstat(found).st_mode
    os.close(found)
    return not stat.S_ISDIR(mode)


def _appear(tree: int, target: int) -> int:
    """Move the detached `tree` onto `target`, whose descriptor is closed; `tree` then refers to what is mounted."""
    mount.move_mount(tree, target)
    os.close(target)
    return tree


MOUNTS: Table = {
    Propagation: _spread,
    Overlay: _overlay,
    Root: _root,
    Mount: _mount,
    Bind: _bind,
    Stack: _stack,
    Files: _give,
    PivotRoot: _pivot,
    Mask: _mask,
    ReadOnly: _make_read_only,
}
