"""DNS messages as far as a resolver's front needs them (RFC 1035 section 4, RFC 6891 for EDNS). Pure.

Only queries are read and only our own answers are written; answers of other servers pass through as they are. Names are
kept as they travel - length, label, length, label, ..., 0 - in lower case, so that no dot or escape is ever ambiguous.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

A, PTR, AAAA, OPT, ANY = 1, 12, 28, 41, 255
INTERNET = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = range(6)

TTL = 2
"""Seconds: names move when containers are replaced."""
PLAIN_LIMIT = 512
"""What every client takes over UDP; more only if it says so by EDNS."""
LARGEST_UDP = 4096
HEADER = 12

_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_WANTED, _RECURSION_AVAILABLE = 0x8000, 0x400, 0x200, 0x100, 0x80
_OPCODE = 0x7800
_POINTER_TO_QUESTION = b"\xc0\x0c"
_OUR_OPT = struct.pack(">BHHIH", 0, OPT, LARGEST_UDP, 0, 0)


class MalformedError(ValueError):
    """Not a query; `id` and `flags` are known if there was a header."""

    def __init__(self, reason: str, identifier: int = -1, flags: int = 0, rcode: int = FORMAT_ERROR) -> None:
        super().__init__(reason)
        self.id = identifier
        self.flags = flags
        self.rcode = rcode


@dataclass(frozen=True, slots=True)
class Query:
    """One question."""

    id: int
    flags: int
    name: bytes
    """In wire form, lower case."""
    type: int
    kind: int
    """The class, nearly always INTERNET."""
    question: bytes
    """As it came, upper case and all: an answer repeats it."""
    limit: int
    """The largest answer the client takes over UDP."""
    edns: bool


def parse(data: bytes) -> Query:
    """The query in a message. Raises `MalformedError` for anything else; a response has no `id` to answer to."""
    if len(data) < HEADER:
        raise MalformedError("shorter than a header")
    identifier, flags, questions, answers, authorities, additional = struct.unpack_from(">6H", data)
    if flags & _RESPONSE:
        raise MalformedError("a response")
    if flags & _OPCODE:
        raise MalformedError("not a standard query", identifier, flags, NOT_IMPLEMENTED)
    if questions != 1:
        raise MalformedError("not one question", identifier, flags)
    end = _end_of_name(data, HEADER)
    if not end or len(data) < end + 4:
        raise MalformedError("a bad name", identifier, flags)
    kind, klass = struct.unpack_from(">HH", data, end)
    limit, edns = PLAIN_LIMIT, False
    if additional and not answers and not authorities and data[end + 4 : end + 7] == b"\0\0\x29":
        if len(data) < end + 9:
            raise MalformedError("a short OPT record", identifier, flags)
        edns = True
        limit = min(max(struct.unpack_from(">H", data, end + 7)[0], PLAIN_LIMIT), LARGEST_UDP)
    return Query(identifier, flags, data[HEADER:end].lower(), kind, klass, data[HEADER : end + 4], limit, edns)


def reply(query: Query, rcode: int, records: Sequence[bytes] = (), limit: int = 65535) -> bytes:
    """An answer to `query`; records that do not fit into `limit` are left out and the answer marked as truncated."""
    flags = _RESPONSE | _AUTHORITATIVE | query.flags & _RECURSION_WANTED | _RECURSION_AVAILABLE | rcode
    opt = _OUR_OPT if query.edns else b""
    room = limit - HEADER - len(query.question) - len(opt)
    body = b"".join(records)
    count = len(records)
    if len(body) > room:
        flags |= _TRUNCATED
        count = max(0, room) // len(records[0])
        body = b"".join(records[:count])
    header = struct.pack(">6H", query.id, flags, 1, count, 0, 1 if opt else 0)
    return b"".join((header, query.question, body, opt))


def failure(problem: MalformedError) -> bytes:
    """The answer to something that could not be understood, or nothing if it deserves none."""
    if problem.id < 0:
        return b""
    flags = _RESPONSE | problem.flags & (_OPCODE | _RECURSION_WANTED) | _RECURSION_AVAILABLE | problem.rcode
    return struct.pack(">6H", problem.id, flags, 0, 0, 0, 0)


def record(kind: int, data: bytes) -> bytes:
    """A record about the name in the question."""
    return _POINTER_TO_QUESTION + struct.pack(">HHIH", kind, INTERNET, TTL, len(data)) + data


def wire_name(name: str) -> bytes:
    """A name such as `web` or `web.shop_default` as it travels, in lower case. Raises ValueError if it cannot be one."""
    labels = [label.encode("utf-8") for label in name.rstrip(".").lower().split(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise ValueError(f"`{name}` is no domain name")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(encoded) > 255:
        raise ValueError(f"`{name}` is too long for a domain name")
    return encoded


def reverse_name(address: bytes) -> bytes:
    """The name under `in-addr.arpa` of a packed IPv4 address."""
    return wire_name(".".join(str(byte) for byte in reversed(address)) + ".in-addr.arpa")


def answers(query: bytes, response: bytes) -> bool:
    """Whether `response` is a response to `query`: same id, same question (letters of either case)."""
    if len(response) < HEADER or response[:2] != query[:2] or not response[2] & 0x80:
        return False
    end = _end_of_name(query, HEADER) + 4
    if response[4:6] == b"\0\0":
        return response[3] & 0xF != NO_ERROR  # some servers leave the question out of a refusal
    return response[4:6] == b"\0\1" and response[HEADER:end].lower() == query[HEADER:end].lower()


def rcode(response: bytes) -> int:
    """The response code of a message."""
    return response[3] & 0xF


def _end_of_name(data: bytes, start: int) -> int:
    """Where the name that begins at `start` ends, or 0 if it is bad. A question has nothing to point back to."""
    position = start
    while position < len(data):
        length = data[position]
        position += 1
        if length == 0:
            return position if position - start <= 255 else 0
        if length > 63:
            return 0
        position += length
    return 0
