from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from composer.errors import ImageError, StateError
from composer.image.audit import verify
from composer.image.image import Image
from composer.image.materialise import materialise
from composer.image.ownership import Ownership
from composer.image.save import save
from composer.image.store import Store
from composer.oci import media_types
from composer.oci.config import ImageConfig, chain_id
from composer.oci.descriptor import Descriptor
from composer.oci.manifest import Manifest
from composer.oci.reference import parse
from composer.paths import Paths


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path / "data", tmp_path / "run"))


def changed_tree(path: Path) -> Path:
    """A tree as overlay leaves it in an upper directory: something new, something gone, something replaced."""
    marks = Ownership.of_this_process().overlay_attributes
    (path / "etc/conf.d").mkdir(parents=True)
    (path / "etc/new").write_text("new")
    (path / "etc/conf.d/only").write_text("only")
    os.setxattr(path / "etc/conf.d", marks + "opaque", b"y")
    os.setxattr(path / "etc", marks + "impure", b"y")
    os.mknod(path / "etc/gone", stat.S_IFCHR, os.makedev(0, 0))
    os.link(path / "etc/gone", path / "etc/gone too")  # as overlay shares them
    return path


def built(store: Store, tree: Path) -> Image:
    """An image whose only layer was never written as a blob."""
    with store.adding():
        diff_id, measured = store.snapshots.measure(tree)
        (tree.parent / "made").mkdir()
        tree.rename(tree.parent / "made/fs")
        assert store.snapshots.place(tree.parent / "made", chain_id(None, diff_id), measured)
        config = ImageConfig("amd64", "linux", (diff_id,)).to_bytes()
        store.blobs.put(config)
        size = store.snapshots.size(chain_id(None, diff_id))
        assert size
        layer = Descriptor(media_types.OCI_LAYER, diff_id, size)
        manifest = Manifest(Descriptor.of(media_types.OCI_CONFIG, config), (layer,))
        return store.add(manifest.to_bytes(), parse("built"))


def test_what_was_built_here_is_whole_without_its_blobs(store: Store, tmp_path: Path) -> None:
    image = built(store, changed_tree(tmp_path / "upper"))

    assert store.unpacked(image)
    assert verify(store) == ()
    assert (image.layers[0] / "etc/new").read_text() == "new"


def test_its_blob_is_written_when_needed_with_whiteouts_and_unpacks_to_the_same_layer(
    store: Store, tmp_path: Path
) -> None:
    image = built(store, changed_tree(tmp_path / "upper"))

    with store.adding():
        materialise(store, image)
        materialise(store, image)

    layer = image.config.diff_ids[0]
    assert verify(store) == ()
    names = store.blobs.path(layer).read_bytes()
    for name in (b"etc/.wh.gone\0", b"etc/.wh.gone too\0", b"etc/conf.d/.wh..wh..opq\0"):
        assert name in names
    assert b"overlay" not in names
    store.snapshots.remove(chain_id(None, layer))
    store.unpack(image)
    assert stat.S_ISCHR((image.layers[0] / "etc/gone").lstat().st_mode)
    assert (image.layers[0] / "etc/new").read_text() == "new"


def test_it_is_saved_like_any_other(store: Store, tmp_path: Path) -> None:
    built(store, changed_tree(tmp_path / "upper"))

    save(store, ["built"], tmp_path / "saved.tar")


def test_a_snapshot_that_was_changed_is_not_passed_on(store: Store, tmp_path: Path) -> None:
    image = built(store, changed_tree(tmp_path / "upper"))
    (image.layers[0] / "etc/new").write_text("changed")

    with pytest.raises(ImageError, match="its unpacked files have changed"), store.adding():
        materialise(store, image)

    assert not store.blobs.path(image.config.diff_ids[0]).exists()


def test_a_newer_store_is_refused(store: Store, tmp_path: Path) -> None:
    built(store, changed_tree(tmp_path / "upper"))
    (store.layout / "composer.json").write_text('{"version": 2}')

    with pytest.raises(StateError, match="it has version 2, this composer knows versions up to 1"):
        store.list()
