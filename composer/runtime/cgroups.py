"""Which control groups this machine offers, and the port to them."""

from __future__ import annotations

import os
from pathlib import Path

from composer.runtime.cgroup import Cgroups, NoCgroups
from composer.runtime.cgroup_v1 import CgroupsV1, hierarchies
from composer.runtime.cgroup_v2 import CgroupsV2, ancestor
from composer.runtime.facts import HostFacts


def open_cgroups(engine_id: str, host: HostFacts, proc: Path = Path("/proc/self")) -> Cgroups:
    """The groups of engine `engine_id`: v1, v2, or none where nothing can be written. Creates nothing."""
    mountinfo, position = (proc / "mountinfo").read_text(), (proc / "cgroup").read_text()
    if host.cgroup == "v1":
        writable = {place: path for place, path in hierarchies(mountinfo, position).items() if os.access(path, os.W_OK)}
        return CgroupsV1(writable, engine_id) if writable else NoCgroups()
    if host.cgroup == "v2" and (mount := _unified(mountinfo)):
        path = next(line.partition("::")[2] for line in position.splitlines() if line.startswith("0::"))
        if found := ancestor(mount, path):
            return CgroupsV2(found, engine_id, filters_devices=host.device_filter)
    return NoCgroups()


def _unified(mountinfo: str) -> Path | None:
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            return Path(left.split(" ")[4])
    return None
