import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.keeper.logs import read
from composer.keeper.runs import Run
from composer.keeper.steps import Bind, Credentials, Device, Directory, Mask, Mount, OomScore, ReadOnly, Sysctl
from tests.kernel.keepers import ALL, House, a_keeper, close, output
from tests.kernel.test_keeper_exec import entering

pytestmark = pytest.mark.kernel

USER = 65534


@pytest.fixture
def house() -> Iterator[House]:
    """A keeper of an ordinary user, in a directory that he can reach."""
    directory = Path(tempfile.mkdtemp(prefix="composer-rootless-"))
    house = House(directory, user=USER)
    yield house
    house.end()
    shutil.rmtree(directory)


def test_an_ordinary_user_runs_a_container(house: House) -> None:
    async def scenario() -> list[str]:
        async with a_keeper(house) as keeper:
            steps = house.steps(
                "sh",
                "-c",
                "id -u; echo x > /written; stat -c %t:%T /dev/null; ls /masked | wc -l; cat /proc/self/uid_map",
                more=(Mask(("/masked",)), ReadOnly(("/proc/sys",)), Credentials(0, 0, None)),
            )
            planted = (
                Mount("tmpfs", "/dev", 0, "mode=755"),
                Device("/dev/null", "c", 1, 3),
                Mount("mqueue", "/dev/mqueue"),
                Mount("sysfs", "/sys"),
                Bind(str(house.data), "/data", read_only=True),
                Sysctl("net.ipv4.ip_forward", "1"),
            )
            (house.layer / "masked").mkdir()
            (house.layer / "masked/file").touch()
            (house.layer / "bin/wc").symlink_to("busybox")
            text = await output(keeper, Run("one", (*steps[:4], *planted, *steps[4:]), clone=ALL))
            return text.splitlines()

    uid, device, masked, uid_map = asyncio.run(scenario())

    assert (uid, device, masked) == ("0", "1:3", "0")
    assert uid_map.split() == ["0", str(USER), "1"]
    written = house.data / "one/upper/written"
    assert written.stat().st_uid == USER


def test_an_ordinary_user_gets_logs_exec_and_exit_codes(house: House) -> None:
    async def scenario() -> tuple[int, str]:
        async with a_keeper(house) as keeper:
            started = await keeper.run(
                house.run("one", "sh", "-c", "echo out; echo again > /proc/self/fd/1; sleep 60", log=True)
            )
            text = await output(keeper, entering(started, "cat", "/proc/1/comm"))
            signal.pidfd_send_signal(started.pidfd, signal.SIGKILL)
            close(started)
            return await keeper.wait("one"), text

    assert asyncio.run(scenario()) == (137, "sleep\n")
    assert [line.text for line in read(house.log("one"))] == [b"out", b"again"]


def test_the_users_own_id_is_passed_on(house: House) -> None:
    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            pid = (await keeper.status())["keeper"]
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert f"COMPOSER_UID={USER}".encode() in environment
            assert Path(f"/proc/{pid}/ns/user").stat().st_ino != Path("/proc/self/ns/user").stat().st_ino

    asyncio.run(scenario())


WITH_RANGES = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"'


@pytest.mark.skipif(not shutil.which("newuidmap"), reason="needs newuidmap")
def test_the_ranges_of_the_user_are_mapped_where_there_are_any() -> None:
    directory = Path(tempfile.mkdtemp(prefix="composer-rootless-"))
    ranges = directory / "ranges"
    ranges.write_text("nobody:200000:65536\n")
    private = ("unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_RANGES, str(ranges))
    house = House(directory, user=USER, wrapper=private)
    more = (OomScore(300), Directory("/shared", 0o777), Credentials(1000, 1000, (7,)))

    async def scenario() -> int:
        async with a_keeper(house) as keeper:
            script = "echo x > /shared/mine; id -G > /proc/self/fd/1"
            close(await keeper.run(house.run("one", "sh", "-c", script, more=more, log=True)))
            return await keeper.wait("one")

    try:
        assert asyncio.run(scenario()) == 0
        assert (house.data / "one/upper/shared/mine").stat().st_uid == 200_999
        assert [line.text for line in read(house.log("one"))] == [b"1000 7"]
    finally:
        house.end()
        shutil.rmtree(directory)
