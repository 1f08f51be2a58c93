"""kill -9 of the engine in the middle of pulls: the command carries on, and the store is whole at every moment."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.image.store import Store
from composer.oci.config import chain_ids
from composer.oci.manifest import Manifest
from composer.paths import Paths
from tests.e2e.harness import Engine, eventually, is_gone
from tests.e2e.registries import busybox_image
from tests.fakes.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.make.image import Made, entry, tar
from tests.make.registry import running_registry

PULL_SECONDS = 0.6
"""What the pauses of the proxy make of a pull."""

_noise = random.Random(4).randbytes(1_500_000)  # content that does not compress


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyProxy]:
    """A registry that takes its time over an image of four layers."""
    scratch = tmp_path_factory.mktemp("registry")
    extra = tuple(
        tar(*(entry(f"d{number}/{index}", _noise[index * 9 :][:20_000]) for index in range(40))) for number in "ab"
    )
    with running_registry(scratch) as registry, faulty_proxy(registry.port) as proxy:
        made: Made = busybox_image(scratch, *extra)
        registry.push(made, "app:1")
        slowest = max(map(len, made.blobs)) / 16384
        proxy.faults.append(Fault("GET .*/blobs/", times=1_000_000, pause=PULL_SECONDS / slowest))
        yield proxy


def damage(data: Path) -> list[str]:
    """What is not whole in the store of an engine that lies dead: names without content, content that is not its digest's."""
    store = Store(Paths(data, data))
    wrong = [
        f"blob {digest}"
        for digest in store.blobs.all()
        if hashlib.sha256(store.blobs.path(digest).read_bytes()).hexdigest() != digest.hex
    ]
    for record in store.list():
        image = store.find(record.id)
        assert image is not None
        assert image.manifest is not None
        manifest = Manifest.parse(store.blobs.path(image.manifest).read_bytes())
        wrong += [f"missing {blob.digest}" for blob in (manifest.config, *manifest.layers) if not store.blobs.has(blob)]
        wrong += [
            f"missing snapshot {chain}" for chain in chain_ids(image.config.diff_ids) if not store.snapshots.has(chain)
        ]
    return wrong


def files_of(data: Path) -> dict[str, int]:
    """How many entries each snapshot has: one that is there is there with all of them."""
    return {
        path.name: sum(len(directories) + len(files) for _, directories, files in os.walk(path / "fs"))
        for path in (data / "snapshots").iterdir()
        if len(path.name) == 64
    }


def pull_and_kill(engine: Engine, reference: str, moment: float, whole: dict[str, int]) -> None:
    """Kill the engine `moment` seconds after the command was given; what is there then is whole, and the command ends well."""
    pid = engine.pid("engine")
    pull = engine.start("image", "pull", reference)
    time.sleep(moment)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid))
    for name, count in files_of(engine.data).items():
        assert count == whole.get(name, count), f"snapshot {name} is not whole after {moment} s"

    assert pull.wait() == 0, pull.text
    assert damage(engine.data) == []


def check(engine: Engine, proxy: FaultyProxy, count: int) -> None:
    reference = f"{proxy.name}/app:1"
    engine.compose("image", "pull", "-q", reference, check=True)
    whole = files_of(engine.data)
    assert len(whole) == 4
    moments = random.Random(count)  # the same moments each time
    for _ in range(count):
        engine.compose("image", "rm", reference, check=True)
        assert files_of(engine.data) == {}
        pull_and_kill(engine, reference, moments.uniform(0.1, 0.3 + PULL_SECONDS), whole)
        assert files_of(engine.data) == whole
    left = [str(path) for path in engine.data.glob("*/.staging-*")]
    assert left == []


def test_an_engine_killed_during_pulls_leaves_a_whole_store(engine: Engine, proxy: FaultyProxy) -> None:
    check(engine, proxy, 3)


@pytest.mark.soak
def test_an_engine_killed_during_a_hundred_pulls_leaves_a_whole_store(engine: Engine, proxy: FaultyProxy) -> None:
    check(engine, proxy, 100)
