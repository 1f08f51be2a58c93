"""What Docker gives a container unless told otherwise: mounts, hidden paths, devices, namespaces.

Scripts and images rely on these down to the options; they are the ones `docker run` uses.
"""

from __future__ import annotations

from collections.abc import Mapping

from composer.oci.runtime_spec import (
    Capabilities,
    Linux,
    LinuxDevice,
    LinuxResources,
    Mount,
    Namespace,
    Process,
    Rlimit,
    Root,
    Spec,
    User,
)
from composer.runtime import capabilities as capability

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH where the image has none."""

SHM_SIZE = 64 << 20
ROOT = User()

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)

READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

DEVICES = (
    LinuxDevice("/dev/null", "c", 1, 3),
    LinuxDevice("/dev/zero", "c", 1, 5),
    LinuxDevice("/dev/full", "c", 1, 7),
    LinuxDevice("/dev/random", "c", 1, 8),
    LinuxDevice("/dev/urandom", "c", 1, 9),
    LinuxDevice("/dev/tty", "c", 5, 0),
)
"""Made in every container; the specification leaves them to the runtime, so they are no part of the `Spec`."""

DEVICE_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
)


def default_mounts(shm_size: int = SHM_SIZE) -> tuple[Mount, ...]:
    """Docker's own mounts, in the order they are made."""
    return (
        Mount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
        Mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
        Mount(
            "/dev/pts",
            "devpts",
            "devpts",
            ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        ),
        Mount("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
        Mount("/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", "ro")),
        Mount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
        Mount("/dev/shm", "shm", "tmpfs", ("nosuid", "noexec", "nodev", "mode=1777", f"size={shm_size}")),
    )


def default_process(
    args: tuple[str, ...],
    *,
    env: tuple[str, ...] = (),
    cwd: str = "/",
    user: User = ROOT,
    terminal: bool = False,
    no_new_privileges: bool = False,
    rlimits: tuple[Rlimit, ...] = (),
    oom_score_adj: int | None = None,
    capabilities: tuple[str, ...] = capability.DEFAULT,
) -> Process:
    """A process with Docker's capabilities: a user other than root has them in its bounding set only."""
    held = capabilities if user.uid == 0 else ()
    return Process(
        args=args,
        cwd=cwd,
        env=env,
        user=user,
        terminal=terminal,
        capabilities=Capabilities(bounding=capabilities, effective=held, permitted=held),
        rlimits=rlimits,
        no_new_privileges=no_new_privileges,
        oom_score_adj=oom_score_adj,
    )


def default_spec(
    process: Process,
    *,
    hostname: str = "",
    domainname: str = "",
    mounts: tuple[Mount, ...] = (),
    read_only: bool = False,
    shared: frozenset[str] = frozenset(),
    devices: tuple[LinuxDevice, ...] = (),
    resources: LinuxResources | None = None,
    sysctl: Mapping[str, str] | None = None,
    shm_size: int = SHM_SIZE,
) -> Spec:
    """A container as `docker run` makes it; one of `mounts` replaces the default at the same destination.

    `shared` are the namespaces that stay the host's: of `network` (`network_mode: host`), `ipc`, `uts`, `cgroup`.
    """
    taken = {mount.destination for mount in mounts}
    kinds = [kind for kind in ("mount", "pid", "uts", "ipc", "cgroup", "network") if kind not in shared]
    return Spec(
        process=process,
        root=Root("rootfs", readonly=read_only),
        hostname=hostname,
        domainname=domainname,
        mounts=(*(mount for mount in default_mounts(shm_size) if mount.destination not in taken), *mounts),
        linux=Linux(
            namespaces=tuple(Namespace(kind) for kind in kinds),
            devices=devices,
            resources=resources,
            sysctl=dict(sysctl or {}),
            masked_paths=MASKED_PATHS,
            readonly_paths=READONLY_PATHS,
        ),
    )
