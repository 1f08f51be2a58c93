"""Images that a build records: while it is given up, and where a damaged one has the name."""

import asyncio
from pathlib import Path

import pytest

from composer.build.builder import Builder
from composer.build.options import BuildOptions
from composer.clock import SystemClock
from composer.image.locks import locked
from composer.image.store import Store
from composer.paths import Paths
from composer.registry.pull import Puller
from tests.fakes.worker import FakeWorker
from tests.patience import until

DOCKERFILE = "FROM scratch\nCOPY file /file\n"
NAME = "docker.io/library/built:latest"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """With a context beside it."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("content")
    return Paths(tmp_path / "data", tmp_path / "run")


async def build(paths: Paths, store: Store) -> None:
    clock = SystemClock()
    options = BuildOptions(str(paths.data.parent / "context"), dockerfile_text=DOCKERFILE, tags=("built",))
    builder = Builder(paths, store, Puller(store, clock), FakeWorker(), clock)
    try:
        await builder.build(options, lambda event: None)
    finally:
        await builder.close()


def names(store: Store) -> list[tuple[str, str]]:
    """With the damage of each."""
    return [(str(image.reference), image.damage) for image in store.list()]


def test_an_image_that_is_named_keeps_what_it_leads_to_whoever_gives_up(paths: Paths) -> None:
    store = Store(paths)

    async def given_up_while_it_is_named() -> None:
        building = asyncio.create_task(build(paths, store))
        with locked(paths.images / ".index.lock"):
            # Once config and manifest are there only the name is left.
            await until(lambda: len(list(store.blobs.all())) == 2)
            for _ in range(2):
                building.cancel()
                await asyncio.sleep(0.1)
        with pytest.raises(asyncio.CancelledError):
            await building

    asyncio.run(given_up_while_it_is_named())

    assert names(store) == [(NAME, "")]


def test_a_damaged_image_is_replaced_by_the_next_build(paths: Paths) -> None:
    store = Store(paths)
    asyncio.run(build(paths, store))
    image = store.find("built")
    assert image is not None
    assert image.manifest is not None
    store.blobs.remove(image.manifest)
    assert names(store)[0][1]

    asyncio.run(build(paths, store))

    assert names(store) == [(NAME, "")]
