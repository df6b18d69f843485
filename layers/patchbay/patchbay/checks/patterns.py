"""The regular expressions of manifests: searched in the answers of strangers' servers.

The event loop searches them, and a test's neighbors wait, so all patterns of a manifest together
are small: searching 64 KB takes 0.15 s at most.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from patchbay.platform.bounded_cache import BoundedCache
from patchbay.platform.regular_expressions import (
    MAX_COUNT,
    MAX_READING,
    MAX_TEXT,
    MOST_SEARCH_BYTES,
    compiled_bytes,
    fetch_nothing,
    is_pattern,
    linear_time,
    reading_effort,
    refusal,
)

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

MAX_PATTERN: Final = 500
MAX_ALL_BYTES: Final = 1 << 17
"""Bytes that all patterns of a manifest compile to."""
_MAX_KEPT_BYTES: Final = 16 << 20
"""Room for those of any one manifest: otherwise each search would compile its pattern again."""


def pattern_problem(pattern: str) -> str | None:
    """Why this may not be a pattern, or None."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        return f"must be a pattern of 1 to {MAX_PATTERN} characters"
    return refusal(pattern, MAX_ALL_BYTES)


def patterns_problem(steps: object) -> str | None:
    """Why the patterns of these steps, wherever they are, may not be used together, or None."""
    patterns = set(_patterns(steps))
    if len(patterns) > MAX_COUNT or sum(map(len, patterns)) > MAX_TEXT:
        return f"has more than {MAX_COUNT} patterns, or {MAX_TEXT} characters of patterns"
    if sum(map(reading_effort, patterns)) > MAX_READING:
        return r"has too many \w, \d, \s, and \c in its patterns: use [...] for most of them"
    total = 0
    for pattern in filter(is_pattern, patterns):
        total += compiled_bytes(pattern, MAX_ALL_BYTES) or MAX_ALL_BYTES
        if total > MAX_ALL_BYTES:
            return "has patterns that are too large together: shorten repetitions such as {1,500}"
    return None


def is_found(pattern: str, text: str) -> bool:
    """Whether a pattern without problems is found anywhere in `text`."""
    return _KEPT.get(pattern, lambda: _compiled(pattern)).is_valid(text)


def _patterns(value: object) -> Iterator[str]:
    rest = [value]
    while rest:
        match rest.pop():
            case dict() as members:
                if isinstance(pattern := members.get("matches"), str):
                    yield pattern
                rest.extend(members.values())
            case list() as items:
                rest.extend(items)


def _compiled(pattern: str) -> "tuple[Draft202012Validator, int]":
    import jsonschema_rs

    validator = jsonschema_rs.Draft202012Validator(
        {"pattern": pattern},
        pattern_options=linear_time(MAX_ALL_BYTES, MOST_SEARCH_BYTES),
        retriever=fetch_nothing,
    )
    size = compiled_bytes(pattern, MAX_ALL_BYTES) or MAX_ALL_BYTES
    return validator, 2 * size + MOST_SEARCH_BYTES


_KEPT: Final = BoundedCache[str, "Draft202012Validator"](_MAX_KEPT_BYTES)
