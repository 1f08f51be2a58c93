"""When to probe a container's health, and what the answers make of it.

The regular probes and what they count for are Docker's <https://docs.docker.com/reference/dockerfile/#healthcheck>: one
`interval` after the start and after the end of each probe (`start_interval` within `start_period`); `retries` failures in
a row make it unhealthy, but within `start_period` they count for nothing until a first success; one success makes it healthy.

Until the first success there are extra probes between the regular ones, 20 ms after the start and then with doubling gaps
up to the interval, so that what depends on a container need not wait out an interval for one that is up in a blink. They may
only succeed: their failures count for nothing.

Pure: times are the caller's, in seconds, from any clock that does not go back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from composer.engine.world import Health, HealthTest

FIRST_EXTRA = 0.02
"""Seconds from the start to the first extra probe."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a container's health stands."""

    test: HealthTest
    started: float
    regular: float
    """When the next probe that counts is due."""
    extra: float | None
    """When the next extra probe is due; None when there are no more."""
    gap: float = FIRST_EXTRA
    status: Health = Health.STARTING
    failures: int = 0
    """In a row, of those that count."""

    @property
    def due(self) -> float:
        """When the next probe begins."""
        return self.regular if self.extra is None else min(self.regular, self.extra)


def watch(test: HealthTest, started: float) -> Watch:
    """The watch over a container that started at `started`."""
    first = _with_extra(Watch(test, started, regular=started, extra=None), started + FIRST_EXTRA)
    return replace(first, regular=started + _interval(first, started))


def probed(watch: Watch, begun: float, ended: float, *, healthy: bool) -> Watch:
    """The watch after a probe that ran from `begun` to `ended`; one that timed out was not `healthy`."""
    counts = begun >= watch.regular
    if healthy:
        watch = replace(watch, status=Health.HEALTHY, failures=0, extra=None)
        return replace(watch, regular=ended + watch.test.interval)
    if counts:
        watch = _failed(watch, begun)
        watch = replace(watch, regular=ended + _interval(watch, ended))
    if watch.extra is not None and watch.extra <= begun:
        gap = watch.gap * 2
        watch = _with_extra(replace(watch, gap=gap), max(watch.extra + gap, ended))
    return watch


def _failed(watch: Watch, begun: float) -> Watch:
    if watch.status is Health.STARTING and begun < watch.started + watch.test.start_period:
        return watch
    failures = watch.failures + 1
    return replace(
        watch, failures=failures, status=Health.UNHEALTHY if failures >= watch.test.retries else watch.status
    )


def _with_extra(watch: Watch, due: float) -> Watch:
    """The next extra probe at `due`, or none once the gaps have reached the interval."""
    return replace(watch, extra=due if watch.gap < watch.test.interval else None)


def _interval(watch: Watch, now: float) -> float:
    if watch.status is Health.STARTING and now < watch.started + watch.test.start_period:
        return watch.test.start_interval
    return watch.test.interval
