"""Files from http and https addresses, kept by content: what has not changed is not sent again.

A checksum that is known beforehand needs no request at all once the content is here; otherwise the server is asked with
`If-None-Match` and `If-Modified-Since` (RFC 9110, 13.1). What comes is the file as it is: mode 600, root's, its time that of
`Last-Modified` or the epoch, as BuildKit has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from posixpath import basename
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from composer import __version__
from composer.build.files.entry import Entry
from composer.build.files.failures import FilesError, Reason, shown, while_writing
from composer.clock import Clock
from composer.errors import RegistryError
from composer.image.staging import staging
from composer.registry.access import Access
from composer.registry.failures import RETRYABLE_STATUSES, seconds_to_wait
from composer.registry.retry import persistently
from composer.registry.transport import Answer, Transport, redacted

LARGEST = 64 << 30
_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_UNNAMED = "__unnamed__"
_ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was fetched."""

    content: str
    """SHA-256, in hexadecimal; also its name in the directory of downloads."""
    size: int
    name: str
    """From the address; `__unnamed__` where that has none."""
    mtime: int = 0
    """Seconds since the epoch."""
    etag: str = ""
    last_modified: str = ""

    def entry(self, directory: Path) -> Entry:
        """It as a source of a copy."""
        status = (directory / self.content).stat()
        mtime = self.mtime * 1_000_000_000
        return Entry(stat.S_IFREG | 0o600, 0, 0, mtime, status, content=bytes.fromhex(self.content))


class Downloads:
    """What was fetched, below `root`; contents in `files`."""

    def __init__(self, root: Path, transport: Transport, clock: Clock, most: int = LARGEST) -> None:
        """Nothing larger than `most` bytes is taken."""
        self.files = root / "files"
        self._records = root / "addresses"
        self._transport = transport
        self._clock = clock
        self._most = most

    async def fetch(self, url: str, access: Access, checksum: str = "") -> Download:
        """The file at `url`, with the content that `checksum` (`sha256:…`) demands.

        Raises FilesError: no such file, a server that is not reached, another checksum, too large, a full disk.
        """
        _check_algorithm(url, checksum)
        record = self._records / hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()
        known = self._known(record)
        if known and checksum == f"sha256:{known.content}":
            return known
        try:
            return await persistently(self._clock, lambda: self._attempt(url, access, checksum, record, known))
        except RegistryError as error:
            raise FilesError(
                Reason.FETCH, f"`{redacted(url)}`: {_without(error.message, url)}", path=url, hint=error.hint
            ) from error
        except OSError as error:
            raise while_writing(redacted(url), error) from error

    def _known(self, record: Path) -> Download | None:
        try:
            known = Download(**json.loads(record.read_text()))
            return known if (self.files / known.content).stat().st_size == known.size else None
        except (OSError, ValueError, TypeError):
            return None

    async def _attempt(self, url: str, access: Access, checksum: str, record: Path, known: Download | None) -> Download:
        headers = {"User-Agent": f"composer/{__version__}", "Accept-Encoding": "identity"}
        if known and not checksum:
            headers |= {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.last_modified} if known.last_modified else {}
        async with AsyncExitStack() as stack:
            answer = await self._follow(stack, url, headers, access)
            if answer.status == 304 and known:
                return known
            if answer.status != 200:
                raise _refused(answer)
            download = await self._take(url, answer, checksum)
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = record.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(download)))
        temporary.replace(record)
        return download

    async def _follow(self, stack: AsyncExitStack, url: str, headers: dict[str, str], access: Access) -> Answer:
        """The first answer that is no redirect. A password in the address is for its own host only."""
        for _ in range(_MOST_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise RegistryError(f"leads to `{redacted(url)}`, which is neither http nor https")
            sent = dict(headers)
            if parts.username is not None:
                pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                sent["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
            request = self._transport.request("GET", plain, sent, proxy=access.proxy(plain))
            answer = await stack.enter_async_context(request)
            location = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            try:
                url = urljoin(plain, location)
            except ValueError as error:
                raise RegistryError("sends us on to what is no address") from error
        raise RegistryError("sends us in circles")

    async def _take(self, url: str, answer: Answer, checksum: str) -> Download:
        hashed, size = hashlib.sha256(), 0
        algorithm, _, wanted = checksum.partition(":")
        other = hashlib.new(algorithm) if checksum and algorithm != "sha256" else hashed
        self.files.mkdir(mode=0o700, parents=True, exist_ok=True)
        with staging(self.files) as directory:
            path = directory / "file"
            with path.open("wb") as file:
                async for chunk in answer.chunks():
                    size += len(chunk)
                    if size > self._most:
                        raise FilesError(
                            Reason.FETCH, f"`{redacted(url)}`: is larger than {self._most} bytes", path=url
                        )
                    hashed.update(chunk)
                    if other is not hashed:
                        other.update(chunk)
                    file.write(chunk)
            if checksum and other.hexdigest() != wanted:
                raise FilesError(
                    Reason.CHECKSUM,
                    f"`{redacted(url)}`: has the checksum {algorithm}:{other.hexdigest()}, not {checksum}",
                    path=url,
                )
            path.chmod(0o600)
            content = hashed.hexdigest()
            if not (self.files / content).exists():
                path.rename(self.files / content)
        last_modified = answer.headers.get("Last-Modified", "")
        return Download(
            content,
            size,
            _name(url),
            _seconds(last_modified),
            answer.headers.get("ETag", ""),
            last_modified,
        )


def _check_algorithm(url: str, checksum: str) -> None:
    algorithm, _, digits = checksum.partition(":")
    if checksum and not re.fullmatch(rf"[0-9a-f]{{{_ALGORITHMS.get(algorithm, 0)}}}", digits or "-"):
        raise FilesError(
            Reason.CHECKSUM,
            f"`{redacted(url)}`: `{shown(checksum)}` is no checksum",
            path=url,
            hint="write `sha256:` and 64 hexadecimal digits",
        )


def _refused(answer: Answer) -> RegistryError:
    error = RegistryError(
        f"the server answers with status {answer.status}",
        status=answer.status,
        retryable=answer.status in RETRYABLE_STATUSES,
    )
    error.wait_seconds = seconds_to_wait(answer.headers)
    return error


def _without(message: str, url: str) -> str:
    """A transport's message without the address that stands before it already."""
    return message.removeprefix(f"cannot reach `{redacted(url)}`: ")


def _name(url: str) -> str:
    name = basename(unquote(urlsplit(url).path, errors="surrogateescape"))
    return name if name not in ("", ".", "..") and "\0" not in name and "/" not in name else _UNNAMED


def _seconds(date: str) -> int:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, IndexError, TypeError):
        return 0
    return int((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp())
