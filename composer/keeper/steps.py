"""What a child of the keeper does between `clone3(2)` and `execve(2)`: a list of steps, as data.

The engine compiles the list, the child performs it in order, and the order is the security argument: mounts before
`PivotRoot`, seccomp and capabilities last, and after `PivotRoot` no path can lead outside.

A step travels as JSON: `[class name, {field: value}]`, bytes as base64. Descriptors travel beside it and are referred
to by name (`fd="netns/<id>"`). A path in a field called `target` is *inside the new root*, absolute, and is resolved
with `openat2(2)` `RESOLVE_IN_ROOT`, so that no symlink of an image leads out of it; `source` is a path of the host.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class JoinCgroup:
    """Move ourselves into each of these groups (`cgroups(7)`); the directories exist already."""

    directories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinNamespace:
    """`setns(2)` into the namespace behind a descriptor."""

    fd: str
    kind: str
    """`net`, `ipc`, `uts` or `pid`."""


@dataclass(frozen=True, slots=True)
class Netlink:
    """Send encoded netlink messages on a new socket and wait for every acknowledgement (`netlink(7)`).

    `family` is NETLINK_ROUTE (0) or NETLINK_NETFILTER (12). `within` names a network namespace descriptor in which the
    socket is opened; empty means our own. Error numbers in `tolerate` count as success, which makes a step repeatable.
    For NETLINK_ROUTE each message asks for its own ACK; for netfilter `messages` is one batch, begin and end included.
    """

    family: int
    messages: tuple[bytes, ...]
    within: str = ""
    tolerate: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sysctl:
    """Write `value` to `/proc/sys/<key with slashes>`; `within` as for `Netlink`."""

    key: str
    value: str
    within: str = ""
    optional: bool = False
    """A missing key is not an error."""


@dataclass(frozen=True, slots=True)
class ReportNamespace:
    """Send our own namespace descriptor of `kind` up under `name`."""

    name: str
    kind: str = "net"


@dataclass(frozen=True, slots=True)
class PinNamespace:
    """Bind-mount our network namespace on the file `path` (made if missing), in the mount namespace we are in."""

    path: str


@dataclass(frozen=True, slots=True)
class Unpin:
    """Unmount and remove a file that `PinNamespace` made; nothing there is fine."""

    path: str


@dataclass(frozen=True, slots=True)
class ReportSockets:
    """Open a UDP and a listening TCP socket at `address`:`port` in our network namespace and send them up.

    They arrive under `<name>/udp` and `<name>/tcp`.
    """

    name: str
    address: str
    port: int


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
class Device:
    """Make a device node at `target` (`mknod(2)`), or bind the host's node where that is not allowed."""

    target: str
    kind: str
    """`c` or `b`."""
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    source: str = ""
    """The host's node, where it is not at `target`."""


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link at `target` that contains `text`; one that is there already stays."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory at `target`, missing parents included; one that is there keeps its owner and mode."""

    target: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class CopyTree:
    """Copy what is below `target` in the mounted root into the empty host directory `destination`.

    Ownership (of the directory itself too), modes, times, links and extended attributes are kept. A destination with
    anything in it, or a target that is not a directory, is left alone: this is how a new volume is seeded.
    """

    target: str
    destination: str


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


@dataclass(frozen=True, slots=True)
class Hostname:
    """`sethostname(2)` and, if given, `setdomainname(2)`."""

    name: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """`setrlimit(2)`; `kind` is `NOFILE`, `NPROC`, ...; a hard limit above what is allowed is an error."""

    kind: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class OomScore:
    """Write `oom_score_adj` (`proc(5)`)."""

    value: int


@dataclass(frozen=True, slots=True)
class Terminal:
    """Open a pty inside the container, make it our controlling terminal and our stdio, send the master up as `pty`.

    Its slave belongs to `uid` and is also bound at `/dev/console` where `console` is set.
    """

    uid: int = 0
    rows: int = 24
    columns: int = 80
    console: bool = True


@dataclass(frozen=True, slots=True)
class WorkingDirectory:
    """`chdir(2)`; a missing directory is made for `uid`:`gid` first where `create` is set."""

    path: str
    create: bool = False
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class NoNewPrivileges:
    """`PR_SET_NO_NEW_PRIVS` (`prctl(2)`)."""


@dataclass(frozen=True, slots=True)
class Seccomp:
    """Install a BPF program (`seccomp(2)`): array of `struct sock_filter`. Needs CAP_SYS_ADMIN or no-new-privileges."""

    program: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Become `uid`:`gid` with `groups` and exactly these capabilities (`capabilities(7)`, `credentials(7)`).

    `bounding` stays in the bounding set; a non-zero uid keeps only `ambient` as effective, as `execve(2)` rules it.
    `groups` None leaves the groups alone (a user namespace that denies `setgroups(2)`).
    """

    uid: int
    gid: int
    groups: tuple[int, ...] | None = ()
    bounding: tuple[int, ...] = ()
    ambient: tuple[int, ...] = ()
    umask: int = 0o022


@dataclass(frozen=True, slots=True)
class Exec:
    """`execve(2)`, `arguments[0]` found in the PATH of `environment`; always the last step.

    Not found is reported as errno ENOENT, not executable as EACCES, so that the caller can say 127 and 126.
    With `init`, this process stays as pid 1: it runs the program as its child, passes signals on, reaps orphans and
    exits with the program's status.
    """

    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    """`NAME=value`, as execve takes them."""
    init: bool = False


Step = (
    JoinCgroup
    | JoinNamespace
    | Netlink
    | Sysctl
    | ReportNamespace
    | PinNamespace
    | Unpin
    | ReportSockets
    | Propagation
    | Overlay
    | Root
    | Mount
    | Bind
    | Stack
    | Files
    | Device
    | Symlink
    | Directory
    | CopyTree
    | PivotRoot
    | Mask
    | ReadOnly
    | Hostname
    | ResourceLimit
    | OomScore
    | Terminal
    | WorkingDirectory
    | NoNewPrivileges
    | Seccomp
    | Credentials
    | Exec
)


class _Registry:
    """Step classes by name, for decoding."""

    by_name: ClassVar[dict[str, type[Step]]] = {step.__name__: step for step in Step.__args__}
    names: ClassVar[dict[type[Step], tuple[str, ...]]] = {
        step: tuple(field.name for field in fields(step)) for step in Step.__args__
    }
    """Of the fields of each: asked some dozen times for every start."""


def to_wire(steps: Iterable[Step]) -> list[list[Any]]:
    """The steps as JSON-able data."""
    names = _Registry.names
    return [[type(step).__name__, {name: _encode(getattr(step, name)) for name in names[type(step)]}] for step in steps]


def from_wire(data: Sequence[Sequence[Any]]) -> list[Step]:
    """The steps that `to_wire` wrote. Raises KeyError or TypeError for what is no step of this version."""
    return [_Registry.by_name[name](**{key: _decode(value) for key, value in values.items()}) for name, values in data]


def _encode(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    return value
