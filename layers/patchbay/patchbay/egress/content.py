"""The content of an answer: its content codings undone, its text and JSON read (RFC 9110 §8).

Servers send codings that nobody asked for, name ones that don't exist, and cut what they send. So
each step gives what can be had, and says what is wrong with the rest.
"""

import codecs
import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backports.zstd import ZstdDecompressor

MAX_CONTENT: Final = 64 * 1024
"""Bytes of content that are read, before and after its codings are undone."""

MAX_CODINGS: Final = 3
"""Content codings on top of each other that are undone; more is nobody's honest answer."""

_CHARSET: Final = re.compile(r";\s*charset\s*=\s*(?:\"([^\"]{1,40})\"|([^\s;\"]{1,40}))", re.I)
_NOT_OF_TEXT: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
"""Python's codecs that are not charsets; reading a long text as `idna` is slow."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BYTE_ORDER_MARKS: Final = tuple(mark for mark, _ in _MARKS)


class CodingError(ValueError):
    """A content coding can't be undone to the end. `data` is what could be read before that."""

    def __init__(self, data: bytes, message: str) -> None:
        super().__init__(message)
        self.data = data


class ContentTooLarge(CodingError):
    """The content is larger than what is read of it."""


def decoded(data: bytes, codings: str) -> bytes:
    """The content without the codings that its `Content-Encoding` names, the last one first.

    A name that is no coding (a charset, nothing) leaves the content as it is, as browsers do.
    Raises CodingError, ContentTooLarge.
    """
    known = [name for part in codings.split(",") if (name := part.strip().lower()) in _DECODERS]
    if len(known) > MAX_CODINGS:
        raise CodingError(b"", "has too many codings")
    for name in reversed(known):
        data = _DECODERS[name](data) if data else data
    return data


def _inflated(data: bytes, wbits: int) -> bytes:
    """Of zlib, of all members: gzip files may be joined, and are then read as one."""
    plain = bytearray()
    while data:
        inflater = zlib.decompressobj(wbits=wbits)
        try:
            plain += inflater.decompress(data, MAX_CONTENT + 1 - len(plain))
        except zlib.error as error:
            if plain:
                break  # padding, or a signature, after the last member
            raise CodingError(bytes(plain), "is not compressed as it says") from error
        if len(plain) > MAX_CONTENT:
            raise ContentTooLarge(bytes(plain[:MAX_CONTENT]), "is too large")
        if not inflater.eof:
            raise CodingError(bytes(plain), "is cut off")
        data = inflater.unused_data
        if wbits < 0:
            break
    return bytes(plain)


def _gunzipped(data: bytes) -> bytes:
    return _inflated(data, zlib.MAX_WBITS | 16)


def _of_deflate(data: bytes) -> bytes:
    """Wrapped by zlib, as the standard says, or bare, as some servers have always sent it."""
    is_wrapped = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    if is_wrapped:
        try:
            return _inflated(data, zlib.MAX_WBITS)
        except CodingError as error:
            if error.data:
                raise
    return _inflated(data, -zlib.MAX_WBITS)


def _of_brotli(data: bytes) -> bytes:
    import brotli  # type: ignore[import-untyped]  # it ships no types

    decompressor = brotli.Decompressor()
    plain = b""
    try:
        plain = decompressor.process(data, output_buffer_limit=MAX_CONTENT + 1)
        while not decompressor.is_finished() and len(plain) <= MAX_CONTENT:
            more = decompressor.process(b"", output_buffer_limit=MAX_CONTENT + 1 - len(plain))
            if not more:
                break
            plain += more
    except brotli.error as error:
        raise CodingError(plain, "is not compressed as it says") from error
    return _whole(plain, is_finished=decompressor.is_finished())


def _of_zstd(data: bytes) -> bytes:
    from backports.zstd import ZstdError

    plain = bytearray()
    while data:
        decompressor = _zstd_decompressor()
        try:
            plain += decompressor.decompress(data, max_length=MAX_CONTENT + 1 - len(plain))
        except ZstdError as error:
            raise CodingError(bytes(plain), "is not compressed as it says") from error
        if len(plain) > MAX_CONTENT or not decompressor.eof:
            return _whole(bytes(plain), is_finished=False)
        data = decompressor.unused_data
    return bytes(plain)


def _zstd_decompressor() -> "ZstdDecompressor":
    from backports.zstd import DecompressionParameter, ZstdDecompressor

    # A window of 8 MB is what every decoder has to have (RFC 8878 §3.1.1.1.2); a server may not
    # make this process hold more.
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: 23})


def _whole(plain: bytes, *, is_finished: bool) -> bytes:
    if len(plain) > MAX_CONTENT:
        raise ContentTooLarge(plain[:MAX_CONTENT], "is too large")
    if not is_finished:
        raise CodingError(plain, "is cut off")
    return plain


_DECODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _of_deflate,
    "br": _of_brotli,
    "zstd": _of_zstd,
}


def text_of(data: bytes, content_type: str) -> str:
    """The content as text: by its byte order mark, else by the charset that `content_type` names,
    else as UTF-8. What does not fit is replaced; nothing is raised."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    match = _CHARSET.search(content_type)
    charset = _codec(match[1] or match[2]) if match else None
    if charset:
        return data.decode(charset, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # What was sent before UTF-8 was everywhere, and the default of HTTP/1.1 then.
        return data.decode("latin-1")


def _codec(charset: str) -> str | None:
    """Python's name of a charset; None for one that it does not know."""
    try:
        name = codecs.lookup(charset).name.replace("-", "_")
        b"a".decode(name, "replace")  # an empty text is read in any codec, of bytes too
    except (LookupError, UnicodeError):
        return None
    return None if name in _NOT_OF_TEXT else name


def json_of(data: bytes, content_type: str) -> object:
    """The content as JSON. Raises ValueError, RecursionError.

    Without a mark and a charset it is of UTF-8, UTF-16, or UTF-32, as its first bytes show.
    """
    if data.startswith(_BYTE_ORDER_MARKS) or _CHARSET.search(content_type):
        return json.loads(text_of(data, content_type))
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        return json.loads(text_of(data, content_type))
