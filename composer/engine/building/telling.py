"""What a build tells of its steps, as events of the API: each step below its image, the service's name in front."""

from __future__ import annotations

from collections.abc import Callable

from composer.api.messages import Event
from composer.build.events import StepEvent, StepStatus
from composer.clock import Clock
from composer.engine.plan import BuildImage

Emit = Callable[[Event], None]

_WORDS = {StepStatus.STARTED: "running", StepStatus.PROGRESS: "running"}


class StepTelling:
    """Turns one build's reports into events."""

    def __init__(self, operation: BuildImage, clock: Clock, emit: Emit) -> None:
        self._service = operation.service
        self._image = operation.references[0]
        self._clock = clock
        self._emit = emit
        self._began: dict[int, float] = {}
        self._why: dict[int, str] = {}

    def report(self, told: StepEvent) -> None:
        """Take a report."""
        if told.status is StepStatus.WARNING:
            self._emit(Event("project", "", "warning", detail=told.detail))
            return
        now = self._clock.monotonic()
        began = self._began.setdefault(told.step, now)
        failed = told.status is StepStatus.FAILED
        if told.status is StepStatus.STARTED:
            self._why[told.step] = told.detail
        self._emit(
            Event(
                "step",
                _in_service(self._service, told.name),
                _WORDS.get(told.status, told.status.value),
                # Why a step failed is news; why one was run is the answer to a question.
                cause="" if failed else self._why.get(told.step, ""),
                detail=told.detail if failed else told.output,
                seconds=told.time or now - began,
                service=self._service,
                parent=self._image,
                current=told.current,
                total=told.total,
                id=str(told.step),
            )
        )


def _in_service(service: str, name: str) -> str:
    """`[3/7] RUN make` → `[web 3/7] RUN make`."""
    return f"[{service} {name[1:]}" if name.startswith("[") else f"[{service}] {name}"
