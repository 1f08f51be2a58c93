from __future__ import annotations

from pathlib import Path

import pytest

from composer.errors import Diagnostic, ProjectError
from composer.project.facts import branch_of, facts_of, located, variables_of
from composer.project.templates import render
from tests.unit.project.loading import load_in, project, write


def refused(template: str) -> Diagnostic:
    with pytest.raises(ProjectError) as caught:
        render(template, "app.conf.j2", {"services": {"web": {"host": "web"}}})
    (found,) = caught.value.diagnostics
    return found


def test_a_template_is_filled_in_with_facts() -> None:
    template = "{% for name in services %}\nhost {{ services[name].host }}\n{% endfor %}\n"

    assert render(template, "t", {"services": {"web": {"host": "web"}, "db": {"host": "db"}}}) == "host web\nhost db\n"


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("a\n{{ servicez }}", 2, "'servicez' is undefined"),
        ("a\nb\n{{ services.db.host }}", 3, "no attribute 'db'"),
        ("a\n{% for x %}", 2, "expected token 'in'"),
        ("a\n\n{{ 1 // 0 }}", 3, "division"),
        ("{% if true %}\n", 1, "end of template"),
        ("\n{% include 'other' %}", 2, "no loader"),
        ("\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("\n{{ services.update({}) }}", 2, "is unsafe"),
        ("\n{% for i in range(1000000) %}{% endfor %}", 2, "Range too big"),
    ],
)
def test_a_mistake_names_the_templates_line(template: str, line: int, said: str) -> None:
    found = refused(template)

    assert said in found.message
    assert found.location is not None
    assert (found.location.file, found.location.line) == ("app.conf.j2", line)
    assert found.location.source == template.splitlines()[line - 1]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}",
        "{% set x = 'x' * 999999999 %}{{ x }}{{ x }}",
        "{{ 10 ** (10 ** 10) }}",
    ],
)
def test_time_and_memory_are_bounded(template: str) -> None:
    assert "it needs more than" in refused(template).message


def test_output_is_bounded() -> None:
    assert "it grows larger than" in refused("{% for a in range(99999) %}" + "x" * 100 + "{% endfor %}").message


SHOP = """
services:
  web:
    image: i
    ports: ["8080:80", "81"]
    environment: {LEVEL: debug}
    secrets: [token]
    configs: [app]
    networks: {front: {ipv4_address: 10.9.0.5}, back: }
  db: {image: postgres:16, deploy: {replicas: 2}, networks: [back]}
networks:
  front: {ipam: {config: [{subnet: 10.9.0.0/24}]}}
  back:
secrets:
  token: {environment: TOKEN}
configs:
  app: {template_driver: jinja2, content: "{{ environment.STAGE }} {{ environment['REGION'] }}"}
"""


def test_the_facts_are_those_of_the_project(tmp_path: Path) -> None:
    found = project(tmp_path, SHOP, {"STAGE": "live", "TOKEN": "secret", "OTHER": "x"})
    facts = facts_of(found, found.services["web"])

    web, db = facts["services"]["web"], facts["services"]["db"]
    assert facts["service"] is web
    assert web["addresses"]["front"] == "10.9.0.5"
    assert web["published"] == {"80": 8080, "81": None}
    assert [container["host"] for container in db["containers"]] == [f"{found.name}-db-1", f"{found.name}-db-2"]
    assert facts["environment"] == {"STAGE": "live"}
    assert facts["secrets"] == {"token": "/run/secrets/token"}
    assert "secret'" not in str(facts)
    assert facts_of(found, found.services["web"]) == facts


def test_addresses_stand_in_until_the_real_ones_are_known(tmp_path: Path) -> None:
    found = project(tmp_path, SHOP)
    facts = facts_of(found, found.services["web"])
    assert facts["services"]["db"]["address"].startswith("198.1")

    real = located(facts, lambda service, number, network, written: written or f"10.8.0.{number}", lambda *_: 32768)
    assert real["services"]["db"]["address"] == "10.8.0.1"
    assert real["services"]["db"]["containers"][1]["addresses"] == {"back": "10.8.0.2"}
    assert real["service"]["addresses"] == {"back": "10.8.0.1", "front": "10.9.0.5"}
    assert real["service"]["published"] == {"80": 8080, "81": 32768}


def test_variables_that_a_template_file_names_go_along(tmp_path: Path) -> None:
    write(tmp_path, {"app.j2": "{{ environment.STAGE }}"})
    text = "services: {web: {image: i, configs: [app]}}\nconfigs: {app: {file: ./app.j2, template_driver: jinja2}}"

    assert project(tmp_path, text, {"STAGE": "live", "X": "y"}).environment_used == {"STAGE": "live"}
    assert variables_of("{{ environment.A }} {{ environment['B'] }} {{ environment.A }}") == ("A", "B")
    assert load_in(tmp_path).warnings == ()


def test_the_branch_is_the_one_checked_out(tmp_path: Path) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    (tmp_path / "repository/.git/HEAD").write_text("ref: refs/heads/feature/x\n")
    (tmp_path / "repository/deep").mkdir()
    (tmp_path / "repository/.git/worktrees/w").mkdir(parents=True)
    (tmp_path / "repository/.git/worktrees/w/HEAD").write_text("ref: refs/heads/other\n")
    (tmp_path / "worktree").mkdir()
    (tmp_path / "worktree/.git").write_text(f"gitdir: {tmp_path}/repository/.git/worktrees/w\n")

    assert branch_of(tmp_path / "repository/deep") == "feature/x"
    assert branch_of(tmp_path / "worktree") == "other"
    (tmp_path / "repository/.git/HEAD").write_text("0123456789\n")
    assert branch_of(tmp_path / "repository") == ""
