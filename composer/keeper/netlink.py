"""Sending encoded netlink messages and reading what the kernel says to each (`netlink(7)`).

The kernel works through a datagram before `sendmsg(2)` returns, so every answer waits when we come to read: there is
nothing to wait for and nothing to time out.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator, Sequence

NLMSG_ERROR = 2
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")
_SOCKET_BUFFER = 1 << 20
_ANSWER = 1 << 16
"""More than one answer has: it repeats no more of the message than its header."""


def connect(family: int) -> socket.socket:
    """A socket that speaks to the network namespace we are in, wherever it is used later."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
    sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    sock.bind((0, 0))
    return sock


def send(sock: socket.socket, messages: Sequence[bytes], tolerate: Collection[int] = ()) -> None:
    """Send `messages` as one datagram. Raises OSError for the first error that is not tolerated."""
    sock.sendmsg([*messages])
    for number, words in _answers(sock):
        if number and number not in tolerate:
            raise OSError(number, os.strerror(number).lower(), words or None)


def _answers(sock: socket.socket) -> Iterator[tuple[int, str]]:
    """Error number (0 for an acknowledgement) and the kernel's own words, per answer."""
    while True:
        try:
            data = sock.recv(_ANSWER)
        except BlockingIOError:
            return
        position = 0
        while position + _HEADER.size <= len(data):
            length, kind, flags, _sequence, _port = _HEADER.unpack_from(data, position)
            if length < _HEADER.size:
                return
            if kind == NLMSG_ERROR:
                yield _read_error(data[position + _HEADER.size : position + length], flags)
            position += (length + 3) & ~3


def _read_error(body: bytes, flags: int) -> tuple[int, str]:
    (number,) = struct.unpack_from("=i", body)
    words = ""
    if flags & NLM_F_ACK_TLVS:
        refused_length = _HEADER.size if flags & NLM_F_CAPPED else struct.unpack_from("=I", body, 4)[0]
        position = 4 + ((refused_length + 3) & ~3)
        while position + _ATTRIBUTE.size <= len(body):
            size, kind = _ATTRIBUTE.unpack_from(body, position)
            if size < _ATTRIBUTE.size:
                break
            if kind & 0x3FFF == NLMSGERR_ATTR_MSG:
                words = body[position + _ATTRIBUTE.size : position + size].rstrip(b"\0").decode(errors="replace")
            position += (size + 3) & ~3
    return -number, words
