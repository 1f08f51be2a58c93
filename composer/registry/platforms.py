"""Which of the images behind a name a pull takes: the one for the platform that is asked for, or that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from composer.errors import ImageError
from composer.oci import media_types
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.manifest import Index, choose
from composer.oci.platform import rank
from composer.oci.reference import Reference
from composer.registry.repository import Document, Repository

_MOST_NESTED = 3


async def for_platform(source: Repository, reference: Reference, document: Document, wanted: Platform) -> Document:
    """The manifest for `wanted` behind a manifest or index. Raises ImageError, listing what there is."""
    for _ in range(_MOST_NESTED):
        if document.descriptor.media_type in media_types.MANIFESTS:
            return document
        manifests = Index.parse(document.data).manifests
        chosen = choose(manifests, wanted)
        if chosen is None:
            raise ImageError(
                f"cannot pull `{reference.familiar()}`: it does not exist for {wanted}",
                hint=f"there is {_platforms(manifests)}; name one with `platform:` or DOCKER_DEFAULT_PLATFORM",
            )
        document = await source.manifest(replace(reference, tag=None, digest=chosen.digest))
        if document.descriptor.size != chosen.size:
            raise ImageError(
                f"cannot pull `{reference.familiar()}`: its index says {chosen.size} bytes of {chosen.digest}, "
                f"it has {document.descriptor.size}"
            )
    raise ImageError(f"cannot pull `{reference.familiar()}`: its index is nested too deep")


def _platforms(manifests: Sequence[Descriptor]) -> str:
    names = {str(each.platform) for each in manifests if each.platform and each.platform.os != "unknown"}
    return ", ".join(sorted(names)) or "nothing for any platform"


def check_platform(reference: Reference, config: ImageConfig, wanted: Platform, *, explicit: bool) -> str:
    """A warning where an image may not run here. Raises ImageError where it is not what was asked for."""
    have = Platform(config.architecture, config.os, config.variant)
    if config.os not in ("", "linux"):
        raise ImageError(f"cannot pull `{reference.familiar()}`: it is for {config.os}, not for Linux")
    if rank(have, wanted) is not None or not config.architecture:
        return ""
    if explicit:
        raise ImageError(
            f"cannot pull `{reference.familiar()}`: it does not exist for {wanted}", hint=f"there is {have}"
        )
    return f"`{reference.familiar()}` is for {have}, this machine is {wanted}"
