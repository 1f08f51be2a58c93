"""What a request needs of images before anything else: which it pulls, which it builds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from composer.api.messages import UpOptions
from composer.clock import Clock
from composer.engine.acquire import acquire
from composer.engine.building.bases import bases
from composer.engine.building.builds import buildables, contested, needed
from composer.engine.building.errand import Errand
from composer.engine.building.freshness import Locate
from composer.engine.pictures import Pictures
from composer.engine.plan import Plan
from composer.project.model import Service

if TYPE_CHECKING:
    from composer.engine.building.making import Making


class Provision:
    """Looks at what there is, and has it decided what is missing or old."""

    def __init__(self, pictures: Pictures, making: Callable[[], Making], clock: Clock) -> None:
        self._pictures = pictures
        self._making = making
        self._clock = clock

    async def plan(self, services: Sequence[Service], options: UpOptions, errand: Errand, locate: Locate) -> Plan:
        """The pulls and builds for `services`, which are in start order."""
        project, pins = errand.project, errand.pins
        is_building = any(service.build for service in services)
        wanted = buildables(project, services, await asyncio.to_thread(bases, project) if is_building else {})
        mode = "always" if options.build != "never" and options.pull == "build" else options.build
        built = [reference for each in wanted for reference in each.references]
        found = {
            **await self._pictures.named(built, pins),
            **await self._pictures.found(project, services, pins),
        }
        pullable = [service for service in services if service.build is None or mode != "always"]
        pulls = acquire(pullable, found, policy=options.pull, now=self._clock.now(), locate=locate, pins=pins)
        stale = {}
        rivals = contested(wanted)
        if wanted and mode in ("auto", "definition"):
            # Where two builds take turns with a name, what has it now is nobody's to judge.
            judged = [each for each in wanted if rivals.keys().isdisjoint(each.references)]
            stale = await self._making().stale(judged, errand, locate, definition_only=mode == "definition")
        builds = needed(wanted, mode=mode, found=found, pulls=pulls, stale=stale, locate=locate)
        return Plan((*pulls, *builds), tuple(_rivalry(name, services) for name, services in rivals.items()))


def _rivalry(name: str, services: Sequence[str]) -> str:
    listed = " and ".join(f"`{service}`" for service in services)
    return f"{listed} build different images, and call both `{name}`: the one that is built last has the name"
