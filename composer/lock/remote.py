"""What URLs and git repositories mean now, as a build would fetch them: by a checksum, by a commit. Nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from composer.build.files.contents import ContentCache
from composer.build.files.download import Downloads
from composer.build.files.failures import FilesError
from composer.build.files.git import GitAccess, Repositories
from composer.build.files.git_reference import parse_git
from composer.build.files.remote import RemoteContext, Remotes
from composer.build.pinned import at_commit
from composer.clock import Clock, SystemClock
from composer.errors import ComposerError
from composer.image.ownership import Ownership
from composer.lock.model import LockedCommit, LockedDownload
from composer.oci.digest import Digest
from composer.registry.access import Access
from composer.registry.transport import HttpTransport, Transport

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
async def brought(url: str, entry: LockedCommit | LockedDownload, access: Access) -> AsyncIterator[RemoteContext]:
    """The context that `url` means as it is locked, while this lasts. Raises ComposerError where it brings something else."""
    place = at_commit(url, entry.commit) if isinstance(entry, LockedCommit) else url
    checksum = str(entry.checksum) if isinstance(entry, LockedDownload) else ""
    transport = HttpTransport()
    with TemporaryDirectory(prefix="composer-lock-") as name:
        contents = ContentCache(Path(name, "contents.db"))
        remotes = Remotes(Path(name), contents, Ownership.of_this_process(), transport, SystemClock())
        try:
            yield await remotes.context(place, access, _git(access), checksum)
        except FilesError as error:
            raise ComposerError(f"cannot lock {error.message}", hint=error.hint or _HINT) from error
        finally:
            await transport.close()
            contents.close()


def _git(access: Access) -> GitAccess:
    environment = access.environment
    return GitAccess(environment, environment.get("GIT_AUTH_TOKEN", ""), environment.get("SSH_AUTH_SOCK", ""))
