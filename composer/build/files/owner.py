"""`--chown`: who owns what is copied, by names that the stage below knows.

The rules are BuildKit's: a number stands for itself, and as a user without a group for the group too; a name is looked up in
the stage's /etc/passwd (its group comes along) and /etc/group; one that is not found there is root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.build.dockerfile.ownership import OWNER_HINT, is_owner
from composer.build.files.failures import FilesError, Reason
from composer.errors import ContainerError
from composer.image.root import read_file
from composer.runtime.user import resolve

_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Owner:
    """Numbers for whatever is made."""

    uid: int = 0
    gid: int = 0
    unknown: tuple[str, ...] = ()
    """Names that the stage does not know, for a warning."""


ROOT = Owner()


def needs_base(text: str) -> bool:
    """Whether `text` has a name, so that the owner depends on the stage below."""
    user, _, group = text.partition(":")
    return any(part and not part.isdecimal() for part in (user, group))


def resolve_owner(text: str, base: Sequence[Path]) -> Owner:
    """Who `USER`, `USER:GROUP` or numbers of them are in the layers `base`, topmost first. Raises FilesError."""
    user, colon, group = text.partition(":")
    if not is_owner(text):
        raise FilesError(Reason.OWNER, f"`{text}`: is no owner", hint=OWNER_HINT)
    passwd = _text(base, "etc/passwd") if needs_base(text) else ""
    groups = _text(base, "etc/group") if group and not group.isdecimal() else ""
    unknown: list[str] = []
    uid, gid = 0, 0
    if user.isdecimal():
        uid = gid = _number(user)
    elif user:
        try:
            identity = resolve(user, passwd, "")
            uid, gid = identity.uid, identity.gid
        except ContainerError:
            unknown.append(user)
    if colon and not group:
        gid = 0
    elif group.isdecimal():
        gid = _number(group)
    elif group:
        try:
            gid = resolve(f"0:{group}", "", groups).gid
        except ContainerError:
            unknown.append(group)
    return Owner(uid, gid, tuple(unknown))


def _number(text: str) -> int:
    number = int(text) if len(text) < 20 else _LARGEST_ID + 1
    if number > _LARGEST_ID:
        raise FilesError(Reason.OWNER, f"`{text[:40]}`: is no id: they go from 0 to {_LARGEST_ID}")
    return number


def _text(base: Sequence[Path], path: str) -> str:
    return (read_file(base, path) or b"").decode("utf-8", "surrogateescape")
