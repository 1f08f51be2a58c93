"""Control groups of version 2 for real: run in the guest of `tests/guest` where this machine has version 1."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.oci.runtime_spec import LinuxCPU, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxResources
from composer.runtime.cgroup import Cgroup, Cgroups
from composer.runtime.cgroup_v2 import CgroupsV2
from composer.runtime.cgroups import open_cgroups
from composer.runtime.facts import probe

pytestmark = pytest.mark.kernel


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Cgroups]:
    if os.geteuid():
        pytest.skip("needs root")
    probe.cache_clear()
    groups = open_cgroups(f"test-{uuid.uuid4().hex[:8]}", probe(tmp_path))
    if not isinstance(groups, CgroupsV2):
        pytest.skip("needs cgroup v2")
    yield groups
    for name in groups.names():
        groups.kill(name)
        groups.remove(name)
    groups.remove_parent()


def run_in(made: Cgroup, script: str) -> subprocess.CompletedProcess[str]:
    """A shell that joins the group and goes on with `script`."""
    join = f"echo 0 > {made.directories[0]}/cgroup.procs"
    return subprocess.run(["sh", "-c", f"{join}; {script}"], capture_output=True, text=True, check=False)


def test_limits_are_the_kernels(groups: Cgroups) -> None:
    resources = LinuxResources(
        memory=LinuxMemory(limit=64 << 20, swap=96 << 20, reservation=32 << 20),
        cpu=LinuxCPU(shares=512, quota=50_000, period=200_000, cpus="0"),
        pids=LinuxPids(20),
    )

    made = groups.create("limits", resources)

    directory = Path(made.directories[0])
    assert made.unenforced == ()
    assert {
        name: (directory / name).read_text().strip() for name in ("memory.max", "memory.swap.max", "memory.low")
    } == {
        "memory.max": str(64 << 20),
        "memory.swap.max": str(32 << 20),
        "memory.low": str(32 << 20),
    }
    assert (directory / "cpu.max").read_text().split() == ["50000", "200000"]
    assert (directory / "cpuset.cpus").read_text().strip() == "0"
    assert (directory / "pids.max").read_text().strip() == "20"


def test_what_goes_over_its_memory_is_killed_and_counted(groups: Cgroups) -> None:
    made = groups.create("greedy", LinuxResources(memory=LinuxMemory(limit=16 << 20, swap=16 << 20)))

    assert run_in(made, "exec head -c 64M /dev/zero | tail -c 64M > /dev/null").returncode != 0

    assert groups.oom_kills("greedy") > 0


def test_a_fork_storm_dies_with_its_group(groups: Cgroups) -> None:
    made = groups.create("storm", LinuxResources(pids=LinuxPids(50)))
    join = f"echo 0 > {made.directories[0]}/cgroup.procs"
    storm = subprocess.Popen(["sh", "-c", f"{join}; f() {{ f & f; }}; f"], stderr=subprocess.DEVNULL)
    while len(groups.processes("storm")) < 40:
        assert storm.poll() is None or groups.processes("storm")

    groups.kill("storm")
    storm.wait()
    groups.remove("storm")

    assert groups.names() == ()


@pytest.mark.parametrize("device", ["/dev/kmsg", "/dev/mem"])
def test_a_device_that_is_on_no_list_cannot_be_opened_by_root(groups: Cgroups, device: str) -> None:
    made = groups.create("plain")

    found = run_in(made, f"head -c 0 {device}")

    assert (found.returncode, "not permitted" in found.stderr) == (1, True)
    assert run_in(made, "echo x > /dev/null && head -c 4 /dev/urandom > /dev/zero").returncode == 0


def test_nodes_may_be_made_but_not_used(groups: Cgroups, tmp_path: Path) -> None:
    made = groups.create("maker")

    found = run_in(made, f"mknod {tmp_path}/kmsg c 1 11 && head -c 0 {tmp_path}/kmsg")

    assert (tmp_path / "kmsg").is_char_device()
    assert "not permitted" in found.stderr


def test_a_device_that_was_asked_for_opens_as_far_as_asked(groups: Cgroups) -> None:
    made = groups.create("reader", LinuxResources(devices=(LinuxDeviceCgroup(True, "c", 1, 11, "r"),)))

    assert run_in(made, "head -c 0 /dev/kmsg").returncode == 0
    assert "not permitted" in run_in(made, "echo x > /dev/kmsg").stderr


def test_everything_opens_where_everything_was_asked_for(groups: Cgroups) -> None:
    made = groups.create("privileged", LinuxResources(devices=(LinuxDeviceCgroup(True, "a"),)))

    assert run_in(made, "head -c 0 /dev/kmsg && echo composer test > /dev/kmsg").returncode == 0


def test_the_filter_stays_with_a_group_that_is_asked_for_again(groups: Cgroups) -> None:
    groups.create("twice")
    made = groups.create("twice")

    assert "not permitted" in run_in(made, "head -c 0 /dev/kmsg").stderr
