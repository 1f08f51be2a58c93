"""What a build leaves that is given up or fails on its way, and images that it records where a damaged one has the name."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from composer.build.builder import Builder
from composer.build.exchange.exchange import Exchange
from composer.build.exchange.places import CachePlace
from composer.build.options import BuildOptions
from composer.build.worker import Directory, RunTask
from composer.clock import SystemClock
from composer.errors import BuildError
from composer.image.image import Image
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


async def build(paths: Paths, store: Store, worker: FakeWorker | None = None, dockerfile: str = DOCKERFILE) -> None:
    clock = SystemClock()
    options = BuildOptions(str(paths.data.parent / "context"), dockerfile_text=dockerfile, tags=("built",))
    builder = Builder(paths, store, Puller(store, clock), worker or FakeWorker(), clock)
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
                await asyncio.sleep(0.1)  # in which it would leave, and what nothing leads to be collected
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


class SlowToEnd(FakeWorker):
    """Steps that have to be given up, and take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.over = False

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.let_go.wait()
            self.over = True
        return 0


def test_a_build_that_is_given_up_ends_when_its_steps_have_however_often_it_is_told(paths: Paths) -> None:
    async def scenario() -> None:
        worker = SlowToEnd()
        dockerfile = 'FROM scratch\nRUN ["command"]\n'
        building = asyncio.create_task(build(paths, Store(paths), worker, dockerfile))
        await worker.begun.wait()
        for _ in range(3):
            building.cancel()
            await asyncio.sleep(0.01)
        assert not building.done()
        worker.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await building

        assert worker.over

    asyncio.run(scenario())


class Looking(FakeWorker):
    """Tells what is in the cache mounts of a step."""

    async def run(self, task: RunTask, started: Callable[[], None], output: Callable[[bytes], None]) -> int:
        self.found = [path.name for one in task.attached if isinstance(one, Directory) for path in one.source.iterdir()]
        return await super().run(task, started, output)


def test_a_cache_that_could_not_be_filled_is_filled_by_the_next_build(paths: Paths) -> None:
    store, worker = Store(paths), Looking()
    seeded = 'FROM scratch AS base\n{}FROM scratch\nRUN --mount=type=cache,target=/c,from=base,source=/seed ["x"]\n'
    with pytest.raises(BuildError, match="seed"):
        asyncio.run(build(paths, store, worker, seeded.format("")))

    asyncio.run(build(paths, store, worker, seeded.format("COPY file /seed/file\n")))

    assert worker.found == ["file"]


class Told(Store):
    """Tells when something is about to be named."""

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths)
        self.naming = threading.Event()

    def add(self, *arguments: Any, **options: Any) -> Image:
        self.naming.set()
        return super().add(*arguments, **options)


def test_a_cache_that_is_given_up_while_it_is_named_for_a_registry_takes_no_name(paths: Paths) -> None:
    store = Told(paths)
    asyncio.run(build(paths, store))
    image = store.find("built")
    assert image is not None
    assert image.manifest is not None
    store.naming.clear()
    manifest = store.blobs.path(image.manifest).read_bytes()
    nobody = cast(Any, None)
    exchange = Exchange(store, nobody, SystemClock())

    async def scenario() -> None:
        with locked(paths.images / ".index.lock"):
            giving = asyncio.create_task(exchange._give(CachePlace("registry", "app:cache"), manifest, nobody))
            await asyncio.to_thread(store.naming.wait)
            giving.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await giving

    asyncio.run(scenario())

    assert names(store) == [(NAME, "")]
