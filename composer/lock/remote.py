"""What URLs and git repositories mean now, as a build would fetch them: by a checksum, by a commit. Nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from composer.build.files.download import Downloads
from composer.build.files.failures import FilesError
from composer.build.files.git import GitAccess, Repositories
from composer.build.files.git_reference import parse_git
from composer.clock import Clock
from composer.errors import ComposerError
from composer.oci.digest import Digest
from composer.registry.access import Access
from composer.registry.transport import Transport

_HINT = "check the URL and the network; `ADD --checksum=sha256:…` in the Dockerfile needs nobody to be asked"


async def checksum_of(url: str, access: Access, transport: Transport, clock: Clock) -> Digest:
    """The checksum of what `url` brings now. Raises ComposerError where it brings nothing."""
    with TemporaryDirectory(prefix="composer-lock-") as directory:
        try:
            download = await Downloads(Path(directory), transport, clock).fetch(url, access)
        except FilesError as error:
            raise ComposerError(f"cannot lock {error.message}", hint=error.hint or _HINT) from error
    return Digest("sha256", download.content)


async def commit_of(url: str, access: Access) -> str:
    """The commit that `url` means now. Raises ComposerError: no git, a repository that does not answer, no such ref."""
    with TemporaryDirectory(prefix="composer-lock-") as directory:
        try:
            reference = parse_git(url, context=True)
            if reference is None:
                raise ComposerError(f"cannot lock `{url}`: it is no git repository")
            return await Repositories(Path(directory)).resolve(reference, _git(access))
        except FilesError as error:
            raise ComposerError(f"cannot lock {error.message}", hint=error.hint) from error


@asynccontextmanager
async def checked_out(url: str, commit: str, access: Access) -> AsyncIterator[Path]:
    """The directory that `url` means at a commit, while the context lasts. Raises ComposerError as `commit_of` does."""
    with TemporaryDirectory(prefix="composer-lock-") as directory:
        try:
            reference = parse_git(url, context=True)
            if reference is None:
                raise ComposerError(f"cannot lock `{url}`: it is no git repository")
            found = await Repositories(Path(directory)).checkout(replace(reference, ref=commit), _git(access))
        except FilesError as error:
            raise ComposerError(f"cannot lock {error.message}", hint=error.hint) from error
        tree = found.directory.resolve()
        inside = (tree / reference.directory).resolve()
        if not inside.is_relative_to(tree):
            raise ComposerError(f"cannot lock `{url}`: `{reference.directory}` leads out of the repository")
        yield inside


def _git(access: Access) -> GitAccess:
    environment = access.environment
    return GitAccess(environment, environment.get("GIT_AUTH_TOKEN", ""), environment.get("SSH_AUTH_SOCK", ""))
