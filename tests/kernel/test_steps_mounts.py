import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from composer.errors import ContainerError
from composer.keeper.runs import Run
from composer.keeper.steps import (
    Bind,
    CopyTree,
    Device,
    Directory,
    Exec,
    Files,
    Mask,
    Mount,
    Overlay,
    PivotRoot,
    Propagation,
    ReadOnly,
    Root,
    Seccomp,
    Step,
    Symlink,
    WorkingDirectory,
)
from composer.kernel.mount import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from tests.kernel.keepers import ALL, PATH, House, a_keeper, output

pytestmark = pytest.mark.kernel

NULL = Device("/dev/null", "c", 1, 3)


def printed(house: House, *command: str, before: tuple[Step, ...] = (), more: tuple[Step, ...] = ()) -> str:
    """What `command` prints in a container whose root got `before`, and after the pivot `more`."""

    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            head, tail = house.steps(*command, more=more)[:4], house.steps(*command, more=more)[4:]
            return await output(keeper, Run("one", (*head, *before, *tail), clone=ALL))

    return asyncio.run(scenario())


def flags_of(mountinfo: str, target: str) -> set[str]:
    """The per-mount options of the topmost mount at `target`."""
    lines = [line.split() for line in mountinfo.splitlines() if line.split()[4] == target]
    return set(lines[-1][5].split(","))


@pytest.mark.parametrize("count", [1, 2, 130])
@pytest.mark.parametrize("awkward", [False, True])
def test_a_root_of_any_number_of_layers_is_mounted(house: House, count: int, awkward: bool) -> None:
    # Names with colons cannot be given one by one: these take the way of kernels before 6.5.
    layers = [house.data / f"layer{':' if awkward else ''}{number}" for number in range(count)]
    for number, layer in enumerate(layers):
        layer.mkdir()
        (layer / f"file{number}").touch()
        (layer / "same").write_text(str(number))
    overlay = replace(house.overlay(), lower=(*map(str, layers), str(house.layer)))
    steps = (Propagation(), overlay, PivotRoot(str(house.rootfs)), Exec(("sh", "-c", "ls /; cat /same"), (PATH,)))

    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            return await output(keeper, Run("one", steps, clone=ALL))

    *names, same = asyncio.run(scenario()).split()

    assert {f"file{number}" for number in range(count)} <= set(names)
    assert same == "0"


def test_a_root_without_an_upper_directory_cannot_be_written(house: House) -> None:
    for lower in ((str(house.layer),), (str(house.layer), str(house.data))):
        steps = (
            Propagation(),
            Overlay(str(house.rootfs), lower),
            PivotRoot(str(house.rootfs)),
            Exec(("sh", "-c", "echo x > /x"), (PATH,)),
        )

        async def scenario(steps: tuple[Step, ...] = steps) -> str:
            async with a_keeper(house) as keeper:
                return await output(keeper, Run("one", steps, clone=ALL))

        assert "Read-only file system" in asyncio.run(scenario())
        house.start()


def test_a_plain_directory_serves_as_root(house: House) -> None:
    steps = (
        Propagation(),
        Root(str(house.rootfs), str(house.layer)),
        PivotRoot(str(house.rootfs)),
        Exec(("ls", "/"), (PATH,)),
    )

    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            return await output(keeper, Run("one", steps, clone=ALL))

    assert "bin" in asyncio.run(scenario()).split()


def test_nothing_of_the_host_is_left_after_the_pivot(house: House) -> None:
    mounts = printed(house, "cat", "/proc/self/mountinfo")

    assert [line.split()[4] for line in mounts.splitlines()] == ["/", "/proc"]


def test_binds_appear_with_their_flags(house: House) -> None:
    source = house.data / "source"
    (source / "inner").mkdir(parents=True)
    (source / "file").write_text("hello")
    mounts = printed(
        house,
        "cat",
        "/proc/self/mountinfo",
        "/made/here/file",
        "/one-file",
        before=(
            Bind(str(source), "/made/here", read_only=True, flags=MS_NOSUID | MS_NODEV | MS_NOEXEC),
            Bind(str(source / "file"), "/one-file"),
        ),
    )

    assert mounts.endswith("hellohello")
    assert {"ro", "nosuid", "nodev", "noexec"} <= flags_of(mounts.removesuffix("hellohello"), "/made/here")
    assert "rw" in flags_of(mounts.removesuffix("hellohello"), "/one-file")


def test_a_read_only_bind_covers_the_mounts_below_it(house: House) -> None:
    (house.data / "outer/inner").mkdir(parents=True)
    (house.data / "below").mkdir()
    text = printed(
        house,
        "sh",
        "-c",
        "echo x > /outer/inner/x",
        before=(
            Bind(str(house.data / "outer"), "/stage"),
            Bind(str(house.data / "below"), "/stage/inner"),
            Bind(f"{house.rootfs}/stage", "/outer", read_only=True),
        ),
    )

    assert "Read-only file system" in text


@pytest.mark.parametrize("link", ["/../../../../../..", "../../../../..", "/proc/1/root", "/proc/self/root/../.."])
def test_a_link_of_an_image_leads_nowhere_outside(house: House, link: str) -> None:
    marker = house.data / "outside"
    marker.mkdir()
    (house.layer / "etc").rmdir()
    (house.layer / "etc").symlink_to(f"{link}{marker}" if not link.startswith("/proc") else link)
    (house.data / "hosts").write_text("127.0.0.1 localhost\n")

    async def scenario() -> str:
        async with a_keeper(house) as keeper:
            steps = house.steps("cat", "/etc/hosts")
            planted = (
                Bind(str(house.data / "hosts"), "/etc/hosts"),
                Directory("/etc/directory"),
                Symlink("/etc/link", "x"),
                Mount("tmpfs", "/etc/tmpfs"),
            )
            return await output(keeper, Run("one", (*steps[:4], *planted, *steps[4:]), clone=ALL))

    if link.startswith("/proc"):  # magic links are refused
        with pytest.raises(ContainerError):
            asyncio.run(scenario())
    else:
        assert asyncio.run(scenario()) == "127.0.0.1 localhost\n"
    assert list(marker.iterdir()) == []
    assert not Path("/etc/directory").exists()
    assert not Path("/etc/link").is_symlink()


def test_a_link_that_leads_in_circles_is_an_error(house: House) -> None:
    (house.layer / "a").symlink_to("b")
    (house.layer / "b").symlink_to("a")

    with pytest.raises(ContainerError, match="make `/a/x`: too many levels of symbolic links"):
        printed(house, "true", before=(Directory("/a/x"),))


def test_what_a_dangling_link_points_at_is_made_inside(house: House) -> None:
    (house.layer / "var").mkdir()
    (house.layer / "var/run").symlink_to("../run/deep")
    (house.layer / "file").symlink_to("/elsewhere/file")
    (house.data / "source").write_text("content")

    text = printed(
        house,
        "sh",
        "-c",
        "ls /run/deep; cat /elsewhere/file",
        before=(Directory("/var/run/made"), Bind(str(house.data / "source"), "/file")),
    )

    assert text == "made\ncontent"


def test_devices_links_and_directories_are_made_as_asked(house: House) -> None:
    text = printed(
        house,
        "stat",
        "-c",
        "%n %F %a %u %g %t %T",
        "/dev/null",
        "/dev/fd",
        "/srv/private",
        before=(
            Mount("tmpfs", "/dev", MS_NOSUID, "mode=755,size=65536k"),
            NULL,
            NULL,
            Symlink("/dev/fd", "/proc/self/fd"),
            Symlink("/dev/fd", "something else"),
            Directory("/srv/private", 0o700, 1000, 1001),
        ),
    )

    assert text.splitlines() == [
        "/dev/null character special file 666 0 0 1 3",
        "/dev/fd symbolic link 777 0 0 0 0",
        "/srv/private directory 700 1000 1001 0 0",
    ]


def test_masked_paths_show_nothing_and_read_only_paths_refuse(house: House) -> None:
    for name in ("secret-directory", "other-directory", "frozen"):
        (house.layer / name).mkdir()
        (house.layer / name / "content").write_text("secret")
    (house.layer / "secret-file").write_text("secret")
    script = (
        "ls /secret-directory /other-directory; cat /secret-file; touch /frozen/x; touch /secret-directory/x; "
        "cat /frozen/content; touch /root-file"
    )
    text = printed(
        house,
        "sh",
        "-c",
        script,
        before=(NULL,),
        more=(
            Mask(("/secret-directory", "/other-directory", "/secret-file", "/missing", "/secret-file/missing")),
            ReadOnly(("/frozen", "/missing", "/")),
        ),
    )

    assert text.count("Read-only file system") == 3
    assert text.count("secret\n") + text.count("secrettouch") <= 1
    assert "content" not in text.split("secret", 1)[0]


def test_a_mask_is_refused_where_the_null_device_is_an_impostor(house: House) -> None:
    (house.layer / "dev/null").symlink_to("/secret-file")
    (house.layer / "secret-file").write_text("secret")

    with pytest.raises(ContainerError, match="mask paths: "):
        printed(house, "true", more=(Mask(("/secret-file",)),))


def test_a_tmpfs_can_keep_what_the_image_has(house: House) -> None:
    kept = house.layer / "kept"
    (kept / "below").mkdir(parents=True)
    (kept / "below/file").write_text("kept")
    (kept / "link").symlink_to("below/file")
    os.chown(kept / "below", 5, 6)
    kept.chmod(0o711)

    text = printed(
        house,
        "sh",
        "-c",
        "cat /kept/link; stat -c '%a' /kept; stat -c '%u:%g' /kept/below; cat /proc/self/mountinfo",
        before=(Mount("tmpfs", "/kept", MS_NOSUID | MS_RDONLY, "size=1m", copy=True),),
    )

    assert text.startswith("kept711\n5:6\n")
    assert {"ro", "nosuid"} <= flags_of(text.partition("5:6\n")[2], "/kept")


def test_a_new_volume_is_seeded_once_with_everything_as_it_was(house: House) -> None:
    original = house.layer / "data"
    (original / "sub").mkdir(parents=True)
    (original / "file").write_text("from the image")
    (original / "sub/hard").hardlink_to(original / "file")
    (original / "sub/soft").symlink_to("../file")
    os.chown(original / "file", 7, 8)
    os.chown(original, 999, 998)
    original.chmod(0o750)
    os.utime(original / "file", (1, 2))
    os.setxattr(original / "file", "user.colour", b"red")
    volume = house.data / "volume"
    volume.mkdir()

    seed: tuple[Step, ...] = (CopyTree("/data", str(volume)), Bind(str(volume), "/data"))
    assert printed(house, "sh", "-c", "cat /data/file; echo mine > /data/file", before=seed) == "from the image"
    house.start()
    assert printed(house, "cat", "/data/file", before=seed) == "mine\n"

    status = (volume / "file").stat()
    assert (status.st_uid, status.st_gid, status.st_nlink) == (7, 8, 2)
    assert (volume / "sub/soft").readlink() == Path("../file")
    assert os.getxattr(volume / "file", "user.colour") == b"red"
    assert (volume.stat().st_uid, volume.stat().st_gid, volume.stat().st_mode & 0o777) == (999, 998, 0o750)
    assert not volume.with_name("volume.seeding").exists()


def test_a_volume_whose_seeding_was_cut_short_is_seeded_again(house: House) -> None:
    (house.layer / "data").mkdir()
    (house.layer / "data/file").write_text("whole")
    volume = house.data / "volume"
    volume.mkdir()
    (volume / "file").write_text("ha")
    volume.with_name("volume.seeding").touch()

    assert printed(house, "true", before=(CopyTree("/data", str(volume)),)) == ""
    assert (volume / "file").read_text() == "whole"


def test_a_working_directory_is_made_and_cannot_be_a_door_to_the_host(house: House) -> None:
    made = WorkingDirectory("/new/place", create=True, uid=3, gid=4)
    assert printed(house, "sh", "-c", "pwd; stat -c %u:%g .", more=(made,)) == "/new/place\n3:4\n"
    house.start()

    with pytest.raises(ContainerError, match="enter `/proc/self/fd/3`"):
        printed(house, "pwd", more=(WorkingDirectory("/proc/self/fd/3"),))


def test_errors_of_mounts_say_what_and_why(house: House) -> None:
    for step, words in (
        (Mount("nosuchfs", "/x"), "mount nosuchfs on `/x`: no such device (fsopen nosuchfs)"),
        (Mount("tmpfs", "/x", 0, "size=wrong"), "mount tmpfs on `/x`: invalid argument (tmpfs: Bad value for 'size')"),
        (Bind("/no/such", "/x"), "bind `/no/such` on `/x`: no such file or directory (open_tree /no/such)"),
        (
            Bind("/proc", "/bin/busybox"),
            "bind `/proc` on `/bin/busybox`: it is a directory, and what the container has there is a file",
        ),
        (
            Bind("/dev/null", "/bin"),
            "bind `/dev/null` on `/bin`: it is a file, and what the container has there is a directory",
        ),
        (Bind("/dev/null", "/bin/busybox/x"), "bind `/dev/null` on `/bin/busybox/x`: a part of that path is a file"),
        (Mount("tmpfs", "/bin/busybox"), "mount tmpfs on `/bin/busybox`: what the container has there is no directory"),
        (
            Files("/tmp", (("/bin", b"", 0, 0, 0),)),
            "give `/bin`: it is a file, and what the container has there is a directory (/bin)",
        ),
        (Directory("/bin/busybox"), "make `/bin/busybox`: what the container has there is no directory"),
    ):
        with pytest.raises(ContainerError) as caught:
            printed(house, "true", before=(step,))
        assert caught.value.message == words
        house.start()


SYSCALLS = {"openat2": 437, "open_tree": 428, "move_mount": 429, "fsmount": 432, "mount_setattr": 442, "mkdirat": 258}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86_64 system call numbers")
@pytest.mark.parametrize("name", SYSCALLS)
def test_a_failing_kernel_call_leaves_no_mount_behind(house: House, name: str) -> None:
    """The kernel itself plays the failure: a filter, installed first, answers one system call with EIO."""

    def instruction(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
        return code.to_bytes(2, "little") + bytes([jump_true, jump_false]) + value.to_bytes(4, "little")

    program = (
        instruction(0x20, 0, 0, 0)  # load the system call's number
        + instruction(0x15, 0, 1, SYSCALLS[name])
        + instruction(0x06, 0, 0, 0x00050000 | 5)  # SECCOMP_RET_ERRNO | EIO
        + instruction(0x06, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ALLOW
    )
    steps = house.steps("true")
    planted = (Bind(str(house.data), "/new", read_only=True), Directory("/made"))

    async def scenario() -> None:
        async with a_keeper(house) as keeper:
            await output(keeper, Run("one", (Seccomp(program), *steps[:4], *planted, *steps[4:]), clone=ALL))

    with pytest.raises(ContainerError, match="input/output error"):
        asyncio.run(scenario())
    assert house.mounts() == []
