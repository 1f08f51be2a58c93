"""The keeper becomes one of other code while everything it keeps goes on."""

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.keeper import launch, orphan
from composer.keeper.logs import read
from composer.keeper.runs import Exit, Started
from composer.keeper.steps import JoinCgroup
from tests.kernel.keepers import REPOSITORY, House, a_keeper, close, output
from tests.kernel.test_keeper_adoption import hand_over
from tests.kernel.test_keeper_exec import entering
from tests.patience import until

pytestmark = pytest.mark.kernel

COUNT = "i=0; until [ -e /stop ]; do echo line $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.02; done; echo end; exit 6"
STOP = ("sh", "-c", ": > /stop; echo stopped")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a copy of the package whose keeper has other code."""
    directory = tmp_path_factory.mktemp("newer")
    shutil.copytree(REPOSITORY / "composer", directory / "composer", ignore=shutil.ignore_patterns("__pycache__"))
    with (directory / "composer" / "keeper" / "loop.py").open("a") as file:
        file.write("\n# newer\n")
    return directory


@pytest.fixture
def command(newer: Path) -> list[str]:
    return [str(newer) if word == str(REPOSITORY) else word for word in launch.command("composer.keeper")]


def program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def assert_all_was_logged(house: House, id_: str) -> None:
    *found, last = [line.text.decode() for line in read(house.log(id_))]
    assert last == "end"
    assert found == [f"line {number}" for number in range(len(found))]


def test_what_runs_and_what_is_held_goes_on(house: House, command: list[str], newer: Path) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            before = keeper.code
            started = await keeper.run(house.run("one", "sh", "-c", COUNT, log=True))
            reading, writing = os.pipe()
            await keeper.put("stdin/one", {"k": 1}, [writing])
            pid = (await keeper.status())["keeper"]
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208

            await keeper.upgrade(command)

            status = await keeper.status()
            assert status["keeper"] == pid == house.process.pid
            assert status["code"] != before
            assert str(newer) in program(pid)
            assert status["containers"] == ["one"]
            assert len(os.listdir(f"/proc/{pid}/fd")) <= descriptors + 2  # noqa: PTH208  two sockets of a starting pump
            assert await output(keeper, entering(started, "echo", "hi")) == "hi\n"
            assert await output(keeper, entering(started, *STOP)) == "stopped\n"
            assert await keeper.wait("one") == 6
            assert_all_was_logged(house, "one")
            await keeper.drop("stdin/one")
            os.close(writing)
            assert os.read(reading, 1) == b""
            os.close(reading)
            close(started)
            close(await keeper.run(house.run("two", "sh", "-c", "exit 3")))
            assert await keeper.wait("two") == 3

    asyncio.run(scenario())


def test_an_engine_that_comes_later_is_told_everything(house: House, command: list[str]) -> None:
    async def scenario() -> None:
        keeper = await house.connect()
        close(await keeper.run(house.run("one", "sleep", "60", log=True)))
        close(await keeper.run(house.run("two", "sh", "-c", "exit 4", log=True)))
        assert await keeper.wait("two") == 4
        await keeper.put("thing", {"k": 2}, [0])
        await keeper.upgrade(command)
        keeper.close()
        exits: list[Exit] = []
        async with a_keeper(house) as later:
            later.on_exit = exits.append
            assert set(later.children) == {"one"}
            assert later.store["thing"].meta == {"k": 2}
            await asyncio.sleep(0)
            assert [(each.id, each.status) for each in exits] == [("two", 4)]

    asyncio.run(scenario())


def test_its_data_plane_knows_who_lives(house: House, command: list[str]) -> None:
    async def scenario() -> None:
        keeper = await house.connect()
        started = await keeper.run(house.run("one", "sleep", "60", log=True))
        await keeper.put("zone/n", {"names": {}}, [])
        before = (await keeper.status())["dataplane"]
        await keeper.upgrade(command)
        while (plane := (await keeper.status())["dataplane"]) in (0, before):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        await until(lambda: orphan.find(house.run_directory / "plane.sock") == plane)  # it listens
        house.end()
        keeper.close()

        house.start()
        async with a_keeper(house) as later:
            assert set(later.store) == {"zone/n"}
            signal.pidfd_send_signal(started.pidfd, signal.SIGKILL)
        close(started)

    asyncio.run(scenario())


def test_a_start_under_way_comes_through(house: House, command: list[str]) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            stuck = house.data / "stuck"
            stuck.mkdir()
            os.mkfifo(stuck / "cgroup.procs")  # opening it for writing waits for a reader
            request = house.run("slow", "sh", "-c", "exit 8", log=True)
            start = asyncio.create_task(keeper.run(replace(request, steps=(JoinCgroup((str(stuck),)), *request.steps))))
            children = Path(f"/proc/{house.process.pid}/task/{house.process.pid}/children")
            while not children.read_text().split():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)

            await keeper.upgrade(command)
            assert not start.done()
            reader = os.open(stuck / "cgroup.procs", os.O_RDONLY | os.O_NONBLOCK)
            close(await start)
            assert await keeper.wait("slow") == 8
            os.close(reader)

    asyncio.run(scenario())


def test_one_that_would_not_run_is_not_become(house: House, command: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(REPOSITORY / "composer", broken / "composer", ignore=shutil.ignore_patterns("__pycache__"))
    (broken / "composer" / "keeper" / "luggage.py").write_text("nonsense(")

    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            started = await keeper.run(house.run("one", "sh", "-c", "until [ -e /stop ]; do sleep 0.05; done; exit 5"))
            code = (await keeper.status())["code"]
            with pytest.raises(ContainerError, match="does not start"):
                await keeper.upgrade(
                    [str(broken) if word == str(REPOSITORY) else word for word in launch.command("composer.keeper")]
                )
            with pytest.raises(ContainerError):
                await keeper.upgrade(["/nowhere"])
            assert (await keeper.status())["code"] == code
            assert await output(keeper, entering(started, "echo", "hi")) == "hi\n"
            await output(keeper, entering(started, *STOP))
            assert await keeper.wait("one") == 5
            close(started)

    asyncio.run(scenario())


def test_killed_right_after_the_upgrade_nothing_is_lost(house: House, command: list[str]) -> None:
    async def scenario() -> None:
        lost = asyncio.Event()
        old = await house.connect()
        old.on_lost = lost.set
        close(await old.run(house.run("one", "sh", "-c", COUNT, log=True)))
        await old.upgrade(command)
        os.kill(house.process.pid, signal.SIGKILL)
        await lost.wait()
        house.process.wait()
        house.start()
        async with a_keeper(house) as new:
            await hand_over(old, new, house)
            old.close()
            running = new.children["one"]
            text = await output(
                new, entering(Started(running.pid, running.start_time, running.pidfd, {}), "echo", "hi")
            )
            assert text == "hi\n"
            await output(new, entering(Started(running.pid, running.start_time, running.pidfd, {}), *STOP))
            await new.wait("one")
        assert_all_was_logged(house, "one")

    asyncio.run(scenario())
