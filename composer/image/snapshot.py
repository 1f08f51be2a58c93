"""Unpacked layers: `<ChainID>/fs`, one directory each, from which overlay stacks a root file system.

A layer is unpacked beside its place and renamed, so what is there is whole. `<ChainID>/size` holds the bytes of the
uncompressed layer. A file `<ChainID>/kept` keeps a snapshot that no image needs: a build may go on from there. While that
holds the id of a boot, the snapshot may not be on the disk yet: should the machine crash, it is worth nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from composer.errors import ImageError
from composer.image.compression import Readable
from composer.image.disk import boot_id
from composer.image.layer import DEFAULT_LIMITS, Unpacked, unpack
from composer.image.ownership import Ownership
from composer.image.removal import discard
from composer.image.staging import staging, sweep
from composer.image.stream import Limits
from composer.image.writer import TreeArchive
from composer.kernel.filesystem import synchronise
from composer.oci.config import chain_id, chain_ids
from composer.oci.digest import Digest

_CHUNK = 1 << 20
_KEPT = "kept"


class Snapshots:
    """The snapshots below `root`, made with the rights of `ownership`."""

    def __init__(self, root: Path, ownership: Ownership, limits: Limits = DEFAULT_LIMITS) -> None:
        self._root = root
        self._ownership = ownership
        self._limits = limits

    def path(self, chain: Digest) -> Path:
        """Where the snapshot's files are, if they are."""
        return self._root / chain.hex / "fs"

    def lowers(self, diff_ids: Sequence[Digest]) -> tuple[Path, ...]:
        """The directories of an image with these layers, topmost first."""
        return tuple(self.path(chain) for chain in reversed(chain_ids(diff_ids)))

    def has(self, chain: Digest) -> bool:
        """Whether the snapshot is there."""
        return self.path(chain).is_dir()

    def size(self, chain: Digest) -> int | None:
        """Bytes of the uncompressed layer; None where the snapshot is not there."""
        try:
            return int((self._root / chain.hex / "size").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def unpack(
        self,
        source: Readable,
        below: Digest | None = None,
        copy: BinaryIO | None = None,
        expected: Digest | None = None,
        accept: Callable[[Unpacked], None] = lambda unpacked: None,
        *,
        settled: bool = True,
    ) -> Unpacked:
        """Unpack a layer upon the chain `below` and write its blob to `copy`; one that is there already stays.

        With `expected`, a layer with another DiffID is refused; `accept` may refuse it, too, once all of it has come and
        before the snapshot is seen. Without `settled` the caller sees to it that it comes to the disk (`disk`). Raises
        ImageError, and what `accept` raises, and leaves nothing then.
        """
        with staging(self._root) as directory:
            made = directory / "layer"
            made.mkdir(mode=0o755)
            unpacked = unpack(source, made / "fs", self._ownership, self._limits, copy)
            diff_id = unpacked.content.diff_id
            if expected and diff_id != expected:
                raise ImageError(f"cannot use the layer: its content is {diff_id}, the image's config says {expected}")
            accept(unpacked)
            (made / "size").write_text(str(unpacked.content.uncompressed))
            self._show(made, chain_id(below, diff_id), settled=settled)
        return unpacked

    def measure(self, tree: Path) -> tuple[Digest, int]:
        """The DiffID of the layer that overlay wrote to `tree`, and its bytes. Raises OSError."""
        return _measure(TreeArchive(tree, self._ownership.overlay_attributes))

    def place(self, made: Path, chain: Digest, size: int) -> bool:
        """Move `made`, whose `fs` is a measured layer, to its place, to be kept; False where there is one already.

        One rename, and nothing is synchronised: `settle` does that later. Raises OSError.
        """
        (made / "size").write_text(str(size))
        (made / _KEPT).write_text(boot_id())
        try:
            made.rename(self._root / chain.hex)
        except OSError:
            if not self.has(chain):
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                made.rename(self._root / chain.hex)
                return True
            self.keep(chain)
            return False
        return True

    def move(self, chain: Digest, to: Digest) -> None:
        """Let the layer that is unpacked as `chain` be the snapshot `to`. Raises OSError."""
        (self._root / chain.hex).rename(self._root / to.hex)

    def keep(self, chain: Digest) -> None:
        """Have a snapshot stay, even if no image needs it."""
        (self._root / chain.hex / _KEPT).touch()

    def settle(self, chains: Iterable[Digest]) -> None:
        """Have kept snapshots on the disk; those that are gone are fine. Raises OSError."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            synchronise(descriptor)
        finally:
            os.close(descriptor)
        for chain in chains:
            with suppress(FileNotFoundError):
                os.truncate(self._root / chain.hex / _KEPT, 0)

    def unsettled(self) -> list[Digest]:
        """The kept snapshots that may not be on the disk yet; those for which it is too late are deleted."""
        found, boot = [], boot_id()
        for chain in self.all():
            try:
                since = (self._root / chain.hex / _KEPT).read_text()
            except FileNotFoundError:
                continue
            if since == boot:
                found.append(chain)
            elif since:
                self.remove(chain)
        return found

    def release(self, chain: Digest) -> None:
        """Let a snapshot go with the last image that needs it; one that is gone is fine."""
        (self._root / chain.hex / _KEPT).unlink(missing_ok=True)

    def is_kept(self, chain: Digest) -> bool:
        """Whether it stays for its own sake."""
        return (self._root / chain.hex / _KEPT).exists()

    def archive(self, chain: Digest) -> TreeArchive:
        """Reads as the uncompressed layer of a snapshot; that of an adopted one has its very DiffID."""
        return TreeArchive(self.path(chain), self._ownership.overlay_attributes)

    def _show(self, made: Path, chain: Digest, *, settled: bool) -> None:
        """Put a complete snapshot in its place, if `settled` once it is on the disk: what is there is whole."""
        if self.has(chain):
            return
        if settled:
            descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                synchronise(descriptor)  # one call for thousands of files
            finally:
                os.close(descriptor)
        try:
            made.rename(self._root / chain.hex)
        except OSError:
            if not self.has(chain):  # or somebody else was quicker
                raise

    def all(self) -> Iterator[Digest]:
        """The ChainID of every snapshot there is."""
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            try:
                yield Digest.parse(f"sha256:{path.name}")
            except ImageError:
                continue

    def remove(self, chain: Digest) -> None:
        """Delete a snapshot; nothing there is fine."""
        discard(self._root / chain.hex)

    def sweep(self) -> None:
        """Delete what interrupted work left."""
        sweep(self._root)


def _measure(archive: TreeArchive) -> tuple[Digest, int]:
    hashed, size = hashlib.sha256(), 0
    while data := archive.read(_CHUNK):
        hashed.update(data)
        size += len(data)
    return Digest.parse(f"sha256:{hashed.hexdigest()}"), size
