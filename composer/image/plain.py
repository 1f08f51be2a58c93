"""An image's root file system as one plain directory, for where overlay cannot be had: a copy of what its layers show.

In a container, or with the data directory on a network file system, the kernel refuses an overlay, or corrupts what is
written to it. A copy takes the time and the space of the whole image for every container.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from composer.image.merged import ENTER, Directories, Found, enter, list_merged, open_layers
from composer.keeper.copytree import Seen, copy_entry, copy_own_attributes


def copy_merged(layers: Sequence[Path], destination: Path) -> None:
    """Copy what `layers`, topmost first, show together to the directory `destination`.

    Names of one file stay names of one file; device nodes that cannot be made are left out. What an interrupted copy has left
    is replaced, so that it can be done again. Raises OSError.
    """
    with ExitStack() as stack:
        target = os.open(destination, ENTER)
        stack.callback(os.close, target)
        with Seen() as seen:
            _copy(open_layers(layers, stack), target, seen)


def _copy(directories: Directories, destination: int, seen: Seen) -> None:
    by_layer = dict(directories)
    for name, found in list_merged(directories).items():
        if found.is_directory:
            _copy_directory(directories, name, found, destination, seen)
        else:
            copy_entry(by_layer[found.layers[0]], destination, name, found.status, seen)
    copy_own_attributes(directories[0][1], destination)


def _copy_directory(directories: Directories, name: str, found: Found, destination: int, seen: Seen) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=destination)
    with ExitStack() as stack:

        def keep(descriptor: int) -> None:
            stack.callback(os.close, descriptor)

        inner = os.open(name, ENTER, dir_fd=destination)
        keep(inner)
        _copy(enter(directories, name, found, keep), inner, seen)
