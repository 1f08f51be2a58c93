from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import zstandard

from composer.errors import ImageError
from composer.image.faithful import first_unlike
from composer.image.layer import Unpacked, unpack
from composer.image.ownership import Ownership
from composer.image.stream import Limits
from tests.make.image import directory, entry, hardlink, symlink, tar

OURS = Ownership.of_this_process()


def apply(path: Path, data: bytes, ownership: Ownership = OURS, **options: object) -> Path:
    """Unpack the layer `data` to `path`, which then is as the layer says."""
    unpack(io.BytesIO(data), path, ownership, **options)  # type: ignore[arg-type]  # keywords of unpack
    assert first_unlike(io.BytesIO(data), path) == ""
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "layer"


LAYER = tar(directory("etc"), entry("etc/hosts", b"localhost\n", mtime=1_600_000_000))


def test_files_come_out_with_content_mode_and_time(root: Path) -> None:
    data = tar(
        directory("etc", mode=0o750, mtime=1_500_000_000),
        entry("etc/hosts", b"localhost\n", mode=0o640, mtime=1_600_000_000),
        entry("etc/big", b"x" * 1_500_000),
        entry("etc/empty"),
    )
    apply(root, data)

    hosts = (root / "etc/hosts").stat()
    assert (root / "etc/hosts").read_bytes() == b"localhost\n"
    assert (stat.S_IMODE(hosts.st_mode), hosts.st_mtime) == (0o640, 1_600_000_000)
    assert (root / "etc/big").read_bytes() == b"x" * 1_500_000
    assert (root / "etc/empty").read_bytes() == b""
    assert stat.S_IMODE((root / "etc").stat().st_mode) == 0o750
    assert (root / "etc").stat().st_mtime == 1_500_000_000
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_the_roots_own_entry_sets_its_mode(root: Path) -> None:
    apply(root, tar(directory("./", mode=0o700), entry("./file")))

    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert names(root) == ["file"]


def test_missing_parents_are_made(root: Path) -> None:
    apply(root, tar(entry("a/b/c", b"x")))

    assert (root / "a/b/c").read_bytes() == b"x"


def test_a_directory_that_nobody_may_enter_still_gets_its_files(root: Path) -> None:
    apply(root, tar(directory("a", mode=0o000), directory("a/b", mode=0o555), entry("a/b/c", b"x")))

    assert stat.S_IMODE((root / "a").stat().st_mode) == 0
    (root / "a").chmod(0o700)
    assert stat.S_IMODE((root / "a/b").stat().st_mode) == 0o555


def test_links_fifos_and_hardlinks_come_out(root: Path) -> None:
    data = tar(
        entry("file", b"x", mtime=1_600_000_000),
        symlink("relative", "file"),
        symlink("absolute", "/etc/passwd", mtime=1_600_000_000),
        hardlink("second", "file"),
        hardlink("deep/third", "./file"),
        hardlink("link-again", "relative"),
        entry("pipe", type=tarfile.FIFOTYPE, mode=0o622),
    )
    apply(root, data)

    assert (root / "relative").readlink() == Path("file")
    assert (root / "absolute").readlink() == Path("/etc/passwd")
    assert (root / "absolute").lstat().st_mtime == 1_600_000_000
    assert (root / "second").stat().st_ino == (root / "deep/third").stat().st_ino == (root / "file").stat().st_ino
    assert (root / "link-again").is_symlink()
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    assert stat.S_IMODE((root / "pipe").stat().st_mode) == 0o622


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_is_read(root: Path, kind: int) -> None:
    name = "/".join(["d" * 40] * 5) + "/file"  # 208 characters: a prefix in ustar, an own header elsewhere
    entries = [entry(name, b"x"), symlink("link", "t" * 90), entry("later", b"y")]
    if kind != tarfile.USTAR_FORMAT:
        entries += [symlink("long", "t" * 3000), entry("ü" * 100, b"z")]
    apply(root, tar(*entries, format=kind))

    assert (root / name).read_bytes() == b"x"
    assert (root / "later").read_bytes() == b"y"
    if kind != tarfile.USTAR_FORMAT:
        assert str((root / "long").readlink()) == "t" * 3000
        assert (root / ("ü" * 100)).read_bytes() == b"z"


def test_names_are_bytes_not_text(root: Path) -> None:
    apply(root, tar(entry("caf\udce9", b"x"), format=tarfile.GNU_FORMAT))

    assert [os.fsencode(path.name) for path in root.iterdir()] == [b"caf\xe9"]


def test_pax_records_set_time_and_attributes(root: Path) -> None:
    records = {"mtime": "1600000000.25", "SCHILY.xattr.user.kind": "good"}
    apply(root, tar(entry("file", b"x", pax_headers=records), entry("before", mtime=-5)))

    assert (root / "file").stat().st_mtime_ns == 1_600_000_000_250_000_000
    assert os.getxattr(root / "file", "user.kind") == b"good"
    assert (root / "before").stat().st_mtime == -5


def test_overlays_own_attributes_never_come_from_an_archive(root: Path) -> None:
    records = {
        f"SCHILY.xattr.{name}": "/" for name in ("trusted.overlay.redirect", "user.overlay.redirect", "security.x")
    }
    apply(root, tar(entry("file", pax_headers=records), directory("dir", pax_headers=records)))

    assert os.listxattr(root / "file") == []
    assert os.listxattr(root / "dir") == []


def test_sparse_files_keep_their_holes(tmp_path: Path, root: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(10_000_000)
        file.write(b"end")
        file.truncate(20_000_000)
    (tmp_path / "after").write_text("after")
    for name, options in (
        ("gnu", ["--format=gnu"]),
        ("1.0", ["--format=pax"]),
        ("0.1", ["--sparse-version=0.1", "--format=pax"]),
    ):
        archive = subprocess.check_output(["tar", "-C", tmp_path, "-cS", *options, "-f", "-", "sparse", "after"])
        layer = apply(root.with_name(name), archive)

        assert (layer / "sparse").read_bytes() == (tmp_path / "sparse").read_bytes()
        assert (layer / "sparse").stat().st_blocks * 512 < 1_000_000
        assert (layer / "after").read_text() == "after"
        with (layer / "sparse").open("r+b") as file:
            file.seek(10_000_001)
            file.write(b"!")
        assert first_unlike(io.BytesIO(archive), layer) == "sparse"


@pytest.mark.parametrize(
    ("compress", "kept"),
    [
        (lambda data: data, True),
        (gzip.compress, True),
        (lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]), True),
        (zstandard.compress, True),
        (lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:]), True),
        (bz2.compress, False),
        (lzma.compress, False),
    ],
)
def test_every_compression_gives_the_same_layer_and_both_digests(root: Path, compress: object, kept: bool) -> None:
    blob: bytes = compress(LAYER)  # type: ignore[operator]  # one of the functions above
    copy = io.BytesIO()

    unpacked = unpack(io.BytesIO(blob), root, OURS, copy=copy)

    stored = blob if kept else LAYER
    assert (root / "etc/hosts").read_bytes() == b"localhost\n"
    assert (unpacked.content.digest.hex, unpacked.content.size) == (sha256(stored), len(stored))
    assert (unpacked.content.diff_id.hex, unpacked.content.uncompressed) == (sha256(LAYER), len(LAYER))
    assert copy.getvalue() == stored
    assert (unpacked.entries, unpacked.newest) == (2, 1_600_000_000_000_000_000)


def test_padding_and_what_follows_the_archive_belong_to_the_digests(root: Path) -> None:
    data = LAYER + bytes(3_000_000)

    unpacked = unpack(io.BytesIO(gzip.compress(data)), root, OURS)

    assert unpacked.content.diff_id.hex == sha256(data)


def test_a_source_that_gives_a_byte_at_a_time_is_read_all_the_same(root: Path) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(1, size or 0))

    assert unpack(Slow(gzip.compress(LAYER)), root, OURS).content.diff_id.hex == sha256(LAYER)


def test_an_archive_without_its_end_marker_is_whole(root: Path) -> None:
    apply(root, LAYER[: 512 * 3])

    assert (root / "etc/hosts").exists()


# What a layer says about the layers below it.


def whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def opaque(path: Path) -> bool:
    try:
        return os.getxattr(path, OURS.overlay_attributes + "opaque") == b"y"
    except OSError:
        return False


def test_a_whiteout_becomes_what_overlay_understands(root: Path) -> None:
    apply(root, tar(directory("etc"), entry("etc/.wh.hosts"), entry("new/.wh.gone")))

    assert whiteout(root / "etc/hosts")
    assert whiteout(root / "new/gone")
    assert not (root / "etc/.wh.hosts").exists()


def test_an_opaque_directory_is_marked(root: Path) -> None:
    apply(root, tar(directory("etc"), entry("etc/.wh..wh..opq"), entry("etc/hosts")))

    assert opaque(root / "etc")
    assert not opaque(root)
    assert names(root / "etc") == ["hosts"]


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_layer_never_hides_what_it_holds_itself(root: Path, whiteout_first: bool) -> None:
    hiding = [entry(".wh.file"), entry(".wh.dir")]
    holding = [entry("file", b"new"), directory("dir"), entry("dir/inside")]
    apply(root, tar(*(hiding + holding if whiteout_first else holding + hiding)))

    assert (root / "file").read_bytes() == b"new"
    assert (root / "dir/inside").exists()
    assert opaque(root / "dir")  # the lower layer's directory is hidden, not merged


def test_bookkeeping_of_aufs_is_left_out(root: Path) -> None:
    apply(root, tar(directory(".wh..wh.plnk"), entry(".wh..wh.aufs"), entry("file")))

    assert names(root) == ["file"]


def test_times_of_directories_survive_what_is_done_in_them(root: Path) -> None:
    apply(root, tar(directory("a", mtime=1000), entry("a/.wh.x"), entry("a/b"), hardlink("a/c", "a/b")))

    assert (root / "a").stat().st_mtime == 1000


# Owners and devices, as far as this process may.


def squash(**changes: object) -> Ownership:
    values = {"uid": os.geteuid(), "gid": os.getegid(), "uids": ((0, 1),), "gids": ((0, 1),), "devices": False}
    return Ownership(**{**values, **changes})  # type: ignore[arg-type]  # fields of Ownership


def test_owners_that_do_not_exist_for_us_become_ours_without_their_set_id_bits(root: Path) -> None:
    data = tar(
        entry("file", uid=70_000, gid=70_000, mode=0o6755), symlink("link", "x", uid=70_000), directory("d", gid=12)
    )
    apply(root, data, squash())

    status = (root / "file").stat()
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert (root / "link").lstat().st_uid == os.geteuid()


def test_the_owner_is_kept_where_it_can_be_given(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    data = tar(
        directory("d", uid=1000, gid=1001),
        entry("d/file", uid=1000, gid=1001, mode=0o6755),
        symlink("d/link", "x", uid=1000, gid=1001),
        entry("huge", uid=3_000_000_000, gid=3_000_000_000),
        format=tarfile.GNU_FORMAT,
    )
    apply(root, data, Ownership())

    for name in ("d", "d/file", "d/link"):
        assert ((root / name).lstat().st_uid, (root / name).lstat().st_gid) == (1000, 1001)
    assert stat.S_IMODE((root / "d/file").stat().st_mode) == 0o6755
    assert (root / "huge").stat().st_uid == 3_000_000_000


def device(name: str, kind: bytes, major: int, minor: int) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=kind, devmajor=major, devminor=minor, mode=0o666)


def test_only_devices_that_every_container_has_are_made(root: Path) -> None:
    data = tar(
        device("null", tarfile.CHRTYPE, 1, 3),
        device("disk", tarfile.BLKTYPE, 8, 0),
        device("mem", tarfile.CHRTYPE, 1, 1),
        device("whiteout", tarfile.CHRTYPE, 0, 0),
    )
    apply(root, data)

    for name in ("disk", "mem", "whiteout"):
        assert stat.S_ISREG((root / name).stat().st_mode)
        assert (root / name).stat().st_size == 0
    if OURS.devices:
        assert (root / "null").stat().st_rdev == os.makedev(1, 3)


def test_where_devices_cannot_be_made_they_are_empty_files(root: Path) -> None:
    apply(root, tar(device("null", tarfile.CHRTYPE, 1, 3)), squash())

    assert stat.S_ISREG((root / "null").stat().st_mode)


# Limits.


def limited(root: Path, data: bytes, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        apply(root, data, limits=Limits(**limits))
    return caught.value.message


def test_a_bomb_is_stopped_at_the_limit(root: Path) -> None:
    bomb = gzip.compress(tar(entry("bomb", bytes(50_000_000))))

    assert "larger than 10000000 bytes" in limited(root, bomb, uncompressed=10_000_000)
    assert (root / "bomb").stat().st_size <= 10_000_000


def test_a_bomb_behind_the_archive_is_stopped_too(root: Path) -> None:
    assert "larger than" in limited(root, gzip.compress(LAYER + bytes(50_000_000)), uncompressed=10_000_000)


def test_too_many_entries_are_refused(root: Path) -> None:
    assert "more than 100 entries" in limited(root, tar(*(entry(str(n)) for n in range(101))), entries=100)


def test_a_header_that_is_too_large_is_refused(root: Path) -> None:
    data = tar(entry("x", pax_headers={"comment": "y" * 5000}))

    assert "a header of" in limited(root, data, header=4096)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_headers_that_are_too_large_together_are_refused(root: Path, kind: bytes) -> None:
    def header(key: str) -> bytes:
        record = f" {key}={'y' * 3000}\n"
        text = f"{len(record) + 4}{record}".encode()
        info = tarfile.TarInfo("pax")
        info.type, info.size = kind, len(text)
        return info.tobuf(tarfile.USTAR_FORMAT) + text + bytes(-len(text) % 512)

    assert (apply(root, header("a") * 9 + tar(entry("x"))) / "x").exists()
    shutil.rmtree(root)
    message = limited(root, b"".join(header(key) for key in "abc") + tar(entry("x")), header=4096)
    assert "headers of" in message


@pytest.mark.parametrize("name", ["{}/", ".wh.{}"])
def test_what_has_to_be_remembered_to_the_end_is_limited(root: Path, name: str) -> None:
    kind = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
    many = tar(*(entry(name.format(number), type=kind) for number in range(20)))
    large = tar(entry("d", type=tarfile.DIRTYPE, pax_headers={"SCHILY.xattr.user.x": "y" * 9000}))

    assert "too many directories" in limited(root, many, kept=10_000)
    shutil.rmtree(root)
    assert "attributes of them" in limited(root, large, kept=9000)


def test_directories_nested_too_deep_are_refused(root: Path) -> None:
    assert "more than 20 directories deep" in limited(root, tar(entry("d/" * 30 + "f")), depth=20)


# Damage.


@pytest.mark.parametrize("cut", [1, 511, 513, 1025, 1100, 1535])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_a_truncated_layer_is_an_error(root: Path, cut: int, compress: object) -> None:
    blob: bytes = compress(LAYER)  # type: ignore[operator]  # one of the functions above
    blob = blob[:cut] if compress is bytes else blob[: max(1, len(blob) * cut // 1600)]

    with pytest.raises(ImageError, match=r"truncated|damaged|cannot decompress"):
        apply(root, blob)


@pytest.mark.parametrize(
    "data", [b"no archive at all" * 100, b"\x1f\x8b" + bytes(600), b"\x28\xb5\x2f\xfd" + bytes(600)]
)
def test_what_is_no_archive_is_an_error(root: Path, data: bytes) -> None:
    with pytest.raises(ImageError, match="cannot"):
        apply(root, data)


def test_a_damaged_checksum_is_an_error(root: Path) -> None:
    with pytest.raises(ImageError, match="damaged tar header"):
        apply(root, b"X" + LAYER[1:])


def header(name: bytes = b"file", size: bytes = b"00000000000\0", kind: bytes = b"0", prefix: bytes = b"") -> bytes:
    """A header with the given fields, as no honest writer would write it."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "size", [b"00000010000\0", b"77777777777\0", b"\x80" + b"\xff" * 11, b"\x80" + bytes(6) + b"\x7f" * 5]
)
def test_a_size_beyond_the_archive_is_an_error(root: Path, size: bytes) -> None:
    with pytest.raises(ImageError, match="truncated"):
        apply(root, header(size=size) + b"short".ljust(512, b"\0"))


def test_a_negative_size_is_an_error(root: Path) -> None:
    with pytest.raises(ImageError, match="negative"):
        apply(root, header(size=b"\xff" * 12) + bytes(1024))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"x",
        b"5 a=b\n",
        b"99 a=b\n",
        b"-6 a=b\n",
        b"6 ab\n\n",
        b"0 \n",
        b"8 size=x\n\n",
        b"10 size=x\n",
        b"11 size=-5\n",
    ],
)
def test_a_damaged_pax_header_is_an_error(root: Path, record: bytes) -> None:
    data = header(b"pax", b"%011o\0" % len(record), b"x") + record.ljust(512, b"\0") + header() + bytes(1024)
    if not record:
        apply(root, data)  # an empty header says nothing
        return

    with pytest.raises(ImageError, match=r"pax|number|damaged"):
        apply(root, data)


def test_an_unknown_type_of_entry_is_an_error(root: Path) -> None:
    with pytest.raises(ImageError, match="tar entry type `M`"):
        apply(root, header(kind=b"M") + bytes(1024))


def test_a_full_disk_is_an_error_with_a_hint(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    unbuffered = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  # closed below

    with unbuffered as full, pytest.raises(ImageError, match="no space left on device") as caught:
        unpack(io.BytesIO(LAYER), tmp_path / "layer", OURS, copy=cast("BinaryIO", full))
    assert "COMPOSER_DATA" in caught.value.hint


def test_a_layer_of_nothing_is_empty(root: Path) -> None:
    unpacked: Unpacked = unpack(io.BytesIO(b""), root, OURS)

    assert unpacked.entries == 0
    assert names(root) == []
