"""The words for an event, shared by every way of showing progress."""

from __future__ import annotations

from composer.api.messages import Event
from composer.cli.render.images import human_size
from composer.cli.render.terminal import clean

_GOING_ON = frozenset(
    {"creating", "recreating", "starting", "waiting", "stopping", "removing", "restarting", "killing"}
    | {"resolving", "pulling", "downloading", "unpacking", "pushing", "uploading"}
)


def is_done(event: Event) -> bool:
    """Whether the event ends something, rather than begin it."""
    return event.status not in _GOING_ON


def describe(event: Event) -> str:
    """What the event is about: `Container shop-web-1`."""
    inset = "  " if event.parent else ""
    return inset + clean(f"{event.resource.capitalize()} {event.name}")


def words(event: Event) -> str:
    """What happened: `Started`, `Waiting for db to be healthy`, `Recreating (image changed)`, or a warning's sentence."""
    text = event.status.capitalize()
    if event.total and not is_done(event) and event.status != "waiting":
        text += f" {human_size(event.current)} / {human_size(event.total)}"
    elif event.status == "waiting" and event.detail:
        text += f" {event.detail}" if event.detail.startswith("to ") else f" for {event.detail}"
    elif event.detail:
        text += f" {event.detail}"
    elif event.status == "recreating" and event.cause:
        text += f" ({event.cause})"
    return clean(text)


def is_measure(event: Event) -> bool:
    """Whether the event only tells how far something is that was told of before."""
    return event.resource == "layer" or (event.total > 0 and not is_done(event))


def is_notice(event: Event) -> bool:
    """Whether the event is about the project as a whole: told once, in a line of its own."""
    return event.resource == "project"
