import pytest

from composer.build.dockerfile.device import read_device
from composer.build.dockerfile.durations import nanoseconds
from composer.build.dockerfile.instructions import Device
from composer.build.dockerfile.mount import Mount, MountError, read_mount
from composer.build.dockerfile.ports import read_ports

MINUTE = 60 * 10**9


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/x", Mount(target="/x")),
        ("type=bind,src=a,dst=/x,rw", Mount(source="a", target="/x", read_only=False)),
        ("type=bind,source=a,destination=/x,readwrite=false", Mount(source="a", target="/x")),
        ("from=stage,target=/x,ro=false", Mount(from_="stage", target="/x", read_only=False)),
        ("TYPE=Cache,target=/x", Mount(type="cache", target="/x", read_only=False)),
        (
            "type=cache,target=/x,id=i,sharing=Locked,ro,mode=0755,uid=1,gid=2,from=a,source=b",
            Mount("cache", "a", "b", "/x", "i", "locked", True, mode=0o755, uid=1, gid=2),
        ),
        ("type=tmpfs,target=/x,size=64m", Mount(type="tmpfs", target="/x", read_only=False, size=64 << 20)),
        ("type=secret,id=a,required,env=TOKEN", Mount(type="secret", id="a", required=True, env="TOKEN")),
        ("type=secret,id=a,target=/run/x,mode=400", Mount(type="secret", id="a", target="/run/x", mode=0o400)),
        ("type=ssh", Mount(type="ssh")),
        ("type=ssh,id=default,required=true", Mount(type="ssh", id="default", required=True)),
        ('type=bind,"source=a,b",target=/x', Mount(source="a,b", target="/x")),
    ],
)
def test_mounts_mean_what_they_say(text: str, mount: Mount) -> None:
    assert read_mount(text) == mount


def test_values_are_expanded_each_for_itself() -> None:
    assert read_mount("type=$T,target=/x", lambda word: word.replace("$T", "cache")).type == "cache"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=disk", "a mount's `type` cannot be `disk`"),
        ("target", "the mount's field `target` must be a key=value pair"),
        ("traget=/x", "unexpected key `traget` in `traget=/x`"),
        ("type=cache,sharing=all", "a mount's `sharing` cannot be `all`"),
        ("sharing=shared", "`sharing` is not for mounts of type `bind`"),
        ("type=bind,required", "unexpected key `required` for mount type `bind`"),
        ("type=cache,size=1m", "unexpected key `size` for mount type `cache`"),
        ("type=tmpfs,size=big", "a mount's `size` is a size, not `big`"),
        ("type=cache,mode=9", "a mount's `mode` is an octal number, not `9`"),
        ("type=cache,uid=root", "a mount's `uid` is a number, not `root`"),
        ("type=bind,uid=1", "`uid` is not allowed for mounts of type `bind`"),
        ("type=bind,ro=maybe", "a mount's `read_only` is true or false, not `maybe`"),
        ("type=secret", "a secret mount needs `id`, `source` or `target`"),
        ("type=secret,id=a,source=b", "a secret mount cannot have both `source` and `id`"),
        ("type=secret,id=a,from=b", "a secret mount cannot have `from`"),
        ("type=ssh,env=X", "`env` is not for mounts of type `ssh`"),
        ('type=bind,"x', 'cannot read the mount `type=bind,"x`: unexpected end of data'),
    ],
)
def test_impossible_mounts_say_why(text: str, message: str) -> None:
    with pytest.raises(MountError) as caught:
        read_mount(text)

    assert str(caught.value) == message.replace("read_only", "ro")


def test_a_key_that_is_nearly_right_is_proposed() -> None:
    with pytest.raises(MountError) as caught:
        read_mount("traget=/x")

    assert caught.value.hint == "did you mean `target`?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1ns", 1),
        ("1.5h", 90 * MINUTE),
        ("1m30s", 90 * 10**9),
        ("-1.s", -(10**9)),
        (".5ms", 500_000),
        ("2µs", 2000),
    ],
)
def test_durations_are_gos(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", ".s", "1 s", "1x", "1m-3s", "1e3s", "300000000h", "+", "9" * 200 + "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("80", ["80/tcp"]),
        ("80/UDP", ["80/udp"]),
        ("8000-8002", ["8000/tcp", "8001/tcp", "8002/tcp"]),
        ("9-9/sctp", ["9/sctp"]),
        ("127.0.0.1:80:81", ["81/tcp"]),
        ("[::1]:80:81/udp", ["81/udp"]),
        ("1:2", ["2/tcp"]),
        ("80/", ["80/tcp"]),
    ],
)
def test_ports_as_an_image_has_them(word: str, names: list[str]) -> None:
    assert read_ports(word).names() == names


@pytest.mark.parametrize(
    "word", ["", "x", "/tcp", "80/x", "70000", "2-1", "1-2-3", "a:1:2", "1-3:1-2", "-1", "1:", "80/tcp/udp"]
)
def test_what_is_no_port_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"invalid"):
        read_ports(word)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("vendor.com/gpu=all", Device("vendor.com/gpu=all")),
        ("name=vendor.com/gpu=all,required", Device("vendor.com/gpu=all", required=True)),
        ("vendor.com/gpu,required=false", Device("vendor.com/gpu")),
        ("required", Device("required")),
    ],
)
def test_devices_mean_what_they_say(text: str, device: Device) -> None:
    assert read_device(text) == device
