"""What is imported and built before the first command comes, and how we know that it is still what lies on the disk."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping

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

Sources = Mapping[str, tuple[int, int]]


def preload() -> Sources:
    """Import everything that commands use, and build every command; the files that this is made of."""
    for name in (*_BESIDE, *(name for room in _ROOMS for name in _modules(room))):
        importlib.import_module(name)
    from composer.cli.app import build_all

    build_all()
    _rehearse()
    return sources()


def _rehearse() -> None:
    """Run a command that starts nothing, for all that is made when it is first used: expressions, codecs, parsers."""
    from composer.__main__ import main

    file = os.memfd_create("compose.yaml")
    try:
        os.write(file, _REHEARSAL)
        main(("-f", f"/proc/self/fd/{file}", "-p", "rehearsal", "config", "--quiet"))
    finally:
        os.close(file)


def sources() -> Sources:
    """Time of change and size of every file of composer that is imported, by path. Raises OSError for one that is gone."""
    files = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "composer"]
    return {file: stamp(file) for file in files if file}


def stamp(file: str) -> tuple[int, int]:
    """What changes with the content of a file. Raises OSError."""
    found = os.stat(file)  # noqa: PTH116  asked of some hundred files for each command
    return found.st_mtime_ns, found.st_size


def is_current(known: Sources) -> bool:
    """Whether the files still are what was imported: an upgrade or an edit makes us a thing of the past."""
    try:
        return all(stamp(file) == before for file, before in known.items())
    except OSError:
        return False


def _modules(room: str) -> Iterator[str]:
    yield room
    package = importlib.import_module(room)
    for found in pkgutil.walk_packages(package.__path__, f"{room}."):
        if not found.name.endswith(".__main__"):
            yield found.name
