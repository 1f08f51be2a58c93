"""Differences between locks as a changelog.

redis:7  sha256:1f0bbd1c2b3a → sha256:9c2d4e5f6a7b
    made 2025-03-02 → 2025-05-28, 41.9 MB → 42.3 MB
    debian  openssl  3.0.15-1~deb12u1 → 3.0.17-1~deb12u2
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from composer.cli.render.images import human_size
from composer.cli.render.terminal import BOLD, GREEN, RED, YELLOW, Screen, clean
from composer.lock.changes import Change, Version
from composer.lock.model import LockedImage

_ARROW = " → "


def changelog(screen: Screen, changes: Sequence[Change]) -> str:
    """The changes, a paragraph each; empty where there are none."""
    return "\n".join("".join(f"{line}\n" for line in _paragraph(screen, change)) for change in changes)


def _paragraph(screen: Screen, change: Change) -> list[str]:
    sign, colour = ("+", GREEN) if not change.old else ("-", RED) if not change.new else ("~", YELLOW)
    both = [_short(change.kind, each) for each in (change.old, change.new) if each]
    shown = _ARROW.join(dict.fromkeys(both))
    lines = [f"{screen.paint(sign, colour)} {screen.paint(clean(change.name), BOLD)}  {shown}"]
    if about := _about(change.before, change.after):
        lines.append(f"    {about}")
    lines += [f"    {line}" for line in version_lines(change.versions)]
    return lines


def _about(before: LockedImage | None, after: LockedImage | None) -> str:
    images = [image for image in (before, after) if image]
    made = [_day(image.created) for image in images if image.created]
    sizes = [human_size(image.size) for image in images if image.size]
    sources = [image.source for image in images if image.source]
    parts = [
        f"made {_ARROW.join(dict.fromkeys(made))}" if made else "",
        _ARROW.join(dict.fromkeys(sizes)),
        f"from {clean(_ARROW.join(dict.fromkeys(sources)))}" if sources else "",
    ]
    return ", ".join(part for part in parts if part)


def version_lines(versions: Sequence[Version]) -> list[str]:
    """`debian  openssl  3.0.15 → 3.0.17`, in columns."""
    widths = [max((len(getattr(each, key)) for each in versions), default=0) for key in ("ecosystem", "name")]
    return [
        f"{each.ecosystem:{widths[0]}}  {clean(each.name):{widths[1]}}  {_version(each.old)}{_ARROW}{_version(each.new)}"
        for each in versions
    ]


def _version(versions: Sequence[str]) -> str:
    return clean(", ".join(versions)) or "none"


def _short(kind: str, content: str) -> str:
    return content[:12] if kind == "git" else content[: len("sha256:") + 12]


def _day(time: datetime) -> str:
    return time.date().isoformat()
