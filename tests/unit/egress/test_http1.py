"""Answers as they arrive, byte by byte, valid and not."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.http1 import (
    MAX_CHUNKS,
    MAX_HEAD,
    MAX_INTERIM,
    MAX_LINE,
    AnswerReader,
    NotHttp,
    TooLarge,
    _read_plain_head,
    request_bytes,
)


def read(raw: bytes, *, method: str = "GET", at_once: int = 1) -> tuple[AnswerReader, bytes]:
    """The reader after it got all of this and then the end, and the body."""
    reader, body = AnswerReader(method), b""
    for start in range(0, len(raw), at_once):
        body += reader.feed(raw[start : start + at_once])
    reader.is_complete or reader.end()
    return reader, body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "more than its length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", b"ok"),
    "until the end": (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok"),
    "chunks": (
        CHUNKED + b"1\r\no\r\n1;a=b\r\nk\r\n0\r\nT: x\r\n\r\n",
        b"ok",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", b""),
    "after interim answers": (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "the same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", b"ok"),
    "chunks and a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
        b"Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"ok",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_a_body_ends_where_its_framing_says(name: str, at_once: int) -> None:
    raw, expected = WHOLE[name]

    reader, body = read(raw, at_once=at_once)

    assert reader.head is not None
    assert (body, reader.is_complete, reader.head.quirks) == (expected, True, ())


@pytest.mark.parametrize("codings", [b"chunked, identity", b"identity, chunked"])
def test_identity_is_no_coding_wherever_it_stands(codings: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + codings + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"

    reader, body = read(raw)

    assert (body, reader.is_complete) == (b"ok", True)


def test_the_answer_to_a_head_request_has_no_body() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    reader, body = read(raw, method="HEAD")

    assert reader.is_complete
    assert body == b""


CUT = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    CHUNKED + b"2\r\nok\r\n",
]


@pytest.mark.parametrize("raw", CUT)
def test_an_answer_that_ends_early_is_not_whole(raw: bytes) -> None:
    reader, _ = read(raw)

    assert not reader.is_complete


ODD = {
    b"HTTP/1.1 200\r\n\r\n": (200, ()),
    b"HTTP/1.1  200 OK\r\n\r\n": (200, ("its status line is not valid",)),
    b"HTTP/2 200 OK\r\n\r\n": (200, ("its status line is not valid",)),
    b"http/1.1 200 ok\r\n\r\n": (200, ("its status line is not valid",)),
    b"ICY 200 OK\r\n\r\n": (200, ("its status line is not valid",)),
    b"HTTP/1.1 999 Request denied\r\n\r\n": (999, ()),
    b"\r\n\r\nHTTP/1.1 401 No\r\n\r\n": (401, ()),
    b"HTTP/1.1 401 No\n\n": (401, ()),
    b"HTTP/1.1 401 No\r\nContent-Length : 0\r\n\r\n": (401, ("a header name is not valid",)),
    b"HTTP/1.1 401 No\r\nX Y: 1\r\n\r\n": (401, ("a header name is not valid",)),
    b"HTTP/1.1 401 No\r\nno colon here\r\n\r\n": (401, ("a header line is not valid",)),
    b"HTTP/1.1 401 No\r\nX: a\x00b\r\n\r\n": (401, ("a header value has control characters",)),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n": (
        200,
        ("it has an unknown Transfer-Encoding",),
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n": (
        200,
        ("its Content-Length is not valid",),
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n": (200, ("its Content-Length is not valid",)),
}


@pytest.mark.parametrize("raw", ODD)
def test_a_status_is_not_lost_over_odd_http(raw: bytes) -> None:
    reader, _ = read(raw)

    assert reader.head is not None
    assert (reader.head.status, reader.head.quirks) == ODD[raw]


def test_headers_are_joined_and_unfolded() -> None:
    raw = (
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n"
        b"www-authenticate: Bearer\r\n realm=a\r\n\r\n"
    )

    reader, _ = read(raw)

    assert reader.head is not None
    assert reader.head.headers == {"www-authenticate": "Basic, Bearer realm=a"}


NOT_HTTP = [
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x15\x03\x01\x00\x02\x02",
    b"220 mail.example.com ESMTP\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    CHUNKED + b"nothing\r\n",
    CHUNKED + b"1\r\nmore\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
    b"a" * (MAX_LINE + 1),
    CHUNKED + b"1;" + b"a" * (MAX_LINE + 1),
]


@pytest.mark.parametrize("raw", NOT_HTTP, ids=range(len(NOT_HTTP)))
@pytest.mark.parametrize("at_once", [1, 1_000_000])
def test_what_is_not_http_is_refused(raw: bytes, at_once: int) -> None:
    with pytest.raises(NotHttp):
        read(raw, at_once=at_once)


LONG = b"X: " + b"a" * (MAX_LINE + 1) + b"\r\n"
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nRetry-After: 5\r\n"


@pytest.mark.parametrize("at_once", [1, 509, 1_000_000])
@pytest.mark.parametrize(
    ("raw", "quirk", "is_cut"),
    [
        (UNAUTHORIZED + LONG + b"\r\n", "a header line is too long", False),
        (UNAUTHORIZED + b"X: aaaaaaaaaaaaaa\r\n" * 9999, "its headers are too long", True),
        (UNAUTHORIZED + LONG[:-2] * 9, "a header line is too long", True),
        (UNAUTHORIZED + b"WWW-Authent", "its headers are cut off", True),
        (UNAUTHORIZED, "its headers are cut off", True),
        (
            b"HTTP/1.1 401 " + b"a" * MAX_LINE + b"\r\nRetry-After: 5\r\n\r\n",
            "its status line is not valid",
            False,
        ),
    ],
    ids=["a long line", "many lines", "long lines", "cut in a line", "cut", "long reason"],
)
def test_a_status_is_not_lost_over_the_rest_of_its_head(
    raw: bytes, quirk: str, is_cut: bool, at_once: int
) -> None:
    reader, body = read(raw, at_once=at_once)

    assert reader.head is not None
    assert (reader.head.status, reader.head.is_cut, body) == (401, is_cut, b"")
    assert reader.head.headers["retry-after"] == "5"
    assert quirk in reader.head.quirks
    assert reader.is_complete is not is_cut


def test_a_status_line_that_is_cut_is_none() -> None:
    reader, _ = read(b"HTTP/1.1 401 Unauth")
    assert reader.head is None


@pytest.mark.parametrize(
    ("headers", "codings"),
    [
        (b"Transfer-Encoding: gzip, chunked", ",gzip"),
        (b"Transfer-Encoding: GZIP\r\nTransfer-Encoding: chunked", ",gzip"),
        (b"Transfer-Encoding: deflate", ",deflate"),
        (b"Content-Encoding: br\r\nTransfer-Encoding: gzip, chunked", "br,gzip"),
        (b"Transfer-Encoding: chunked", ""),
    ],
)
def test_transfer_codings_come_after_those_of_the_content(headers: bytes, codings: str) -> None:
    reader, _ = read(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n0\r\n\r\n")

    assert reader.head is not None
    assert (reader.head.codings, reader.head.quirks) == (codings, ())


TOO_LARGE = [
    b"HTTP/1.1 100 Continue\r\n" + b"X: aaaaaaaaaaaaaa\r\n" * (MAX_HEAD // 16),
    CHUNKED + b"1\r\na\r\n" * (MAX_CHUNKS + 1),
    CHUNKED + b"0\r\n" + b"T: aaaa\r\n" * (MAX_HEAD // 6),
]


@pytest.mark.parametrize("raw", TOO_LARGE, ids=range(len(TOO_LARGE)))
@pytest.mark.parametrize("at_once", [509, 1_000_000])
def test_each_part_of_an_answer_has_a_limit(raw: bytes, at_once: int) -> None:
    with pytest.raises(TooLarge):
        read(raw, at_once=at_once)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_crash_the_reader(tail: bytes, at_once: int) -> None:
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        CHUNKED + b"",
    ):
        try:
            read(start + tail, at_once=at_once)
        except (NotHttp, TooLarge):
            continue


def test_a_request_is_written_as_it_is_given() -> None:
    raw = request_bytes("POST", "/a?b=c", (("Host", "x"), ("Content-Length", "2")), b"ok")

    assert raw == b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b"])
def test_no_part_of_a_request_ends_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="ends its line"):
        request_bytes("GET", "/", (("X", value),), b"")


HEADS = (
    *(raw for raw, _ in WHOLE.values()),
    *ODD,
    b"HTTP/1.1 200\r\nA:b\r\n\r\nx",
    b"HTTP/1.1 401 Unauthorized\r\nDate: Sat, 28 Nov 2026 10:00:00 GMT\r\nServer: x\r\n"
    b'WWW-Authenticate: Bearer\r\nwww-authenticate: Basic realm="\xe4"\r\nX-Empty:\r\n'
    b"Content-Type: text/html; charset=utf-8 \t\r\nContent-Length: 12\r\n\r\nunauthorized",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\nTransfer-Encoding: gzip, identity\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * (MAX_LINE - 2) + b"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nX: a\xa0\x85\r\n folded\r\nLocation : /\r\n\r\n",
)
PIECES = (
    *(b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\0", b"\x7f"),
    *(b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xa0", b"\xff", b",", b"-", b"1", b"HTTP/1.1 ", b"00"),
    *(b"\r\nTransfer-Encoding: chunked", b"\r\nContent-Length: 1", b"chunked", b"identity"),
)


def mutated(raw: bytes, random: Random) -> bytes:
    """The answer with up to four odd pieces put in, left out, or in place of others."""
    data = bytearray(raw)
    for _ in range(random.randint(0, 4)):
        at = random.randint(0, len(data))
        data[at : at + random.choice((0, 0, 1, 1, 2, 8))] = random.choice(PIECES)
    return bytes(data)


def outcome(raw: bytes, cuts: tuple[int, ...], method: str) -> object:
    """What a reader makes of an answer that arrives in these parts."""
    reader, body = AnswerReader(method), b""
    try:
        for start, end in pairwise((0, *cuts, len(raw))):
            body += reader.feed(raw[start:end])
        whole = reader.end()
    except (NotHttp, TooLarge) as error:
        return type(error), str(error)
    return reader.head, body, whole, reader.is_complete, reader.after_upgrade


def test_an_answer_that_arrives_at_once_is_read_as_one_that_does_not() -> None:
    """A head that is all there is read in another way than one in parts: nothing may differ."""
    random, plain = Random(75), 0  # noqa: S311 - the same each time
    for _ in range(6000):
        raw = mutated(random.choice(HEADS), random)
        method = random.choice(("GET", "HEAD"))
        plain += _read_plain_head(raw) is not None

        assert outcome(raw, (), method) == outcome(raw, (1,), method), raw

    assert 1000 < plain < 5000
