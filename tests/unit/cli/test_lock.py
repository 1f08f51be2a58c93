"""Locks as people read them: a changelog, and the software that everybody has."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

from composer.api.messages import ContainerSoftware
from composer.cli.render.lock import changelog
from composer.cli.render.terminal import Screen
from composer.cli.render.toolchain import toolchain_text
from composer.lock.changes import changes
from composer.lock.model import Lock, LockedCommit, LockedPackages
from composer.lock.toolchain import verdicts
from tests.unit.lock.examples import digest, image, whole

SCREEN = Screen(io.StringIO(), tty=False, colour=False)


def test_a_changelog_tells_what_moved_from_where_to_where() -> None:
    moved = replace(image("e", "f"), created=datetime(2025, 5, 28, tzinfo=UTC), size=42_300_000)
    packages = LockedPackages(
        digest("f"), "linux/amd64", {"debian": {"openssl": ("3.0.17",), "curl": ("8",)}, "npm": {}}
    )
    new = Lock(
        {"redis:7": moved, "nginx:1": replace(image("1", "2"), created=None, size=0)},
        {},
        {"https://example.com/tool.git#v1": LockedCommit("e" * 40)},
        {"redis:7": packages},
    )

    assert (
        changelog(SCREEN, changes(whole(), new))
        == f"""\
+ nginx:1  sha256:{"1" * 12}
    from docker.io

~ redis:7  sha256:{"a" * 12} → sha256:{"e" * 12}
    made 2025-03-01 → 2025-05-28, 41MB → 42.3MB, from docker.io
    debian  curl        none → 8
    debian  libstdc++6  12.2 → none
    debian  openssl     3.0.15 → 3.0.17
    npm     semver      5.7.1, 7.5.4 → none

- https://example.com/tool.tar.gz  sha256:{"c" * 12}

~ https://example.com/tool.git#v1  {"d" * 12} → {"e" * 12}
"""
    )
    assert changelog(SCREEN, ()) == ""


def container(name: str, state: str, openssl: str = "3.0.15", reference: str = "redis:7") -> ContainerSoftware:
    packages: dict[str, dict[str, tuple[str, ...]]] = {
        "debian": {"libstdc++6": ("12.2",), "openssl": (openssl,)},
        "npm": {"semver": ("5.7.1", "7.5.4")},
    }
    return ContainerSoftware(name, name.split("-")[1], reference, str(digest("b")), "linux/amd64", state, packages)


def test_a_toolchain_is_what_is_locked_and_what_is_here() -> None:
    found = verdicts(
        whole(),
        [
            container("shop-cache-1", "same"),
            container("shop-cart-1", "same", "3.0.99"),
            container("shop-old-1", "other"),
            container("shop-web-1", "unlocked", reference="shop-web"),
        ],
    )

    assert [each.state for each in found] == ["as locked", "changed inside", "another image", "not locked"]
    assert [each.differs for each in found] == [False, True, True, False]
    whole_text = toolchain_text(SCREEN, whole(), found, ["redis:7"], quiet=False)
    assert whole_text.startswith(
        f"redis:7  sha256:{'a' * 12}\n    debian  libstdc++6  12.2\n    debian  openssl     3.0.15\n"
    )
    quiet = toolchain_text(SCREEN, whole(), found, ["redis:7"], quiet=True)
    assert [line.split()[1] for line in quiet.splitlines() if "shop-" in line and " " in line] == [
        "shop-cart-1",
        "shop-old-1",
    ]
    assert quiet.endswith("shop-cart-1\n    debian  openssl  3.0.15 → 3.0.99\n")
    assert toolchain_text(SCREEN, whole(), found[:1], [], quiet=True) == ""


def test_packages_of_another_platform_may_be_others() -> None:
    arm = replace(container("shop-cache-1", "same", "9"), platform="linux/arm64")

    assert verdicts(whole(), [arm])[0].state == "as locked"


def test_what_comes_from_images_cannot_draw_on_the_terminal() -> None:
    evil = LockedPackages(digest("f"), "linux/amd64", {"npm": {"a": ("1\x1b[31m",)}})
    new = replace(whole(), images={"redis:7": image("e", "f")}, packages={"redis:7": evil})

    assert "\x1b" not in changelog(SCREEN, changes(whole(), new))
    assert "\x1b" not in toolchain_text(SCREEN, new, (), ["redis:7"], quiet=False)
