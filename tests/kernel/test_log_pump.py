import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.keeper.logs import LogLine, read
from composer.keeper.runs import Run
from composer.keeper.steps import Credentials, Terminal
from tests.kernel.keepers import House, a_keeper, children_of, close, touch_inside
from tests.kernel.test_keeper_exec import DEVICES
from tests.patience import until

pytestmark = pytest.mark.kernel

COUNT = 20_000


def texts(directory: Path, stream: str = "stdout") -> list[bytes]:
    return [line.text for line in read(directory) if line.stream == stream]


def test_everything_is_on_disk_when_the_exit_is_told(house: House) -> None:
    async def scenario() -> list[LogLine]:
        async with a_keeper(house) as keeper:
            script = "echo out; echo err >&2; dd if=/dev/zero bs=1000 count=60 2>/dev/null; printf end"
            close(await keeper.run(house.run("one", "sh", "-c", script, more=(), log=True)))
            await keeper.wait("one")
            return list(read(house.log("one")))

    lines = asyncio.run(scenario())

    assert [(line.stream, line.text) for line in lines if b"\0" not in line.text][:2] == [
        ("stdout", b"out"),
        ("stderr", b"err"),
    ] or {line.stream for line in lines} == {"stdout", "stderr"}
    assert lines[-1].text.endswith(b"end") or lines[-2].text.endswith(b"end")
    assert not (house.run_directory / "fifo/one").exists()


def test_no_line_is_lost_or_doubled_when_the_pump_is_killed_again_and_again(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            script = (
                f"i=0; while [ $i -lt {COUNT} ] || ! [ -e /tmp/killed ]; do echo line $i; echo err $i >&2; i=$((i+1)); done; "
                "echo $i > /tmp/count"
            )
            started = await keeper.run(house.run("one", "sh", "-c", script, log=True))
            close(started)
            exited = asyncio.ensure_future(keeper.wait("one"))
            killed: set[int] = set()
            while not exited.done():
                pump = (await keeper.status())["pump"]
                output = house.log("one") / "output"
                if pump and pump not in killed and output.exists():
                    size = output.stat().st_size
                    await asyncio.sleep(0.02)
                    if output.stat().st_size > size:
                        os.kill(pump, signal.SIGKILL)
                        if not killed:
                            touch_inside(started.pid, "/tmp/killed")
                        killed.add(pump)
                await asyncio.sleep(0.01)
            assert await exited == 0

    asyncio.run(scenario())

    count = int((house.data / "one/upper/tmp/count").read_text())
    words = (house.log("one") / "output").read_bytes().split(b"\n")
    expected = {f"{word} {number}".encode() for number in range(count) for word in ("line", "err")} | {b""}
    assert len(words) == 2 * count + 1
    assert set(words) == expected
    records = list(read(house.log("one")))
    assert sum(len(line.text) + 1 for line in records) == (house.log("one") / "output").stat().st_size


def test_what_a_pump_that_is_behind_has_not_heard_of_yet_is_not_lost(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            close(await keeper.run(house.run("first", "sleep", "60", log=True)))
            pump = (await keeper.status())["pump"]
            os.kill(pump, signal.SIGSTOP)
            try:
                close(await keeper.run(house.run("one", "echo", "said", log=True)))
                assert await keeper.wait("one") == 0  # late: it is not waited for any longer
                assert not (house.run_directory / "fifo/one").exists()
            finally:
                os.kill(pump, signal.SIGCONT)
            await until(lambda: texts(house.log("one")) == [b"said"])
            assert "its output was not drained" in house.notes()

    asyncio.run(scenario())


def test_stdout_can_be_opened_again_by_an_ordinary_user(house: House) -> None:
    async def scenario() -> list[bytes]:
        async with a_keeper(house) as keeper:
            run = house.run(
                "one", "sh", "-c", "echo again > /proc/self/fd/1", more=(Credentials(1000, 1000),), log=True
            )
            close(await keeper.run(run))
            assert await keeper.wait("one") == 0
        return texts(house.log("one"))

    assert asyncio.run(scenario()) == [b"again"]


def test_a_second_life_is_appended_to_the_log(house: House) -> None:
    async def scenario() -> list[bytes]:
        async with a_keeper(house) as keeper:
            for word in ("first", "second"):
                run = house.run("one", "echo", word, log=True)
                close(await keeper.run(run))
                await keeper.wait("one")
        return texts(house.log("one"))

    assert asyncio.run(scenario()) == [b"first", b"second"]


def test_a_terminal_is_logged_through_a_held_fifo(house: House) -> None:
    async def scenario() -> list[bytes]:
        async with a_keeper(house) as keeper:
            steps = house.steps("sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done")
            run = Run(
                "one",
                (*steps[:4], *DEVICES, *steps[4:-1], Terminal(), steps[-1]),
                clone=("mnt", "pid"),
                log=str(house.log("one")),
                fifos=str(house.run_directory / "fifo/one"),
            )
            close(await keeper.run(run))
            await keeper.wait("one")
        return texts(house.log("one"), "tty")

    assert asyncio.run(scenario()) == [f"{number}\r".encode() for number in range(2000)]


@pytest.fixture
def small_disk(house: House) -> Iterator[Path]:
    """A file system of 256 KiB for a log, mounted where the keeper sees it."""
    directory = house.log("one")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "composer-test", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def test_a_full_disk_leaves_a_marked_gap_and_never_a_frozen_container(house: House, small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (150 * 1024))

    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            script = (
                "i=0; while [ $i -lt 30000 ]; do echo a line of some length $i; i=$((i+1)); done; "
                "until [ -e /tmp/go ]; do sleep 0.05; done; echo after"
            )
            started = await keeper.run(house.run("one", "sh", "-c", script, log=True))
            # `echo` is the shell's own: a child is the `sleep` after them.
            await until(lambda: children_of(started.pid))
            filler.unlink()
            touch_inside(started.pid, "/tmp/go")
            close(started)
            assert await keeper.wait("one") == 0

    asyncio.run(scenario())

    lines = list(read(small_disk))
    gaps = [line for line in lines if line.stream == "gap"]
    assert len(gaps) >= 1
    assert b"the disk was full" in gaps[0].text
    assert lines[0].text == b"a line of some length 0"
    assert lines[-1] == LogLine(lines[-1].time, "stdout", b"after")
