"""Which images there are, by name: the `index.json` of an OCI image layout.

<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>. An image has an entry for each of its names,
which stand in two annotations: `org.opencontainers.image.ref.name`, that skopeo and umoci go by, and
`io.containerd.image.name`. An image that lost its last name keeps an entry without any: a container may still use it.
Two more tell of an image that was pulled which digest its name had at the registry, and when.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from composer.errors import ImageError, StateError
from composer.image.blobs import write_atomically
from composer.image.image import Origin
from composer.image.locks import locked
from composer.oci import fields
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Index, encode
from composer.oci.reference import Reference, parse

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
PULLED_DIGEST = "composer.pulled.digest"
PULLED_TIME = "composer.pulled.time"

VERSION = 1
"""Of what this store keeps beside the OCI layout; raised when an older composer could not use it any more."""

_OUR_FILE = "composer.json"
_OUR_VERSION = "version"
_LAYOUT_VERSION = "imageLayoutVersion"
_VERSION = "1.0.0"


class IndexFile:
    """The index of the image layout at `layout`; a missing one is empty."""

    def __init__(self, layout: Path) -> None:
        self._layout = layout
        self._path = layout / "index.json"

    def read(self) -> tuple[Descriptor, ...]:
        """Every entry. Raises StateError where the file is damaged or of another version, or the store is newer."""
        self._check_version()
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        try:
            layout = fields.parse_object((self._layout / "oci-layout").read_bytes(), "oci-layout")
            version = fields.text(layout, _LAYOUT_VERSION)
            entries = Index.parse(data).manifests
        except (ImageError, FileNotFoundError) as error:
            raise StateError(f"cannot read the image store `{self._layout}`: {error}") from error
        if version != _VERSION:
            raise StateError(f"cannot read the image store `{self._layout}`: its layout version is `{version}`")
        return entries

    def stamp(self) -> tuple[int, int, int]:
        """What changes with every change of the index (it is replaced as a whole); zeros for one that is not there."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_ino, found.st_mtime_ns, found.st_size

    def name(self, entry: Descriptor, reference: Reference, origin: Origin | None = None) -> None:
        """Make `reference` the name of the manifest `entry`; the image that had it so far stays, without the name."""
        with self._changing() as entries:
            self._unname(entries, reference)
            entries[:] = [other for other in entries if other.digest != entry.digest or reference_of(other)]
            annotations = {REF_NAME: str(reference), CONTAINERD_NAME: str(reference)}
            if origin:
                annotations |= {PULLED_DIGEST: str(origin.digest), PULLED_TIME: f"{origin.time:.0f}"}
            entries.append(replace(entry, annotations=annotations))

    def keep(self, entry: Descriptor) -> None:
        """Have an entry for the manifest, without a name unless it has one already."""
        with self._changing() as entries:
            if all(other.digest != entry.digest for other in entries):
                entries.append(replace(entry, annotations={}))

    def absorb(self, digests: Collection[Digest]) -> None:
        """Forget those of these manifests that have no name: an index leads to them now."""
        with self._changing() as entries:
            entries[:] = [other for other in entries if other.digest not in digests or reference_of(other)]

    def unname(self, reference: Reference) -> None:
        """Take the name from whatever image has it; the image stays."""
        with self._changing() as entries:
            self._unname(entries, reference)

    def drop(self, entry: Descriptor) -> None:
        """Forget a manifest and all its names."""
        with self._changing() as entries:
            entries[:] = [other for other in entries if other.digest != entry.digest]

    def _check_version(self) -> None:
        try:
            data = (self._layout / _OUR_FILE).read_bytes()
        except FileNotFoundError:
            return  # from before there were versions, or empty
        version = fields.integer(fields.parse_object(data, f"`{self._layout / _OUR_FILE}`"), _OUR_VERSION)
        if version > VERSION:
            raise StateError(
                f"cannot use the image store `{self._layout}`: it has version {version}, "
                f"this composer knows versions up to {VERSION}",
                hint="upgrade composer, or use another data directory with COMPOSER_DATA",
            )

    @contextmanager
    def _changing(self) -> Iterator[list[Descriptor]]:
        with locked(self._layout / ".index.lock"):
            before = self.read()
            entries = list(before)
            yield entries
            if tuple(entries) != before:
                if not self._path.exists():
                    write_atomically(self._layout / _OUR_FILE, encode({_OUR_VERSION: VERSION}))
                    write_atomically(self._layout / "oci-layout", encode({_LAYOUT_VERSION: _VERSION}))
                write_atomically(self._path, Index(tuple(entries)).to_bytes())

    @staticmethod
    def _unname(entries: list[Descriptor], reference: Reference) -> None:
        for entry in [entry for entry in entries if reference_of(entry) == reference]:
            entries.remove(entry)
            if all(other.digest != entry.digest for other in entries):
                entries.append(replace(entry, annotations={}))


def reference_of(entry: Descriptor) -> Reference | None:
    """The name in an entry's annotations; None where there is none, or only a tag without a repository."""
    for key in (CONTAINERD_NAME, REF_NAME):
        name = entry.annotations.get(key, "")
        if "/" in name or ":" in name:
            try:
                return parse(name)
            except ImageError:
                continue
    return None


def origin_of(entry: Descriptor) -> Origin | None:
    """What an entry's annotations tell of its pull; None where they do not."""
    try:
        return Origin(Digest.parse(entry.annotations[PULLED_DIGEST]), float(entry.annotations[PULLED_TIME]))
    except (KeyError, ValueError, ImageError):
        return None
