"""What a lock lacks, what becomes of it, and what differs between two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from composer.build.pinned import Pinned
from composer.errors import EngineError, ImageError
from composer.lock.changes import Version, changes
from composer.lock.compare import compare
from composer.lock.model import Lock, LockedDownload, LockedPackages, name_of
from composer.lock.pins import Pins, pins_of
from composer.lock.update import Found, updated, wanted
from composer.lock.uses import Use, Uses
from composer.lock.writing import write
from composer.oci.reference import parse
from tests.unit.lock.examples import NOW, THEN, digest, image, uses, whole

FILE = Path("/shop/compose.lock")


def differences(lock: Lock, project: Uses) -> list[str]:
    return [f"{each.kind} {each.name} {each.what}" for each in compare(lock, project, write(lock), FILE)]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("redis", "redis:latest"),
        ("docker.io/library/redis:7", "redis:7"),
        ("index.docker.io/redis:7", "redis:7"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        (f"redis@sha256:{'a' * 64}", f"redis@sha256:{'a' * 64}"),
        (f"redis:7@sha256:{'a' * 64}", f"redis:7@sha256:{'a' * 64}"),
    ],
)
def test_every_spelling_of_an_image_has_one_name(spelling: str, name: str) -> None:
    assert name_of(parse(spelling)) == name
    assert name_of(parse(name)) == name


def test_what_is_missing_stale_or_unused_differs_and_nothing_else() -> None:
    lock = Lock({"redis:7": image()})

    assert differences(lock, uses(cache="redis__7")) == []
    assert differences(lock, uses(renamed="redis__7")) == ["lock compose.lock unused"]
    assert compare(lock, uses(cache="redis__7"), write(lock) + "\n", FILE)[0].detail.startswith(
        "compose.lock is not as"
    )
    assert compare(lock, uses(cache="redis__7"), "", FILE) == ()
    assert differences(lock, uses(cache="redis__8")) == ["image redis:8 missing", "image redis:7 unused"]
    told = compare(lock, uses(cache="redis__8", other="redis__8"), write(lock), FILE)
    assert told[0].detail == "compose.lock has nothing for `redis:8`, which `cache`, `other` needs"
    assert str(told[1].location) == "/shop/compose.lock:5:1"
    assert [each.breaks for each in told] == [True, False]


def test_a_checksum_that_the_dockerfile_has_otherwise_is_stale() -> None:
    url = "https://example.com/tool.tar.gz"
    lock = Lock(downloads={url: LockedDownload(digest("c"), used_by=("web/Dockerfile",))})
    same = Uses(downloads={url: [Use("web/Dockerfile", "web", checksum=digest("c"))]})
    other = Uses(downloads={url: [Use("web/Dockerfile", "web", checksum=digest("d"))]})

    assert differences(lock, same) == []
    assert differences(lock, other) == [f"download {url} stale"]
    assert wanted(lock, other).downloads == (url,)


def test_packages_of_another_image_are_of_no_use() -> None:
    lock = whole()
    moved = replace(lock, images={"redis:7": image("e", "f")})

    everything = Uses(
        {"redis:7": [Use("cache", "cache")]},
        {url: [Use("web/Dockerfile", "web")] for url in lock.downloads},
        {url: [Use("web/Dockerfile", "web")] for url in lock.commits},
    )
    assert differences(lock, everything) == []
    assert differences(moved, everything) == ["packages redis:7 unused"]
    assert updated(moved, everything, Found(), NOW).packages == {}


def test_only_what_is_missing_is_asked_for_unless_it_is_to_be_updated() -> None:
    lock = Lock({"redis:7": image(), "postgres:16": image("e", "f")})
    project = uses(cache="redis__7", db="postgres__16", web="nginx__1")

    assert wanted(lock, project).images == ("nginx:1",)
    assert wanted(lock, project, update=True).images == ("nginx:1", "postgres:16", "redis:7")
    assert wanted(lock, project, update=True, services=["db"]).images == ("nginx:1", "postgres:16")
    assert not wanted(lock, uses(cache="redis__7"))


def test_what_did_not_move_stays_to_the_letter() -> None:
    lock = Lock({"redis:7": image(), "gone:1": image()})
    again = Found({"redis:7": replace(image(), locked=None, source="mirror.example.com")})

    new = updated(lock, uses(cache="redis__7", cart="redis__7"), again, NOW)

    assert new.images == {"redis:7": replace(image(), used_by=("cache", "cart"))}
    assert new.images["redis:7"].locked == THEN


def test_what_moved_is_locked_now() -> None:
    new = updated(Lock({"redis:7": image()}), uses(cache="redis__7"), Found({"redis:7": image("e", "f")}), NOW)

    assert new.images["redis:7"].digest == digest("e")
    assert new.images["redis:7"].locked == NOW


def test_a_changelog_has_what_came_went_and_moved_with_its_packages() -> None:
    packages = {"debian": {"libstdc++6": ("12.2",), "openssl": ("3.0.17",), "curl": ("8",)}, "npm": {}}
    new = replace(
        whole(),
        images={"redis:7": image("e", "f"), "nginx:1": image("1", "2")},
        downloads={},
        packages={"redis:7": LockedPackages(digest("f"), "linux/amd64", packages)},
    )

    found = changes(whole(), new)

    assert [(each.kind, each.name, each.old[:8], each.new[:8]) for each in found] == [
        ("image", "nginx:1", "", "sha256:1"),
        ("image", "redis:7", "sha256:a", "sha256:e"),
        ("download", "https://example.com/tool.tar.gz", "sha256:c", ""),
    ]
    assert found[1].versions == (
        Version("debian", "curl", (), ("8",)),
        Version("debian", "openssl", ("3.0.15",), ("3.0.17",)),
        Version("npm", "semver", ("5.7.1", "7.5.4"), ()),
    )
    assert changes(new, new) == ()


def test_pins_survive_their_way_to_the_engine_and_know_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "compose.lock"
    path.write_text(write(whole()))

    pins = Pins.from_wire(pins_of(whole(), path, strict=True).to_wire())

    assert pins.strict
    pin = pins.image("docker.io/library/redis:7")
    assert pin is not None
    assert pin.place == "compose.lock:15"
    assert pin.manifest("linux/amd64") == digest("b")
    assert pin.manifest("linux/s390x") is None
    assert pin.allows(digest("b"))
    assert not pin.allows(digest("a"))
    assert pins.spellings("redis:7") == (
        f"docker.io/library/redis:7@{digest('a')}",
        f"docker.io/library/redis:7@{digest('b')}",
    )
    assert pins.spellings("redis:8") == ("redis:8",)
    assert pins.image("not a reference!") is None
    assert pins.for_builder().images == {"docker.io/library/redis:7": (digest("a"), digest("b"))}
    assert Pins.from_wire({}) == Pins()
    with pytest.raises(EngineError, match="its lock is not as it should be"):
        Pins.from_wire({"images": {"redis:7": {"digest": "x"}}})


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://example.com/a.git#main", f"https://example.com/a.git#{'d' * 40}"),
        ("https://example.com/a.git#v1:src/x", f"https://example.com/a.git#{'d' * 40}:src/x"),
        ("git@example.com:a/b.git", f"git@example.com:a/b.git#{'d' * 40}"),
        (
            "https://example.com/a.git?branch=main&subdir=x&keep-git-dir=1&submodules=false",
            f"https://example.com/a.git?keep-git-dir=true&submodules=false#{'d' * 40}:x",
        ),
        ("https://example.com/a.git?nonsense=1", "https://example.com/a.git?nonsense=1"),
    ],
)
def test_a_build_fetches_the_commit_that_is_locked(url: str, pinned: str) -> None:
    assert Pinned(commits={url: "d" * 40}).remote(url) == (pinned, "")


def test_a_build_expects_the_checksum_that_is_locked_unless_it_has_its_own() -> None:
    pinned = Pinned(checksums={"https://example.com/x": "sha256:c"}, strict=True)

    assert pinned.remote("https://example.com/x") == ("https://example.com/x", "sha256:c")
    assert pinned.remote("https://example.com/x", "sha256:d") == ("https://example.com/x", "sha256:d")
    assert pinned.remote("https://example.com/y", "sha256:d") == ("https://example.com/y", "sha256:d")
    for url in ("https://example.com/y", "https://example.com/y.git"):
        with pytest.raises(ImageError, match=r"compose\.lock has nothing for it"):
            pinned.remote(url)
    with pytest.raises(ImageError, match="cannot use `redis:7`"):
        pinned.image(parse("redis:7"))
    assert Pinned().image(parse("redis:7")) == ()
    assert Pinned().remote("https://example.com/y.git") == ("https://example.com/y.git", "")
