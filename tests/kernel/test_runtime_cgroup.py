"""Control groups for real: limits arrive, a fork storm dies, nothing stays."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.errors import HostError
from composer.oci.runtime_spec import LinuxCPU, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxResources
from composer.runtime.cgroup import Cgroup, Cgroups
from composer.runtime.cgroup_v1 import CgroupsV1
from composer.runtime.cgroups import open_cgroups
from composer.runtime.facts import probe
from tests.patience import PATIENCE

pytestmark = pytest.mark.kernel


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Cgroups]:
    if os.geteuid():
        pytest.skip("needs root")
    probe.cache_clear()
    groups = open_cgroups(f"test-{uuid.uuid4().hex[:8]}", probe(tmp_path))
    if not isinstance(groups, CgroupsV1):
        pytest.skip("needs cgroup v1")
    yield groups
    for name in groups.names():
        groups.kill(name)
        groups.remove(name)
    groups.remove_parent()


def by_place(made: Cgroup) -> dict[str, Path]:
    return {name: Path(path) for place, path in made.views for name in place.split(",")}


def start(made: Cgroup, script: str) -> subprocess.Popen[bytes]:
    """A shell that joins the group and goes on with `script`."""
    join = "; ".join(f"echo 0 > {directory}/cgroup.procs" for directory in made.directories)
    return subprocess.Popen(["sh", "-c", f"{join}; echo ready; {script}"], stdout=subprocess.PIPE)


def test_limits_are_the_kernels(groups: Cgroups) -> None:
    resources = LinuxResources(
        memory=LinuxMemory(limit=64 << 20, reservation=32 << 20),
        cpu=LinuxCPU(shares=512, quota=50_000, period=200_000),
        pids=LinuxPids(20),
    )

    made = groups.create("limits", resources)

    assert made.unenforced == ()
    places = by_place(made)
    assert (places["memory"] / "memory.limit_in_bytes").read_text().strip() == str(64 << 20)
    assert (places["memory"] / "memory.soft_limit_in_bytes").read_text().strip() == str(32 << 20)
    assert (places["cpu"] / "cpu.shares").read_text().strip() == "512"
    assert (places["cpu"] / "cpu.cfs_quota_us").read_text().strip() == "50000"
    assert (places["cpu"] / "cpu.cfs_period_us").read_text().strip() == "200000"
    assert (places["pids"] / "pids.max").read_text().strip() == "20"
    assert groups.create("limits", resources) == made, "making it again changes nothing"


def test_a_limit_the_kernel_refuses_is_reported(groups: Cgroups) -> None:
    made = groups.create("odd", LinuxResources(cpu=LinuxCPU(quota=1, period=100_000)))

    assert made.unenforced == ("the CPU limit is not enforced: cpu.cfs_quota_us: Invalid argument",)


def test_processes_are_found_and_killed_with_all_they_started(groups: Cgroups) -> None:
    made = groups.create("storm", LinuxResources(pids=LinuxPids(50)))
    process = start(made, "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait")
    assert process.stdout
    process.stdout.readline()
    with pytest.raises(HostError, match="cannot remove the cgroup"):
        groups.remove("storm")

    groups.kill("storm")

    assert process.wait(timeout=PATIENCE) == -9
    process.stdout.close()
    assert groups.processes("storm") == ()
    groups.remove("storm")
    groups.remove("storm")
    assert groups.names() == ()


def test_nothing_stays_after_the_parent_is_removed(groups: Cgroups) -> None:
    made = groups.create("one")
    directories = [Path(directory) for directory in made.directories]
    assert all(directory.is_dir() for directory in directories)

    groups.remove_parent()
    assert directories[0].is_dir(), "the parent stays while a container is in it"
    groups.remove("one")
    groups.remove_parent()

    assert not any(directory.parent.exists() for directory in directories)


def test_devices_are_shared_rules_unless_asked_for(groups: Cgroups) -> None:
    plain, other = groups.create("a"), groups.create("b")
    fuse = groups.create("c", LinuxResources(devices=(LinuxDeviceCgroup(True, "c", 10, 229, "rwm"),)))

    shared = [directory for directory in plain.directories if directory in other.directories]
    assert len(shared) == 1
    assert "c 1:3 rwm" in (Path(shared[0]) / "devices.list").read_text()
    assert "10:229" not in (Path(shared[0]) / "devices.list").read_text()
    assert shared[0] not in fuse.directories
    [own] = [Path(directory) for directory in fuse.directories if (Path(directory) / "devices.list").exists()]
    assert "c 10:229 rwm" in (own / "devices.list").read_text()
    process = start(plain, "cat /dev/null && head -c1 /dev/fuse; [ $? != 0 ] && echo refused")
    assert process.communicate(timeout=PATIENCE)[0].splitlines()[-1] == b"refused"


def test_a_set_of_cpus_is_kept_to(groups: Cgroups) -> None:
    made = groups.create("cpus", LinuxResources(cpu=LinuxCPU(cpus="0")))

    assert made.unenforced == ()
    process = start(made, "grep Cpus_allowed_list /proc/self/status")
    assert process.communicate(timeout=PATIENCE)[0].splitlines()[-1] == b"Cpus_allowed_list:\t0"
