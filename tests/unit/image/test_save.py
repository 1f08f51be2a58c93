from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from composer.errors import ImageError
from composer.image.image import Image
from composer.image.importing import import_rootfs
from composer.image.load import load
from composer.image.save import save
from composer.image.store import Store
from composer.paths import Paths
from tests.make.image import entry, tar


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path / "data", tmp_path / "run"))


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Image:
    rootfs = tmp_path / "rootfs.tar"
    rootfs.write_bytes(tar(entry("file", b"content", mtime=1_600_000_000)))
    return import_rootfs(store, rootfs, "app")


def test_what_was_saved_is_loaded_elsewhere_as_the_same_image_with_all_its_names(
    store: Store, image: Image, tmp_path: Path
) -> None:
    store.tag("app", "registry.test/other:2")
    archive = tmp_path / "saved.tar"
    save(store, ["app", "registry.test/other:2"], archive)

    elsewhere = Store(Paths(tmp_path / "elsewhere", tmp_path / "run"))
    loaded = load(elsewhere, archive)

    assert {each.id for each in loaded} == {image.id}
    assert {each.name for each in loaded} == {"app", "registry.test/other:2"}


def test_the_same_images_give_the_same_bytes(store: Store, image: Image, tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        save(store, ["app"], tmp_path / name)

    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_reads_it_in_both_formats(store: Store, image: Image, tmp_path: Path, transport: str) -> None:
    save(store, ["app"], tmp_path / "saved.tar")

    shown = subprocess.run(
        ["skopeo", "inspect", "--config", f"{transport}:{tmp_path / 'saved.tar'}"], capture_output=True, check=True
    )

    assert json.loads(shown.stdout)["rootfs"]["diff_ids"] == [str(each) for each in image.config.diff_ids]


def test_docker_is_told_the_whole_name(store: Store, image: Image, tmp_path: Path) -> None:
    save(store, ["app"], tmp_path / "saved.tar")

    with tarfile.open(tmp_path / "saved.tar") as archive:
        (item,) = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))

    assert item["RepoTags"] == ["app:latest"]


def test_a_damaged_layer_is_not_saved_and_the_former_archive_stays(store: Store, image: Image, tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar"
    archive.write_bytes(b"former")
    for blob in (store.layout / "blobs/sha256").iterdir():
        if blob.read_bytes()[:1] != b"{":
            blob.write_bytes(bytes(blob.stat().st_size))

    with pytest.raises(ImageError, match="another digest"):
        save(store, ["app"], archive)

    assert archive.read_bytes() == b"former"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_the_embedded_image_and_missing_ones_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot save `host`"):
        save(store, ["host"], tmp_path / "saved.tar")
    with pytest.raises(ImageError, match="cannot find image `nothing`"):
        save(store, ["nothing"], tmp_path / "saved.tar")
