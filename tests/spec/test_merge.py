"""How later files change earlier ones: examples after chapter 13 of the Compose Specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from composer.project import LoadOptions, load
from composer.project.canonical import canonical

BASE = "services:\n  web:\n    image: i\n"


def merged(directory: Path, base: str, override: str) -> dict[str, Any]:
    for name, body in (("a.yaml", base), ("b.yaml", override)):
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (directory / name).write_text(f"{BASE}{lines}\n" if name == "a.yaml" else f"services:\n  web:\n{lines}\n")
    options = LoadOptions(files=("a.yaml", "b.yaml"), directory=directory, project_name="p")
    loaded = load(options, {})
    service: dict[str, Any] = canonical(loaded.tree, loaded.project)["services"]["web"]
    service.pop("image", None)
    service.pop("networks", None)
    return service


TABLE: list[tuple[str, str, str, dict[str, Any]]] = [
    ("scalars replace", "hostname: a", "hostname: b", {"hostname": "b"}),
    ("commands replace", "command: [a, b]", "command: c", {"command": ["c"]}),
    ("entrypoints replace", "entrypoint: [a, b]", "entrypoint: []", {"entrypoint": []}),
    ("a null command clears the override", "command: [a]", "command: null", {}),
    ("tests replace", "healthcheck: {test: [CMD, a], retries: 2}", "healthcheck: {test: b}",
     {"healthcheck": {"test": ["CMD-SHELL", "b"], "retries": 2}}),
    ("environments merge by name", "environment: [A=1, B=2]", "environment: {B: 3, C: 4}",
     {"environment": {"A": "1", "B": "3", "C": "4"}}),
    ("labels merge by name", "labels: {a: x, b: y}", "labels: [b=z]", {"labels": {"a": "x", "b": "z"}}),
    ("expose adds without repeating", "expose: [80]", 'expose: ["80", 81]', {"expose": ["80", "81"]}),
    ("dns adds", "dns: 1.1.1.1", "dns: [8.8.8.8]", {"dns": ["1.1.1.1", "8.8.8.8"]}),
    ("ports add", 'ports: ["80:80"]', 'ports: ["81:80"]',
     {"ports": [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"},
                {"mode": "ingress", "target": 80, "published": "81", "protocol": "tcp"}]}),
    ("the same port in two forms is one", 'ports: ["80:80"]', "ports: [{target: 80, published: 80}]",
     {"ports": [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"}]}),
    ("mounts are told apart by target", "volumes: [/a:/x, /b:/y]", "volumes: [/c:/x:ro]",
     {"volumes": [
         {"type": "bind", "source": "/c", "target": "/x", "read_only": True, "bind": {"create_host_path": True}},
         {"type": "bind", "source": "/b", "target": "/y", "bind": {"create_host_path": True}}]}),
    ("reset takes away", "hostname: a\nports: ['80']", "ports: !reset []\nhostname: !reset null", {}),
    ("override replaces the list", "expose: [80]", "expose: !override [81]", {"expose": ["81"]}),
    ("override replaces the mapping", "environment: {A: 1}", "environment: !override {B: 2}", {"environment": {"B": "2"}}),
    ("null over a list changes nothing", "expose: [80]", "expose:", {"expose": ["80"]}),
    ("ulimits replace by name", "ulimits: {nofile: 10, nproc: 3}", "ulimits: {nofile: {soft: 1, hard: 2}}",
     {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "nproc": 3}}),
    ("a reset of what is not there is nothing", "init: true", "tty: !reset null", {"init": True}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "base", "override", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_the_override_changes_the_base(
    tmp_path: Path, rule: str, base: str, override: str, expected: dict[str, Any]
) -> None:
    assert merged(tmp_path, base, override) == expected
