"""What the image store has, by names, ids and digests: looked up and read, never changed.

An image is read through the index of the layout: an entry leads to a manifest or an index of several, that to a config and
layers. What is damaged is told by whoever reads it, or stands in its record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from difflib import get_close_matches

from composer.errors import ImageError
from composer.image import host
from composer.image.blobs import Blobs
from composer.image.entries import find_entry, manifest_of, manifests_of, platform_of
from composer.image.image import Image, ImageRecord, PlatformRecord
from composer.image.index import IndexFile, origin_of, reference_of
from composer.image.ownership import Ownership
from composer.image.snapshot import Snapshots
from composer.image.verify import check_layers
from composer.oci import media_types
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest
from composer.oci.reference import Reference
from composer.paths import Paths


class Catalogue:
    """Every image there is."""

    def __init__(self, paths: Paths, ownership: Ownership | None = None) -> None:
        self.layout = paths.images
        self.blobs = Blobs(paths.images)
        self.snapshots = Snapshots(paths.snapshots, ownership or Ownership.of_this_process())
        self.index = IndexFile(paths.images)
        self._host_image = paths.host_image

    def list(self) -> tuple[ImageRecord, ...]:
        """A record for every name and every image without one, by name; the embedded image is not among them.

        An image whose manifest or config is damaged has a record that says so, and no size or time.
        """
        records = [self.record(entry) for entry in self.index.read()]
        return tuple(sorted(records, key=lambda record: (str(record.reference or "~"), record.id)))

    def entries(self) -> tuple[Descriptor, ...]:
        """What the index holds: an entry for every name, and for every image without one."""
        return self.index.read()

    def entry(self, reference: str, platform: Platform | None = None) -> Descriptor | None:
        """The entry behind a name or the beginning of an id; its content may be damaged."""
        return find_entry(self.index.read(), self.blobs, reference, platform)

    def stamp(self) -> tuple[int, int, int]:
        """While this is the same, every name and id leads to the same image."""
        return self.index.stamp()

    def missing(self, reference: str) -> ImageError:
        """The error for an image that is not there, with what it may be called instead."""
        return missing(reference, (name.familiar() for entry in self.index.read() if (name := reference_of(entry))))

    def find(self, reference: str, platform: Platform | None = None) -> Image | None:
        """The image called `reference`, a name or the beginning of an id; None where there is none.

        Where an index has the name it is the image for `platform` (None: this machine's), or another if there is none.
        Raises ImageError for what is neither, and for an image whose manifest or config is damaged.
        """
        if host.is_reserved(reference):
            return host.image(self._host_image)
        entry = self.entry(reference, platform)
        return self.image(entry, platform=platform) if entry else None

    def each(self, reference: str) -> tuple[Image, ...]:
        """The images for all platforms behind a name or id; one for most, none where there is no such name. Raises as `find`."""
        if host.is_reserved(reference):
            return (host.image(self._host_image),)
        entry = self.entry(reference)
        if entry is None:
            return ()
        return tuple(self.image(each, reference_of(entry)) for each in manifests_of(entry, self.blobs))

    def unpacked(self, image: Image) -> bool:
        """Whether every snapshot of `image` is there."""
        return image.manifest is None or all(layer.is_dir() for layer in image.layers)

    def image(self, entry: Descriptor, reference: Reference | None = None, platform: Platform | None = None) -> Image:
        """The image behind an entry, by its own name or by `reference`. Raises ImageError where it is damaged."""
        digest, manifest = manifest_of(entry, self.blobs, platform)
        config = ImageConfig.parse(self.blobs.document(manifest.config))
        check_layers(manifest, config)
        return Image(
            id=str(manifest.config.digest),
            reference=reference or reference_of(entry),
            manifest=digest,
            config=config,
            layers=self.snapshots.lowers(config.diff_ids),
            origin=origin_of(entry),
        )

    def record(self, entry: Descriptor) -> ImageRecord:
        """What a listing tells of an entry, its damage included."""
        try:
            _, manifest = manifest_of(entry, self.blobs)
            config = ImageConfig.parse(self.blobs.document(manifest.config))
            platforms = self._platforms(entry)
        except ImageError as error:
            return ImageRecord(reference_of(entry), str(entry.digest), 0, 0, damage=error.message)
        layers = {str(layer.digest): size for layer, size in self._sizes(manifest, config)}
        size = sum(size for _, size in self._sizes(manifest, config))
        created = _created(config)
        return ImageRecord(
            reference_of(entry),
            str(manifest.config.digest),
            size,
            created,
            str(entry.digest),
            config.labels,
            layers,
            platforms=platforms,
        )

    def layers(self, entry: Descriptor) -> Iterator[tuple[Descriptor, Digest]]:
        """The layers of all images behind an entry, with their ChainIDs."""
        for each in manifests_of(entry, self.blobs):
            manifest = Manifest.parse(self.blobs.document(each))
            config = ImageConfig.parse(self.blobs.document(manifest.config))
            yield from zip(manifest.layers, chain_ids(config.diff_ids), strict=True)

    def leads_to(self, entry: Descriptor, image: Image) -> bool:
        """Whether `image` is what an entry means, or one of those that it lists."""
        return any(each.digest == image.manifest for each in manifests_of(entry, self.blobs))

    def _platforms(self, entry: Descriptor) -> tuple[PlatformRecord, ...]:
        if entry.media_type not in media_types.INDEXES:
            return ()
        found = []
        for each in manifests_of(entry, self.blobs):
            manifest = Manifest.parse(self.blobs.document(each))
            config = ImageConfig.parse(self.blobs.document(manifest.config))
            layers = {str(layer.digest): size for layer, size in self._sizes(manifest, config)}
            platform = each.platform or platform_of(config)
            found.append(PlatformRecord(platform, str(manifest.config.digest), str(each.digest), layers))
        return tuple(found)

    def _sizes(self, manifest: Manifest, config: ImageConfig) -> Iterator[tuple[Descriptor, int]]:
        """The layers, with their bytes: unpacked where they are, else as blobs."""
        for layer, chain in zip(manifest.layers, chain_ids(config.diff_ids), strict=False):
            size = self.snapshots.size(chain)
            yield layer, layer.size if size is None else size


def missing(reference: str, known: Iterable[str] = ()) -> ImageError:
    """The error for an image that is not there; one of the `known` names may be what was meant."""
    near = get_close_matches(reference, list(known), n=1)
    meant = f"did you mean `{near[0]}`? Otherwise " if near else ""
    return ImageError(
        f"cannot find image `{reference}`: it is not in the image store",
        hint=f"{meant}`compose image pull {reference}`, or `compose image load` an archive of it",
    )


def _created(config: ImageConfig) -> float:
    try:
        return datetime.fromisoformat(config.created).timestamp()
    except (ValueError, OverflowError):
        return 0
