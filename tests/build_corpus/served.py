"""What the corpus fetches: files over HTTP, and a repository by git's own protocol, on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.build_corpus.case import MTIME
from tests.build_corpus.cases_add import SERVED

_AWAIT = """
import socket, sys, time
deadline = time.monotonic() + 20
for port in sys.argv[1:]:
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers at port {port}"
            time.sleep(0.02)
"""
"""Waits until something answers at each port."""

_AUTHOR = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "1510000000 +0000",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_COMMITTER_DATE": "1510000000 +0000",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


def make(directory: Path) -> None:
    """The files and the repository below `directory`."""
    files = directory / "files"
    files.mkdir(parents=True)
    for name, file in SERVED.items():
        (files / name).write_bytes(file.content)
        os.utime(files / name, (MTIME, MTIME))
    work = directory / "work"
    _git(directory, "init", "-q", "-b", "main", str(work))
    (work / "sub").mkdir()
    (work / "Dockerfile").write_text("FROM busybox:1\nCOPY . /all\n")
    (work / "sub/Dockerfile").write_text("FROM busybox:1\nCOPY . /sub\n")
    (work / "sub/file").write_text("v1\n")
    (work / "tool").write_text("#!/bin/sh\n")
    (work / "tool").chmod(0o755)
    (work / "link").symlink_to("tool")
    _commit(work, "one")
    _git(work, "tag", "v1")
    _git(work, "checkout", "-q", "-b", "other")
    (work / "sub/file").write_text("other\n")
    _commit(work, "two")
    _git(work, "checkout", "-q", "main")
    _git(directory, "clone", "-q", "--bare", str(work), str(directory / "git/repo.git"))


@contextmanager
def serving(
    directory: Path, http: int, git: int, prefix: Sequence[str] = (), seen: str = ""
) -> Iterator[tuple[str, str]]:
    """Serves what `make` made at these ports; the URLs. `prefix` goes before the commands, which see `directory` as `seen`."""
    place = seen or str(directory)
    python = "python3" if prefix else sys.executable
    base = f"{place}/git"
    commands = (
        [python, "-m", "http.server", str(http), "--bind", "127.0.0.1", "--directory", f"{place}/files"],
        [
            "git",
            "daemon",
            "--reuseaddr",
            "--export-all",
            "--listen=127.0.0.1",
            f"--port={git}",
            f"--base-path={base}",
            base,
        ],
    )
    null = subprocess.DEVNULL
    running = [
        subprocess.Popen([*prefix, *command], stdin=null, stdout=null, stderr=null, start_new_session=True)
        for command in commands
    ]
    try:
        subprocess.run([*prefix, python, "-c", _AWAIT, str(http), str(git)], check=True)
        yield f"http://127.0.0.1:{http}", f"git://127.0.0.1:{git}/repo.git"
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)  # `git daemon` is a process of git's
            process.wait()


def replaced(value: Any, http: str, git: str) -> Any:
    """The same with the addresses of this run taken out."""
    match value:
        case str():
            return value.replace(http, "@HTTP@").replace(git, "@GIT@")
        case list():
            return [replaced(item, http, git) for item in value]
        case dict():
            return {replaced(key, http, git): replaced(item, http, git) for key, item in value.items()}
        case _:
            return value


def _commit(work: Path, message: str) -> None:
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", message)


def _git(directory: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **_AUTHOR}
    subprocess.run(["git", *arguments], cwd=directory, env=environment, check=True)
