"""Cached steps travel: through a registry, with or in an image, from one machine to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Engine
from tests.make.image import busybox_rootfs
from tests.make.registry import Registry, running_registry

DOCKERFILE = """\
FROM busybox AS maker
RUN cat /proc/sys/kernel/random/uuid > /id
FROM busybox
COPY --from=maker /id /id
RUN cat /id > /again
CMD ["cat", "/again"]
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def other() -> Iterator[Engine]:
    """Another machine."""
    engine = Engine()
    yield engine
    assert engine.close() == []


def stock(engine: Engine, tmp_path: Path) -> None:
    rootfs = tmp_path / "busybox"
    engine.compose("image", "import", str(rootfs if rootfs.exists() else busybox_rootfs(rootfs)), "busybox", check=True)


@pytest.mark.parametrize("kind", ["type=registry,ref={}/cache:1,mode=max", "type=inline"])
def test_what_one_machine_built_another_need_not(
    engine: Engine, other: Engine, registry: Registry, tmp_path: Path, kind: str
) -> None:
    image = f"{registry.name}/web:1"
    place = kind.format(registry.name)
    source = image if kind == "type=inline" else place.removesuffix(",mode=max")
    file = (
        f"services:\n  web:\n    image: {image}\n    build:\n      context: .\n"
        f"      cache_from: ['{source}']\n      cache_to: ['{place}']\n"
    )
    outputs = []
    for machine in (engine, other):
        stock(machine, tmp_path)
        shop = machine.project(file, files={"Dockerfile": DOCKERFILE})
        built = shop.compose("build", check=True)
        shop.compose("push", check=True)
        outputs.append((built.stderr.splitlines()[-1], shop.compose("run", "--rm", "web", check=True).stdout))

    (first_sum, first), (second_sum, second) = outputs
    assert "3 run" in first_sum
    assert "0 run" in second_sum
    assert second == first
