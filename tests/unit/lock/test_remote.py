"""What URLs and git repositories mean now."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from composer.errors import HostError, RegistryError
from composer.lock.downloads import checksum_of
from composer.lock.repositories import commit_of, split
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
        ("302/ftp://127.0.0.1/x", "another scheme"),
        ("302/file:///etc/passwd", "another scheme"),
    ],
)
def test_what_cannot_be_had_is_told(server: str, tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(RegistryError, match=words) as refused:
        fetched(f"{server}/{path}?token=secret", tmp_path)

    assert "cannot lock `http://127.0.0.1" in refused.value.message
    assert "secret" not in refused.value.message


def test_a_server_that_is_not_there_is_told_with_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"cannot lock `http://127\.0\.0\.1:1/x`: cannot reach") as refused:
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


@pytest.mark.parametrize(
    ("fragment", "commit"),
    [
        ("", "HEAD"),
        ("#main", "HEAD"),
        ("#:directory", "HEAD"),
        ("#v1", "HEAD~2"),
        ("#v1:directory", "HEAD~2"),
        ("#refs/tags/v1", "HEAD~2"),
        ("#both", "HEAD~1"),
        ("#feature/v1", "HEAD~1"),
    ],
)
def test_a_ref_means_what_git_checkout_takes(repository: Path, fragment: str, commit: str) -> None:
    assert asyncio.run(commit_of(f"file://{repository}{fragment}", os.environ)) == git(repository, "rev-parse", commit)


def test_a_commit_means_itself() -> None:
    assert asyncio.run(commit_of(f"https://nowhere.invalid/x.git#{'a' * 40}", {})) == "a" * 40
    assert split("git@example.com:a/b.git#v1:src") == ("git@example.com:a/b.git", "v1")


def test_what_a_repository_does_not_have_is_told(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no branch or tag `v9`"):
        asyncio.run(commit_of(f"file://{repository}#v9", os.environ))
    with pytest.raises(RegistryError, match="git says: "):
        asyncio.run(commit_of(f"file://{tmp_path}/none.git", os.environ))
    with pytest.raises(RegistryError, match="git says: "):
        asyncio.run(commit_of("--upload-pack=touch /tmp/x", os.environ))
    with pytest.raises(HostError, match="git is not installed"):
        asyncio.run(commit_of(f"file://{repository}", {"PATH": str(tmp_path)}))
