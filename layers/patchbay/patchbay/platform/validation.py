"""What pydantic finds wrong, said in our words: a JSON Pointer and a sentence, never the input."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from patchbay.platform.errors import Problem


def problems_of(error: ValidationError, at: str = "") -> list[Problem]:
    """Every finding; pointers begin with `at`."""
    return [
        Problem(at + pointer(found["loc"]), _sentence(found))
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
