"""Configs that are templates: rendered from what the project is, and made anew when that changes what they say."""

from __future__ import annotations

from tests.e2e.harness import IDLE, Engine

SHOP = f"""
    services:
      web:
        image: host
        command: {IDLE}
        configs: [{{source: app, target: /app.conf}}]
        secrets: [token]
        ports: ["127.0.0.1::80"]
      db:
        image: host
        command: {IDLE}
        environment: {{LEVEL: "1"}}
    secrets:
      token: {{file: ./token.txt}}
    configs:
      app: {{file: ./app.conf.j2, template_driver: jinja2}}
"""
TEMPLATE = """project {{ project.name }}
db {{ services.db.address }} {{ services.db.host }} level {{ services.db.environment.LEVEL }}
token in {{ secrets.token }}
stage {{ environment.STAGE }}
"""
STAGE = {"STAGE": "live"}


def test_a_template_sees_its_project_and_a_change_makes_the_container_anew(engine: Engine) -> None:
    shop = engine.project(SHOP, files={"app.conf.j2": TEMPLATE, "token.txt": "very-secret"})
    shop.compose("up", "-d", environment=STAGE, check=True)

    address = shop.exec("db", "hostname", "-i").stdout.strip()
    assert shop.exec("web", "cat", "/app.conf").stdout.splitlines() == [
        "project shop",
        f"db {address} db level 1",
        "token in /run/secrets/token",
        "stage live",
    ]
    assert "nothing to do" in shop.compose("up", "--dry-run", environment=STAGE, check=True).output

    # What does not change the text changes no container, what does changes that one.
    (shop.directory / "app.conf.j2").write_text("{# a remark #}" + TEMPLATE)
    assert "nothing to do" in shop.compose("up", "--dry-run", environment=STAGE, check=True).output
    shop.edit('LEVEL: "1"', 'LEVEL: "2"')
    plan = shop.compose("up", "--dry-run", environment=STAGE, check=True).output
    assert "config app changed" in plan
    shop.compose("up", "-d", environment=STAGE, check=True)
    assert "level 2" in shop.exec("web", "cat", "/app.conf").stdout
    assert shop.exec("db", "hostname", "-i").stdout.strip() == address


def test_a_mistake_in_a_template_is_told_before_anything_is_made(engine: Engine) -> None:
    shop = engine.project(SHOP, files={"app.conf.j2": "one\n{{ services.cache.host }}\n", "token.txt": "x"})
    up = shop.compose("up", "-d")

    assert up.code != 0
    assert "app.conf.j2:2:1" in up.stderr
    assert "has no attribute 'cache'" in up.stderr
    assert shop.compose("ps", "-a", "-q").stdout == ""
