from __future__ import annotations

import stat
from pathlib import Path

import pytest

from composer.image import host
from composer.image.root import is_directory, read_file
from composer.image.store import Store
from composer.paths import Paths

DIRECTORIES = """
usr/bin usr/lib usr/share/zoneinfo lib32 opt/tool etc/alternatives etc/ssl/certs etc/ssl/private etc/python3.12
etc/ld.so.conf.d etc/pki/tls/private etc/pki/tls/certs
"""
FILES = """
etc/shadow etc/machine-id etc/passwd etc/ssh_host_key etc/ssl/private/key.pem etc/ssl/openssl.cnf etc/services
etc/ld.so.cache etc/nsswitch.conf usr/share/zoneinfo/UTC usr/lib/os-release usr/bin/sh opt/tool/python3
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A small machine with everything that could leak or be missing."""
    root = tmp_path / "machine"
    for directory in DIRECTORIES.split():
        (root / directory).mkdir(parents=True)
    for file in FILES.split():
        (root / file).write_text("of the machine")
    (root / "bin").symlink_to("usr/bin")
    (root / "lib64").symlink_to("usr/lib64")
    (root / "etc/localtime").symlink_to(root / "usr/share/zoneinfo/UTC")
    (root / "usr/bin/sh").chmod(0o755)
    (root / "opt/tool/python3").chmod(0o755)
    (root / "usr/bin/python3").symlink_to(root / "opt/tool/python3")
    return root


def test_the_image_is_a_skeleton_and_what_this_machine_has(machine: Path, tmp_path: Path) -> None:
    image = host.image(tmp_path / "host-image", machine)

    assert (image.id, image.manifest, image.name) == ("", None, "host")
    assert image.config.cmd == ("/bin/sh",)
    assert image.config.env == ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    (layer,) = image.layers
    assert (layer / "bin").readlink() == Path("usr/bin")
    assert stat.S_IMODE((layer / "tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE((layer / "root").stat().st_mode) == 0o700
    assert read_file(image.layers, "/etc/passwd", 5) == b"root:"
    assert read_file(image.layers, "/etc/nsswitch.conf", 14) == b"passwd: files\n"
    assert is_directory(image.layers, "/var/lib")


def test_only_what_is_on_the_list_is_bound_and_has_a_place_in_the_skeleton(machine: Path, tmp_path: Path) -> None:
    image = host.image(tmp_path / "host-image", machine)

    assert [bind.target for bind in image.binds] == [
        "/usr",
        "/lib32",
        "/etc/alternatives",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf.d",
        "/etc/pki/tls/certs",
        "/etc/python3.12",
        "/etc/services",
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
    ]
    assert all(bind.read_only and bind.source == machine / bind.target[1:] for bind in image.binds)
    for bind in image.binds:
        place = image.layers[0] / bind.target[1:]
        assert place.is_dir() == bind.source.is_dir()
        assert place.exists()
    assert (image.layers[0] / "etc/localtime").readlink() == Path("/usr/share/zoneinfo/UTC")


def test_nothing_of_the_machine_is_copied(machine: Path, tmp_path: Path) -> None:
    (layer,) = host.image(tmp_path / "host-image", machine).layers

    copied = [
        path for path in layer.rglob("*") if path.is_file() and not path.is_symlink() and "machine" in path.read_text()
    ]
    assert copied == []
    assert not (layer / "etc/shadow").exists()


def test_the_layer_is_made_once_and_anew_when_the_machine_changes(machine: Path, tmp_path: Path) -> None:
    first = host.image(tmp_path / "host-image", machine)
    again = host.image(tmp_path / "host-image", machine)
    (machine / "etc/protocols").touch()
    changed = host.image(tmp_path / "host-image", machine)

    assert first == again
    assert changed.layers != first.layers
    assert all(image.layers[0].is_dir() for image in (first, changed))


@pytest.mark.parametrize("reference", ["host", "host:latest", "host:2", "library/host", "docker.io/library/host"])
def test_the_store_finds_it_under_every_spelling(tmp_path: Path, reference: str) -> None:
    store = Store(Paths(tmp_path / "data", tmp_path / "run"))
    image = store.find(reference)

    assert image
    assert image.name == "host"
    store.unpack(image)
    assert store.list() == ()


@pytest.mark.parametrize("reference", ["hosts", "me/host", "ghcr.io/library/host", "Not A Name"])
def test_other_names_are_not_reserved(reference: str) -> None:
    assert not host.is_reserved(reference)
