"""What a server says of client certificates in the clear."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.tls_records import asks_for_certificate

HELLO, CERTIFICATE, REQUEST, DONE = 2, 11, 13, 14


def message(kind: int, size: int = 20) -> bytes:
    return bytes([kind]) + size.to_bytes(3) + bytes(size)


def record(data: bytes, kind: int = 22) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(data)) + data


ASKING = message(HELLO) + message(CERTIFICATE, 3000) + message(REQUEST) + message(DONE, 0)
NOT_ASKING = message(HELLO) + message(CERTIFICATE, 3000) + message(DONE, 0)


@pytest.mark.parametrize("size", [1, 7, 1000, 10_000])
def test_a_request_is_found_however_the_messages_are_cut_into_records(size: int) -> None:
    for messages, asked in ((ASKING, True), (NOT_ASKING, False)):
        parts = [messages[start : start + size] for start in range(0, len(messages), size)]
        assert asks_for_certificate(b"".join(map(record, parts))) is asked


def test_an_alert_between_the_messages_is_passed_over() -> None:
    assert asks_for_certificate(record(b"\1\0", 21) + record(ASKING))


@pytest.mark.parametrize("kind", [20, 23], ids=["change of ciphers", "data"])
def test_what_is_encrypted_is_not_read(kind: int) -> None:
    assert not asks_for_certificate(record(message(HELLO)) + record(b"x", kind) + record(ASKING))


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    asks_for_certificate(data)
    asks_for_certificate(record(data))
