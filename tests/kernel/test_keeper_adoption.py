import asyncio
import os
import signal
from dataclasses import replace

import pytest

from composer.engine import keeping
from composer.errors import EngineError, HostError
from composer.keeper.client import Keeper
from composer.keeper.logs import read
from composer.keeper.runs import Started
from composer.keeper.steps import JoinCgroup
from tests.kernel.keepers import House, a_keeper, children_of, close, output, touch_inside, wait_until_gone
from tests.kernel.test_keeper_exec import entering
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.kernel


async def hand_over(old: Keeper, new: Keeper, house: House) -> None:
    """What an engine does when its keeper died: everything it holds goes to the new one."""
    for name, held in old.store.items():
        await new.put(name, held.meta, held.fds)
    for id_, child in old.children.items():
        log, fifos = str(house.log(id_)), str(house.run_directory / "fifo" / id_)
        await new.adopt(id_, child.pid, child.start_time, child.pidfd, log, fifos, child.held)


def test_a_start_that_nobody_waits_for_any_more_does_not_come_true(house: House) -> None:
    async def scenario() -> None:
        lost = asyncio.Event()
        keeper = await house.connect()
        keeper.on_lost = lost.set
        stuck = house.data / "stuck"
        stuck.mkdir()
        os.mkfifo(stuck / "cgroup.procs")  # opening it for writing waits for a reader
        request = house.run("one", "sleep", "100")
        start = asyncio.create_task(keeper.run(replace(request, steps=(JoinCgroup((str(stuck),)), *request.steps))))
        await until(lambda: children_of(house.process.pid))
        child = children_of(house.process.pid)[-1]
        house.process.kill()
        house.process.wait()
        await asyncio.wait_for(lost.wait(), PATIENCE)
        with pytest.raises(EngineError):
            await start
        keeper.close()
        await asyncio.to_thread(wait_until_gone, child)

    asyncio.run(scenario())


def test_a_killed_keeper_loses_no_container_no_line_and_no_exit(house: House) -> None:
    async def scenario() -> tuple[int, str]:
        lost = asyncio.Event()
        old = await house.connect()
        old.on_lost = lost.set
        script = (
            "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.02; done; "
            "until [ -e /tmp/go ]; do sleep 0.02; done; exit 6"
        )
        started = await old.run(house.run("one", "sh", "-c", script, log=True))
        close(started)
        reading, writing = os.pipe()
        await old.put("stdin/one", {"k": 1}, [writing])
        await asyncio.sleep(0.1)
        os.kill(house.process.pid, signal.SIGKILL)
        await asyncio.wait_for(lost.wait(), PATIENCE)
        house.process.wait()
        await asyncio.sleep(0.1)
        house.start()
        async with a_keeper(house) as new:
            await hand_over(old, new, house)
            old.close()
            assert set(new.children) == {"one"}
            assert new.store["stdin/one"].meta == {"k": 1}
            running = new.children["one"]
            text = await output(
                new, entering(Started(running.pid, running.start_time, running.pidfd, {}), "echo", "hi")
            )
            touch_inside(running.pid, "/tmp/go")
            status = await asyncio.wait_for(new.wait("one"), PATIENCE)
        os.close(reading)
        os.close(writing)
        return status, text

    status, text = asyncio.run(scenario())

    assert status in (6, -1)
    assert text == "hi\n"
    assert [line.text for line in read(house.log("one"))] == [f"line {number}".encode() for number in range(3000)]


def test_a_container_that_ended_before_it_was_adopted_is_told_of(house: House) -> None:
    async def scenario() -> int:
        old = await house.connect()
        script = "until [ -e /tmp/go ]; do sleep 0.02; done; echo last words; exit 6"
        started = await old.run(house.run("one", "sh", "-c", script, log=True))
        close(started)
        os.kill(house.process.pid, signal.SIGKILL)
        house.process.wait()
        touch_inside(started.pid, "/tmp/go")
        await asyncio.to_thread(wait_until_gone, started.pid)
        house.start()
        async with a_keeper(house) as new:
            await hand_over(old, new, house)
            old.close()
            return await asyncio.wait_for(new.wait("one"), PATIENCE)

    assert asyncio.run(scenario()) in (6, -1)
    assert [line.text for line in read(house.log("one"))] == [b"last words"]


def test_a_journalled_exit_survives_the_keeper(house: House) -> None:
    async def scenario() -> list[tuple[str, int]]:
        old = await house.connect()
        close(await old.run(house.run("one", "sh", "-c", "exit 6")))
        await old.wait("one")
        os.kill(house.process.pid, signal.SIGKILL)
        house.process.wait()
        old.close()
        house.start()
        exits: list[tuple[str, int]] = []
        async with a_keeper(house) as new:
            new.on_exit = lambda exit_: exits.append((exit_.id, exit_.status))
            await new.status()
        return exits

    assert asyncio.run(scenario()) == [("one", 6)]


def test_an_engine_tries_again_where_no_keeper_came_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_START_SECONDS", 0.2)

    async def scenario() -> None:
        spawned = 0

        def spawn() -> None:
            nonlocal spawned
            spawned += 1
            if spawned == 2:
                monkeypatch.setattr(keeping, "_START_SECONDS", PATIENCE)
                house.start()

        engine = keeping.Keeping(house.socket, spawn)
        await until(lambda: house.socket.is_socket())
        await engine.connect(lambda _container: ("", ""))
        reading, writing = os.pipe()
        await engine.put("thing", {}, [writing])
        house.end()

        await until(lambda: engine._former is not None)
        with pytest.raises(HostError):
            await engine.ready()
        keeper = await engine.ready()

        assert set(keeper.store) == {"thing"}
        await engine.drop("thing")
        await engine.stop()
        keeper.close()
        os.close(writing)
        assert os.read(reading, 1) == b""
        os.close(reading)

    asyncio.run(scenario())
