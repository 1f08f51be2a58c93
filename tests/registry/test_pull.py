"""What comes from a registry is what was pushed there: platforms, mirrors, names, and what others read of it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from composer.errors import ImageError, RegistryError
from composer.image.remove import remove
from composer.kernel.filesystem import synchronise
from composer.oci import media_types
from composer.oci.config import chain_ids
from composer.oci.descriptor import Descriptor, Platform
from composer.oci.digest import Digest
from composer.oci.manifest import Index
from composer.oci.platform import this_platform
from composer.oci.reference import parse
from composer.registry.access import Access
from composer.registry.progress import Phase
from tests.fakes.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.make.image import Made, entry, oci_layout, tar
from tests.make.ports import free_port
from tests.make.registry import Registry, running_registry
from tests.registry.conftest import Home

SHARED = tar(entry("shared", b"base"))
OTHER = "s390x" if this_platform().architecture != "s390x" else "riscv64"


def image(text: str) -> Made:
    return Made((SHARED, tar(entry("text", text.encode()))), compress=True)


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A file system of 16 MiB at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tests", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def text_of(home: Home, reference: str) -> str:
    found = home.store.find(reference)
    assert found is not None
    return (found.layers[0] / "text").read_text()


@pytest.fixture
def many(registry: Registry, tmp_path: Path) -> str:
    """An index of two platforms, with what a builder attests beside them; its reference."""
    here, there = image("here"), image("there")
    config = json.loads(there.config) | {"architecture": OTHER}
    layout = oci_layout(tmp_path / "many", [replace(here, names=())])
    blobs = layout / "blobs/sha256"
    data = json.dumps(config).encode()
    manifest = replace(there.manifest, config=Descriptor.of(media_types.OCI_CONFIG, data)).to_bytes()
    for content in (data, manifest, *there.blobs):
        (blobs / Digest.of(content).hex).write_bytes(content)
    entries = (
        replace(Descriptor.of(media_types.OCI_MANIFEST, manifest), platform=Platform(OTHER, "linux")),
        replace(Descriptor.of(media_types.OCI_MANIFEST, here.manifest.to_bytes()), platform=this_platform()),
    )
    index = Index(entries).to_bytes()
    (blobs / Digest.of(index).hex).write_bytes(index)
    (layout / "index.json").write_bytes(Index((Descriptor.of(media_types.OCI_INDEX, index),)).to_bytes())
    registry.copy(f"oci:{layout}", f"docker://{registry.name}/many:1", "--all", "--dest-tls-verify=false")
    return f"{registry.name}/many:1"


def test_of_an_index_the_platform_of_this_machine_is_taken(home: Home, many: str) -> None:
    assert home.pull(many).changed

    assert text_of(home, many) == "here"
    assert not home.pull(many).changed


def test_another_platform_can_be_asked_for(home: Home, many: str) -> None:
    home.pull(many, f"linux/{OTHER}")
    assert text_of(home, many) == "there"

    home.variables["DOCKER_DEFAULT_PLATFORM"] = f"linux/{OTHER}"
    assert not home.pull(many).changed
    home.variables.clear()
    assert home.pull(many).changed
    assert text_of(home, many) == "here"


def test_a_platform_that_is_not_there_is_told_with_those_that_are(home: Home, many: str) -> None:
    with pytest.raises(ImageError, match="does not exist for linux/mips64") as refused:
        home.pull(many, "linux/mips64")

    assert f"linux/{OTHER}" in refused.value.hint
    assert str(this_platform()) in refused.value.hint


def test_an_image_is_found_by_the_digest_of_its_index_without_asking(home: Home, many: str) -> None:
    pulled = home.pull(many).image
    assert home.store.find(many) is not None
    origin = home.store.find(many).origin  # type: ignore[union-attr]  # it is there
    assert origin is not None

    found = home.store.find(f"{many.removesuffix(':1')}@{origin.digest}")

    assert found is not None
    assert found.id == pulled.id


def test_a_digest_names_exactly_one_image(home: Home, registry: Registry) -> None:
    name = registry.push(image("first"), "moving:1")
    digest = Digest.of(image("first").manifest.to_bytes())
    registry.push(image("second"), "moving:1")

    pinned = f"{registry.name}/moving@{digest}"
    home.pull(pinned)

    assert text_of(home, pinned) == "first"
    home.pull(name)
    assert text_of(home, name) == "second"


def test_what_is_pulled_by_digest_gets_its_tags_name_if_no_other_image_has_it(home: Home, registry: Registry) -> None:
    name = registry.push(image("first"), "locked:1")
    first = Digest.of(image("first").manifest.to_bytes())
    registry.push(image("second"), "locked:1")

    home.pull(name, digest=first)
    assert text_of(home, name) == text_of(home, f"{name}@{first}") == "first"
    home.pull(name)
    again = home.pull(name, digest=first)

    assert not again.changed
    assert text_of(home, name) == "second"
    assert text_of(home, f"{name}@{first}") == "first"
    remove(home.store, name)
    assert text_of(home, f"{name}@{first}") == "first"


def test_with_its_tag_goes_what_it_was_pulled_by(home: Home, registry: Registry) -> None:
    name = registry.push(image("first"), "going:1")

    home.pull(name, digest=Digest.of(image("first").manifest.to_bytes()))
    remove(home.store, name)

    assert home.store.list() == ()


def test_layers_that_are_there_are_not_fetched(home: Home, proxy: FaultyProxy, registry: Registry) -> None:
    registry.push(image("one"), "layers:1")
    registry.push(image("two"), "layers:2")
    home.pull(f"{proxy.name}/layers:1")
    proxy.seen.clear()
    home.reports.clear()

    home.pull(f"{proxy.name}/layers:2")

    assert proxy.asked(f"GET .*/blobs/{Digest.of(image('one').blobs[0])}") == 0
    assert [report.phase for report in home.reports].count(Phase.PRESENT) == 1


def test_an_unchanged_tag_costs_a_single_question(home: Home, proxy: FaultyProxy, registry: Registry) -> None:
    registry.push(image("same"), "same:1")
    home.pull(f"{proxy.name}/same:1")
    proxy.seen.clear()

    assert not home.pull(f"{proxy.name}/same:1").changed

    assert [(method, path) for method, path, _ in proxy.seen if path != "/v2/"] == [("HEAD", "/v2/same/manifests/1")]


def test_a_mirror_is_asked_first_and_the_registry_for_what_it_lacks(
    home: Home, proxy: FaultyProxy, registry: Registry
) -> None:
    registry.push(image("mirrored"), "mirrored:1")
    with faulty_proxy(registry.port) as mirror:
        home.settings(f'[registry."{proxy.name}"]\nmirrors = ["127.0.0.1:{free_port()}", "http://{mirror.name}"]\n')
        home.pull(f"{proxy.name}/mirrored:1")
        assert proxy.seen == []
        assert mirror.asked("GET .*/blobs/") == 3
        registry.push(image("later"), "mirrored:2")
        mirror.faults += [Fault("manifests/2", times=99, status=404), Fault("blobs", times=99, status=500)]

        home.pull(f"{proxy.name}/mirrored:2")

        assert text_of(home, f"{proxy.name}/mirrored:2") == "later"


def test_an_image_for_windows_is_refused(home: Home, registry: Registry, proxy: FaultyProxy) -> None:
    registry.push(image("x"), "windows:1")
    made = json.loads(image("x").config) | {"os": "windows"}
    config = json.dumps(made).encode()
    manifest = replace(image("x").manifest, config=Descriptor.of(media_types.OCI_CONFIG, config)).to_bytes()
    proxy.faults += [
        Fault("GET .*/manifests/", change=lambda _: manifest, headers={"Docker-Content-Digest": ""}),
        Fault(f"GET .*/blobs/{Digest.of(config)}", status=200, body=config),
    ]

    with pytest.raises(ImageError, match="it is for windows"):
        home.pull(f"{proxy.name}/windows:1")


def test_what_is_no_image_is_refused(home: Home, registry: Registry, proxy: FaultyProxy) -> None:
    registry.push(image("x"), "chart:1")
    chart = Descriptor.of("application/vnd.cncf.helm.config.v1+json", b"{}")
    manifest = replace(image("x").manifest, config=chart).to_bytes()
    proxy.faults += [Fault("GET .*/manifests/", change=lambda _: manifest, headers={"Docker-Content-Digest": ""})]

    with pytest.raises(ImageError, match=r"helm\.config"):
        home.pull(f"{proxy.name}/chart:1")


def test_skopeo_reads_what_was_pulled_in_place(home: Home, registry: Registry) -> None:
    reference = registry.push(image("read"), "read:1")
    home.pull(reference)

    inspect = ["skopeo", "inspect", f"oci:{home.store.layout}:{reference}"]
    found = json.loads(subprocess.run(inspect, capture_output=True, check=True, text=True).stdout)

    assert len(found["Layers"]) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="owners and capabilities need root")
def test_owners_modes_and_attributes_are_kept(home: Home, registry: Registry) -> None:
    capability = b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    info, content = entry("bin/ping", b"#!", mode=0o4755, uid=12, gid=34)
    info.pax_headers = {"SCHILY.xattr.security.capability": capability.decode("latin-1")}
    archive = tar(entry("bin", type=tarfile.DIRTYPE), (info, content))
    home.pull(registry.push(Made((archive,), compress=True), "owned:1"))

    (layer,) = home.store.find(f"{registry.name}/owned:1").layers  # type: ignore[union-attr]  # it was pulled
    ping = layer / "bin/ping"
    status = ping.stat()

    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o4755)
    assert os.getxattr(ping, "security.capability") == capability


def test_a_pull_that_fails_keeps_what_the_name_meant(home: Home, registry: Registry, proxy: FaultyProxy) -> None:
    registry.push(image("old"), "kept:1")
    home.pull(f"{proxy.name}/kept:1")
    registry.push(image("new"), "kept:1")
    proxy.faults.append(Fault(f"GET .*/blobs/{Digest.of(image('new').blobs[1])}", times=99, status=404))

    with pytest.raises(RegistryError, match="does not have it"):
        home.pull(f"{proxy.name}/kept:1")

    assert text_of(home, f"{proxy.name}/kept:1") == "old"


def test_what_is_damaged_in_the_store_is_fetched_again(home: Home, registry: Registry) -> None:
    made = image("damaged")
    reference = registry.push(made, "damaged:1")
    home.pull(reference)
    home.store.snapshots.remove(chain_ids(home.store.find(reference).config.diff_ids)[1])  # type: ignore[union-attr]
    for content in (made.blobs[1], made.config, made.manifest.to_bytes()):
        path = home.store.blobs.path(Digest.of(content))
        path.write_bytes(b"x" * len(content))

    home.pull(reference)

    assert text_of(home, reference) == "damaged"
    assert home.store.blobs.path(Digest.of(made.blobs[1])).read_bytes() == made.blobs[1]
    assert home.store.blobs.path(Digest.of(made.config)).read_bytes() == made.config


def test_a_layer_of_which_only_the_blob_is_there_is_unpacked_and_not_fetched(
    home: Home, registry: Registry, proxy: FaultyProxy
) -> None:
    registry.push(image("packed"), "packed:1")
    home.pull(f"{proxy.name}/packed:1")
    for chain in list(home.store.snapshots.all()):
        home.store.snapshots.remove(chain)
    proxy.seen.clear()

    home.pull(f"{proxy.name}/packed:1")

    assert text_of(home, f"{proxy.name}/packed:1") == "packed"
    assert proxy.asked(f"GET .*/blobs/{Digest.of(image('packed').blobs[1])}") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_no_layer_is_seen_before_its_blob_is_kept(
    home: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two would leave an image that other tools cannot read, and nobody would fetch the blob again."""
    made = image("order")
    name = registry.push(made, "order:1")
    adopt, seen = home.store.blobs.adopt, []

    def watched(path: Path, digest: Digest, *, settled: bool) -> None:
        seen.append(len(list(home.store.snapshots.all())))
        adopt(path, digest, settled=settled)

    monkeypatch.setattr(home.store.blobs, "adopt", watched)
    monkeypatch.setattr("composer.registry.layers.PARALLEL", 1)
    home.pull(name)

    assert seen == [0, 1, 2, 2]  # two layers, then manifest and config


def test_the_disk_is_waited_for_once_before_the_name_leads_to_the_layers(
    home: Home, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = registry.push(image("settled"), "settled:1")
    seen: list[tuple[int, int]] = []

    def watched(descriptor: int) -> None:
        seen.append((len(list(home.store.snapshots.all())), len(home.store.list())))
        synchronise(descriptor)

    monkeypatch.setattr("composer.image.disk.synchronise", watched)
    monkeypatch.setattr("composer.image.snapshot.synchronise", watched)
    home.pull(name)

    assert seen == [(2, 0)]


def test_how_a_registry_is_spoken_to_is_asked_once_and_again_when_it_has_changed(
    home: Home, registry: Registry, proxy: FaultyProxy, tmp_path: Path
) -> None:
    registry.push(image("manners"), "manners:1")
    name = parse(f"{proxy.name}/manners:1")

    async def pull_often() -> list[bool]:
        puller, access = home.puller(), Access.of(home.environment)
        pulled = [await puller.pull(name, access, home.reports.append)]
        assert proxy.asked("GET /v2/$") == 1
        proxy.seen.clear()
        pulled.append(await puller.pull(name, access, home.reports.append))
        assert [(method, path) for method, path, _ in proxy.seen] == [("HEAD", "/v2/manners/manifests/1")]
        with guarded(tmp_path / "guarded") as changed:
            proxy.upstream = changed.port
            with pytest.raises(RegistryError) as caught:
                await puller.pull(name, access, home.reports.append)
            assert "asks for credentials" in str(caught.value)
        proxy.upstream = registry.port
        pulled.append(await puller.pull(name, access, home.reports.append))
        return [each.changed for each in pulled]

    assert asyncio.run(pull_often()) == [True, False, False]


@contextmanager
def guarded(directory: Path) -> Iterator[Registry]:
    """A registry that lets nobody in without a password."""
    directory.mkdir()
    (directory / "htpasswd").write_text("")
    with running_registry(directory, auth={"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}) as one:
        yield one


def test_a_full_disk_is_told_once_and_leaves_nothing(home: Home, registry: Registry, proxy: FaultyProxy) -> None:
    big = Made((tar(entry("big", b"0" * 40_000_000)),), compress=True)
    registry.push(big, "big:1")
    with small_disk(home.root / "data"):
        with pytest.raises(ImageError, match="no space left on device"):
            home.pull(f"{proxy.name}/big:1")
        assert home.store.list() == ()
        assert home.leftovers() == []
    assert proxy.asked(f"GET .*/blobs/{Digest.of(big.blobs[0])}") == 1
