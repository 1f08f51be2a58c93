"""The words for an event, shared by every way of showing progress."""

from __future__ import annotations

from composer.api.messages import Event
from composer.cli.render.images import human_size
from composer.cli.render.terminal import clean, cut

_GOING_ON = frozenset(
    {"creating", "recreating", "starting", "waiting", "stopping", "removing", "restarting", "killing"}
    | {"resolving", "pulling", "downloading", "unpacking", "pushing", "uploading", "building"}
)
_STEP_ENDS = frozenset({"cached", "done", "failed", "cancelled"})


_LONGEST_STEP = 48
"""Columns of a step's name beside what it writes."""


def is_done(event: Event) -> bool:
    """Whether the event ends something, rather than begin it."""
    return event.status in _STEP_ENDS if is_step(event) else event.status not in _GOING_ON


def describe(event: Event) -> str:
    """What the event is about: `Container shop-web-1`."""
    if is_step(event):
        return "  " + cut(clean(event.name), _LONGEST_STEP)
    inset = "  " if event.parent else ""
    return inset + clean(f"{event.resource.capitalize()} {event.name}")


def words(event: Event) -> str:
    """What happened: `Started`, `Waiting for db to be healthy`, `Recreating (image changed)`, or a warning's sentence."""
    if is_step(event) and event.status in ("running", "output"):
        return last_line(event.detail)
    text = event.status.capitalize()
    if event.total and not is_done(event) and event.status != "waiting":
        text += f" {human_size(event.current)} / {human_size(event.total)}"
    elif event.status == "waiting" and event.detail:
        text += f" {event.detail}" if event.detail.startswith("to ") else f" for {event.detail}"
    elif event.detail:
        text += f" {event.detail}"
    elif event.status in ("recreating", "building") and event.cause not in ("", "asked for"):
        text += f" ({event.cause})"
    return clean(text)


def is_step(event: Event) -> bool:
    """Whether the event is about a step of a build."""
    return event.resource == "step"


def last_line(output: str) -> str:
    """The last line of some output that says anything, as a terminal shows it."""
    lines = (clean(line.rpartition("\r")[2]).strip() for line in reversed(output.rstrip("\r\n").split("\n")))
    return next((line for line in lines if line), "")


def is_measure(event: Event) -> bool:
    """Whether the event only tells how far something is that was told of before."""
    return event.resource == "layer" or (event.total > 0 and not is_done(event))


def is_notice(event: Event) -> bool:
    """Whether the event is about the project as a whole: told once, in a line of its own."""
    return event.resource == "project"
