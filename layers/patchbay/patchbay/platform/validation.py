"""What pydantic finds wrong, said in our words: a JSON Pointer and a sentence, never the input."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from patchbay.platform.errors import Problem
from patchbay.platform.model import Model
from patchbay.platform.strict_json import compact, depth

KIND: Final = "[kind]"
"""Begins the tag of a member of a union: pydantic puts the tag into the location of a finding, and
a pointer has no such segment."""

HTTPS_PATTERN: Final = (
    r"^https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?"
    r"(?:[/?][A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{0,1700})?$"
)
"""An https URL with a host and no user info, of the characters of RFC 3986."""

_MEMBER: Final = re.compile(r"<\w+(?:\.\w+)+: ([^>]*)>")
"""The `repr` of an enumeration's member: its value is the group."""

_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def _plain_digits(value: object) -> object:
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError("is a whole number")
    return value


WholeNumber = Annotated[int, BeforeValidator(_plain_digits)]
"""A number in a query string: digits, where pydantic would also take `1.0`, `+5` and `5_0`."""


# Controls; line and paragraph separators; marks that turn the direction of what follows.
_BREAKS_A_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _printable(text: str) -> str:
    if _BREAKS_A_LINE.search(text):
        raise ValueError("has control characters or line breaks")
    return text


def _readable(text: str) -> str:
    if _UNREADABLE.search(text):
        raise ValueError("has control characters")
    return text


def excess(document: Mapping[str, Any], max_bytes: int) -> str | None:
    """What is wrong with the size of a JSON document, also of one that patches made large."""
    if len(compact(document)) > max_bytes:
        return f"is larger than {max_bytes} bytes as JSON"
    return None


def within(max_bytes: int, max_depth: int) -> AfterValidator:
    """For JSON documents: so many bytes as text and levels of nesting, and no more."""

    def limited[D: Mapping[str, Any]](document: D) -> D:
        if depth(document) > max_depth:
            raise ValueError(f"is nested deeper than {max_depth} levels")
        try:
            too_large = excess(document, max_bytes)
        except ValueError:
            raise ValueError("holds a number or text that JSON has no form for") from None
        if too_large:
            raise ValueError(too_large)
        return document

    return AfterValidator(limited)


@dataclass(frozen=True, slots=True)
class Told:
    """What the API document says of a value besides what pydantic tells by itself: a rule that a
    validator holds, with a better sentence than pydantic's for a pattern."""

    rules: Mapping[str, Any]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | dict(self.rules)


@dataclass(frozen=True, slots=True)
class NotNull:
    """For a field of a patch that may be left out and not be null, which the store refuses."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        told = handler(schema)
        kinds: list[JsonSchemaValue] = told["anyOf"]
        return next(one for one in kinds if one.get("type") != "null")


OneLine = AfterValidator(_printable)
"""For names: no control characters, line breaks or marks that turn the direction of the text."""

_ONE_LINE: Final = _BREAKS_A_LINE.pattern.strip("[]")

DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    OneLine,
    Told({"pattern": rf"^[^{_ONE_LINE}]*[^\s{_ONE_LINE}][^{_ONE_LINE}]*$"}),
]
"""How something is called: one line of at most 120 characters, without blanks around it."""

Readable = AfterValidator(_readable)
"""For texts of several lines: no control characters but breaks and tabs."""

READABLE_PATTERN: Final = f"^[^{_UNREADABLE.pattern.strip('[]')}]*$"


def problems_of(error: ValidationError, at: str = "") -> list[Problem]:
    """Every finding; pointers begin with `at`."""
    return [
        # pydantic marks a bad member name, and a member of a union, by segments of its own.
        Problem(at + pointer(p for p in found["loc"] if not _is_mark(p)), _sentence(found))
        for found in error.errors(include_url=False, include_input=False)
    ]


def pointer(path: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901) of its reference tokens."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _is_mark(part: str | int) -> bool:
    return isinstance(part, str) and (part == "[key]" or part.startswith(KIND))


def _sentence(found: Mapping[str, Any]) -> str:
    """In the words of JSON, not of Python; what was sent is not quoted."""
    told: Mapping[str, Any] = found.get("ctx", {})
    match found["type"]:
        case "extra_forbidden":
            return "is not a field of this request"
        case "missing":
            return "is required"
        case "enum" | "literal_error":
            values = _MEMBER.sub(r"\1", told["expected"])
            return f"Input should be {values}"
        case "dict_type" | "model_type":
            return "Input should be an object"
        case "list_type":
            return "Input should be an array"
        case "too_short":
            return f"should have at least {told['min_length']}"
        case "too_long":
            return f"should have at most {told['max_length']}"
        case "timezone_aware":
            return "Input should have a time zone, such as Z"
        case _:
            message: str = found["msg"]
            return message.removeprefix("Value error, ")


class FieldError(Model):
    """What is wrong with a document: where, as a JSON Pointer, and a sentence."""

    pointer: str
    message: str
