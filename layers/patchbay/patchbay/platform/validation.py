"""The rules of our models beyond pydantic's own, and what is wrong with an input as problems."""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from patchbay.platform.errors import Problem
from patchbay.platform.model import Model
from patchbay.platform.problem_messages import AN_INTEGER, UNKNOWN, pydantic_message
from patchbay.platform.strict_json import compact, depth

MAX_PROBLEMS: Final = 100
"""A body may have an unknown field for every ten bytes."""

KIND: Final = "[kind]"
"""Begins the tag of a member of a union: pydantic puts the tag into the location of a finding, and
a pointer has no such segment."""

HTTPS_PATTERN: Final = (
    r"^https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?"
    r"(?:[/?][A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{0,1700})?$"
)
"""An https URL with a host and no user info, of the characters of RFC 3986."""

_DIGITS: Final = re.compile(r"[0-9]{1,9}")


def _plain_digits(value: object) -> object:
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError(AN_INTEGER)
    return value


WholeNumber = Annotated[int, BeforeValidator(_plain_digits)]
"""A number in a query string: digits, where pydantic would also take `1.0`, `+5` and `5_0`."""


_INVISIBLE: Final = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufeff\uffa0\ufff9-\ufffb"
)
"""What shows nothing, or turns the direction of what follows, so that two texts look alike or one
reads as another: Unicode's Default_Ignorable_Code_Point and Bidi_Control (UAX #44), without the
joiners U+200C and U+200D and the variation selectors, which scripts and emoji need."""
_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# Compiled by `re` when they are first used: a cold start has no use for them.
_BREAKS_A_LINE: Final = rf"[{_CONTROLS}\t\n\r\u2028\u2029{_INVISIBLE}]"
_UNREADABLE: Final = rf"[{_CONTROLS}{_INVISIBLE}]"
# Tags (U+E0000 to U+E007F) can carry a hidden text. A pattern of the API document can't have them:
# ECMAScript reads characters beyond U+FFFF in two ways.
_TAGS: Final = "[\U000e0000-\U000e007f]"
_JOINERS: Final = r"\u200c\u200d\ufe00-\ufe0f"
_VISIBLE: Final = rf"[^\s{_JOINERS}]"


def _printable(text: str) -> str:
    if re.search(_BREAKS_A_LINE, text) or re.search(_TAGS, text):
        raise ValueError("must not contain control or invisible characters, or line breaks")
    if text and re.search(_VISIBLE, text) is None:
        raise ValueError("must have a visible character")
    return text


def _readable(text: str) -> str:
    if re.search(_UNREADABLE, text) or re.search(_TAGS, text):
        raise ValueError("must not contain control or invisible characters")
    return text


def excess(document: Mapping[str, Any], max_bytes: int) -> str | None:
    """Why a JSON document is too large, if it is; many small patches may have made it so."""
    if len(compact(document)) > max_bytes:
        return f"must have at most {max_bytes} bytes as JSON"
    return None


def within(max_bytes: int, max_depth: int) -> AfterValidator:
    """For JSON documents: at most so many bytes as text, and levels of nesting."""

    def limited[D: Mapping[str, Any]](document: D) -> D:
        if depth(document) > max_depth:
            raise ValueError(f"must not be nested deeper than {max_depth} levels")
        try:
            too_large = excess(document, max_bytes)
        except ValueError:
            raise ValueError("contains a number or string that JSON can't represent") from None
        if too_large:
            raise ValueError(too_large)
        return document

    return AfterValidator(limited)


class Documented(NamedTuple):
    """JSON Schema keywords that the API document adds to what pydantic writes: a rule that a
    validator checks, with a better message than pydantic's for a pattern."""

    rules: Mapping[str, Any]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | dict(self.rules)


class Spelled(NamedTuple):
    """For a string that must match a pattern. `rule` says in words how it is spelled: a caller
    should not have to read a regular expression."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        form = re.compile(self.pattern.removeprefix("^").removesuffix("$"))

        def check(text: str) -> str:
            if form.fullmatch(text) is None:
                raise ValueError(self.rule)
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"pattern": self.pattern}


class NullIs(NamedTuple):
    """For a field of a create that has a default: null is the same as leaving it out, since many
    clients send null for what their caller did not give."""

    default: Callable[[], Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def filled(value: Any) -> Any:
            return self.default() if value is None else value

        nullable = core_schema.nullable_schema(handler(source))
        return core_schema.no_info_after_validator_function(filled, nullable)


class NotNull:
    """For a field of a patch that may be left out, but not be null; the use case rejects null."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        kinds: list[JsonSchemaValue] = handler(schema)["anyOf"]
        return next(one for one in kinds if one.get("type") != "null")


OneLine = AfterValidator(_printable)
"""For names: no control characters, line breaks, or invisible characters, and one that is seen."""

_ONE_LINE: Final = _BREAKS_A_LINE.strip("[]")
ONE_LINE_PATTERN: Final = rf"^[^{_ONE_LINE}]*[^\s{_JOINERS}{_ONE_LINE}][^{_ONE_LINE}]*$"
"""For the API document: one line that is not blank."""

DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    OneLine,
    Documented({"pattern": ONE_LINE_PATTERN}),
]
"""How something is called: one line of at most 120 characters, without blanks around it."""

ExternalId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    OneLine,
    Documented({"pattern": ONE_LINE_PATTERN}),
]
"""What a thing is called in another system: one line of at most 255 characters, kept as it is."""

Readable = AfterValidator(_readable)
"""For texts of several lines: no control characters but breaks and tabs."""

READABLE_PATTERN: Final = f"^[^{_UNREADABLE.strip('[]')}]*$"


def problems_of(error: ValidationError, at: str = "") -> list[Problem]:
    """The first errors; pointers begin with `at`."""
    return [
        # pydantic marks a bad member name, and a member of a union, by segments of its own.
        Problem(at + pointer(p for p in found["loc"] if not _is_mark(p)), pydantic_message(found))
        for found in islice(error.errors(include_url=False, include_input=False), MAX_PROBLEMS)
    ]


def read_strictly[M: BaseModel](model: type[M], value: Any) -> M:
    """A JSON value as a model, strict in pydantic's JSON mode: no "1" for 1, but texts for times
    and enumerations, and `1.0` where an integer is asked.

    Raises pydantic's `ValidationError`.
    """
    try:
        return model.model_validate_json(compact(value), strict=True)
    except ValidationError as error:
        if not with_integers_where_asked(value, error):
            raise
    return model.model_validate_json(compact(value), strict=True)


def with_integers_where_asked(value: Any, error: ValidationError) -> bool:
    """Whether a body failed for want of integers that it has as `1.0` or `1e0`; these are replaced
    in place. To JSON Schema they are integers (2020-12, validation 6.1.1), to pydantic they are
    not."""
    replaced = False
    for found in error.errors(include_url=False, include_input=True, include_context=False):
        number = found["input"]
        path = [part for part in found["loc"] if not _is_mark(part)]
        if found["type"] != "int_type" or not isinstance(number, float) or not path:
            continue
        if number.is_integer() and (place := _place_of(value, path[:-1], path[-1])) is not None:
            place[path[-1]] = int(number)
            replaced = True
    return replaced


def _place_of(value: Any, path: Iterable[str | int], last: str | int) -> Any:
    """The object or array that has the last part of a path; None if the path leads nowhere."""
    for part in path:
        value = _part(value, part)
    return value if isinstance(_part(value, last), float) else None


def _part(value: Any, name: str | int) -> Any:
    match value:
        case dict():
            return value.get(name)
        case list() if isinstance(name, int) and name < len(value):
            return value[name]
    return None


def with_known_fields(
    problems: Iterable[Problem], model: type[BaseModel], at: str = ""
) -> list[Problem]:
    """Adds the name of the field that is meant to what is wrong with an unknown one: another
    spelling of a field of the model, such as `source_id` for `sourceId`."""
    known = {
        (field.alias or name).replace("_", "").lower(): field.alias or name
        for name, field in model.model_fields.items()
    }
    return [
        problem._replace(message=f"{UNKNOWN}; {meant} is")
        if problem.message == UNKNOWN
        and (meant := known.get(_as_one_word(problem.pointer.removeprefix(f"{at}/"))))
        else problem
        for problem in problems
    ]


def _as_one_word(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def pointer(path: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901) of its reference tokens."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _is_mark(part: str | int) -> bool:
    return isinstance(part, str) and (part == "[key]" or part.startswith(KIND))


class FieldError(Model):
    """What is wrong with a document: where, as a JSON Pointer, and a sentence."""

    pointer: str
    message: str
