"""What URLs and git repositories mean now."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from composer.errors import ComposerError
from composer.lock.remote import checksum_of, commit_of
from composer.oci.digest import Digest
from composer.registry.access import Access
from composer.registry.transport import HttpTransport
from tests.fakes.clock import FakeClock

CONTENT = b"content" * 10_000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, _, target = self.path.lstrip("/").partition("/")
        self.send_response(int(status))
        if int(status) // 100 == 3:
            self.send_header("Location", f"/{target}" if "://" not in target else target)
        body = CONTENT if status == "200" else b"no"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's word
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetched(url: str, home: Path) -> Digest:
    async def fetch() -> Digest:
        transport = HttpTransport(silence=5)
        try:
            return await checksum_of(url, Access.of({"HOME": str(home)}), transport, FakeClock())
        finally:
            await transport.close()

    return asyncio.run(fetch())


@pytest.mark.parametrize("path", ["200/x", "302/200/x", "301/302/307/200/x"])
def test_a_download_is_hashed_wherever_it_is_moved_to(server: str, tmp_path: Path, path: str) -> None:
    assert fetched(f"{server}/{path}", tmp_path) == Digest.of(CONTENT)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("404/x", "status 404"),
        ("503/x", "status 503"),
        ("302/" * 12 + "200/x", "in circles"),
        ("302/ftp://127.0.0.1/x", "neither http nor https"),
        ("302/file:///etc/passwd", "neither http nor https"),
    ],
)
def test_what_cannot_be_had_is_told(server: str, tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(ComposerError, match=words) as refused:
        fetched(f"{server}/{path}?token=secret", tmp_path)

    assert "cannot lock `http://127.0.0.1" in refused.value.message
    assert "secret" not in refused.value.message


def test_a_server_that_is_not_there_is_told_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(ComposerError, match=r"cannot lock `http://127\.0\.0\.1:1/x`: connect") as refused:
        fetched("http://127.0.0.1:1/x", tmp_path)

    assert "ADD --checksum" in refused.value.hint


def git(directory: Path, *arguments: str) -> str:
    identity = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    ]
    done = subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits: tags `v1` (annotated) and `both`, branches `main`, `both` and `feature/v1`."""
    path = tmp_path / "lib.git"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    for number, commands in enumerate(
        ([["tag", "-a", "-m", "one", "v1"], ["tag", "both"]], [["branch", "both"], ["branch", "feature/v1"]], [])
    ):
        git(path, "commit", "-q", "--allow-empty", "-m", str(number))
        for command in commands:
            git(path, *command)
    return path


@pytest.fixture
def served(repository: Path) -> Iterator[str]:
    """The repository by http, as a server of plain files has it."""
    git(repository, "update-server-info")
    handler = partial(SimpleHTTPRequestHandler, directory=str(repository.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{repository.name}/.git"
        server.shutdown()


def commit(url: str, home: Path, **environment: str) -> str:
    return asyncio.run(commit_of(url, Access.of({"HOME": str(home), "PATH": os.environ["PATH"], **environment})))


@pytest.mark.parametrize(
    ("fragment", "meant"),
    [("", "HEAD"), ("#main", "HEAD"), ("#:directory", "HEAD"), ("#v1:directory", "HEAD~2"), ("#both", "HEAD~1")],
)
def test_a_ref_means_the_commit_that_a_build_would_take(
    served: str, repository: Path, tmp_path: Path, fragment: str, meant: str
) -> None:
    assert commit(f"{served}{fragment}", tmp_path) == git(repository, "rev-parse", meant)


def test_a_commit_means_itself(tmp_path: Path) -> None:
    assert commit(f"https://nowhere.invalid/x.git#{'a' * 40}", tmp_path) == "a" * 40


def test_what_a_repository_does_not_have_is_told(served: str, tmp_path: Path) -> None:
    with pytest.raises(ComposerError, match="has no branch, tag or commit `v9`"):
        commit(f"{served}#v9", tmp_path)
    with pytest.raises(ComposerError, match="cannot lock `http://"):
        commit("http://127.0.0.1:1/none.git", tmp_path)
    with pytest.raises(ComposerError, match="it is no git repository"):
        commit("--upload-pack=touch /tmp/x", tmp_path)
    with pytest.raises(ComposerError, match="git is not installed"):
        commit(served, tmp_path, PATH=str(tmp_path))
