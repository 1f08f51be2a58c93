"""The attached `up`: progress while the project starts, then its logs, until everything has ended or the user says stop.

One loop selects on what can happen: the request's events, log lines, containers' events, signals. It is level-triggered:
an event of a container makes it look at all containers again, and what it sees decides.

    starting ──result──▶ running ──all ended──▶ done
        └──── signal, or a container's end under --abort-on-container-exit ────▶ stopping ──signal──▶ killing ──▶ done
"""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from composer.api.connection import EngineLost, Response
from composer.api.messages import ContainerSummary, Event, Result, ServicesRequest, UpRequest, WatchRequest
from composer.api.streams import EventStream, LogOptions, LogStream, container_events
from composer.cli.render.logs import LogPrinter
from composer.cli.render.unfinished import Unfinished
from composer.cli.render.watch import watch_line
from composer.cli.session import Session
from composer.cli.terminal import Signals

INTERRUPTED = 130
_QUIET = 0.05
"""Seconds without a log line after which a container's end may be told: what it wrote last comes first."""
_ALIVE = ("running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class ForegroundOptions:
    """How to attach, and when to stop."""

    services: tuple[str, ...] = ()
    """Whose logs are shown and whose ends are waited for."""
    stop: tuple[str, ...] = ()
    """What Ctrl-C stops, beside what this command started; empty means everything."""
    optional: frozenset[str] = frozenset()
    """Services that are expected to complete: their success aborts nothing."""
    abort_on_exit: bool = False
    abort_on_failure: bool = False
    exit_code_from: str = ""
    timeout: float | None = None
    prefix: bool = True
    timestamps: bool = False
    watch: WatchRequest | None = None
    """Keep containers up to date with the files once everything has started."""


class Phase(Enum):
    """How far the command is."""

    STARTING = auto()
    RUNNING = auto()
    STOPPING = auto()
    KILLING = auto()
    DONE = auto()


class Foreground:
    """One attached `up`."""

    def __init__(self, session: Session, options: ForegroundOptions) -> None:
        self._session = session
        self._options = options
        self._progress = session.progress
        self._unfinished = Unfinished()
        self._printer = LogPrinter(session.out, session.name, prefix=options.prefix, timestamps=options.timestamps)
        self._phase = Phase.STARTING
        self._since = time.time()
        self._code = 0
        self._scale: Mapping[str, int] = {}
        self._request: EventStream | None = None
        self._logs: LogStream | None = None
        self._events: Response | None = None
        self._watch: EventStream | None = None
        self._started: set[str] = set()
        self._ended: dict[str, int] = {}
        """Containers whose end is still to be told, with their codes."""
        self._told: set[str] = set()
        self._lost = 0
        self._quiet_since = 0.0

    def run(self, request: UpRequest) -> int:
        """Bring the project up and stay; the exit code."""
        self._scale = request.options.scale
        # Before the engine is asked: what it starts at once must be stopped by a Ctrl-C that comes at once.
        with Signals(signal.SIGINT, signal.SIGTERM) as signals:
            try:
                self._request = self._session.client.up(self._session.name, request)
                while self._phase is not Phase.DONE:
                    self._turn(signals)
                self._tell_the_rest()
            finally:
                self._progress.finish()
                for stream in (self._request, self._logs, self._events, self._watch):
                    if stream is not None:
                        stream.close()
        return self._code

    def _turn(self, signals: Signals) -> None:
        following = self._logs if self._logs is not None and not self._logs.complete else None
        every = (signals, self._request, self._events, self._watch, following)
        sources = [source for source in every if source is not None]
        ready = select.select(sources, [], [], _QUIET if self._ended else self._progress.interval)[0]
        if signals in ready:
            for number in signals.take():
                self._interrupted(number)
            return
        if following in ready and following is not None:
            self._show(self._printer.render(following.poll()))
            self._quiet_since = time.monotonic()
        if self._request in ready and self._request is not None:
            self._take_progress(self._request)
        if self._events in ready:
            self._take_events()
        if self._watch in ready:
            self._take_watched()
        self._tell_ends()
        if not ready:
            self._progress.tick()

    def _take_progress(self, request: EventStream) -> None:
        for item in request.poll():
            if isinstance(item, Event):
                self._unfinished.take(item)
                self._progress.event(item)
                if item.resource == "container" and item.status in ("starting", "started"):
                    self._started.add(item.service)
                if item.status == "started" and self._logs is None and self._phase is Phase.STARTING:
                    self._attach()
            else:
                self._request_done(item)

    def _request_done(self, _result: Result) -> None:
        self._progress.finish()
        if self._request is not None:
            self._request.close()
        self._request = None
        if self._phase is not Phase.STARTING:
            self._phase = Phase.DONE
            return
        self._phase = Phase.RUNNING
        if self._logs is None:
            self._attach()
        if self._options.watch is not None:
            self._watch = self._session.client.watch(self._session.name, self._options.watch)
        self._look()

    def _take_watched(self) -> None:
        assert self._watch is not None
        for item in self._watch.poll():
            if isinstance(item, Event):
                self._show(watch_line(self._session.out, item))
            else:
                self._watch.close()
                self._watch = None
                return

    def _attach(self) -> None:
        """Open the streams of logs and of events; events first, so that nothing happens between look and listen."""
        self._events = self._session.client.events(self._session.name)
        names = self._names()
        self._printer.expect(names)
        if names:
            self._show(f"Attaching to {', '.join(map(self._printer.label, names))}\n")
        self._logs = self._session.client.logs(
            self._session.name, LogOptions(self._options.services, since=self._since, follow=True)
        )

    def _take_events(self) -> None:
        assert self._events is not None
        try:
            happened = container_events(self._events)
        except EngineLost as lost:
            self._events.close()
            self._lost += 1
            self._session.client.recover(self._lost, lost)
            self._events = self._session.client.events(self._session.name)
            happened = []
        self._lost = 0 if happened else self._lost
        for event in happened:
            if event.one_off or event.service not in self._options.services:
                continue
            if event.action == "die":
                self._note_end(event.name, event.exit_code)
            if event.action == "start":
                self._told.discard(event.name)
                if self._logs is not None and self._logs.complete:
                    self._logs.reopen()
        if self._phase is Phase.RUNNING:
            self._look()

    def _look(self) -> None:
        """Decide from what is: whether all has ended, or one end is to end the rest."""
        containers = self._containers()
        ended = self._note_ends(containers)
        fatal = [each for each in ended if self._is_fatal(each)]
        if fatal:
            self._code = fatal[0].exit_code
            self._progress.notice(f"aborting: {self._printer.label(fatal[0].name)} exited with code {self._code}")
            self._stop()
        elif self._watch is None and not any(each.state in _ALIVE for each in containers):
            self._phase = Phase.DONE  # under watch, the next save may start what has ended

    def _note_ends(self, containers: list[ContainerSummary]) -> list[ContainerSummary]:
        """Those that ended since we began; the ends that no event told of are noted."""
        ended = [each for each in containers if each.state not in _ALIVE and each.finished >= self._since]
        for each in ended:
            if each.name not in self._told:
                self._note_end(each.name, each.exit_code)
        return ended

    def _note_end(self, name: str, code: int) -> None:
        self._ended[name] = code
        self._told.add(name)
        self._quiet_since = time.monotonic()

    def _is_fatal(self, container: ContainerSummary) -> bool:
        if container.exit_code:
            return self._options.abort_on_exit or self._options.abort_on_failure
        return self._options.abort_on_exit and container.service not in self._options.optional

    def _interrupted(self, number: signal.Signals) -> None:
        self._code = INTERRUPTED
        if self._phase in (Phase.STARTING, Phase.RUNNING):
            self._progress.above(
                lambda: self._session.err.write("Gracefully stopping... (press Ctrl+C again to force)\n")
            )
            self._stop()
        elif self._phase is Phase.STOPPING:
            self._kill()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def _stop(self) -> None:
        self._phase = Phase.STOPPING
        self._replace_request("stop", ServicesRequest(services=self._stopped_services(), timeout=self._options.timeout))

    def _kill(self) -> None:
        self._phase = Phase.KILLING
        self._replace_request("kill", ServicesRequest(services=self._stopped_services()))

    def _stopped_services(self) -> tuple[str, ...]:
        return tuple(sorted({*self._options.stop, *self._started})) if self._options.stop else ()

    def _replace_request(self, verb: str, request: ServicesRequest) -> None:
        """Give up the request under way, which the engine takes as its cancellation, for another."""
        if self._request is not None:
            self._request.close()
        self._unfinished.break_off(self._progress)
        self._progress.finish()
        self._request = self._session.client.act(verb, self._session.name, request)

    def _containers(self) -> list[ContainerSummary]:
        """The containers we are attached to."""
        return [
            each
            for each in self._session.client.containers(self._session.name, all_containers=True)
            if each.service in self._options.services and not each.one_off
        ]

    def _names(self) -> list[str]:
        """The names of the containers we are attached to, and of those that are still to be made."""
        project = self._session.project
        names: list[str] = []
        there = self._containers()
        for name, service in project.services.items():
            if name in self._options.services:
                own = [each.name for each in there if each.service == name]
                wanted = self._scale.get(name, service.replicas)
                made = (service.container_name or f"{project.name}-{name}-{number + 1}" for number in range(wanted))
                names += [*own, *(each for each in made if each not in own)][: max(wanted, len(own))]
        return sorted(names, key=self._printer.label)

    def _show(self, text: str) -> None:
        if text:
            self._progress.above(lambda: self._session.out.write(text))

    def _tell_ends(self) -> None:
        if self._ended and time.monotonic() - self._quiet_since >= _QUIET:
            ended, self._ended = self._ended, {}
            self._show("".join(self._printer.exited(*each) for each in ended.items()))

    def _tell_the_rest(self) -> None:
        """What the containers wrote last may still be on its way; the log on disk is complete."""
        if self._logs is not None:
            self._logs.reopen(follow=False)
            for entry in self._logs:
                self._show(self._printer.render([entry]))
        self._take_last_events()
        containers = self._containers()
        self._note_ends(containers)
        self._quiet_since = 0.0
        self._tell_ends()
        if self._options.exit_code_from and self._code != INTERRUPTED:
            codes = (each.exit_code for each in containers if each.service == self._options.exit_code_from)
            self._code = next(codes, 0)

    def _take_last_events(self) -> None:
        while self._events is not None and select.select([self._events], [], [], 0)[0]:
            self._take_events()
