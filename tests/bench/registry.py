"""Pull, pull again, push: images of 130 MB in three layers and in twelve, from and to Debian's docker-registry on loopback.

Each side has the registry on its own loopback, from one copy of the content. Nothing of an image is there before a pull, and
nothing at the registry before a push. Memory is the largest resident set of the tool's processes while it pulls: of those that
stay, or of the command where none does.
"""

from __future__ import annotations

import random
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.bench.peers import Peer
from tests.make.image import Made, entry, oci_archive, tar
from tests.make.registry import Registry, running_registry

_FILE_SIZE = 43_000


@dataclass(frozen=True, slots=True)
class _Image:
    layers: int
    files: int
    """In each layer."""

    @property
    def name(self) -> str:
        return f"bench/layers{self.layers}:1"

    def __str__(self) -> str:
        return f"{self.layers} layers, {self.layers * self.files * _FILE_SIZE // 1_000_000} MB"


_IMAGES = (_Image(3, 1000), _Image(12, 250))


def measure(peer: Peer) -> dict[tuple[str, str], float]:
    """By what was done and its unit: seconds, and MiB of memory."""
    found: dict[tuple[str, str], float] = {}
    for image in _IMAGES:
        found |= _measure(peer, image)
    return found


def _measure(peer: Peer, image: _Image) -> dict[tuple[str, str], float]:
    stocked, empty = _stocked(), Path(mkdtemp(prefix="cb-", dir=peer.scratch))
    port = _free_port()
    reference = f"127.0.0.1:{port}/{image.name}"
    peer.runner.run(peer.image("rm", reference), check=False)
    try:
        with running_registry(stocked, port=port, within=peer.network):
            pull, peak = peer.weigh(peer.image("pull", reference))
            again = peer.runner.run(peer.image("pull", reference)).seconds
        with running_registry(empty, port=port, within=peer.network):
            push = peer.runner.run(peer.image("push", reference)).seconds
    finally:
        peer.runner.run(peer.image("rm", reference), check=False)
        shutil.rmtree(empty)
    return {
        (f"pull and unpack: {image}", "s"): pull,
        (f"peak memory of that: {image}", "MiB"): peak / 1024,
        (f"pull again, nothing changed: {image}", "s"): again,
        (f"push: {image}", "s"): push,
    }


def _stocked() -> Path:
    """The directory of a registry that has the images; made once."""
    directory = Path("/var/tmp/composer-bench-registry-2")  # a cache that is worth keeping between runs
    if not (directory / "done").exists():
        shutil.rmtree(directory, ignore_errors=True)
        with running_registry(directory) as registry:
            for image in _IMAGES:
                _fill(registry, image)
        (directory / "done").touch()
    return directory


def _fill(registry: Registry, image: _Image) -> None:
    noise = random.Random(image.layers)  # content, not a secret
    words = [bytes(noise.choices(range(97, 123), k=noise.randint(2, 9))) for _ in range(4000)]

    def text() -> bytes:
        return b" ".join(noise.choices(words, k=_FILE_SIZE // 5))[:_FILE_SIZE]

    layers = tuple(
        tar(*(entry(f"layer{layer}/{index // 50}/{index}", text()) for index in range(image.files)))
        for layer in range(image.layers)
    )
    archive = oci_archive(registry.directory / "image.tar", [Made(layers)])
    target = f"docker://{registry.name}/{image.name}"
    registry.copy(f"oci-archive:{archive}", target, "--dest-tls-verify=false", "--dest-compress-format=gzip")
    archive.unlink()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
