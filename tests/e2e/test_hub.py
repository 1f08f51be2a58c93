"""Projects use the names of Docker Hub; a mirror that registries.toml names serves them."""

from __future__ import annotations

from tests.e2e.harness import Engine


def test_a_mirror_serves_the_names_people_write(connected: Engine) -> None:
    shop = connected.project("services:\n  tool:\n    image: python:3.11-slim\n    command: python -V\n")

    ran = shop.compose("run", "--rm", "tool", check=True)

    assert ran.stdout == "Python 3.11.2\n"
    assert "127.0.0.1" not in shop.compose("image", "ls", check=True).stdout


def test_pip_in_a_container_reaches_its_index_through_the_uplink(connected: Engine) -> None:
    shop = connected.project("services:\n  tool:\n    image: python:3.11-slim\n    command: pip install -q six\n")

    shop.compose("run", "--rm", "tool", check=True)
