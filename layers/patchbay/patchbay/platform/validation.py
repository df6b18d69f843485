"""What pydantic finds wrong, said in our words: a JSON Pointer and a sentence, never the input."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationError

from patchbay.platform.errors import Problem

_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def _plain_digits(value: object) -> object:
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError("is a whole number")
    return value


WholeNumber = Annotated[int, BeforeValidator(_plain_digits)]
"""A number in a query string: digits, where pydantic would also take `1.0`, `+5` and `5_0`."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that can't be printed on one line")
    return text


def _readable(text: str) -> str:
    if not text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        raise ValueError("has control characters")
    return text


OneLine = AfterValidator(_printable)
"""For names: no control characters, line breaks or marks that turn the direction of the text."""

Readable = AfterValidator(_readable)
"""For texts of several lines: no control characters but breaks and tabs."""


def problems_of(error: ValidationError, at: str = "") -> list[Problem]:
    """Every finding; pointers begin with `at`."""
    return [
        # pydantic marks a bad member name by a segment of its own behind it.
        Problem(at + pointer(p for p in found["loc"] if p != "[key]"), _sentence(found))
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def pointer(path: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901) of its reference tokens."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _sentence(found: Mapping[str, Any]) -> str:
    match found["type"]:
        case "extra_forbidden":
            return "is not a field of this request"
        case "missing":
            return "is required"
        case _:
            message: str = found["msg"]
            return message.removeprefix("Value error, ")
