"""Which tables the firewall of our network namespace has: how an engine sees the other engines of its machine."""

from __future__ import annotations

import errno
import socket
import struct

from composer.network import nftables

_GET_TABLES = 0x0A01
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_TABLE_NAME = 1


def tables() -> set[str]:
    """The names of the tables of family `ip`; none where the kernel has no nf_tables. Raises OSError: EPERM without privilege."""
    names: set[str] = set()
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, nftables.NETFILTER)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return names
        raise
    with netlink as sock:
        sock.bind((0, 0))
        body = struct.pack(">BBH", socket.AF_INET, 0, 0)
        sock.send(struct.pack("=IHHII", 16 + len(body), _GET_TABLES, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data = sock.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == _DONE:
                    return names
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(number, "list firewall tables")
                names.add(_name(data[20:length]))
                data = data[(length + 3) & ~3 :]


def _name(attributes: bytes) -> str:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _TABLE_NAME:
            return attributes[4:length].rstrip(b"\0").decode()
        attributes = attributes[max(4, (length + 3) & ~3) :]
    return ""
