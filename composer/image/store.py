"""The image store: an OCI image layout for content and names, and the snapshots unpacked from it.

Other tools read the layout in place: `skopeo inspect oci:<directory>:docker.io/library/redis:7`. Several processes may
use it at once: whoever adds content shares a lock that whoever deletes content holds alone, so that nothing vanishes
between being written and being named. What a name leads to is on the disk; what none leads to need not be, and is not
trusted any more once the machine was started anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from composer import reserve
from composer.errors import ComposerError, ImageError
from composer.image import host
from composer.image.blobs import write_atomically
from composer.image.catalogue import Catalogue, missing
from composer.image.collect import collect, needed
from composer.image.disk import Disk, boot_id
from composer.image.entries import platform_of
from composer.image.image import Image, Origin
from composer.image.index import reference_of
from composer.image.locks import locked
from composer.image.ownership import Ownership
from composer.image.staging import sweep
from composer.image.verify import check_layer, check_layers
from composer.oci import media_types
from composer.oci.config import chain_ids
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, Manifest
from composer.oci.reference import Reference, parse
from composer.paths import Paths

log = logging.getLogger("composer.image")


class Store(Catalogue):
    """Every image this engine has, and ways to have more; `remove` takes them out again."""

    def __init__(self, paths: Paths, ownership: Ownership | None = None) -> None:
        super().__init__(paths, ownership)
        self.disk = Disk((paths.images, paths.snapshots))
        self._looked_through = False

    def add(self, manifest: bytes, reference: Reference | None, origin: Origin | None = None) -> Image:
        """Record an image whose config and layers are stored, and give it a name; the name may have been another's.

        To be called while `adding`. Raises ImageError for the reserved name, and for what is no manifest.
        """
        if reference:
            refuse_reserved(str(reference))
        entry = Descriptor.of(Manifest.parse(manifest).media_type, manifest)
        image = self.image(replace(entry, digest=self.blobs.put(manifest)), reference)
        self._settle()
        if reference:
            self.index.name(entry, reference, origin)
        elif not any(self.leads_to(index, image) for index in self._indexes()):
            self.index.keep(entry)
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
            self.index.name(entry, reference)
        if not references:
            self.index.keep(entry)
        self.index.absorb({manifest.digest for manifest in manifests})
        return self.image(entry, references[0] if references else None)

    def tag(self, source: str, reference: str) -> Image:
        """Give the image `source` one more name. Raises ImageError where it is missing or the name is reserved."""
        refuse_reserved(source)
        refuse_reserved(reference)
        with self.adding():
            entry = self.entry(source)
            if entry is None:
                raise self.missing(source)
            target = parse(reference)
            self._settle()
            self.index.name(entry, target)
        return self.image(entry, target)

    def restore(self, reference: Reference, before: Image | None) -> None:
        """Let a name mean `before` again, or nothing. What has it now goes with its last name, its content with the next removal.

        To be called while `adding`.
        """
        now = self.entry(str(reference))
        if now is not None and before is not None and now.digest == before.manifest:
            return
        self.index.unname(reference)
        entries = self.index.read()
        if now is not None and not any(reference_of(one) for one in entries if one.digest == now.digest):
            self.index.drop(now)
        former = next((one for one in entries if before is not None and self.leads_to(one, before)), None)
        if former is not None and before is not None:
            self.index.name(former, reference, before.origin)

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

    def chains(self) -> set[Digest]:
        """The snapshots that images need. Raises ImageError where an image is damaged: what it needs is unknown."""
        return needed(self.index.read(), self.blobs)[1]

    def release(self, chains: Iterable[Digest]) -> None:
        """Let kept snapshots go, unless an image needs them; waits until nobody adds content."""
        with self.deleting():
            for chain in chains:
                self.snapshots.release(chain)
            self.collect()

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
                self.collect()
            raise

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """While this is held nobody adds content, and there is some space even on a full disk."""
        with locked(self._content_lock):
            reserve.give_up(self.layout.parent)
            try:
                yield
            finally:
                reserve.put_by(self.layout.parent)

    def collect(self) -> None:
        """Delete what nothing leads to; nothing at all while an image is damaged: what it leads to is unknown."""
        try:
            collect(self.index.read(), self.blobs, self.snapshots)
        except ImageError as error:
            log.warning("nothing was collected: %s", error.message)

    def sweep(self) -> None:
        """Delete what interrupted imports and removals left; what others are working on stays."""
        sweep(self.layout)
        self.snapshots.sweep()

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
                self.collect()
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

    def _indexes(self) -> Iterator[Descriptor]:
        return (entry for entry in self.index.read() if entry.media_type in media_types.INDEXES)


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def refuse_reserved(reference: str) -> None:
    """Raise ImageError if `reference` is the embedded image's."""
    if host.is_reserved(reference):
        raise ImageError(
            "cannot use the name `host` for an image: it is reserved for the embedded image",
            hint="choose another name",
        )
