"""What is mounted where, up to the new root and what is hidden in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Propagation:
    """Make every mount a slave or private recursively (`mount_namespaces(7)`), before any other mount."""

    mode: str = "rslave"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Mount an overlay at the host directory `rootfs`; `lower` is topmost first; no `upper` means read-only.

    Works for any number of layers: `fsconfig(2)` with `lowerdir+` where the kernel has it, else relative names.
    """

    rootfs: str
    lower: tuple[str, ...]
    upper: str = ""
    work: str = ""
    options: tuple[str, ...] = ()
    """For instance `userxattr` inside a user namespace."""


@dataclass(frozen=True, slots=True)
class Root:
    """Bind-mount the host directory `source` at `rootfs`: a root file system without overlay."""

    rootfs: str
    source: str


@dataclass(frozen=True, slots=True)
class Mount:
    """Mount a new file system (proc, sysfs, tmpfs, devpts, mqueue, cgroup) at `target`, made if missing."""

    filesystem: str
    target: str
    flags: int = 0
    data: str = ""
    copy: bool = False
    """For tmpfs: keep what the image has at the target (Docker's `tmpcopyup`)."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind-mount the host path `source` at `target`, made if missing as a directory or an empty file like it."""

    source: str
    target: str
    read_only: bool = False
    recursive: bool = True
    flags: int = 0
    """Extra MS_NOSUID, MS_NODEV, MS_NOEXEC for the remount."""
    propagation: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """Show what `path` is in an overlay of these layers at `target`, made if missing like it.

    `lower` is topmost first; what is written goes to `upper`, and without one nothing can be. `place` is an empty
    directory of the host, used while it is made.
    """

    target: str
    place: str
    lower: tuple[str, ...]
    upper: str = ""
    work: str = ""
    path: str = "/"
    """Inside the layers, resolved there."""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """Give the container files that are nowhere on disk: each on a tmpfs of the container's own, read-only.

    `place` is an empty directory of the host, used while they are made.
    """

    place: str
    files: tuple[tuple[str, bytes, int, int, int], ...]
    """(target, content, permissions, uid, gid)."""


@dataclass(frozen=True, slots=True)
class PivotRoot:
    """`pivot_root(2)` into `rootfs` and detach the old root; from here on every path is the container's."""

    rootfs: str


@dataclass(frozen=True, slots=True)
class Mask:
    """Hide paths: `/dev/null` over files, an empty read-only tmpfs over directories; missing ones are skipped."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Bind paths over themselves read-only; missing ones are skipped. `/` remounts the root."""

    paths: tuple[str, ...]
