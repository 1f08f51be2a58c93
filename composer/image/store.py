"""The image store: an OCI image layout for content and names, and the snapshots unpacked from it.

Other tools read the layout in place: `skopeo inspect oci:<directory>:docker.io/library/redis:7`. Several processes may
use it at once: whoever adds content shares a lock that whoever deletes content holds alone, so that nothing vanishes
between being written and being named. What a name leads to is on the disk; what none leads to need not be, and is not
trusted any more once the machine was started anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from composer.errors import ComposerError, ImageError
from composer.image import host
from composer.image.blobs import Blobs, write_atomically
from composer.image.collect import collect, needed
from composer.image.disk import Disk, boot_id
from composer.image.entries import find_entry, manifest_of, manifests_of, means, platform_of
from composer.image.image import Image, ImageRecord, Origin, PlatformRecord
from composer.image.index import IndexFile, origin_of, reference_of
from composer.image.locks import locked
from composer.image.ownership import Ownership
from composer.image.prune import DANGLING, Criteria, choose, used_bytes
from composer.image.snapshot import Snapshots
from composer.image.staging import sweep
from composer.image.verify import check_layer, check_layers
from composer.oci import media_types
from composer.oci.config import ImageConfig, chain_ids
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.reference import Reference, parse
from composer.paths import Paths

log = logging.getLogger("composer.image")

InUse = Mapping[str, Sequence[str]]
"""Image id -> names of the containers made from it."""
Users = Callable[[], InUse]
"""Asked when nobody adds content any more: waiting for that may take as long as a pull, and containers start meanwhile."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is gone."""

    names: tuple[str, ...] = ()
    """Of images, and their ids."""
    freed: int = 0
    """Bytes."""


def nobody() -> InUse:
    """No image is in use."""
    return {}


class Store:
    """Every image this engine has."""

    def __init__(self, paths: Paths, ownership: Ownership | None = None) -> None:
        self.layout = paths.images
        self.blobs = Blobs(paths.images)
        self.snapshots = Snapshots(paths.snapshots, ownership or Ownership.of_this_process())
        self.disk = Disk((paths.images, paths.snapshots))
        self._host_image = paths.host_image
        self._index = IndexFile(paths.images)
        self._looked_through = False

    def list(self) -> tuple[ImageRecord, ...]:
        """A record for every name and every image without one, by name; the embedded image is not among them.

        An image whose manifest or config is damaged has a record that says so, and no size or time.
        """
        records = [self._record(entry) for entry in self._index.read()]
        return tuple(sorted(records, key=lambda record: (str(record.reference or "~"), record.id)))

    def entries(self) -> tuple[Descriptor, ...]:
        """What the index holds: an entry for every name, and for every image without one."""
        return self._index.read()

    def entry(self, reference: str) -> Descriptor | None:
        """The entry behind a name or the beginning of an id; its content may be damaged."""
        return self._entry(reference)

    def stamp(self) -> tuple[int, int, int]:
        """While this is the same, every name and id leads to the same image."""
        return self._index.stamp()

    def missing(self, reference: str) -> ImageError:
        """The error for an image that is not there, with what it may be called instead."""
        return missing(reference, (name.familiar() for entry in self._index.read() if (name := reference_of(entry))))

    def find(self, reference: str, platform: Platform | None = None) -> Image | None:
        """The image called `reference`, a name or the beginning of an id; None where there is none.

        Where an index has the name it is the image for `platform` (None: this machine's), or another if there is none.
        Raises ImageError for what is neither, and for an image whose manifest or config is damaged.
        """
        if host.is_reserved(reference):
            return host.image(self._host_image)
        entry = self._entry(reference, platform)
        return self._image(entry, platform=platform) if entry else None

    def each(self, reference: str) -> tuple[Image, ...]:
        """The images for all platforms behind a name or id; one for most, none where there is no such name. Raises as `find`."""
        if host.is_reserved(reference):
            return (host.image(self._host_image),)
        entry = self._entry(reference)
        if entry is None:
            return ()
        return tuple(self._image(each, reference_of(entry)) for each in manifests_of(entry, self.blobs))

    def add(self, manifest: bytes, reference: Reference | None, origin: Origin | None = None) -> Image:
        """Record an image whose config and layers are stored, and give it a name; the name may have been another's.

        To be called while `adding`. Raises ImageError for the reserved name, and for what is no manifest.
        """
        if reference:
            refuse_reserved(str(reference))
        entry = Descriptor.of(Manifest.parse(manifest).media_type, manifest)
        image = self._image(replace(entry, digest=self.blobs.put(manifest)), reference)
        self._settle()
        if reference:
            self._index.name(entry, reference, origin)
        elif not any(self._leads_to(index, image) for index in self._indexes()):
            self._index.keep(entry)
        return image

    def add_index(self, images: Sequence[Image], references: Sequence[Reference]) -> Image:
        """Record an index of images that are stored, one for each platform, and give it these names; the one for this machine.

        To be called while `adding`.
        """
        manifests = []
        for image in images:
            assert image.manifest is not None
            data = self.blobs.path(image.manifest).read_bytes()
            described = Descriptor.of(Manifest.parse(data).media_type, data)
            manifests.append(replace(described, platform=platform_of(image.config)))
        data = Index(tuple(manifests)).to_bytes()
        self.blobs.put(data)
        entry = Descriptor.of(media_types.OCI_INDEX, data)
        self._settle()
        for reference in references:
            refuse_reserved(str(reference))
            self._index.name(entry, reference)
        if not references:
            self._index.keep(entry)
        self._index.absorb({manifest.digest for manifest in manifests})
        return self._image(entry, references[0] if references else None)

    def tag(self, source: str, reference: str) -> Image:
        """Give the image `source` one more name. Raises ImageError where it is missing or the name is reserved."""
        refuse_reserved(source)
        refuse_reserved(reference)
        with self.adding():
            entry = self._entry(source)
            if entry is None:
                raise self.missing(source)
            target = parse(reference)
            self._settle()
            self._index.name(entry, target)
        return self._image(entry, target)

    def restore(self, reference: Reference, before: Image | None) -> None:
        """Let a name mean `before` again, or nothing. What has it now goes with its last name, its content with the next removal.

        To be called while `adding`.
        """
        now = self._entry(str(reference))
        if now is not None and before is not None and now.digest == before.manifest:
            return
        self._index.unname(reference)
        entries = self._index.read()
        if now is not None and not any(reference_of(one) for one in entries if one.digest == now.digest):
            self._index.drop(now)
        former = next((one for one in entries if before is not None and self._leads_to(one, before)), None)
        if former is not None and before is not None:
            self._index.name(former, reference, before.origin)

    def unpacked(self, image: Image) -> bool:
        """Whether every snapshot of `image` is there."""
        return image.manifest is None or all(layer.is_dir() for layer in image.layers)

    def stays(self, image: Image) -> bool:
        """Whether every snapshot of `image` is there, and will be as long as `Users` name it; a start need wait for no thread.

        While somebody deletes it is unknown, and so False: `unpack` waits for that.
        """
        try:
            with locked(self._content_lock, shared=True, wait=False):
                return self.unpacked(image)
        except BlockingIOError:
            return False

    def unpack(self, image: Image) -> None:
        """Make the snapshots of `image` that are missing; those that are there stay.

        Raises ImageError where the image is gone, or a layer is missing or is not what its digest, size or DiffID says.
        """
        if image.manifest is None:
            return
        with self.adding():
            if self.unpacked(image):
                return
            if self.blobs.size(image.manifest) is None:
                raise missing(image.name)
            manifest = Manifest.parse(self.blobs.path(image.manifest).read_bytes())
            check_layers(manifest, image.config)
            below: Digest | None = None
            chains = chain_ids(image.config.diff_ids)
            for layer, diff_id, chain in zip(manifest.layers, image.config.diff_ids, chains, strict=True):
                if not self.snapshots.has(chain):
                    with self.blobs.open(layer) as blob:
                        content = self.snapshots.unpack(blob, below, expected=diff_id).content
                    check_layer(layer, content.digest, content.size)
                below = chain

    def remove(self, reference: str, users: Users = nobody, force: bool = False) -> tuple[str, ...]:
        """Take a name from its image, and delete the image with its last name; what was removed, in words of names.

        An image that containers were made from, as `users` say, keeps its content: its last name goes only with `force`.
        An id removes all names. Raises ImageError where it is missing or in use.
        """
        if host.is_reserved(reference):
            raise ImageError("cannot remove `host`: it is part of composer")
        with locked(self._content_lock):
            in_use = users()
            entry = self._entry(reference)
            if entry is None:
                raise self.missing(reference)
            record = self._record(entry)
            if record.damage:
                return self._forget_damaged(entry, record, in_use)
            image = self._image(entry)
            # Asked for by id, all that leads to the image goes.
            name = reference_of(entry) if means(reference, entry) else None
            same = [item for item in self._index.read() if self._record(item).id == image.id]
            names = [other for item in same if (other := reference_of(item))]
            made = [user for each in self._record(entry).ids for user in in_use.get(each, ())]
            going = [other for other in names if name and _goes_with(other, name)]
            if made and (name is None or len(names) == len(going)) and not (force and name):
                raise _in_use(image, made)
            if name and (made or len(names) > len(going)):
                for other in going:
                    self._index.unname(other)
                return tuple(other.familiar() for other in going)
            for item in same:
                self._index.drop(item)
            self._collect()
            return (*(other.familiar() for other in names), image.id)

    def _forget_damaged(self, entry: Descriptor, record: ImageRecord, in_use: InUse) -> tuple[str, ...]:
        """Drop an image that cannot be read. Whose image an unknown id was, nobody can tell: then its content stays."""
        known = {each for other in self.list() if not other.damage for each in other.ids}
        users = [name for identifier, names in in_use.items() if identifier not in known for name in names]
        name = record.reference.familiar() if record.reference else record.id
        if users:
            raise ImageError(
                f"cannot remove image `{name}`: it is damaged, and container `{users[0]}` may have been made from it",
                hint=f"`compose image pull {name}` heals it; or remove the container first",
            )
        self._index.drop(entry)
        self._collect()
        return (name,)

    def prune(self, users: Users = nobody, criteria: Criteria = DANGLING) -> Pruned:
        """Delete the images that `criteria` chooses and no container was made from."""
        with locked(self._content_lock):
            before = self.list()
            gone = choose(before, frozenset(users()), criteria)
            entries = self._index.read()
            for entry in entries:
                if str(entry.digest) in {record.manifest for record in gone}:
                    self._index.drop(entry)
            self._collect()
            names = [record.reference.familiar() for record in gone if record.reference]
            freed = used_bytes(before) - used_bytes(self.list())
            return Pruned((*names, *dict.fromkeys(record.id for record in gone)), freed)

    def drop_blobs(self) -> int:
        """Delete the layers' blobs of images that can be pulled again and are unpacked; the bytes freed."""
        with locked(self._content_lock):
            keep: set[Digest] = set()
            candidates: dict[Digest, int] = {}
            for entry in self._index.read():
                if self._record(entry).damage:
                    continue
                for layer, chain in self._layers(entry):
                    if origin_of(entry) and self.snapshots.has(chain):
                        candidates[layer.digest] = self.blobs.size(layer.digest) or 0
                    else:
                        keep.add(layer.digest)
            chosen = {digest: size for digest, size in candidates.items() if digest not in keep}
            for digest in chosen:
                self.blobs.remove(digest)
            return sum(chosen.values())

    def chains(self) -> set[Digest]:
        """The snapshots that images need. Raises ImageError where an image is damaged: what it needs is unknown."""
        return needed(self._index.read(), self.blobs)[1]

    def release(self, chains: Iterable[Digest]) -> None:
        """Let kept snapshots go, unless an image needs them; waits until nobody adds content."""
        with locked(self._content_lock):
            for chain in chains:
                self.snapshots.release(chain)
            self._collect()

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """While this is held nobody adds content."""
        with locked(self._content_lock):
            yield

    def sweep(self) -> None:
        """Delete what interrupted imports and removals left; what others are working on stays."""
        sweep(self.layout)
        self.snapshots.sweep()

    @contextmanager
    def adding(self) -> Iterator[None]:
        """While this is held nothing is deleted, so that content may be stored before the index names it.

        What was stored and is not named when an error ends it is deleted then, or by the next removal.
        """
        self._distrust()
        try:
            with locked(self._content_lock, shared=True):
                yield
        except BaseException:
            with suppress(ComposerError, OSError), locked(self._content_lock, wait=False):
                self._collect()
            raise

    def _distrust(self) -> None:
        """Delete what no name leads to, once after the machine was started: it need not have come to the disk."""
        if self._looked_through:
            return
        path, boot = self.layout / ".boot", boot_id()
        if _content(path) == boot:
            return
        # A lock of its own: who comes second waits for the first's look only, not for all that he is about to add.
        with locked(self.layout / ".boot.lock"):
            if self._looked_through or _content(path) == boot:
                return
            with locked(self._content_lock):
                self._collect()
                self._looked_through = True
                try:
                    write_atomically(path, boot.encode())
                except OSError as error:  # a full disk; then the next process looks through it once more
                    log.warning("cannot write `%s`: %s", path, error.strerror)

    def _settle(self) -> None:
        """Have on the disk what a name is about to lead to. Raises ImageError."""
        try:
            self.disk.settle()
        except OSError as error:
            raise ImageError(f"cannot store the image: {(error.strerror or str(error)).lower()}") from error

    @property
    def _content_lock(self) -> Path:
        return self.layout / ".content.lock"

    def _entry(self, reference: str, platform: Platform | None = None) -> Descriptor | None:
        return find_entry(self._index.read(), self.blobs, reference, platform)

    def _indexes(self) -> Iterator[Descriptor]:
        return (entry for entry in self._index.read() if entry.media_type in media_types.INDEXES)

    def _leads_to(self, entry: Descriptor, image: Image) -> bool:
        return any(each.digest == image.manifest for each in manifests_of(entry, self.blobs))

    def _layers(self, entry: Descriptor) -> Iterator[tuple[Descriptor, Digest]]:
        """The layers of all images behind an entry, with their ChainIDs."""
        for each in manifests_of(entry, self.blobs):
            manifest = Manifest.parse(self.blobs.document(each))
            config = ImageConfig.parse(self.blobs.document(manifest.config))
            yield from zip(manifest.layers, chain_ids(config.diff_ids), strict=True)

    def _collect(self) -> None:
        """Delete what nothing leads to; nothing at all while an image is damaged: what it leads to is unknown."""
        try:
            collect(self._index.read(), self.blobs, self.snapshots)
        except ImageError as error:
            log.warning("nothing was collected: %s", error.message)

    def _image(self, entry: Descriptor, reference: Reference | None = None, platform: Platform | None = None) -> Image:
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

    def _record(self, entry: Descriptor) -> ImageRecord:
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


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def missing(reference: str, known: Iterable[str] = ()) -> ImageError:
    """The error for an image that is not there; one of the `known` names may be what was meant."""
    near = get_close_matches(reference, list(known), n=1)
    meant = f"did you mean `{near[0]}`? Otherwise " if near else ""
    return ImageError(
        f"cannot find image `{reference}`: it is not in the image store",
        hint=f"{meant}`compose image pull {reference}`, or `compose image load` an archive of it",
    )


def refuse_reserved(reference: str) -> None:
    """Raise ImageError if `reference` is the embedded image's."""
    if host.is_reserved(reference):
        raise ImageError(
            "cannot use the name `host` for an image: it is reserved for the embedded image",
            hint="choose another name",
        )


def _goes_with(name: Reference, removed: Reference) -> bool:
    """Whether a name is the removed one, or the same with the digest that it was pulled by."""
    return name == removed or (name.digest is not None and replace(name, digest=None) == removed)


def _in_use(image: Image, users: Sequence[str]) -> ImageError:
    names = ", ".join(f"`{name}`" for name in users)
    return ImageError(
        f"cannot remove image `{image.name}`: {'containers' if len(users) > 1 else 'container'} {names} "
        f"{'were' if len(users) > 1 else 'was'} made from it",
        hint="remove them first with `compose down` or `compose rm`",
    )


def _created(config: ImageConfig) -> float:
    try:
        return datetime.fromisoformat(config.created).timestamp()
    except (ValueError, OverflowError):
        return 0
