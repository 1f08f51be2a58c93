"""Steps that say who a container's process is and what it may do."""

from __future__ import annotations

import errno
import os
import resource

from composer.keeper import inside
from composer.keeper.context import Context, Table
from composer.keeper.steps import (
    Credentials,
    Hostname,
    JoinCgroup,
    NoNewPrivileges,
    OnlyUser,
    OomScore,
    ResourceLimit,
    Seccomp,
    WorkingDirectory,
)
from composer.kernel import identity, privilege
from composer.kernel.clone import CLONE_NEWCGROUP, CLONE_NEWUSER
from composer.kernel.namespace import unshare


def _join_cgroups(context: Context, step: JoinCgroup) -> None:
    for directory in step.directories:
        _join_cgroup(directory)
    if context.unshare_cgroup:
        unshare(CLONE_NEWCGROUP)
        context.unshare_cgroup = False


def _join_cgroup(directory: str) -> None:
    """Move ourselves, the only thread of our process, into a group."""
    try:
        # Version 1's file for a thread. To move a whole process the kernel waits until nobody on the machine forks or ends
        # (an RCU grace period, 5 to 8 ms of a start); for the writing thread alone it need not.
        _write(f"{directory}/tasks", b"0")  # 0: whoever writes, in whichever pid namespace
    except FileNotFoundError:
        _write(f"{directory}/cgroup.procs", b"0")


def _name_host(_context: Context, step: Hostname) -> None:
    identity.sethostname(step.name)
    if step.domain:
        identity.setdomainname(step.domain)


def _set_limit(_context: Context, step: ResourceLimit) -> None:
    try:
        resource.setrlimit(_limit(step.kind), (step.soft, step.hard))
    except ValueError as error:
        raise OSError(errno.EPERM, f"this machine does not allow {step.soft}:{step.hard}: {error}") from error


def _limit(kind: str) -> int:
    number = getattr(resource, f"RLIMIT_{kind}", None)
    if not isinstance(number, int):
        raise ValueError(f"no resource limit is called `{kind}`")
    return number


def _score(_context: Context, step: OomScore) -> None:
    _write("/proc/self/oom_score_adj", str(step.value).encode())


def _change_directory(context: Context, step: WorkingDirectory) -> None:
    """Enter the directory through a descriptor: a path such as `/proc/self/fd/7` must not lead to the host.

    See CVE-2024-21626; a lookup inside the root follows no magic links.
    """
    if step.create:
        directory = inside.make_directory(context.root, step.path, 0o755, step.uid, step.gid)
    else:
        directory = inside.find(context.root, step.path, os.O_PATH | os.O_DIRECTORY)
    os.fchdir(directory)
    os.close(directory)


def _be_alone(_context: Context, step: OnlyUser) -> None:
    """Mapping our own ids to one each needs no privileges (`user_namespaces(7)`)."""
    ours = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    _write("/proc/self/uid_map", f"{step.uid} {ours[0]} 1".encode())
    _write("/proc/self/gid_map", f"{step.gid} {ours[1]} 1".encode())


def _give_up_new_privileges(_context: Context, _step: NoNewPrivileges) -> None:
    privilege.prctl(privilege.PR_SET_NO_NEW_PRIVS, 1, about="PR_SET_NO_NEW_PRIVS")


def _filter(_context: Context, step: Seccomp) -> None:
    privilege.install_filter(step.program)


def _become(_context: Context, step: Credentials) -> None:
    """Order matters: each line needs what the next ones take away."""
    privilege.drop_bounding(step.bounding, privilege.last_capability())
    privilege.prctl(privilege.PR_SET_KEEPCAPS, 1, about="PR_SET_KEEPCAPS")
    if step.groups is not None:
        os.setgroups(step.groups)
    os.setresgid(step.gid, step.gid, step.gid)
    os.setresuid(step.uid, step.uid, step.uid)
    kept = step.bounding if step.uid == 0 else step.ambient
    privilege.capset(kept, kept, step.ambient)
    privilege.set_ambient(step.ambient)
    os.umask(step.umask)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)


IDENTITY: Table = {
    JoinCgroup: _join_cgroups,
    Hostname: _name_host,
    ResourceLimit: _set_limit,
    OomScore: _score,
    WorkingDirectory: _change_directory,
    OnlyUser: _be_alone,
    NoNewPrivileges: _give_up_new_privileges,
    Seccomp: _filter,
    Credentials: _become,
}
