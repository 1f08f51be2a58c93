"""The locked software, image by image, and what the containers of this machine have of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from composer.cli.render.lock import version_lines
from composer.cli.render.table import table
from composer.cli.render.terminal import BOLD, Screen, clean
from composer.lock.model import Lock
from composer.lock.toolchain import Verdict

_SHORT = len("sha256:") + 12


def toolchain_text(
    screen: Screen, lock: Lock, verdicts: Sequence[Verdict], names: Iterable[str], *, quiet: bool
) -> str:
    """What `compose toolchain` prints; with `quiet` only containers that differ."""
    parts = [] if quiet else [_image(screen, lock, name) for name in names]
    shown = [each for each in verdicts if each.differs or not quiet]
    if shown:
        rows = [
            (
                each.service,
                each.container,
                each.image,
                each.locked[:_SHORT] or "-",
                each.manifest[:_SHORT] or "-",
                each.state,
            )
            for each in shown
        ]
        parts.append(table(("SERVICE", "CONTAINER", "IMAGE", "LOCKED", "MANIFEST", "STATE"), rows))
    parts += [
        f"{each.container}\n" + "".join(f"    {line}\n" for line in version_lines(each.changes))
        for each in shown
        if each.changes
    ]
    return "\n".join(parts)


def _image(screen: Screen, lock: Lock, name: str) -> str:
    lines = [f"{screen.paint(clean(name), BOLD)}  {str(lock.images[name].digest)[:_SHORT]}"]
    recorded = lock.packages.get(name)
    if recorded is None:
        lines.append("    its packages are not recorded; `compose lock --packages` does that")
    else:
        rows = [
            (ecosystem, clean(package), ", ".join(versions))
            for ecosystem, installed in sorted(recorded.packages.items())
            for package, versions in sorted(installed.items())
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        lines += [f"    {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {clean(row[2])}" for row in rows]
    return "".join(f"{line}\n" for line in lines)
