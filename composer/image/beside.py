"""Images for other platforms than this machine's, kept beside the one that has the name.

A build for several platforms stands on the same name for each of them. Only one image can have it: what was pulled for
another platform is called by the name and its own digest, and found here by name and platform.
"""

from __future__ import annotations

from dataclasses import replace

from composer.errors import ImageError
from composer.image.entries import platform_of
from composer.image.image import Image
from composer.image.index import origin_of, reference_of
from composer.image.store import Store
from composer.oci.descriptor import Platform
from composer.oci.digest import Digest
from composer.oci.platform import rank
from composer.oci.reference import Reference


def name_beside(reference: Reference, manifest: Digest) -> Reference:
    """What an image is called that does not get the name itself."""
    return replace(reference, digest=manifest)


def find_beside(store: Store, reference: Reference, platform: Platform) -> Image | None:
    """The image that a name means for a platform as it was last pulled, None where it was not. Blocks."""
    entries = [
        (origin.time, entry)
        for entry in store.entries()
        if reference_of(entry) == name_beside(reference, entry.digest) and (origin := origin_of(entry))
    ]
    for _, entry in sorted(entries, key=lambda pair: pair[0], reverse=True):
        try:
            image = store.find(str(reference_of(entry)), platform)
        except ImageError:
            continue  # damaged: pulled again
        if image is not None and rank(platform_of(image.config), platform) is not None:
            return image
    return None
