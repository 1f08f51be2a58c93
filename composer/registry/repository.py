"""One repository at one endpoint: its manifests and blobs, as they come.

Distribution specification, "Pull" <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>. What comes
back is checked against the digest it was asked by; a blob's content is checked by whoever reads it to the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from composer.errors import ImageError, RegistryError
from composer.oci import media_types
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.fields import MAX_DOCUMENT
from composer.oci.reference import Reference
from composer.registry.connection import Connection
from composer.registry.retry import persistently
from composer.registry.transport import Answer

_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
_ACCEPT = ", ".join(
    (
        media_types.OCI_INDEX,
        media_types.OCI_MANIFEST,
        media_types.DOCKER_MANIFEST_LIST,
        media_types.DOCKER_MANIFEST,
    )
)


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as the registry sent it."""

    descriptor: Descriptor
    data: bytes


class Repository:
    """The repository of `reference` behind `connection`."""

    def __init__(self, connection: Connection, reference: Reference, actions: str = "pull") -> None:
        self.connection = connection
        self._name = connection.endpoint.prefix + reference.repository
        self._what = connection.what
        self.scopes = (f"repository:{self._name}:{actions}",)
        """What a token for all of this repository's requests is good for."""

    def path(self, rest: str) -> str:
        """The path of something of this repository."""
        return f"/v2/{self._name}/{rest}"

    async def resolve(self, reference: Reference) -> Digest | None:
        """The digest behind a tag, without its content; None where the registry does not tell."""

        async def ask() -> Digest | None:
            async with self.connection.send(
                "HEAD",
                self._manifest(reference),
                scopes=self.scopes,
                headers={"Accept": _ACCEPT},
                expect=frozenset({200, 405, 501}),  # not every one knows HEAD
            ) as answer:
                return _told_digest(answer)

        return await persistently(self.connection.clock, ask)

    async def manifest(self, reference: Reference) -> Document:
        """The manifest or index behind a tag or digest. Raises RegistryError where it is not what it should be."""

        async def ask() -> Document:
            async with self.connection.send(
                "GET", self._manifest(reference), scopes=self.scopes, headers={"Accept": _ACCEPT}
            ) as answer:
                data = await answer.read(MAX_DOCUMENT + 1)
                return self._document(reference, data, answer)

        return await persistently(self.connection.clock, ask)

    async def put(self, reference: Reference, media_type: str, data: bytes) -> Digest:
        """Store a manifest whose blobs are there, under a tag or its digest; its digest."""
        digest = Digest.of(data)

        async def ask() -> None:
            async with self.connection.send(
                "PUT",
                self._manifest(reference),
                scopes=self.scopes,
                headers={"Content-Type": media_type},
                body=data,
                expect=frozenset({201}),
            ) as answer:
                told = _told_digest(answer)
            if told not in (None, digest):
                registry = self.connection.endpoint.registry
                raise RegistryError(f"{self._what}: `{registry}` stored the manifest as {told} instead of {digest}")

        await persistently(self.connection.clock, ask)
        return digest

    @asynccontextmanager
    async def blob(self, digest: Digest, start: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """The content of a blob from byte `start` on, whether or not the registry can begin in the middle."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        path = self.path(f"blobs/{digest}")
        async with self.connection.send(
            "GET", path, scopes=self.scopes, headers=headers, expect=frozenset({200, 206})
        ) as answer:
            if answer.status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise RegistryError(
                    f"{self._what}: `{self.connection.endpoint.registry}` sent another part of {digest}"
                )
            yield _skipping(answer.chunks(), start if answer.status == 200 else 0)

    async def document(self, descriptor: Descriptor) -> bytes:
        """A config. Raises RegistryError where its content is not what its digest and size say."""
        what, registry = self.connection.what, self.connection.endpoint.registry
        if descriptor.size > MAX_DOCUMENT:
            raise ImageError(f"{what}: its config would be larger than {MAX_DOCUMENT} bytes")

        async def ask() -> bytes:
            data = bytearray()
            async with self.blob(descriptor.digest) as chunks:
                async for chunk in chunks:
                    data += chunk
                    if len(data) > descriptor.size:
                        break
            if Digest.of(bytes(data)) != descriptor.digest or len(data) != descriptor.size:
                raise RegistryError(
                    f"{what}: for config {descriptor.digest} `{registry}` sent something else",
                    code="DIGEST_INVALID",
                    retryable=True,
                )
            return bytes(data)

        return await persistently(self.connection.clock, ask)

    def _manifest(self, reference: Reference) -> str:
        return self.path(f"manifests/{reference.digest or reference.tag}")

    def _document(self, reference: Reference, data: bytes, answer: Answer) -> Document:
        registry = self.connection.endpoint.registry
        if len(data) > MAX_DOCUMENT:
            raise RegistryError(
                f"{self._what}: the manifest that `{registry}` sent is larger than {MAX_DOCUMENT} bytes"
            )
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type in _SCHEMA_1:
            raise RegistryError(
                f"{self._what}: `{registry}` has it in Docker's schema 1 only, which carries no digests to verify",
                hint="push it again with a newer tool",
            )
        if media_type not in media_types.INDEXES | media_types.MANIFESTS:
            raise RegistryError(
                f"{self._what}: `{registry}` sent `{media_type or 'nothing of a type'}` instead of a manifest"
            )
        descriptor = Descriptor.of(media_type, data)
        told = reference.digest or _told_digest(answer)
        if told and told != descriptor.digest:
            error = RegistryError(
                f"{self._what}: `{registry}` sent a manifest with the digest {descriptor.digest} for {told}",
                code="DIGEST_INVALID",
                retryable=True,  # what was mangled on its way is not the next time
            )
            raise error
        return Document(descriptor, data)


async def _skipping(chunks: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:] if count else chunk
        count = max(count - len(chunk), 0)


def _told_digest(answer: Answer) -> Digest | None:
    try:
        return Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
    except ImageError:
        return None
