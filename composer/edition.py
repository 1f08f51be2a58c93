"""Which composer this is: its version, and a checksum of its source files.

Client, engine and keeper tell each other, so that an upgrade is noticed by processes that outlive it. The version decides who
is newer; the checksum tells copies of one version apart: an edit, or an installation from a repository. It is made of contents,
so that two equal installations are one edition. Not for security: whoever may connect is the user.
"""

from __future__ import annotations

import os
import re
from binascii import crc32
from dataclasses import dataclass
from functools import cache

from composer import __version__

PACKAGE = __file__.rpartition("/")[0]

KEEPER_PARTS = ("keeper", "kernel", "network/dataplane", "errors.py", "paths.py", "edition.py")
"""What the keeper and the processes beside it are made of."""

ANY = "any"
"""In place of a checksum: whoever says so takes an engine as it is."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of the code. `str` and `parse` are inverse to each other."""

    version: str
    checksum: str
    api: int

    def __str__(self) -> str:
        return f"{self.version} {self.checksum} {self.api}"

    @classmethod
    def parse(cls, text: str) -> Edition | None:
        """The edition in `text`, None if there is none in it."""
        parts = text.split()
        return cls(parts[0], parts[1], int(parts[2])) if len(parts) >= 3 and parts[2].isdigit() else None

    def precedes(self, other: Edition) -> bool:
        """Whether the version is an older one."""
        return _numbers(self.version) < _numbers(other.version)


@cache
def edition(api: int) -> Edition:
    """This one, as it lay on the disk when it was asked for first; `api` is the version of what client and engine say."""
    return Edition(__version__, checksum(PACKAGE), api)


def checksum(package: str, parts: tuple[str, ...] = ("",)) -> str:
    """Of the source files in these directories of a package, and of these files. Raises OSError for a file out of reach.

    One that goes while we look does not count: a package that is just being replaced is of no edition yet.
    """
    total, length = 0, 0
    for path in sorted(path for part in parts for path in source_files(f"{package}/{part}")):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            data = os.read(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)
        total = crc32(data, crc32(path[len(package) :].encode(), total))
        length += len(data)
    return f"{total:08x}{length:x}"


def directories(package: str = PACKAGE) -> list[str]:
    """The package's directories; a change of their time tells of files that were replaced, come or gone."""
    return [path for path, _directories, _files in os.walk(package) if not path.endswith("__pycache__")]


def source_files(place: str = PACKAGE) -> list[str]:
    """Every source file below a directory, or the file that it is."""
    if place.endswith(".py"):
        return [place]
    return [
        f"{directory.rstrip('/')}/{name}"
        for directory, _directories, names in os.walk(place)
        for name in names
        if name.endswith(".py")
    ]


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version, as numbers: `0.10.1rc1` is (0, 10, 1)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in release.group().split(".")) if release else ()
