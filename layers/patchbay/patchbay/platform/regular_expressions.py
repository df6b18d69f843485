"""Regular expressions that strangers write: what they cost, known before anything is searched.

The engine is that of JSON Schema's `pattern` (Rust's `regex`, ECMA 262 syntax without look-around
and back references). It never backtracks, but time and memory grow with the size of the compiled
pattern, which has little to do with its text: `[^x]{900}` has 9 characters and compiles to about a
megabyte. A search takes up to 17 ps per compiled byte and byte of text.
"""

import re
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from jsonschema_rs import RegexOptions

MAX_COMPILED: Final = 1 << 20
"""Bytes of one compiled pattern."""
MAX_COUNT: Final = 100
"""Different patterns of one document."""
MAX_TEXT: Final = 4096
"""Characters of all different patterns of one document: reading a text takes up to 25 µs a
character, whatever it compiles to."""
MAX_READING: Final = 100_000
"""`reading_effort` of all different patterns of one document: 20 ms each time it is compiled."""

TOO_LARGE: Final = "is too large as a pattern: shorten repetitions such as {1,500}"

_UNSUPPORTED: Final = {
    "(?=": "a look-ahead (?=",
    "(?!": "a look-ahead (?!",
    "(?<=": "a look-behind (?<=",
    "(?<!": "a look-behind (?<!",
    "(?>": "an atomic group (?>",
    "(?(": "a condition (?(",
    "(?P=": "a back reference (?P=",
    "\\k": "a back reference \\k",
    **{f"\\{digit}": f"a back reference \\{digit}" for digit in "123456789"},
}
"""Constructs that need backtracking, by how they begin."""
_PIECE: Final = re.compile(
    r"(?P<begins>" + "|".join(map(re.escape, sorted(_UNSUPPORTED, key=len, reverse=True))) + ")"
    r"|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|\\.|.",
    re.DOTALL,
)
"""A piece of a pattern: a construct, a class of characters, an escape, or a character."""

_SMALLEST_BITS: Final = 10
_WIDE: Final = re.compile(r"\\[uUN]")
_CLASS: Final = re.compile(r"\\[wWdDsSc]")
_CLASS_CHARACTERS: Final = 50
_SEARCH_BYTES: Final = 1 << 22
_LEAST_SEARCH_BYTES: Final = 1 << 15
MOST_SEARCH_BYTES: Final = 1 << 17


def linear_time(size_limit: int, search_limit: int) -> "RegexOptions":
    """The options of a validator: the bytes of a compiled pattern, and what one may keep of earlier
    searches."""
    import jsonschema_rs

    return jsonschema_rs.RegexOptions(size_limit=size_limit, dfa_size_limit=search_limit)


def search_limit(patterns: int) -> int:
    """The bytes that each of that many patterns may keep of earlier searches."""
    return min(max(_SEARCH_BYTES // max(patterns, 1), _LEAST_SEARCH_BYTES), MOST_SEARCH_BYTES)


def is_pattern(text: str) -> bool:
    """Whether this is a pattern by its syntax, however large."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        {"format": "regex"}, validate_formats=True, retriever=fetch_nothing
    ).is_valid(text)


def refusal(text: str, limit: int) -> str | None:
    """Why this can't be a pattern that compiles to at most `limit` bytes, and at which character;
    None if it can. It may not be longer than `MAX_TEXT`."""
    if compiled_bytes(text, limit) is not None:
        return None
    for piece in _PIECE.finditer(text):
        if begins := piece["begins"]:
            place = piece.start() + 1
            return f"has {_UNSUPPORTED[begins]} at character {place}, which is not supported"
    if not is_pattern(text):
        return f"is not a regular expression{_syntax_error(text)}"
    if found := re.search(r"\\[pP]", text):
        return f"{TOO_LARGE}, or use a known property at character {found.start() + 1}"
    return TOO_LARGE


def _syntax_error(text: str) -> str:
    """Where a pattern breaks the syntax, if Python says so: its own is almost the same.

    Python compiles what its syntax allows, and visits each character of a class: 800 classes of all
    characters take 5 s. So it is not asked about what names characters beyond Latin-1.
    """
    if not text.isascii() or _WIDE.search(text):
        return " (ECMA 262)"
    try:
        re.compile(text)
    except re.PatternError as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        return f": {error.msg}{place}"
    except (RecursionError, OverflowError):
        pass
    return " (ECMA 262)"


def reading_effort(pattern: str) -> int:
    """How long reading a pattern takes beyond its length, as the library spells out `\\w`, `\\d`,
    `\\s`, and `\\c` one by one, and reads the whole again each time: 2,000 `\\s` took a minute."""
    classes = len(_CLASS.findall(pattern))
    return classes * (len(pattern) + classes * _CLASS_CHARACTERS)


@lru_cache(maxsize=512)
def compiled_bytes(pattern: str, limit: int) -> int | None:
    """The size of a compiled pattern, rounded up to a power of two from 1 KiB to `limit`.

    None if it is larger, or takes too long to read. The pattern must be one by its syntax.
    """
    if reading_effort(pattern) > MAX_READING or not _fits(pattern, limit):
        return None
    bits = range(_SMALLEST_BITS, limit.bit_length() - 1)
    found = bisect_left(bits, True, key=lambda size: _fits(pattern, 1 << size))
    return min(1 << (_SMALLEST_BITS + found), limit)


def _fits(pattern: str, limit: int) -> bool:
    import jsonschema_rs

    try:
        jsonschema_rs.Draft202012Validator(
            {"pattern": pattern},
            pattern_options=linear_time(limit, _LEAST_SEARCH_BYTES),
            retriever=fetch_nothing,
        )
    except ValueError:
        return False
    return True


def fetch_nothing(uri: str, /) -> NoReturn:
    """The retriever of every validator: without one, the library would fetch from anywhere."""
    raise ValueError(f"{uri} is not part of the schema")
