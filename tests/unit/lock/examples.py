"""Locks and uses for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from composer.lock.model import Lock, LockedCommit, LockedDownload, LockedImage, LockedPackages
from composer.lock.uses import Use, Uses
from composer.oci.digest import Digest

THEN = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


def digest(digit: str) -> Digest:
    return Digest("sha256", digit * 64)


def image(index: str = "a", manifest: str = "b", by: tuple[str, ...] = ("cache",)) -> LockedImage:
    """An image of one platform."""
    return LockedImage(digest(index), {"linux/amd64": digest(manifest)}, THEN, 41_000_000, "docker.io", THEN, by)


def whole() -> Lock:
    """A lock with one of everything."""
    return Lock(
        {"redis:7": image()},
        {"https://example.com/tool.tar.gz": LockedDownload(digest("c"), THEN, ("web/Dockerfile",))},
        {"https://example.com/tool.git#v1": LockedCommit("d" * 40, THEN, ("web/Dockerfile",))},
        {
            "redis:7": LockedPackages(
                digest("b"),
                "linux/amd64",
                {"debian": {"libstdc++6": ("12.2",), "openssl": ("3.0.15",)}, "npm": {"semver": ("5.7.1", "7.5.4")}},
            )
        },
    )


def uses(**services: str) -> Uses:
    """What services with these images need."""
    images: dict[str, list[Use]] = {}
    for service, name in services.items():
        images.setdefault(name.replace("__", ":"), []).append(Use(service, service))
    return Uses(images)
