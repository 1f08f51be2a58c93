"""From what somebody calls an image to its entry in the index, and from an entry to the image's manifest."""

from __future__ import annotations

from collections.abc import Sequence

from composer.errors import ImageError
from composer.image.blobs import Blobs
from composer.image.index import origin_of, reference_of
from composer.oci import media_types
from composer.oci.config import ImageConfig
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, choose
from composer.oci.platform import rank, this_platform
from composer.oci.reference import parse

_SHORTEST_ID = 4


def find_entry(
    entries: Sequence[Descriptor], blobs: Blobs, text: str, platform: Platform | None = None
) -> Descriptor | None:
    """The entry of the image that `text` names or whose id begins with it; names come first. None where there is none.

    Of several that have the same digest for a name, as images of one index do, the one for `platform` (None: this machine's).
    Raises ImageError for what could be neither, and for the beginning of several ids.
    """
    if named := [entry for entry in entries if means(text, entry)]:
        if len({entry.digest for entry in named}) == 1:
            return named[0]
        return next((entry for entry in named if _suits(entry, blobs, platform or this_platform())), named[0])
    if not _looks_like_id(text):
        parse(text)  # says what is wrong with it
        return None
    found = {identifier: entry for entry in entries if _begins(identifier := _id_or_digest(entry, blobs), text)}
    if not found:
        # One of those that an index lists, for a container that was made from it.
        indexes = [entry for entry in entries if entry.media_type in media_types.INDEXES]
        listed = (each.annotated(entry.annotations) for entry in indexes for each in manifests_of(entry, blobs))
        found = {identifier: each for each in listed if _begins(identifier := _id_or_digest(each, blobs), text)}
    if len(found) > 1:
        raise ImageError(f"cannot find image `{text}`: {len(found)} ids begin like this")
    return next(iter(found.values()), None)


def means(text: str, entry: Descriptor) -> bool:
    """Whether `text` is a reference to the image behind an entry; with a digest, whatever its tag is."""
    try:
        wanted = parse(text)
    except ImageError:
        return False
    name = reference_of(entry)
    if name is None or name.name != wanted.name:
        return False
    if wanted.digest is None:
        return name == wanted
    origin = origin_of(entry)
    return wanted.digest in (entry.digest, origin.digest if origin else None)


def id_of(entry: Descriptor, blobs: Blobs) -> str:
    """The id of the image behind an entry. Raises ImageError where it is damaged or not for this platform."""
    return str(manifest_of(entry, blobs)[1].config.digest)


def manifest_of(entry: Descriptor, blobs: Blobs, platform: Platform | None = None) -> tuple[Digest, Manifest]:
    """The manifest behind an entry, and its digest: of an index that for `platform` (None: this machine's), or any that is there.

    Raises ImageError where it is damaged, or an index of nothing that is here.
    """
    if entry.media_type in media_types.INDEXES:
        manifests = manifests_of(entry, blobs)
        chosen = choose(manifests, platform or this_platform()) or next(iter(manifests), None)
        if chosen is None:
            raise ImageError(f"cannot use {entry.digest}: none of the images that it lists is here")
        entry = chosen
    return entry.digest, Manifest.parse(blobs.document(entry))


def manifests_of(entry: Descriptor, blobs: Blobs) -> tuple[Descriptor, ...]:
    """The manifests of images behind an entry that are there, in its order: whoever put an index here need not have put all."""
    if entry.media_type not in media_types.INDEXES:
        return (entry,)
    return tuple(
        each
        for each in Index.parse(blobs.document(entry)).manifests
        if each.media_type in media_types.MANIFESTS
        and not (each.platform and each.platform.os == "unknown")  # what BuildKit attests about the others
        and blobs.has(each)
    )


def platform_of(config: ImageConfig) -> Platform:
    """What an image says it runs on."""
    return Platform(config.architecture, config.os, config.variant)


def _suits(entry: Descriptor, blobs: Blobs, platform: Platform) -> bool:
    try:
        _, manifest = manifest_of(entry, blobs, platform)
        config = ImageConfig.parse(blobs.document(manifest.config))
    except ImageError:
        return False
    return rank(platform_of(config), platform) is not None


def _id_or_digest(entry: Descriptor, blobs: Blobs) -> str:
    """What a listing shows as the id: of a damaged image its entry's digest."""
    try:
        return id_of(entry, blobs)
    except ImageError:
        return str(entry.digest)


def _looks_like_id(text: str) -> bool:
    digits = text.removeprefix("sha256:")
    return len(digits) >= _SHORTEST_ID and not digits.strip("0123456789abcdef")


def _begins(identifier: str, text: str) -> bool:
    return identifier.removeprefix("sha256:").startswith(text.removeprefix("sha256:"))
