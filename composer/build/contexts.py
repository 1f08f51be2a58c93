"""What a build reads that is no step's: its contexts, the Dockerfile in them, and what ADD fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from composer.build.dockerfile.instructions import Dockerfile
from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.stages import context_name
from composer.build.files import (
    ContentCache,
    GitAccess,
    RemoteContext,
    Remotes,
    Selection,
    Tree,
    open_context,
    parse_git,
)
from composer.build.lower import IMAGE_CONTEXTS
from composer.build.operations import Part
from composer.build.options import BuildOptions
from composer.build.pinned import Pinned
from composer.clock import Clock
from composer.errors import UsageError
from composer.image.ownership import Ownership
from composer.registry.access import Access
from composer.registry.transport import HttpTransport

_TOKEN = "GIT_AUTH_TOKEN"

_KEEP_GIT_DIRECTORY = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"


class Sources:
    """Opens and fetches; one for the whole engine."""

    def __init__(self, directory: Path, ownership: Ownership, clock: Clock) -> None:
        """What was fetched, and what is known of files, is kept below `directory`."""
        self.contents = ContentCache(directory / "contents.db")
        self._transport = HttpTransport()
        self.remotes = Remotes(directory / "remote", self.contents, ownership, self._transport, clock)

    async def of(self, options: BuildOptions) -> BuildSources:
        """Those of one build; its own context is a directory then. Raises FilesError and UsageError."""
        reach = await asyncio.to_thread(_Reach.of, options)
        kept = options.args.get(_KEEP_GIT_DIRECTORY, "").lower() in ("1", "true")
        place = with_git_directory(options.context) if kept else options.context
        context = await opened(place, self.remotes, reach, options.pinned)
        return BuildSources(options, self.remotes, self.contents, reach, context)

    async def disconnect(self) -> None:
        """Let go of servers; the next build connects again."""
        await self._transport.close()

    async def close(self) -> None:
        """Let go of everything."""
        await self._transport.close()
        self.contents.close()


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a user has towards servers that a build asks."""

    access: Access
    git: GitAccess

    @classmethod
    def of(cls, options: BuildOptions) -> _Reach:
        """As the build's options say; the user's own files are read. Raises UsageError where they cannot be."""
        token = options.secrets.get(_TOKEN)
        text = token().decode("utf-8", "replace").strip() if token else ""
        git = GitAccess(options.surroundings, text, options.ssh.get("default", ""))
        return cls(Access.of(options.surroundings), git)


@dataclass(frozen=True, slots=True)
class BuildSources:
    """What one build reads."""

    options: BuildOptions
    remotes: Remotes
    contents: ContentCache
    reach: _Reach
    context: RemoteContext

    def dockerfile(self) -> Dockerfile:
        """The Dockerfile. Blocks. Raises BuildError for one that is wrong, UsageError for one that cannot be read."""
        options = self.options
        if options.dockerfile_text is not None:
            return parse(options.dockerfile_text, options.dockerfile)
        if self.context.dockerfile is not None:
            return parse(self.context.dockerfile, options.dockerfile)
        directory = self.context.directory
        path = directory / options.dockerfile
        try:
            return parse(path.read_bytes(), str(path))
        except FileNotFoundError:
            where = "there is no such directory" if not directory.is_dir() else "there is no such file"
            raise UsageError(
                f"cannot read the Dockerfile `{path}`: {where}", hint="check `build.context` and `build.dockerfile`"
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"cannot read the Dockerfile `{path}`: {reason}") from error

    async def trees(self, *, anew: bool = False) -> Mapping[str, Tree]:
        """The contexts by name in small letters; "" is the build's own. `anew`, whoever has seen them. Raises FilesError."""
        named = {
            name: await opened(place, self.remotes, self.reach, self.options.pinned)
            for name, place in self.options.contexts.items()
            if not place.startswith(IMAGE_CONTEXTS)
        }
        return await asyncio.to_thread(self._trees, named, {} if anew else self.options.trees)

    def _trees(self, named: Mapping[str, RemoteContext], seen: Mapping[str, Tree]) -> Mapping[str, Tree]:
        options, directory = self.options, self.context.directory
        dockerfile = None if options.dockerfile_text is not None else directory / options.dockerfile
        trees = {"": seen.get("") or open_context(directory, self.contents, dockerfile=dockerfile)}
        for name, found in named.items():
            key = context_name(name)
            trees[key] = seen.get(key) or open_context(found.directory, self.contents, name=f"the context `{name}`")
        return trees

    async def fetch(self, part: Part, excludes: tuple[str, ...]) -> Selection:
        """What an ADD of something remote gives. Raises FilesError."""
        source = part.source
        return await self.remotes.add(
            source.name,
            self.reach.access,
            self.reach.git,
            checksum=source.checksum,
            keep_git_dir=source.keep_git_dir,
            unpack=part.unpack,
            excludes=excludes,
        )


def with_git_directory(place: str) -> str:
    """A context's place with `.git` kept, if it is a git repository; one that says itself whether it is stays as it is."""
    reference = parse_git(place, context=True)
    if reference is None or reference.keep_git_dir is not None:
        return place
    address, sharp, fragment = place.partition("#")
    return f"{address}{'&' if '?' in address else '?'}keep-git-dir=1{sharp}{fragment}"


async def opened(place: str, remotes: Remotes, reach: _Reach, pinned: Pinned) -> RemoteContext:
    """A context as a directory. Raises FilesError, also for an archive that is not the one that is locked."""
    if "://" in place or (not place.startswith("/") and parse_git(place, context=True) is not None):
        return await remotes.context(place, reach.access, reach.git, pinned.context(place))
    path = Path(place)
    if path.is_file():
        return await asyncio.to_thread(remotes.archive, path)
    return RemoteContext(path)
