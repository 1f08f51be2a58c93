"""Images go to Debian's docker-registry, and others read them there bit for bit."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from composer.errors import ImageError, RegistryError
from composer.image.load import load
from composer.image.remove import drop_blobs
from composer.oci.digest import Digest
from composer.registry.progress import Phase
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.make.image import Made, entry, oci_archive, tar
from tests.make.registry import Registry
from tests.registry.conftest import Home

_random = random.Random(8)  # content that does not compress


def image(name: str, size: int = 600_000) -> Made:
    """An image that no registry has yet."""
    return Made(
        (tar(entry("noise", _random.randbytes(size))), tar(entry("name", name.encode()))), (name,), compress=True
    )


def stocked(home: Home, made: Made) -> Made:
    load(home.store, oci_archive(home.root / "image.tar", [made]))
    return made


def inspected(reference: str) -> dict[str, object]:
    """The raw manifest that skopeo finds at a registry."""
    command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    found: dict[str, object] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def test_what_is_pushed_is_what_others_pull(home: Home, registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.name}/mine/app:1"
    made = stocked(home, image(name))

    home.push(name)

    assert inspected(name) == json.loads(made.manifest.to_bytes())
    registry.copy(f"docker://{name}", f"oci:{tmp_path}/copy:1", "--src-tls-verify=false")
    blobs = tmp_path / "copy/blobs/sha256"
    assert all((blobs / Digest.of(blob).hex).read_bytes() == blob for blob in (*made.blobs, made.config))


def test_what_skopeo_pushed_can_be_pushed_on_unchanged(home: Home, registry: Registry) -> None:
    reference = registry.push(image("x"), "theirs:1", "--format", "v2s2")
    home.pull(reference)
    home.store.tag(reference, f"{registry.name}/ours:1")

    home.push(f"{registry.name}/ours:1")

    assert inspected(f"{registry.name}/ours:1") == inspected(reference)


def test_nothing_is_sent_that_is_there(home: Home, proxy: FaultyProxy) -> None:
    name = f"{proxy.name}/twice:1"
    stocked(home, image(name))
    home.push(name)
    sent = proxy.asked("^(PUT|PATCH|POST) .*/blobs/")
    home.reports.clear()

    home.push(name)

    assert sent == 6
    assert proxy.asked("^(PUT|PATCH|POST) .*/blobs/") == sent
    assert {report.phase for report in home.reports} == {Phase.WAITING, Phase.PRESENT}


def test_what_another_repository_has_is_mounted_from_there(home: Home, proxy: FaultyProxy) -> None:
    first, second = f"{proxy.name}/first:1", f"{proxy.name}/second/app:1"
    stocked(home, image(first))
    home.push(first)
    home.store.tag(first, second)
    proxy.seen.clear()

    home.push(second)

    assert proxy.asked("^POST .*mount=sha256.*from=first") == 3
    assert proxy.asked("^(PUT|PATCH) .*/blobs/") == 0
    assert inspected(second) == inspected(first)


def test_a_large_blob_goes_in_chunks_and_goes_on_after_a_failure(home: Home, proxy: FaultyProxy) -> None:
    name = f"{proxy.name}/chunks:1"
    stocked(home, image(name))
    proxy.faults += [Fault("^PATCH", status=503)]

    home.push(name, chunk=250_000)

    assert proxy.asked("^PATCH") == 4
    assert json.loads(home.store.blobs.path(home.store.find(name).manifest).read_bytes()) == inspected(name)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("request_", ["POST .*uploads/$", "PUT .*blobs/uploads", "PUT .*/manifests/", "HEAD .*/blobs"])
def test_what_may_pass_is_tried_again(home: Home, proxy: FaultyProxy, request_: str) -> None:
    name = f"{proxy.name}/again/{len(request_)}:1"
    stocked(home, image(name))
    proxy.faults += [Fault(request_, status=503), Fault(request_, status=429)]

    home.push(name)

    assert len(home.clock.slept) == 2
    assert inspected(name)


def test_a_registry_that_refuses_says_so(home: Home, proxy: FaultyProxy) -> None:
    name = f"{proxy.name}/refused:1"
    stocked(home, image(name))
    body = json.dumps({"errors": [{"code": "DENIED", "message": "read only"}]}).encode()
    proxy.faults += [Fault("PUT .*/manifests/", status=403, body=body)]

    with pytest.raises(RegistryError, match=r"cannot push .*denies it \(read only\)") as refused:
        home.push(name)

    assert refused.value.code == "DENIED"


def test_content_is_not_sent_to_another_host(home: Home, proxy: FaultyProxy) -> None:
    name = f"{proxy.name}/elsewhere:1"
    stocked(home, image(name))
    proxy.faults += [
        Fault("POST", times=9, status=202, headers={"Location": "http://127.0.0.1:1/v2/x/blobs/uploads/1"})
    ]

    with pytest.raises(RegistryError, match="somewhere else"):
        home.push(name)


def test_what_is_not_there_or_not_an_image_of_ours_cannot_be_pushed(home: Home, registry: Registry) -> None:
    with pytest.raises(ImageError, match="not in the image store"):
        home.push(f"{registry.name}/nothing:1")
    with pytest.raises(ImageError, match="cannot push `host`"):
        home.push("host")
    name = f"{registry.name}/torn:1"
    made = stocked(home, image(name))
    home.store.blobs.remove(Digest.of(made.blobs[0]))
    with pytest.raises(ImageError, match="missing from the image store"):
        home.push(name)


def test_blobs_that_were_dropped_come_again_to_be_pushed_elsewhere(
    home: Home, registry: Registry, proxy: FaultyProxy
) -> None:
    made = image("dropped")
    name = registry.push(made, "dropped:1")
    home.pull(name)
    whole = sorted(map(str, home.store.blobs.all()))
    assert drop_blobs(home.store) > 0
    assert len(list(home.store.blobs.all())) == 2  # manifest and config
    other = f"{proxy.name}/elsewhere:1"
    home.store.tag(name, other)
    with pytest.raises(ImageError, match="missing from the image store"):
        home.push(other)

    home.complete(other)
    home.push(other)

    assert sorted(map(str, home.store.blobs.all())) == whole
    assert inspected(other) == json.loads(made.manifest.to_bytes())
    home.reports.clear()
    home.complete(other)
    assert home.reports == []
