"""What a client asks for: one record with descriptors, in as many pieces as the socket makes of it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from composer import client

_LONGEST = 64 << 20
"""Bytes of a record: the kernel lets arguments and environment together have a quarter of the stack's limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """One command line and its surroundings."""

    package: str
    """Where the client's copy of composer is, and its interpreter."""
    prefix: str
    version: str
    encoding: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[bytes, bytes], ...]
    numbers: tuple[int, ...]
    """The numbers that the descriptors have in the client."""

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """The request in a record without its length. Raises ValueError for what is none."""
        parts = body.split(b"\0")
        if len(parts) < 5 or parts.pop() != b"":
            raise ValueError("a record that is cut short")
        counts = [int(part) for part in parts[:4]]
        if min(counts) < 0 or sum(counts) != len(parts) - 4:
            raise ValueError("a record with wrong counts")
        groups, start = [], 4
        for count in counts:
            groups.append(parts[start : start + count])
            start += count
        about, arguments, variables, numbers = groups
        if len(about) != 5 or about[0] != client.PROTOCOL:
            raise ValueError("a record of another protocol")
        pairs = [variable.partition(b"=") for variable in variables]
        return cls(
            package=os.fsdecode(about[1]),
            prefix=os.fsdecode(about[2]),
            version=os.fsdecode(about[3]),
            encoding=os.fsdecode(about[4]),
            arguments=tuple(os.fsdecode(argument) for argument in arguments),
            environment=tuple((name, value) for name, _, value in pairs),
            numbers=tuple(int(number) for number in numbers),
        )


class Reader:
    """A record that is coming; its descriptors, the working directory first, are the taker's to close."""

    def __init__(self) -> None:
        self.fds: list[int] = []
        self._data = bytearray()

    def read(self, connection: socket.socket) -> Request | None:
        """The request, once it is whole. Raises ValueError for what is none, EOFError if the client has gone."""
        data, fds, _flags, _address = socket.recv_fds(connection, 1 << 20, client.MOST_DESCRIPTORS + 1)
        self.fds += fds
        if not data:
            raise EOFError
        self._data += data
        length = int.from_bytes(self._data[:4], "big")
        if length > _LONGEST:
            raise ValueError("a record that is too long")
        if len(self._data) < 4 + length:
            return None
        request = Request.parse(bytes(self._data[4:]))
        if len(self.fds) != 1 + len(request.numbers):
            raise ValueError("a record with other descriptors than it says")
        return request

    @property
    def record(self) -> bytes:
        """What has come, to be read once more by another reader."""
        return bytes(self._data)

    def close(self) -> None:
        """Let go of the descriptors."""
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()
