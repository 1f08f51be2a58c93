from pathlib import Path

import pytest

from composer.runtime.facts import HostFacts, kernel_version, probe

LAPTOP = {
    "self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "self/cgroup": "0::/user.slice\n",
    "self/uid_map": "         0          0 4294967295\n",
    "self/setgroups": "allow\n",
    "filesystems": "nodev\tproc\n\text4\nnodev\toverlay\n",
    "sys/kernel/seccomp/actions_avail": "allow\n",
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    probe.cache_clear()


def proc(tmp_path: Path, **changed: str) -> Path:
    for name, text in (LAPTOP | {key.replace("__", "/"): text for key, text in changed.items()}).items():
        (tmp_path / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / name).write_text(text)
    return tmp_path / "proc"


def facts(tmp_path: Path, **changed: str) -> HostFacts:
    return probe(tmp_path, proc(tmp_path, **changed))


def test_a_laptop_has_overlay_and_one_tree_of_cgroups(tmp_path: Path) -> None:
    found = facts(tmp_path)

    assert (found.overlay, found.cgroup, found.device_filter, found.seccomp) == (True, "v2", False, True)


@pytest.mark.parametrize(
    ("changed", "filters"),
    [
        ({}, True),
        ({"self__status": "CapEff:\t00000000a80425fb\n"}, False),
        ({"self__uid_map": "0 1000 1\n"}, False),
    ],
)
def test_root_filters_devices_where_it_may_load_programs(
    tmp_path: Path, changed: dict[str, str], filters: bool
) -> None:
    root = {"self__status": "CapEff:\t000001ffffffffff\n", "sys__kernel__unprivileged_bpf_disabled": "2"}

    assert facts(tmp_path, **root | changed).device_filter is filters


def test_a_hybrid_counts_as_version_1(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        self__mountinfo=LAPTOP["self/mountinfo"] + "3 1 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        self__cgroup="4:memory:/\n0::/\n",
    )

    assert found.cgroup == "v1"


def test_a_user_namespace_has_few_ids_and_marks_of_its_own(tmp_path: Path) -> None:
    single = facts(tmp_path, self__uid_map="0 1000 1\n", self__setgroups="deny\n")

    assert (single.rootless, single.mapped_ids, single.setgroups, single.userxattr) == (True, 1, False, True)


def test_mapped_ids_are_counted_up_to_the_first_gap(tmp_path: Path) -> None:
    assert facts(tmp_path, self__uid_map="0 1000 1\n1 100000 65536\n70000 200000 5\n").mapped_ids == 65537


@pytest.mark.parametrize("kind", ["overlay", "nfs4", "fuse.sshfs", "9p"])
def test_a_data_directory_that_cannot_hold_an_upper_has_no_overlay(tmp_path: Path, kind: str) -> None:
    point = str(tmp_path).replace("\\", "\\134").replace(" ", "\\040")
    mountinfo = LAPTOP["self/mountinfo"] + f"3 1 0:9 / {point} rw - {kind} x rw\n"

    assert facts(tmp_path, self__mountinfo=mountinfo).overlay is False


def test_versions_are_read_from_any_release() -> None:
    assert [kernel_version(text) for text in ("6.1.0-18-amd64", "5.15.167.4-microsoft", "odd")] == [
        (6, 1),
        (5, 15),
        (0, 0),
    ]
