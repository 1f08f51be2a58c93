"""Tar headers: one 512-byte block as ustar and GNU tar write it, and the records of a pax header.

`tar(5)`; POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import Enum

from composer.errors import ImageError

BLOCK = 512
_ZEROS = bytes(BLOCK)
_ADLER = 65521  # RFC 1950


class Kind(Enum):
    """What an entry makes."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"


KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,  # "contiguous"; nobody tells them apart
    b"S": Kind.FILE,  # GNU sparse
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}


@dataclass(slots=True)
class Header:
    """One entry, names as the archive spells them; changed by the pax records that precede it."""

    name: bytes
    flag: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    """Nanoseconds since the epoch."""
    link: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What the entry makes. Raises ImageError for types that nobody could unpack."""
        kind = KINDS.get(self.flag)
        if kind is None:
            raise ImageError(f"cannot unpack `{printable(self.name)}`: tar entry type `{printable(self.flag)}`")
        # Before POSIX there was no type for directories, only a slash.
        return Kind.DIRECTORY if self.flag == b"\0" and self.name.endswith(b"/") else kind


def parse_header(block: bytes) -> Header | None:
    """The header in `block`, or None for the zeros that end an archive. Raises ImageError for anything else."""
    if block == _ZEROS:
        return None
    if not _checksum_holds(block):
        raise ImageError("cannot read the layer: damaged tar header, or not a tar archive")
    name = _text(block[0:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    return Header(
        name=name,
        flag=block[156:157],
        mode=number(block[100:108]) & 0o7777,
        uid=number(block[108:116]),
        gid=number(block[116:124]),
        size=number(block[124:136]),
        mtime=number(block[136:148]) * 1_000_000_000,
        link=_text(block[157:257]),
        major=number(block[329:337]) if block[156] in b"34" else 0,
        minor=number(block[337:345]) if block[156] in b"34" else 0,
    )


def parse_pax(data: bytes, into: dict[bytes, bytes]) -> None:
    """Add the records `<length> <key>=<value>\\n` to `into`; later ones win. Raises ImageError for what is none."""
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        if not space < end <= len(data) or data[end - 1 : end] != b"\n":
            raise ImageError("cannot read the layer: damaged pax header")
        key, separator, value = data[space + 1 : end - 1].partition(b"=")
        if not separator:
            raise ImageError("cannot read the layer: damaged pax header")
        into[key] = value
        position = end


def apply_pax(header: Header, records: dict[bytes, bytes]) -> None:
    """Change `header` as `records` say; an empty value means "as in the block". Raises ImageError for bad numbers."""
    for key, value in records.items():
        if key.startswith(b"SCHILY.xattr."):
            header.xattrs[key[13:].decode(errors="surrogateescape")] = value
        elif not value:
            continue
        elif key == b"path":
            header.name = value
        elif key == b"linkpath":
            header.link = value
        elif key == b"size":
            header.size = _decimal(value)
        elif key == b"uid":
            header.uid = _decimal(value)
        elif key == b"gid":
            header.gid = _decimal(value)
        elif key == b"mtime":
            header.mtime = _time(value)


def number(field_: bytes) -> int:
    """A number in octal or, as GNU writes large ones, in base 256. Raises ImageError."""
    if field_[0] & 0x80:
        value = int.from_bytes(field_, "big", signed=False) & ((1 << (len(field_) * 8 - 1)) - 1)
        return value - (1 << (len(field_) * 8 - 1)) if field_[0] == 0xFF else value
    digits = field_.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise ImageError(f"cannot read the layer: `{printable(digits)}` is no octal number") from None


def printable(name: bytes) -> str:
    """A name from an archive as it can be shown: hostile ones hold control sequences."""
    text = name.decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _checksum_holds(block: bytes) -> bool:
    digits = block[148:156].strip(b" \0")
    if not digits.isdigit() or digits.strip(b"01234567"):
        return False
    expected = int(digits, 8)
    # Half of Adler's checksum is such a sum, modulo a prime; it is computed for every entry, and this is thirty times faster.
    total = zlib.adler32(block) & 0xFFFF
    if total == (1 + expected - 8 * 0x20 + sum(block[148:156])) % _ADLER:
        return True
    unsigned = sum(block) - sum(block[148:156]) + 8 * 0x20
    # Some old tars summed signed bytes.
    high = sum(1 for byte in block[:148] + block[156:] if byte >= 0x80)
    return unsigned - 256 * high == expected


def _text(field_: bytes) -> bytes:
    end = field_.find(b"\0")
    return field_ if end < 0 else field_[:end]


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise ImageError(f"cannot read the layer: `{printable(value[:40])}` is no number in a pax header")
    return int(value)


def _time(value: bytes) -> int:
    whole, _, fraction = value.partition(b".")
    negative = whole.startswith(b"-")
    nanoseconds = _decimal(whole.lstrip(b"-") or b"0") * 1_000_000_000 + _decimal(fraction[:9].ljust(9, b"0"))
    return -nanoseconds if negative else nanoseconds
