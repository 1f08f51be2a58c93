"""Fixtures of the scenarios: an engine of one's own, taken down and counted at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.harness import Engine
from tests.e2e.ordinary import NOBODY, having_ranges, installed_for_everybody
from tests.e2e.terminals import Terminal
from tests.make.debian import BuildError, build, import_command
from tests.make.debian_recipes import RECIPES
from tests.make.hub import Hub, running_hub


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scenarios need a Linux machine and root, as composer's full tests do."""
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="scenarios that count what is left in the kernel need root")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine with its own directories; afterwards everything is taken down and nothing may be left."""
    engine = Engine()
    yield engine
    left = engine.close()

    assert left == [], "left behind:\n" + "\n".join(left)


@pytest.fixture
def ordinary() -> Iterator[Engine]:
    """An engine of an ordinary user, who may read nothing of whoever runs the tests."""
    yield from _ordinary(())


def _ordinary(wrapper: Sequence[str]) -> Iterator[Engine]:
    engine = Engine(uid=NOBODY, wrapper=wrapper)
    engine.program, engine.python_path = installed_for_everybody(engine)
    yield engine
    assert engine.close() == []


@pytest.fixture
def ranged(tmp_path: Path) -> Iterator[Engine]:
    """The same for whom /etc/subuid and /etc/subgid have a range of ids."""
    yield from _ordinary(having_ranges(tmp_path, known=True))


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Engine]:
    """One who has ranges, which newuidmap refuses to somebody who is not in /etc/passwd."""
    yield from _ordinary(having_ranges(tmp_path, known=False))


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A user at a terminal."""
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture(scope="session")
def image_tars() -> dict[str, Path]:
    """The root file systems built from Debian packages by name: busybox debian python redis postgres."""
    try:
        return build(list(RECIPES))
    except BuildError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def image_store(image_tars: dict[str, Path]) -> Iterator[Path]:
    """A data directory with the images of them: busybox:1 debian:12 python:3 redis:7 postgres:15."""
    engine = Engine()
    for name, tar in image_tars.items():
        engine.compose(*import_command(RECIPES[name], tar), check=True)
    engine.compose("engine", "stop", check=True)
    yield engine.data
    shutil.rmtree(engine.root)


@pytest.fixture
def stocked(engine: Engine, image_store: Path) -> Engine:
    """An engine that has those images, by hard links: nothing writes into an image's content."""
    for part in ("images", "snapshots"):
        shutil.rmtree(engine.data / part, ignore_errors=True)
        if (image_store / part).exists():
            copy_linked(image_store / part, engine.data / part)
    return engine


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A mirror of Docker Hub on loopback, with images under the names that people write."""
    try:
        with running_hub(tmp_path_factory.mktemp("hub")) as hub:
            yield hub
    except BuildError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def connected(hub: Hub) -> Iterator[Engine]:
    """An engine for the tests of a module, to which that mirror is Docker Hub; its store is empty at first."""
    engine = Engine()
    (engine.config / "registries.toml").write_text(hub.settings)
    yield engine
    assert engine.close() == []


def copy_linked(source: Path, target: Path) -> None:
    """Copies a tree; its files are hard links, so it costs no space and little time."""
    os.spawnvp(os.P_WAIT, "cp", ["cp", "-al", str(source), str(target)])
