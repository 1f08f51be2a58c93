"""What clients ask about images: pulled, pushed, built and kept; containers stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from composer.api.messages import (
    BuildPruneRequest,
    BuildRequest,
    DiskUsage,
    Event,
    ImagesRequest,
    LintFinding,
    PruneRequest,
    PruneResult,
    PullRequest,
    PushRequest,
    Result,
    UpRequest,
)
from composer.engine.acquire import acquire_anew, publish
from composer.engine.building.bases import bases
from composer.engine.building.builds import buildables, every
from composer.engine.building.errand import Errand
from composer.engine.carrying import Carrying, Emit, locate_in
from composer.engine.inventory import disk_usage
from composer.engine.labels import PROJECT
from composer.engine.pictures import Pictures
from composer.engine.plan import Node, Plan, PullImage, PushImage
from composer.engine.rooms import Rooms
from composer.engine.scope import services_in_scope
from composer.engine.software import Software
from composer.lock.pins import Pins
from composer.project.model import Project
from composer.project.origins import Origins

if TYPE_CHECKING:
    from composer.build.housekeeping import Housekeeping


class ImageRequests:
    """The requests that concern images alone."""

    def __init__(
        self,
        rooms: Rooms,
        carrying: Carrying,
        pictures: Pictures,
        keeping_house: Callable[[], Housekeeping],
    ) -> None:
        self.pictures = pictures
        """What can be asked about images that are there."""
        self.software = Software(rooms, pictures)
        """What can be asked about the packages in them."""
        self._rooms = rooms
        self._carrying = carrying
        self._keeping_house = keeping_house

    # -- of a project ----------------------------------------------------------------------------------------------

    async def pull(self, name: str, request: PullRequest, emit: Emit) -> Result:
        """Pull the images of a project's services; nothing else of the project changes."""
        project = Project.model_validate(request.project)
        services = services_in_scope(project, request.services, deps=request.include_deps)
        pins = Pins.from_wire(request.lock)
        plan = acquire_anew(
            services,
            await self.pictures.found(project, services, pins),
            policy=request.policy,
            ignore_buildable=request.ignore_buildable,
            ignore_failures=request.ignore_failures,
            now=self._rooms.clock.now(),
            locate=locate_in(Origins.from_wire(request.origins)),
            pins=pins,
        )
        if request.dry_run:
            return Result(plan=str(plan))
        return await self._carrying.transfer(name, plan, request.surroundings, emit)

    async def push(self, name: str, request: PushRequest, emit: Emit) -> Result:
        """Push the images that a project builds."""
        project = Project.model_validate(request.project)
        services = services_in_scope(project, request.services, deps=request.include_deps)
        plan = publish(services, ignore_failures=request.ignore_failures)
        if request.dry_run:
            return Result(plan=str(plan))
        if not plan:
            detail = "there is nothing to push: only images that services `build` and name with `image` are"
            emit(Event("project", name, "warning", detail=detail))
        return await self._carrying.transfer(name, plan, request.surroundings, emit)

    async def build(self, name: str, request: BuildRequest, emit: Emit) -> Result:
        """Build the images of a project's services; nothing else of the project changes."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), request.flags, request.surroundings, pins)
        services = services_in_scope(project, request.services, deps=request.with_dependencies)
        wanted = buildables(project, services, await asyncio.to_thread(bases, project))
        plan = every(wanted, "asked for", every_platform=True)
        pushes = publish(services, ignore_failures=False) if request.push else Plan()
        if request.dry_run:
            return Result(plan=str(Plan((*plan, *pushes))))
        if not plan:
            detail = "there is nothing to build: none of these services has a `build` section"
            emit(Event("project", name, "warning", detail=detail))
        told = len(self._rooms.notes)
        try:
            done = await self._carrying.transfer(name, plan, request.surroundings, emit, errand)
        finally:
            for note in self._rooms.notes[told:]:
                emit(Event("project", name, "warning", detail=note))
        if request.flags.verify:
            await self._carrying.making().verify([each.operation(every_platform=True) for each in wanted], errand, emit)
        pushed = await self._carrying.transfer(name, pushes, request.surroundings, emit)
        return replace(done, changed=done.changed + pushed.changed)

    async def check(self, request: BuildRequest) -> tuple[LintFinding, ...]:
        """What BuildKit's rules have to say about the Dockerfiles of a project's services."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), request.flags, request.surroundings, pins)
        services = services_in_scope(project, request.services, deps=request.with_dependencies)
        return await self._carrying.making().check([each.operation() for each in buildables(project, services)], errand)

    async def rebuild(self, request: UpRequest, service: str, emit: Emit) -> tuple[str, ...]:
        """Build a service's image again, and what that is built from; the services that run it, which go on as they are."""
        project = Project.model_validate(request.project)
        pins = Pins.from_wire(request.lock)
        errand = Errand(project, Origins.from_wire(request.origins), surroundings=request.surroundings, pins=pins)
        (mine,) = (each for each in buildables(project, project.services.values()) if service in each.services)
        wanted = buildables(project, [project.services[name] for name in mine.services])
        await self._carrying.transfer(project.name, every(wanted, "files changed"), request.surroundings, emit, errand)
        return mine.services

    async def prune_replaced(self, name: str) -> None:
        """Delete the images of a project that lost their names to newer ones, as far as nothing uses them."""
        await self.pictures.prune(PruneRequest(labels=(f"{PROJECT}={name}",)))

    # -- by reference ------------------------------------------------------------------------------------------------

    async def pull_images(self, request: ImagesRequest, emit: Emit) -> Result:
        """Pull images by reference."""
        pulls = (PullImage(reference, request.platform) for reference in dict.fromkeys(request.references))
        nodes = (Node(f"pull/{pull.reference}", pull, "asked for") for pull in pulls)
        return await self._carrying.transfer("", Plan(tuple(nodes)), request.surroundings, emit)

    async def push_images(self, request: ImagesRequest, emit: Emit) -> Result:
        """Push images by reference."""
        pushes = (PushImage(reference) for reference in dict.fromkeys(request.references))
        nodes = (Node(f"push/{push.reference}", push, "asked for") for push in pushes)
        return await self._carrying.transfer("", Plan(tuple(nodes)), request.surroundings, emit)

    async def save_images(self, references: tuple[str, ...], path: str, surroundings: Mapping[str, str]) -> None:
        """Write images to an archive at `path`; blobs that were dropped come from their registries again."""
        await self._carrying.transfers().complete(references, surroundings, lambda _: None)
        await self.pictures.save(references, path)

    # -- the disk ----------------------------------------------------------------------------------------------------

    async def disk_usage(self) -> tuple[DiskUsage, ...]:
        """What images, containers, volumes, logs and the build cache take on the disk."""
        return await disk_usage(self._rooms, self._keeping_house())

    async def prune_build_cache(self, request: BuildPruneRequest) -> PruneResult:
        """Forget cached steps, once no build runs."""
        house = self._keeping_house()
        freed = await asyncio.to_thread(lambda: house.prune(mounts=request.mounts, used_before=request.used_before))
        return PruneResult(reclaimed=freed)
