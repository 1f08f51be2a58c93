from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from composer.errors import ImageError
from composer.image.load import load, load_one
from composer.image.root import read_file
from composer.image.store import Store
from composer.oci.digest import Digest
from composer.oci.media_types import OCI_INDEX
from composer.oci.platform import this_platform
from composer.oci.reference import parse
from composer.paths import Paths
from tests.make.image import Made, docker_archive, entry, oci_archive, oci_layout, symlink, tar

BASE = tar(entry("etc/base", b"base", mtime=1_600_000_000), entry("gone"))
TOP = tar(entry("etc/top", b"top"), entry(".wh.gone"))
APP = Made((BASE, TOP), ("app:1", "app:2"), {"cmd": ("serve",), "created": "2024-01-01T00:00:00Z"})
OTHER = Made((BASE,), ("ghcr.io/owner/other:latest",), compress=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path / "data", tmp_path / "run"))


def rewritten(path: Path, change: dict[str, Any]) -> Path:
    """The archive with files replaced: by bytes, a link's target, or nothing (None)."""
    entries = []
    with tarfile.open(path) as archive:
        for info in archive:
            if info.name not in change:
                file = archive.extractfile(info)
                entries.append((info, file.read() if file else b""))
    for name, value in change.items():
        if isinstance(value, bytes):
            entries.append(entry(name, value))
        elif value is not None:
            entries.append(symlink(name, value))
    path.write_bytes(tar(*entries))
    return path


def save(kind: str, path: Path) -> Path:
    match kind:
        case "oci directory":
            return oci_layout(path, [APP, OTHER])
        case "oci archive":
            return oci_archive(path, [APP, OTHER])
        case "docker archive":
            return docker_archive(path, [APP, OTHER])
        case _:
            return docker_archive(path, [APP, OTHER], combined=True)


@pytest.mark.parametrize("kind", ["oci directory", "oci archive", "docker archive", "combined archive"])
def test_every_image_of_an_archive_is_loaded_under_all_its_names(store: Store, tmp_path: Path, kind: str) -> None:
    images = load(store, save(kind, tmp_path / "saved"))

    assert [image.name for image in images] == ["app:1", "app:2", "ghcr.io/owner/other"]
    assert [image.id for image in images] == [str(Digest.of(made.config)) for made in (APP, APP, OTHER)]
    for image in images:
        assert store.find(image.name) == image
        assert read_file(image.layers, "/etc/base") == b"base"
    assert images[0].config.cmd == ("serve",)
    assert read_file(images[0].layers, "/etc/top") == b"top"
    assert read_file(images[0].layers, "/gone") is None
    assert len(images[0].layers) == 2


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_archive_is_loaded_too(store: Store, tmp_path: Path, compress: Any) -> None:
    path = docker_archive(tmp_path / "saved.tar", [APP])
    path.write_bytes(compress(path.read_bytes()))

    assert [image.name for image in load(store, path)] == ["app:1", "app:2"]


def test_loading_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "saved.tar", [APP, OTHER])

    assert load(store, path) == load(store, path)
    assert len(store.list()) == 3


def test_one_image_of_a_layout_is_had_without_its_names(store: Store, tmp_path: Path) -> None:
    load(store, oci_archive(tmp_path / "mine.tar", [Made((TOP,), APP.names)]))
    mine = store.find("app:1")
    layout = oci_layout(tmp_path / "layout", [OTHER, APP])

    assert load_one(store, layout, tag="3") is None
    image = load_one(store, layout, tag="2")
    other = load_one(store, layout, digest=str(Digest.of(OTHER.manifest.to_bytes())))

    assert mine
    assert image
    assert other
    assert (image.manifest, other.manifest) == (
        Digest.of(APP.manifest.to_bytes()),
        Digest.of(OTHER.manifest.to_bytes()),
    )
    assert store.find(image.id)
    assert store.find("app:2") == replace(mine, reference=parse("app:2"))
    assert store.find("ghcr.io/owner/other") is None


def test_an_oci_manifest_keeps_its_digest(store: Store, tmp_path: Path) -> None:
    images = load(store, oci_archive(tmp_path / "saved.tar", [APP]))

    assert images[0].manifest == Digest.of(APP.manifest.to_bytes())


def test_a_bare_tag_takes_the_archives_name(store: Store, tmp_path: Path) -> None:
    tagged, unnamed = Made((BASE,), ("7.2",)), Made((TOP,), ())
    images = load(store, oci_layout(tmp_path / "redis.oci", [tagged, unnamed]))

    assert [image.name for image in images] == ["redis:7.2", "redis"]


def test_an_image_without_a_name_is_found_by_its_id(store: Store, tmp_path: Path) -> None:
    images = load(store, docker_archive(tmp_path / "saved.tar", [Made((BASE,), ())]))

    assert images[0].reference is None
    assert store.find(images[0].name) == images[0]


def test_layers_shared_by_symlink_are_loaded(store: Store, tmp_path: Path) -> None:
    made = Made((BASE,), ("app",))
    layer = f"{Digest.of(BASE).hex}/layer.tar"
    path = rewritten(
        docker_archive(tmp_path / "saved.tar", [made]), {"real/layer.tar": BASE, layer: "../real/layer.tar"}
    )

    assert read_file(load(store, path)[0].layers, "/etc/base") == b"base"


def test_the_image_for_this_platform_is_chosen(store: Store, tmp_path: Path) -> None:
    layout = oci_layout(tmp_path / "app", [APP])
    index = json.loads((layout / "index.json").read_text())
    ours = {
        **index["manifests"][0],
        "platform": {"os": "linux", "architecture": json.loads(APP.config)["architecture"]},
    }
    foreign = {**ours, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "pdp11"}}
    inner = json.dumps({"schemaVersion": 2, "manifests": [foreign, ours]}).encode()
    (layout / "blobs/sha256" / Digest.of(inner).hex).write_bytes(inner)
    outer = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": str(Digest.of(inner)),
        "size": len(inner),
        "annotations": {"org.opencontainers.image.ref.name": "example.com/multi:1"},
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [outer]}))

    assert [image.name for image in load(store, layout)] == ["example.com/multi:1"]

    inner = json.dumps({"schemaVersion": 2, "manifests": [foreign]}).encode()
    (layout / "blobs/sha256" / Digest.of(inner).hex).write_bytes(inner)
    outer |= {"digest": str(Digest.of(inner)), "size": len(inner)}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [outer]}))
    with pytest.raises(ImageError, match="is not there for linux/"):
        load(store, layout)


def blob(data: bytes) -> str:
    return f"blobs/sha256/{Digest.of(data).hex}"


LARGER = BASE + bytes(512)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({blob(BASE): TOP}, "its content is"),
        ({blob(BASE): LARGER}, "its content is"),
        ({blob(BASE): BASE[:600]}, "truncated"),
        ({blob(BASE): None}, "has no such file"),
        ({blob(APP.config): APP.config + b" "}, "not what the digest or size says"),
        ({blob(APP.config): None}, "has no such file"),
        ({blob(APP.manifest.to_bytes()): b"{}"}, "not what the digest or size says"),
        ({"index.json": b"{"}, "not JSON"),
        ({"index.json": None}, "neither `index.json` nor `manifest.json`"),
        ({blob(BASE): "/etc/passwd"}, "has no such file"),
        ({blob(BASE): "../../../../etc/passwd"}, "has no such file"),
        ({blob(BASE): blob(BASE).rpartition("/")[2]}, "has no such file"),
    ],
)
def test_a_lying_oci_archive_is_refused(store: Store, tmp_path: Path, change: dict[str, Any], why: str) -> None:
    path = rewritten(oci_archive(tmp_path / "saved.tar", [APP]), change)

    with pytest.raises(ImageError) as caught:
        load(store, path)

    assert caught.value.message.startswith(f"cannot load `{path}`: ")
    assert why in caught.value.message
    assert store.list() == ()
    assert list(store.snapshots.all()) == list(store.blobs.all()) == []


def test_a_layer_whose_compressed_bytes_differ_is_refused(store: Store, tmp_path: Path) -> None:
    name = blob(OTHER.blobs[0])
    path = rewritten(oci_archive(tmp_path / "saved.tar", [OTHER]), {name: gzip.compress(BASE, 1, mtime=7)})

    with pytest.raises(ImageError, match="its content has the digest"):
        load(store, path)


def item(**changes: Any) -> bytes:
    config = f"{Digest.of(APP.config).hex}.json"
    layers = [f"{Digest.of(layer).hex}/layer.tar" for layer in APP.layers]
    return json.dumps([{"Config": config, "RepoTags": ["app:1"], "Layers": layers, **changes}]).encode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"manifest.json": b"{}"}, "no list of images"),
        ({"manifest.json": b"[1]"}, "expected an object"),
        ({"manifest.json": item(Config="missing.json")}, "has no such file"),
        ({"manifest.json": item(Config="../../etc/passwd")}, "has no such file"),
        ({"manifest.json": item(Layers=["../../etc/passwd"])}, "1 layers, its config names 2"),
        ({"manifest.json": item(Layers=["../../etc/passwd"] * 2)}, "has no such file"),
        ({"manifest.json": item(RepoTags=["Not A Name"])}, "as an image reference"),
        ({"manifest.json": item(RepoTags=["host:latest"])}, "reserved"),
        ({f"{Digest.of(APP.config).hex}.json": b"{}"}, "has the digest"),
        ({f"{Digest.of(TOP).hex}/layer.tar": BASE}, "its content is"),
    ],
)
def test_a_lying_docker_archive_is_refused(store: Store, tmp_path: Path, change: dict[str, Any], why: str) -> None:
    path = rewritten(docker_archive(tmp_path / "saved.tar", [APP]), change)

    with pytest.raises(ImageError) as caught:
        load(store, path)

    assert why in caught.value.message
    assert store.list() == ()


def test_a_directory_that_names_files_outside_of_it_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/manifest.json").write_bytes(item(Config="../secret"))

    with pytest.raises(ImageError, match=r"`\.\./secret`: the archive has no such file"):
        load(store, tmp_path / "saved")


def test_a_root_file_system_is_told_from_an_image(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rootfs.tar"
    path.write_bytes(BASE)

    with pytest.raises(ImageError) as caught:
        load(store, path)
    assert "compose image import" in caught.value.hint


@pytest.mark.parametrize("content", [b"text" * 500, b"\x1f\x8bbroken", gzip.compress(b"x" * 5000, mtime=0)[:40], None])
def test_what_is_no_archive_is_an_error(store: Store, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved").write_bytes(content)

    with pytest.raises(ImageError, match="cannot load"):
        load(store, tmp_path / "saved")


def test_an_image_for_another_system_is_refused(store: Store, tmp_path: Path) -> None:
    windows = json.dumps({**json.loads(APP.config), "os": "windows"}).encode()
    change = {f"{Digest.of(windows).hex}.json": windows, "manifest.json": item(Config=f"{Digest.of(windows).hex}.json")}
    path = rewritten(docker_archive(tmp_path / "saved.tar", [APP]), change)

    with pytest.raises(ImageError, match="for windows, not for Linux"):
        load(store, path)


@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive", "oci"])
def test_what_skopeo_saves_is_loaded(store: Store, tmp_path: Path, kind: str) -> None:
    layout = oci_layout(tmp_path / "layout", [Made((BASE, TOP), ("app:1",))])
    target = f"{kind}:{tmp_path / 'saved'}:docker.io/library/app:1"
    subprocess.check_call(["skopeo", "copy", "-q", f"oci:{layout}:app:1", target])

    images = load(store, tmp_path / "saved")

    assert [image.name for image in images] == ["app:1"]
    assert read_file(images[0].layers, "/etc/top") == b"top"


@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
@pytest.mark.parametrize("options", [(), ("--all",), ("--format", "v2s2")])
def test_a_directory_of_skopeo_has_the_image_as_a_registry_had_it(
    store: Store, tmp_path: Path, options: tuple[str, ...]
) -> None:
    layout = oci_layout(tmp_path / "layout", [Made((BASE, TOP), ("app:1",))])
    if "--all" in options:
        as_index(layout)
    source, target = f"oci:{layout}:app:1", f"dir:{tmp_path / 'app'}"
    subprocess.check_call(["skopeo", "--insecure-policy", "copy", "-q", *options, source, target])

    images = load(store, tmp_path / "app")

    assert [image.name for image in images] == ["app"]
    assert read_file(images[0].layers, "/etc/top") == b"top"
    wrong = next(path for path in (tmp_path / "app").iterdir() if path.read_bytes() == BASE)
    wrong.write_bytes(BASE.replace(b"base", b"BASE"))
    with pytest.raises(ImageError, match="cannot load"):
        load(Store(Paths(tmp_path / "other", tmp_path / "run")), tmp_path / "app")


def as_index(layout: Path) -> None:
    """Put an index of one platform between the layout's index and its image."""
    top = json.loads((layout / "index.json").read_text())
    annotations = top["manifests"][0].pop("annotations")
    platform = this_platform()
    top["manifests"][0]["platform"] = {"architecture": platform.architecture, "os": platform.os}
    inner = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": top["manifests"]}).encode()
    digest = Digest.of(inner)
    (layout / "blobs/sha256" / digest.hex).write_bytes(inner)
    entry_ = {"mediaType": OCI_INDEX, "digest": str(digest), "size": len(inner), "annotations": annotations}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry_]}))


def test_an_archive_with_trailing_data_of_any_kind_is_scanned_to_its_end_marker(store: Store, tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "saved.tar", [APP])
    with path.open("ab") as file:
        file.write(io.BytesIO(b"anything").getvalue())

    assert len(load(store, path)) == 2
