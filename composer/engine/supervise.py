"""What to do when a container ends: the restart policies as one table.

Docker's rules <https://docs.docker.com/engine/containers/start-containers-automatically/>: the first restart waits 100 ms,
each further one twice as long up to a minute, and running for 10 s clears the count of both delay and failures. A policy
takes effect only for what was started; what somebody stopped stays stopped until it is started again.

    event           no      on-failure      always     unless-stopped
    exited 0        leave   leave           restart    restart
    exited non-0    leave   restart (max)   restart    restart
    stopped         leave   leave           leave      leave
    found dead      leave   restart (max)   restart    restart         unless it was stopped before

*Found dead* is what the engine finds when it starts, after a reboot for one. Here `always` differs from Docker, which would
bring stopped containers back too: our engine comes and goes with its work, and `compose ps` must not start anything.
One-offs (`compose run`) are never restarted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from composer.engine.world import RestartPolicy

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0
CALM_AFTER = 10.0
"""Seconds of running after which a container counts as well again."""


class Cause(StrEnum):
    """Why a container does not run."""

    EXITED = "exited"
    """By itself, with a status."""
    STOPPED = "stopped"
    """On request: `stop`, `kill`, `down`, a replacement."""
    FOUND = "found"
    """The engine has started and finds it dead."""


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of a container between its ends."""

    restarts: int = 0
    """Restarts by policy since it last ran well, or was started by hand."""
    delay: float = 0.0
    """The delay of the last restart; 0 before the first."""
    stopped: bool = False
    """Somebody stopped it: only a start by hand brings it back."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after `delay` seconds."""

    delay: float


Decision = Leave | Restart


def started(history: History) -> History:
    """After a start by hand: a new beginning."""
    return replace(history, restarts=0, delay=0.0, stopped=False)


def ended(
    policy: RestartPolicy, history: History, cause: Cause, *, status: int = 0, ran: float = 0.0, one_off: bool = False
) -> tuple[Decision, History]:
    """What to do about a container that ended after `ran` seconds, and what to remember."""
    if cause is Cause.STOPPED:
        return Leave(), replace(history, stopped=True, delay=0.0)
    if one_off or history.stopped or not _restarts(policy, status):
        return Leave(), history
    if ran >= CALM_AFTER:
        history = replace(history, restarts=0, delay=0.0)
    if policy.name == "on-failure" and policy.max_retries and history.restarts >= policy.max_retries:
        return Leave(), history
    if cause is Cause.FOUND:
        return Restart(0.0), history
    delay = min(history.delay * 2 or FIRST_DELAY, LONGEST_DELAY)
    return Restart(delay), replace(history, restarts=history.restarts + 1, delay=delay)


def _restarts(policy: RestartPolicy, status: int) -> bool:
    return policy.name in ("always", "unless-stopped") or (policy.name == "on-failure" and status != 0)
