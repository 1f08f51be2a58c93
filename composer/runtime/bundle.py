"""Where one container's files are on this machine, and what the OCI document has no word for."""

from __future__ import annotations

from dataclasses import dataclass

from composer.keeper.steps import Step
from composer.runtime.cgroup import NO_CGROUP, Cgroup


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything besides the `Spec` that a container's init needs; paths are the host's, absolute, and exist."""

    rootfs: str
    """An empty directory, where the root is mounted in the container's own namespace."""
    lower: tuple[str, ...] = ()
    """Image layers, topmost first; empty for a `plain` root."""
    upper: str = ""
    work: str = ""
    """`upper` and `work` take what the container writes; both empty: nothing can be written."""
    volatile: bool = False
    """What it writes need not outlive this machine: `sync(2)` and its kin do nothing, nor does unmounting wait for the disk."""
    plain: str = ""
    """A directory that is the root file system as it is, where overlay cannot be had."""
    etc: tuple[tuple[str, str], ...] = ()
    """(path in the container, file of ours) for /etc/hosts, /etc/hostname and /etc/resolv.conf."""
    files: tuple[tuple[str, bytes, int, int, int], ...] = ()
    """(path in the container, content, permissions, uid, gid) of files that must be on no disk."""
    files_place: str = ""
    """An empty directory of the host for making them."""
    mounted: tuple[Step, ...] = ()
    """What else is mounted, after the spec's own mounts: stacks of layers, which OCI has no word for."""
    devices: tuple[tuple[str, str], ...] = ()
    """(path in the container, the host's node): shown instead where no node can be made."""
    seeds: tuple[str, ...] = ()
    """Mount destinations whose source is a new volume: filled with what the image has there."""
    joined: tuple[tuple[str, str], ...] = ()
    """(namespace type, name of a descriptor) for namespaces of another container: `ipc`, `uts`."""
    cgroup: Cgroup = NO_CGROUP
    seccomp: bytes = b""
    """The BPF program; empty: unconfined."""
    init: bool = False
    """Keep a small init as pid 1 that reaps orphans and passes signals on (`init: true`)."""
