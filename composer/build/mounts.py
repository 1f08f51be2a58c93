"""`RUN --mount` with all that was left unsaid filled in, as BuildKit does."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable

from composer.build.dockerfile.mount import Mount
from composer.build.operations import MountKind, RunMount, Sharing, Source

AGENT_VARIABLE = "SSH_AUTH_SOCK"

Locate = Callable[[Mount], Source | None]
"""The tree that a mount's `from` means; None for nothing at all."""


def run_mounts(
    mounts: Iterable[Mount], absolute: Callable[[str], str], locate: Locate, namespace: str
) -> list[RunMount]:
    """The mounts of one RUN; `absolute` makes a target absolute, `namespace` goes before the ids of caches."""
    found: list[RunMount] = []
    for mount in mounts:
        agents = sum(one.kind is MountKind.SSH for one in found)
        found.append(_mount(mount, absolute, locate, namespace, agents))
    return found


def _mount(mount: Mount, absolute: Callable[[str], str], locate: Locate, namespace: str, agents: int) -> RunMount:
    kind = MountKind(mount.type)
    target = absolute(mount.target).rstrip("/") or "/" if mount.target else ""
    path = posixpath.normpath(posixpath.join("/", mount.source)) if mount.source else "/"
    uid, gid = mount.uid or 0, mount.gid or 0
    match kind:
        case MountKind.BIND:
            return RunMount(kind, target, locate(mount), path, read_only=mount.read_only)
        case MountKind.CACHE:
            name = mount.id or target
            return RunMount(
                kind,
                target,
                locate(mount),
                path,
                f"{namespace}/{name}" if namespace else name,
                Sharing(mount.sharing or "shared"),
                mount.read_only,
                mode=0o755 if mount.mode is None else mount.mode,
                uid=uid,
                gid=gid,
            )
        case MountKind.TMPFS:
            return RunMount(kind, target, size=mount.size)
        case MountKind.SECRET:
            name = mount.id or mount.source or posixpath.basename(mount.target) or mount.env or ""
            variable = "" if mount.env is None else mount.env or name
            if not target and mount.env is None:
                target = f"/run/secrets/{posixpath.basename(name)}"
            mode = 0o400 if mount.mode is None else mount.mode
            return RunMount(
                kind, target, id=name, mode=mode, uid=uid, gid=gid, required=mount.required, variable=variable
            )
        case MountKind.SSH:
            mode = 0o600 if mount.mode is None else mount.mode
            target = target or f"/run/buildkit/ssh_agent.{agents}"
            return RunMount(
                kind, target, id=mount.id or "default", mode=mode, uid=uid, gid=gid, required=mount.required
            )
