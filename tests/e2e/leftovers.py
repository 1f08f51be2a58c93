"""What an engine has left in the kernel and on disk: the promise is nothing.

Everything composer makes is named after an id (of the engine, a network, a container) or lies below its directories.
The ids are read from the engine's own records while they exist and remembered, so that they can be looked for when
the records are gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Kept after `engine stop`: what the processes said of themselves, and the lock that starters take.
KEPT = frozenset({"engine.log", "keeper.log", "dataplane.log", "pump.log", "start.lock"})


@dataclass(slots=True)
class Marks:
    """By what an engine's things are known: its directory, and ids of its own."""

    root: Path
    ids: set[str] = field(default_factory=set)

    def update(self, ids: Iterable[str]) -> None:
        self.ids.update(ids)

    def on(self, text: str) -> bool:
        """Whether a name, path or command line is this engine's."""
        return f"{self.root}/" in text or any(mark in text for mark in self.ids)


def read_marks(data: Path) -> set[str]:
    """The ids on record: the engine's (6 hex digits), and the first 12 digits of networks' and containers'."""
    database = data / "state.db"
    if not database.exists():
        return set()
    marks: set[str] = set()
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as connection,
    ):
        marks.update(value for (value,) in connection.execute("SELECT value FROM meta WHERE key = 'engine_id'"))
        for table in ("networks", "containers"):
            for (record,) in connection.execute(f"SELECT record FROM {table}"):
                marks.add(str(json.loads(record)["id"])[:12])
    return {mark for mark in marks if len(mark) >= 6}


def find_leftovers(marks: Marks, data: Path, run: Path) -> list[str]:
    """One line each: `process 123 ...`, `mount /tmp/...`, `link`, `netns`, `table`, `cgroup`, `file`."""
    found = [*_processes(marks), *_mounts(marks), *_links(marks), *_tables(marks), *_cgroups(marks)]
    return sorted(found + list(_files(data, run)))


def _processes(marks: Marks) -> Iterator[str]:
    """Processes started with this engine's directories, in its cgroups, or with a root on its snapshots."""
    skip = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in skip:
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            environment = (entry / "environ").read_bytes().decode(errors="replace")
            groups = (entry / "cgroup").read_text()
            root = (entry / "mountinfo").read_text().partition("\n")[0]
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        ours = f"COMPOSER_RUN={marks.root}/" in environment or marks.on(command) or marks.on(groups) or marks.on(root)
        if ours and state not in "ZX":
            yield f"process {entry.name} {command[:120]}"


def _mounts(marks: Marks) -> Iterator[str]:
    """Mounts of the host's namespace below the engine's directories: pinned namespaces, roots, volumes."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if marks.on(point + "/"):
            yield f"mount {point} ({line.rpartition(' - ')[2]})"


def _links(marks: Marks) -> Iterator[str]:
    listed = subprocess.run(["ip", "-json", "-details", "link"], capture_output=True, text=True)
    for link in json.loads(listed.stdout or "[]"):
        names = [link["ifname"], link.get("ifalias", ""), *link.get("altnames", [])]
        # An interface name has 15 characters: it may hold the beginning of an id only.
        if any(marks.on(name) or any(mark[:8] in name for mark in marks.ids) for name in names if name):
            yield f"link {link['ifname']}"


def _tables(marks: Marks) -> Iterator[str]:
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        if marks.on(line):
            yield line


def _cgroups(marks: Marks) -> Iterator[str]:
    for directory, _, _ in os.walk("/sys/fs/cgroup"):
        if marks.on(directory):
            yield f"cgroup {directory}"


def _files(data: Path, run: Path) -> Iterator[str]:
    """Sockets, pipes, pid files, container directories and volumes. Images and the state's own file stay."""
    for directory, _, names in os.walk(run):
        for name in names:
            if name not in KEPT:
                yield f"file {Path(directory, name)}"
    for kept in ("containers", "volumes"):
        if (data / kept).is_dir():
            for entry in (data / kept).iterdir():
                yield f"file {entry}"
