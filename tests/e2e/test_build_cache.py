"""Cached steps travel: through a registry, with or in an image, from one machine to another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from composer.oci import media_types
from composer.oci.descriptor import Descriptor
from composer.oci.digest import Digest
from composer.oci.manifest import Manifest
from tests.e2e.binfmt import PLATFORM, emulated
from tests.e2e.harness import Engine
from tests.e2e.test_build_platforms import HERE, base_for_both
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


FOR_BOTH = """\
FROM {base} AS maker
RUN read -r id < /proc/sys/kernel/random/uuid && echo $id > /id
FROM {base}
COPY --from=maker /id /id
RUN read -r id < /id && echo $id > /again
"""


@pytest.mark.parametrize("kind", ["type=registry,ref={}/cache:1,mode=max", "type=inline", "type=local,dest={}"])
def test_what_was_built_for_several_platforms_another_machine_need_not_build_for_any(
    engine: Engine, other: Engine, registry: Registry, tmp_path: Path, kind: str
) -> None:
    base = base_for_both(registry, tmp_path)
    busybox = tmp_path / "interpreter" / "busybox"
    busybox.parent.mkdir()
    shutil.copy("/bin/busybox", busybox)
    place = kind.format(tmp_path / "cache" if "local" in kind else registry.name)
    source = place.replace("dest=", "src=").removesuffix(",mode=max")
    if kind == "type=inline":
        source = f"{registry.name}/web:1"
    told = []
    with emulated(busybox):
        for machine, name in ((engine, "web"), (other, "twin")):
            file = (
                f"services:\n  web:\n    image: {registry.name}/{name}:1\n"
                f"    build:\n      context: .\n      platforms: [{PLATFORM}, {HERE}]\n"
                f"      cache_from: ['{source}']\n      cache_to: ['{place}']\n"
            )
            shop = machine.project(file, files={"Dockerfile": FOR_BOTH.format(base=base)})
            told.append(shop.compose("build", "--push", check=True).stderr)
            names = shop.compose("image", "ls", check=True).stdout
            assert len([line for line in names.splitlines() if f"/{name} " in line]) == 1, names
            assert "/cache" not in names

    first, second = told
    # Nothing is there yet, which is told once and not for each platform.
    assert first.count("is not used") == 1
    assert "warning: compose.yaml:7: the cache" in first
    assert "8 run" in first.splitlines()[-1]  # two pulls of the base among them
    assert "is not used" not in second
    assert "2 run" in second.splitlines()[-1]


def test_a_cache_of_buildkits_is_told_with_its_place(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    stock(engine, tmp_path)
    config, layer = b'{"layers":[],"records":[]}', b"a layer"
    blobs = [Descriptor.of(media_types.BUILDKIT_CACHE, config), Descriptor.of(media_types.OCI_LAYER_GZIP, layer)]
    manifest = Manifest(blobs[0], (blobs[1],)).to_bytes()
    store(registry, config, layer, manifest)
    file = (
        "services:\n  web:\n    build:\n      context: .\n"
        f"      cache_from:\n        - type=registry,ref={registry.name}/cache:1\n"
    )
    shop = engine.project(file, files={"Dockerfile": "FROM busybox\nRUN true\n"})

    told = shop.compose("build", check=True).stderr

    assert (
        f"warning: compose.yaml:6: the cache `{registry.name}/cache:1` is not used: BuildKit wrote it, and only BuildKit"
    ) in told


def store(registry: Registry, config: bytes, layer: bytes, manifest: bytes) -> None:
    """Have a manifest and its blobs at the registry as `cache:1`."""
    place = f"http://{registry.name}/v2/cache"
    for blob in (config, layer):
        with urlopen(Request(f"{place}/blobs/uploads/", method="POST")) as answer:
            target = f"{answer.headers['Location']}&digest={Digest.of(blob)}"
        urlopen(Request(target, blob, {"Content-Type": "application/octet-stream"}, method="PUT")).close()
    headers = {"Content-Type": media_types.OCI_MANIFEST}
    urlopen(Request(f"{place}/manifests/1", manifest, headers, method="PUT")).close()
