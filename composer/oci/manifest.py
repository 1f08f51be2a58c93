"""Manifests and indexes: which config and layers make an image, and which images a list offers.

<https://github.com/opencontainers/image-spec/blob/main/manifest.md> and `image-index.md`; Docker's schema 2 and its
manifest list have the same shape under other media types. Docker's schema 1 is refused: it carries no digests that
could be checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.errors import ImageError
from composer.oci import fields, media_types
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.platform import rank

_MAX_LAYERS = 500


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image for one platform; `layers` from the bottom up."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = media_types.OCI_MANIFEST
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises ImageError for what is none, or is one of something that is no image."""
        document = fields.parse_object(data, "an image manifest")
        if fields.integer(document, "schemaVersion") != 2:
            raise ImageError("cannot read an image manifest: only schema version 2 is understood")
        config = Descriptor.from_json(fields.mapping(document, "config"))
        if config.media_type not in media_types.CONFIGS:
            raise ImageError(f"cannot use a manifest as an image: its config is of type `{config.media_type}`")
        layers = tuple(Descriptor.from_json(layer) for layer in fields.objects(document, "layers"))
        if len(layers) > _MAX_LAYERS:
            raise ImageError(f"cannot read an image manifest: {len(layers)} layers are more than {_MAX_LAYERS}")
        for layer in layers:
            if layer.media_type not in media_types.LAYERS:
                raise ImageError(f"cannot use layer {layer.digest}: its type `{layer.media_type}` is not understood")
        media_type = fields.text(document, "mediaType", media_types.OCI_MANIFEST)
        return cls(config, layers, media_type, fields.text_mapping(document, "annotations"))

    def to_bytes(self) -> bytes:
        """The manifest as it is stored; the same manifest gives the same bytes."""
        document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        return encode(document)


@dataclass(frozen=True, slots=True)
class Index:
    """Several manifests: one image for many platforms, or everything in an image layout."""

    manifests: tuple[Descriptor, ...]
    media_type: str = media_types.OCI_INDEX

    @classmethod
    def parse(cls, data: bytes) -> Index:
        """The index in `data`. Raises ImageError for what is none."""
        document = fields.parse_object(data, "an image index")
        manifests = tuple(Descriptor.from_json(item) for item in fields.objects(document, "manifests"))
        return cls(manifests, fields.text(document, "mediaType", media_types.OCI_INDEX))

    def to_bytes(self) -> bytes:
        """The index as it is stored."""
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": self.media_type,
                "manifests": [manifest.to_json() for manifest in self.manifests],
            }
        )


def choose(manifests: Sequence[Descriptor], platform: Platform) -> Descriptor | None:
    """The manifest of an index that runs on `platform`, the nearest variant before any; None if there is none.

    An entry without a platform counts as fitting when nothing else does: single-platform indexes often leave it out.
    """
    ranked = [(rank(manifest.platform, platform), manifest) for manifest in manifests if manifest.platform]
    fitting = [(place, manifest) for place, manifest in ranked if place is not None]
    if fitting:
        return min(fitting, key=lambda pair: pair[0])[1]
    return next((manifest for manifest in manifests if manifest.platform is None), None)


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON as content is stored here: compact, keys in the order given, UTF-8."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
