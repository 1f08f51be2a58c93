"""What is imported and built before the first command comes."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterator

from composer.api.messages import API_VERSION
from composer.edition import directories, edition, source_files
from composer.keeper.sources import Sources, sources, stamp

_ROOMS = ("composer.api", "composer.cli", "composer.project")
_BESIDE = (
    "composer.__main__",
    "composer.registry.surroundings",
    "difflib",
    "email.message",
    "getpass",
    "pwd",
    "shutil",
    "textwrap",
    "encodings.idna",
)
"""What commands import when they come to it."""

_REHEARSAL = b"""\
services:
  web:
    image: "host:${NONE:-latest}"
    command: [sleep, infinity]
    environment: {A: "1"}
    ports: ["80"]
    volumes: ["data:/data"]
    networks: [inner]
    depends_on: {db: {condition: service_healthy}}
  db: {image: host, command: sleep infinity, healthcheck: {test: "true"}}
networks: {inner: }
volumes: {data: }
"""


def preload() -> Sources:
    """Import everything that commands use, and build every command; the files that this is made of."""
    edition(API_VERSION)
    for name in (*_BESIDE, *(name for room in _ROOMS for name in _modules(room))):
        importlib.import_module(name)
    from composer.cli.app import build_all

    build_all()
    rehearse()
    # An upgrade or an edit of what only the engine imports makes us of another edition, too.
    return {**sources(), **{path: stamp(path) for path in (*source_files(), *directories())}}


def rehearse() -> None:
    """Run a command that starts nothing, for all that is made when it is first used: expressions, codecs, parsers."""
    from composer.__main__ import main

    file = os.memfd_create("compose.yaml")
    try:
        os.write(file, _REHEARSAL)
        main(("-f", f"/proc/self/fd/{file}", "-p", "rehearsal", "config", "--quiet"))
    finally:
        os.close(file)


def _modules(room: str) -> Iterator[str]:
    yield room
    package = importlib.import_module(room)
    for found in pkgutil.walk_packages(package.__path__, f"{room}."):
        if not found.name.endswith(".__main__"):
            yield found.name
