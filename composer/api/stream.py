"""Frames on an upgraded connection: Docker's multiplexed stream, with one more kind for control.

A header of 8 bytes, `>BxxxI` (kind, length), then the payload. Kinds 0, 1 and 2 are stdin, stdout and stderr; an empty stdin
frame is its end. Kind 3 is a JSON object: `{"resize": [rows, columns]}` and `{"signal": "SIGINT"}` to the engine,
`{"started": true}`, `{"exit": status}` and `{"error": ...}` from it; `exit` or `error` is the last frame.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

STDIN, STDOUT, STDERR, CONTROL = range(4)
_HEADER = struct.Struct(">BxxxI")
LARGEST_FRAME = 1 << 20


def encode(kind: int, payload: bytes) -> bytes:
    """One frame."""
    return _HEADER.pack(kind, len(payload)) + payload


def control(**fields: Any) -> bytes:
    """One control frame."""
    return encode(CONTROL, json.dumps(fields).encode())


class Decoder:
    """Frames out of bytes as they come. Raises ValueError for a frame over `LARGEST_FRAME`."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that `data` completes, as (kind, payload)."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._buffer)
            if length > LARGEST_FRAME:
                raise ValueError(f"a frame of {length} bytes")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield kind, payload
