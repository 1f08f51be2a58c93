"""The digests that the images of a project have: by its lock, else at their registries now. For `compose config`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from composer.clock import Clock
from composer.lock.asking import Asking
from composer.lock.model import Lock, name_of
from composer.lock.uses import Collector, Use
from composer.oci.digest import Digest
from composer.oci.reference import parse
from composer.project.model import Project
from composer.project.origins import Origins
from composer.registry.access import Access
from composer.registry.survey import Surveyor


async def pinned_images(
    project: Project, origins: Origins, services: Collection[str], lock: Lock, access: Access, clock: Clock
) -> Mapping[str, str]:
    """The image of each of these services with its digest, by service; those without an image are left out.

    Raises:
        ProjectError: some have none, or it could not be found out; a diagnostic for each.
    """
    collector = Collector()
    images = {name: image for name in services if (image := project.services[name].image)}
    for service, image in images.items():
        collector.image(image, Use(service, service, origins.near(("services", service, "image"))))
    uses = collector.uses()
    known = {name: parse(name).digest or lock.images[name].digest for name in uses.images if name in lock.images}
    known |= {name: digest for name in uses.images if (digest := parse(name).digest)}
    asking = Asking(lambda kind, name, what: None)

    async def ask(name: str) -> bool:
        known[name] = await surveyor.digest(parse(name))
        return True

    async with Surveyor.open(access, clock, "resolve") as surveyor:
        missing = [name for name in uses.images if name not in known]
        await asyncio.gather(*(asking.ask("image", name, uses.images, ask) for name in missing))
    asking.check()
    return {service: _with_digest(image, known) for service, image in images.items()}


def _with_digest(image: str, known: Mapping[str, Digest]) -> str:
    reference = parse(image)
    return str(replace(reference, digest=known[name_of(reference)]))
