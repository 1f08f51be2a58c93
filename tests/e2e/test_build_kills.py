"""Whatever dies during a build: what was finished stays, nothing else does, and the build goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness import Engine, Project, eventually, sleepers
from tests.make.image import busybox_rootfs

PREPARED = "FROM busybox\nRUN --mount=type=cache,target=/marker touch /marker/slow\n"
DOCKERFILE = """\
FROM busybox
RUN echo first > /first
RUN --mount=type=cache,target=/marker echo begun-$((40+2)); echo half > /second; \
    if test -e /marker/slow; then rm /marker/slow; sleep 98765; fi; echo second > /second
CMD ["cat", "/second"]
"""


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Project:
    """A project whose second step goes on for ever, but only the first time."""
    engine.compose("image", "import", str(busybox_rootfs(tmp_path / "busybox")), "busybox", check=True)
    shop = engine.project("services: {web: {build: .}}\n", files={"Dockerfile": PREPARED})
    shop.compose("build", check=True)
    (shop.directory / "Dockerfile").write_text(DOCKERFILE)
    return shop


@pytest.mark.parametrize("process", ["engine", "keeper"])
def test_a_killed_process_costs_only_the_step_at_work(shop: Project, engine: Engine, process: str) -> None:
    building = shop.start("build", "--progress", "plain")
    building.until("begun-42")

    engine.kill(process)

    building.wait()
    assert process == "engine" or "hint: run the command again" in building.text
    again = shop.compose("build", "--progress", "plain", check=True)
    assert "CACHED" in again.output
    eventually(lambda: not sleepers(98765), message="the step's process lives on")
    eventually(lambda: not list((engine.data / "build/steps").iterdir()), message="the killed step left its files")
    assert shop.compose("run", "--rm", "web", check=True).stdout == "second\n"
