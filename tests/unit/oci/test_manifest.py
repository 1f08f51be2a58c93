from __future__ import annotations

import json
from typing import Any

import pytest

from composer.errors import ImageError
from composer.oci import media_types
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, choose

CONFIG = Descriptor.of(media_types.OCI_CONFIG, b"{}")
LAYER = Descriptor.of(media_types.OCI_LAYER_GZIP, b"layer")


def document(**changes: Any) -> bytes:
    content = json.loads(Manifest(CONFIG, (LAYER,)).to_bytes())
    return json.dumps({key: value for key, value in {**content, **changes}.items() if value is not ...}).encode()


def test_a_manifest_reads_back_as_itself() -> None:
    manifest = Manifest(CONFIG, (LAYER, LAYER), annotations={"a": "b"})

    assert Manifest.parse(manifest.to_bytes()) == manifest


def test_dockers_manifest_is_understood() -> None:
    config = {"mediaType": media_types.DOCKER_CONFIG, "digest": str(CONFIG.digest), "size": 2}
    layer = {"mediaType": media_types.DOCKER_LAYER_GZIP, "digest": str(LAYER.digest), "size": 5}

    manifest = Manifest.parse(document(mediaType=media_types.DOCKER_MANIFEST, config=config, layers=[layer]))

    assert manifest.media_type == media_types.DOCKER_MANIFEST
    assert manifest.layers[0].digest == LAYER.digest


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"schemaVersion": 1}, "schema version 2"),
        ({"schemaVersion": True}, "`schemaVersion`: expected a number"),
        ({"config": ...}, "`digest`: expected a string, got nothing"),
        ({"config": {"mediaType": "application/vnd.in-toto+json", "digest": str(CONFIG.digest), "size": 2}}, "in-toto"),
        ({"config": {**CONFIG.to_json(), "size": -1}}, "`size`: expected a number that is not negative"),
        ({"config": {**CONFIG.to_json(), "size": "2"}}, "`size`: expected a number"),
        ({"layers": "no"}, "`layers`: expected a list, got a string"),
        ({"layers": [[]]}, "`layers`: expected an object, got a list"),
        ({"layers": [LAYER.to_json()] * 501}, "501 layers are more than 500"),
        (
            {"layers": [{**LAYER.to_json(), "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar"}]},
            "foreign",
        ),
        ({"layers": [{**LAYER.to_json(), "annotations": {"a": 1}}]}, "`a`: expected a string"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ImageError) as caught:
        Manifest.parse(document(**changes))

    assert why in caught.value.message


@pytest.mark.parametrize("data", [b"", b"[", b"[]", b"null", b"\xff", b"[" * 100_000, b"{" + b" " * 5_000_000 + b"}"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="cannot read"):
        Manifest.parse(data)


def platform(os: str, architecture: str, variant: str = "") -> Descriptor:
    digest = Digest.of(f"{os}{architecture}{variant}".encode())
    return Descriptor(media_types.OCI_MANIFEST, digest, 1, platform=Platform(architecture, os, variant))


def test_an_index_reads_back_as_itself() -> None:
    index = Index((platform("linux", "arm", "v7").annotated({"k": "v"}),))

    assert Index.parse(index.to_bytes()) == index


def test_the_manifest_of_the_machines_platform_is_chosen_the_exact_variant_first() -> None:
    amd64, old, new = platform("linux", "amd64"), platform("linux", "arm", "v6"), platform("linux", "arm", "v7")
    windows, unnamed = platform("windows", "amd64"), Descriptor.of(media_types.OCI_MANIFEST, b"?")

    assert choose((windows, old, new, amd64), Platform("amd64", "linux")) == amd64
    assert choose((windows, old, new, amd64), Platform("arm", "linux", "v7")) == new
    assert choose((amd64, new), Platform("arm", "linux", "v8")) == new
    assert choose((windows, unnamed), Platform("amd64", "linux")) == unnamed
    assert choose((windows, old), Platform("amd64", "linux")) is None
