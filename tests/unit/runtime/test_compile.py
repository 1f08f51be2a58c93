from dataclasses import replace

import pytest

from composer.errors import ContainerError, HostError
from composer.keeper.steps import (
    Bind,
    Credentials,
    Directory,
    Exec,
    JoinNamespace,
    Mount,
    Netlink,
    OnlyUser,
    OomScore,
    Step,
    Terminal,
)
from composer.oci.runtime_spec import Box, LinuxDevice, Rlimit, User
from composer.oci.runtime_spec import Mount as Wanted
from composer.runtime.bundle import Bundle
from composer.runtime.cgroup import Cgroup
from composer.runtime.compile import clone_namespaces, container_steps, exec_steps, unenforced
from composer.runtime.defaults import default_process, default_spec
from composer.runtime.describe import describe
from composer.runtime.facts import HostFacts

ROOT = HostFacts(cgroup="v1", device_filter=True)
ROOTLESS = HostFacts(rootless=True, mapped_ids=1, setgroups=False, cgroup="none")
BUNDLE = Bundle("/run/rootfs", ("/layers/2", "/layers/1"), "/c/upper", "/c/work", seccomp=bytes(8 * 874))
NETWORK = (Netlink(0, (b"link", b"addr"), tolerate=(17,)),)


def test_an_ordinary_container_reads_like_this() -> None:
    process = default_process(
        ("redis-server", "--appendonly", "yes"),
        env=("PATH=/bin", "PASSWORD=secret"),
        cwd="/data",
        user=User(999, 1000, additional_gids=(1000,)),
        terminal=True,
        rlimits=(Rlimit("RLIMIT_NOFILE", 1024, 4096),),
        oom_score_adj=100,
    )
    spec = default_spec(
        replace(process, console_size=Box(50, 120)),
        hostname="cache",
        read_only=True,
        mounts=(
            Wanted("/data", "/volumes/data/_data", "bind", ("rbind", "rw", "rprivate")),
            Wanted("/etc/redis.conf", "/home/me/redis.conf", "bind", ("rbind", "ro", "rslave")),
            Wanted("/tmp", "tmpfs", "tmpfs", ("nosuid", "nodev", "mode=1777", "size=1m", "tmpcopyup")),
        ),
        sysctl={"net.core.somaxconn": "511"},
    )
    bundle = replace(
        BUNDLE,
        etc=(("/etc/hosts", "/c/etc/hosts"), ("/etc/resolv.conf", "/c/etc/resolv.conf")),
        seeds=("/data",),
        cgroup=Cgroup(
            "c", ("/sys/fs/cgroup/memory/c", "/sys/fs/cgroup/devices/all"), (("memory", "/sys/fs/cgroup/memory/c"),)
        ),
        init=True,
    )

    assert (
        describe(container_steps(spec, bundle, ROOT, NETWORK))
        == """\
JoinCgroup directories=[/sys/fs/cgroup/memory/c /sys/fs/cgroup/devices/all]
OomScore value=100
Netlink family=0 messages=2 messages, 8 bytes tolerate=[17]
Propagation
Overlay rootfs=/run/rootfs lower=[/layers/2 /layers/1] upper=/c/upper work=/c/work
CopyTree target=/data destination=/volumes/data/_data
Mount filesystem=proc target=/proc flags=nosuid,nodev,noexec
Mount filesystem=tmpfs target=/dev flags=nosuid,strictatime data=mode=755,size=65536k
Mount filesystem=devpts target=/dev/pts flags=nosuid,noexec data=newinstance,ptmxmode=0666,mode=0620,gid=5
Mount filesystem=sysfs target=/sys flags=ro,nosuid,nodev,noexec
Mount filesystem=tmpfs target=/sys/fs/cgroup flags=nosuid,nodev,noexec data=mode=755,size=64k
Bind source=/sys/fs/cgroup/memory/c target=/sys/fs/cgroup/memory read_only=True recursive=False flags=nosuid,nodev,noexec
Mount filesystem=mqueue target=/dev/mqueue flags=nosuid,nodev,noexec
Mount filesystem=tmpfs target=/dev/shm flags=nosuid,nodev,noexec data=mode=1777,size=67108864
Bind source=/volumes/data/_data target=/data propagation=rprivate
Bind source=/home/me/redis.conf target=/etc/redis.conf read_only=True propagation=rslave
Mount filesystem=tmpfs target=/tmp flags=nosuid,nodev data=mode=1777,size=1m copy=True
Device target=/dev/null kind=c major=1 minor=3
Device target=/dev/zero kind=c major=1 minor=5
Device target=/dev/full kind=c major=1 minor=7
Device target=/dev/random kind=c major=1 minor=8
Device target=/dev/urandom kind=c major=1 minor=9
Device target=/dev/tty kind=c major=5 minor=0
Symlink target=/dev/fd text=/proc/self/fd
Symlink target=/dev/stdin text=/proc/self/fd/0
Symlink target=/dev/stdout text=/proc/self/fd/1
Symlink target=/dev/stderr text=/proc/self/fd/2
Symlink target=/dev/ptmx text=pts/ptmx
Bind source=/c/etc/hosts target=/etc/hosts
Bind source=/c/etc/resolv.conf target=/etc/resolv.conf
Directory target=/data
PivotRoot rootfs=/run/rootfs
Sysctl key=net/core/somaxconn value=511
Terminal uid=999 rows=50 columns=120
Hostname name=cache
ReadOnly paths=[/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger /sys/fs/cgroup]
Mask paths=[/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug \
/proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware]
ReadOnly paths=[/]
WorkingDirectory path=/data
ResourceLimit kind=NOFILE soft=1024 hard=4096
Seccomp program=6992 bytes
Credentials uid=999 gid=1000 groups=[1000] bounding=[0 1 3 4 5 6 7 8 10 13 18 27 29 31]
Exec arguments=[redis-server --appendonly yes] environment=[PATH PASSWORD] init=True
"""
    )


def test_an_exec_reads_like_this() -> None:
    process = default_process(("sh",), env=("A=b",), cwd="/srv", terminal=True, no_new_privileges=True)
    cgroup = Cgroup("c", ("/sys/fs/cgroup/c",), (("", "/sys/fs/cgroup/c"),))

    assert (
        describe(exec_steps(process, ROOT, cgroup=cgroup, seccomp=bytes(16)))
        == """\
JoinCgroup directories=[/sys/fs/cgroup/c]
Terminal console=False
WorkingDirectory path=/srv
NoNewPrivileges
Credentials uid=0 gid=0 bounding=[0 1 3 4 5 6 7 8 10 13 18 27 29 31]
Seccomp program=16 bytes
Exec arguments=[sh] environment=[A]
"""
    )


def only(kind: type[Step], steps: tuple[Step, ...]) -> list[Step]:
    return [step for step in steps if isinstance(step, kind)]


def test_a_user_who_cannot_be_mapped_is_alone_in_a_namespace_of_its_own() -> None:
    process = default_process(("sh",), user=User(999, 998), terminal=True)

    steps = container_steps(default_spec(process), replace(BUNDLE, seccomp=bytes(16)), ROOTLESS)

    kinds = [type(step).__name__ for step in steps]
    assert kinds.index("PivotRoot") < kinds.index("OnlyUser") < kinds.index("Seccomp") < kinds.index("Credentials")
    assert only(OnlyUser, steps) == [OnlyUser(999, 998)]
    assert Terminal(uid=0) in steps
    assert not only(OnlyUser, container_steps(default_spec(process), BUNDLE, ROOT))


def test_rootless_takes_what_a_single_id_allows() -> None:
    spec = default_spec(default_process(("sh",), oom_score_adj=-5), shared=frozenset({"network"}))

    steps = container_steps(spec, BUNDLE, ROOTLESS)

    assert only(Credentials, steps)[0].groups is None  # type: ignore[union-attr]
    assert not only(OomScore, steps)
    assert "userxattr" in describe(steps)
    assert "gid=5" not in describe(steps)
    assert Bind("/sys", "/sys", read_only=True, flags=2 | 4 | 8) in steps
    assert unenforced(spec, ROOTLESS) == ("`oom_score_adj` below 0 needs root; it stays as it is",)
    assert "net" not in clone_namespaces(spec)


def test_rootless_mounts_sysfs_for_a_network_of_its_own() -> None:
    steps = container_steps(default_spec(default_process(("sh",))), BUNDLE, ROOTLESS)

    assert [step.filesystem for step in only(Mount, steps) if step.target == "/sys"] == ["sysfs"]  # type: ignore[union-attr]


@pytest.mark.parametrize("user", [User(1000), User(0, 500)])
def test_an_id_that_is_not_mapped_is_an_error_before_anything_runs(user: User) -> None:
    with pytest.raises(ContainerError, match="only 500 id") as caught:
        container_steps(default_spec(default_process(("sh",), user=user)), BUNDLE, replace(ROOTLESS, mapped_ids=500))

    assert "/etc/subuid" in caught.value.hint


def test_mknod_is_given_only_where_a_device_cgroup_watches() -> None:
    spec = default_spec(default_process(("sh",)))

    watched, unwatched = (only(Credentials, container_steps(spec, BUNDLE, host)) for host in (ROOT, HostFacts()))

    assert 27 in watched[0].bounding  # type: ignore[union-attr]
    assert 27 not in unwatched[0].bounding  # type: ignore[union-attr]


def test_a_machine_without_overlay_needs_a_plain_root() -> None:
    spec = default_spec(default_process(("sh",)))

    with pytest.raises(HostError, match="overlay"):
        container_steps(spec, BUNDLE, replace(ROOT, overlay=False))

    plain = container_steps(spec, replace(BUNDLE, plain="/c/root"), replace(ROOT, overlay=False))
    assert "Root rootfs=/run/rootfs source=/c/root\n" in describe(plain)


def test_a_mount_of_the_users_replaces_the_default_and_our_etc_file() -> None:
    mounts = (Wanted("/dev/shm", "tmpfs", "tmpfs", ("size=1g",)), Wanted("/etc/hosts", "/mine", "bind", ("ro",)))
    bundle = replace(BUNDLE, etc=(("/etc/hosts", "/c/etc/hosts"),))

    steps = container_steps(default_spec(default_process(("sh",)), mounts=mounts), bundle, ROOT)

    assert [step.data for step in only(Mount, steps) if step.target == "/dev/shm"] == ["size=1g"]  # type: ignore[union-attr]
    assert [step.source for step in only(Bind, steps)] == ["/mine"]  # type: ignore[union-attr]


def test_a_bound_dev_is_left_as_it_is() -> None:
    mounts = (Wanted("/dev", "/dev", "bind", ("rbind",)),)

    steps = container_steps(default_spec(default_process(("sh",)), mounts=mounts), BUNDLE, ROOT)

    assert "Device" not in describe(steps)


def test_devices_of_the_spec_are_made_and_their_rights_reported_where_nothing_limits_them() -> None:
    spec = default_spec(default_process(("sh",)), devices=(LinuxDevice("/dev/fuse", "c", 10, 229, 0o660, 0, 44),))

    assert "Device target=/dev/fuse kind=c major=10 minor=229 mode=0660 gid=44\n" in describe(
        container_steps(spec, BUNDLE, ROOT)
    )
    assert unenforced(spec, ROOT) == ()
    assert len(unenforced(spec, HostFacts())) == 1


def test_another_containers_namespaces_are_joined_first() -> None:
    steps = container_steps(default_spec(default_process(("sh",))), replace(BUNDLE, joined=(("ipc", "ipc/x"),)), ROOT)

    assert steps[0] == JoinNamespace("ipc/x", "ipc")


def test_exec_is_last_and_the_working_directory_is_made_before_the_pivot() -> None:
    steps = container_steps(default_spec(default_process(("sh",), cwd="/a/b")), BUNDLE, ROOT)

    assert isinstance(steps[-1], Exec)
    names = [type(step).__name__ for step in steps]
    assert steps[names.index("PivotRoot") - 1] == Directory("/a/b")


def test_an_unknown_capability_is_named() -> None:
    with pytest.raises(ContainerError, match="CAP_FLY"):
        container_steps(default_spec(default_process(("sh",), capabilities=("CAP_FLY",))), BUNDLE, ROOT)
