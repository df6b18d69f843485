"""Content codings and charsets, as servers send them."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.content import (
    MAX_CONTENT,
    CodingError,
    ContentTooLarge,
    decoded,
    json_of,
    text_of,
)

PLAIN = b'{"ok": true}'


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "in capitals": (" GZIP ", gzip.compress),
    "deflate in a zlib wrapper": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "brotli": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "two members of gzip": (
        "gzip",
        lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
    ),
    "two frames of zstd": (
        "zstd",
        lambda data: zstd.compress(data[:5]) + zstd.compress(data[5:]),
    ),
    "gzip with padding": ("gzip", lambda data: gzip.compress(data) + b"\0" * 20),
    "one on top of another": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "identity": ("identity", bytes),
    "nothing": ("", bytes),
    "a charset": ("UTF-8", bytes),
    "a coding of nobody": ("none", bytes),
}


@pytest.mark.parametrize("name", CODERS)
def test_a_coding_is_undone(name: str) -> None:
    coding, encode = CODERS[name]

    assert decoded(encode(PLAIN), coding) == PLAIN


@pytest.mark.parametrize("name", ["gzip", "bare deflate", "brotli", "zstd"])
def test_what_is_cut_off_says_so_beside_what_there_is(name: str) -> None:
    coding, encode = CODERS[name]
    data = encode(bytes(range(256)) * 40)

    with pytest.raises(CodingError) as cut:
        decoded(data[: len(data) // 2], coding)

    assert not isinstance(cut.value, ContentTooLarge)
    assert (bytes(range(256)) * 40).startswith(cut.value.data)


@pytest.mark.parametrize("name", ["gzip", "bare deflate", "brotli", "zstd"])
def test_a_bomb_is_read_as_far_as_the_limit(name: str) -> None:
    coding, encode = CODERS[name]
    bomb = encode(b"\0" * 30_000_000)
    decoded(encode(PLAIN), coding)

    tracemalloc.start()
    with pytest.raises(ContentTooLarge) as large:
        decoded(bomb, coding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert large.value.data == b"\0" * MAX_CONTENT
    assert peak < 2_000_000


def test_more_codings_than_anyone_sends_are_not_undone() -> None:
    data = PLAIN
    for _ in range(4):
        data = gzip.compress(data)

    with pytest.raises(CodingError):
        decoded(data, "gzip, gzip, gzip, gzip")


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_no_bytes_crash_a_decoder(data: bytes, coding: str) -> None:
    try:
        decoded(data, coding)
    except CodingError:
        return


TEXTS = {
    "UTF-8": ("Müller".encode(), "application/json"),
    "UTF-8 with a mark": ("Müller".encode("utf-8-sig"), "application/json"),
    "UTF-16 with a mark": ("Müller".encode("utf-16"), "text/plain"),
    "Latin-1 by its name": ("Müller".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
    "a name in quotes": ("Müller".encode("cp1252"), 'text/plain; charset="windows-1252"'),
    "Latin-1 of which nobody says so": ("Müller".encode("latin-1"), "text/plain"),
    "an unknown charset": ("Müller".encode(), "text/plain; charset=utf8mb4"),
    "a codec that is no charset": ("Müller".encode(), "text/plain; charset=idna"),
    "a codec of bytes": ("Müller".encode(), "text/plain; charset=zip"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_read_in_its_charset(name: str) -> None:
    assert text_of(*TEXTS[name]) == "Müller"


DOCUMENTS = {
    "UTF-8": ('{"a": "é"}'.encode(), "application/json"),
    "with a mark": ('{"a": "é"}'.encode("utf-8-sig"), "application/json"),
    "UTF-16 without a mark": ('{"a": "é"}'.encode("utf-16-le"), "application/json"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), "application/json; charset=latin1"),
    "Latin-1 of which nobody says so": ('{"a": "é"}'.encode("latin-1"), "application/json"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_is_read_in_its_charset(name: str) -> None:
    assert json_of(*DOCUMENTS[name]) == {"a": "é"}


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        json_of(b"<html>", "text/html; charset=utf-8")
