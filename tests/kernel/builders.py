"""A real builder: an engine in this process on a keeper of its own, with a busybox image, and contexts to build."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from composer.build.events import StepEvent, StepStatus
from composer.build.options import BuildOptions
from composer.engine.store import Store
from composer.image.image import Image
from composer.image.root import read_file
from composer.paths import Paths
from composer.server import wiring
from tests.kernel.keepers import House
from tests.make.image import import_busybox
from tests.patience import PATIENCE


class Yard:
    """What builds of a test share."""

    def __init__(self, directory: Path, house: House) -> None:
        self.directory = directory
        self.house = house
        self.paths = Paths(house.data, house.run_directory)
        self.context = directory / "context"
        self.context.mkdir()
        self.events: list[StepEvent] = []
        self._heard = asyncio.Event()
        self.engine: wiring.Engine

    async def open(self) -> None:
        """Start the engine; nothing of the last one is kept but what it left on the disk and in the keeper."""
        self.engine = await wiring.build(self.paths)
        await self.engine.recover()

    async def close(self, *, everything: bool = True) -> None:
        """Let the engine go."""
        await self.engine.close(everything=everything)
        self.engine.rooms.keeping.keeper.close()

    def write(self, files: Mapping[str, str]) -> None:
        """Put files into the context."""
        for name, text in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    async def build(self, dockerfile: str, **options: Any) -> Image:
        """Build a Dockerfile's text; `events` are those of this build."""
        self.events.clear()
        plain = BuildOptions(str(self.context), dockerfile_text=dockerfile, tags=("built:1",))
        return await self.engine.workshop().builder.build(replace(plain, **options), self.hear)

    def hear(self, event: StepEvent) -> None:
        """Take an event of a build."""
        self.events.append(event)
        self._heard.set()

    async def until(self, words: str) -> None:
        """Wait until a step has written `words`."""
        while words not in self.output:
            self._heard.clear()
            await asyncio.wait_for(self._heard.wait(), PATIENCE)

    def ran(self) -> list[str]:
        """The steps of the last build that were really run, by what follows their number."""
        done = [event.name for event in self.events if event.status is StepStatus.STARTED]
        return [name.partition("] ")[2] for name in done if name.startswith("[")]

    @property
    def output(self) -> str:
        """What the steps of the last build wrote."""
        return "".join(event.output for event in self.events)


def run(yard: Yard, scenario: Callable[[Yard], Any]) -> None:
    """Carry out an asynchronous scenario with the engine open, and close everything."""

    async def whole() -> None:
        await yard.open()
        try:
            import_busybox(yard.engine.rooms.images, yard.directory)
            await scenario(yard)
        finally:
            await yard.close()

    asyncio.run(whole())


def content(image: Image, path: str) -> str | None:
    """A file of an image."""
    data = read_file(image.layers, path)
    return None if data is None else data.decode()


def networks(store: Store) -> list[str]:
    """The networks that are on record."""
    return [network.name for network in store.networks]
