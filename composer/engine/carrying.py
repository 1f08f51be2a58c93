"""How a plan is carried out for a request: on this machine, with the user's registries and builds, told as it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from composer.api.messages import Event, Result
from composer.engine.building.errand import Errand
from composer.engine.containers import Containers
from composer.engine.execute import execute
from composer.engine.logs import Logs
from composer.engine.loop import Loop
from composer.engine.machine import Machine
from composer.engine.plan import BuildImage, Plan, PullImage, PushImage
from composer.engine.rooms import Rooms
from composer.engine.turns import Turns
from composer.project.origins import Origins

if TYPE_CHECKING:
    from composer.engine.building.making import Making
    from composer.engine.transfers import Transfers

Emit = Callable[[Event], None]


class Carrying:
    """Executes plans; one instance an engine."""

    def __init__(
        self,
        rooms: Rooms,
        containers: Containers,
        loop: Loop,
        logs: Logs,
        making: Callable[[], Making],
        transfers: Callable[[], Transfers],
        turns: Turns,
    ) -> None:
        self.making = making
        self.transfers = transfers
        self._rooms = rooms
        self._containers = containers
        self._loop = loop
        self._logs = logs
        self._turns = turns

    async def carry_out(
        self,
        name: str,
        plan: Plan,
        emit: Emit,
        *,
        dry_run: bool = False,
        surroundings: Mapping[str, str] = MappingProxyType({}),
        errand: Errand | None = None,
    ) -> Result:
        """Carry out a plan that changes a project, its warnings told first; with `dry_run` only say what it is."""
        for warning in plan.warnings:
            emit(Event("project", name, "warning", detail=warning))
        if dry_run:
            return Result(plan=str(plan))
        machine = self._machine(name, emit, surroundings, errand)
        with self._turns.working(name):
            return Result(changed=await execute(plan, machine, emit, self._rooms.clock))

    async def transfer(
        self, name: str, plan: Plan, surroundings: Mapping[str, str], emit: Emit, errand: Errand | None = None
    ) -> Result:
        """Carry out a plan of pulls, pushes and builds; no project is busy with it."""
        machine = self._machine(name, emit, surroundings, errand)
        return Result(changed=await execute(plan, machine, emit, self._rooms.clock))

    def _machine(self, name: str, emit: Emit, surroundings: Mapping[str, str], errand: Errand | None = None) -> Machine:
        async def transfer(operation: PullImage | BuildImage | PushImage) -> None:
            if isinstance(operation, BuildImage):
                assert errand is not None, "a build without a project"
                await self.making().perform(operation, errand, emit)
            else:
                await self.transfers().perform(operation, surroundings, emit)

        return Machine(name, self._rooms, self._containers, self._loop, self._logs.last, transfer, emit)


def locate_in(origins: Origins) -> Callable[[tuple[str, ...]], str]:
    """Where a path of the project was written, in the words of a cause."""

    def locate(path: tuple[str, ...]) -> str:
        place = origins.near(path)
        return f"{Path(place.file).name}:{place.line}" if place else ""

    return locate
