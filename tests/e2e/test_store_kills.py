"""kill -9 in the middle of load, import, save and prune: what the store names is whole, and the next command carries on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from composer.errors import ImageError
from composer.image.audit import verify
from composer.image.importing import import_rootfs
from composer.image.load import load
from composer.image.prune import Criteria
from composer.image.remove import prune
from composer.image.save import save
from composer.image.store import Store
from composer.paths import Paths
from tests.make.image import directory, entry, tar

FEW, MANY = 3, 200


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved image of three thousand small files."""
    scratch = tmp_path_factory.mktemp("archive")
    files = (entry(f"d{number % 30}/f{number}", b"%d" % number * 50) for number in range(3000))
    (scratch / "rootfs.tar").write_bytes(tar(*(directory(f"d{number}") for number in range(30)), *files))
    store = Store(Paths(scratch / "data", scratch / "run"))
    import_rootfs(store, scratch / "rootfs.tar", "app:1")
    save(store, ["app:1"], scratch / "app.tar")
    return scratch / "app.tar"


def killed_after(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` in a process of its own and kill that after `seconds`, if it has not ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def left_behind(store: Store, paths: Paths) -> list[str]:
    return [path.name for parent in (store.layout, paths.snapshots) for path in parent.glob(".[st][tr]*")]


@pytest.mark.parametrize(
    "seed", [*range(FEW), *(pytest.param(each, marks=pytest.mark.soak) for each in range(FEW, MANY))]
)
def test_whatever_is_killed_the_store_is_whole_and_the_next_command_carries_on(
    archive: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    paths = Paths(tmp_path / "data", tmp_path / "run")
    store = Store(paths)
    start = time.monotonic()
    load(Store(Paths(tmp_path / "other", tmp_path / "run")), archive)
    whole = time.monotonic() - start
    works: list[Callable[[], object]] = [
        lambda: load(store, archive),
        lambda: import_rootfs(store, archive.parent / "rootfs.tar", "imported"),
        lambda: save(store, ["app:1"], tmp_path / "saved.tar"),
        lambda: prune(store, criteria=Criteria(all=True)),
    ]
    for _ in range(4):
        killed_after(chance.uniform(0, whole), chance.choice(works))
        assert verify(store) == ()
        for record in store.list():
            image = store.find(record.id)
            assert image is not None
            store.unpack(image)
            assert sum(len(files) for _, _, files in os.walk(image.layers[0])) == 3000

    load(store, archive)
    store.sweep()
    assert store.find("app:1") is not None
    assert verify(store) == ()
    assert left_behind(store, paths) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.kernel
def test_a_full_disk_is_told_and_leaves_nothing_behind(archive: Path, small_disk: Path) -> None:
    paths = Paths(small_disk / "data", small_disk / "run")
    store = Store(paths)

    with pytest.raises(ImageError) as caught:
        load(store, archive)

    assert "no space left" in caught.value.message
    assert store.list() == ()
    assert verify(store) == ()
    assert list(store.blobs.all()) == []
    assert left_behind(store, paths) == []


def test_umoci_and_skopeo_work_on_the_store_in_place(archive: Path, tmp_path: Path) -> None:
    store = Store(Paths(tmp_path / "data", tmp_path / "run"))
    (image,) = load(store, archive)
    name = "docker.io/library/app:1"

    listed = subprocess.run(
        ["umoci", "list", "--layout", str(store.layout)], capture_output=True, text=True, check=True
    )
    subprocess.run(["skopeo", "copy", "-q", f"oci:{store.layout}:{name}", f"oci:{tmp_path}/copy:1"], check=True)
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci:{tmp_path}/copy:1", f"oci:{store.layout}:docker.io/library/back:1"], check=True
    )

    assert name in listed.stdout
    back = store.find("back:1")
    assert back is not None
    assert back.id == image.id
    assert verify(store) == ()
