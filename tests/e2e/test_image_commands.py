"""`compose image` and `compose system`: what they print, what they delete, and what they leave alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e.harness import Engine, json_lines
from tests.make.image import busybox_rootfs

PROJECT = "services:\n  web:\n    image: app:1\n    command: sleep 1000\n    stop_signal: KILL\n"


def imported(engine: Engine, tmp_path: Path, *names: str) -> None:
    for name in names:
        rootfs = busybox_rootfs(tmp_path / name.replace(":", "-"), {"etc/name": name})
        assert engine.compose("image", "import", "--change", "LABEL team=a", str(rootfs), name).code == 0


def listed(engine: Engine) -> list[str]:
    lines = json_lines(engine.compose("image", "ls", "--format", "json").stdout)
    return sorted(f"{each['Repository']}:{each['Tag']}" for each in lines)


def test_what_a_container_uses_survives_every_pruning(engine: Engine, tmp_path: Path) -> None:
    imported(engine, tmp_path, "app:1", "spare:1")
    project = engine.project(PROJECT)
    project.up()

    asked = engine.compose("image", "prune", "--all", stdin="")
    assert asked.code != 0
    assert "no terminal to ask on" in asked.output
    assert listed(engine) == ["app:1", "spare:1"]

    assert engine.compose("image", "prune", "--all", "--filter", "label=team=b", "-f").code == 0
    assert listed(engine) == ["app:1", "spare:1"]

    pruned = engine.compose("system", "prune", "--all", "--force")
    assert "untagged: spare:1" in pruned.stdout
    assert listed(engine) == ["app:1"]
    assert project.exec("web", "cat", "/etc/name").stdout == "app:1"

    usage = {line["Type"]: line for line in json_lines(engine.compose("system", "df", "--format", "json").stdout)}
    assert (usage["Images"]["TotalCount"], usage["Images"]["Active"], usage["Images"]["Reclaimable"]) == (1, 1, 0)
    assert usage["Containers"]["Active"] == 1

    project.compose("stop")
    engine.compose("system", "prune", "--all", "--force")
    assert listed(engine) == []
    assert project.ps("--all") == {}


def test_an_image_is_tagged_inspected_saved_and_loaded_again(engine: Engine, tmp_path: Path) -> None:
    imported(engine, tmp_path, "app:1")
    assert engine.compose("image", "tag", "app:1", "app:2").code == 0
    (shown,) = json.loads(engine.compose("image", "inspect", "app:2").stdout)
    assert shown["RepoTags"] == ["app:1", "app:2"]
    assert shown["Config"]["Labels"] == {"team": "a"}
    assert "imported" in engine.compose("image", "history", "app:1").stdout

    archive = tmp_path / "app.tar"
    assert engine.compose("image", "save", "--output", str(archive), "app:1", "app:2").code == 0
    subprocess.run(["skopeo", "inspect", f"docker-archive:{archive}:app:2"], check=True, capture_output=True)
    engine.compose("image", "rm", "app:1", "app:2")
    assert listed(engine) == []
    assert engine.compose("image", "load", str(archive)).code == 0
    assert json.loads(engine.compose("image", "inspect", "app:1").stdout) == [shown]


def test_archives_come_through_standard_input_as_with_docker(engine: Engine, tmp_path: Path) -> None:
    imported(engine, tmp_path, "app:1")

    def fed(command: str) -> subprocess.CompletedProcess[str]:
        words = " ".join((*engine.program, command))
        return subprocess.run(
            ["sh", "-c", words], cwd=tmp_path, env=engine.environment, capture_output=True, text=True, check=False
        )

    assert fed("image save app:1 >app.tar").returncode == 0
    engine.compose("image", "rm", "app:1", check=True)
    assert fed("image load <app.tar").stdout == "Loaded image: app:1\n"
    assert fed("image load -q -i app.tar").stdout == ""
    assert listed(engine) == ["app:1"]
    empty = fed("image load </dev/null")
    assert empty.returncode == 1
    assert "cannot load standard input: it has neither" in empty.stderr
    assert "`compose image import - NAME`" in empty.stderr
    assert "it holds saved images" in fed("image import - other:1 <app.tar").stderr


def test_damage_is_found_named_and_healed(engine: Engine, tmp_path: Path) -> None:
    imported(engine, tmp_path, "app:1", "other:1")
    assert engine.compose("image", "verify").code == 0
    archive = tmp_path / "app.tar"
    engine.compose("image", "save", "--output", str(archive), "app:1")
    (shown,) = json.loads(engine.compose("image", "inspect", "app:1").stdout)
    blobs = Path(engine.environment["COMPOSER_DATA"], "images/blobs/sha256")
    (blobs / shown["Manifest"].partition(":")[2]).write_bytes(b"{")

    ls = engine.compose("image", "ls")
    assert "skipped `app:1`" in ls.stderr
    assert "other" in ls.stdout
    found = engine.compose("image", "verify", "--repair")
    assert found.code == 1
    assert found.stdout.startswith("app:1: ")
    engine.compose("image", "load", str(archive))
    assert engine.compose("image", "verify").code == 0
