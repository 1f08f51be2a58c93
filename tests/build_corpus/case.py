"""One project of the corpus: a Dockerfile, the files around it, and the rest of a service's `build`."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

MTIME = 1_500_000_000
"""When what is in archives, and what is served, was last changed."""

CONTEXT_TIMES = range(MTIME + 1, MTIME + 90_000_000)
"""When what is in contexts was: a result that comes from the cache of an earlier case has its time."""

BASE = "busybox:1"
"""What the Dockerfiles start from: both sides have it in their store."""

HTTP = "@HTTP@"
"""In a Dockerfile or Compose file: where the files of `served` are, as a URL."""

GIT = "@GIT@"
"""The same for the repository that `repository` makes."""


@dataclass(frozen=True)
class File:
    """A file with more to it than its text."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    mtime: int = 0
    """When it was last changed; 0 is the case's own time."""


@dataclass(frozen=True)
class Directory:
    """A directory, perhaps with nothing in it."""

    mode: int = 0o755


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class HardLink:
    """Another name of a file of the context."""

    target: str


@dataclass(frozen=True)
class Fifo:
    """A named pipe."""


Entry = str | File | Directory | Link | HardLink | Fifo


@dataclass(frozen=True)
class Case:
    """What is built; files are named relative to the context, `../` leads beside it."""

    name: str
    dockerfile: str
    files: Mapping[str, Entry] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)
    top: Mapping[str, Any] = field(default_factory=dict)
    """Top-level elements of the Compose file: secrets."""
    environment: Mapping[str, str] = field(default_factory=dict)
    fails: str = ""
    """Words of composer's error, where the build must fail on both sides."""
    newer: bool = False
    """Whether it needs a newer BuildKit than Debian's: its result is composer's own, read through once by hand."""
    differs: str = ""
    """Why composer's result is another than BuildKit's; it is recorded likewise."""
    hidden: tuple[str, ...] = ()
    """Paths below which only their being there is compared."""
    times: bool = False
    """Whether the times in config and history are compared."""

    @property
    def time(self) -> int:
        """When what is in the context was last changed.

        Another for each case, since BuildKit takes a file of the same size and time for one that it has seen.
        """
        return CONTEXT_TIMES.start + zlib.crc32(self.name.encode()) % len(CONTEXT_TIMES)

    @property
    def own(self) -> bool:
        """Whether the recorded result is composer's."""
        return self.newer or bool(self.differs)

    def write(self, directory: Path, http: str, git: str) -> None:
        """The project in `directory`, which is made."""
        context = directory / "context"
        context.mkdir(parents=True)
        files = dict(self.files)
        if self.dockerfile:
            files.setdefault("Dockerfile", _filled(self.dockerfile, http, git))
        for name, entry in files.items():
            _write(context, name, entry, self.time)
        for parent, _, _ in os.walk(context):
            os.utime(parent, (self.time, self.time))
        service = {"image": f"corpus/{self.name}", "build": {"context": "./context", **self.build}}
        document = {"name": "corpus", "services": {self.name: service}, **self.top}
        (directory / "compose.yaml").write_text(_filled(json.dumps(document, indent=1), http, git))


def _filled(text: str, http: str, git: str) -> str:
    return dedent(text).lstrip("\n").replace(HTTP, http).replace(GIT, git)


def _write(context: Path, name: str, entry: Entry, time: int) -> None:
    path = context / name
    path.parent.mkdir(parents=True, exist_ok=True)
    match entry:
        case str():
            _write(context, name, File(entry.encode()), time)
        case File(content, mode, uid, mtime):
            path.write_bytes(content)
            os.chown(path, uid, uid)
            path.chmod(mode)
            os.utime(path, (mtime or time, mtime or time))
        case Directory(mode):
            path.mkdir(exist_ok=True)
            path.chmod(mode)
        case Link(target):
            path.symlink_to(target)
            os.utime(path, (time, time), follow_symlinks=False)
        case HardLink(target):
            path.hardlink_to(context / target)
        case Fifo():
            os.mkfifo(path)


def archive(files: Mapping[str, Entry], compression: str = "", owner: int = 0) -> File:
    """A tar of files, as `ADD` unpacks it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as writer:
        for name, entry in files.items():
            info = tarfile.TarInfo(name)
            info.mtime, info.uid, info.gid = MTIME, owner, owner
            content = b""
            match entry:
                case str():
                    content = entry.encode()
                    info.mode = 0o644
                case File(content, mode):
                    info.mode = mode
                case Directory(mode):
                    info.type, info.mode = tarfile.DIRTYPE, mode
                case Link(target):
                    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
                case HardLink(target):
                    info.type, info.linkname, info.mode = tarfile.LNKTYPE, target, 0o644
                case Fifo():
                    info.type, info.mode = tarfile.FIFOTYPE, 0o644
            info.size = len(content) if info.type == tarfile.REGTYPE else 0
            writer.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    match compression:
        case "gzip":
            data = gzip.compress(data, mtime=0)
        case "xz":
            data = lzma.compress(data)
        case "bzip2":
            data = bz2.compress(data)
        case _:
            assert not compression
    return File(data)
