import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.keeper.runs import Exit, Run
from composer.keeper.steps import Exec, Hostname, JoinCgroup, Propagation, ReportNamespace
from tests.kernel.keepers import ALL, House, a_keeper, catches, children_of, close, output, wait_until_gone
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.kernel


async def status_of(house: House, *command: str, init: bool = False) -> int:
    async with a_keeper(house) as keeper:
        close(await keeper.run(house.run("one", *command, init=init)))
        return await keeper.wait("one")


def test_the_exit_code_of_a_program_is_told(house: House) -> None:
    assert asyncio.run(status_of(house, "sh", "-c", "exit 42")) == 42


def test_a_signal_is_told_as_128_and_its_number(house: House) -> None:
    async def scenario() -> int:
        async with a_keeper(house) as keeper:
            started = await keeper.run(house.run("one", "sleep", "60"))
            signal.pidfd_send_signal(started.pidfd, signal.SIGKILL)
            close(started)
            return await keeper.wait("one")

    assert asyncio.run(scenario()) == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "exit_code", "words"),
    [
        ("missing", 127, "start `missing`: not found in PATH"),
        ("/bin/missing", 127, "start `/bin/missing`: no such file or directory (/bin/missing)"),
        ("/etc", 126, "start `/etc`: permission denied (/etc)"),
        ("./data", 126, "permission denied"),
        ("/bin/garbage", 126, "not a program for this machine"),
        ("/bin/orphan", 127, "the interpreter `/no/such/interpreter` that its first line names is missing"),
        ("/bin/windows", 127, "`/bin/sh` that its first line names is missing (a carriage return follows the name"),
        ("", 127, "an empty name"),
    ],
)
def test_a_program_that_cannot_run_is_an_error_with_its_exit_code(
    house: House, command: str, exit_code: int, words: str
) -> None:
    (house.layer / "data").write_text("no program")
    for name, content in (
        ("garbage", b"\x01\x02\x03"),
        ("orphan", b"#!/no/such/interpreter\n"),
        ("windows", b"#!/bin/sh\r\necho\r\n"),
    ):
        (house.layer / "bin" / name).write_bytes(content)
        (house.layer / "bin" / name).chmod(0o755)

    with pytest.raises(ContainerError) as caught:
        asyncio.run(status_of(house, command))

    assert words in caught.value.message
    assert (caught.value.step, caught.value.exit_code) == ("Exec", exit_code)


def test_a_program_that_cannot_run_under_init_is_an_error_too(house: House) -> None:
    with pytest.raises(ContainerError) as caught:
        asyncio.run(status_of(house, "/etc", init=True))

    assert caught.value.exit_code == 126


def test_a_list_without_a_program_ends_when_its_steps_are_done(house: House) -> None:
    async def scenario() -> list[str]:
        async with a_keeper(house) as keeper:
            steps = (Propagation(), ReportNamespace("netns/one"))
            started = await keeper.run(Run("job", steps, clone=("mnt", "net"), journal=False))
            try:
                assert await keeper.wait("job") == 0
                own = Path("/proc/self/ns/net").stat().st_ino
                assert os.fstat(started.reported["netns/one"]).st_ino != own
                return list(started.reported)
            finally:
                close(started)

    assert asyncio.run(scenario()) == ["netns/one"]


def test_many_start_at_once_and_each_exit_is_told_once(house: House) -> None:
    async def scenario() -> list[Exit]:
        exits: list[Exit] = []
        async with a_keeper(house) as keeper:
            keeper.on_exit = exits.append
            requests = [house.run(f"c{number}", "sh", "-c", f"exit {number}") for number in range(30)]
            for started in await asyncio.gather(*map(keeper.run, requests)):
                close(started)
            await asyncio.gather(*(keeper.wait(request.id) for request in requests))
            await asyncio.sleep(0)
        return exits

    exits = asyncio.run(scenario())

    assert {exit_.id: exit_.status for exit_ in exits} == {f"c{number}": number for number in range(30)}
    assert len(exits) == 30


def test_an_id_that_runs_is_not_started_twice(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            close(await keeper.run(house.run("one", "sleep", "60")))
            await keeper.run(house.run("one", "true"))

    with pytest.raises(ContainerError, match="`one` runs already"):
        asyncio.run(scenario())


def test_exits_are_told_to_every_new_engine_until_acknowledged(house: House) -> None:
    async def scenario() -> list[list[str]]:
        seen: list[list[str]] = []
        first = await house.connect()
        close(await first.run(house.run("one", "true")))
        await first.wait("one")
        first.close()
        for acknowledge in (False, True, False):
            async with a_connection(house) as ids:
                seen.append(ids)
            if acknowledge:
                keeper = await house.connect()
                await keeper.acknowledge(["one"])
                keeper.close()
        async with a_keeper(house):
            pass
        return seen

    assert asyncio.run(scenario()) == [["one"], ["one"], []]


class a_connection:  # noqa: N801 - reads as a phrase
    def __init__(self, house: House) -> None:
        self._house = house

    async def __aenter__(self) -> list[str]:
        ids: list[str] = []
        self._keeper = await self._house.connect()
        self._keeper.on_exit = lambda exit_: ids.append(exit_.id)
        await self._keeper.status()
        return ids

    async def __aexit__(self, *_: object) -> None:
        self._keeper.close()


def test_a_new_engine_learns_what_runs_and_what_is_held(house: House) -> None:
    async def scenario() -> tuple[set[str], dict[str, object], bytes]:
        first = await house.connect()
        started = await first.run(house.run("one", "sleep", "60"))
        reading, writing = os.pipe()
        await first.put("stdin/one", {"colour": "red"}, [writing])
        os.close(writing)
        close(started)
        first.close()
        async with a_keeper(house) as second:
            assert second.children["one"].pid == started.pid
            os.write(second.store["stdin/one"].fds[0], b"still open")
            data = os.read(reading, 100)
            os.close(reading)
            return set(second.children), second.store["stdin/one"].meta, data

    assert asyncio.run(scenario()) == ({"one"}, {"colour": "red"}, b"still open")


def test_a_second_engine_replaces_the_first(house: House) -> None:
    async def scenario() -> bool:
        lost = asyncio.Event()
        first = await house.connect()
        first.on_lost = lost.set
        async with a_keeper(house):
            await asyncio.wait_for(lost.wait(), PATIENCE)
        first.close()
        return lost.is_set()

    assert asyncio.run(scenario())


def test_what_is_dropped_is_closed(house: House) -> None:
    async def scenario() -> bytes:
        async with a_keeper(house) as keeper:
            reading, writing = os.pipe()
            await keeper.put("stdin/one", {}, [writing])
            os.close(writing)
            await keeper.drop("stdin/one")
            data = os.read(reading, 1)
            os.close(reading)
            return data

    assert asyncio.run(scenario()) == b""


def test_stop_is_refused_while_a_container_runs(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            close(await keeper.run(house.run("one", "sleep", "60")))
            with pytest.raises(ContainerError, match="containers run"):
                await keeper.stop()

    asyncio.run(scenario())


def test_sigterm_ends_an_idle_keeper_only(house: House) -> None:
    async def scenario() -> None:
        keeper = await house.connect()
        started = await keeper.run(house.run("one", "sleep", "60"))
        house.process.terminate()
        assert (await keeper.status())["containers"] == ["one"]
        signal.pidfd_send_signal(started.pidfd, signal.SIGKILL)
        close(started)
        await keeper.wait("one")
        house.process.terminate()
        assert house.process.wait(PATIENCE) == 0
        keeper.close()

    asyncio.run(scenario())


def test_garbage_on_the_socket_hurts_nobody(house: House) -> None:
    async def scenario() -> int:
        (await house.connect()).close()
        for packet in (
            b"",
            b"J",
            b"M",
            b"J[]",
            b"J{",
            b"J{}",
            b'J{"do":"run"}',
            b'J{"do":"put","name":1}',
            b"\xff" * 9000,
        ):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.connect(str(house.socket))
                sock.send(packet)
        return await_status(await run_true())

    async def run_true() -> int:
        async with a_keeper(house) as keeper:
            close(await keeper.run(house.run("one", "true")))
            return await keeper.wait("one")

    def await_status(status: int) -> int:
        return status

    assert asyncio.run(scenario()) == 0


def test_orphans_that_come_back_to_the_keeper_are_reaped(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            steps = (*house.steps("sh", "-c", "sleep 0.1 & exit 0"),)
            close(await keeper.run(Run("one", steps, clone=("mnt",))))
            await keeper.wait("one")
            await until(lambda: children_of(house.process.pid) == [])

    asyncio.run(scenario())


def test_a_second_keeper_leaves_the_first_alone(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            first = house.process
            second = house.start()
            assert second.wait(PATIENCE) == 0
            house.process = first
            assert (await keeper.status())["keeper"] == first.pid

    asyncio.run(scenario())


def test_init_reaps_orphans_and_ends_as_its_program_does(house: House) -> None:
    script = "(sleep 0.01 &) ; sleep 0.1; while ps -o stat | busybox grep -q Z; do sleep 0.01; done; exit 9"

    assert asyncio.run(status_of(house, "sh", "-c", script, init=True)) == 9


def test_init_passes_signals_on(house: House) -> None:
    async def scenario() -> int:
        async with a_keeper(house) as keeper:
            script = "trap 'exit 5' TERM; while :; do sleep 0.02; done"
            started = await keeper.run(house.run("one", "sh", "-c", script, init=True))
            await until(lambda: any(catches(child, signal.SIGTERM) for child in children_of(started.pid)))
            signal.pidfd_send_signal(started.pidfd, signal.SIGTERM)
            close(started)
            return await keeper.wait("one")

    assert asyncio.run(scenario()) == 5


def test_a_program_gets_none_of_the_keepers_descriptors(house: House) -> None:
    async def scenario() -> list[list[str]]:
        async with a_keeper(house) as keeper:
            reading, writing = os.pipe()
            await keeper.put("x/y", {}, [reading, writing])
            os.close(reading)
            os.close(writing)
            own = await output(keeper, house.run("one", "ls", "/proc/self/fd"))
            inits = await output(keeper, house.run("two", "ls", "/proc/1/fd", init=True))
            return [own.split(), inits.split()]

    # 3 is the directory that `ls` itself opened
    assert asyncio.run(scenario()) == [["0", "1", "2", "3"], ["0", "1", "2"]]


def test_a_start_under_way_keeps_nothing_of_the_keepers_open(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            reading, writing = os.pipe()
            await keeper.put("stdin/other", {}, [writing])
            os.close(writing)
            stuck = house.data / "stuck"
            stuck.mkdir()
            os.mkfifo(stuck / "cgroup.procs")  # opening it for writing waits for a reader
            request = house.run("one", "true")
            start = asyncio.create_task(keeper.run(replace(request, steps=(JoinCgroup((str(stuck),)), *request.steps))))
            await until(lambda: children_of(house.process.pid))

            await keeper.drop("stdin/other")
            os.set_blocking(reading, False)
            await until(lambda: is_at_its_end(reading))

            reader = os.open(stuck / "cgroup.procs", os.O_RDONLY | os.O_NONBLOCK)
            close(await start)
            assert await keeper.wait("one") == 0
            os.close(reader)
            os.close(reading)

    def is_at_its_end(pipe: int) -> bool:
        try:
            return os.read(pipe, 1) == b""
        except BlockingIOError:
            return False

    asyncio.run(scenario())


def test_a_failed_start_leaves_neither_process_nor_mount(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            steps = house.steps("true")
            for position in range(len(steps)):
                broken = (*steps[:position], Hostname("x" * 65), *steps[position:])
                with pytest.raises(ContainerError, match="set the host name: invalid argument"):
                    await keeper.run(Run("one", broken, clone=ALL))
                assert keeper.children == {}
            await until(lambda: children_of(house.process.pid) == [])
        assert house.mounts() == []

    asyncio.run(scenario())


def test_containers_outlive_a_killed_engine_connection(house: House) -> None:
    async def scenario() -> int:
        first = await house.connect()
        request = Run("one", house.steps("sh", "-c", "sleep 0.2; exit 3"), clone=ALL)
        task = asyncio.ensure_future(first.run(request))
        await asyncio.sleep(0)
        first.close()
        with pytest.raises(Exception, match="the keeper is gone"):
            await task
        async with a_keeper(house) as second:
            return await asyncio.wait_for(second.wait("one"), PATIENCE)

    assert asyncio.run(scenario()) == 3


def test_the_program_gets_a_session_and_default_signals(house: House) -> None:
    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            return await output(keeper, house.run("one", "cat", "/proc/self/stat", "/proc/self/status"))

    stat, *status = asyncio.run(scenario()).splitlines()

    assert stat.split()[:6] == ["1", "(cat)", "R", "0", "1", "1"]
    signals = dict(line.split(":\t") for line in status if line.startswith(("SigIgn", "SigBlk")))
    assert signals == {"SigIgn": "0" * 16, "SigBlk": "0" * 16}


def test_an_empty_list_of_steps_is_done_at_once(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            started = await keeper.run(Run("job", (), journal=False))
            close(started)
            wait_until_gone(started.pid)

    asyncio.run(scenario())


def test_exec_is_always_looked_up_in_its_own_path(house: House) -> None:
    steps = (*house.steps("true")[:-1], Exec(("true",), ("PATH=/nowhere",)))

    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            await keeper.run(Run("one", steps, clone=ALL))

    with pytest.raises(ContainerError, match="not found in PATH"):
        asyncio.run(scenario())
