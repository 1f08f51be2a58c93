"""Installed packages, read from files as the ecosystems write them, and from files as nobody good writes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from composer.errors import ImageError
from composer.lock.packages import alpine, collect, debian, npm, pip
from composer.lock.packages.collect import packages_in

DPKG = """\
Package: openssl
Status: install ok installed
Priority: optional
Architecture: amd64
Version: 3.0.15-1~deb12u1
Description: Secure Sockets Layer toolkit
 Version: 9.9 is no version of anything
 .
 more

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-9

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: half
Status: install reinstreq half-installed
Architecture: amd64
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2024a-0+deb12u1
"""
APK = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl.so\n\nP:busybox\nV:1.36.1-r29\n"


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: x\n\nVersion: 0\n"


def test_each_ecosystem_says_what_is_installed() -> None:
    assert list(debian.packages(DPKG)) == [
        ("openssl", "3.0.15-1~deb12u1"),
        ("libc6", "2.36-9"),
        ("libc6:i386", "2.36-9"),
        ("tzdata", "2024a-0+deb12u1"),
    ]
    assert list(alpine.packages(APK)) == [("musl", "1.2.5-r0"), ("busybox", "1.36.1-r29")]
    assert list(pip.packages(metadata("Typing_Extensions", "4.12.2"))) == [("typing-extensions", "4.12.2")]
    assert list(npm.packages('{"name": "@types/node", "version": "20.1.0-rc.1+5"}')) == [
        ("@types/node", "20.1.0-rc.1+5")
    ]


def test_this_machines_own_record_reads_as_dpkg_reads_it() -> None:
    status = Path("/var/lib/dpkg/status")
    if not status.exists():
        pytest.skip("needs a machine with dpkg")
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {tuple(line.split()[1:]) for line in shown.stdout.splitlines() if line.startswith("installed ")}

    assert {(name.partition(":")[0], version) for name, version in debian.packages(status.read_text())} == installed


def test_an_interpreters_own_record_reads_as_pip_reads_it() -> None:
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=json", "--path", str(site)], capture_output=True, check=False
    )
    if shown.returncode:
        pytest.skip("needs pip")
    listed = {
        (each["name"].lower().replace("_", "-").replace(".", "-"), each["version"]) for each in json.loads(shown.stdout)
    }

    found = packages_in((site,))["pip"]

    assert {(name, version) for name, versions in found.items() for version in versions} == listed


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    """Two layers, topmost first."""
    top, base = tmp_path / "top", tmp_path / "base"
    top.mkdir()
    base.mkdir()
    return top, base


def test_everything_is_found_wherever_it_lies(layers: tuple[Path, Path]) -> None:
    top, base = layers
    put(base, "var/lib/dpkg/status", DPKG)
    put(base, "var/lib/dpkg/status.d/base-files", "Package: base-files\nVersion: 12.4\n")
    put(base, "var/lib/dpkg/status.d/base-files.md5sums", "Package: no\nVersion: 1\n")
    put(base, "lib/apk/db/installed", APK)
    put(top, "app/.venv/lib/python3.12/site-packages/Flask-3.0.0.dist-info/METADATA", metadata("Flask", "3.0.0"))
    put(top, "usr/lib/python3/dist-packages/old.egg-info", metadata("old", "1"))
    put(top, "usr/lib/python3/dist-packages/older.egg-info/PKG-INFO", metadata("older", "0.1"))
    put(top, "app/node_modules/a/package.json", '{"name": "a", "version": "1.0.0"}')
    put(top, "app/node_modules/b/node_modules/a/package.json", '{"name": "a", "version": "2.0.0"}')
    put(top, "app/node_modules/@s/c/package.json", '{"name": "@s/c", "version": "3.0.0"}')
    put(top, "app/node_modules/a/lib/package.json", '{"name": "no", "version": "1"}')
    put(top, "app/package.json", '{"name": "no", "version": "1"}')
    put(top, "usr/share/doc/node_modules/x/package.json", '{"name": "no", "version": "1"}')

    assert packages_in(layers) == {
        "alpine": {"busybox": ("1.36.1-r29",), "musl": ("1.2.5-r0",)},
        "debian": {
            "base-files": ("12.4",),
            "libc6": ("2.36-9",),
            "libc6:i386": ("2.36-9",),
            "openssl": ("3.0.15-1~deb12u1",),
            "tzdata": ("2024a-0+deb12u1",),
        },
        "npm": {"@s/c": ("3.0.0",), "a": ("1.0.0", "2.0.0")},
        "pip": {"flask": ("3.0.0",), "old": ("1",), "older": ("0.1",)},
    }


def test_what_an_upper_layer_replaces_or_deletes_is_not_there(layers: tuple[Path, Path]) -> None:
    top, base = layers
    put(base, "lib/apk/db/installed", APK)
    put(base, "m/node_modules/a/package.json", '{"name": "a", "version": "1.0.0"}')
    put(base, "n/node_modules/b/package.json", '{"name": "b", "version": "1.0.0"}')
    put(top, "lib/apk/db/installed", APK.replace("1.2.5", "1.2.6"))
    (top / "n/node_modules/b").mkdir(parents=True)
    os.setxattr(top / "n/node_modules/b", "user.overlay.opaque", b"y")
    if os.geteuid() == 0:
        (top / "m").mkdir()
        os.mknod(top / "m/node_modules", 0o600 | 0o020000, 0)
    else:
        (base / "m/node_modules/a/package.json").unlink()

    assert packages_in(layers) == {"alpine": {"busybox": ("1.36.1-r29",), "musl": ("1.2.6-r0",)}}


@pytest.mark.parametrize(
    "text",
    [
        "Package: a\x1b[31m\nVersion: 1\n",
        "Package: a\nVersion: 1\x1b[31m\n",
        "Package: " + "a" * 1000 + "\nVersion: 1\n",
        "Package: a\nVersion: " + "1" * 1000 + "\n",
        "Package: a b\nVersion: 1\n",
        "Package: ../../etc\nVersion:\n",
        "Package\n\nVersion: 1\n",
        ":\n" * 100,
        "\ufffd\0",
    ],
)
def test_what_does_not_look_like_a_package_is_left_out(text: str) -> None:
    assert list(debian.packages(text)) == list(pip.packages(text)) == []
    assert list(alpine.packages(text.replace("Package", "P").replace("Version", "V"))) == []


@pytest.mark.parametrize(
    "text", ["", "[", "[" * 100_000, "null", '{"name": 1, "version": []}', '{"name": "a\\u0000", "version": "1"}']
)
def test_a_package_json_that_is_none_is_left_out(text: str) -> None:
    assert list(npm.packages(text)) == []


def test_no_link_is_followed_and_nothing_special_is_opened(layers: tuple[Path, Path], tmp_path: Path) -> None:
    top, _ = layers
    put(tmp_path, "outside/status", DPKG)
    (top / "var/lib").mkdir(parents=True)
    (top / "var/lib/dpkg").symlink_to(tmp_path / "outside")
    (top / "lib/apk/db").mkdir(parents=True)
    os.mkfifo(top / "lib/apk/db/installed")
    (top / "node_modules/a").mkdir(parents=True)
    (top / "node_modules/a/package.json").symlink_to("/etc/passwd")
    (top / "node_modules/loop").symlink_to(".")

    assert packages_in(layers) == {}


def test_what_has_no_end_is_an_error(layers: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    top, _ = layers
    deep = top
    for _ in range(450):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with pytest.raises(ImageError, match="nested too deep"):
        packages_in(layers)

    monkeypatch.setattr(collect, "MOST_ENTRIES", 5)
    with pytest.raises(ImageError, match="more than 5 files"):
        packages_in(layers)
    (top / "d").rename(top.parent / "d")
    monkeypatch.setattr(collect, "MOST_PACKAGES", 3)
    monkeypatch.setattr(collect, "MOST_ENTRIES", 500)
    put(top, "var/lib/dpkg/status", DPKG)
    with pytest.raises(ImageError, match="more than 3"):
        packages_in(layers)


def test_a_record_that_is_too_large_is_left_out(layers: tuple[Path, Path]) -> None:
    top, _ = layers
    put(top, "node_modules/a/package.json", '{"name": "a", "version": "1", "x": "' + "x" * 2_000_000 + '"}')

    assert packages_in(layers) == {}
