"""What surrounds a step: who it is, what it may, where it is on the network, and the files of /etc that say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from composer.build.worker import RunTask
from composer.engine.building.uplink import Place
from composer.engine.networking import host_resolv_conf
from composer.engine.records import ContainerRecord
from composer.engine.translate import privileged
from composer.image.root import is_directory, read_file
from composer.oci.runtime_spec import Rlimit, Spec, User
from composer.runtime import capabilities, etc, lenient, user
from composer.runtime.defaults import PATH, SHM_SIZE, default_process, default_spec
from composer.runtime.user import Identity

HOSTNAME = "buildkitsandbox"
"""What BuildKit calls the machine of a step; configure scripts write it into what they build."""


@dataclass(frozen=True, slots=True)
class StepNetwork:
    """Where a step is: on a network, on this machine's, in a container's, or nowhere."""

    place: Place | None
    host: bool
    partner: ContainerRecord | None = None
    gateway: str = ""
    """How it reaches this machine."""


def identity_of(task: RunTask) -> Identity:
    """Who the step's user is, by the files of its root. Raises ContainerError for one that is not there."""
    passwd, group = (
        (read_file(task.lower, name) or b"").decode("utf-8", "replace") for name in ("/etc/passwd", "/etc/group")
    )
    return user.resolve(task.operation.user, passwd, group)


def spec_of(task: RunTask, identity: Identity, network: StepNetwork) -> Spec:
    """The step as a container: Docker's defaults, and what the instruction says."""
    operation = task.operation
    environment = {"PATH": PATH, **dict(task.environment)}
    environment.setdefault("HOME", identity.home)
    process = default_process(
        operation.argv,
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        cwd=operation.cwd,
        user=User(identity.uid, identity.gid, additional_gids=identity.groups),
        rlimits=tuple(Rlimit(f"RLIMIT_{one.name.upper()}", one.soft, one.hard) for one in operation.ulimits),
        capabilities=capabilities.NAMES if operation.insecure else capabilities.DEFAULT,
    )
    spec = default_spec(
        process,
        hostname=operation.hostname or HOSTNAME,
        shared=frozenset({"network"} if network.host else ()),
        shm_size=operation.shm_size or SHM_SIZE,
    )
    return privileged(spec) if operation.insecure else spec


def etc_files(task: RunTask, network: StepNetwork, *, one_user: bool = False) -> tuple[tuple[str, str], ...]:
    """(path in the step, file of ours) for /etc/hosts and /etc/resolv.conf, written for it.

    With `one_user` also for apt, where the image has it.
    """
    record = network.place.record if network.place else network.partner
    addresses = [one.address for one in record.endpoints.values()] if record else ["127.0.0.1"]
    if network.host:
        resolv = host_resolv_conf()
    elif record and record.endpoints:
        resolv = etc.resolv_conf(etc.searched(host_resolv_conf()), ("ndots:0",))
    else:
        resolv = etc.resolv_conf(nameservers=())
    gateway = "127.0.0.1" if network.host else network.gateway
    hosts = etc.hosts(task.operation.hostname or HOSTNAME, addresses, task.operation.extra_hosts, gateway=gateway)
    texts = {"/etc/hosts": hosts, "/etc/resolv.conf": resolv}
    if one_user and is_directory(task.lower, str(PurePosixPath(lenient.APT_FILE).parent)):
        texts[lenient.APT_FILE] = lenient.APT
    for path, text in texts.items():
        (task.scratch / PurePosixPath(path).name).write_text(text)
    return tuple((path, str(task.scratch / PurePosixPath(path).name)) for path in texts)
