"""What a build has to use for names that could mean anything by tomorrow: digests, checksums and commits that were locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from composer.build.files.failures import FilesError
from composer.build.files.git_reference import parse_git
from composer.errors import ImageError
from composer.oci.digest import Digest
from composer.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Pinned:
    """All that is locked; without any, names mean what the store, registries and servers say."""

    images: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)
    """By complete reference: what the image may be found by in the store; the first is what is pulled."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """`sha256:…` of downloads, by URL."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """Of git repositories, by URL with its fragment."""
    strict: bool = False
    """Whether what is not locked is refused."""

    def image(self, reference: Reference) -> tuple[Digest, ...]:
        """The digests of an image; none where it is not locked. Raises ImageError where it had to be."""
        digests = self.images.get(str(reference), ())
        if not digests:
            self._check(reference.familiar())
        return digests

    def remote(self, url: str, checksum: str = "") -> tuple[str, str]:
        """The URL to fetch and the checksum to expect; `checksum` is the Dockerfile's own. Raises as `image` does."""
        if url in self.commits:
            return at_commit(url, self.commits[url]), checksum
        if not checksum and url not in self.checksums:
            self._check(url)
        return url, checksum or self.checksums.get(url, "")

    def context(self, url: str) -> str:
        """The checksum to expect of the archive or Dockerfile that a context is at `url`; "" for any."""
        return self.checksums.get(url, "")

    def _check(self, name: str) -> None:
        if self.strict:
            raise ImageError(f"cannot use `{name}`: compose.lock has nothing for it", hint="`compose lock` adds it")


def at_commit(url: str, commit: str) -> str:
    """The URL of the same repository and directory at a commit; one that is no such URL stays, for the fetch to refuse."""
    try:
        reference = parse_git(url, context=True)
    except FilesError:
        return url
    return str(replace(reference, ref=commit)) if reference else url
