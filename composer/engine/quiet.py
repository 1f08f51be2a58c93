"""Telling less than there is to tell."""

from __future__ import annotations

from collections.abc import Callable

from composer.api.messages import Event

Emit = Callable[[Event], None]


def untold(emit: Emit) -> Emit:
    """`emit` without the events that only tell how far something is."""
    return lambda event: None if event.total else emit(event)


def without_steps(emit: Emit) -> Emit:
    """`emit` without the events about steps of builds."""
    return lambda event: None if event.resource == "step" else emit(event)
