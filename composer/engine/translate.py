"""From Compose's words to OCI's: the one place that knows both.

A `ContainerConfig` says what the file and the image decided; a `Placement` adds what only this machine knows. Together they
are an OCI runtime specification, with Docker's defaults where neither says anything.
<https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md>
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from composer.engine.world import ContainerConfig, Limits, MountPoint, Ulimit
from composer.oci.runtime_spec import (
    LinuxCPU,
    LinuxDevice,
    LinuxDeviceCgroup,
    LinuxMemory,
    LinuxPids,
    LinuxResources,
    Mount,
    Process,
    Rlimit,
    Spec,
    User,
)
from composer.runtime import capabilities
from composer.runtime.defaults import PATH, SHM_SIZE, default_process, default_spec
from composer.runtime.user import Identity

_HOST_SHM = Mount("/dev/shm", "/dev/shm", "bind", ("rbind", "rprivate", "rw"))
"""For a container that shares the host's IPC namespace; its message queues are there by the namespace itself."""

_CPU_PERIOD = 100_000
"""Microseconds; Docker's, and the kernel's own default."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What the machine adds to a configuration."""

    identity: Identity
    """Who `user` is in the image's passwd and group."""
    mounts: Mapping[str, str]
    """Host paths of binds and volumes, by mount target."""
    hostname: str
    own_network: bool = True
    """False leaves the container in the host's network namespace."""
    devices: tuple[LinuxDevice, ...] = ()
    """The nodes of the devices that it was granted."""
    device_rules: tuple[LinuxDeviceCgroup, ...] = ()


def container_spec(config: ContainerConfig, placement: Placement) -> Spec:
    """The OCI runtime configuration of a container.

    Raises:
        ContainerError: a capability that does not exist.
    """
    process = _process(
        config,
        placement.identity,
        arguments=config.arguments,
        environment=_environment(config, placement.identity, placement.hostname, terminal=config.tty),
        working_dir=config.working_dir,
        terminal=config.tty,
    )
    mounts = tuple(_mount(mount, placement.mounts) for mount in config.mounts)
    if config.ipc == "host" and all(mount.destination != _HOST_SHM.destination for mount in mounts):
        mounts = (_HOST_SHM, *mounts)
    shared = {name for name in ("ipc", "uts") if getattr(config, name) == "host"}
    spec = default_spec(
        process,
        hostname="" if "uts" in shared else placement.hostname,
        domainname="" if "uts" in shared else config.domainname,
        mounts=mounts,
        read_only=config.read_only,
        shared=frozenset(shared if placement.own_network else {*shared, "network"}),
        devices=placement.devices,
        resources=_resources(config.limits, placement.device_rules),
        sysctl=config.sysctls,
        shm_size=config.shm_size or SHM_SIZE,
    )
    if _security(config).get("systempaths") == "unconfined":
        spec = replace(spec, linux=replace(spec.linux, masked_paths=(), readonly_paths=()))
    return privileged(spec) if config.privileged else spec


def privileged(spec: Spec) -> Spec:
    """Nothing hidden, nothing read-only below /proc and /sys, as `docker run --privileged`."""
    mounts = tuple(
        replace(mount, options=tuple(option for option in mount.options if option != "ro"))
        if mount.destination in ("/sys", "/sys/fs/cgroup")
        else mount
        for mount in spec.mounts
    )
    return replace(spec, mounts=mounts, linux=replace(spec.linux, masked_paths=(), readonly_paths=()))


def exec_process(
    config: ContainerConfig,
    identity: Identity,
    hostname: str,
    command: tuple[str, ...],
    *,
    environment: Iterable[str] = (),
    working_dir: str = "",
    terminal: bool = False,
    privileged: bool = False,
) -> Process:
    """The OCI process of `compose exec`: the container's surroundings, with what the command line adds to them."""
    own = _environment(config, identity, hostname, terminal=terminal)
    added = dict(entry.split("=", 1) for entry in environment if "=" in entry)
    return _process(
        config,
        identity,
        arguments=command,
        environment=own | added,
        working_dir=working_dir or config.working_dir,
        terminal=terminal,
        privileged=privileged,
    )


def no_new_privileges(config: ContainerConfig) -> bool:
    """Whether `security_opt` forbids gaining privileges by exec."""
    return _security(config).get("no-new-privileges") in ("", "true")


def seccomp_profile(config: ContainerConfig) -> str:
    """What `security_opt` says of the system call filter: "" for the default, `unconfined`, or a profile's path."""
    return "unconfined" if config.privileged else _security(config).get("seccomp", "")


def _process(
    config: ContainerConfig,
    identity: Identity,
    *,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    working_dir: str,
    terminal: bool,
    privileged: bool = False,
) -> Process:
    return default_process(
        arguments,
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        cwd=working_dir,
        user=User(identity.uid, identity.gid, additional_gids=identity.groups),
        terminal=terminal,
        no_new_privileges=no_new_privileges(config),
        rlimits=tuple(_rlimit(limit) for limit in config.ulimits),
        oom_score_adj=config.oom_score_adj or None,
        capabilities=capabilities.NAMES if privileged or config.privileged else _capabilities(config),
    )


def _environment(config: ContainerConfig, identity: Identity, hostname: str, *, terminal: bool) -> dict[str, str]:
    """The variables as Docker gives them: a few of its own below those of the image and the file."""
    own = {"PATH": PATH, "HOSTNAME": hostname}
    if terminal:
        own["TERM"] = "xterm"
    variables = {**own, **config.environment}
    variables.setdefault("HOME", identity.home)
    return variables


def _capabilities(config: ContainerConfig) -> tuple[str, ...]:
    """Docker's rule: `ALL` in either list stands for every capability, and a drop wins over the defaults only."""
    added = {_capability(name) for name in config.cap_add}
    dropped = {_capability(name) for name in config.cap_drop}
    base = set(capabilities.NAMES) if "CAP_ALL" in added else set(capabilities.DEFAULT)
    kept = set() if "CAP_ALL" in dropped else base - dropped
    wanted = kept | (added - {"CAP_ALL"})
    capabilities.numbers(wanted)
    return tuple(name for name in capabilities.NAMES if name in wanted)


def _capability(name: str) -> str:
    name = name.upper()
    return name if name.startswith("CAP_") else f"CAP_{name}"


def _mount(mount: MountPoint, sources: Mapping[str, str]) -> Mount:
    if mount.kind == "tmpfs":
        return Mount(mount.target, "tmpfs", "tmpfs", tuple(_tmpfs_options(mount)))
    access = "ro" if mount.read_only else "rw"
    return Mount(mount.target, sources[mount.target], "bind", ("rbind", mount.propagation or "rprivate", access))


def _tmpfs_options(mount: MountPoint) -> Iterator[str]:
    """Docker's defaults first: a later option overrules an earlier one."""
    yield from ("noexec", "nosuid", "nodev", f"mode={mount.tmpfs_mode:o}")
    if mount.tmpfs_size:
        yield f"size={mount.tmpfs_size}"
    if mount.read_only:
        yield "ro"
    yield from filter(None, mount.tmpfs_options.split(","))


def _resources(limits: Limits, devices: tuple[LinuxDeviceCgroup, ...] = ()) -> LinuxResources | None:
    if limits == Limits() and not devices:
        return None
    # As Docker: as much swap again as memory, unless the two together are said.
    swap = limits.memory_swap or 2 * limits.memory
    memory = LinuxMemory(
        limit=limits.memory or None,
        reservation=limits.memory_reservation or None,
        swap=swap or None,
        swappiness=limits.swappiness,
    )
    period = limits.cpu_period or _CPU_PERIOD
    quota = limits.cpu_quota or round(limits.cpus * period) or None
    cpu = LinuxCPU(
        shares=limits.cpu_shares or None,
        quota=quota,
        period=period if quota or limits.cpu_period else None,
        cpus=limits.cpuset,
    )
    return LinuxResources(
        devices=devices,
        memory=memory if memory != LinuxMemory() else None,
        cpu=cpu if cpu != LinuxCPU() else None,
        pids=LinuxPids(limits.pids) if limits.pids else None,
    )


def _rlimit(limit: Ulimit) -> Rlimit:
    return Rlimit(f"RLIMIT_{limit.name.upper()}", limit.soft, limit.hard)


def _security(config: ContainerConfig) -> dict[str, str]:
    """`security_opt` by name; both `name:value` and `name=value` are written."""
    found = {}
    for option in config.security_opt:
        name, _, value = option.replace("=", ":", 1).partition(":")
        found[name] = value
    return found
