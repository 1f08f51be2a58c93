"""Every step there is."""

from __future__ import annotations

from composer.keeper.steps.files import CopyTree, Device, Directory, Symlink
from composer.keeper.steps.mounts import (
    Bind,
    Files,
    Mask,
    Mount,
    Overlay,
    PivotRoot,
    Propagation,
    ReadOnly,
    Root,
    Stack,
)
from composer.keeper.steps.namespaces import JoinCgroup, JoinNamespace, PinNamespace, ReportNamespace, Unpin
from composer.keeper.steps.network import Netlink, ReportSockets, Sysctl
from composer.keeper.steps.process import (
    Credentials,
    Exec,
    Hostname,
    NoNewPrivileges,
    OnlyUser,
    OomScore,
    ResourceLimit,
    Seccomp,
    Terminal,
    WorkingDirectory,
)

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
    | OnlyUser
    | Seccomp
    | Credentials
    | Exec
)
