from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from composer.errors import ImageError, StateError
from composer.image.catalogue import missing
from composer.image.image import Image
from composer.image.importing import import_rootfs
from composer.image.prune import Criteria
from composer.image.remove import prune, remove
from composer.image.store import Store
from composer.paths import Paths
from tests.make.image import entry, tar


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data", tmp_path / "run")


@pytest.fixture
def store(paths: Paths) -> Store:
    return Store(paths)


def add(store: Store, reference: str, content: str = "x") -> Image:
    """An image with one file."""
    path = store.layout.parent.parent / "rootfs.tar"
    path.write_bytes(tar(entry("file", content.encode(), mtime=1_600_000_000)))
    return import_rootfs(store, path, reference)


def names(store: Store) -> list[str]:
    return [record.reference.familiar() if record.reference else "-" for record in store.list()]


def content(paths: Paths) -> list[str]:
    """Every blob and snapshot there is, and whatever else lies about."""
    entries = [*(paths.images / "blobs/sha256").glob("*"), *paths.snapshots.glob("*"), *paths.images.glob(".st*")]
    return sorted(path.name[:8] for path in entries)


def test_an_empty_store_has_no_images(store: Store) -> None:
    assert store.list() == ()
    assert store.find("redis") is None
    assert prune(store).names == ()


def test_an_image_is_found_by_every_spelling_of_its_name_and_by_its_id(store: Store) -> None:
    image = add(store, "app:1")
    digest = image.manifest

    for reference in ("app:1", "docker.io/app:1", "docker.io/library/app:1", f"app@{digest}", f"app:9@{digest}"):
        assert store.find(reference) == image
    for identifier in (image.id, image.id[7:], image.id[7:19], image.id[7:11], image.id[:15]):
        assert store.find(identifier) == image
    for other in ("app", "app:2", "other:1", f"other@{digest}", image.id[7:10], "0" * 12):
        assert store.find(other) is None


def test_the_stamp_changes_when_a_name_may_lead_elsewhere(store: Store) -> None:
    stamps = [store.stamp()]
    add(store, "app:1")
    stamps.append(store.stamp())
    assert store.find("app:1")
    assert store.stamp() == stamps[-1]

    add(store, "app:1", "y")
    stamps.append(store.stamp())
    store.tag("app:1", "app:2")
    stamps.append(store.stamp())
    remove(store, "app:1")
    stamps.append(store.stamp())

    assert len(set(stamps)) == len(stamps)


def test_what_is_no_reference_is_an_error(store: Store) -> None:
    with pytest.raises(ImageError, match="as an image reference"):
        store.find("Not A Reference")


def test_a_missing_image_says_how_to_get_it() -> None:
    error = missing("redis:7")

    assert error.message == "cannot find image `redis:7`: it is not in the image store"
    assert "compose image pull redis:7" in error.hint
    assert "compose image load" in error.hint


@pytest.mark.parametrize(
    ("typed", "meant"), [("redsi:7", "redis:7"), ("redis", "redis:7"), ("ngnix", "nginx"), ("postgres", "")]
)
def test_a_name_that_is_nearly_right_is_put_right(store: Store, typed: str, meant: str) -> None:
    add(store, "redis:7")
    add(store, "docker.io/library/nginx:latest", "other")

    for refused in (lambda: remove(store, typed), lambda: store.tag(typed, "x")):
        with pytest.raises(ImageError) as caught:
            refused()
        assert caught.value.hint.startswith(f"did you mean `{meant}`? Otherwise `compose" if meant else "`compose")


def test_listing_shows_name_id_size_and_time(store: Store) -> None:
    b, a = add(store, "b:1", "bb"), add(store, "a:1", "aa")

    first, second = store.list()
    assert [str(first.reference), str(second.reference)] == ["docker.io/library/a:1", "docker.io/library/b:1"]
    assert [first.id, second.id] == [a.id, b.id]
    assert first.created == 1_600_000_000
    assert first.size == 10240  # the uncompressed layer


def test_a_tag_is_another_name_for_the_same_image(store: Store) -> None:
    image = add(store, "app:1")
    tagged = store.tag("app:1", "registry.example:5000/app:stable")

    assert tagged.id == image.id
    assert names(store) == ["app:1", "registry.example:5000/app:stable"]


def test_a_missing_image_or_the_reserved_name_cannot_be_tagged(store: Store) -> None:
    add(store, "app")
    for source, target, why in (
        ("nothing", "a", "cannot find"),
        ("app", "host", "reserved"),
        ("host", "a", "reserved"),
    ):
        with pytest.raises(ImageError, match=why):
            store.tag(source, target)


def test_the_last_name_takes_the_content_with_it(store: Store, paths: Paths) -> None:
    image = add(store, "app:1")
    store.tag("app:1", "app:2")

    assert remove(store, "app:1") == ("app:1",)
    assert store.find("app:2")
    assert remove(store, "app:2") == ("app:2", image.id)
    assert names(store) == []
    assert content(paths) == []


def test_an_id_removes_all_names(store: Store, paths: Paths) -> None:
    image = add(store, "app:1")
    store.tag("app:1", "app:2")

    assert remove(store, image.id[7:19]) == ("app:1", "app:2", image.id)
    assert content(paths) == []


def test_what_another_image_uses_stays(store: Store) -> None:
    first = add(store, "app:1")
    path = store.layout.parent.parent / "rootfs.tar"
    second = import_rootfs(store, path, "app:2", ["CMD other"])  # the same layer
    remove(store, "app:1")

    assert first.layers == second.layers
    assert (second.layers[0] / "file").exists()
    assert store.find("app:2") == second


def test_an_image_in_use_is_not_removed_and_its_containers_are_named(store: Store) -> None:
    image = add(store, "app:1")

    for reference in ("app:1", image.id):
        with pytest.raises(ImageError) as caught:
            remove(store, reference, lambda: {image.id: ["web-1", "web-2"]})
        assert caught.value.message == "cannot remove image `app:1`: containers `web-1`, `web-2` were made from it"
    assert store.find("app:1")


def test_force_takes_the_name_and_leaves_the_containers_their_files(store: Store, paths: Paths) -> None:
    image = add(store, "app:1")

    assert remove(store, "app:1", lambda: {image.id: ["web-1"]}, force=True) == ("app:1",)
    assert names(store) == ["-"]
    assert image.layers[0].exists()
    assert prune(store, lambda: {image.id: ["web-1"]}).names == ()
    assert prune(store).names == (image.id,)
    assert content(paths) == []


def test_whoever_starts_a_container_while_pruning_waits_for_a_pull_keeps_the_image(store: Store) -> None:
    image = add(store, "app:1")
    started: list[str] = []
    with ThreadPoolExecutor() as pool, store.adding():
        pruning = pool.submit(prune, store, lambda: {each: ["web-1"] for each in started}, Criteria(all=True))
        time.sleep(0.05)  # it waits: whatever it had looked at by now would be too old
        assert store.stays(image)
        started.append(image.id)
    assert pruning.result().names == ()


def test_while_somebody_deletes_nothing_is_sure_to_stay_and_what_is_gone_is_told(store: Store) -> None:
    image = add(store, "app:1")
    assert store.stays(image)
    with store.deleting():
        assert not store.stays(image)
    remove(store, "app:1")

    assert not store.stays(image)
    with pytest.raises(ImageError, match="cannot find image `app:1`"):
        store.unpack(image)


def test_a_missing_image_and_the_embedded_one_cannot_be_removed(store: Store) -> None:
    for reference, why in (("nothing", "cannot find image `nothing`"), ("host", "part of composer")):
        with pytest.raises(ImageError, match=why):
            remove(store, reference)


def test_a_lost_snapshot_is_unpacked_again(store: Store) -> None:
    image = add(store, "app")
    shutil.rmtree(image.layers[0].parent)
    store.unpack(image)
    store.unpack(image)

    assert (image.layers[0] / "file").read_text() == "x"


def test_a_damaged_layer_is_never_unpacked(store: Store, paths: Paths) -> None:
    image = add(store, "app")
    shutil.rmtree(image.layers[0].parent)
    blob = next(path for path in (paths.images / "blobs/sha256").iterdir() if path.stat().st_size == 10240)
    blob.write_bytes(tar(entry("file", b"y")))

    with pytest.raises(ImageError, match="its content is"):
        store.unpack(image)
    assert not image.layers[0].exists()


def test_a_damaged_config_or_manifest_is_an_error(store: Store, paths: Paths) -> None:
    image = add(store, "app")
    blob = paths.images / "blobs/sha256" / image.id.removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes().replace(b"amd64", b"arm64"))

    with pytest.raises(ImageError, match="not what the digest or size says"):
        store.find("app")


@pytest.mark.parametrize("text", ["", "[]", '{"manifests": 1}', '{"manifests": [{"digest": "x"}]}'])
def test_a_damaged_index_is_an_error_and_is_not_overwritten(store: Store, paths: Paths, text: str) -> None:
    add(store, "app")
    (paths.images / "index.json").write_text(text)

    with pytest.raises(StateError, match="cannot read the image store"):
        store.list()
    with pytest.raises(StateError):
        add(store, "other")
    assert (paths.images / "index.json").read_text() == text


def test_a_layout_of_another_version_is_not_touched(store: Store, paths: Paths) -> None:
    add(store, "app")
    (paths.images / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')

    with pytest.raises(StateError, match=r"version is `2\.0\.0`"):
        store.list()


def test_what_interrupted_work_left_is_swept_and_images_stay(store: Store, paths: Paths) -> None:
    add(store, "app")
    (paths.images / ".staging-1/x").mkdir(parents=True)
    (paths.snapshots / ".staging-2/fs").mkdir(parents=True)
    (paths.snapshots / ".trash-3/fs").mkdir(parents=True)
    store.sweep()

    assert not list(paths.images.glob(".staging-*"))
    assert not [path for path in paths.snapshots.iterdir() if path.name.startswith(".")]
    assert store.find("app")


def add_many(data: Path, process: int) -> None:
    store = Store(Paths(data / "data", data / "run"))
    for number in range(5):
        path = data / f"{process}-{number}.tar"
        path.write_bytes(tar(entry("file", b"%d" % (number % 3))))
        import_rootfs(store, path, f"app:{process}-{number}")
        import_rootfs(store, path, "app:shared")
        if number % 2:
            remove(store, f"app:{process}-{number}")


def test_processes_may_add_and_remove_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        for result in [pool.submit(add_many, tmp_path, process) for process in range(4)]:
            result.result()
    store = Store(Paths(tmp_path / "data", tmp_path / "run"))

    assert names(store)[:-1] == sorted(f"app:{process}-{number}" for process in range(4) for number in (0, 2, 4))
    assert names(store)[-1] == "app:shared"
    for record in store.list():
        image = store.find(str(record.reference))
        assert image
        assert (image.layers[0] / "file").exists()


@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
def test_skopeo_reads_the_store_in_place(store: Store, paths: Paths) -> None:
    image = add(store, "ghcr.io/owner/app:1.2")
    name = f"oci:{paths.images}:ghcr.io/owner/app:1.2"
    shown = json.loads(subprocess.check_output(["skopeo", "inspect", name]))
    config = subprocess.check_output(["skopeo", "inspect", "--config", "--raw", name])

    assert shown["Digest"] == str(image.manifest)
    assert json.loads(config)["rootfs"]["diff_ids"] == [str(image.config.diff_ids[0])]


@pytest.mark.skipif(not shutil.which("umoci"), reason="needs umoci")
def test_umoci_reads_the_store_in_place(store: Store, paths: Paths) -> None:
    add(store, "app:1")

    assert subprocess.check_output(["umoci", "ls", "--layout", paths.images]) == b"docker.io/library/app:1\n"
    subprocess.check_call(
        ["umoci", "stat", "--image", f"{paths.images}:docker.io/library/app:1"], stdout=subprocess.DEVNULL
    )


@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
def test_an_image_that_another_tool_put_into_the_store_is_found_and_unpacked(store: Store, paths: Paths) -> None:
    image = add(store, "app:1")
    layout = f"oci:{paths.images}"
    subprocess.check_call(["skopeo", "copy", "-q", f"{layout}:docker.io/library/app:1", f"{layout}:example.com/new:2"])
    shutil.rmtree(image.layers[0].parent)
    found = store.find("example.com/new:2")

    assert found
    store.unpack(found)
    assert (found.layers[0] / "file").exists()


def test_what_no_name_leads_to_is_not_trusted_after_a_crash_of_the_machine(store: Store, paths: Paths) -> None:
    add(store, "app:1")
    before = content(paths)
    store.blobs.put(b"came before the machine crashed", settled=False)
    (paths.snapshots / ("0" * 64) / "fs").mkdir(parents=True)

    with store.adding():
        assert len(content(paths)) == len(before) + 2  # the machine still runs
    (paths.images / ".boot").write_text("another")
    with Store(paths).adding():
        assert content(paths) == before


def test_two_who_come_first_after_a_boot_add_at_the_same_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, both, first = threading.Barrier(2), threading.Barrier(2), threading.Event()
    mine = threading.local()

    def content(path: Path) -> str:
        found = path.read_text() if path.exists() else ""
        if not hasattr(mine, "place"):
            mine.place = looked.wait(10)  # both have seen that nobody was here yet
            if mine.place:
                first.wait(10)  # and one goes on only when the other is adding already
        return found

    def work() -> None:
        with store.adding():
            first.set()
            both.wait(10)

    monkeypatch.setattr("composer.image.store._content", content)
    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(work) for _ in range(2)]:
            future.result()


def test_an_error_of_the_disk_gives_no_name_to_an_image(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    image = add(store, "app:1")

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("composer.image.disk.synchronise", fail)
    with store.disk.unsettled():
        pass
    with pytest.raises(ImageError, match="cannot store the image: input/output error"):
        store.tag("app:1", "app:2")
    assert store.find("app:2") is None
    assert store.find("app:1") == image
