"""Carrying out one step in the child: which room of steps it belongs to, and how its failure is worded."""

from __future__ import annotations

from composer.keeper import perform_files, perform_identity, perform_mounts, perform_network, program, terminal
from composer.keeper.context import Context, Table
from composer.keeper.steps import (
    Bind,
    CopyTree,
    Credentials,
    Device,
    Directory,
    Exec,
    Files,
    Hostname,
    JoinCgroup,
    JoinNamespace,
    Mask,
    Mount,
    Netlink,
    NoNewPrivileges,
    OnlyUser,
    OomScore,
    Overlay,
    PinNamespace,
    PivotRoot,
    Propagation,
    ReadOnly,
    ReportNamespace,
    ReportSockets,
    ResourceLimit,
    Root,
    Seccomp,
    Stack,
    Step,
    Symlink,
    Sysctl,
    Terminal,
    Unpin,
    WorkingDirectory,
)
from composer.kernel.clone import CLONE_NEWCGROUP
from composer.kernel.namespace import unshare

PERFORMERS: Table = {
    **perform_files.FILES,
    **perform_identity.IDENTITY,
    **perform_mounts.MOUNTS,
    **perform_network.NETWORK,
    Terminal: terminal.open_terminal,
    Exec: program.execute,
}
"""By kind of step. A table rather than a `match`: that would touch every class there is, each on a page still shared."""


def perform(context: Context, step: Step) -> None:
    """Carry out `step`. Raises OSError; returns for every step but a successful `Exec`."""
    if context.unshare_cgroup and not isinstance(step, JoinCgroup):
        unshare(CLONE_NEWCGROUP)
        context.unshare_cgroup = False
    PERFORMERS[type(step)](context, step)


def describe(step: Step) -> str:
    """The step as the first half of a sentence: what could not be done."""
    match step:
        case Overlay(rootfs):
            return f"mount overlay on {rootfs}"
        case Mount(filesystem, target):
            return f"mount {filesystem} on `{target}`"
        case Bind(source, target) | Root(target, source) | Stack(target, path=source):
            return f"bind `{source}` on `{target}`"
        case Files(_, files):
            return f"give {', '.join(f'`{file[0]}`' for file in files)}"
        case Device(target) | Symlink(target) | Directory(target):
            return f"make `{target}`"
        case Exec(arguments):
            return f"start `{arguments[0] if arguments else ''}`"
        case WorkingDirectory(path):
            return f"enter `{path}`"
        case ResourceLimit(kind):
            return f"set the limit `{kind.lower()}`"
        case Sysctl(key):
            return f"set `{key if '.' in key else key.replace('/', '.')}`"
        case ReportSockets(_, address, port):
            return f"listen on {address}:{port}"
        case Credentials(uid, gid) | OnlyUser(uid, gid):
            return f"become user {uid}:{gid}"
        case _:
            return _PHRASES[type(step)]


def subject(step: Step, error: BaseException) -> str:
    """What the step is about, for whoever knows why it is to be done: a path in the container, a limit, a setting."""
    match step:
        case (
            Mount(target=subject) | Bind(target=subject) | Stack(target=subject) | Device(subject) | Directory(subject)
        ):
            return subject
        case ResourceLimit(kind):
            return kind.lower()
        case Sysctl(key):
            return key.replace("/", ".")
        case Files():
            return str(error.filename) if isinstance(error, OSError) else ""
        case _:
            return ""


_PHRASES: dict[type[Step], str] = {
    CopyTree: "copy the image's files to a new volume",
    Hostname: "set the host name",
    JoinCgroup: "join the cgroup",
    JoinNamespace: "join a namespace",
    Mask: "mask paths",
    Netlink: "configure the network",
    NoNewPrivileges: "give up new privileges",
    OomScore: "set the oom score",
    PinNamespace: "pin the network namespace",
    PivotRoot: "change the root",
    Propagation: "keep mounts private",
    ReadOnly: "make paths read-only",
    ReportNamespace: "open the namespace",
    Seccomp: "install the seccomp filter",
    Terminal: "open a terminal",
    Unpin: "release the network namespace",
}
