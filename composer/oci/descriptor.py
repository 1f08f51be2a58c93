"""Descriptors: what refers to a blob, by type, digest and size.

<https://github.com/opencontainers/image-spec/blob/main/descriptor.md>. All three are claims until the content was
read; whoever reads a blob compares digest *and* size, so that a lie cannot make us read without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from composer.oci import fields
from composer.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on, as Go names it (`GOOS`, `GOARCH`)."""

    architecture: str
    os: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Platform:
        return cls(
            fields.text(document, "architecture", ""),
            fields.text(document, "os", ""),
            fields.text(document, "variant", ""),
        )

    def to_json(self) -> dict[str, Any]:
        data = {"architecture": self.architecture, "os": self.os}
        return data | {"variant": self.variant} if self.variant else data


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content; `annotations` matter in an image layout's `index.json`."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None

    @classmethod
    def of(cls, media_type: str, data: bytes) -> Descriptor:
        """What describes `data`."""
        return cls(media_type, Digest.of(data), len(data))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Descriptor:
        """The descriptor in `document`. Raises ImageError for what is none."""
        platform = fields.mapping(document, "platform")
        return cls(
            fields.text(document, "mediaType", ""),
            Digest.parse(fields.text(document, "digest")),
            fields.integer(document, "size"),
            fields.text_mapping(document, "annotations"),
            Platform.from_json(platform) if platform else None,
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            data["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform:
            data["platform"] = self.platform.to_json()
        return data

    def annotated(self, annotations: Mapping[str, str]) -> Descriptor:
        """The same content with other annotations."""
        return replace(self, annotations=dict(annotations))
