"""One blob into a repository.

Distribution specification, "Push" <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>: what is there
is not sent; what another repository of the registry has is mounted from it; small blobs go in one request, large ones in
chunks, so that a connection that breaks off costs no more than one of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from composer.errors import RegistryError
from composer.oci.descriptor import Descriptor
from composer.registry.progress import LayerProgress, Phase, Report
from composer.registry.repository import Repository
from composer.registry.retry import Patience, persistently
from composer.registry.transport import Answer
from composer.unbroken import unbroken

CHUNK = 32 << 20
"""Blobs larger than this are sent in pieces of it, unless the registry wants larger ones."""
_STEP = 1 << 20
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class Upload:
    """Puts blobs into `target`; `others` are repositories of the same registry that may have them already."""

    def __init__(self, target: Repository, others: Sequence[str], chunk: int = CHUNK) -> None:
        self._target = target
        self._connection = target.connection
        self._others = tuple(others)
        self._chunk = chunk

    async def blob(self, blob: Descriptor, path: Path, report: Report) -> None:
        """Have the content of `path` in the repository. Raises RegistryError where it does not get there."""

        def tell(phase: Phase, current: int) -> None:
            report(LayerProgress(blob.digest, phase, current, blob.size))

        tell(Phase.WAITING, 0)
        if await persistently(self._connection.clock, lambda: self._is_there(blob)):
            tell(Phase.PRESENT, blob.size)
            return
        location = await persistently(self._connection.clock, lambda: self._begin(blob))
        if location:
            if blob.size <= self._chunk:
                await self._whole(blob, path, location, tell)
            else:
                await self._in_chunks(blob, path, location, tell)
        tell(Phase.PUSHED, blob.size)

    async def _is_there(self, blob: Descriptor) -> bool:
        async with self._connection.send(
            "HEAD",
            self._target.path(f"blobs/{blob.digest}"),
            scopes=self._target.scopes,
            expect=frozenset({200, 404}),
        ) as answer:
            return answer.status == 200

    async def _begin(self, blob: Descriptor) -> str:
        """Where to send the content; empty where the registry had it in another repository."""
        for other in (*self._others, ""):
            query = f"?{urlencode({'mount': str(blob.digest), 'from': other})}" if other else ""
            scopes = (*self._target.scopes, *((f"repository:{other}:pull",) if other else ()))
            async with self._connection.send(
                "POST",
                self._target.path(f"blobs/uploads/{query}"),
                scopes=scopes,
                headers={"Content-Length": "0"},
                # A registry that does not let us read the other repository is asked again without it.
                expect=frozenset({201, 202, 401, 403}) if other else frozenset({202}),
            ) as answer:
                if answer.status == 201:
                    return ""
                if answer.status == 202:
                    return self._location(answer)
        raise AssertionError("unreachable: without another repository only 202 is expected")

    async def _whole(self, blob: Descriptor, path: Path, location: str, tell: Callable[[Phase, int], None]) -> None:
        """One request with everything; another attempt is another upload."""
        patience = Patience(self._connection.clock)
        while True:
            try:
                body = _part(path, 0, blob.size, lambda reached: tell(Phase.UPLOADING, reached))
                await self._finish(blob, location, body, blob.size)
                return
            except RegistryError as error:
                await patience.after(error)
                location = await self._begin_without_mounting()

    async def _in_chunks(self, blob: Descriptor, path: Path, location: str, tell: Callable[[Phase, int], None]) -> None:
        patience = Patience(self._connection.clock)
        start = 0
        while start < blob.size:
            length = min(self._chunk, blob.size - start)
            try:
                body = _part(path, start, length, lambda reached: tell(Phase.UPLOADING, reached))
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(length),
                    "Content-Range": f"{start}-{start + length - 1}",
                }
                async with self._connection.send(
                    "PATCH", location, scopes=self._target.scopes, headers=headers, body=body, expect=frozenset({202})
                ) as answer:
                    location = self._location(answer)
                    start += length
                patience.progressed()
            except RegistryError as error:
                await patience.after(error)
                location, start = await persistently(self._connection.clock, partial(self._reached, location))
        await self._finish(blob, location, b"", 0)

    async def _reached(self, location: str) -> tuple[str, int]:
        """Where an upload goes on after something broke off, and with which byte."""
        async with self._connection.send(
            "GET", location, scopes=self._target.scopes, expect=frozenset({204, 404})
        ) as answer:
            if answer.status == 404:
                return await self._begin_without_mounting(), 0
            match = _RANGE.fullmatch(answer.headers.get("Range", ""))
            last = int(match[1]) if match else 0
            # An upload without content yet says `0-0`, as one with a single byte does: that byte is sent again then.
            return self._location(answer), last + 1 if last else 0

    async def _begin_without_mounting(self) -> str:
        async with self._connection.send(
            "POST",
            self._target.path("blobs/uploads/"),
            scopes=self._target.scopes,
            headers={"Content-Length": "0"},
            expect=frozenset({202}),
        ) as answer:
            return self._location(answer)

    async def _finish(self, blob: Descriptor, location: str, body: AsyncIterator[bytes] | bytes, length: int) -> None:
        separator = "&" if urlsplit(location).query else "?"
        async with self._connection.send(
            "PUT",
            f"{location}{separator}{urlencode({'digest': str(blob.digest)})}",
            scopes=self._target.scopes,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
            body=body,
            expect=frozenset({201}),
        ):
            pass

    def _location(self, answer: Answer) -> str:
        """Where an answer says to go on. Raises RegistryError for another host: our credentials are not for that."""
        location = answer.headers.get("Location", "")
        here = self._connection.url(self._target.path("blobs/uploads/"))
        there = urljoin(here, location)
        if not location or urlsplit(there)[:2] != urlsplit(here)[:2]:
            raise RegistryError(
                f"{self._connection.what}: `{self._connection.endpoint.registry}` wants the content somewhere else"
            )
        return there


async def _part(path: Path, start: int, length: int, tell: Callable[[int], None]) -> AsyncIterator[bytes]:
    """A part of a file, piece by piece; read in threads, since it may come from a slow disk."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        sent = 0
        while sent < length:
            # Not given up while it reads: the number of a closed file may be another one's, whose content it would take.
            data = await unbroken(file.read, min(_STEP, length - sent))
            if not data:
                raise RegistryError(f"cannot read `{path}`: it is shorter than it was")
            yield data
            sent += len(data)
            tell(start + sent)
