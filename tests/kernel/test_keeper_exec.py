import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import termios
import traceback
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.keeper import wire
from composer.keeper.client import Keeper
from composer.keeper.journal import Journal
from composer.keeper.keeping import Keeping, Pending
from composer.keeper.loop import Loop
from composer.keeper.runs import Run, Started
from composer.keeper.start import Request, Start
from composer.keeper.steps import Credentials, Device, Exec, Mount, ResourceLimit, Step, Symlink, Terminal
from composer.kernel import process
from tests.kernel.keepers import PATH, House, a_keeper, close, output
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.kernel

DEVICES: tuple[Step, ...] = (
    Mount("tmpfs", "/dev", 0, "mode=755"),
    Device("/dev/null", "c", 1, 3),
    Mount("devpts", "/dev/pts", 0, "newinstance,ptmxmode=0666,mode=0620"),
    Symlink("/dev/ptmx", "pts/ptmx"),
)


def entering(started: Started, *command: str, steps: tuple[Step, ...] = ()) -> Run:
    """A second process in the container of `started`."""
    program = Exec(command, (PATH, "HOME=/root"))
    return Run("exec", (*steps, program), enter="container", fds={"container": started.pidfd}, journal=False)


def test_a_process_joins_a_running_container(house: House) -> None:
    async def scenario() -> tuple[str, list[str]]:
        async with a_keeper(house) as keeper:
            started = await keeper.run(house.run("one", "sleep", "60"))
            text = await output(keeper, entering(started, "sh", "-c", "ps -o pid,comm; pwd; echo $HOME"))
            kinds = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
            links = await output(keeper, entering(started, "ls", "-l", "/proc/self/ns"))
            missing = [kind for kind in kinds if str(Path(f"/proc/{started.pid}/ns/{kind}").readlink()) not in links]
            close(started)
            return text, missing

    text, missing = asyncio.run(scenario())

    assert "1 sleep" in text
    assert text.endswith("/\n/root\n")
    assert missing == []


def test_the_exit_code_of_an_exec_is_told(house: House) -> None:
    async def scenario() -> list[int]:
        async with a_keeper(house) as keeper:
            container = await keeper.run(house.run("one", "sleep", "60"))
            statuses = []
            for command in ("exit 12", "kill -9 $$"):
                close(await keeper.run(entering(container, "sh", "-c", command)))
                statuses.append(await keeper.wait("exec"))
            close(container)
            return statuses

    assert asyncio.run(scenario()) == [12, 137]


def test_only_the_exit_of_a_container_is_to_be_acknowledged(house: House) -> None:
    async def scenario() -> dict[str, bool]:
        exits: dict[str, bool] = {}
        async with a_keeper(house) as keeper:
            keeper.on_exit = lambda ended: exits.update({ended.id: ended.journalled})
            container = await keeper.run(house.run("one", "sleep", "60"))
            close(await keeper.run(entering(container, "true")))
            await keeper.wait("exec")
            signal.pidfd_send_signal(container.pidfd, signal.SIGKILL)
            close(container)
            await keeper.wait("one")
            await asyncio.sleep(0)  # then it is told
        return exits

    assert asyncio.run(scenario()) == {"exec": False, "one": True}


def test_nobody_is_reaped_while_a_process_enters_a_container() -> None:
    """What will run in there is the keeper's child before the keeper knows it, and may have ended by then."""

    def scenario(child: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        keeping = Keeping(Loop(), Journal(Path("/dev/null")), (1024, 1024), {})
        begun = Start(Request("exec", (), enter="container"), ours, 1, os.pidfd_open(1), 0)
        keeping.starts["exec"] = Pending(begun, None, 0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

        keeping.reap_orphans()
        wire.send(theirs, {"entered": True}, [os.pidfd_open(child)])
        wire.send(theirs, {"exec": True})
        theirs.close()
        begun.listen()

        assert (begun.pid, begun.error) == (child, None)
        assert process.reap(begun.pidfd) == 3

    def run() -> int:
        if (child := os.fork()) == 0:
            os._exit(3)
        scenario(child)
        return 0

    tester = os.fork()  # whose only child it is: ours must not be reaped
    if tester == 0:
        try:
            os._exit(run())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(tester, 0)[1] == 0


def test_a_missing_program_of_an_exec_is_an_error(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            container = await keeper.run(house.run("one", "sleep", "60"))
            try:
                await keeper.run(entering(container, "missing"))
            finally:
                close(container)

    with pytest.raises(ContainerError) as caught:
        asyncio.run(scenario())
    assert caught.value.exit_code == 127


def test_an_exec_into_a_dead_container_is_an_error(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            container = await keeper.run(house.run("one", "true"))
            await keeper.wait("one")
            try:
                await keeper.run(entering(container, "true"))
            finally:
                close(container)

    with pytest.raises(ContainerError, match="no such process"):
        asyncio.run(scenario())


def test_killing_the_container_ends_its_execs(house: House) -> None:
    async def scenario() -> int:
        async with a_keeper(house) as keeper:
            container = await keeper.run(house.run("one", "sleep", "60"))
            close(await keeper.run(entering(container, "sleep", "60")))
            signal.pidfd_send_signal(container.pidfd, signal.SIGKILL)
            close(container)
            return await asyncio.wait_for(keeper.wait("exec"), PATIENCE)

    assert asyncio.run(scenario()) == 137


def test_credentials_and_limits_apply_to_the_program(house: House) -> None:
    steps: tuple[Step, ...] = (
        ResourceLimit("NOFILE", 100, 200),
        Credentials(1234, 1235, (7, 8), bounding=(0, 10), ambient=(10,)),
    )

    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            run = house.run("one", "sh", "-c", "id -u; id -G; ulimit -n; umask; cat /proc/self/status", more=steps)
            return await output(keeper, run)

    uid, groups, limit, umask, *status = asyncio.run(scenario()).splitlines()

    assert (uid, groups, limit, umask) == ("1234", "1235 7 8", "100", "0022")
    capabilities = {
        key: int(value, 16) for key, value in (line.split(":\t") for line in status if line.startswith("Cap"))
    }
    assert capabilities == {
        "CapInh": 1 << 10,
        "CapPrm": 1 << 10,
        "CapEff": 1 << 10,
        "CapBnd": 1 | 1 << 10,
        "CapAmb": 1 << 10,
    }


def test_root_keeps_exactly_its_bounding_set(house: House) -> None:
    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            run = house.run("one", "cat", "/proc/self/status", more=(Credentials(0, 0, bounding=(0, 5, 31)),))
            return await output(keeper, run)

    lines = [line.split(":\t") for line in asyncio.run(scenario()).splitlines() if line.startswith("Cap")]
    expected = 1 | 1 << 5 | 1 << 31

    assert {key: int(value, 16) for key, value in lines} == {
        "CapInh": 0,
        "CapPrm": expected,
        "CapEff": expected,
        "CapBnd": expected,
        "CapAmb": 0,
    }


async def read_until(fd: int, end: bytes) -> bytes:
    """What comes, up to `end` at least."""
    os.set_blocking(fd, False)
    data = b""

    def came() -> bool:
        nonlocal data
        with contextlib.suppress(BlockingIOError):
            data += os.read(fd, 4096)
        return end in data

    await until(came)
    return data


def foreground(master: int) -> str:
    """The name of the program that has a terminal."""
    try:
        return Path(f"/proc/{os.tcgetpgrp(master)}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize("init", [False, True])
def test_a_terminal_is_the_programs_own(house: House, init: bool) -> None:
    async def scenario() -> tuple[bytes, int]:
        async with a_keeper(house) as keeper:
            for name in ("stty", "tty"):
                (house.layer / "bin" / name).symlink_to("busybox")
            steps = house.steps("sh", "-i", init=init)
            terminal = Terminal(rows=33, columns=77)
            run = Run("one", (*steps[:4], *DEVICES, *steps[4:-1], terminal, steps[-1]), clone=("mnt", "pid"))
            started = await keeper.run(run)
            master = started.reported["pty"]
            os.write(master, b"tty; stty size; stat -c %t:%T /dev/console\n")
            text = await read_until(master, b"88:")
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
            os.write(master, b"stty size; sleep 100\n")
            text += await read_until(master, b"40 100")
            await until(lambda: foreground(master) == "sleep")
            os.write(master, b"\x03")
            os.write(master, b"exit 3\n")
            status = await asyncio.wait_for(keeper.wait("one"), PATIENCE)
            close(started)
            return text, status

    text, status = asyncio.run(scenario())

    assert b"/dev/pts/0" in text
    assert b"33 77" in text
    assert status == 3


def test_an_exec_can_have_a_terminal(house: House) -> None:
    async def scenario() -> bytes:
        async with a_keeper(house) as keeper:
            (house.layer / "bin/tty").symlink_to("busybox")
            steps = house.steps("sleep", "60")
            run = Run("one", (*steps[:4], *DEVICES, *steps[4:]), clone=("mnt", "pid"))
            container = await keeper.run(run)
            started = await keeper.run(entering(container, "tty", steps=(Terminal(console=False),)))
            text = await read_until(started.reported["pty"], b"/dev/pts")
            assert await keeper.wait("exec") == 0
            close(started)
            close(container)
            return text

    assert asyncio.run(scenario()) == b"/dev/pts/0\r\n"


def test_an_impostor_terminal_is_refused(house: House) -> None:
    (house.layer / "dev/ptmx").write_text("nothing")

    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            await keeper.run(house.run("one", "true", more=(Terminal(),)))

    with pytest.raises(ContainerError, match="not a terminal multiplexer"):
        asyncio.run(scenario())


async def held_stdin(house: House, keeper: Keeper) -> bytes:
    fifos = str(house.run_directory / "fifo/one")
    run = Run(
        "one",
        house.steps("sh", "-c", "read line; echo got $line"),
        clone=("mnt", "pid"),
        log=str(house.log("one")),
        fifos=fifos,
        keep_stdin=True,
    )
    started = await keeper.run(run)
    os.write(started.reported["stdin"], b"words\n")
    close(started)
    await keeper.wait("one")
    return (house.log("one") / "output").read_bytes()


def test_a_held_stdin_can_be_written_to(house: House) -> None:
    async def scenario() -> bytes:
        async with a_keeper(house) as keeper:
            return await held_stdin(house, keeper)

    assert asyncio.run(scenario()) == b"got words\n"
