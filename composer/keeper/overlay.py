"""An overlay of any number of layers, as a detached mount where the kernel can (`Documentation/filesystems/overlayfs`).

From 6.5 on each layer is given on its own (`lowerdir+`). Before that all of them must fit into one page of options;
so they are opened first, and named by their descriptor numbers in `/proc/self/fd`: 4 bytes a layer.
"""

from __future__ import annotations

import os
import re

from composer.keeper.steps import Overlay
from composer.kernel import mount
from composer.kernel.filesystem import LONGEST_VALUE, new_filesystem, parse_options
from composer.kernel.libc import AT_FDCWD

_TAKES_LAYERS_ONE_BY_ONE = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 5)
"""Asked of the version: older kernels take any option and refuse only the mount as a whole, with EINVAL."""


def new_overlay(step: Overlay) -> int:
    """A mount descriptor, not yet anywhere, of the layers; the caller moves and closes it. Raises OSError."""
    if not step.upper and len(step.lower) == 1:
        return _read_only_bind(step.lower[0])
    if _TAKES_LAYERS_ONE_BY_ONE and all(_is_plain(path) for path in (*step.lower, step.upper, step.work)):
        return _new_by_path(step)
    return _new_by_descriptor(step)


def _is_plain(path: str) -> bool:
    """Whether overlay takes `path` as it is: short, and without characters that it treats as separators."""
    return len(os.fsencode(path)) <= LONGEST_VALUE and not any(character in path for character in "\\:,")


def _new_by_path(step: Overlay) -> int:
    options: list[tuple[str, str | None]] = [("lowerdir+", path) for path in step.lower]
    if step.upper:
        options += [("upperdir", step.upper), ("workdir", step.work)]
    options += parse_options(",".join(step.options))
    return new_filesystem("overlay", options, 0 if step.upper else mount.MS_RDONLY, source="overlay")


def _new_by_descriptor(step: Overlay) -> int:
    """Mounted at its place the old way, and taken off it again as a copy."""
    opened: list[int] = []

    def name(path: str) -> str:
        opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY))
        return str(opened[-1])

    options = ["lowerdir=" + ":".join([name(path) for path in step.lower])]
    if step.upper:
        options += [f"upperdir={name(step.upper)}", f"workdir={name(step.work)}"]
    try:
        os.chdir("/proc/self/fd")
        flags = 0 if step.upper else mount.MS_RDONLY
        mount.mount("overlay", step.rootfs, "overlay", flags, ",".join([*options, *step.options]))
        os.chdir("/")
        tree = mount.open_tree(AT_FDCWD, step.rootfs)
        mount.umount2(step.rootfs)
        return tree
    finally:
        for fd in opened:
            os.close(fd)


def _read_only_bind(directory: str) -> int:
    """Overlay wants two layers at least: a single one that nobody may write to is a bind mount."""
    tree = mount.open_tree(AT_FDCWD, directory, recursive=False)
    mount.mount_setattr(tree, attr_set=mount.MOUNT_ATTR_RDONLY, propagation=mount.MS_PRIVATE)
    return tree
