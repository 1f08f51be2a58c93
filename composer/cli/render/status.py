"""The words for an event, shared by every way of showing progress."""

from __future__ import annotations

from composer.api.messages import Event
from composer.cli.render.terminal import clean

_GOING_ON = frozenset({"creating", "starting", "waiting", "stopping", "removing", "restarting", "killing", "pulling"})


def is_done(event: Event) -> bool:
    """Whether the event ends something, rather than begin it."""
    return event.status not in _GOING_ON


def describe(event: Event) -> str:
    """What the event is about: `Container shop-web-1`."""
    return clean(f"{event.resource.capitalize()} {event.name}")


def words(event: Event) -> str:
    """What happened: `Started`, `Waiting for db`, or a warning's sentence."""
    text = event.status.capitalize()
    if event.detail:
        text += f" for {event.detail}" if event.status == "waiting" else f" {event.detail}"
    return clean(text)
