"""The headers and query parameters of a request, with placeholders in their values. Pure.

A value is a template, or `{"optional": template}`: such a field is left out if one of its variables
or secrets has no value.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    TemplateError,
    Values,
    fill,
    last_pointer,
    placeholders_of,
    split_template,
)
from patchbay.egress.headers import name_problem, value_problem
from patchbay.egress.url import MAX_URL
from patchbay.platform.validation import pointer

MAX_PARAMETERS: Final = 30
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]*\}\}")
_MAX_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class RequestField:
    """One header or parameter, before its values are known."""

    name: str
    value: Parts
    is_optional: bool = False

    def placeholders(self) -> Iterator[Placeholder]:
        return placeholders_of(self.value)

    def required(self) -> Iterator[Placeholder]:
        """The placeholders that must have a value."""
        return iter(()) if self.is_optional else self.placeholders()


def filled(
    fields: Sequence[RequestField], values: Values, place: Literal["header", "query"]
) -> Iterator[tuple[str, str]]:
    """The names and values of the fields that are sent, each encoded for its place. Raises
    ValueRefused."""
    for field in fields:
        if field.is_optional and not all(map(values.has, field.placeholders())):
            continue
        yield field.name, fill(field.value, values, place)


def read_headers(
    reader: StepReader, at: str, headers: object, taken: Collection[str | None]
) -> tuple[RequestField, ...]:
    """The headers of an object at `at`. Problems are reported; `taken` are the names, in lower
    case, that the request sets by itself."""

    def problem_of(name: str) -> str | None:
        if name.lower() in taken:
            return "is set by the credential, the body, or the cookies"
        return name_problem(name)

    members = reader.members(at, headers) or {}
    if len({name.lower() for name in members}) < len(members):
        reader.report(at, "has a header twice")
    return _read(reader, at, members, problem_of, value_problem)


def read_query(reader: StepReader, at: str, parameters: object) -> tuple[RequestField, ...]:
    """The query parameters of an object at `at`, their names percent-encoded. Problems are
    reported."""

    def problem_of(name: str) -> str | None:
        is_name = 0 < len(name) <= _MAX_NAME and name.isprintable() and "{{" not in name
        return None if is_name else f"must be a name of 1 to {_MAX_NAME} printable characters"

    members = reader.members(at, parameters) or {}
    if len(members) > MAX_PARAMETERS:
        reader.report(at, f"has more than {MAX_PARAMETERS} parameters")
        return ()
    fields = _read(reader, at, members, problem_of, lambda _: None)
    return tuple(
        # The author's own part is encoded now, a value when it is filled in.
        RequestField(
            quote(field.name, safe=""),
            tuple(quote(p, safe="") if isinstance(p, str) else p for p in field.value),
            field.is_optional,
        )
        for field in fields
    )


def pointer_of_fields(fields: Sequence[RequestField]) -> str | None:
    """The field of the endpoint that fills the last of these; None if none has a placeholder."""
    return last_pointer(placeholder for field in fields for placeholder in field.placeholders())


def variable_pointer(fields: Sequence[RequestField]) -> str | None:
    """The variable that fills the last of these, as far as there is one."""
    placeholders = [one for field in fields for one in field.placeholders()]
    return last_pointer(one for one in placeholders if one.source == "variables")


def report_too_long(
    reader: StepReader, at: str, url: object, query: Sequence[RequestField]
) -> None:
    """Reports parameters that are too long for a URL, whatever their values are."""
    size = len(_PLACEHOLDER.sub("x", url)) if isinstance(url, str) else 0
    for field in query:
        if not field.is_optional:
            size += len(field.name) + sum(len(p) for p in field.value if isinstance(p, str)) + 2
    if query and size > MAX_URL:
        reader.report(at, f"makes the URL longer than {MAX_URL} characters")


def read_template(reader: StepReader, at: str, text: object) -> Parts:
    """The template at `at`; empty with a problem reported if it is not one."""

    def parts() -> Parts:
        if not isinstance(text, str):
            raise TemplateError("must be a string")
        return split_template(text, reader.declared)

    return reader.attempt(at, parts) or ()


def _read(
    reader: StepReader,
    at: str,
    members: dict[str, object],
    problem_of_name: Callable[[str], str | None],
    problem_of_sample: Callable[[str], str | None],
) -> tuple[RequestField, ...]:
    fields = []
    for name, value in members.items():
        place = f"{at}{pointer([name])}"
        if problem := problem_of_name(name):
            reader.report(place, problem)
            continue
        is_optional = False
        if isinstance(value, dict) and value.keys() == {"optional"}:
            is_optional, value = True, value["optional"]
        parts = read_template(reader, place, value)
        # Any harmless value will do: only the author's own part is judged here.
        sample = "".join(part if isinstance(part, str) else "x" for part in parts)
        if parts and (problem := problem_of_sample(sample)):
            reader.report(place, problem)
        if is_optional and parts and not any(isinstance(part, Placeholder) for part in parts):
            reader.report(place, "is optional and has no placeholder")
        fields.append(RequestField(name, parts, is_optional))
    return tuple(fields)
