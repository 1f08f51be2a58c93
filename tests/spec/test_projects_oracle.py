"""Whole projects as people have them, several files and a command line each: read as Docker Compose reads them.

A project is one text below `projects/`: what is run in it, then its files, each after a line `-- PATH --`.

    # words                 what it is about
    $ ARGUMENTS             `compose ARGUMENTS` means what `docker compose ARGUMENTS` means
    ~ PATH                  ... but for what begins like this, on purpose: see docs/differences.md
    ? ARGUMENTS             both refuse it
    + ARGUMENTS             only we accept it, on purpose

Before the arguments may stand variables (`NAME=value`) and the directory to be in (`cd DIRECTORY`).
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from composer.__main__ import main
from tests.spec.oracle import oracle
from tests.spec.test_config_oracle import differences, without_falsehoods

PROJECTS = sorted((Path(__file__).parent / "projects").glob("*.txt"))
VARIABLES = {"PATH": os.environ["PATH"], "HOME": "/home/user", "FROM_SHELL": "shell", "EMPTY": ""}
STDIN = "<stdin>"


@dataclass
class Run:
    """One command line, and what is expected of it."""

    sign: str
    line: str
    deliberate: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    directory: str = "."
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        words = shlex.split(self.line)
        while found := re.fullmatch(r"([A-Z_]+)=(.*)", words[0]):
            self.variables[found[1]] = found[2]
            words.pop(0)
        if words[0] == "cd":
            self.directory, words = words[1], words[2:]
        self.arguments = words


def runs_and_files(text: str) -> tuple[list[Run], dict[str, str]]:
    """What is run, and the files by their paths."""
    head, *rest = re.split(r"^-- (.+) --\n", text, flags=re.MULTILINE)
    runs: list[Run] = []
    for line in head.splitlines():
        if line.startswith("~"):
            runs[-1].deliberate.append(line[2:])
        elif not line.startswith("#"):
            runs.append(Run(line[0], line[2:]))
    return runs, dict(zip(rest[::2], rest[1::2], strict=True))


RUNS = [
    pytest.param(project, run, id=f"{project.stem}: {run.line}")
    for project in PROJECTS
    for run in runs_and_files(project.read_text())[0]
]


def lay(directory: Path, project: Path) -> str:
    """Write the project's files; what stands on its standard input."""
    files = runs_and_files(project.read_text())[1]
    for name, text in files.items():
        if name != STDIN:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
    return files.get(STDIN, "")


def read(arguments: list[str], printed: str) -> Any:
    """What was printed, as data: a mapping, or lines in any order."""
    if "json" in arguments:
        return without_falsehoods(json.loads(printed))
    if "-q" in arguments:
        return printed
    if listed := {"--services", "--images", "--volumes", "--profiles"}.intersection(arguments):
        assert len(listed) == 1
        return sorted(printed.split())
    return without_falsehoods(yaml.safe_load(printed))


@pytest.mark.parametrize(("project", "run"), RUNS)
def test_a_project_means_what_docker_compose_says(
    project: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = oracle()
    if program is None:
        pytest.skip("docker-compose cannot be had here")
    home = tmp_path / "shop"
    stdin = lay(home, project)
    place, environment = home / run.directory, VARIABLES | run.variables
    judged = subprocess.run(
        [program, *run.arguments], cwd=place, env=environment, input=stdin, capture_output=True, text=True, check=False
    )
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    code = main(run.arguments)
    printed = capsys.readouterr()

    assert (judged.returncode == 0) == (run.sign == "$"), judged.stderr
    assert (code == 0) == (run.sign in "$+"), printed.err
    if run.sign == "$":
        found = list(differences(read(run.arguments, judged.stdout), read(run.arguments, printed.out)))
        assert list(unexpected(found, run.deliberate)) == []
        if not run.deliberate and printed.out.startswith("name:"):
            assert re.sub(" *create_host_path: false\n", "", printed.out) == judged.stdout


def unexpected(found: list[str], deliberate: list[str]) -> Iterator[str]:
    """The differences that nobody meant, and those meant that are none any more."""
    yield from (each for each in found if not any(each.startswith(start) for start in deliberate))
    yield from (f"is the same: {start}" for start in deliberate if not any(each.startswith(start) for each in found))
