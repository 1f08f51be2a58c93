"""Following a watch: a line for each thing that happens, until it ends or the user says stop."""

from __future__ import annotations

import select
import signal
from dataclasses import dataclass, field
from typing import Any

from composer.api.messages import Event, LoadRequest, UpOptions, UpRequest, WatchRequest
from composer.api.streams import EventStream
from composer.cli.render.watch import duration, watch_line
from composer.cli.session import Session
from composer.cli.terminal import Signals

INTERRUPTED = 130


def watch_request(
    session: Session, options: UpOptions, lock: dict[str, Any], *, detach: bool = False, prune: bool = False
) -> WatchRequest:
    """The request to watch the project of the command line.

    It carries the variables that reading the project took, those that say how to read it, and no others.
    """
    environment = session.environment
    variables = {
        name: value
        for name, value in environment.items()
        if name in session.project.environment_used or name.startswith("COMPOSE_") or name == "HOME"
    }
    chosen = session.options
    return WatchRequest(
        up=UpRequest(session.wire_project, session.loaded.origins.to_wire(), options, session.surroundings, lock),
        load=LoadRequest(
            directory=str(session.working_directory),
            files=chosen.files,
            project_directory=chosen.project_directory,
            profiles=chosen.profiles,
            env_files=chosen.env_files,
            variables=variables,
        ),
        detach=detach,
        prune=prune,
    )


@dataclass(slots=True)
class Totals:
    """What a watch has done while it was followed."""

    synced: int = 0
    restarted: int = 0
    rebuilt: int = 0
    times: list[float] = field(default_factory=list)

    def count(self, event: Event) -> None:
        """Take an event into account."""
        self.synced += event.status == "synced"
        self.restarted += event.status == "restarted"
        self.rebuilt += event.status == "rebuilt"
        if event.status == "synced" and event.cause:
            self.times.append(event.seconds)

    def __str__(self) -> str:
        """`12 syncs (median 11 ms), 3 restarts`; "" when nothing happened."""
        parts = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in ((self.synced, "sync"), (self.restarted, "restart"), (self.rebuilt, "rebuild"))
            if number
        ]
        if parts and self.times:
            parts[0] += f" (median {duration(sorted(self.times)[len(self.times) // 2])})"
        return ", ".join(parts)


def follow_watch(session: Session, request: WatchRequest) -> int:
    """Show what happens until Ctrl-C or until the watch is ended elsewhere; the exit code."""
    stream: EventStream = session.client.watch(session.name, request)
    totals = Totals()
    code = 0
    with Signals(signal.SIGINT, signal.SIGTERM) as signals:
        try:
            while stream.result is None:
                sources: list[Signals | EventStream] = [signals, stream]
                ready = select.select(sources, [], [])[0]
                if signals in ready:
                    code = INTERRUPTED
                    break
                for item in stream.poll():
                    if isinstance(item, Event):
                        totals.count(item)
                        session.out.write(watch_line(session.out, item))
        finally:
            stream.close()
    if text := str(totals):
        session.out.write(f"watched: {text}\n")
    return code
