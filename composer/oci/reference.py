"""Image references: `redis`, `ghcr.io/owner/app:1.2`, `debian@sha256:...`.

The grammar is that of the distribution project, and short names are completed as Docker does it: a first component
without `.`, `:` or capitals, other than `localhost`, is no registry, the registry is then `docker.io`, a repository
there without a slash lies in `library/`, and without tag or digest the tag is `latest`.
<https://pkg.go.dev/github.com/distribution/reference>
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from composer.errors import ImageError
from composer.oci.digest import Digest

DEFAULT_REGISTRY = "docker.io"
_OFFICIAL = "library/"

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A complete reference: `tag` or `digest` or both are set. With both, the digest decides."""

    registry: str
    repository: str
    tag: str | None = "latest"
    digest: Digest | None = None

    def __str__(self) -> str:
        return self.name + self._suffix(self.tag)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    def familiar(self) -> str:
        """The shortest spelling that means the same, as people write it; `:latest` is left out."""
        spellings = (self.repository.removeprefix(_OFFICIAL), self.repository, self.name)
        whole = (self.registry, self.repository)
        name = next(spelling for spelling in spellings if _split_registry(spelling) == whole)
        return name + self._suffix(self.tag if self.tag != "latest" or self.digest else None)

    def _suffix(self, tag: str | None) -> str:
        return (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """The reference that `text` means. Raises ImageError, saying which part is wrong."""
    rest, at, digest_text = text.partition("@")
    digest = Digest.parse(digest_text) if at else None
    scheme, colons, address = text.partition("://")
    if colons:
        raise _invalid(text, f"it begins with `{scheme}://`", f"leave that out: `{address}`")
    # A colon belongs to a tag only behind the last slash; before it, it is a port.
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    registry, repository = _split_registry(head + slash + last)
    if colon and not _TAG.fullmatch(tag):
        hint = "" if tag else "leave the colon out, or write a tag behind it"
        raise _invalid(text, f"`{tag}` is no tag (letters, digits, `_`, `.` and `-`, at most 128)", hint)
    if not _REGISTRY.fullmatch(registry):
        raise _invalid(text, f"`{registry}` is no registry")
    if not repository:
        raise _invalid(text, "the repository is missing")
    if not _REPOSITORY.fullmatch(repository):
        lower = repository.lower()
        hint = f"write it in lower case: `{lower}`" if _REPOSITORY.fullmatch(lower) else ""
        raise _invalid(text, f"`{repository}` is no repository name", hint)
    if len(repository) > 255:
        raise _invalid(text, "the repository is longer than 255 characters")
    if _IDENTIFIER.fullmatch(rest):
        raise _invalid(text, "64 hexadecimal digits would be an image id, not a name")
    return Reference(registry, repository, tag if colon else None if digest else "latest", digest)


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        first, rest = DEFAULT_REGISTRY, name
    if first == "index.docker.io":
        first = DEFAULT_REGISTRY
    if first == DEFAULT_REGISTRY and rest and "/" not in rest:
        rest = _OFFICIAL + rest
    return first, rest


def _invalid(text: str, why: str, hint: str = "") -> ImageError:
    return ImageError(f"cannot use `{text}` as an image reference: {why}", hint=hint)
