"""From what somebody calls an image to its entry in the index, and from an entry to the image's manifest."""

from __future__ import annotations

from collections.abc import Sequence

from composer.errors import ImageError
from composer.image.blobs import Blobs
from composer.image.index import origin_of, reference_of
from composer.oci import media_types
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest, choose
from composer.oci.platform import this_platform
from composer.oci.reference import parse

_SHORTEST_ID = 4


def find_entry(entries: Sequence[Descriptor], blobs: Blobs, text: str) -> Descriptor | None:
    """The entry of the image that `text` names or whose id begins with it; names come first. None where there is none.

    Raises ImageError for what could be neither, and for the beginning of several ids.
    """
    if named := next((entry for entry in entries if means(text, entry)), None):
        return named
    if not _looks_like_id(text):
        parse(text)  # says what is wrong with it
        return None
    found = {identifier: entry for entry in entries if _begins(identifier := _id_or_digest(entry, blobs), text)}
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


def manifest_of(entry: Descriptor, blobs: Blobs) -> tuple[Digest, Manifest]:
    """The manifest behind an entry, and its digest; other tools may have put an index of several platforms there.

    Raises ImageError where it is damaged or not for this platform.
    """
    if entry.media_type in media_types.INDEXES:
        chosen = choose(Index.parse(blobs.document(entry)).manifests, this_platform())
        if chosen is None or chosen.media_type in media_types.INDEXES:
            raise ImageError(f"cannot use {entry.digest}: it has no image for {this_platform()}")
        entry = chosen
    return entry.digest, Manifest.parse(blobs.document(entry))


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
