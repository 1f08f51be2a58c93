"""`compose config` means what Docker Compose's `config` means, for every file in `compose/`.

Each file is one theme: every attribute alone and with others. The files' own directory is the only path in them. What
Docker Compose 2.26 does not know yet is tested against the words of the specification elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings

from composer.errors import ProjectError
from composer.project import LoadOptions, load
from composer.project.canonical import canonical, with_nulls
from composer.project.select import select
from composer.project.source import dump_yaml
from tests.property.strategies_attributes import files
from tests.spec.oracle import oracle

CASES = Path(__file__).parent / "compose"
VARIABLES = {"FROM_SHELL": "shell", "CERT": "pem", "EMPTY": "", "HOME": "/home/user"}
OVERRIDES = sorted(path for path in CASES.glob("*.override.yaml"))
FILES = sorted(path for path in CASES.glob("*.yaml") if path not in OVERRIDES)


def docker(paths: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = oracle()
    if program is None:
        pytest.skip("docker-compose cannot be had here")
    named = [word for path in paths for word in ("-f", str(path))]
    command = [str(program), "-p", "proj", "--profile", "*", *named, "config", *arguments]
    environment = {"PATH": os.environ["PATH"], **VARIABLES}
    return subprocess.run(command, env=environment, cwd=paths[0].parent, capture_output=True, text=True, check=False)


def ours(paths: list[Path]) -> dict[str, Any]:
    options = LoadOptions(files=tuple(map(str, paths)), project_name="proj", profiles=("*",), directory=paths[0].parent)
    loaded = load(options, VARIABLES)
    shown: dict[str, Any] = without_falsehoods(canonical(loaded.tree, select(loaded.project)))
    return shown


def without_falsehoods(data: Any) -> Any:
    """The data without `create_host_path: false`, which Docker Compose loses, and which is therefore true when read again."""
    if isinstance(data, dict):
        return {k: without_falsehoods(v) for k, v in data.items() if (k, v) != ("create_host_path", False)}
    return [without_falsehoods(item) for item in data] if isinstance(data, list) else data


def differences(theirs: Any, our: Any, path: str = "") -> Iterator[str]:
    match theirs, our:
        case dict(), dict():
            for key in sorted({*theirs, *our}):
                if key not in our:
                    yield f"{path}.{key}: missing {theirs[key]!r}"
                elif key not in theirs:
                    yield f"{path}.{key}: should not be there: {our[key]!r}"
                else:
                    yield from differences(theirs[key], our[key], f"{path}.{key}")
        case list(), list() if len(theirs) == len(our):
            for index, pair in enumerate(zip(theirs, our, strict=True)):
                yield from differences(*pair, f"{path}[{index}]")
        case _:
            if theirs != our or type(theirs) is not type(our):
                yield f"{path}: {our!r} should be {theirs!r}"


def judged_and_ours(directory: Path, *files: dict[str, Any]) -> tuple[Any, Any]:
    """What both make of generated files; nothing where Docker Compose refuses them."""
    paths = [directory / f"{number}.yaml" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_text(dump_yaml(data))
    judged = docker(paths)
    assume(judged.returncode == 0)
    return yaml.safe_load(judged.stdout), ours(paths)


@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(files())
def test_a_file_of_any_attributes_means_what_docker_compose_says(data: dict[str, Any]) -> None:
    with TemporaryDirectory() as directory:
        assert list(differences(*judged_and_ours(Path(directory), data))) == []


@settings(max_examples=40, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(files(names=("web",)), files(names=("web",), whole=False))
def test_merged_files_mean_what_docker_compose_says(data: dict[str, Any], over: dict[str, Any]) -> None:
    with TemporaryDirectory() as directory:
        assert list(differences(*judged_and_ours(Path(directory), data, over))) == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_file_means_what_docker_compose_says(file: Path) -> None:
    override = file.with_suffix(".override.yaml")
    paths = [file, override] if override in OVERRIDES else [file]
    judged = docker(paths)
    assert judged.returncode == 0, judged.stderr

    assert list(differences(yaml.safe_load(judged.stdout), ours(paths))) == []
    assert dump_yaml(ours(paths)) == judged.stdout  # to the letter: order, quotes and indentation too


def test_json_says_what_docker_composes_json_says() -> None:
    file = CASES / "anchors.yaml"
    judged = docker([file], "--format", "json")

    assert list(differences(json.loads(judged.stdout), json.loads(json.dumps(with_nulls(ours([file])))))) == []


REFUSED = {
    "no such service": "services: {a: {image: i, depends_on: [b]}}",
    "no such network": "services: {a: {image: i, networks: [n]}}",
    "no such volume": "services: {a: {image: i, volumes: ['vol:/v']}}",
    "no such secret": "services: {a: {image: i, secrets: [s]}}",
    "no such config": "services: {a: {image: i, configs: [s]}}",
    "a circle": "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [a]}}",
    "neither image nor build": "services: {a: {command: x}}",
    "an unknown attribute": "services: {a: {image: i, imagee: j}}",
    "a number for a list": "services: {a: {image: i, ports: 80}}",
    "a required variable": "services: {a: {image: '${NEEDED:?say it}'}}",
    "a malformed variable": "services: {a: {image: '${'}}",
    "a bad duration": "services: {a: {image: i, stop_grace_period: 10}}",
    "a bad condition": "services: {a: {image: i, depends_on: {b: {condition: up}}}, b: {image: i}}",
    "network and network_mode": "services: {a: {image: i, network_mode: host, networks: [n]}}\nnetworks: {n: {}}",
    "a bad port": "services: {a: {image: i, ports: ['a:b']}}",
    "a missing env file": "services: {a: {image: i, env_file: ./nowhere.env}}",
    "a circle of extends": "services: {a: {extends: b}, b: {extends: a}}",
    "extends of nothing": "services: {a: {extends: {service: b}}}",
    "an external volume with options": "services: {a: {image: i}}\nvolumes: {n: {external: true, driver: local}}",
    "a secret without source": "services: {a: {image: i}}\nsecrets: {s: {}}",
    "a secret with two sources": "services: {a: {image: i}}\nsecrets: {s: {file: ./x, environment: Y}}",
    "a config with two sources": "services: {a: {image: i}}\nconfigs: {c: {file: ./x, content: y}}",
    "a duplicate key": "services: {a: {image: i, image: j}}",
    "a service that is a list": "services: [a]",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=list(REFUSED))
def test_what_docker_compose_refuses_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    assert docker([file]).returncode != 0

    with pytest.raises(ProjectError):
        ours([file])
