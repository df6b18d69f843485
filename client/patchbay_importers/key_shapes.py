"""Whether a text looks like a key: what people paste into an address, a name, or a description."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

LEFT_OUT: Final = "…"
_TOKEN: Final = re.compile(r"[^\s\"'<>(){}\[\],;/?&=#@|]+")
_BETWEEN_PARTS: Final = re.compile(r"[-_.:~+%$!*]+")
_VERSION: Final = re.compile(r"[vV]?[0-9]{1,8}")
_LEAST_MIXED: Final = 8
_LEAST_LETTERS: Final = 20
_LEAST_DIGITS: Final = 9


def looks_like_key(text: str) -> bool:
    """Whether one of its parts is no word and no number that people write."""
    return any(
        _is_random(part) for token in _TOKEN.findall(text) for part in _BETWEEN_PARTS.split(token)
    )


def without_keys(text: str) -> str:
    """The text, in which `…` stands for what looks like a key."""
    return _TOKEN.sub(lambda found: LEFT_OUT if looks_like_key(found[0]) else found[0], text)


def _is_random(part: str) -> bool:
    digits = sum(character.isdigit() for character in part)
    if digits == len(part):
        return digits >= _LEAST_DIGITS
    if digits:
        return len(part) >= _LEAST_MIXED and not _VERSION.fullmatch(part)
    # Words have few capitals within them, camelCase included.
    turns = sum(a.islower() and b.isupper() for a, b in pairwise(part))
    return len(part) >= _LEAST_LETTERS and turns * 5 > len(part)
