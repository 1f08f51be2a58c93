"""What a watch tells: a line for each change, with the time from the save until it was done."""

from __future__ import annotations

import time

from composer.api.messages import Event, WatchStatus
from composer.cli.render.table import table
from composer.cli.render.terminal import DIM, GREEN, RED, YELLOW, Screen, clean, clean_line

_COLOURS = {"error": RED, "warning": YELLOW, "synced": GREEN, "restarted": GREEN, "rebuilt": GREEN, "executed": GREEN}


def watch_line(screen: Screen, event: Event) -> str:
    """`web  synced 1 file in 12 ms (src/app.py)`, and the hint of a problem below it."""
    if event.status == "plan":
        plan = "".join(f"    {clean(line)}\n" for line in event.detail.splitlines())
        return f"{clean(event.name)}  the project changed:\n{plan}"
    status = screen.paint(
        event.status if event.detail or event.seconds or event.cause else f"{event.status}", *_style(event)
    )
    words = [clean(event.name) + " ", status]
    if event.detail:
        words.append(clean(event.detail))
    if event.seconds:
        words.append(f"in {duration(event.seconds)}")
    if event.cause:
        words.append(screen.paint(f"({clean(event.cause)})", DIM))
    first, *rest = event.hint.splitlines() or [""]
    hint = f"  hint: {clean(first)}\n" if event.hint else ""
    hint += "".join(f"  {clean_line(line)}\n" for line in rest)
    return f"{' '.join(words)}\n{hint}"


def watch_status(screen: Screen, status: WatchStatus) -> str:
    """The services in a table, then the last events."""
    rows = [
        (
            service.service,
            "in sync" if service.in_sync else "behind",
            str(service.files),
            str(service.brought),
            duration(service.lag),
        )
        for service in status.services
    ]
    text = table(("SERVICE", "STATE", "FILES", "BROUGHT", "LAST"), rows)
    if status.note:
        text += f"note: {clean(status.note)}\n"
    for when, event in zip(status.times, status.events, strict=True):
        text += f"{time.strftime('%H:%M:%S', time.localtime(when))}  {watch_line(screen, event)}"
    return text


def duration(seconds: float) -> str:
    """`12 ms`, `1.2 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _style(event: Event) -> tuple[str, ...]:
    colour = _COLOURS.get(event.status)
    return (colour,) if colour else ()
