"""Watching: from a save to the new content in the container, to a service that has restarted, to one that was built anew.

Both sides watch with `compose watch --no-up` over a project that is up. What is seen is what a program in the container
sees, by looking every 5 ms. What Docker Compose cannot do (compare files from before with the container's) is measured
here alone.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import projects
from tests.bench.peers import Peer, Project

_SAVES = 5
_CHECKOUT, _UNCHANGED, _MANY = 3000, 10_000, 100_000
_IDLE_SECONDS = 5.0

_FOLLOW = """trap 'exit 0' TERM; last=; while :; do read -r now </app/f
if [ "$$now" != "$$last" ]; then last=$$now; echo "$$now" >/out/new; mv /out/new /out/seen; fi; usleep 5000; done"""
_READ_ONCE = "read -r now </app/f; echo $$now >/out/new; mv /out/new /out/seen; trap 'exit 0' TERM; while :; do usleep 5000; done"

Measured = dict[tuple[str, str], float]
"""Values by name and unit."""


def saves(peer: Peer) -> Measured:
    """One file at a time, by action."""
    return {
        ("watch: save to seen (sync)", "s"): _saves(peer, "sync", _FOLLOW),
        ("watch: save to restarted (sync+restart)", "s"): _saves(peer, "sync+restart", _READ_ONCE),
        ("watch: save to rebuilt and running", "s"): _saves(peer, "rebuild", _READ_ONCE),
    }


def many_files(peer: Peer) -> Measured:
    """Bursts, and what it takes to watch."""
    return {
        ("watch: 3,000 files written anew, from the last to in sync", "s"): _check_out(peer),
        **(_begin_again(peer) if peer.name == "composer" else {}),
        **_many(peer),
    }


def _saves(peer: Peer, action: str, program: str) -> float:
    """The median of some saves of one file."""
    project = _project(peer, f"watch-{action.replace('+', '-')}", action, program)
    _write(project, "src/f", "first\n")
    _write(project, "out/seen", "")
    values = []
    with _watched(project):
        for number in range(_SAVES + 1):
            word = f"v{number}-{time.time_ns()}"
            values.append(
                project.peer.runner.ask(
                    do="save",
                    path=f"{project.directory}/src/f",
                    text=f"{word}\n",
                    seen=f"{project.directory}/out/seen",
                    want=word,
                )["seconds"]
            )
            time.sleep(1.2)  # longer than either tool gathers changes: each save is a batch of its own
    return float(statistics.median(values[1:]))


def _check_out(peer: Peer) -> float:
    project = _project(peer, "watch-checkout", "sync", _FOLLOW)
    _write(project, "src/f", "first\n")
    _tree(project, "src/tree", _CHECKOUT)
    with _watched(project):
        asked = {"path": f"{project.directory}/src/tree", "there": f"{_root(project)}/app/tree", "files": _CHECKOUT}
        peer.runner.ask(do="check_out", stamp="first", **asked)  # both sides know all of them now
        return float(peer.runner.ask(do="check_out", stamp=str(time.time()), **asked)["seconds"])


def _begin_again(peer: Peer) -> Measured:
    """A watch begins over files that the container has already."""
    project = _project(peer, "watch-again", "sync", _FOLLOW)
    _write(project, "src/f", "first\n")
    _tree(project, "src/tree", _UNCHANGED)
    with project:
        project.compose("up", "-d")
        project.compose("watch", "--no-up", "--detach")
        project.compose("watch", "--stop")
        seconds = project.compose("watch", "--no-up", "--detach").seconds
        project.compose("watch", "--stop")
    return {("watch: begins over 10,000 files that are in the container", "s"): seconds}


def _many(peer: Peer) -> Measured:
    """What watching many files takes: of the engine here, of the command there."""
    project = _project(peer, "watch-many", "sync", _FOLLOW)
    _write(project, "src/f", "first\n")
    with project:
        project.compose("up", "-d")
        before = peer.memory()
        _tree(project, "src/tree", _MANY)
        with _watch(project) as pid:
            _save(project, "settled")
            _settle(project)
            pids = [*peer.processes(), pid]
            memory = float(peer.runner.ask(do="memory", pids=pids)["kib"]) - before
            began = float(peer.runner.ask(do="cpu", pids=pids)["seconds"])
            time.sleep(_IDLE_SECONDS)
            computed = float(peer.runner.ask(do="cpu", pids=pids)["seconds"]) - began
    peer.runner.ask(do="remove", path=f"{project.directory}/src")
    return {
        ("watch: memory (PSS) for 100,000 files", "MiB"): memory / 1024,
        ("watch: CPU for 100,000 files while nothing happens", "%"): computed / _IDLE_SECONDS * 100,
    }


@contextmanager
def _watched(project: Project) -> Iterator[None]:
    """The project, up and watched."""
    with project:
        project.compose("up", "-d", "--build")
        with _watch(project):
            _save(project, "settled")
            yield


@contextmanager
def _watch(project: Project) -> Iterator[int]:
    """`compose watch` at work; its process."""
    runner = project.peer.runner
    words = "Watch enabled" if project.peer.name == "docker" else "watching"
    argv = [*project.peer.compose, "watch", "--no-up"]
    pid = runner.ask(do="start", argv=argv, cwd=project.directory, until=words)["pid"]
    try:
        yield int(pid)
    finally:
        runner.ask(do="end", pid=pid)


def _save(project: Project, text: str) -> None:
    """A save that is not measured, and its arrival: nothing is under way after it."""
    time.sleep(2)  # Docker Compose does not tell when it is ready or done
    _write(project, "src/f", f"{text}\n")
    time.sleep(3)


def _settle(project: Project) -> None:
    """Return when the container has everything; Docker Compose brings nothing in when a watch begins."""
    while project.peer.name == "composer":
        status = json.loads(project.compose("watch", "--status", "--format", "json").stdout)
        if all(service["in_sync"] for service in status["services"]):
            break
        time.sleep(1)
    time.sleep(2)  # so that memory and processors are at rest


def _root(project: Project) -> str:
    """The container's root as its side sees it."""
    if project.peer.name == "docker":
        ids = project.compose("ps", "-q").stdout.split()
        pid = project.peer.runner.run(("docker", "inspect", "-f", "{{.State.Pid}}", *ids)).stdout.strip()
    else:
        pid = str(json.loads(project.compose("ps", "--format", "json").stdout.splitlines()[0])["Pid"])
    return f"/proc/{pid}/root"


def _project(peer: Peer, name: str, action: str, program: str) -> Project:
    text = f"""services:
  app:
    build: .
    command: ["sh", "-c", {json.dumps(program)}]
    volumes: ["./out:/out"]
    develop:
      watch:
        - {{action: {action}, path: ./src, target: /app}}
"""
    project = Project(peer, name, text)
    _write(project, "Dockerfile", f"FROM {projects.BUSYBOX}\nCOPY src/f /app/f\n")
    _write(project, ".dockerignore", "out\n.log\n")
    _write(project, "out/seen", "")
    return project


def _write(project: Project, path: str, text: str) -> None:
    project.peer.runner.ask(do="write", path=f"{project.directory}/{path}", text=text)


def _tree(project: Project, path: str, files: int) -> None:
    project.peer.runner.ask(do="tree", path=f"{project.directory}/{path}", files=files, stamp="same")
