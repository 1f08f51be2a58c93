"""A system call profile of the user's own, in Docker's JSON format, as a filter for one container.

<https://docs.docker.com/engine/security/seccomp/>; `includes` and `excludes` are decided here, by the container's
capabilities, this machine and its kernel.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from composer.errors import ContainerError
from composer.oci.runtime_spec import LinuxSeccomp, LinuxSeccompArg, LinuxSyscall
from composer.runtime.facts import kernel_version
from composer.runtime.profile import ARCHITECTURES

_DOCKERS_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What Docker calls a machine, where that is not what `uname -m` says."""


def user_filter(
    text: str, capabilities: Collection[str], machine: str, kernel: tuple[int, int], *, name: str
) -> LinuxSeccomp:
    """The filter that the profile `text` (from the file `name`) means for a container with `capabilities`.

    Raises:
        ContainerError: it is not JSON, or not a profile.
    """
    try:
        profile = json.loads(text)
        rules = [rule for rule in profile.get("syscalls") or () if _applies(rule, capabilities, machine, kernel)]
        return LinuxSeccomp(
            default_action=str(profile["defaultAction"]),
            default_errno_ret=profile.get("defaultErrnoRet"),
            architectures=_architectures(profile, machine),
            syscalls=tuple(_syscall(rule) for rule in rules),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ContainerError(
            f"cannot use the seccomp profile `{name}`: {reason}",
            hint="it has the form of Docker's profiles; `seccomp:unconfined` does without any",
        ) from error


def _architectures(profile: Mapping[str, Any], machine: str) -> tuple[str, ...]:
    """Those of the profile that are this machine's, as libseccomp knows no others here."""
    ours = ARCHITECTURES.get(machine, ())
    listed = profile.get("architectures") or ours
    return tuple(name for name in ours if name in listed) or ours


def _applies(rule: Mapping[str, Any], capabilities: Collection[str], machine: str, kernel: tuple[int, int]) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    names = (machine, _DOCKERS_NAMES.get(machine, machine))
    if includes.get("arches") and not any(name in includes["arches"] for name in names):
        return False
    if any(name in (excludes.get("arches") or ()) for name in names):
        return False
    if not all(name in capabilities for name in includes.get("caps") or ()):
        return False
    if any(name in capabilities for name in excludes.get("caps") or ()):
        return False
    if includes.get("minKernel") and kernel < kernel_version(includes["minKernel"]):
        return False
    return not (excludes.get("minKernel") and kernel >= kernel_version(excludes["minKernel"]))


def _syscall(rule: Mapping[str, Any]) -> LinuxSyscall:
    names = rule.get("names") or [rule["name"]]
    args = [
        LinuxSeccompArg(int(one["index"]), int(one["value"]), str(one["op"]), int(one.get("valueTwo", 0)))
        for one in rule.get("args") or ()
    ]
    return LinuxSyscall(tuple(map(str, names)), str(rule["action"]), rule.get("errnoRet"), tuple(args))
