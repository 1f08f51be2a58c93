"""`build.platforms` with several entries: an image for each, and an index of them."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from composer.oci import media_types
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index
from composer.oci.platform import this_platform
from tests.e2e.binfmt import PLATFORM, PROGRAM, alone, emulated
from tests.e2e.harness import Engine, Project, json_lines
from tests.make.image import Made, busybox_rootfs, directory, entry, oci_layout, tar
from tests.make.registry import Registry, running_registry

HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


def project(engine: Engine, image: str, dockerfile: str) -> Project:
    text = f"""
services:
  web:
    image: {image}
    command: sleep 1000
    build: {{context: ., platforms: [{PLATFORM}, {HERE}]}}
"""
    return engine.project(text, files={"Dockerfile": dockerfile, "file": "of the context\n"})


def raw(reference: str, *options: str) -> dict[str, Any]:
    """What skopeo finds at a registry."""
    command = ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def test_what_only_copies_is_built_for_every_platform_and_pushed_as_an_index(
    engine: Engine, registry: Registry
) -> None:
    name = f"{registry.name}/web:1"
    shop = project(engine, name, "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY file /\n")

    built = shop.compose("build", "--push", check=True)

    assert f"[web {PLATFORM} 1/1] COPY file /" in built.stderr
    (inspected,) = json.loads(shop.compose("image", "inspect", name, check=True).stdout)
    assert [each["Platform"] for each in inspected["Manifests"]] == [PLATFORM, HERE]
    assert inspected["Architecture"] == HERE.partition("/")[2]
    (listed,) = json_lines(shop.compose("image", "ls", "--format", "json", check=True).stdout)
    assert [each["Platform"] for each in listed["Platforms"]] == [PLATFORM, HERE]
    assert PLATFORM in shop.compose("image", "ls", check=True).stdout
    index = raw(name, "--raw")
    assert index["mediaType"] == media_types.OCI_INDEX
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["riscv64", HERE.partition("/")[2]]
    for each in index["manifests"]:
        arch = each["platform"]["architecture"]
        config = raw(f"{registry.name}/web@{each['digest']}", "--config")
        assert config["architecture"] == config["config"]["Labels"]["arch"] == arch


def test_an_index_is_one_image_to_whoever_keeps_removes_or_saves_it(engine: Engine, tmp_path: Path) -> None:
    shop = project(engine, "web:1", "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY file /\n")
    shop.compose("build", "--verify-reproducible", "--build-arg", "SOURCE_DATE_EPOCH=1", check=True)
    before = shop.compose("image", "ls", "-q", check=True).stdout

    assert len(before.splitlines()) == 1
    shop.compose("build", "--build-arg", "SOURCE_DATE_EPOCH=1", check=True)
    assert shop.compose("image", "ls", "-q", check=True).stdout == before
    shop.compose("image", "verify", check=True)
    shop.compose("image", "save", "web:1", "-o", str(tmp_path / "web.tar"), check=True)
    for arch in ("riscv64", HERE.partition("/")[2]):
        options = ["--override-arch", arch, "--override-os", "linux"]
        told = subprocess.run(
            ["skopeo", *options, "inspect", "--config", f"oci-archive:{tmp_path}/web.tar"],
            capture_output=True,
            check=True,
        )
        assert json.loads(told.stdout)["architecture"] == arch
    shop.compose("image", "rm", "web:1", check=True)
    assert shop.compose("image", "load", str(tmp_path / "web.tar"), check=True).stdout == "Loaded image: web:1\n"
    assert shop.compose("image", "ls", "-q", check=True).stdout == before
    (loaded,) = json.loads(shop.compose("image", "inspect", "web:1", check=True).stdout)
    assert [each["Platform"] for each in loaded["Manifests"]] == [PLATFORM, HERE]
    shop.compose("image", "rm", "web:1", check=True)
    assert not shop.compose("image", "ls", "-q", check=True).stdout
    assert not list((Path(engine.data) / "images/blobs/sha256").iterdir())


def test_up_builds_what_runs_here_alone(engine: Engine, tmp_path: Path) -> None:
    engine.compose("image", "import", str(busybox_rootfs(tmp_path / "busybox")), "busybox", check=True)
    shop = project(engine, "web:1", "FROM busybox\nRUN touch /made\n")

    shop.up()

    (inspected,) = json.loads(shop.compose("image", "inspect", "web:1", check=True).stdout)
    assert "Manifests" not in inspected
    assert shop.exec("web", "ls", "/made").code == 0
    assert "nothing to do" in shop.compose("up", "--dry-run", check=True).output


def test_a_step_that_nothing_here_can_run_is_told_before_anything_runs(engine: Engine, tmp_path: Path) -> None:
    shop = project(engine, "web:1", 'FROM scratch\nCOPY file /\nRUN ["/file"]\n')

    with alone():
        refused = shop.compose("build")

    assert refused.code == 17
    assert f"runs no programs for `{PLATFORM}`" in refused.stderr
    assert "Dockerfile:3" in refused.stderr
    assert "hint: register QEMU with binfmt_misc (Debian: `sudo apt install qemu-user-static" in refused.stderr


def test_steps_of_other_platforms_run_by_the_interpreter_that_is_registered(
    engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    base = base_for_both(registry, tmp_path)
    busybox = tmp_path / "interpreter" / "busybox"
    busybox.parent.mkdir()
    shutil.copy("/bin/busybox", busybox)
    engine.compose("image", "pull", base, check=True)
    dockerfile = f"FROM {base}\nARG TARGETARCH\nRUN echo $TARGETARCH > /made\nCOPY --from={base} /arch /again\n"
    shop = project(engine, f"{registry.name}/web:1", dockerfile)

    with emulated(busybox):
        shop.compose("build", "--push", check=True)
        again = shop.compose("build", "--push", check=True)

    assert again.stderr.count("CACHED") >= 4
    for arch in ("riscv64", HERE.partition("/")[2]):
        into = tmp_path / arch
        shutil.copytree(unpacked(f"{registry.name}/web:1", arch, into), into / "tree", dirs_exist_ok=True)
        assert (into / "tree/made").read_text() == f"{arch}\n"
        assert (into / "tree/again").read_text() == arch
    # The name still means what this machine runs, and the other platform's image is beside it.
    (inspected,) = json.loads(shop.compose("image", "inspect", base, check=True).stdout)
    assert inspected["Architecture"] == HERE.partition("/")[2]


def unpacked(reference: str, arch: str, place: Path) -> Path:
    """The files of an image's layers at a registry, for one architecture."""
    place.mkdir()
    copy = ["skopeo", "--override-arch", arch, "copy", "--src-tls-verify=false", f"docker://{reference}"]
    subprocess.run([*copy, f"dir:{place}/image"], capture_output=True, check=True)
    manifest = json.loads((place / "image/manifest.json").read_text())
    tree = place / "files"
    tree.mkdir()
    for layer in manifest["layers"][1:]:  # what is above the base
        blob = place / "image" / layer["digest"].partition(":")[2]
        subprocess.run(["tar", "-xf", blob, "-C", tree], check=True)
    return tree


def base_for_both(registry: Registry, tmp_path: Path) -> str:
    """An image of two platforms at the registry: here it is busybox, there a program that only its interpreter can run."""
    here = Made(
        (
            tar(
                directory("bin/"),
                entry("bin/sh", Path("/bin/busybox").read_bytes(), mode=0o755),
                entry("arch", HERE.partition("/")[2].encode()),
            ),
        )
    )
    there = Made((tar(directory("bin/"), entry("bin/sh", PROGRAM, mode=0o755), entry("arch", b"riscv64")),))
    layout = oci_layout(tmp_path / "base", [replace(here, names=())])
    blobs = layout / "blobs/sha256"
    config = json.dumps(json.loads(there.config) | {"architecture": "riscv64"}).encode()
    manifest = replace(there.manifest, config=Descriptor.of(media_types.OCI_CONFIG, config)).to_bytes()
    index = Index(
        (
            replace(Descriptor.of(media_types.OCI_MANIFEST, manifest), platform=Platform("riscv64", "linux")),
            replace(Descriptor.of(media_types.OCI_MANIFEST, here.manifest.to_bytes()), platform=this_platform()),
        )
    ).to_bytes()
    for content in (config, manifest, index, *there.blobs):
        (blobs / Digest.of(content).hex).write_bytes(content)
    (layout / "index.json").write_bytes(Index((Descriptor.of(media_types.OCI_INDEX, index),)).to_bytes())
    registry.copy(f"oci:{layout}", f"docker://{registry.name}/base:1", "--all", "--dest-tls-verify=false")
    return f"{registry.name}/base:1"


def test_a_service_runs_the_image_of_an_index_that_is_for_its_platform(engine: Engine, tmp_path: Path) -> None:
    text = f"""
services:
  web:
    image: web:1
    platform: {PLATFORM}
    command: [/bin/sh, -c, "sleep 1000"]
    stop_grace_period: 0s
    build: {{context: ., platforms: [{HERE}, {PLATFORM}]}}
"""
    files = {"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /bin\n"}
    shop = engine.project(text, files=files)
    for arch, program in ((HERE.partition("/")[2], Path("/bin/busybox").read_bytes()), ("riscv64", PROGRAM)):
        (shop.directory / arch).mkdir()
        (shop.directory / arch / "sh").write_bytes(program)
        (shop.directory / arch / "sh").chmod(0o755)
    shutil.copy("/bin/busybox", tmp_path / "busybox")
    shop.compose("build", check=True)

    with emulated(tmp_path / "busybox"):
        shop.up()
        riscv = next(
            each["ID"]
            for each in json.loads(shop.compose("image", "inspect", "web:1", check=True).stdout)[0]["Manifests"]
            if each["Platform"] == PLATFORM
        )

        assert "nothing to do" in shop.compose("up", "--dry-run", check=True).stdout
        assert "was made from it" in shop.compose("image", "rm", "web:1").stderr
        assert riscv in json.dumps(shop.compose("images", "--format", "json", check=True).stdout)
        shop.compose("restart", check=True)
        shop.down()
