"""Where files, names, profiles and variables come from: what the command line finds is what Docker Compose finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.spec.oracle import oracle
from tests.spec.test_config_oracle import differences


@dataclass(frozen=True)
class Case:
    """Files (`@` in arguments and variables is their directory), and how the command is called in one of the folders."""

    name: str
    files: Mapping[str, str]
    environment: Mapping[str, str]
    arguments: Sequence[str]
    cwd: str


def case(
    name: str,
    files: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    cwd: str = "p",
) -> Case:
    return Case(name, files, environment or {}, args, cwd)


W = 'services: {web: {image: "i:${TAG:-none}", environment: {A: "${A:-}", N: "${COMPOSE_PROJECT_NAME}"}}}'
CASES = (
    case("plain .env", {"p/compose.yaml": W, "p/.env": "TAG=1\nA=${TAG}x"}),
    case("shell wins", {"p/compose.yaml": W, "p/.env": "TAG=1"}, {"TAG": "2"}),
    case("env-file", {"p/compose.yaml": W, "p/.env": "TAG=1", "p/o.env": "A=o"}, args=["--env-file", "o.env"]),
    case(
        "two env-files",
        {"p/compose.yaml": W, "p/a": "TAG=1\nA=a", "p/b": "A=b$TAG"},
        args=["--env-file", "a", "--env-file", "b"],
    ),
    case("COMPOSE_ENV_FILES", {"p/compose.yaml": W, "p/a": "TAG=1\nA=a", "p/b": "A=b"}, {"COMPOSE_ENV_FILES": "a,b"}),
    case("DISABLE", {"p/compose.yaml": W, "p/.env": "TAG=1"}, {"COMPOSE_DISABLE_ENV_FILE": "1"}),
    case(
        "COMPOSE_FILE", {"p/a.yaml": W, "p/b.yaml": "services: {web: {hostname: b}}"}, {"COMPOSE_FILE": "a.yaml:b.yaml"}
    ),
    case(
        "SEPARATOR",
        {"p/a.yaml": W, "p/b.yaml": "services: {web: {hostname: b}}"},
        {"COMPOSE_FILE": "a.yaml;b.yaml", "COMPOSE_PATH_SEPARATOR": ";"},
    ),
    case("COMPOSE_FILE in .env", {"p/a.yaml": W, "p/.env": "COMPOSE_FILE=a.yaml\nTAG=3"}),
    case("NAME in .env", {"p/compose.yaml": W, "p/.env": "COMPOSE_PROJECT_NAME=fromenv"}),
    case("NAME shell over name:", {"p/compose.yaml": "name: written\n" + W}, {"COMPOSE_PROJECT_NAME": "shell"}),
    case("-p over", {"p/compose.yaml": "name: written\n" + W}, {"COMPOSE_PROJECT_NAME": "shell"}, ["-p", "flag"]),
    case("name interp", {"p/compose.yaml": "name: x-${TAG}\n" + W, "p/.env": "TAG=7"}),
    case(
        "PROFILES",
        {"p/compose.yaml": "services: {a: {image: i}, b: {image: i, profiles: [x]}, c: {image: i, profiles: [y]}}"},
        {"COMPOSE_PROFILES": "x,z"},
    ),
    case(
        "PROFILES .env",
        {"p/compose.yaml": "services: {a: {image: i}, b: {image: i, profiles: [x]}}", "p/.env": "COMPOSE_PROFILES=x"},
    ),
    case(
        "PROFILES flag+env",
        {"p/compose.yaml": "services: {a: {image: i, profiles: [y]}, b: {image: i, profiles: [x]}}"},
        {"COMPOSE_PROFILES": "x"},
        ["--profile", "y"],
    ),
    case("parent", {"compose.yaml": W, ".env": "TAG=p"}, cwd="p/q"),
    case("parent env here", {"compose.yaml": W, ".env": "TAG=p", "p/.env": "TAG=here"}, cwd="p"),
    case("override", {"p/compose.yaml": W, "p/compose.override.yaml": "services: {web: {hostname: o}}"}),
    case(
        "override yml", {"p/docker-compose.yml": W, "p/docker-compose.override.yml": "services: {web: {hostname: o}}"}
    ),
    case("override mixed", {"p/compose.yaml": W, "p/docker-compose.override.yml": "services: {web: {hostname: o}}"}),
    case(
        "-f no override",
        {"p/compose.yaml": W, "p/compose.override.yaml": "services: {web: {hostname: o}}"},
        args=["-f", "compose.yaml"],
    ),
    case(
        "project-directory",
        {"p/compose.yaml": 'services: {web: {image: "${TAG}", volumes: ["./a:/aaa"]}}', "d/.env": "TAG=d"},
        args=["--project-directory", "@/d", "-f", "compose.yaml"],
    ),
    case(
        "-f elsewhere",
        {
            "d/compose.yaml": 'services: {web: {image: "${TAG:-n}", volumes: ["./a:/aaa"]}}',
            "d/.env": "TAG=d",
            "p/.env": "TAG=p",
        },
        args=["-f", "@/d/compose.yaml"],
    ),
    case(
        "two -f dirs",
        {
            "d/compose.yaml": 'services: {web: {image: "i", volumes: ["./a:/aaa"]}}',
            "e/o.yaml": "services: {web: {env_file: ./x.env}}",
            "d/x.env": "A=1",
        },
        args=["-f", "@/d/compose.yaml", "-f", "@/e/o.yaml"],
    ),
    case("empty name dir", {"p/compose.yaml": W}, cwd="p"),
    case("upper dir", {"My App!/compose.yaml": W}, cwd="My App!"),
    case("missing env-file", {"p/compose.yaml": W}, args=["--env-file", "nope"]),
    case("env dir", {"p/compose.yaml": W, "p/.env/x": ""}),
    case("both names", {"p/compose.yaml": W, "p/compose.yml": "services: {x: {image: i}}"}),
    case("empty var", {"p/compose.yaml": 'services: {web: {image: "i:${E:-d}${E-x}${E:+p}${E+q}"}}'}, {"E": ""}),
    case(
        "key only env",
        {"p/compose.yaml": "services: {web: {image: i, environment: [A, B, C=]}}", "p/.env": "A=dot\n"},
        {"B": "sh"},
    ),
    case(
        "build arg key only",
        {"p/compose.yaml": "services: {web: {build: {context: ., args: [A, B, C=]}}}", "p/.env": "A=dot\n"},
        {"B": "sh"},
    ),
    case("COMPOSE_FILE stdin", {"p/compose.yaml": W}, {"COMPOSE_FILE": "-"}),
    case("multi doc", {"p/compose.yaml": W + "\n---\nservices: {web: {hostname: second}, b: {image: b}}\n"}),
    case(
        "raw env_file",
        {
            "p/compose.yaml": "services: {web: {image: i, env_file: e}}",
            "p/e": 'A="x y" # c\nexport B=2\nC: 3\nD=\'$A\'\nE=$A\nF="a\\nb"\nG=a#b\nH\nI=\n',
        },
        {"H": "h"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_is_found(tmp_path: Path, case: Case) -> None:
    program = oracle()
    if program is None:
        pytest.skip("docker-compose cannot be had here")
    (tmp_path / case.cwd).mkdir(parents=True)
    for name, text in case.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    given = {key: value.replace("@", str(tmp_path)) for key, value in case.environment.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/user", **given}
    arguments = [word.replace("@", str(tmp_path)) for word in case.arguments]

    def config(*command: str) -> subprocess.CompletedProcess[str]:
        whole = [*command, *arguments, "config"]
        return subprocess.run(
            whole, cwd=tmp_path / case.cwd, env=environment, input="", capture_output=True, text=True, check=False
        )

    theirs, ours = config(str(program)), config(sys.executable, "-m", "composer")
    assert (theirs.returncode == 0) == (ours.returncode == 0), theirs.stderr + ours.stderr
    if theirs.returncode == 0:
        assert list(differences(yaml.safe_load(theirs.stdout), yaml.safe_load(ours.stdout))) == []
