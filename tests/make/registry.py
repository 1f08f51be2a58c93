"""A real registry on loopback: Debian's `docker-registry`, plain, with a password, with TLS, or asking for tokens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.make.image import Made, oci_archive
from tests.make.ports import free_port
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Registry:
    """A registry that runs."""

    port: int
    directory: Path
    host: str = "127.0.0.1"

    @property
    def name(self) -> str:
        """As references name it."""
        return f"{self.host}:{self.port}"

    def push(self, image: Made, name: str, *options: str) -> str:
        """Put an image into the registry with skopeo; its reference."""
        archive = oci_archive(self.directory / "pushed.tar", [image])
        reference = f"{self.name}/{name}"
        self.copy(f"oci-archive:{archive}", f"docker://{reference}", "--dest-tls-verify=false", *options)
        return reference

    def copy(self, source: str, target: str, *options: str) -> None:
        """`skopeo copy`, which must succeed."""
        command = ["skopeo", "--insecure-policy", "copy", "-q", *options, source, target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @property
    def blobs(self) -> Path:
        """Where the registry keeps what was pushed."""
        return self.directory / "data/docker/registry/v2/blobs/sha256"


@contextmanager
def running_registry(
    directory: Path, *, port: int = 0, within: tuple[str, ...] = (), **settings: Any
) -> Iterator[Registry]:
    """A registry with its content below `directory`; `settings` are further sections of its configuration.

    `within` goes before its command, to start it in another network; when its port answers is for the caller to see then.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    http = {"addr": f"127.0.0.1:{port}", **settings.pop("http", {})}
    configuration = {
        "version": 0.1,
        "log": {"level": "info" if within else "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(directory / "data")},
            "delete": {"enabled": True},
            **settings.pop("storage", {}),
        },
        "http": http,
        **settings,
    }
    path = directory / "config.yml"
    path.write_text(json.dumps(configuration))  # JSON is YAML
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [*within, _program(), "serve", str(path)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        if within:
            _await_log(process, directory)
        else:
            _await(process, port, directory)
        yield Registry(port, directory)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _program() -> str:
    program = shutil.which("docker-registry")
    assert program, "the tests need Debian's package docker-registry; .ci/setup installs it"
    return program


def _await(process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            alive = process.poll() is None
            assert alive, (directory / "registry.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _await_log(process: subprocess.Popen[bytes], directory: Path) -> None:
    """Wait until the registry says that it listens."""
    log = directory / "registry.log"
    deadline = time.monotonic() + PATIENCE
    while "listening on" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
