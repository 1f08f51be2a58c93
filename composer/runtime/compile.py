"""From a `Spec` to the steps of a container's first process, in `runc`'s safe order. Pure: the same in, the same out.

The order is the security argument:

1. cgroup and OOM score first, so that everything after them is already accounted and limited.
2. network before any mount: sysfs shows the network namespace of whoever mounts it.
3. propagation before any mount, or our mounts would appear on the host.
4. root, seeds, mounts, devices, /etc files: all through `RESOLVE_IN_ROOT`, so no symlink of the image leads outside.
5. `PivotRoot`: from here on no path of the host can be named.
6. masked and read-only paths after everything that writes below them (sysctls), and after the pivot, so that a mount
   of the user's over /proc cannot undo them; `/` read-only after the terminal's console was bound.
7. no-new-privileges, seccomp, credentials, exec. Without no-new-privileges a filter needs CAP_SYS_ADMIN, so it comes
   before the credentials; with it, after them, so that a strict filter need not allow `setuid(2)` and `capset(2)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from composer.errors import ContainerError, HostError
from composer.keeper import steps
from composer.keeper.steps import Step
from composer.oci.runtime_spec import Linux, LinuxDevice, Mount, Process, Spec
from composer.runtime import capabilities, mount_options
from composer.runtime.bundle import Bundle
from composer.runtime.cgroup import NO_CGROUP, Cgroup
from composer.runtime.defaults import DEVICE_LINKS, DEVICES
from composer.runtime.facts import HostFacts

_CLONE = {"mount": "mnt", "pid": "pid", "uts": "uts", "ipc": "ipc", "cgroup": "cgroup", "network": "net"}
"""The specification's namespace types and the keeper's words for them."""

_MAPPED_ID_OPTIONS = ("uid=", "gid=")


def container_steps(spec: Spec, bundle: Bundle, host: HostFacts, network: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Everything between clone and exec for a container.

    `network` runs in the container's network namespace before any mount: joining it, its links, its addresses.

    Raises:
        ContainerError: the process wants what this user cannot have: an id that is not mapped, an unknown capability.
        HostError: the root is an overlay and this machine has none.
    """
    return tuple(_container(spec, bundle, host, network))


def exec_steps(
    process: Process, host: HostFacts, *, cgroup: Cgroup = NO_CGROUP, seccomp: bytes = b""
) -> tuple[Step, ...]:
    """Everything between clone and exec for a process that joins a running container. Raises as `container_steps`."""
    return (
        *_accounting(process, cgroup),
        *((_terminal(process, host, console=False),) if process.terminal else ()),
        *_process(process, host, seccomp),
    )


def clone_namespaces(spec: Spec) -> tuple[str, ...]:
    """The namespaces to clone with, in the keeper's words; those with a path are joined, not made."""
    return tuple(_CLONE[space.type] for space in spec.linux.namespaces if not space.path)


def unenforced(spec: Spec, host: HostFacts) -> tuple[str, ...]:
    """What the spec asks for and this machine will not do, each a sentence; limits are the cgroup's own to report."""
    found = []
    if host.rootless and (spec.process.oom_score_adj or 0) < 0:
        found.append("`oom_score_adj` below 0 needs root; it stays as it is")
    if spec.linux.devices and not host.device_filter and not host.rootless:
        found.append("devices are made, but their access rights (`rwm`) are not limited: no device controller here")
    return tuple(found)


def _container(spec: Spec, bundle: Bundle, host: HostFacts, network: tuple[Step, ...]) -> Iterator[Step]:
    process, linux = spec.process, spec.linux
    if not host.rootless or (process.oom_score_adj or 0) >= 0:
        yield from _accounting(process, bundle.cgroup)
    else:
        yield from _accounting(Process(process.args), bundle.cgroup)
    for kind, descriptor in bundle.joined:
        yield steps.JoinNamespace(descriptor, _CLONE[kind])
    yield from network

    yield steps.Propagation(linux.rootfs_propagation or "rslave")
    yield _root(bundle, host)
    sources = {mount.destination: mount.source for mount in spec.mounts}
    # Before anything is mounted: a seed is what the *image* has there.
    yield from (steps.CopyTree(target, sources[target]) for target in bundle.seeds)
    for mount in spec.mounts:
        yield from _mount(mount, bundle, host, _sees_network(linux))
    if not any(mount.destination == "/dev" and mount_options.parse(mount.options).bind for mount in spec.mounts):
        host_nodes = dict(bundle.devices)
        yield from (_device(device, host_nodes.get(device.path, "")) for device in (*DEVICES, *linux.devices))
        yield from (steps.Symlink(target, text) for target, text in DEVICE_LINKS)
    yield from bundle.mounted
    # Last, or a volume over /etc would hide them; a file the user mounted there himself is left to him.
    yield from (steps.Bind(source, target) for target, source in bundle.etc if target not in sources)
    if bundle.files:
        yield steps.Files(bundle.files_place, bundle.files)
    # While the root can still be written, and with the volumes in place: a missing working directory is made there.
    yield steps.Directory(process.cwd)
    yield steps.PivotRoot(bundle.rootfs)

    yield from (steps.Sysctl(_sysctl_path(key), value) for key, value in sorted(linux.sysctl.items()))
    if process.terminal:
        yield _terminal(process, host, console=True)
    if spec.hostname or spec.domainname:
        yield steps.Hostname(spec.hostname, spec.domainname)
    if read_only := (*linux.readonly_paths, *_cgroup_folders(spec, bundle.cgroup)):
        yield steps.ReadOnly(read_only)
    if linux.masked_paths:
        yield steps.Mask(linux.masked_paths)
    if spec.root.readonly:
        yield steps.ReadOnly(("/",))
    yield from _process(process, host, bundle.seccomp, init=bundle.init)


def _accounting(process: Process, cgroup: Cgroup) -> Iterator[Step]:
    if cgroup.directories:
        yield steps.JoinCgroup(cgroup.directories)
    if process.oom_score_adj is not None:
        yield steps.OomScore(process.oom_score_adj)


def _root(bundle: Bundle, host: HostFacts) -> Step:
    if bundle.plain:
        return steps.Root(bundle.rootfs, bundle.plain)
    if not host.overlay:
        raise HostError(
            "cannot mount the root file system: overlay is missing here, or does not work in the data directory",
            hint="move the data directory to a local disk with COMPOSER_DATA, or load the `overlay` kernel module",
        )
    options = (*(("userxattr",) if host.userxattr else ()), *(("volatile",) if bundle.volatile else ()))
    return steps.Overlay(bundle.rootfs, bundle.lower, bundle.upper, bundle.work, options)


def _sees_network(linux: Linux) -> bool:
    """Whether the container's network namespace is one that we own, so that sysfs may be mounted for it."""
    return any(space.type == "network" for space in linux.namespaces)


def _mount(mount: Mount, bundle: Bundle, host: HostFacts, own_network: bool) -> Iterator[Step]:
    options = mount_options.parse(mount.options)
    if mount.type == "cgroup":
        yield from _cgroup_mounts(mount.destination, bundle.cgroup)
    elif mount.type == "sysfs" and host.rootless and not own_network:
        # A user namespace may mount sysfs only for a network namespace that it owns (sysfs, `kernfs` key).
        yield steps.Bind("/sys", mount.destination, read_only=True, flags=options.flags & ~mount_options.MS_RDONLY)
    elif options.bind or mount.type == "bind":
        yield steps.Bind(
            mount.source,
            mount.destination,
            read_only=options.read_only,
            recursive=options.recursive,
            flags=options.flags & ~mount_options.MS_RDONLY,
            propagation=options.propagation,
        )
    else:
        data = (item for item in options.data if _representable(item, host))
        yield steps.Mount(mount.type, mount.destination, options.flags, ",".join(data), copy=options.copy)


def _cgroup_mounts(target: str, cgroup: Cgroup) -> Iterator[Step]:
    """The container's own group, read-only where programs look for their limits.

    A bind of the directory rather than a mount: it shows nothing but this group, in every cgroup namespace, for v1
    and v2, root and rootless.
    """
    flags = mount_options.MS_NOSUID | mount_options.MS_NODEV | mount_options.MS_NOEXEC
    if any(place for place, _directory in cgroup.views):
        yield steps.Mount("tmpfs", target, flags, "mode=755,size=64k")
    for place, directory in cgroup.views:
        yield steps.Bind(directory, f"{target}/{place}".rstrip("/"), read_only=True, recursive=False, flags=flags)
        # Co-mounted controllers (`cpu,cpuacct`) are also found by each name.
        if "," in place:
            yield from (steps.Symlink(f"{target}/{name}", place) for name in place.split(","))


def _cgroup_folders(spec: Spec, cgroup: Cgroup) -> Iterator[str]:
    """Where `_cgroup_mounts` put a tmpfs: it is complete only after its binds, so it becomes read-only late."""
    if any(place for place, _directory in cgroup.views):
        yield from (mount.destination for mount in spec.mounts if mount.type == "cgroup")


def _representable(option: str, host: HostFacts) -> bool:
    """Whether the file system can take this option: an id that is not mapped here is EINVAL (`gid=5` of devpts)."""
    if not option.startswith(_MAPPED_ID_OPTIONS):
        return True
    return int(option.partition("=")[2]) < host.mapped_ids


def _device(device: LinuxDevice, source: str) -> Step:
    mode = 0o666 if device.file_mode is None else device.file_mode
    return steps.Device(
        device.path, device.type, device.major, device.minor, mode, device.uid or 0, device.gid or 0, source
    )


def _terminal(process: Process, host: HostFacts, *, console: bool) -> Step:
    size = process.console_size
    rows, columns = (size.height, size.width) if size else (24, 80)
    return steps.Terminal(0 if host.one_id else process.user.uid, rows, columns, console)


def _sysctl_path(key: str) -> str:
    """`net.ipv4.ip_forward` as a path; a key that has slashes is one already (an interface name may hold a dot)."""
    return key if "/" in key else key.replace(".", "/")


def _process(process: Process, host: HostFacts, seccomp: bytes, *, init: bool = False) -> Iterator[Step]:
    user = process.user
    if max(user.uid, user.gid) >= host.mapped_ids and not host.one_id:
        raise ContainerError(
            f"cannot run as {user.uid}:{user.gid}: only {host.mapped_ids} id(s) from 0 on are mapped for this user",
            hint="install `uidmap` and give the user a range in /etc/subuid and /etc/subgid, or run as root",
            step="Credentials",
        )
    yield steps.WorkingDirectory(process.cwd)
    # Late, so that a limit meant for the program (open files, file size) does not break what comes before.
    for limit in process.rlimits:
        yield steps.ResourceLimit(limit.type.removeprefix("RLIMIT_"), limit.soft, limit.hard)
    if host.one_id and (user.uid or user.gid):
        yield steps.OnlyUser(user.uid, user.gid)
    if process.no_new_privileges:
        yield steps.NoNewPrivileges()
    if seccomp and not process.no_new_privileges:
        yield steps.Seccomp(seccomp)
    yield _credentials(process, host)
    if seccomp and process.no_new_privileges:
        yield steps.Seccomp(seccomp)
    yield steps.Exec(process.args, process.env, init)


def _credentials(process: Process, host: HostFacts) -> Step:
    user, held = process.user, process.capabilities
    bounding = held.bounding if held else ()
    if not host.device_filter and not host.rootless:
        # Docker grants CAP_MKNOD because a device cgroup rules what may be opened. Where nothing does, root in the
        # container could make a node of the host's disk and read it.
        bounding = tuple(name for name in bounding if name != "CAP_MKNOD")
    return steps.Credentials(
        uid=user.uid,
        gid=user.gid,
        groups=tuple(gid for gid in user.additional_gids if gid < host.mapped_ids) if host.setgroups else None,
        bounding=tuple(number for number in capabilities.numbers(bounding) if host.capabilities >> number & 1),
        ambient=capabilities.numbers(held.ambient) if held else (),
        umask=0o022 if user.umask is None else user.umask,
    )
