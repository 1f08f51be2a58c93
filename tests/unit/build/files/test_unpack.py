import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from composer.build.files import ContentCache, CopyOptions, FilesError, Owner, Reason
from tests.unit.build.files.trees import Lab, look

FILE, DIRECTORY = "-rw-r--r--", "drwxr-xr-x"


@pytest.fixture
def lab(tmp_path: Path, contents: ContentCache) -> Lab:
    return Lab(tmp_path, contents)


def tar(*entries: tuple[str, str | None] | tuple[str, str | None, dict[str, object]]) -> bytes:
    """An archive: content, None for a directory, `-> x` a link, `= x` a hardlink; other fields of TarInfo behind."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what, *more in entries:
            member = tarfile.TarInfo(name)
            member.mode = 0o755 if what is None else 0o644
            data = b""
            if what is None:
                member.type = tarfile.DIRTYPE
            elif what.startswith("-> "):
                member.type, member.linkname = tarfile.SYMTYPE, what[3:]
            elif what.startswith("= "):
                member.type, member.linkname = tarfile.LNKTYPE, what[2:]
            else:
                data = what.encode()
            member.size = len(data)
            for key, value in (more[0] if more else {}).items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def add(lab: Lab, data: bytes, to: str = "/out/", options: CopyOptions | None = None) -> Path:
    lab.put({"archive": data})
    return lab.copy("archive", to, unpack=True, options=options or CopyOptions())


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress]
)
def test_an_archive_is_unpacked_whatever_its_name_and_compression(lab: Lab, compress: Callable[[bytes], bytes]) -> None:
    upper = add(lab, compress(tar(("d", None), ("d/a", "a"), ("./b/c", "c"), ("/l", "-> d/a"))))

    assert look(upper) == {
        "out": DIRECTORY,
        "out/b": DIRECTORY,
        "out/b/c": f"{FILE} c",
        "out/d": DIRECTORY,
        "out/d/a": f"{FILE} a",
        "out/l": "link d/a",
    }


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"text", mtime=0), bytes(1024), b"\x1f\x8b broken"])
def test_what_is_no_archive_is_copied(lab: Lab, data: bytes) -> None:
    assert (add(lab, data) / "out/archive").read_bytes() == data


def test_copy_unpacks_nothing_and_the_digest_knows(lab: Lab) -> None:
    lab.put({"archive": tar(("a", "a"))})

    assert sorted(look(lab.copy("archive", "/"))) == ["archive"]


def test_owners_modes_and_times_are_those_of_the_archive(lab: Lab) -> None:
    data = tar(
        ("d", None, {"mode": 0o700, "uid": 5, "gid": 6, "mtime": 1000}),
        ("d/a", "a", {"mode": 0o4755, "uid": 7, "gid": 8, "mtime": 2000}),
    )
    upper = add(lab, data)

    assert look(upper, owners=True)["out/d"] == "drwx------ 5:6"
    assert look(upper, owners=True)["out/d/a"] == "-rwsr-xr-x 7:8 a"
    assert ((upper / "out/d").stat().st_mtime, (upper / "out/d/a").stat().st_mtime) == (1000, 2000)
    assert (add(lab, data, options=CopyOptions(latest=1500)) / "out/d/a").stat().st_mtime == 1500


def test_an_owner_replaces_those_of_the_archive(lab: Lab) -> None:
    upper = add(lab, tar(("a", "a", {"uid": 7}), ("l", "-> a")), options=CopyOptions(owner=Owner(1, 2)))

    assert {words.split()[1] for words in look(upper, owners=True).values()} == {"1:2"}


def test_entries_replace_and_directories_merge(lab: Lab) -> None:
    lab.layer({"out/dir/old": "old", "out/file": "old", "out/full/x": "x", "out/link": "-> dir"})

    upper = add(
        lab,
        tar(("dir", None), ("dir/new", "n"), ("file", None), ("file/in", "i"), ("full", "now a file"), ("link", "f")),
    )

    assert look(upper) == {
        "out": DIRECTORY,
        "out/dir": DIRECTORY,
        "out/dir/new": f"{FILE} n",
        "out/file": DIRECTORY,
        "out/file/in": f"{FILE} i",
        "out/full": f"{FILE} now a file",
        "out/link": f"{FILE} f",
    }


def test_a_directory_in_the_place_of_a_file_that_replaced_one_hides_that(lab: Lab) -> None:
    lab.layer({"out/x/old": "old"})

    upper = add(lab, tar(("x", "file"), ("x", None), ("x/new", "n")))

    assert os.getxattr(upper / "out/x", "trusted.overlay.opaque") == b"y"
    assert look(upper)["out/x/new"] == f"{FILE} n"


def test_hardlinks_lead_to_files_of_the_archive(lab: Lab) -> None:
    upper = add(lab, tar(("d/a", "a"), ("e/b", "= d/a"), ("d/a", "= d/a")))

    assert (upper / "out/d/a").stat().st_ino == (upper / "out/e/b").stat().st_ino


def test_links_on_the_way_are_followed_below_the_destination(lab: Lab, tmp_path: Path) -> None:
    lab.layer({"etc/x": "x", "out/base": "-> /inside"})

    upper = add(
        lab, tar(("up", "-> ../../../../etc"), ("up/a", "a"), ("abs", "-> /etc"), ("abs/b", "b"), ("base/c", "c"))
    )

    assert look(upper / "out/etc") == {"a": f"{FILE} a", "b": f"{FILE} b"}
    assert look(upper / "out/inside") == {"c": f"{FILE} c"}


HOSTILE = {
    "leads out": tar(("../evil", "x")),
    "leads out of": tar(("a/../../evil", "x")),
    "hardlink to": tar(("a", "= /etc/passwd")),
    "passwd`: the name leads out": tar(("a", "= ../../../etc/passwd")),
    "too many symbolic links": tar(("a", "-> b"), ("b", "-> a"), ("a/c", "x")),
    "no directory": tar(("a", "x"), ("a/b", "y")),
    "truncated": tar(("a", "x" * 9000))[:6000],
    "damaged tar header": tar(("a", "a"))[:1024] + b"\xff" * 512,
}


@pytest.mark.parametrize("words", HOSTILE)
def test_a_hostile_archive_is_refused(lab: Lab, words: str) -> None:
    with pytest.raises(FilesError, match=words):
        add(lab, HOSTILE[words])


def test_damage_behind_the_beginning_is_an_error_of_the_archive(lab: Lab) -> None:
    data = gzip.compress(tar(("a", "x" * 100_000), ("b", os.urandom(9000).hex())))

    with pytest.raises(FilesError) as failure:
        add(lab, data[:-3000])
    assert failure.value.reason is Reason.ARCHIVE


def test_devices_and_fifos_are_passed_over_and_replace_nothing(lab: Lab) -> None:
    upper = add(
        lab,
        tar(
            ("disk", "plain"),
            ("disk", "", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0}),
            ("white", "", {"type": tarfile.CHRTYPE, "devmajor": 0, "devminor": 0}),
            ("pipe", "", {"type": tarfile.FIFOTYPE}),
            (".wh.name", "a name as any other"),
        ),
    )

    assert look(upper / "out") == {".wh.name": f"{FILE} a name as any other", "disk": f"{FILE} plain"}


def test_attributes_of_overlay_never_come_from_an_archive(lab: Lab) -> None:
    pax = {"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.x": "y", "SCHILY.xattr.user.ok": "1"}

    upper = add(lab, tar(("a", "a", {"pax_headers": pax})))

    assert os.listxattr(upper / "out/a") == ["user.ok"]


def test_a_name_that_is_no_text(lab: Lab) -> None:
    odd = os.fsdecode(b"\xff\x1b name")

    assert f"out/{odd}" in look(add(lab, tar((odd, "x"))))
