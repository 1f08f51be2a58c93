"""Caches that BuildKit wrote: told apart from images, so that they can be named for what they are.

With `type=registry` or `type=local` BuildKit writes its layers as an index whose last entry is its config, or, newer, as an
image manifest with that config <https://docs.docker.com/build/cache/backends/registry/>.
"""

from __future__ import annotations

from pathlib import Path

from composer.errors import ImageError
from composer.image.blobs import Blobs
from composer.oci import fields, media_types
from composer.oci.manifest import Index


def refuse_foreign(document: bytes) -> None:
    """Return for the manifest or index of anything else. Raises ImageError for BuildKit's, and for what is no document."""
    parsed = fields.parse_object(document, "a cache")
    config = fields.mapping(parsed, "config") if "config" in parsed else {}
    entries = fields.objects(parsed, "manifests") if "manifests" in parsed else ()
    if any(each.get("mediaType") == media_types.BUILDKIT_CACHE for each in (config, *entries)):
        raise ImageError("BuildKit wrote it, and only BuildKit knows which step each of its layers is")


def refuse_foreign_layout(directory: Path) -> None:
    """The same for all that lies in an OCI image layout; what cannot be read there is for others to tell."""
    blobs = Blobs(directory)
    for entry in Index.parse((directory / "index.json").read_bytes()).manifests:
        if entry.size <= fields.MAX_DOCUMENT and blobs.has(entry):
            refuse_foreign(blobs.path(entry.digest).read_bytes())
