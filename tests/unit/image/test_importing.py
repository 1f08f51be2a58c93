from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from composer.errors import ImageError, UsageError
from composer.image.importing import import_rootfs
from composer.image.store import Store
from composer.oci.manifest import Manifest
from composer.oci.media_types import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD
from composer.oci.platform import this_platform
from composer.paths import Paths
from tests.make.image import busybox_rootfs, directory, entry, import_busybox, tar

ROOTFS = tar(directory("bin"), entry("bin/sh", b"shell", mode=0o755, mtime=1_600_000_000), entry("etc/passwd", b"root"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path / "data", tmp_path / "run"))


@pytest.mark.parametrize(
    ("compress", "media_type"),
    [
        (bytes, OCI_LAYER),
        (gzip.compress, OCI_LAYER_GZIP),
        (zstandard.compress, OCI_LAYER_ZSTD),
        (lzma.compress, OCI_LAYER),
        (bz2.compress, OCI_LAYER),
    ],
)
def test_an_archive_becomes_an_image_of_one_layer(
    store: Store, tmp_path: Path, compress: Callable[[bytes], bytes], media_type: str
) -> None:
    (tmp_path / "rootfs").write_bytes(compress(ROOTFS))
    image = import_rootfs(store, tmp_path / "rootfs", "app", ['CMD ["sh"]'])

    assert str(image.reference) == "docker.io/library/app:latest"
    assert image.config.cmd == ("sh",)
    assert image.config.env == ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    assert image.config.architecture == this_platform().architecture
    assert image.config.created == "2020-09-13T12:26:40Z"
    assert [(layer / "bin/sh").read_bytes() for layer in image.layers] == [b"shell"]
    assert store.find("app:latest") == image
    assert image.manifest
    assert Manifest.parse(store.blobs.path(image.manifest).read_bytes()).layers[0].media_type == media_type


def test_a_directory_becomes_an_image(store: Store, tmp_path: Path) -> None:
    image = import_busybox(store, tmp_path)

    assert (image.layers[0] / "bin/sh").readlink() == Path("busybox")
    assert image.name == "busybox"


def test_importing_the_same_again_gives_the_same_image(store: Store, tmp_path: Path) -> None:
    (tmp_path / "one.tar").write_bytes(ROOTFS)
    (tmp_path / "two.tar.gz").write_bytes(gzip.compress(ROOTFS))
    first = import_rootfs(store, tmp_path / "one.tar", "app")
    second = import_rootfs(store, tmp_path / "two.tar.gz", "app")
    tree = busybox_rootfs(tmp_path / "tree")
    third, fourth = import_rootfs(store, tree, "tree"), import_rootfs(store, tree, "tree")

    assert first.id == second.id
    assert third == fourth


def test_importing_over_a_name_keeps_the_image_that_had_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "one.tar").write_bytes(ROOTFS)
    old = import_rootfs(store, tmp_path / "one.tar", "app")
    (tmp_path / "two.tar").write_bytes(tar(entry("new")))
    new = import_rootfs(store, tmp_path / "two.tar", "app")

    found = store.find("app")
    assert found
    assert found.id == new.id
    assert store.find(old.id)
    assert [str(record.reference) for record in store.list()] == ["docker.io/library/app:latest", "None"]


@pytest.mark.parametrize("reference", ["host", "host:1", "docker.io/library/host"])
def test_the_embedded_images_name_is_refused(store: Store, tmp_path: Path, reference: str) -> None:
    (tmp_path / "one.tar").write_bytes(ROOTFS)

    with pytest.raises(ImageError, match="reserved"):
        import_rootfs(store, tmp_path / "one.tar", reference)


def test_a_digest_cannot_be_chosen(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="a digest cannot be chosen"):
        import_rootfs(store, tmp_path, "app@sha256:" + "a" * 64)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "there is nothing in it"),
        (bytes(10240), "there is nothing in it"),
        (b"not a tar" * 1000, "not a tar archive"),
        (ROOTFS[:1400], "truncated"),
        (tar(entry("../../escape", b"evil")), "not allowed"),
        (tar(entry("oci-layout", b"{}"), entry("index.json", b"{}")), "it holds saved images"),
        (None, "no such file or directory"),
    ],
)
def test_what_cannot_be_imported_is_an_error_and_leaves_nothing(
    store: Store, tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "rootfs.tar"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ImageError) as caught:
        import_rootfs(store, path, "app")

    assert caught.value.message.startswith(f"cannot import `{path}`: ")
    assert why in caught.value.message
    assert store.list() == ()
    assert store.find("app") is None
    assert [*(tmp_path / "data/images/blobs/sha256").glob("*"), *(tmp_path / "data/snapshots").glob("*")] == []


def test_a_wrong_change_is_refused_before_anything_is_read(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        import_rootfs(store, tmp_path / "missing", "app", ["RUN make"])

    assert not (tmp_path / "data").exists()
