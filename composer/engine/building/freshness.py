"""Whether an image still is what its `build` would make now: what it was made from, compared with what there is.

What counts is what can change the outcome: the files of the contexts as they are after ignore rules, the Dockerfile, build
arguments and the other attributes that describe the image, and the images it stands on. What only says how to build
(`cache_from`, `no_cache`, `pull`) does not, nor does where a context lies. Values of arguments are known by a digest alone;
secrets and keys by their names.

Pure: `inputs` reads. The cause names what changed, a file if it is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from composer.project.model import Build

Locate = Callable[[tuple[str, ...]], str]

_SHOWN = 2
"""How many files are named."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an image is made from, by name; each value is text that may be kept, or a digest."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """By attribute of `build`: `target`, `args.VERSION`."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image ids by reference; "" for one that is not here."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Digests by path: relative to the context, others' behind their names (`shared: src/a.py`)."""


def settings_of(build: Build, platform: str, salt: str) -> dict[str, str]:
    """The attributes that describe the image; `salt` keeps values of arguments from being guessed by their digests."""
    said: dict[str, str] = {
        "target": build.target or "",
        "network": build.network or "",
        "platform": platform,
        "shm_size": str(build.shm_size or ""),
        "privileged": str(build.privileged).lower(),
        "entitlements": _listed(build.entitlements),
        "extra_hosts": _listed(f"{name}={address}" for name, address in build.extra_hosts),
        "ulimits": _listed(f"{name}={limit.soft}:{limit.hard}" for name, limit in sorted(build.ulimits.items())),
        "secrets": _listed(sorted(grant.target for grant in build.secrets)),
        "ssh": _listed(sorted(build.ssh)),
        "tags": _listed(build.tags),
    }
    said |= {f"labels.{name}": value for name, value in build.labels.items()}
    said |= {f"args.{name}": digest_of(salt, value) for name, value in build.args.items()}
    if not is_local(build.context):
        said["context"] = build.context
    said |= {
        f"additional_contexts.{name}": value
        for name, value in build.additional_contexts.items()
        if not is_local(value) and not value.startswith("service:")
    }
    return said


def is_local(context: str) -> bool:
    """Whether a context is a directory of this machine: these are absolute once the file is read."""
    return context.startswith("/")


def digest_of(*texts: str) -> str:
    """A digest of some texts, short enough to be kept by the thousand."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def change(before: Inputs, now: Inputs, service: str, locate: Locate) -> str:
    """Why an image made from `before` is not what `now` makes; "" where it is."""
    if text := _changed_files(before.files, now.files):
        return text
    for name in _differing(before.settings, now.settings):
        return _changed_setting(name, before.settings.get(name), now.settings.get(name), service, locate)
    for reference in _differing(before.images, now.images):
        # One that was removed since is no reason: nothing says that another one has taken its place.
        if now.images.get(reference):
            return f"{reference} changed"
    return ""


def _changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """`src/app.py changed`, `src/new.py is new and 2 more changed`."""
    if before == now:
        return ""
    differing = _differing(before, now)
    words = [
        f"{path} {'is new' if path not in before else 'is gone' if path not in now else 'changed'}"
        for path in differing[:_SHOWN]
    ]
    more = len(differing) - _SHOWN
    return ", ".join(words) + (f", and {more} more" if more > 0 else "")


def _changed_setting(name: str, before: str | None, now: str | None, service: str, locate: Locate) -> str:
    attribute, _, key = name.partition(".")
    place = locate(("services", service, "build", attribute, *([key] if key else [])))
    where = f", {place}" if place else ""
    if attribute == "dockerfile":
        return f"{key or 'the Dockerfile'} changed"
    if attribute == "args":
        return f"build argument {key} {_verb(before, now)}{where}"
    return f"build.{name}: {before or 'none'} -> {now or 'none'}{where}"


def _verb(before: str | None, now: str | None) -> str:
    return "is new" if before is None else "is gone" if now is None else "changed"


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names whose values differ, changed ones before new and lost ones, each by name."""
    both = sorted(name for name in before.keys() & now.keys() if before[name] != now[name])
    return both + sorted(before.keys() ^ now.keys())


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
