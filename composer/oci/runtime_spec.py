"""A container as the OCI runtime specification describes it: the `config.json` of a bundle.

<https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md>, `config-linux.md` beside it. Only what composer
sets is modelled; the embedded runtime compiles a `Spec` to steps, and `to_json` gives the same container to `crun` or
`runc`. Absent means: the specification's default.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from composer.errors import StateError

VERSION = "1.2.0"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class User:
    """Who the process is; ids are those inside the container."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """The size of a terminal, in characters."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capability sets by name (`CAP_CHOWN`), see `capabilities(7)`."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rlimit:
    """One resource limit; `type` is `RLIMIT_NOFILE` and the like, see `getrlimit(2)`."""

    type: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Process:
    """What runs: in the container from its start, or beside it for `exec`."""

    args: tuple[str, ...]
    cwd: str = "/"
    env: tuple[str, ...] = ()
    user: User = User()
    terminal: bool = False
    console_size: Box | None = None
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Root:
    """The root file system; a relative path is relative to the bundle."""

    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount, with options as `mount(8)` and `fstab(5)` spell them."""

    destination: str
    source: str = ""
    type: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of `type` `mount pid uts ipc cgroup network user`: a new one, or the one at `path`."""

    type: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class IDMapping:
    """`size` ids from `container_id` on are those from `host_id` on outside (`user_namespaces(7)`)."""

    container_id: int = field(metadata={"json": "containerID"})
    host_id: int = field(metadata={"json": "hostID"})
    size: int


@dataclass(frozen=True, slots=True)
class LinuxDevice:
    """A device node to make; `type` is `c` or `b`."""

    path: str
    type: str
    major: int
    minor: int
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class LinuxDeviceCgroup:
    """One rule of the device controller, in order; no number means every number."""

    allow: bool
    type: str = ""
    major: int | None = None
    minor: int | None = None
    access: str = ""


@dataclass(frozen=True, slots=True)
class LinuxMemory:
    """Bytes; `swap` is memory and swap together, -1 is unlimited."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool | None = field(default=None, metadata={"json": "disableOOMKiller"})


@dataclass(frozen=True, slots=True)
class LinuxCPU:
    """`quota` microseconds of every `period`; `shares` is relative, 1024 being usual; `cpus` as `0-2,4`."""

    shares: int | None = None
    quota: int | None = None
    period: int | None = None
    cpus: str = ""


@dataclass(frozen=True, slots=True)
class LinuxPids:
    """How many tasks there may be; -1 is unlimited."""

    limit: int


@dataclass(frozen=True, slots=True)
class LinuxResources:
    """What the container's cgroup limits."""

    devices: tuple[LinuxDeviceCgroup, ...] = ()
    memory: LinuxMemory | None = None
    cpu: LinuxCPU | None = None
    pids: LinuxPids | None = None


@dataclass(frozen=True, slots=True)
class LinuxSeccompArg:
    """One comparison of a system call's argument; `value_two` is the right side of SCMP_CMP_MASKED_EQ."""

    index: int
    value: int
    op: str
    value_two: int = field(default=0, metadata={"json": "valueTwo"})


@dataclass(frozen=True, slots=True)
class LinuxSyscall:
    """What happens on these system calls; with `args`, only where all of them hold."""

    names: tuple[str, ...]
    action: str
    errno_ret: int | None = None
    args: tuple[LinuxSeccompArg, ...] = ()


@dataclass(frozen=True, slots=True)
class LinuxSeccomp:
    """A system call filter, see `seccomp(2)` and `config-linux.md#seccomp`."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    syscalls: tuple[LinuxSyscall, ...] = ()


@dataclass(frozen=True, slots=True)
class Linux:
    """What only Linux has."""

    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IDMapping, ...] = ()
    gid_mappings: tuple[IDMapping, ...] = ()
    devices: tuple[LinuxDevice, ...] = ()
    cgroups_path: str = ""
    resources: LinuxResources | None = None
    sysctl: Mapping[str, str] = field(default_factory=dict)
    seccomp: LinuxSeccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole `config.json`."""

    process: Process
    root: Root
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    linux: Linux = Linux()
    annotations: Mapping[str, str] = field(default_factory=dict)
    oci_version: str = VERSION


def to_json(value: Any) -> Any:
    """`value` (a `Spec` or any part) as JSON-able data; what is empty or absent is left out."""
    if is_dataclass(value):
        pairs = ((key, to_json(getattr(value, name))) for key, name in _keys(type(value)).items())
        return {key: item for key, item in pairs if item is not None and item not in ("", [], {})}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def from_json(data: Any, kind: type[T], path: str = "config.json") -> T:
    """The `kind` that `data` describes.

    Raises:
        StateError: a key that this module does not model, a missing key, or a value of the wrong type; names it.
    """
    if not isinstance(data, dict):
        raise StateError(f"cannot read `{path}`: expected an object, found {type(data).__name__}")
    keys = _keys(kind)
    if unknown := sorted(data.keys() - keys.keys()):
        raise StateError(f"cannot read `{path}`: `{unknown[0]}` is not supported")
    hints = get_type_hints(kind)
    values = {keys[key]: _read(item, hints[keys[key]], f"{path}: {key}") for key, item in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise StateError(f"cannot read `{path}`: {error}") from error


def _keys(kind: type) -> dict[str, str]:
    """Attribute names by JSON key, in order of declaration."""
    return {f.metadata.get("json") or _camel(f.name): f.name for f in fields(kind)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _read(value: Any, hint: Any, path: str) -> Any:
    origin, parameters = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(value, parameters[0], path)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(item, parameters[0], f"{path}[{index}]") for index, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        return {str(key): _read(item, parameters[1], f"{path}.{key}") for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return from_json(value, hint, path)
    # `type` rather than isinstance: a JSON true is no number.
    if type(value) is hint:
        return value
    raise StateError(f"cannot read `{path}`: {value!r} is not what belongs there")
