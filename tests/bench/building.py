"""Builds: ten steps, contexts of many files, and what a RUN step costs beside its command.

`compose build` on both sides; the last column of the ten steps is `docker build` itself, the quicker of Docker's two clients.
"""

from __future__ import annotations

import time

from tests.bench import projects
from tests.bench.peers import Peer, Project

_STEPS, _FILES, _MODULES = 20, 2000, 20_000
_COMPOSE = "services:\n  app:\n    image: localhost/bench/built:1\n    build: .\n"
_HEAD = f"FROM {projects.BUSYBOX}\n"


def measure(peer: Peer) -> dict[str, float]:
    """Seconds by what was built."""
    return {**_ten_steps(peer), **_many_files(peer), **_node_modules(peer), **_run_step(peer)}


def _ten_steps(peer: Peer) -> dict[str, float]:
    steps = "".join(f"COPY f{number} /f{number}\nRUN touch /t{number}\n" for number in range(5))
    project = _project(peer, "build10", _HEAD + steps)
    for number in range(5):
        _write(project, f"f{number}", f"{number}\n" * 100)
    project.compose("build")
    cold = project.compose("build", "--no-cache").seconds
    cached = project.compose("build").seconds
    _write(project, "f4", f"{time.time()}\n")
    changed = project.compose("build").seconds
    bare = {"cold": cold, "cached": cached, "last changed": changed}
    if peer.name == "docker":
        build = ("docker", "build", "-q", "-t", "localhost/bench/built:1", ".")
        bare["cold"] = peer.runner.run((*build, "--no-cache"), project.directory).seconds
        bare["cached"] = peer.runner.run(build, project.directory).seconds
        _write(project, "f4", f"{time.time()}\n")
        bare["last changed"] = peer.runner.run(build, project.directory).seconds
    return {
        "build, 10 steps: cold": cold,
        "build, 10 steps: cached": cached,
        "build, 10 steps: last step changed": changed,
        **{f"build, 10 steps: {name}, beside docker build": seconds for name, seconds in bare.items()},
    }


def _many_files(peer: Peer) -> dict[str, float]:
    project = _project(peer, "build2000", f"{_HEAD}COPY src /src\n")
    _tree(project, "src", _FILES)
    cold = project.compose("build", "--no-cache").seconds
    cached = project.compose("build").seconds
    _write(project, "src/0/0.js", f"{time.time()}\n")
    changed = project.compose("build").seconds
    return {
        "build, 2,000 files: cold": cold,
        "build, 2,000 files: cached": cached,
        "build, 2,000 files: one changed": changed,
    }


def _node_modules(peer: Peer) -> dict[str, float]:
    project = _project(peer, "build20000", f"{_HEAD}COPY node_modules /node_modules\n")
    _tree(project, "node_modules", _MODULES)
    taken = project.compose("build", "--no-cache").seconds
    peer.runner.ask(do="remove", path=f"{project.directory}/node_modules")
    return {"build, COPY of 20,000 files": taken}


def _run_step(peer: Peer) -> dict[str, float]:
    """The difference between many steps and one, so that nothing but the steps is in it."""
    one = _project(peer, "build-run1", f"{_HEAD}RUN true\n")
    many = _project(peer, "build-run", _HEAD + "".join(f"RUN : {number}\n" for number in range(_STEPS + 1)))
    base = min(one.compose("build", "--no-cache").seconds for _ in range(2))
    return {"build, one RUN step more": (many.compose("build", "--no-cache").seconds - base) / _STEPS}


def _project(peer: Peer, name: str, dockerfile: str) -> Project:
    project = Project(peer, name, _COMPOSE)
    _write(project, "Dockerfile", dockerfile)
    return project


def _write(project: Project, path: str, text: str) -> None:
    project.peer.runner.ask(do="write", path=f"{project.directory}/{path}", text=text)


def _tree(project: Project, path: str, files: int) -> None:
    """Files of about 1.4 kB with content of their own, new in each round."""
    project.peer.runner.ask(do="tree", path=f"{project.directory}/{path}", files=files, stamp=str(time.time()))
