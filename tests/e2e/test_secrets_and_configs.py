"""Secrets and configs: files on no disk, with owner and mode, made anew when their content changes."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.harness import IDLE, Engine, eventually

SHOP = f"""
    services:
      web:
        image: host
        command: {IDLE}
        secrets:
          - token
          - {{source: from_shell, target: /etc/deep/er/key, uid: "12", gid: "34", mode: 0440}}
        configs:
          - {{source: inline, target: /app.conf}}
      other:
        image: host
        command: {IDLE}
    secrets:
      token: {{file: ./token.txt}}
      from_shell: {{environment: KEY}}
    configs:
      inline:
        content: |
          debug=${{DEBUG:-no}}
"""
KEY = {"KEY": "very-secret-value"}


def test_they_are_files_with_owner_and_mode_on_no_disk(engine: Engine) -> None:
    shop = engine.project(SHOP, files={"token.txt": "tok"})
    up = shop.compose("up", "-d", environment=KEY, check=True)

    assert shop.exec("web", "cat", "/run/secrets/token", "/etc/deep/er/key", "/app.conf").stdout == (
        "tokvery-secret-valuedebug=no\n"
    )
    assert shop.exec("web", "stat", "-c", "%u:%g %a", "/etc/deep/er/key", "/app.conf").stdout.split("\n")[:2] == [
        "12:34 440",
        "0:0 444",
    ]
    assert "Read-only" in shop.compose("exec", "-T", "web", "sh", "-c", "echo x > /run/secrets/token").output
    mounts = shop.exec("web", "grep", "-E", " /run/secrets| /etc/deep| /app.conf", "/proc/mounts").lines()
    assert all(line.startswith("tmpfs ") for line in mounts)
    assert len(mounts) == 3
    upper = [path for path in (engine.data / "containers").rglob("*") if path.is_file() and b"tok" in path.read_bytes()]
    assert upper == []
    assert "very-secret" not in up.output + engine.engine_logs() + shop.compose("config", environment=KEY).output


def test_a_change_of_content_makes_the_container_anew_and_no_other(engine: Engine) -> None:
    shop = engine.project(SHOP, files={"token.txt": "tok"})
    shop.compose("up", "-d", environment=KEY, check=True)
    before = {name: entry["ID"] for name, entry in shop.ps().items()}

    assert "nothing to do" in shop.compose("up", "--dry-run", environment=KEY, check=True).output
    Path(shop.directory, "token.txt").write_text("other")
    plan = shop.compose("up", "--dry-run", environment={"KEY": "changed"}, check=True).output
    shop.compose("up", "-d", environment={"KEY": "changed"}, check=True)
    after = {name: entry["ID"] for name, entry in shop.ps().items()}

    assert "secret token changed" in plan
    assert "secret from_shell changed" in plan
    assert "very-secret" not in plan
    assert after["shop-web-1"] != before["shop-web-1"]
    assert after["shop-other-1"] == before["shop-other-1"]
    assert shop.exec("web", "cat", "/run/secrets/token").stdout == "other"


def test_they_come_back_with_a_restart_that_nobody_asked_for(engine: Engine) -> None:
    shop = engine.project(SHOP.replace("image: host", "image: host\n        restart: always"), files={"token.txt": "a"})
    shop.compose("up", "-d", environment=KEY, check=True)
    pid = shop.container("web")["Pid"]
    engine.kill("engine")
    os.kill(int(pid), 9)

    eventually(lambda: shop.container("web")["Pid"] not in (0, pid) and shop.container("web")["State"] == "running")

    assert shop.exec("web", "cat", "/etc/deep/er/key").stdout == "very-secret-value"


def test_what_is_missing_is_told_all_at_once(engine: Engine) -> None:
    shop = engine.project(SHOP + "\n      far: {external: true}\n")
    shop.edit("configs:\n      - {source: inline", "configs:\n      - far\n      - {source: inline")
    found = shop.compose("up", "-d")

    assert found.code != 0
    assert "secret `token`" in found.stderr
    assert "token.txt" in found.stderr
    assert "`KEY` is not set" in found.stderr
    assert "config `far` is external" in found.stderr
