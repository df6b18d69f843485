"""Whether a pattern of a stranger takes a text, without the time that some patterns make `re` take.

`re` tries every way to divide a text among repetitions. With a repetition within another one there
are as many ways as there are numbers of that length, and with several in a row a power of it. The
deployment matches in linear time, so such a pattern is one like any other there.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 100
MAX_REPETITIONS: Final = 3

_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_OPENING: Final = re.compile(r"\((?:\?:)?")
_REPEATED: Final = re.compile(r"(?:[*+?]|\{[0-9,]+\})[?+]?")


def takes(pattern: str, text: str) -> bool | None:
    """None if it could take long to say."""
    if len(text) > MAX_TEXT or not _is_quick(pattern):
        return None
    return re.search(pattern, text) is not None


def _is_quick(pattern: str) -> bool:
    """Whether no repetition is within another one, and there are few."""
    count = 0
    counts_before_groups: list[int] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
        elif found := _CLASS.match(pattern, at):
            at = found.end()
        elif found := _OPENING.match(pattern, at):
            counts_before_groups.append(count)
            at = found.end()
        elif pattern[at] == ")":
            is_varied = bool(counts_before_groups) and count > counts_before_groups.pop()
            at += 1
            if is_varied and pattern[at : at + 1] in ("*", "+", "{"):
                return False
        elif found := _REPEATED.match(pattern, at):
            # As often as a number says is one way only.
            count += found[0][0] != "{" or "," in found[0]
            at = found.end()
        else:
            # What a choice takes may overlap as repetitions do.
            count += pattern[at] == "|"
            at += 1
    return count <= MAX_REPETITIONS
