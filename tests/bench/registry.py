"""Pull, pull again, push: an image of three layers and 130 MB, from and to Debian's docker-registry on loopback.

Each side has the registry on its own loopback, from one copy of the content. Nothing of the image is there before a pull, and
nothing at the registry before a push.
"""

from __future__ import annotations

import random
import shutil
import socket
from pathlib import Path
from tempfile import mkdtemp

from tests.bench.peers import Peer
from tests.make.image import Made, entry, oci_archive, tar
from tests.make.registry import Registry, running_registry

_LAYERS, _FILES, _FILE_SIZE = 3, 1000, 43_000
_NAME = "bench/three:1"


def measure(peer: Peer) -> dict[str, float]:
    """Seconds by what was done."""
    stocked, empty = _stocked(), Path(mkdtemp(prefix="cb-"))
    port = _free_port()
    image = f"127.0.0.1:{port}/{_NAME}"
    words = ("docker",) if peer.name == "docker" else (*peer.compose, "image")
    remove = (*words, "rmi" if peer.name == "docker" else "rm", image)
    peer.runner.run(remove, check=False)
    try:
        with running_registry(stocked, port=port, within=peer.network):
            pull = peer.runner.run((*words, "pull", image)).seconds
            again = peer.runner.run((*words, "pull", image)).seconds
        with running_registry(empty, port=port, within=peer.network):
            push = peer.runner.run((*words, "push", image)).seconds
    finally:
        peer.runner.run(remove, check=False)
        shutil.rmtree(empty)
    size = f"{_LAYERS} layers, {_LAYERS * _FILES * _FILE_SIZE // 1_000_000} MB"
    return {f"pull and unpack: {size}": pull, "pull again, nothing changed": again, f"push: {size}": push}


def _stocked() -> Path:
    """The directory of a registry that has the image; made once."""
    directory = Path("/var/tmp/composer-bench-registry")  # a cache that is worth keeping between runs
    if not (directory / "done").exists():
        shutil.rmtree(directory, ignore_errors=True)
        with running_registry(directory) as registry:
            _fill(registry)
        (directory / "done").touch()
    return directory


def _fill(registry: Registry) -> None:
    noise = random.Random(3)  # content, not a secret
    words = [bytes(noise.choices(range(97, 123), k=noise.randint(2, 9))) for _ in range(4000)]

    def text() -> bytes:
        return b" ".join(noise.choices(words, k=_FILE_SIZE // 5))[:_FILE_SIZE]

    layers = tuple(
        tar(*(entry(f"layer{layer}/{index // 50}/{index}", text()) for index in range(_FILES)))
        for layer in range(_LAYERS)
    )
    archive = oci_archive(registry.directory / "image.tar", [Made(layers)])
    target = f"docker://{registry.name}/{_NAME}"
    registry.copy(f"oci-archive:{archive}", target, "--dest-tls-verify=false", "--dest-compress-format=gzip")
    archive.unlink()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
