from pathlib import Path

import pytest

from composer.errors import HostError
from composer.oci.runtime_spec import LinuxCPU, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxResources
from composer.runtime.cgroup import NoCgroups
from composer.runtime.cgroup_v1 import device_rule, hierarchies
from composer.runtime.cgroup_v2 import CgroupsV2, ancestor

EVERYTHING = LinuxResources(
    memory=LinuxMemory(limit=64 << 20, reservation=32 << 20, swap=96 << 20),
    cpu=LinuxCPU(shares=1024, quota=50_000, period=100_000),
    pids=LinuxPids(100),
)


def group(path: Path, controllers: str = "cpu memory pids", handed_down: str = "cpu memory pids") -> Path:
    """A directory that looks like a group of the unified tree."""
    path.mkdir(exist_ok=True)
    (path / "cgroup.controllers").write_text(controllers)
    (path / "cgroup.subtree_control").write_text(handed_down)
    (path / "cgroup.procs").write_text("")
    return path


def test_version_2_has_its_own_files_and_units(tmp_path: Path) -> None:
    group(tmp_path / "composer-e1")

    made = CgroupsV2(tmp_path, "e1").create("web", EVERYTHING)

    files = {path.name: path.read_text() for path in (tmp_path / "composer-e1/web").iterdir()}
    assert made.unenforced == ()
    assert made.directories == (str(tmp_path / "composer-e1/web"),)
    assert made.views == (("", str(tmp_path / "composer-e1/web")),)
    assert files == {
        "memory.max": str(64 << 20),
        "memory.swap.max": str(32 << 20),
        "memory.low": str(32 << 20),
        "cpu.weight": "39",
        "cpu.max": "50000 100000",
        "pids.max": "100",
    }


def test_unlimited_is_max_in_version_2(tmp_path: Path) -> None:
    group(tmp_path / "composer-e1")
    resources = LinuxResources(memory=LinuxMemory(swap=-1), cpu=LinuxCPU(quota=-1), pids=LinuxPids(-1))

    CgroupsV2(tmp_path, "e1").create("web", resources)

    files = {path.name: path.read_text() for path in (tmp_path / "composer-e1/web").iterdir()}
    assert files == {"memory.swap.max": "max", "cpu.max": "max 100000", "pids.max": "max"}


def test_a_controller_that_is_not_delegated_is_reported_and_the_others_are_set(tmp_path: Path) -> None:
    group(tmp_path / "composer-e1", "memory pids", "memory pids")

    made = CgroupsV2(tmp_path, "e1").create("web", EVERYTHING)

    assert made.unenforced == (
        "the CPU weight is not enforced: no `cpu` controller here",
        "the CPU limit is not enforced: no `cpu` controller here",
    )
    assert (tmp_path / "composer-e1/web/memory.max").exists()


def test_without_cgroups_every_limit_is_reported() -> None:
    made = NoCgroups().create("web", EVERYTHING)

    assert len(made.unenforced) == 7
    assert made.unenforced[0] == "the memory limit is not enforced: no cgroup is delegated here"
    assert made.directories == ()


def test_swappiness_is_reported_where_there_is_none(tmp_path: Path) -> None:
    group(tmp_path / "composer-e1")

    made = CgroupsV2(tmp_path, "e1").create("web", LinuxResources(memory=LinuxMemory(swappiness=10)))

    assert made.unenforced == ("swappiness is not enforced: cgroup v2 has none",)


def test_groups_are_listed_killed_counted_and_removed(tmp_path: Path) -> None:
    groups = CgroupsV2(tmp_path, "e1")
    assert (groups.names(), groups.processes("web"), groups.oom_kills("web")) == ((), (), 0)
    groups.create("web")
    inside = tmp_path / "composer-e1/web"
    (inside / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    (inside / "cgroup.kill").write_text("")

    groups.kill("web")

    assert (inside / "cgroup.kill").read_text() == "1"
    assert groups.oom_kills("web") == 2
    assert groups.names() == ("web",)
    for file in [*inside.iterdir(), *(path for path in (tmp_path / "composer-e1").iterdir() if path.is_file())]:
        file.unlink()
    groups.remove_parent()
    assert inside.exists(), "the parent stays while a group is in it"
    groups.remove("web")
    groups.remove("web")
    groups.remove_parent()
    groups.remove_parent()
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "composer-e1").write_text("in the way")

    with pytest.raises(HostError, match="composer-e1"):
        CgroupsV2(tmp_path, "e1").create("web")


def test_the_parent_lies_where_controllers_are_handed_down(tmp_path: Path) -> None:
    top = group(tmp_path / "top")
    group(top / "slice", handed_down="pids")
    # The kernel answers EBUSY to this write while processes are here; a directory in the way answers EISDIR.
    scope = group(top / "slice/scope", handed_down="")
    (scope / "cgroup.subtree_control").unlink()
    (scope / "cgroup.subtree_control").mkdir()

    assert ancestor(top, "/slice/scope") == top
    (top / "slice/cgroup.subtree_control").write_text("cpu memory pids")
    assert ancestor(top, "/slice/scope") == top / "slice"


def test_positions_in_version_1_are_found_for_every_tree_and_inside_a_container() -> None:
    mountinfo = """\
20 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
21 1 0:2 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
22 1 0:3 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
23 1 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
    position = "8:pids:/docker/abc/x\n4:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/init\n0::/\n"

    assert hierarchies(mountinfo, position) == {
        "pids": Path("/sys/fs/cgroup/pids/x"),
        "memory": Path("/sys/fs/cgroup/memory/a/b"),
        "cpu,cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
    }


def test_device_rules_are_written_as_the_kernel_reads_them() -> None:
    assert device_rule(LinuxDeviceCgroup(False)) == "a"
    assert device_rule(LinuxDeviceCgroup(True, "c", 1, None, "rw")) == "c 1:* rw"
    assert device_rule(LinuxDeviceCgroup(True, "b", access="m")) == "b *:* m"
