"""What is to become of each container: kept, started, restarted, created, made again or removed, and why.

The decisions of Docker Compose <https://github.com/docker/compose/blob/main/pkg/compose/reconcile.go>, with these
differences, each to interrupt less or to leave less behind:

* a container whose network was made again is restarted (it attaches when it starts), not made again
* several containers with one number, which a crash during a recreation leaves, are told apart: the one with the right
  name carries on, the others go
* a container outside of the request that would lose its network with it is restarted too

Services are judged in start order, so that what a dependency goes through is known when its dependents' turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from composer.api.messages import UpOptions
from composer.engine import difference
from composer.engine.difference import Locate
from composer.engine.world import Desired, DesiredContainer, Observed, ObservedContainer, State

SHARES = "service:"
"""What a `network_mode` begins with that names the service whose network it shares."""


class Action(StrEnum):
    """What a plan does with a container that should be there."""

    KEEP = "keep"
    START = "start"
    RESTART = "restart"
    CREATE = "create"
    RECREATE = "recreate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One container that should be there, the one that is, and what leads from one to the other."""

    desired: DesiredContainer
    present: ObservedContainer | None
    action: Action
    cause: str = ""
    replaced: bool = False
    """Whether its service changes hands: now, or before a crash that left its predecessor behind."""

    @property
    def name(self) -> str:
        """What the container is called when the plan is done: `--no-recreate` leaves even a name as it is."""
        if self.present and self.action not in (Action.CREATE, Action.RECREATE):
            return self.present.name
        return self.desired.name


@dataclass(frozen=True, slots=True)
class Removal:
    """A container that should not be there."""

    container: ObservedContainer
    cause: str


@dataclass(frozen=True, slots=True)
class Bystander:
    """A running container outside of the request that loses its network, and the service it gets it back from."""

    container: ObservedContainer
    cause: str
    restart: bool
    after: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts, in start order."""

    verdicts: tuple[Verdict, ...]
    removals: tuple[Removal, ...]
    bystanders: tuple[Bystander, ...]
    orphans: tuple[str, ...]
    """Names of containers that are left although the file has no service for them."""


def is_up(container: ObservedContainer) -> bool:
    """Whether it runs, or will again by its restart policy."""
    return container.state in (State.RUNNING, State.RESTARTING)


def judge(
    desired: Desired, observed: Observed, options: UpOptions, remade: Mapping[str, str], locate: Locate
) -> Judgement:
    """What becomes of every container of the project; `remade` names the networks that are made again, and why."""
    judge = _Judge(desired, observed, options, remade, locate)
    verdicts = tuple(judge.verdict(container) for container in desired.containers)
    removals = tuple(judge.removals(verdicts))
    gone = {removal.container.id for removal in removals}
    kept = [container for container in observed.containers if container.id not in gone]
    return Judgement(
        verdicts=verdicts,
        removals=removals,
        bystanders=tuple(judge.bystanders(verdicts, kept)),
        orphans=tuple(c.name for c in kept if not c.one_off and c.service not in desired.known),
    )


class _Judge:
    def __init__(
        self, desired: Desired, observed: Observed, options: UpOptions, remade: Mapping[str, str], locate: Locate
    ) -> None:
        self._desired = desired
        self._observed = observed
        self._options = options
        self._remade = remade
        self._locate = locate
        self._services: dict[str, list[Verdict]] = {}
        self._present: dict[tuple[str, int], list[ObservedContainer]] = {}
        for container in observed.containers:
            if not container.one_off:
                self._present.setdefault((container.service, container.number), []).append(container)

    def verdict(self, desired: DesiredContainer) -> Verdict:
        """Judge one container; those before it in start order have been judged."""
        candidates = [] if desired.one_off else self._present.get((desired.service, desired.number), [])
        if candidates:
            present = max(candidates, key=lambda candidate: _fitness(candidate, desired))
            verdict = self._of_present(desired, present)
            verdict = replace(verdict, replaced=verdict.action is Action.RECREATE or len(candidates) > 1)
        else:
            verdict = Verdict(desired, None, Action.CREATE, "new")
        self._services.setdefault(desired.service, []).append(verdict)
        return verdict

    def _of_present(self, desired: DesiredContainer, present: ObservedContainer) -> Verdict:
        if cause := self._recreate(desired, present):
            return Verdict(desired, present, Action.RECREATE, cause)
        if present.state is State.CREATED:
            return Verdict(desired, present, Action.START, "created")
        if present.state is State.EXITED:
            return Verdict(desired, present, Action.START, f"exited ({present.exit_code})")
        wanted = () if self._options.no_recreate else (place.network for place in desired.config.networks)
        cause = (
            self._lost_network({*present.networks, *wanted}, present)
            or self._lost_partner(present)
            or self._restart_with_dependency(desired)
            or self._outdated(desired, present)
        )
        return Verdict(desired, present, Action.RESTART if cause else Action.KEEP, cause)

    def _recreate(self, desired: DesiredContainer, present: ObservedContainer) -> str:
        """Why `present` cannot become `desired` without being made again, or ""."""
        options = self._options
        if options.no_recreate:
            return ""
        if options.force_recreate and desired.service in self._desired.explicit:
            return "--force-recreate"
        if options.always_recreate_deps and desired.service not in self._desired.explicit:
            return "--always-recreate-deps"
        if present.config_hash != desired.config_hash:
            return difference.cause(present.config, desired.config, desired.service, self._locate)
        if present.name != desired.name:
            return f"name: {present.name} -> {desired.name}"
        if partner := _partner(present):
            first = next(iter(self._services.get(partner, ())), None)
            if first and first.action is Action.RECREATE:
                return f"shares the network of {partner}, which is recreated"
        return ""

    def _lost_network(self, names: Iterable[str], present: ObservedContainer) -> str:
        for name in sorted(names):
            there = self._observed.networks.get(name)
            if name in self._remade:
                return f"network {name} is made again"
            if there is None or not there.alive:
                if name in self._desired.networks:
                    return f"network {name} was gone"
            elif present.networks.get(name) != there.id:
                return f"not attached to network {name}"
        return ""

    def _lost_partner(self, present: ObservedContainer) -> str:
        """Why `network_mode: service:X` leads nowhere now: X got another network namespace, or gets one by this plan."""
        partner = _partner(present)
        if not partner:
            return ""
        first = next(iter(self._services.get(partner, ())), None)
        if first and first.action is not Action.KEEP:
            return f"shares the network of {partner}, which is started"
        shared = first.present if first else next(iter(self._present.get((partner, 1), ())), None)
        if shared and present.joined != shared.id:
            return f"shares the network of {partner}, which was recreated"
        return ""

    def _outdated(self, desired: DesiredContainer, present: ObservedContainer) -> str:
        """Why what it was started with is not what it should run with now."""
        generation = self._desired.generations.get(desired.service)
        if desired.one_off or generation is None or present.generation >= generation.number:
            return ""
        return generation.cause

    def _restart_with_dependency(self, desired: DesiredContainer) -> str:
        for need in desired.needs:
            dependency = self._services.get(need.service, ())
            if need.restart and any(one.replaced or one.action is Action.RESTART for one in dependency):
                return f"restarts with {need.service}"
        return ""

    def removals(self, verdicts: Iterable[Verdict]) -> Iterator[Removal]:
        """The containers in scope that nothing desired claims, highest numbers first, and orphans if they are to go."""
        claimed = {verdict.present.id for verdict in verdicts if verdict.present}
        counts = {service: len(members) for service, members in self._services.items()}
        for container in sorted(self._observed.containers, key=lambda one: (one.service, -one.number, one.name)):
            if container.id in claimed:
                continue
            if container.one_off:
                if self._options.remove_orphans and not is_up(container):
                    yield Removal(container, "one-off that has ended")
            elif container.service in self._desired.scope:
                count = counts.get(container.service, 0)
                yield Removal(container, f"scaled to {count}" if container.number > count else "replaced")
            elif container.service not in self._desired.known and self._options.remove_orphans:
                yield Removal(container, "orphan")

    def bystanders(self, verdicts: Iterable[Verdict], kept: Iterable[ObservedContainer]) -> Iterator[Bystander]:
        """Running containers that are not judged, but lose their network by what happens to others."""
        changing = {v.present.id: v for v in verdicts if v.present and v.action is not Action.KEEP}
        judged = {verdict.present.id for verdict in verdicts if verdict.present}
        for container in kept:
            if container.id in judged or not is_up(container):
                continue
            if lost := sorted(name for name in container.networks if name in self._remade):
                yield Bystander(container, f"network {lost[0]} is made again", restart=not container.one_off)
            elif not container.one_off and (partner := changing.get(container.joined)):
                service = partner.desired.service
                yield Bystander(container, f"shares the network of {service}", restart=True, after=service)


def _partner(container: ObservedContainer) -> str:
    """The service whose network `container` shares, or ""."""
    mode = container.config.network_mode
    return mode.removeprefix(SHARES) if mode.startswith(SHARES) else ""


def _fitness(candidate: ObservedContainer, desired: DesiredContainer) -> tuple[bool, bool, bool]:
    """Which of several containers with one number carries on: a recreation gives the successor the name at once."""
    return candidate.name == desired.name, candidate.config_hash == desired.config_hash, is_up(candidate)
