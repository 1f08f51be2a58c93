"""Finding out what names mean now: registries, servers and git repositories are asked in parallel.

Every failure is told, with the place of the use that it concerns; what could be found out is lost then, since a lock is
whole or not written.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from composer.clock import Clock
from composer.lock.asking import Asking, Tell
from composer.lock.model import Lock, LockedCommit, LockedDownload, LockedImage, measured_platform
from composer.lock.remote import checksum_of, commit_of
from composer.lock.update import Found, Wanted
from composer.lock.uses import Uses
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.survey import Surveyor
from composer.registry.transport import HttpTransport


async def resolve(wanted: Wanted, lock: Lock, uses: Uses, access: Access, clock: Clock, tell: Tell) -> Found:
    """What the wanted names mean now; `lock` is what is known so far.

    Raises:
        ProjectError: some could not be found out; a diagnostic for each.
    """
    asking = Asking(tell)
    images: dict[str, LockedImage] = {}
    triggers: dict[str, tuple[str, ...]] = {}
    downloads: dict[str, LockedDownload] = {}
    commits: dict[str, LockedCommit] = {}

    async def image(name: str) -> bool:
        before = lock.images.get(name)
        images[name], triggers[name] = await _image(surveyor, name, before)
        return before is None or images[name].digest != before.digest

    async def download(url: str) -> bool:
        said = next((use.checksum for use in uses.downloads[url] if use.checksum), None)
        checksum = said or await checksum_of(url, access, transport, clock)
        downloads[url] = LockedDownload(checksum)
        return url not in lock.downloads or lock.downloads[url].checksum != checksum

    async def commit(url: str) -> bool:
        commits[url] = LockedCommit(await commit_of(url, access))
        return url not in lock.commits or lock.commits[url].commit != commits[url].commit

    transport = HttpTransport()
    surveyor = Surveyor(access, clock, transport, "lock")
    try:
        await asyncio.gather(
            *(asking.ask("image", name, uses.images, image) for name in wanted.images),
            *(asking.ask("download", url, uses.downloads, download) for url in wanted.downloads),
            *(asking.ask("git", url, uses.commits, commit) for url in wanted.commits),
        )
    finally:
        await transport.close()
    asking.check()
    return Found(images, downloads, commits, {name: each for name, each in triggers.items() if each})


async def _image(surveyor: Surveyor, name: str, before: LockedImage | None) -> tuple[LockedImage, tuple[str, ...]]:
    """What a name means, and the triggers of an image that has changed."""
    reference = parse(name)
    if before is not None and await surveyor.digest(reference) == before.digest:
        return before, ()
    survey = await surveyor.survey(reference, measured_platform)
    image = LockedImage(survey.digest, survey.platforms, _time(survey.created), survey.size, survey.source)
    return image, survey.triggers


def _time(text: str) -> datetime | None:
    """When an image says that it was made; images that are the same whenever they are built say nothing of use."""
    try:
        time = datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return time if time.year > 1970 else None
