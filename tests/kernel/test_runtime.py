"""Steps as compiled, performed by the keeper's child in real namespaces: is the container what Docker would have made?"""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from composer.keeper import child, steps, wire
from composer.kernel import clone
from composer.oci.runtime_spec import LinuxMemory, LinuxPids, LinuxResources, Mount, Process, Rlimit, Spec, User
from composer.runtime import capabilities, cgroup, seccomp
from composer.runtime import facts as host_facts
from composer.runtime.bundle import Bundle
from composer.runtime.cgroups import open_cgroups
from composer.runtime.compile import clone_namespaces, container_steps, exec_steps
from composer.runtime.defaults import MASKED_PATHS, READONLY_PATHS, default_process, default_spec
from composer.runtime.facts import HostFacts

pytestmark = pytest.mark.kernel

BUSYBOX = shutil.which("busybox")
FLAGS = {
    "mnt": clone.CLONE_NEWNS,
    "pid": clone.CLONE_NEWPID,
    "uts": clone.CLONE_NEWUTS,
    "ipc": clone.CLONE_NEWIPC,
    "net": clone.CLONE_NEWNET,
}
ENVIRONMENT = ("PATH=/bin",)


@pytest.fixture
def host(tmp_path: Path) -> HostFacts:
    if os.geteuid() or not BUSYBOX:
        pytest.skip("needs root and busybox-static")
    host_facts.probe.cache_clear()
    return host_facts.probe(tmp_path)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    assert BUSYBOX
    lower = tmp_path / "lower"
    (lower / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, lower / "bin/busybox")
    for applet in ("sh", "cat", "id", "hostname", "mount", "ls", "mknod", "head", "touch", "stat", "pwd", "unshare"):
        (lower / "bin" / applet).symlink_to("busybox")
    for name in ("rootfs", "upper", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "hosts").write_text("127.0.0.1\tlocalhost\n")
    return Bundle(
        rootfs=str(tmp_path / "rootfs"),
        lower=(str(lower),),
        upper=str(tmp_path / "upper"),
        work=str(tmp_path / "work"),
        etc=(("/etc/hosts", str(tmp_path / "hosts")),),
    )


@pytest.fixture
def groups(host: HostFacts) -> Iterator[cgroup.Cgroups]:
    groups = open_cgroups(f"test-{uuid.uuid4().hex[:8]}", host)
    yield groups
    for name in groups.names():
        groups.kill(name)
        groups.remove(name)
    groups.remove_parent()


def sh(script: str, **options: object) -> Process:
    return replace(default_process(("sh", "-c", script), env=ENVIRONMENT), **options)  # type: ignore[arg-type]


def run(
    spec: Spec, bundle: Bundle, host: HostFacts, while_running: Callable[[int, int], None] | None = None
) -> tuple[int, str]:
    """Start the container as the keeper does; (exit status, what it wrote)."""
    todo = container_steps(spec, bundle, host)
    kinds = clone_namespaces(spec)
    return perform(todo, sum(FLAGS.get(kind, 0) for kind in kinds), -1, "cgroup" in kinds, while_running)


def perform(
    todo: tuple[steps.Step, ...],
    flags: int,
    enter: int,
    unshare_cgroup: bool,
    while_running: Callable[[int, int], None] | None = None,
) -> tuple[int, str]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    pid, pidfd = clone.clone3(flags)
    if pid == 0:
        child.live(
            theirs,
            todo,
            fds={},
            stdio=(nothing, writing, writing),
            enter=enter,
            unshare_cgroup=unshare_cgroup,
            nofile=(1024, 4096),
        )
    theirs.close()
    os.close(writing)
    os.close(nothing)
    try:
        error = None
        while received := wire.receive(ours):
            message, fds = received
            error = message.get("error", error)
            for fd in fds:
                os.close(fd)
        assert error is None, error
        if while_running:
            while_running(pid, pidfd)
        with os.fdopen(reading) as output:
            text = output.read()
    finally:
        _pid, status = os.waitpid(pid, 0)
        os.close(pidfd)
        ours.close()
    return os.waitstatus_to_exitcode(status), text


def test_a_container_has_dockers_capabilities_and_a_filter(bundle: Bundle, host: HostFacts) -> None:
    filtered = replace(bundle, seccomp=seccomp.program(seccomp.default_filter(capabilities.DEFAULT)))

    status, text = run(default_spec(sh("cat /proc/1/status")), filtered, host)

    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert status == 0, text
    expected = "00000000a80425fb" if host.device_filter else "00000000a00425fb"
    assert (fields["CapBnd"], fields["CapEff"], fields["CapPrm"]) == (expected,) * 3
    assert (fields["CapInh"], fields["CapAmb"]) == ("0" * 16,) * 2
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "0")


def test_another_user_than_root_has_no_effective_capability(bundle: Bundle, host: HostFacts) -> None:
    user = User(1000, 1001, additional_gids=(1001, 7))
    process = default_process(("sh", "-c", "cat /proc/self/status; id -u; id -g; id -G"), env=ENVIRONMENT, user=user)
    strict = replace(process, no_new_privileges=True)
    filtered = replace(bundle, seccomp=seccomp.program(seccomp.default_filter(())))

    status, text = run(default_spec(strict), filtered, host)

    assert status == 0, text
    assert text.splitlines()[-3:] == ["1000", "1001", "1001 7"]
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert fields["CapEff"] == "0" * 16
    assert fields["CapBnd"] != "0" * 16
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")


def test_the_filter_refuses_what_docker_refuses(bundle: Bundle, host: HostFacts) -> None:
    filtered = replace(bundle, seccomp=seccomp.program(seccomp.default_filter(())))

    status, text = run(default_spec(sh("unshare -n true")), filtered, host)

    assert status != 0
    assert "Operation not permitted" in text


def test_mounts_are_dockers_with_their_flags(bundle: Bundle, host: HostFacts) -> None:
    _status, text = run(default_spec(sh("cat /proc/self/mountinfo")), bundle, host)

    mounts = {
        line.split(" ")[4]: (set(line.split(" ")[5].split(",")), line.split(" - ")[1]) for line in text.splitlines()
    }
    assert mounts["/"][1].startswith("overlay")
    assert mounts["/proc"][0] >= {"rw", "nosuid", "nodev", "noexec"}
    assert mounts["/sys"][0] >= {"ro", "nosuid", "nodev", "noexec"}
    assert mounts["/dev"][0] >= {"rw", "nosuid"}
    assert "nodev" not in mounts["/dev"][0]
    assert mounts["/dev/pts"][0] >= {"rw", "nosuid", "noexec"}
    assert mounts["/dev/shm"][0] >= {"rw", "nosuid", "nodev", "noexec"}
    assert "size=65536k" in mounts["/dev/shm"][1]
    assert "/dev/mqueue" in mounts
    assert "/etc/hosts" in mounts
    for path in filter(os.path.exists, READONLY_PATHS):
        assert "ro" in mounts[path][0], path
    assert not any(str(Path(bundle.upper).parent) in point for point in mounts), "a mount of the host shows"


def test_masked_paths_are_empty_and_read_only_ones_refuse_writing(bundle: Bundle, host: HostFacts) -> None:
    present = [path for path in MASKED_PATHS if Path(path).exists()]
    assert present, "this kernel has nothing to mask"
    looks = "; ".join(f"ls -A {path}/; head -c1 {path}" for path in present)

    _status, text = run(
        default_spec(sh(f"{{ {looks}; }} 2>/dev/null; echo x > /proc/sys/kernel/domainname")), bundle, host
    )

    assert text == "sh: can't create /proc/sys/kernel/domainname: Read-only file system\n"


def test_devices_work_and_others_are_out_of_reach(bundle: Bundle, host: HostFacts, groups: cgroup.Cgroups) -> None:
    script = "head -c4 /dev/urandom > /dev/null && ls /dev | tr '\\n' ' ' ; mknod /sda b 8 0; head -c1 /sda"
    limited = replace(bundle, cgroup=groups.create("devices"))

    _status, text = run(default_spec(sh(script.replace("| tr '\\n' ' '", ""))), limited, host)

    names = text.splitlines()
    assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd", "stdin", "stdout", "stderr"} <= set(names)
    assert "Operation not permitted" in text


def test_a_read_only_root_cannot_be_written_and_its_mounts_can(bundle: Bundle, host: HostFacts) -> None:
    script = "touch /new; touch /tmp/new && echo fine; pwd"
    process = sh(script, cwd="/srv/app")
    spec = default_spec(process, read_only=True, mounts=(Mount("/tmp", "tmpfs", "tmpfs", ("mode=1777",)),))

    _status, text = run(spec, bundle, host)

    assert "/new: Read-only file system" in text
    assert text.splitlines()[-2:] == ["fine", "/srv/app"]


def test_hostname_limits_umask_and_environment_arrive(bundle: Bundle, host: HostFacts) -> None:
    process = sh("hostname; ulimit -n; ulimit -Hn; umask; cat /etc/hosts; cat /proc/self/oom_score_adj; echo $$")
    spec = default_spec(
        replace(process, rlimits=(Rlimit("RLIMIT_NOFILE", 100, 200),), user=User(umask=0o027), oom_score_adj=7),
        hostname="web",
    )

    _status, text = run(spec, bundle, host)

    assert text.splitlines() == ["web", "100", "200", "0027", "127.0.0.1\tlocalhost", "7", "1"]


def test_binds_are_read_only_where_asked_and_a_seed_fills_a_volume(
    bundle: Bundle, host: HostFacts, tmp_path: Path
) -> None:
    (tmp_path / "lower/data").mkdir()
    (tmp_path / "lower/data/from-image").write_text("image\n")
    os.chown(tmp_path / "lower/data", 33, 33)
    (tmp_path / "volume").mkdir()
    (tmp_path / "config").write_text("config\n")
    mounts = (
        Mount("/data", str(tmp_path / "volume"), "bind", ("rbind", "rw", "rprivate")),
        Mount("/etc/config", str(tmp_path / "config"), "bind", ("rbind", "ro", "rprivate")),
    )
    script = "cat /data/from-image /etc/config; echo x > /etc/config; echo y > /data/new; stat -c %u /data"

    _status, text = run(default_spec(sh(script), mounts=mounts), replace(bundle, seeds=("/data",)), host)

    assert text.splitlines()[:2] == ["image", "config"]
    assert "/etc/config: Read-only file system" in text
    assert text.splitlines()[-1] == "33"
    assert (tmp_path / "volume/new").read_text() == "y\n"


def test_a_container_sees_its_own_limits(bundle: Bundle, host: HostFacts, groups: cgroup.Cgroups) -> None:
    if host.cgroup != "v1":
        pytest.skip("needs cgroup v1")
    resources = LinuxResources(memory=LinuxMemory(limit=64 << 20), pids=LinuxPids(33))
    limited = replace(bundle, cgroup=groups.create("limits", resources))
    assert limited.cgroup.unenforced == ()
    script = """
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /proc/self/cgroup
        echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes
        touch /sys/fs/cgroup/new
    """

    _status, text = run(default_spec(sh(script)), limited, host)

    assert text.splitlines()[:2] == [str(64 << 20), "33"]
    assert text.count("Read-only file system") == 2
    assert "memory:/\n" in text, "its cgroup namespace begins at its own group"


def test_too_much_memory_is_killed_and_counted(bundle: Bundle, host: HostFacts, groups: cgroup.Cgroups) -> None:
    if host.cgroup != "v1":
        pytest.skip("needs cgroup v1")
    resources = LinuxResources(memory=LinuxMemory(limit=16 << 20, swap=16 << 20))
    limited = replace(bundle, cgroup=groups.create("hungry", resources))

    status, _text = run(default_spec(sh("x=$(head -c 64000000 /dev/zero | tr '\\0' a)")), limited, host)

    assert status in (-9, 137)
    assert groups.oom_kills("hungry") >= 1


def test_exec_joins_with_the_same_restrictions(bundle: Bundle, host: HostFacts, groups: cgroup.Cgroups) -> None:
    limited = replace(bundle, cgroup=groups.create("exec"))
    program = seccomp.program(seccomp.default_filter(()))
    found = []

    def join(_pid: int, pidfd: int) -> None:
        process = sh("hostname; cat /proc/self/status; cat /proc/self/cgroup; kill -9 1; kill 1", user=User(5, 5))
        todo = exec_steps(process, host, cgroup=limited.cgroup, seccomp=program)
        found.append(perform_entered(todo, pidfd))
        assert groups.processes("exec")
        groups.kill("exec")
        assert groups.processes("exec") == ()

    status, _text = run(default_spec(sh("while :; do sleep 100; done"), hostname="web"), limited, host, join)

    assert status == -9
    lines = found[0].splitlines()
    assert lines[0] == "web"
    assert "Seccomp:\t2" in lines
    assert "Uid:\t5\t5\t5\t5" in lines


def perform_entered(todo: tuple[steps.Step, ...], pidfd: int) -> str:
    """An exec: the first child hands its place to a second one, which is ours to reap (`__WALL`)."""
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    nothing = os.open(os.devnull, os.O_RDWR)
    pid, first = clone.clone3(0)
    if pid == 0:
        child.live(
            theirs,
            todo,
            fds={},
            stdio=(nothing, writing, writing),
            enter=pidfd,
            unshare_cgroup=False,
            nofile=(1024, 4096),
        )
    theirs.close()
    os.close(writing)
    os.close(nothing)
    os.waitpid(pid, 0)
    os.close(first)
    inner = -1
    while received := wire.receive(ours):
        message, fds = received
        assert "error" not in message, message
        if "entered" in message:
            inner = fds[0]
    with os.fdopen(reading) as output:
        text = output.read()
    os.waitid(os.P_PIDFD, inner, os.WEXITED | 0x40000000)
    os.close(inner)
    ours.close()
    return text


def test_nothing_of_the_container_stays_mounted_on_the_host(bundle: Bundle, host: HostFacts) -> None:
    run(default_spec(sh("true")), bundle, host)

    assert str(Path(bundle.rootfs).parent) not in Path("/proc/self/mountinfo").read_text()
    assert list(Path(bundle.rootfs).iterdir()) == []


def test_a_symlink_of_the_image_does_not_lead_a_mount_outside(bundle: Bundle, host: HostFacts, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "lower/etc").mkdir()
    (tmp_path / "lower/etc/hosts").symlink_to(outside / "hosts")
    (tmp_path / "lower/srv").symlink_to(outside)
    spec = default_spec(sh("cat /etc/hosts", cwd="/srv/app"), mounts=(Mount("/srv/data", "tmpfs", "tmpfs"),))

    status, text = run(spec, bundle, host)

    assert (status, text) == (0, "127.0.0.1\tlocalhost\n")
    assert list(outside.iterdir()) == []
