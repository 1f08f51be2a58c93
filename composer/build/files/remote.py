"""What is not on this machine yet: ADD's addresses and repositories, and build contexts that are remote or archives.

A context may be a git repository, the address of an archive or of a single Dockerfile, or an archive at hand
<https://docs.docker.com/build/concepts/context/>. Everything is kept below one directory and used again while it is current.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

from composer.build.files.archive import is_archive, looks_like_archive
from composer.build.files.contents import ContentCache
from composer.build.files.context import open_directory
from composer.build.files.download import Download, Downloads
from composer.build.files.failures import FilesError, Reason, shown
from composer.build.files.git import Checkout, GitAccess, Repositories
from composer.build.files.git_reference import GitReference, parse_git
from composer.build.files.select import select
from composer.build.files.selection import Item, Selection, digest_of
from composer.build.files.target import Target
from composer.build.files.unpack import unpack
from composer.clock import Clock
from composer.image.ownership import Ownership
from composer.image.removal import discard
from composer.image.staging import staging
from composer.registry.access import Access
from composer.registry.transport import Transport, redacted

_LARGEST_DOCKERFILE = 1 << 24
_CHUNK = 1 << 20
_MARKS = ".used"
"""A directory of empty files, by what they are about; their time is that of its last use."""


@dataclass(frozen=True, slots=True)
class RemoteContext:
    """A context that is a directory now, to be opened with `open_context`."""

    directory: Path
    dockerfile: str | None = None
    """The Dockerfile itself, where the address led to nothing else."""


class Remotes:
    """Fetches what builds name; one for all of them. Coroutines run on the event loop, files are written in threads."""

    def __init__(
        self, root: Path, contents: ContentCache, ownership: Ownership, transport: Transport, clock: Clock
    ) -> None:
        self._root = root
        self._contents = contents
        self._ownership = ownership
        self._downloads = Downloads(root / "downloads", transport, clock)
        self._repositories = Repositories(root / "git")

    async def add(
        self,
        source: str,
        access: Access,
        git: GitAccess,
        *,
        checksum: str = "",
        keep_git_dir: bool | None = None,
        unpack: bool = False,
        excludes: tuple[str, ...] = (),
    ) -> Selection:
        """What ADD's `source`, an address or a git repository, is now. Raises FilesError."""
        reference = parse_git(source)
        if reference is not None:
            reference = _agreed(source, reference, checksum, keep_git_dir)
            checkout = await self._repositories.checkout(reference, git, keep_git_dir=bool(reference.keep_git_dir))
            return await asyncio.to_thread(self._of_checkout, reference, checkout, excludes)
        download = await self._downloads.fetch(source, access, checksum)
        return await asyncio.to_thread(self._of_download, download, unpack)

    def size(self) -> int:
        """Bytes of all that was fetched. Blocks."""
        return sum(path.lstat().st_blocks * 512 for path in self._root.rglob("*"))

    def forget(self, unused_since: float) -> int:
        """Delete what no build used since then (seconds since the epoch); the bytes freed. Not while a build runs. Blocks."""
        before = self.size()
        for kept in self._kept():
            mark = kept.parent / _MARKS / kept.name
            if not mark.exists() or mark.stat().st_mtime < unused_since:
                discard(kept)
                mark.unlink(missing_ok=True)
        return before - self.size()

    def _kept(self) -> list[Path]:
        """Everything that can go by itself."""
        places = [self._downloads.files, self._root / "git", self._root / "contexts"]
        return [
            path
            for place in places
            if place.is_dir()
            for path in place.iterdir()
            if not path.name.startswith(".") and path.name != "known_hosts"
        ]

    async def context(self, source: str, access: Access, git: GitAccess, checksum: str = "") -> RemoteContext:
        """The context in a git repository or at an address, which must give what `checksum` says. Raises FilesError."""
        reference = parse_git(source, context=True)
        if reference is not None:
            checkout = await self._repositories.checkout(reference, git, keep_git_dir=bool(reference.keep_git_dir))
            return await asyncio.to_thread(self._inside, source, checkout.directory, reference.directory)
        download = await self._downloads.fetch(source, access, checksum)
        path = self._downloads.files / download.content
        return await asyncio.to_thread(self._of_file, path, download.content, source)

    def archive(self, path: Path) -> RemoteContext:
        """The context that the archive at `path` holds. Blocks. Raises FilesError."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while data := file.read(_CHUNK):
                    digest.update(data)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise FilesError(Reason.MISSING, f"`{shown(str(path))}`: {reason}", path=str(path)) from error
        return self._of_file(path, digest.hexdigest(), str(path))

    def data(self, data: bytes, name: str = "-") -> RemoteContext:
        """The context that `data` is: an archive, or a Dockerfile alone. Blocks. Raises FilesError."""
        return self._of_stream(io.BufferedReader(io.BytesIO(data)), hashlib.sha256(data).hexdigest(), name)

    def _of_file(self, path: Path, digest: str, name: str) -> RemoteContext:
        with path.open("rb") as file:
            return self._of_stream(file, digest, name)

    def _of_stream(self, file: io.BufferedReader, digest: str, name: str) -> RemoteContext:
        archive = looks_like_archive(file)
        file.seek(0)
        if archive:
            return RemoteContext(self._unpacked(file, digest))
        text = file.read(_LARGEST_DOCKERFILE + 1)
        if len(text) > _LARGEST_DOCKERFILE or b"\0" in text:
            where = redacted(name) if "://" in name else shown(name)
            raise FilesError(Reason.ARCHIVE, f"`{where}`: is neither an archive nor a Dockerfile", path=name)
        return RemoteContext(self._empty(), text.decode("utf-8", "surrogateescape"))

    def _unpacked(self, file: io.BufferedReader, digest: str) -> Path:
        made = self._root / "contexts" / digest
        if made.is_dir():
            return _used(made)
        made.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _used(made)
        with staging(made.parent) as directory:
            tree = directory / "tree"
            tree.mkdir(mode=0o755)
            with Target(tree, (), self._ownership) as target:
                unpack(file, target, "")
            with contextlib.suppress(OSError):  # somebody else was quicker
                tree.rename(made)
        return made

    def _empty(self) -> Path:
        empty = self._root / "contexts" / "empty"
        empty.mkdir(mode=0o755, parents=True, exist_ok=True)
        return empty

    def _inside(self, source: str, checkout: Path, directory: str) -> RemoteContext:
        """A directory of a checkout, links followed inside it."""
        _used(checkout)
        resolved = open_directory(checkout, self._contents, name=f"`{redacted(source)}`").resolve(directory)
        if resolved.entry is None or not resolved.entry.is_directory:
            message = f"`{shown(redacted(source))}`: has no directory `{shown(directory)}`"
            raise FilesError(Reason.MISSING, message, path=source)
        return RemoteContext(checkout / resolved.path)

    def _of_checkout(self, reference: GitReference, checkout: Checkout, excludes: tuple[str, ...]) -> Selection:
        tree = open_directory(_used(checkout.directory), self._contents, name=f"`{redacted(reference.remote)}`")
        selection = select(tree, [reference.directory or "."], excludes=excludes)
        # `.git` holds times and inodes: its content differs from one checkout to the next.
        key = f"{checkout.key}\n{reference.directory}\n{excludes}" if reference.keep_git_dir else ""
        return replace(selection, digest=_digest(key)) if key else selection

    def _of_download(self, download: Download, unpack: bool) -> Selection:
        files = self._downloads.files
        tree = open_directory(files, self._contents, name="the downloads")
        _used(files / download.content)
        item = Item(download.name, download.content, download.entry(files))
        items = (replace(item, archive=is_archive(tree, item)) if unpack else item,)
        return Selection(items, tree, digest_of(items, owners=True))


def _used(path: Path) -> Path:
    """Note that something is of use: its own times mean something else."""
    mark = path.parent / _MARKS / path.name
    mark.parent.mkdir(mode=0o700, exist_ok=True)
    mark.touch()
    return path


def _agreed(source: str, reference: GitReference, checksum: str, keep_git_dir: bool | None) -> GitReference:
    """The reference with what the instruction says of it; both must agree."""
    if checksum and reference.checksum and checksum != reference.checksum:
        message = f"`{shown(redacted(source))}`: `--checksum={checksum}` and its own {reference.checksum} differ"
        raise FilesError(Reason.CHECKSUM, message, path=source)
    if keep_git_dir is not None and reference.keep_git_dir not in (None, keep_git_dir):
        message = f"`{shown(redacted(source))}`: `--keep-git-dir` and its own query differ"
        raise FilesError(Reason.FETCH, message, path=source)
    kept = reference.keep_git_dir if reference.keep_git_dir is not None else keep_git_dir
    return replace(reference, checksum=checksum or reference.checksum, keep_git_dir=kept)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
