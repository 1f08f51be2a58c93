"""What a child of the keeper does between `clone3(2)` and `execve(2)`: a list of steps, as data.

The engine compiles the list, the child performs it in order, and the order is the security argument: mounts before
`PivotRoot`, seccomp and capabilities last, and after `PivotRoot` no path can lead outside.

A step travels as JSON: `[class name, {field: value}]`, bytes as base64. Descriptors travel beside it and are referred
to by name (`fd="netns/<id>"`). A path in a field called `target` is *inside the new root*, absolute, and is resolved
with `openat2(2)` `RESOLVE_IN_ROOT`, so that no symlink of an image leads out of it; `source` is a path of the host.
"""

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
from composer.keeper.steps.step import Step
from composer.keeper.steps.wire import from_wire, to_wire

__all__ = [
    "Bind",
    "CopyTree",
    "Credentials",
    "Device",
    "Directory",
    "Exec",
    "Files",
    "Hostname",
    "JoinCgroup",
    "JoinNamespace",
    "Mask",
    "Mount",
    "Netlink",
    "NoNewPrivileges",
    "OnlyUser",
    "OomScore",
    "Overlay",
    "PinNamespace",
    "PivotRoot",
    "Propagation",
    "ReadOnly",
    "ReportNamespace",
    "ReportSockets",
    "ResourceLimit",
    "Root",
    "Seccomp",
    "Stack",
    "Step",
    "Symlink",
    "Sysctl",
    "Terminal",
    "Unpin",
    "WorkingDirectory",
    "from_wire",
    "to_wire",
]
