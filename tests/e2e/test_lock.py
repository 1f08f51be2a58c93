"""One lock, many machines: everybody runs what was locked, however tags move meanwhile."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project
from tests.e2e.registries import busybox_image
from tests.make.registry import Registry, running_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def colleague() -> Iterator[Engine]:
    """A second machine, as far as composer can tell: another data root, another engine."""
    engine = Engine()
    yield engine
    assert engine.close() == []


def one_service(engine: Engine, reference: str) -> Project:
    return engine.project(f"services:\n  web:\n    image: {reference}\n")


def clone(project: Project, engine: Engine) -> Project:
    """The same files on another machine."""
    directory = engine.home / project.directory.name
    shutil.copytree(project.directory, directory)
    engine._projects.add(project.directory.name)
    return Project(engine, directory)


def locked(project: Project) -> dict[str, dict[str, object]]:
    images: dict[str, dict[str, object]] = tomllib.loads((project.directory / "compose.lock").read_text())["image"]
    return images


def test_a_tag_that_moves_changes_nothing_for_whoever_has_the_lock(
    engine: Engine, colleague: Engine, registry: Registry, tmp_path: Path
) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    before = (shop.directory / "compose.yaml").read_bytes()
    shop.compose("lock", check=True)
    shop.up()
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")

    theirs = clone(shop, colleague)
    theirs.up("--locked")
    shop.compose("pull", check=True)
    again = shop.up("--pull", "always")

    assert shop.exec("web", "cat", "/greeting").stdout == theirs.exec("web", "cat", "/greeting").stdout == "hello\n"
    assert "Recreated" not in again.stderr
    assert shop.container("web")["Image"] == theirs.container("web")["Image"] == reference
    assert theirs.compose("run", "--rm", "-T", "web", "cat", "/greeting", check=True).stdout == "hello\n"
    assert (shop.directory / "compose.yaml").read_bytes() == before


def test_an_update_moves_on_purpose_and_tells_what_it_did(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    first = shop.compose("lock", check=True)
    old = str(locked(shop)[reference]["digest"])
    assert f"+ {reference}  {old[:19]}" in first.stdout
    assert shop.compose("lock", check=True).stdout == "compose.lock is up to date\n"
    registry.push(busybox_image(tmp_path, greeting="moved"), "web:1")
    assert shop.compose("lock", check=True).stdout == "compose.lock is up to date\n"
    shop.up()

    update = shop.compose("lock", "--update", "web", check=True)

    new = str(locked(shop)[reference]["digest"])
    assert f"~ {reference}  {old[:19]} → {new[:19]}" in update.stdout
    assert "Recreated" in shop.up().stderr
    assert shop.exec("web", "cat", "/greeting").stdout == "moved\n"


def test_locked_refuses_what_the_lock_lacks(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)

    without = shop.compose("up", "-d", "--locked")
    assert without.code == 1
    assert "there is no `compose.lock`" in without.stderr
    shop.compose("lock", check=True)
    assert shop.compose("lock", "--check").code == 0
    shop.write(f"services:\n  web:\n    image: {reference}\n  db:\n    image: {registry.name}/db:1\n")

    for command in (("--locked", "up", "-d"), ("up", "-d", "--locked"), ("pull", "--locked"), ("create", "--locked")):
        refused = shop.compose(*command)
        assert refused.code == 1
        assert f"compose.lock has nothing for `{registry.name}/db:1`, which `db` needs" in refused.stderr
        assert "compose.yaml:5:12" in refused.stderr
        assert "hint: `compose lock`" in refused.stderr
    check = shop.compose("lock", "--check")
    assert check.code == 1
    assert "compose.lock has nothing for" in check.stderr


@pytest.mark.parametrize(
    ("damage", "words", "line"),
    [
        (("digest =", "<<<<<<< HEAD\ndigest ="), "a merge has left a conflict in it", 6),
        (("version = 1", "version = 2"), "it has version 2, this composer knows 1", 3),
        (('digest = "sha256:', 'digest = "sha256:x'), "expected 64 lower-case hexadecimal digits", 6),
        (("digest =", "digest"), "expected '=' after a key", 6),
    ],
)
def test_a_damaged_lock_is_told_with_its_line(
    engine: Engine, registry: Registry, tmp_path: Path, damage: tuple[str, str], words: str, line: int
) -> None:
    shop = one_service(engine, registry.push(busybox_image(tmp_path), "web:1"))
    shop.compose("lock", check=True)
    path = shop.directory / "compose.lock"
    text = path.read_text()
    path.write_text(text.replace(*damage))

    for command in (("up", "-d"), ("lock",), ("lock", "--check"), ("lock", "--diff")):
        result = shop.compose(*command)
        assert result.code != 0
        assert "Traceback" not in result.output
    up = shop.compose("up", "-d")

    assert words in up.stderr
    assert f"compose.lock:{line}:" in up.stderr


def test_a_lock_whose_digests_are_wrong_starts_nothing(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    reference = registry.push(busybox_image(tmp_path), "web:1")
    shop = one_service(engine, reference)
    shop.compose("lock", check=True)
    path = shop.directory / "compose.lock"
    digest = str(locked(shop)[reference]["digest"])
    text = path.read_text()

    path.write_text(text.replace(digest, f"sha256:{'0' * 64}"))
    unknown = shop.compose("up", "-d")
    head, platforms = text.split(".platforms]")
    path.write_text(head + ".platforms]" + platforms.replace(digest, f"sha256:{'0' * 64}"))
    lying = shop.compose("up", "-d")

    assert unknown.code == lying.code == 1
    assert "no such tag or digest" in unknown.stderr
    assert "compose.lock:5 locks" in lying.stderr
    assert shop.ps() == {}


def test_the_embedded_image_cannot_be_locked(engine: Engine) -> None:
    shop = one_service(engine, "host")

    refused = shop.compose("lock")

    assert refused.code == 1
    assert "cannot lock `host`: it is made of this machine's own programs" in refused.stderr
    assert "compose.yaml:3:12" in refused.stderr
    assert not (shop.directory / "compose.lock").exists()


def test_what_a_registry_does_not_have_is_told_all_at_once(engine: Engine, registry: Registry) -> None:
    shop = engine.project(
        f"services:\n  a:\n    image: {registry.name}/a:1\n  b:\n    image: {registry.name}/b:1\n    profiles: [x]\n"
    )

    refused = shop.compose("lock")

    assert refused.code == 1
    assert f"cannot lock `{registry.name}/a:1`" in refused.stderr
    assert f"cannot lock `{registry.name}/b:1`" in refused.stderr
    assert not (shop.directory / "compose.lock").exists()
