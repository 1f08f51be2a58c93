"""A lock made: what the project names is asked for, then what lies behind that, until nothing new comes up."""

from __future__ import annotations

from collections.abc import Collection

from composer.build.files.remote import RemoteContext
from composer.clock import Clock
from composer.lock.asking import Tell
from composer.lock.behind import dockerfile_of, is_known, is_trigger, known, merged
from composer.lock.dockerfiles import remote_builds, remote_uses
from composer.lock.model import Lock, LockedCommit, LockedDownload
from composer.lock.remote import brought
from composer.lock.resolve import resolve
from composer.lock.triggers import triggered
from composer.lock.update import Found, wanted
from composer.lock.uses import Uses
from composer.project.model import Project
from composer.project.origins import Origins
from composer.registry.access import Access


async def find_out(
    project: Project,
    origins: Origins,
    lock: Lock,
    uses: Uses,
    access: Access,
    clock: Clock,
    tell: Tell,
    *,
    update: bool = False,
    services: Collection[str] = (),
) -> tuple[Uses, Found]:
    """Everything that is used, what lies behind `uses` included, and what of it had to be found out means now.

    Raises:
        ProjectError: some could not be found out, or not be read; a diagnostic for each.
    """
    builds = remote_builds(project)
    looked: dict[str, Uses] = {}
    found, total = Found(), known(lock, uses)
    while True:
        names = wanted(lock, total, update=update, services=services)
        found = found.also(await resolve(names.without(found), lock, total, access, clock, tell))
        anew: dict[str, Uses] = {}
        for name, triggers in found.triggers.items():
            bases = [use for use in total.images.get(name, ()) if not is_trigger(use)]
            if name not in looked and bases:
                anew[name] = triggered(name, triggers, bases)
        for url in builds.keys() - looked.keys():
            asked = found.commits.get(url) or found.downloads.get(url)
            if asked or not is_known(lock, dockerfile_of(url)):
                async with brought(url, asked or _locked(lock, url), access) as context:
                    anew[url] = _read(project, origins, builds[url], url, context)
        if not anew:
            return total, found
        looked |= anew
        total = known(lock, merged((uses, *looked.values())), looked)


def _locked(lock: Lock, url: str) -> LockedCommit | LockedDownload:
    return lock.commits[url] if url in lock.commits else lock.downloads[url]


def _read(project: Project, origins: Origins, services: Collection[str], url: str, context: RemoteContext) -> Uses:
    every = {**project.services, **project.disabled}
    return merged(remote_uses(project, every[name], origins, dockerfile_of(url), context) for name in services)
