from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from composer.errors import ImageError
from composer.image.audit import verify
from composer.image.image import Image
from composer.image.importing import import_rootfs
from composer.image.remove import prune, remove
from composer.image.store import Store
from composer.oci.descriptor import Descriptor
from composer.oci.manifest import Manifest
from composer.oci.media_types import OCI_CONFIG, OCI_LAYER
from composer.oci.reference import parse
from composer.paths import Paths
from tests.make.image import entry, tar


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path / "data", tmp_path / "run"))


def add(store: Store, reference: str, content: str = "x") -> Image:
    path = store.layout.parent.parent / "rootfs.tar"
    path.write_bytes(tar(entry("file", content.encode(), mtime=1_600_000_000)))
    return import_rootfs(store, path, reference)


def blob_of_layer(store: Store, image: Image) -> Path:
    assert image.manifest
    return store.blobs.path(Manifest.parse(store.blobs.path(image.manifest).read_bytes()).layers[0].digest)


def test_a_sound_store_has_no_damage(store: Store) -> None:
    add(store, "app:1")

    assert verify(store) == ()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda blob: blob.write_bytes(bytes(blob.stat().st_size)), "another content"),
        (lambda blob: blob.write_bytes(b"short"), "5 bytes instead of"),
    ],
)
def test_a_damaged_layer_is_named_and_with_repair_brought_in_again(store: Store, damage, problem) -> None:  # type: ignore[no-untyped-def]
    image = add(store, "app:1")
    add(store, "other:1", "y")
    damage(blob_of_layer(store, image))

    (found,) = verify(store, repair=True)

    assert found.image == "app:1"
    assert problem in found.problem
    assert "compose image verify --repair app:1" in found.hint
    assert not blob_of_layer(store, image).exists()
    add(store, "app:1")
    assert blob_of_layer(store, image).exists()
    assert verify(store) == ()


def test_an_unpacked_layer_that_changed_is_named_and_unpacked_again_unless_a_container_uses_it(store: Store) -> None:
    image = add(store, "app:1")
    file = store.snapshots.path(next(iter(store.snapshots.all()))) / "file"
    file.write_text("y")

    (found,) = verify(store, repair=True, users=lambda: {image.id: ["web-1"]})
    assert "unpacked with another `file`" in found.problem
    assert file.read_text() == "y"

    verify(store, repair=True)
    store.unpack(image)
    assert file.read_text() == "x"
    assert verify(store) == ()


def test_a_layer_that_was_built_and_changed_is_named_and_deleted_to_be_built_again(store: Store) -> None:
    image = add(store, "app:1")
    chain = next(iter(store.snapshots.all()))
    assert image.manifest
    digest, _ = store.snapshots.measure(store.snapshots.path(chain))
    config = replace(image.config, diff_ids=(digest,)).to_bytes()
    layer = Descriptor(OCI_LAYER, digest, 0)
    with store.adding():
        store.blobs.put(config)
        store.snapshots.move(chain, digest)
        store.snapshots.keep(digest)
        store.add(Manifest(Descriptor.of(OCI_CONFIG, config), (layer,)).to_bytes(), parse("app:1"))
    assert verify(store, ["app:1"]) == ()

    (store.snapshots.path(digest) / "file").write_text("y")
    (found,) = verify(store, ["app:1"], repair=True)
    assert "is not what its digest says" in found.problem
    assert not store.snapshots.has(digest)


def test_only_the_images_asked_for_are_read(store: Store) -> None:
    image = add(store, "app:1")
    add(store, "other:1", "y")
    blob_of_layer(store, image).write_bytes(b"")

    assert verify(store, ["other:1"]) == ()
    with pytest.raises(ImageError, match="cannot find image"):
        verify(store, ["nothing"])


def test_a_layer_that_is_neither_stored_nor_unpacked_is_missing(store: Store) -> None:
    image = add(store, "app:1")
    blob_of_layer(store, image).unlink()
    (found,) = verify(store, repair=True)
    assert "it can be neither saved nor pushed" in found.problem
    assert store.unpacked(image)  # it runs, and may be all that there is of it

    for chain in store.snapshots.all():
        store.snapshots.remove(chain)

    assert "is missing" in verify(store)[0].problem


def test_a_damaged_manifest_spoils_no_listing_and_can_be_removed(store: Store) -> None:
    image = add(store, "app:1")
    add(store, "other:1", "y")
    assert image.manifest
    store.blobs.path(image.manifest).write_bytes(b"{}")

    (first, second) = store.list()
    assert first.damage
    assert not second.damage
    assert verify(store)[0].image == "app:1"
    with pytest.raises(ImageError, match="may have been made from it"):
        remove(store, "app:1", lambda: {image.id: ["web-1"]})
    assert prune(store).names == ()
    assert remove(store, "app:1") == ("app:1",)
    assert [record.damage for record in store.list()] == [""]
