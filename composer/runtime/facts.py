"""What this machine allows a container, probed once: root and rootless differ in this record and nowhere else."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_UNFIT_FOR_UPPER = ("overlay", "nfs", "cifs", "smb", "9p", "fuse", "vfat", "exfat", "ntfs", "ecryptfs", "aufs")
"""Overlay's upper directory needs xattrs and d_type; on these the kernel refuses or corrupts (overlayfs.rst)."""

_CAP_SYS_ADMIN = 21


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The abilities that steps depend on; the defaults are those of root on an ordinary machine."""

    rootless: bool = False
    """We are root of a user namespace only."""
    mapped_ids: int = 2**32 - 1
    """How many ids from 0 on exist for us; 1 where no range was delegated."""
    setgroups: bool = True
    """Whether `setgroups(2)` is allowed (`user_namespaces(7)`)."""
    overlay: bool = True
    """Whether an overlay's upper directory can lie in the data directory."""
    cgroup: str = "v2"
    """`v1`, `v2` or `none`: where limits are set, if anywhere."""
    device_filter: bool = False
    """Whether a container's cgroup rules which devices it may open."""
    capabilities: int = ~0
    """The capabilities that we may hand on, as a mask: those of our own bounding set (`capabilities(7)`)."""
    seccomp: bool = True
    kernel: tuple[int, int] = (6, 0)
    architecture: str = "x86_64"

    @property
    def one_id(self) -> bool:
        """Whether there is a single id for everything: whoever a process is in its container, its files are ours."""
        return self.mapped_ids == 1

    @property
    def userxattr(self) -> bool:
        """Whether overlay keeps its marks in `user.*` attributes: in a user namespace it may write no others."""
        return self.rootless


@cache
def probe(data: Path, proc: Path = Path("/proc")) -> HostFacts:
    """The facts for the namespaces this process is in; `data` must exist. Asked once a process."""
    ids = _mapped_ids(proc / "self/uid_map")
    rootless = os.geteuid() != 0 or ids < 2**32 - 1
    hierarchy = _cgroup_kind((proc / "self/mountinfo").read_text(), (proc / "self/cgroup").read_text())
    fit = not _unfit(data, (proc / "self/mountinfo").read_text()) and _keeps_marks(data, rootless=rootless)
    return HostFacts(
        rootless=rootless,
        mapped_ids=ids,
        setgroups=_read(proc / "self/setgroups").strip() != "deny",
        overlay=_overlay_loaded(proc) and fit,
        cgroup=hierarchy,
        device_filter=not rootless and _can_filter_devices(proc, hierarchy),
        capabilities=_bounding(proc),
        seccomp=(proc / "sys/kernel/seccomp/actions_avail").exists(),
        kernel=kernel_version(platform.release()),
        architecture=platform.machine(),
    )


def kernel_version(release: str) -> tuple[int, int]:
    """Major and minor of what `uname -r` says; (0, 0) for what cannot be read."""
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _cgroup_kind(mountinfo: str, position: str) -> str:
    """v1 wherever one of its hierarchies has a controller we limit with: a hybrid's unified tree then has none."""
    kinds = {line.partition(" - ")[2].split(" ")[0] for line in mountinfo.splitlines()}
    controllers = {name for line in position.splitlines() for name in line.split(":")[1].split(",")}
    if "cgroup" in kinds and controllers & {"memory", "pids", "cpu"}:
        return "v1"
    return "v2" if "cgroup2" in kinds else "none"


def _can_filter_devices(proc: Path, hierarchy: str) -> bool:
    """On v1 a controller does it, on v2 a BPF program on the cgroup: only where bpf(2) is there and allowed."""
    if hierarchy == "v1":
        return ":devices:" in (proc / "self/cgroup").read_text()
    administrator = bool(_mask(proc, "CapEff") >> _CAP_SYS_ADMIN & 1)
    return hierarchy == "v2" and administrator and (proc / "sys/kernel/unprivileged_bpf_disabled").exists()


def _bounding(proc: Path) -> int:
    return _mask(proc, "CapBnd") or ~0


def _mask(proc: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s*([0-9a-f]+)$", _read(proc / "self/status"), re.MULTILINE)
    return int(found[1], 16) if found else 0


def _mapped_ids(uid_map: Path) -> int:
    """How many ids from 0 on are mapped without a gap."""
    end = 0
    for start, _outside, size in sorted(tuple(map(int, line.split())) for line in _read(uid_map).splitlines()):
        if start > end:
            break
        end = max(end, start + size)
    return end


def _overlay_loaded(proc: Path) -> bool:
    """Whether the kernel has overlay, or will load it as a module when it is first mounted."""
    if re.search(r"\boverlay$", _read(proc / "filesystems"), re.MULTILINE):
        return True
    return any(Path("/lib/modules", platform.release(), "kernel/fs/overlayfs").glob("overlay.ko*"))


def _keeps_marks(data: Path, *, rootless: bool) -> bool:
    """Whether overlay can mark directories here: without, it mounts all the same, and fails when one is to be removed."""
    name = f"{'user' if rootless else 'trusted'}.overlay.composer"
    try:
        os.setxattr(data, name, b"y")
        os.removexattr(data, name)
    except OSError:
        return False
    return True


def _unfit(data: Path, mountinfo: str) -> bool:
    path, best, kind = data.resolve(), Path("/"), ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        # mountinfo(5) writes blanks as \040; later lines lie over earlier ones.
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split(" ")[4]))
        if path.is_relative_to(point) and (not kind or len(point.parts) >= len(best.parts)):
            best, kind = point, right.split(" ")[0]
    return kind.startswith(_UNFIT_FOR_UPPER)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
