"""Ordinary users whom /etc/subuid gives more ids than their own."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.harness import Engine, eventually
from tests.make.image import busybox_rootfs

pytestmark = pytest.mark.skipif(not shutil.which("newuidmap"), reason="needs newuidmap")

FILE = """
    services:
      web:
        build: .
        command: [sh, -c, "chown app:app /data && exec su app -c 'id -u; touch /data/mine; ls -n /data; exec sleep 1000'"]
        volumes: ["data:/data"]
    volumes:
      data:
"""
DOCKERFILE = """\
FROM busybox
RUN echo mine > /given && chown app:12 /given
"""


def imported(engine: Engine) -> None:
    rootfs = engine.root / "busybox"
    busybox_rootfs(rootfs)
    engine.compose("image", "import", str(rootfs), "busybox", check=True)


def test_a_service_becomes_another_user_and_files_have_owners(ranged: Engine) -> None:
    imported(ranged)
    shop = ranged.project(FILE, files={"Dockerfile": DOCKERFILE})

    up = shop.up()

    assert "only one user id" not in up.stderr
    eventually(lambda: "mine" in shop.compose("logs", "web").stdout, 10, lambda: str(shop.compose("logs", "web")))
    logs = shop.compose("logs", "--no-log-prefix", "web").stdout.splitlines()
    assert logs[0] == "1000"
    assert logs[-1].split()[2:4] == ["1000", "1000"]
    assert shop.exec("web", "ls", "-n", "/given").stdout.split()[2:4] == ["1000", "12"]
    assert shop.compose("exec", "-T", "-u", "app", "web", "id", "-u", check=True).stdout == "1000\n"


def test_ranges_that_cannot_be_had_leave_the_users_own_id(stranger: Engine) -> None:
    imported(stranger)
    shop = stranger.project(FILE, files={"Dockerfile": DOCKERFILE})

    up = shop.up()

    assert "only one user id is there" in up.stderr
    told = stranger.compose("engine", "logs", "--keeper", check=True).stdout
    assert "cannot map the ids of /etc/subuid: newuidmap" in told
