"""The DNS codec against dnslib, and against bytes that are no messages."""

import struct

import dnslib  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.dns_message import (
    MAX_JUMPS,
    RECORD_TYPES,
    DnsAnswer,
    NotAnAnswer,
    RecordType,
    question,
    read_answer,
)

LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=2, max_size=5).map(".".join)
KINDS = st.sampled_from(RECORD_TYPES)


def data_of(kind: str, target: str, text: str) -> tuple[object, str]:
    """Record data as dnslib has it, and the value that it means."""
    if kind == "TXT":
        return dnslib.TXT([text[:200].encode(), text[200:].encode()]), text
    if kind == "MX":
        return dnslib.MX(target, 10), target
    if kind == "SRV":
        return dnslib.SRV(10, 5, 5061, target), f"{target}:5061"
    value = {"A": "192.0.2.7", "AAAA": "2001:db8::7"}.get(kind, target)
    return getattr(dnslib, kind)(value), value


def reply_to(message: bytes, *records: dnslib.RR) -> bytes:
    reply = dnslib.DNSRecord.parse(message).reply()
    reply.add_answer(*records)
    return bytes(reply.pack())


def record(name: str, kind: str, data: object) -> dnslib.RR:
    return dnslib.RR(name, getattr(dnslib.QTYPE, kind), rdata=data, ttl=60)


@given(NAMES, KINDS, st.integers(0, 0xFFFF))
def test_a_question_is_read_by_another_implementation_as_it_was_meant(
    name: str, kind: RecordType, number: int
) -> None:
    read = dnslib.DNSRecord.parse(question(name, kind, number))
    assert (str(read.q.qname), dnslib.QTYPE[read.q.qtype]) == (f"{name}.", kind)
    assert (read.header.id, read.header.rd, read.header.qr) == (number, 1, 0)


@given(NAMES, KINDS, NAMES, st.text(st.characters(codec="ascii"), max_size=300))
def test_what_another_implementation_writes_is_read_as_it_was_meant(
    name: str, kind: RecordType, target: str, text: str
) -> None:
    # given an answer with one record, whose names are compressed
    data, value = data_of(kind, target, text)
    message = question(name, kind, 7)

    # when
    answer = read_answer(reply_to(message, record(name, kind, data)), name, kind, 7)

    # then
    assert answer == DnsAnswer(0, (value,))


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(garbage: bytes) -> None:
    message = question("example.com", "TXT", 7)
    for hostile in (garbage, reply_to(message)[:-1] + garbage, reply_to(message)[:12] + garbage):
        try:
            read_answer(hostile, "example.com", "TXT", 7)
        except NotAnAnswer:
            continue


@given(st.data())
def test_a_bent_answer_is_read_or_refused_but_never_breaks_the_reader(data: st.DataObject) -> None:
    # given a good answer with a few bytes changed
    message = question("a.example.com", "MX", 7)
    good = reply_to(
        message,
        record("a.example.com", "CNAME", dnslib.CNAME("b.example.com")),
        record("b.example.com", "MX", dnslib.MX("c.example.com")),
    )
    bent = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bent[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))

    # when, then
    try:
        read_answer(bytes(bent), "a.example.com", "MX", 7)
    except NotAnAnswer:
        return


def test_aliases_are_followed_within_an_answer() -> None:
    message = question("www.example.com", "A", 7)
    reply = reply_to(
        message,
        record("www.example.com", "CNAME", dnslib.CNAME("cdn.example.net")),
        record("cdn.example.net", "CNAME", dnslib.CNAME("edge.example.net")),
        record("edge.example.net", "A", dnslib.A("192.0.2.1")),
        record("other.example.net", "A", dnslib.A("192.0.2.9")),
    )
    assert read_answer(reply, "www.example.com", "A", 7).values == ("192.0.2.1",)


def test_as_many_aliases_are_followed_as_name_servers_follow() -> None:
    # BIND and Unbound give up after 11
    message = question("a0.example.com", "A", 7)
    reply = reply_to(
        message,
        *(
            record(f"a{n}.example.com", "CNAME", dnslib.CNAME(f"a{n + 1}.example.com"))
            for n in range(11)
        ),
        record("a11.example.com", "A", dnslib.A("192.0.2.1")),
    )
    assert read_answer(reply, "a0.example.com", "A", 7).values == ("192.0.2.1",)


def test_aliases_in_a_ring_end() -> None:
    message = question("a.example.com", "A", 7)
    reply = reply_to(
        message,
        record("a.example.com", "CNAME", dnslib.CNAME("b.example.com")),
        record("b.example.com", "CNAME", dnslib.CNAME("a.example.com")),
    )
    assert read_answer(reply, "a.example.com", "A", 7).values == ()


HEADER = b"\0\7\x81\x80\0\1\0\1\0\0\0\0"
QUESTION = question("example.com", "TXT", 7)[12:29]


@pytest.mark.parametrize(
    "records",
    [
        b"\xc0\x1d\0\x10\0\1\0\0\0\0\0\0",
        b"\xc0\xff\0\x10\0\1\0\0\0\0\0\0",
        b"\xc0\x0c\0\x10\0\1\0\0\0\0\xff\xff\1a",
        b"\xc0\x0c\0\x10\0\1\0\0\0\0\0\2\5a",
        b"\xc0\x0c\0\1\0\1\0\0\0\0\0\2\1\1",
        b"\x40a\0\0\x10\0\1\0\0\0\0\0\0",
        b"",
    ],
    ids=["itself", "ahead", "too long", "text too long", "no address", "bad label", "missing"],
)
def test_malformed_records_are_refused(records: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        read_answer(HEADER + QUESTION + records, "example.com", "TXT", 7)


def test_an_answer_to_something_else_is_refused() -> None:
    reply = reply_to(question("example.com", "A", 7))
    for name, kind, number in (
        ("example.com", "A", 8),
        ("example.org", "A", 7),
        ("example.com", "AAAA", 7),
    ):
        with pytest.raises(NotAnAnswer):
            read_answer(reply, name, kind, number)  # type: ignore[arg-type]  # a tuple of texts
    with pytest.raises(NotAnAnswer):
        read_answer(question("example.com", "A", 7), "example.com", "A", 7)
    with pytest.raises(NotAnAnswer):
        read_answer(reply[:6] + b"\xff\xff" + reply[8:], "example.com", "A", 7)


@pytest.mark.parametrize(("jumps", "is_read"), [(MAX_JUMPS, True), (MAX_JUMPS + 1, False)])
def test_a_name_is_followed_through_so_many_pointers_and_no_further(
    jumps: int, is_read: bool
) -> None:
    # given a record of no type that we know, full of pointers, each to the one before
    start = len(HEADER + QUESTION) + 11
    chain = b"\0\0" + b"".join(
        struct.pack("!H", 0xC000 | start + 2 * number) for number in range(jumps - 1)
    )
    message = (
        b"\0\7\x81\x80\0\1\0\2\0\0\0\0"
        + QUESTION
        + struct.pack("!xHHIH", 99, 1, 0, len(chain))
        + chain
        + struct.pack("!HHHIH", 0xC000 | start + len(chain) - 2, 16, 1, 0, 2)
        + b"\1a"
    )

    # when, then: each of a hundred records could take the whole way again
    if is_read:
        assert read_answer(message, "example.com", "TXT", 7) == DnsAnswer(0)
    else:
        with pytest.raises(NotAnAnswer):
            read_answer(message, "example.com", "TXT", 7)
