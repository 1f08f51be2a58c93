"""Docker Compose itself, as the judge of what a file means: its `config` needs no daemon.

From Debian's package, downloaded once into a cache; COMPOSE_ORACLE names another binary.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import subprocess
import urllib.request
from functools import cache
from pathlib import Path

PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
_CACHE = Path.home() / ".cache/composer-tests/docker-compose"
_SUITE = "trixie"


@cache
def oracle() -> Path | None:
    """The program, `None` where it cannot be had."""
    if given := os.environ.get("COMPOSE_ORACLE"):
        return Path(given)
    program = _CACHE / PLUGIN
    if not program.exists():
        try:
            _download()
        except (OSError, subprocess.CalledProcessError, AttributeError, StopIteration):
            return None
    return program if program.exists() else None


def _download() -> None:
    mirror, architecture = _mirror(), _output("dpkg", "--print-architecture")
    index = lzma.decompress(_fetch(f"{mirror}/dists/{_SUITE}/main/binary-{architecture}/Packages.xz")).decode()
    entry = next(part for part in index.split("\n\n") if part.startswith("Package: docker-compose\n"))
    found, digest = (re.search(rf"^{field}: (.+)$", entry, re.MULTILINE) for field in ("Filename", "SHA256"))
    assert found
    assert digest
    content = _fetch(f"{mirror}/{found[1]}")
    assert hashlib.sha256(content).hexdigest() == digest[1], "the package is not what the index says"
    _CACHE.mkdir(parents=True, exist_ok=True)
    package = _CACHE / f"package.{os.getpid()}.deb"
    package.write_bytes(content)
    subprocess.run(["dpkg-deb", "-x", str(package), str(_CACHE)], check=True)
    package.unlink()


def _mirror() -> str:
    """Where this machine's apt gets Debian itself from."""
    listed = _output("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Component: main")
    return next(site.rstrip("/") for site in listed.split() if "security" not in site)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
    return content
