"""What a step's root needs and its layer must not have: a lowest layer with the places to mount at.

Overlay shows what is in the lowest layer wherever the image has nothing, so mounting never makes a file in the layer that
the step writes. Everything here is empty and root's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from composer.image.root import resolve

_MOUNTED = (("dev",), ("proc",), ("sys",))
"""Mounted over in every container; a layer keeps these directories where the image has none, as with Docker."""


def lay(ground: Path, lower: Iterable[Path], directories: Iterable[str], files: Iterable[str]) -> None:
    """Make these places below the new directory `ground`, as far as symlinks in the layers lead elsewhere: there."""
    ground.mkdir()
    ground.chmod(0o755)
    layers = tuple(lower)
    for target, is_file in (*((path, False) for path in directories), *((path, True) for path in files)):
        path = PurePosixPath(resolve(layers, target)).relative_to("/")
        if path.parts[:1] in _MOUNTED:
            continue
        try:
            _make(ground, path, is_file=is_file)
        except (FileExistsError, NotADirectoryError):
            continue  # one place lies in another that is a file: mounting it says so


def _make(ground: Path, path: PurePosixPath, *, is_file: bool) -> None:
    directory = path.parent if is_file else path
    (ground / directory).mkdir(parents=True, exist_ok=True)
    if is_file:
        os.close(os.open(ground / path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
