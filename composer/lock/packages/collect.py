"""Finds the records of all ecosystems in a chain of layers, by one walk over everything in it.

What is looked for is told by its path alone. Directories of nothing but documents are left out, as are those in which a
container's kernel shows itself.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from composer.errors import ImageError
from composer.image.merged import READ, Directories, enter, list_merged, look_up, open_layers
from composer.lock.model import Packages
from composer.lock.packages import alpine, debian, npm, pip
from composer.lock.packages.records import Package

MOST_ENTRIES = 2_000_000
MOST_PACKAGES = 100_000
_MOST_OPEN = 400
"""Descriptors of directories at a time; a chain of directories in as many layers needs that many."""
_LARGEST = 64 << 20
_LARGEST_SMALL = 1 << 20
_LEFT_OUT = re.compile(r"proc|sys|dev|usr/share/(?:doc|man|locale|zoneinfo|info|icons|fonts)|usr/include|usr/src")


@dataclass(frozen=True, slots=True)
class _Record:
    """A kind of record."""

    ecosystem: str
    path: re.Pattern[str]
    packages: Callable[[str], Iterator[Package]]
    largest: int = _LARGEST_SMALL


_RECORDS = (
    _Record("debian", re.compile(r"var/lib/dpkg/status"), debian.packages, _LARGEST),
    _Record("debian", re.compile(r"var/lib/dpkg/status\.d/(?!.*\.md5sums)[^/]+"), debian.packages),
    _Record("alpine", re.compile(r"(?:usr/)?lib/apk/db/installed"), alpine.packages, _LARGEST),
    _Record("pip", re.compile(r".+\.dist-info/METADATA|.+\.egg-info(?:/PKG-INFO)?"), pip.packages),
    _Record("npm", re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^@/][^/]*/package\.json"), npm.packages),
)


def packages_in(layers: Sequence[Path]) -> Packages:
    """What is installed in the root file system of `layers`, topmost first. Blocks.

    Raises:
        ImageError: it is too large to be looked through, or cannot be read.
    """
    found: dict[str, dict[str, set[str]]] = {}
    count = 0
    try:
        for record, text in _records(layers):
            for name, version in record.packages(text):
                count += 1
                if count > MOST_PACKAGES:
                    raise ImageError(f"cannot list packages: there are more than {MOST_PACKAGES}")
                found.setdefault(record.ecosystem, {}).setdefault(name, set()).add(version)
    except OSError as error:
        raise ImageError(f"cannot list packages: {(error.strerror or 'error').lower()}") from error
    return {
        ecosystem: {name: tuple(sorted(versions)) for name, versions in sorted(names.items())}
        for ecosystem, names in sorted(found.items())
    }


def _records(layers: Sequence[Path]) -> Iterator[tuple[_Record, str]]:
    with ExitStack() as stack:
        for path, directories, name in _Walk().files("", open_layers(layers, stack)):
            for record in _RECORDS:
                if record.path.fullmatch(path):
                    yield record, _read(directories, name, record.largest)
                    break


class _Walk:
    """A walk that ends with an error where there is no end."""

    def __init__(self) -> None:
        self._entries = 0
        self._open = 0

    def files(self, above: str, directories: Directories) -> Iterator[tuple[str, Directories, str]]:
        """Every regular file below: its path, and the directory and name to read it by; names in order."""
        self._entries += 1
        for name, found in sorted(list_merged(directories).items()):
            self._entries += 1
            if self._entries > MOST_ENTRIES:
                raise ImageError(f"cannot list packages: there are more than {MOST_ENTRIES} files")
            path = f"{above}{name}"
            if stat.S_ISREG(found.status.st_mode):
                yield path, directories, name
            elif found.is_directory and not _LEFT_OUT.fullmatch(path):
                if self._open + len(found.layers) > _MOST_OPEN:
                    raise ImageError("cannot list packages: directories are nested too deep")
                with ExitStack() as stack:
                    inner = enter(directories, name, found, partial(_keep, stack))
                    self._open += len(inner)
                    yield from self.files(f"{path}/", inner)
                    self._open -= len(inner)


def _keep(stack: ExitStack, descriptor: int) -> None:
    stack.callback(os.close, descriptor)


def _read(directories: Directories, name: str, largest: int) -> str:
    """The text of a file, empty where it is larger; it may be another by now than the one that was listed."""
    found = look_up(directories, name)
    if found is None or not stat.S_ISREG(found.status.st_mode):
        return ""
    directory = next(descriptor for layer, descriptor in directories if layer == found.layers[0])
    with os.fdopen(os.open(name, READ, dir_fd=directory), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return ""
        data = file.read(largest + 1)
    return data.decode(errors="replace") if len(data) <= largest else ""
