"""What `iptables-legacy` has at the forward hook: its rules are not in nf_tables, but the kernel hands them out as a table.

Layouts are those of `linux/netfilter_ipv4/ip_tables.h` and `linux/netfilter/x_tables.h`. Nothing is asked of a kernel that has no
such table already, as asking would make one.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from composer.kernel import sockets

_NAMES = Path("/proc/self/net/ip_tables_names")
_TABLE = b"filter"
_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")
"""`struct ipt_getinfo`: name, valid hooks, entry and policy of each hook, number and size of the entries."""
_ENTRIES_HEAD = 32 + 4 + 4
"""`struct ipt_get_entries` up to the entries: the name, their size, and what aligns them to eight bytes."""
_FORWARD = 2
_NETWORKS, _INTERFACE = 16, 16
_CONDITIONS = 84
"""`struct ipt_ip`: what a rule asks of a packet beside its matches."""
_OFFSETS = struct.Struct("=HH")
_AT_OFFSETS = _CONDITIONS + 4
_ENTRY = 112
"""`struct ipt_entry`: a rule without matches has its target right behind it."""
_TARGET = struct.Struct("=H29sBi")
_DROP = -1
"""`-NF_DROP - 1`, as verdicts of targets without a name are written."""


def refuses(links: str) -> bool:
    """Whether the table drops or rejects what is forwarded and not accepted by it, and says nothing of `links` (`cu*`).

    Raises OSError: EPERM without privilege.
    """
    if _TABLE.decode() not in _names():
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        info = sockets.ask(sock.fileno(), socket.IPPROTO_IP, _GET_INFO, _TABLE.ljust(_INFO.size, b"\0"))
        _name, _hooks, *numbers, _count, size = _INFO.unpack(info)
        first, policy = numbers[_FORWARD], numbers[5 + _FORWARD]
        wanted = struct.pack("=32sI", _TABLE, size).ljust(_ENTRIES_HEAD + size, b"\0")
        entries = sockets.ask(sock.fileno(), socket.IPPROTO_IP, _GET_ENTRIES, wanted)[_ENTRIES_HEAD:]
    return judge(entries, first, policy, links)


def judge(entries: bytes, first: int, policy: int, links: str) -> bool:
    """The answer, of a table's entries, in which the chain FORWARD begins at `first` and has its policy at `policy`."""
    prefix = links.rstrip("*").encode()
    last = -1
    position = 0
    while position < len(entries):
        names = entries[position + _NETWORKS : position + _NETWORKS + 2 * _INTERFACE]
        if any(name.startswith(prefix) for name in (names[:_INTERFACE], names[_INTERFACE:])):
            return False
        if first <= position < policy:
            last = position
        _target, length = _OFFSETS.unpack_from(entries, position + _AT_OFFSETS)
        position += max(length, _ENTRY)
    return _refuses_all(entries, policy) or (last >= 0 and _refuses_all(entries, last))


def _refuses_all(entries: bytes, position: int) -> bool:
    target, _length = _OFFSETS.unpack_from(entries, position + _AT_OFFSETS)
    if target != _ENTRY or any(entries[position : position + _CONDITIONS]):
        return False
    _size, name, _revision, verdict = _TARGET.unpack_from(entries, position + target)
    name = name.rstrip(b"\0")
    return bool(name == b"REJECT" or (name == b"" and verdict == _DROP))


def _names() -> list[str]:
    try:
        return _NAMES.read_text().split()
    except OSError:  # no such tables in this kernel, or not for us
        return []
