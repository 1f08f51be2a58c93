"""Archives damaged at random: whatever the bytes, the layer is unpacked or refused with a sentence."""

from __future__ import annotations

import gzip
import io
import tarfile
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.errors import ImageError
from composer.image.header import apply_pax, parse_header, parse_pax
from composer.image.layer import unpack
from composer.image.ownership import Ownership
from composer.image.stream import Limits
from tests.make.image import directory, entry, hardlink, symlink, tar

OURS = Ownership.of_this_process()
SMALL = Limits(uncompressed=1 << 20, entries=100, header=1 << 14, depth=16)
ENTRIES = (
    directory("d", pax_headers={"mtime": "1.5", "SCHILY.xattr.user.a": "b"}),
    entry("d/file", b"content" * 100, pax_headers={"path": "d/renamed"}),
    symlink("d/" + "link" * 40, "t" * 150),
    hardlink("hard", "d/renamed"),
    entry("d/.wh.gone"),
)
WHOLE = [tar(*ENTRIES), tar(*ENTRIES, format=tarfile.GNU_FORMAT)]


def mended(data: bytes) -> bytes:
    """The archive with the right checksum in every block that could be a header: most damage ends at the checksum."""
    blocks = []
    for start in range(0, len(data), 512):
        block = bytearray(data[start : start + 512])
        if len(block) == 512 and any(block):
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
        blocks.append(bytes(block))
    return b"".join(blocks)


damage = st.lists(st.tuples(st.integers(0, 8191), st.binary(min_size=1, max_size=12)), min_size=1, max_size=6)


@settings(deadline=None)
@given(
    whole=st.sampled_from(WHOLE), damage=damage, mend=st.booleans(), compress=st.sampled_from([bytes, gzip.compress])
)
def test_a_damaged_archive_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    whole: bytes,
    damage: list[tuple[int, bytes]],
    mend: bool,
    compress: type[bytes],
) -> None:
    data = bytearray(whole)
    for position, piece in damage:
        data[position : position + len(piece)] = piece
    archive = compress(mended(bytes(data)) if mend else bytes(data))
    with suppress(ImageError):
        unpack(io.BytesIO(archive), tmp_path_factory.mktemp("fuzz") / "layer", OURS, SMALL)


@settings(deadline=None)
@given(
    blob=st.sampled_from([gzip.compress(WHOLE[0]), zstandard.compress(WHOLE[0])]),
    damage=damage,
    cut=st.integers(1, 9999),
)
def test_a_damaged_blob_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, blob: bytes, damage: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(blob)
    for position, piece in damage:
        start = position % len(data)
        data[start : start + len(piece)] = piece
    with suppress(ImageError):
        unpack(io.BytesIO(bytes(data[:cut])), tmp_path_factory.mktemp("fuzz") / "layer", OURS, SMALL)


@given(st.binary(min_size=512, max_size=512))
def test_any_block_is_a_header_or_refused(block: bytes) -> None:
    with suppress(ImageError):
        parse_header(mended(block))


@given(
    st.one_of(
        st.binary(max_size=200), st.lists(st.sampled_from([b"11 path=a\n", b"9 uid=x\n", b"8 a=\n"])).map(b"".join)
    )
)
def test_any_bytes_are_pax_records_or_refused(data: bytes) -> None:
    header = parse_header(WHOLE[1][:512])
    assert header
    records: dict[bytes, bytes] = {}
    with suppress(ImageError):
        parse_pax(data, records)
        apply_pax(header, records)
