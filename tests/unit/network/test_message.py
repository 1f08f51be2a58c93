import struct

import pytest
from dnslib import EDNS0, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from composer.network.dataplane import message


def question(name: str, kind: str = "A") -> bytes:
    return bytes(DNSRecord.question(name, kind).pack())


def test_a_query_is_read_as_another_library_wrote_it() -> None:
    query = message.parse(question("Web.Example.com", "AAAA"))

    assert (query.name, query.type, query.kind) == (message.wire_name("web.example.com"), message.AAAA, 1)
    assert query.limit == message.PLAIN_LIMIT


@pytest.mark.parametrize(("size", "limit"), [(100, 512), (1232, 1232), (65535, 4096)])
def test_edns_says_how_large_an_answer_may_be(size: int, limit: int) -> None:
    record = DNSRecord.question("web")
    record.add_ar(EDNS0(udp_len=size))

    query = message.parse(record.pack())

    assert (query.edns, query.limit) == (True, limit)


def test_an_answer_is_read_by_another_library_as_it_was_meant() -> None:
    query = message.parse(question("WEB"))

    reply = DNSRecord.parse(message.reply(query, message.NO_ERROR, [message.record(message.A, bytes([10, 0, 0, 2]))]))

    assert (str(reply.q.qname), str(reply.rr[0].rdata), reply.rr[0].ttl) == ("WEB.", "10.0.0.2", message.TTL)
    assert (reply.header.qr, reply.header.rd, reply.header.ra, reply.header.tc) == (1, 1, 1, 0)


def test_records_that_do_not_fit_are_left_out_and_the_answer_says_so() -> None:
    query = message.parse(question("web"))
    records = [message.record(message.A, bytes([10, 0, 0, n])) for n in range(100)]

    data = message.reply(query, message.NO_ERROR, records, 512)

    assert len(data) <= 512
    assert DNSRecord.parse(data).header.tc == 1
    assert len(DNSRecord.parse(data).rr) == (512 - message.HEADER - len(query.question)) // 16


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (struct.pack(">6H", 9, 0x100, 0, 0, 0, 0), "FORMERR"),
        (struct.pack(">6H", 9, 0x100, 2, 0, 0, 0), "FORMERR"),
        (struct.pack(">6H", 9, 0x2800, 1, 0, 0, 0) + b"\0\0\1\0\1", "NOTIMP"),
        (struct.pack(">6H", 9, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", "FORMERR"),
        (struct.pack(">6H", 9, 0x100, 1, 0, 0, 0) + b"\5web", "FORMERR"),
        (struct.pack(">6H", 9, 0x100, 1, 0, 0, 0) + b"\3web\0\0\1", "FORMERR"),
        (struct.pack(">6H", 9, 0x100, 1, 0, 0, 0) + b"\x3f" + b"a" * 63 * 5, "FORMERR"),
    ],
)
def test_what_cannot_be_understood_is_answered_with_the_reason(data: bytes, rcode: str) -> None:
    with pytest.raises(message.MalformedError) as caught:
        message.parse(data)
    failure = DNSRecord.parse(message.failure(caught.value))

    assert (failure.header.id, failure.header.qr, RCODE[failure.header.rcode]) == (9, 1, rcode)


@pytest.mark.parametrize("data", [b"", b"x" * 11, struct.pack(">6H", 9, 0x8100, 1, 0, 0, 0) + b"\0\0\1\0\1"])
def test_responses_and_scraps_are_not_answered_at_all(data: bytes) -> None:
    with pytest.raises(message.MalformedError) as caught:
        message.parse(data)
    assert message.failure(caught.value) == b""


@given(st.binary(max_size=600))
def test_any_bytes_are_a_query_or_malformed(data: bytes) -> None:
    try:
        query = message.parse(data)
    except message.MalformedError as malformed:
        answer = message.failure(malformed)
    else:
        answer = message.reply(query, message.NAME_ERROR, (), query.limit)
        assert message.answers(data, answer)
    assert answer[:2] in (b"", data[:2])


@given(st.binary(min_size=12, max_size=60), st.integers(0, 70), st.integers(0, 255))
def test_a_response_to_something_else_is_told_apart(data: bytes, position: int, value: int) -> None:
    query = question("example.com")
    forged = bytearray(query)
    forged[2] |= 0x80
    assert message.answers(query, bytes(forged))
    if position < len(forged) and position not in (2, 3, 6, 7, 8, 9, 10, 11):
        changed = forged[position] ^ value
        assert message.answers(query, bytes(forged[:position]) + bytes([changed]) + bytes(forged[position + 1 :])) == (
            bytes([changed]).lower() == bytes([forged[position]]).lower()
            if position >= 12
            else changed == forged[position]
        )
    message.answers(query, data)


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 64, ".".join(["a" * 60] * 5)])
def test_what_is_no_domain_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="domain name"):
        message.wire_name(name)
