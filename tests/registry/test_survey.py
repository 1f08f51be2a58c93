"""What a registry means by a name, for all platforms, at the cost of few requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from composer.errors import ComposerError, ImageError, RegistryError
from composer.lock.model import measured_platform
from composer.oci import media_types
from composer.oci.digest import Digest
from composer.oci.platform import this_platform
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.survey import Survey, Surveyor
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.make.image import Made, entry, tar
from tests.make.registry import Registry
from tests.registry.conftest import Home

IMAGE = Made(
    (tar(entry("a", b"content" * 1000)),), settings={"created": "2025-03-01T12:00:00.123456789Z"}, compress=True
)
MANIFEST = Digest.of(IMAGE.manifest.to_bytes())
HERE = str(this_platform())


def survey(home: Home, reference: str) -> Survey:
    async def ask() -> Survey:
        async with Surveyor.open(Access.of(home.environment), home.clock, "lock") as surveyor:
            return await surveyor.survey(parse(reference), measured_platform)

    return asyncio.run(ask())


def digest(home: Home, reference: str) -> Digest:
    async def ask() -> Digest:
        async with Surveyor.open(Access.of(home.environment), home.clock) as surveyor:
            return await surveyor.digest(parse(reference))

    return asyncio.run(ask())


def described(
    manifest: Digest, platform: Mapping[str, str] | None, media_type: str = media_types.OCI_MANIFEST, size: int = 1
) -> dict[str, Any]:
    """An entry of an index."""
    data = {"mediaType": media_type, "digest": str(manifest), "size": size}
    return data | ({"platform": dict(platform)} if platform else {})


def index(*entries: Mapping[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()


@pytest.fixture(scope="module", autouse=True)
def pushed(registry: Registry) -> None:
    registry.push(IMAGE, "app:1")


def answers(proxy: FaultyProxy, documents: Mapping[str, bytes]) -> None:
    """Let manifests by tag or digest be these documents; all others are the registry's own."""
    for name, data in documents.items():
        headers = {"Content-Type": media_types.OCI_INDEX, "Docker-Content-Digest": ""}
        proxy.faults.append(Fault(f"GET .*/manifests/{name}$", times=99, status=200, headers=headers, body=data))


def test_an_image_without_an_index_has_the_platform_of_its_config(home: Home, registry: Registry) -> None:
    found = survey(home, f"{registry.name}/app:1")

    assert found.digest == MANIFEST
    assert found.platforms == {HERE: MANIFEST}
    assert found.source == registry.name
    assert found.created == "2025-03-01T12:00:00.123456789Z"
    assert found.size == sum(map(len, IMAGE.blobs))


def test_an_index_tells_all_platforms_of_linux_and_no_attestations(home: Home, proxy: FaultyProxy) -> None:
    other = Digest.of(b"other")
    document = index(
        described(MANIFEST, {"os": "linux", "architecture": "amd64"}),
        described(other, {"os": "linux", "architecture": "arm", "variant": "v7"}),
        described(Digest.of(b"windows"), {"os": "windows", "architecture": "amd64"}),
        described(Digest.of(b"attestation"), {"os": "unknown", "architecture": "unknown"}),
        described(Digest.of(b"twice"), {"os": "linux", "architecture": "amd64"}),
        described(Digest.of(b"something"), {"os": "linux", "architecture": "arm64"}, "application/x-helm"),
    )
    answers(proxy, {"many": document})

    found = survey(home, f"{proxy.name}/app:many")

    assert found.digest == Digest.of(document)
    assert found.platforms == {"linux/amd64": MANIFEST, "linux/arm/v7": other}
    assert found.size == sum(map(len, IMAGE.blobs))
    assert proxy.asked("GET .*/manifests/") == 2  # the index, and one manifest to measure


def test_what_says_no_platform_is_asked_and_what_is_nested_is_opened(home: Home, proxy: FaultyProxy) -> None:
    inner = index(described(MANIFEST, None))
    outer = index(described(Digest.of(inner), None, media_types.OCI_INDEX))
    answers(proxy, {"nested": outer, str(Digest.of(inner)): inner})

    assert survey(home, f"{proxy.name}/app:nested").platforms == {HERE: MANIFEST}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (index(), "no image for Linux behind it"),
        (index(described(MANIFEST, {"os": "windows", "architecture": "amd64"})), "no image for Linux behind it"),
        (index(*[described(MANIFEST, {"os": "linux", "architecture": "amd64"})] * 201), "its index has 201 entries"),
        (b"[]", "expected an object"),
        (b"{", "not JSON"),
    ],
)
def test_an_index_of_no_use_is_refused(home: Home, proxy: FaultyProxy, document: bytes, words: str) -> None:
    answers(proxy, {"bad": document})

    with pytest.raises(ImageError, match=words):
        survey(home, f"{proxy.name}/app:bad")


def test_an_index_that_leads_in_circles_is_left(home: Home, proxy: FaultyProxy) -> None:
    """It cannot hold its own digest, but a registry that lies about content can send anything for anything."""
    third = index(described(Digest.of(b"fourth"), None, media_types.OCI_INDEX))
    second = index(described(Digest.of(third), None, media_types.OCI_INDEX))
    first = index(described(Digest.of(second), None, media_types.OCI_INDEX))
    answers(proxy, {"deep": first, str(Digest.of(second)): second, str(Digest.of(third)): third})

    with pytest.raises(ImageError, match="nested too deep"):
        survey(home, f"{proxy.name}/app:deep")


def test_a_manifest_that_is_not_what_its_index_says_is_refused(home: Home, proxy: FaultyProxy) -> None:
    document = index(described(Digest.of(b"another"), {"os": "linux", "architecture": "amd64"}))
    answers(proxy, {"lying": document, str(Digest.of(b"another")): index()})

    with pytest.raises(ComposerError, match="sent a manifest with the digest"):
        survey(home, f"{proxy.name}/app:lying")


def test_a_digest_is_asked_for_without_the_content(home: Home, proxy: FaultyProxy) -> None:
    assert digest(home, f"{proxy.name}/app:1") == MANIFEST
    assert proxy.asked("GET .*/manifests/") == 0

    proxy.faults.append(Fault("HEAD .*/manifests/", status=405))
    assert digest(home, f"{proxy.name}/app:1") == MANIFEST
    assert proxy.asked("GET .*/manifests/") == 1


def test_a_mirror_is_asked_first_and_named(home: Home, proxy: FaultyProxy, registry: Registry) -> None:
    home.settings(f'[registry."registry.test"]\nmirrors = ["http://{proxy.name}"]\n')

    assert survey(home, "registry.test/app:1").source == proxy.name


def test_what_cannot_be_locked_says_so(home: Home, registry: Registry) -> None:
    with pytest.raises(RegistryError, match=f"cannot lock `{registry.name}/nothing:1`: .* has no such"):
        survey(home, f"{registry.name}/nothing:1")
