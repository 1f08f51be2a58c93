"""Follows a request to its end, showing what happens."""

from __future__ import annotations

import select
from collections.abc import Callable

from composer.api.messages import Event, Result
from composer.api.streams import EventStream
from composer.cli.render.answer import say_plan
from composer.cli.render.events import Progress
from composer.cli.render.unfinished import Unfinished


def carry_out(
    progress: Progress, stream: EventStream, also: Callable[[Event], None] | None = None, *, dry_run: bool
) -> Result:
    """`follow` what may be a dry run: then its plan is printed."""
    result = follow(progress, stream, also)
    if dry_run:
        say_plan(result.plan)
    return result


def follow(progress: Progress, stream: EventStream, also: Callable[[Event], None] | None = None) -> Result:
    """Show the stream's events (and tell them to `also`) until its result, and return that. Raises the engine's error.

    Leaving early (Ctrl-C) hangs up, which makes the engine give the request up; what was not finished is told as interrupted.
    """
    unfinished = Unfinished()
    try:
        while stream.result is None:
            if not select.select([stream], [], [], progress.interval)[0]:
                progress.tick()
                continue
            for item in stream.poll():
                if isinstance(item, Event):
                    unfinished.take(item)
                    progress.event(item)
                    if also is not None:
                        also(item)
    except KeyboardInterrupt:
        unfinished.break_off(progress)
        raise
    finally:
        progress.finish()
        stream.close()
    return stream.result
