"""What a session holds, of a client that leaves before it has begun."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from composer.api.stream import STDOUT
from composer.clock import SystemClock
from composer.engine.bus import Bus
from composer.engine.logs import Logs
from composer.engine.records import ContainerRecord
from composer.engine.rooms import Rooms
from composer.engine.sessions import AttachSession, ProcessSession
from composer.engine.store import Store
from composer.errors import ContainerError
from composer.paths import Paths
from tests.unit.engine.shop import config

CREATED = ContainerRecord("c1", "shop-web-1", "shop", "web", 1, config(), "")


class Client:
    """One that is not interested in anything."""

    async def send(self, _frame: bytes) -> None: ...

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    store = Store(tmp_path / "state.db")
    nothing = cast(Any, None)
    paths = Paths(data=tmp_path / "data", run=tmp_path / "run")
    yield Rooms(paths, SystemClock(), store, Bus(), nothing, nothing, nothing, nothing, nothing, nothing)
    store.close()


async def never() -> int:
    await asyncio.Event().wait()
    return 0


@pytest.mark.parametrize("begins", [False, True])
def test_a_command_is_let_go_of_though_its_client_left_at_once(begins: bool) -> None:
    reading, writing = os.pipe()
    let_go: list[bool] = []

    async def scenario() -> None:
        session = ProcessSession({STDOUT: reading}, never, let_go=lambda: let_go.append(True))
        if begins:
            session.start(Client())
        session.closed()
        await asyncio.sleep(0.01)

    asyncio.run(scenario())

    assert let_go == [True]
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"nobody reads it")
    os.close(writing)


@pytest.mark.parametrize("what", ["left before", "left at once", "left while it starts", "not started"])
def test_a_log_is_not_kept_for_a_client_that_never_read_it(rooms: Rooms, what: str) -> None:
    (rooms.paths.container("c1") / "log").mkdir(parents=True)

    async def start() -> None:
        if what == "not started":
            raise ContainerError("no such program")
        await asyncio.Event().wait()

    async def scenario() -> None:
        logs = Logs(rooms)
        session = AttachSession(
            logs.raw(CREATED, past=False),
            never,
            start=start,
            stdin=lambda: -1,
            terminal=lambda: -1,
            signal=lambda _name: None,
        )
        assert rooms.reading["c1"] == 1
        if what != "left before":
            session.start(Client())
        if what != "left at once":
            await asyncio.sleep(0.01)
        session.closed()
        await asyncio.sleep(0.01)
        logs.close()

        assert "c1" not in rooms.reading

    asyncio.run(scenario())
