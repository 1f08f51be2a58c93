"""Who `user:` means: names and numbers looked up in the image's own /etc/passwd and /etc/group (`passwd(5)`).

The rules are Docker's: a number is never looked up as a name and needs no entry; without an entry the group is 0 and HOME
is /; a written group replaces the supplementary groups, otherwise the user's are taken from /etc/group.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from composer.errors import ContainerError

_LARGEST_ID = 2**31 - 1
_NUMBER = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is inside the container."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    """Supplementary groups, the primary first: dropping it would let a file deny its own group (CVE-2022-36109)."""
    home: str = "/"


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def resolve(user: str, passwd: str, group: str, added: Sequence[str] = ()) -> Identity:
    """The identity of `name`, `uid`, `name:group`, `uid:gid` or "" (root), with the groups `added` (`group_add`).

    `passwd` and `group` are the texts of the image's files, empty where it has none.

    Raises:
        ContainerError: no such user or group in the image, or an id that cannot be one.
    """
    wanted_user, _, wanted_group = user.partition(":")
    accounts, groups = list(_accounts(passwd)), list(_groups(group))
    account = _account(wanted_user, accounts)
    if wanted_group:
        gid, supplementary = _gid(wanted_group, groups), []
    else:
        gid = account.gid
        supplementary = [entry.gid for entry in groups if account.name and account.name in entry.members]
    supplementary += [_gid(name, groups) for name in added]
    return Identity(account.uid, gid, tuple(dict.fromkeys((gid, *supplementary))), account.home)


def _account(wanted: str, accounts: list[_Account]) -> _Account:
    if not wanted or _NUMBER.fullmatch(wanted):
        uid = _id(wanted or "0", "user")
        return next((account for account in accounts if account.uid == uid), _Account("", uid, 0, "/"))
    for account in accounts:
        if account.name == wanted:
            return account
    raise _missing("user", wanted, (account.name for account in accounts))


def _gid(wanted: str, groups: list[_Group]) -> int:
    if _NUMBER.fullmatch(wanted):
        return _id(wanted, "group")
    for group in groups:
        if group.name == wanted:
            return group.gid
    raise _missing("group", wanted, (group.name for group in groups))


def _id(text: str, what: str) -> int:
    number = int(text) if len(text) < 20 else _LARGEST_ID + 1
    if number > _LARGEST_ID:
        raise ContainerError(f"`{text[:40]}` is no {what} id: ids go from 0 to {_LARGEST_ID}", step=what)
    return number


def _missing(what: str, wanted: str, names: Iterable[str]) -> ContainerError:
    near = difflib.get_close_matches(wanted, list(names), n=3)
    hint = f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else f"add the {what} to the image"
    return ContainerError(f"no such {what} in the image: `{wanted}`", hint=hint, step=what)


def _accounts(passwd: str) -> Iterator[_Account]:
    for fields in _entries(passwd, 4):
        if _is_id(fields[2]) and _is_id(fields[3]):
            home = fields[5] if len(fields) > 5 else ""
            yield _Account(fields[0], int(fields[2]), int(fields[3]), home or "/")


def _groups(group: str) -> Iterator[_Group]:
    for fields in _entries(group, 3):
        if _is_id(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else ()
            yield _Group(fields[0], int(fields[2]), tuple(filter(None, (member.strip() for member in members))))


def _is_id(text: str) -> bool:
    """Whether an image's file gives a real id: 4294967295 would be -1, which `setresuid(2)` takes for "unchanged"."""
    return len(text) < 11 and _NUMBER.fullmatch(text) is not None and int(text) <= _LARGEST_ID


def _entries(text: str, least: int) -> Iterator[list[str]]:
    """The lines that look like entries; comments, blanks and damaged lines are passed over as the C library does."""
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) >= least and fields[0] and not fields[0].startswith(("#", "+", "-")):
            yield fields
