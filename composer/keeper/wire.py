"""One message over a SEQPACKET unix socket: a JSON object, bytes in it as `{"base64": ...}`, and descriptors beside it
(`unix(7)`, SCM_RIGHTS).

A body over 64 KiB travels in a memfd (the first descriptor), so many steps never meet the socket's
packet limit. Whoever receives descriptors owns them and closes them.
"""

from __future__ import annotations

import array
import base64
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST_PACKET = 65536
MOST_DESCRIPTORS = 250
"""The kernel's SCM_MAX_FD is 253."""
LONGEST_ADDRESS = 107

_IN_MEMFD = b"M"
_INLINE = b"J"


def send(sock: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message; `fds` are duplicated by the kernel and stay ours. Raises OSError as `sendmsg(2)` does."""
    body = _ENCODER.encode(message).encode()
    if len(body) < LARGEST_PACKET:
        _sendmsg(sock, _INLINE + body, fds)
        return
    memfd = os.memfd_create("composer-message", os.MFD_CLOEXEC)
    try:
        view = memoryview(body)
        while view:
            view = view[os.write(memfd, view) :]
        _sendmsg(sock, _IN_MEMFD, (memfd, *fds))
    finally:
        os.close(memfd)


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message with its descriptors (close-on-exec), or None at the end of the stream.

    Raises BlockingIOError on a non-blocking socket with nothing to read, ValueError for what is no message.
    """
    room = socket.CMSG_SPACE((MOST_DESCRIPTORS + 1) * 4)
    data, ancillary, flags, _address = sock.recvmsg(LARGEST_PACKET + 1, room, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    if not data:
        return None
    received = list(fds)
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ValueError("a message was cut short")
        return _decode(data, received), received
    except (ValueError, RecursionError, OSError) as error:
        for fd in received:
            os.close(fd)
        raise ValueError(f"not a message: {error}") from error


def plain(value: object) -> dict[str, str]:
    """Bytes as JSON has them. Raises TypeError for anything else."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} is nothing to send")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=plain)
"""Made once: `json.dumps` makes one for each message."""


def _decode(data: bytes, received: list[int]) -> dict[str, Any]:
    """The object in `data`; a memfd that holds it is taken from the front of `received`."""
    if data[:1] == _IN_MEMFD:
        if not received:
            raise ValueError("its body did not come with it")
        memfd = received.pop(0)
        try:
            data = _INLINE + os.pread(memfd, os.fstat(memfd).st_size, 0)
        finally:
            os.close(memfd)
    message = json.loads(data[1:])
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def _sendmsg(sock: socket.socket, data: bytes, fds: Sequence[int]) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], rights)


def connect(sock: socket.socket, path: Path) -> None:
    """`connect(2)` to the socket at `path`, however long that is."""
    with short_name(path) as name:
        sock.connect(name)


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name for `path` that fits into an address: 107 bytes at most (`unix(7)`)."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
