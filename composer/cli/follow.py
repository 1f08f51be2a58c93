"""Follows a request to its end, showing what happens."""

from __future__ import annotations

import select

from composer.api.messages import Event, Result
from composer.api.streams import EventStream
from composer.cli.render.events import Progress


def follow(progress: Progress, stream: EventStream) -> Result:
    """Show the stream's events until its result, and return that. Raises the engine's error.

    Leaving early (Ctrl-C) hangs up, which makes the engine give the request up.
    """
    try:
        while stream.result is None:
            if not select.select([stream], [], [], progress.interval)[0]:
                progress.tick()
                continue
            for item in stream.poll():
                if isinstance(item, Event):
                    progress.event(item)
    finally:
        progress.finish()
        stream.close()
    return stream.result
