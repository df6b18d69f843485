"""Regular expressions that strangers write: searched in time that is linear in the text.

The engine is that of JSON Schema's `pattern` (Rust's `regex`, ECMA 262 syntax without look-around
and back references), which can't be made to backtrack without end.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

MAX_PATTERN: Final = 500
_COMPILED_BYTES: Final = 1 << 18


def pattern_problem(pattern: str) -> str | None:
    """Why this may not be a pattern, or None."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        return f"must be a pattern of 1 to {MAX_PATTERN} characters"
    try:
        _compiled(pattern)
    except ValueError:
        return "must be a regular expression without look-around and back references"
    return None


def is_found(pattern: str, text: str) -> bool:
    """Whether a pattern without problems is found anywhere in `text`."""
    return _compiled(pattern).is_valid(text)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "Draft202012Validator":
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        {"pattern": pattern},
        pattern_options=jsonschema_rs.RegexOptions(size_limit=_COMPILED_BYTES),
    )
