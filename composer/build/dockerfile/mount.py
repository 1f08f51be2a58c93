"""`RUN --mount=type=cache,target=/x`: what its fields mean and which go together.

<https://docs.docker.com/reference/dockerfile/#run---mount>
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from composer.build.dockerfile.problems import did_you_mean, listing
from composer.build.dockerfile.values import UnfitError

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARINGS = ("shared", "private", "locked")
_NAMES = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "ro": "read_only",
    "readonly": "read_only",
    "rw": "writable",
    "readwrite": "writable",
    "from": "from_",
}
_KEYS = (
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "readwrite",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "env",
)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_SIZE = re.compile(r"([0-9]*\.?[0-9]+) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)


class MountError(UnfitError):
    """A mount that cannot be."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a RUN; empty and None mean unsaid."""

    type: str = "bind"
    from_: str = ""
    source: str = ""
    target: str = ""
    id: str = ""
    sharing: str = ""
    """Of a cache: `shared` (also if unsaid), `private` or `locked`."""
    read_only: bool = True
    """Said, or by default for all but `cache` and `tmpfs`."""
    required: bool = False
    size: int = 0
    """Of a tmpfs, in bytes."""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str | None = None
    """Of a secret: the variable it goes into; with an empty one, the secret's id."""


def read_mount(text: str, expand: Callable[[str], str] = str) -> Mount:
    """The mount that the flag's value means, each field's value put through `expand`. Raises MountError."""
    values: dict[str, Any] = {"type": "bind"}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        name = _NAMES.get(key, key)
        if not equals and key not in _MAY_STAND_ALONE:
            known = key in _READERS or key in _NAMES
            hint = "" if known else did_you_mean(key, _KEYS)
            raise MountError(f"the mount's field `{field}` must be a key=value pair", hint)
        if (reader := _READERS.get(name)) is None:
            raise MountError(
                f"unexpected key `{key}` in `{field}`", did_you_mean(key, _KEYS) or f"a mount has {listing(_KEYS)}"
            )
        if (only := _ONLY_FOR.get(name)) and values["type"] not in only:
            raise MountError(f"unexpected key `{key}` for mount type `{values['type']}`")
        values["read_only" if name == "writable" else name] = reader(key, expand(value) if equals else "true")
    values.setdefault("read_only", values["type"] not in ("cache", "tmpfs"))
    mount = Mount(**values)
    _validate(mount)
    return mount


def field_of(text: str, key: str) -> str:
    """The value of a field as written, empty if it is not there. Raises MountError."""
    values = (field.partition("=") for field in _fields(text))
    return next((value for name, _, value in values if name.lower() == key), "")


def _fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise MountError(f"cannot read the mount `{text}`: {error}") from None
    return rows[0] if rows else [""]


def _validate(mount: Mount) -> None:
    if mount.type not in ("secret", "ssh", "cache"):
        for name in ("mode", "uid", "gid"):
            if getattr(mount, name) is not None:
                raise MountError(f"`{name}` is not allowed for mounts of type `{mount.type}`")
    if mount.type == "secret":
        if mount.from_:
            raise MountError("a secret mount cannot have `from`")
        if mount.sharing:
            raise MountError("a secret mount cannot have `sharing`")
        if not (mount.source or mount.target or mount.id or mount.env):
            raise MountError("a secret mount needs `id`, `source` or `target`", "write `type=secret,id=NAME`")
        if mount.source and mount.id:
            raise MountError("a secret mount cannot have both `source` and `id`")
    if mount.sharing and mount.type != "cache":
        raise MountError(
            f"`sharing` is not for mounts of type `{mount.type}`", "it says how builds share a cache: `type=cache`"
        )
    if mount.env is not None and mount.type != "secret":
        raise MountError(f"`env` is not for mounts of type `{mount.type}`")


def _text(key: str, value: str) -> str:
    return value


def _choice(allowed: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(key: str, value: str) -> str:
        if value.lower() not in allowed:
            hint = did_you_mean(value, allowed) or f"write {listing(allowed)}"
            raise MountError(f"a mount's `{key}` cannot be `{value}`", hint)
        return value.lower()

    return read


def _truth(key: str, value: str) -> bool:
    if value not in _TRUE + _FALSE:
        raise MountError(f"a mount's `{key}` is true or false, not `{value}`")
    return value in _TRUE


def _untruth(key: str, value: str) -> bool:
    return not _truth(key, value)


def _octal(key: str, value: str) -> int:
    if not re.fullmatch("[0-7]{1,11}", value) or int(value, 8) >= 1 << 32:
        raise MountError(f"a mount's `{key}` is an octal number, not `{value}`", "write for instance `0755`")
    return int(value, 8)


def _number(key: str, value: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", value) or int(value) >= 1 << 32:
        raise MountError(f"a mount's `{key}` is a number, not `{value}`", "names are not looked up here")
    return int(value)


def _size(key: str, value: str) -> int:
    match = _SIZE.fullmatch(value)
    if match is None or len(value) > 40:
        raise MountError(f"a mount's `{key}` is a size, not `{value}`", "write for instance `64m`")
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))


_READERS: dict[str, Callable[[str, str], Any]] = {
    "type": _choice(TYPES),
    "from_": _text,
    "source": _text,
    "target": _text,
    "read_only": _truth,
    "writable": _untruth,
    "id": _text,
    "sharing": _choice(SHARINGS),
    "required": _truth,
    "size": _size,
    "mode": _octal,
    "uid": _number,
    "gid": _number,
    "env": _text,
}
_ONLY_FOR = {"required": ("secret", "ssh"), "size": ("tmpfs",)}
_MAY_STAND_ALONE = ("readonly", "ro", "readwrite", "rw", "required")
