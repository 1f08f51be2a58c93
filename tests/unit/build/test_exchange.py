import json
from dataclasses import replace
from pathlib import Path

import pytest

from composer.build.cache import Record
from composer.build.exchange.document import FIELD, CacheDocument, read, within
from composer.build.exchange.foreign import refuse_foreign, refuse_foreign_layout
from composer.build.exchange.places import CachePlace, cache_place
from composer.errors import ComposerError, ImageError, UsageError
from composer.image.blobs import Blobs
from composer.oci import media_types
from composer.oci.config import chain_id
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index

BELOW, DIFF = Digest.of(b"below"), Digest.of(b"diff")
RECORD = Record("key", str(chain_id(BELOW, DIFF)), str(DIFF), str(BELOW), 5, 7, 0.0, "[1/2] RUN x", 1.5)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("app:latest", CachePlace("registry", "app:latest")),
        (
            "type=registry,ref=r.example/app:cache,mode=max",
            CachePlace("registry", "r.example/app:cache", everything=True),
        ),
        ("type=local,dest=/cache,ignore-error=true", CachePlace("local", "/cache", may_fail=True)),
        ("type=local,src=/cache", CachePlace("local", "/cache")),
        ("type=inline", CachePlace("inline")),
        ("type=gha", CachePlace("gha")),
    ],
)
def test_places_mean_what_buildkit_means(text: str, place: CachePlace) -> None:
    assert cache_place(text) == place


@pytest.mark.parametrize("text", ["ref=app", "type=registry", "type=local,mode=max"])
def test_places_that_lack_something_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        cache_place(text)


def test_what_a_config_tells_comes_back() -> None:
    empty = Record("empty", str(BELOW), "", str(BELOW), 0, 8, 0.0, "RUN true", 0.0)
    document = CacheDocument((RECORD, empty), (("quick", "key"),))

    config = within(b'{"os":"linux"}', document)

    assert json.loads(config)["os"] == "linux"
    assert read(config, 0.0) == document
    assert read(b'{"os":"linux"}', 0.0) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"records": [{"key": "k"}]},
        {"records": [{"key": "k", "below": "../etc", "diff_id": "", "size": 1, "created": 1}]},
        {"records": {}},
        {"records": [], "aliases": [["only one"]]},
        {"records": [], "aliases": "x"},
        [],
    ],
)
def test_damaged_documents_are_refused(damage: object) -> None:
    with pytest.raises(ComposerError) as caught:
        read(json.dumps({FIELD: damage}).encode(), 0.0)
    assert isinstance(caught.value, ImageError)


def test_a_record_cannot_put_its_layer_in_the_place_of_another() -> None:
    forged = replace(RECORD, chain=str(Digest.of(b"somebody else's")))

    read_back = read(within(b"{}", CacheDocument((forged,))), 0.0)

    assert read_back is not None
    assert read_back.records == (RECORD,)


@pytest.mark.parametrize(
    "document",
    [
        {"config": {"mediaType": media_types.BUILDKIT_CACHE}, "layers": []},
        {"manifests": [{"mediaType": media_types.OCI_LAYER_GZIP}, {"mediaType": media_types.BUILDKIT_CACHE}]},
    ],
)
def test_what_buildkit_wrote_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ImageError, match="BuildKit wrote it"):
        refuse_foreign(json.dumps(document).encode())


def test_a_directory_with_a_cache_of_buildkits_is_refused(tmp_path: Path) -> None:
    index = {"manifests": [{"mediaType": media_types.BUILDKIT_CACHE}]}
    data = json.dumps(index).encode()
    Blobs(tmp_path).put(data)
    (tmp_path / "index.json").write_bytes(Index((Descriptor.of(media_types.OCI_INDEX, data),)).to_bytes())

    with pytest.raises(ImageError, match="BuildKit wrote it"):
        refuse_foreign_layout(tmp_path)


def test_images_are_not_refused() -> None:
    refuse_foreign(b'{"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": []}')
    refuse_foreign(b'{"manifests": []}')
