"""Header blocks of an archive as they are written: ustar, and pax headers for what ustar cannot say.

<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>. One is made for each file of every layer, twice where its
time has a fraction of a second: what most files need goes the short way.
"""

from __future__ import annotations

import os
from zlib import adler32

from composer.image.header import BLOCK


def header_of(name: bytes, status: os.stat_result, flag: bytes, link: bytes, xattrs: dict[str, bytes]) -> bytes:
    """What stands before a file's content: `flag` is its type in tar, `link` where a link leads, "" is the name of the root."""
    shown = (name or b".") + (b"/" if flag == b"5" else b"")
    size = status.st_size if flag == b"0" else 0
    uid, gid, changed = status.st_uid, status.st_gid, status.st_mtime_ns
    seconds, fraction = divmod(changed, 1_000_000_000)
    ordinary = flag in b"05" and len(shown) <= 100 and shown.isascii() and not xattrs and 0 <= seconds < 1 << 33
    if ordinary and size < 1 << 33 and uid < 1 << 21 and gid < 1 << 21:
        block = _block(shown, status.st_mode & 0o7777, uid, gid, size, seconds, flag, b"", (0, 0))
        return _timed(shown, block, b"%d.%09d" % (seconds, fraction)) if fraction else block
    records = _records(shown, link, size, uid, gid)
    if fraction or not 0 <= seconds < 1 << 33:
        records[b"mtime"] = _time(changed)
    if xattrs:
        records |= {b"SCHILY.xattr." + os.fsencode(key): value for key, value in xattrs.items()}
    device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if flag in b"34" else (0, 0)
    block = _block(shown, status.st_mode & 0o7777, uid, gid, size, max(seconds, 0), flag, link, device)
    if not records:
        return block
    body = b"".join([_record(key, records[key]) for key in sorted(records)])
    pax = _block(b"PaxHeaders/" + shown.rstrip(b"/")[-80:], 0o644, 0, 0, len(body), 0, b"x", b"", (0, 0))
    return b"".join((pax, body, bytes(-len(body) % BLOCK), block))


def _timed(shown: bytes, block: bytes, time: bytes) -> bytes:
    """A block whose time has a fraction of a second and that needs nothing else said: most files are such."""
    time = time.rstrip(b"0")
    body = b"%d mtime=%b\n" % (len(time) + 10, time)  # of two digits, whatever the time
    head = b"%b0000644\x000000000\x000000000\x00%011o\x0000000000000\x00" % (
        (b"PaxHeaders/" + shown.rstrip(b"/")[-80:]).ljust(100, b"\0"),
        len(body),
    )
    tail, rest = _TAILS[b"x"]
    checksum = (adler32(head) & 0xFFFF) - 1 + rest
    return b"%b%06o\x00 %b%b%b" % (head, checksum, tail, body.ljust(BLOCK, b"\0"), block)


def _records(shown: bytes, link: bytes, size: int, uid: int, gid: int) -> dict[bytes, bytes]:
    """What does not fit into a block, its time apart."""
    records: dict[bytes, bytes] = {}
    if len(shown) > 100 or not shown.isascii():
        records[b"path"] = shown
    if link and (len(link) > 100 or not link.isascii()):
        records[b"linkpath"] = link
    if size >= 1 << 33:
        records[b"size"] = b"%d" % size
    if uid >= 1 << 21:
        records[b"uid"] = b"%d" % uid
    if gid >= 1 << 21:
        records[b"gid"] = b"%d" % gid
    return records


_MAGIC = b"ustar\x0000" + bytes(64)
_NO_DEVICE = b"0000000\x000000000\x00"
_END = bytes(167)
_SPACES = 8 * ord(" ")
"""What a checksum counts for itself."""


def _tail(flag: bytes, link: bytes = b"", nodes: bytes = _NO_DEVICE) -> bytes:
    """A header block from its type on."""
    return b"".join((flag, link.ljust(100, b"\0"), _MAGIC, nodes, _END))


_TAILS = {flag: (tail := _tail(flag), sum(tail) + _SPACES) for flag in (b"0", b"5", b"x")}
"""Where there is neither a link nor a device: most blocks; with what it adds to the checksum."""


def _block(
    name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, flag: bytes, link: bytes, device: tuple[int, int]
) -> bytes:
    """A header block; numbers that do not fit are zero, a pax record says them."""
    head = b"%b%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00" % (
        name[:100].ljust(100, b"\0"),
        mode,
        uid if uid < 1 << 21 else 0,
        gid if gid < 1 << 21 else 0,
        size if size < 1 << 33 else 0,
        mtime if mtime < 1 << 33 else 0,
    )
    if link or device != (0, 0):
        tail = _tail(flag, link[:100], b"%07o\x00%07o\x00" % device)
        rest = sum(tail) + _SPACES
    else:
        tail, rest = _TAILS[flag] if flag in _TAILS else (_tail(flag), sum(_tail(flag)) + _SPACES)
    # The low half of Adler-32 is one more than the sum of the bytes, as long as that is below 65521; 148 bytes are.
    return b"%b%06o\x00 %b" % (head, (adler32(head) & 0xFFFF) - 1 + rest, tail)


def _record(key: bytes, value: bytes) -> bytes:
    """`<length> <key>=<value>\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _time(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    seconds, fraction = divmod(abs(nanoseconds), 1_000_000_000)
    return sign + (b"%d.%09d" % (seconds, fraction)).rstrip(b"0").rstrip(b".")
