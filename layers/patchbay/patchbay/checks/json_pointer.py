"""JSON Pointer (RFC 6901): one value of a document."""

import re
from functools import lru_cache
from typing import Final

_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class Missing:
    """The type of MISSING: the document has no value at the pointer (null is a value)."""


MISSING: Final = Missing()


def is_pointer(text: str) -> bool:
    return _POINTER.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _tokens(pointer: str) -> tuple[str, ...]:
    return tuple(raw.replace("~1", "/").replace("~0", "~") for raw in pointer.split("/")[1:])


def resolve(document: object, pointer: str) -> object:
    """The value at `pointer`, or MISSING."""
    value = document
    for token in _tokens(pointer):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return MISSING
    return value
