"""What an HTTP response must look like: `expect` of an http step.

```json
{"status": [200, 204],
 "headers": {"content-type": {"startsWith": "application/json"}, "x-version": "2"},
 "json": {"/ok": true, "/data": {"type": "array", "length": {"atLeast": 1}},
          "/plan": {"enum": ["pro", "team"]}, "/user/id": {"exists": true}},
 "text": {"contains": "pong"}}
```

`status` defaults to 200-299. The keys of `json` are JSON Pointers. A value is a literal to be equal
to, or an object of these, all of which must hold:

| operator | of | holds if the value |
|---|---|---|
| `equals`, `enum` | any value | is equal to it, or to one of the list |
| `type` | JSON | is of this type: JSON Schema's names |
| `exists` | JSON, headers | is there (`true`) or not (`false`) |
| `contains`, `startsWith` | strings | has the text within it, or at its beginning |
| `matches` | strings | has a place that the regular expression matches |
| `above`, `atLeast`, `below`, `atMost` | numbers | is greater, not less, less, not greater |
| `length` | strings, lists, objects | has a length that these comparisons accept, or this one |
| `anyOf` | any value | is accepted by one of the list of such objects |

What no answer can meet is refused when the integration is published: a header is always a string,
and the answer to a HEAD request has no body.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

from patchbay.checks.contradictions import (
    conflicts,
    contradiction,
    interval_contradiction,
    text_conflict,
)
from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
from patchbay.checks.matchers import COMPARISONS, TYPES, Matcher, operators_of
from patchbay.checks.patterns import pattern_problem
from patchbay.checks.step_reader import StepReader
from patchbay.egress.headers import is_header_name
from patchbay.platform.validation import pointer

DEFAULT_STATUS: Final = frozenset(range(200, 300))
MAX_MATCHERS: Final = 50
"""Matchers of one step, those of every `anyOf` included."""
MAX_VALUES: Final = 200
"""Values of all `enum` of one step: each is judged by the operators beside it."""
MAX_TEXT: Final = 500
_VALUES: Final = frozenset({"equals", "enum"})
_KEYS: Final = frozenset({"status", "headers", "json", "text"})
_NO_HEADER: Final = (
    "can never hold: a header is of Latin-1, without control characters and spaces around it"
)
_HEADER_VALUE: Final = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
BODILESS: Final = frozenset({204, 205, 304})
_OF_STRINGS: Final = frozenset({"equals", "enum", "contains", "startsWith", "matches", "anyOf"})
_OF_HEADERS: Final = _OF_STRINGS | {"exists", "length"}
_OPERATORS: Final = _OF_HEADERS | {"type"} | COMPARISONS.keys()


_KINDS_OF_KEYS: Final[Mapping[Callable[[str], bool], str]] = {
    is_header_name: "header name",
    is_pointer: "JSON Pointer",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """`headers` are by lower-case name, `json` by pointer."""

    status: frozenset[int] = DEFAULT_STATUS
    headers: tuple[tuple[str, Matcher], ...] = ()
    json: tuple[tuple[str, Matcher], ...] = ()
    text: Matcher | None = None

    @property
    def needs_body(self) -> bool:
        return bool(self.json) or self.text is not None

    def header_mismatch(self, headers: Mapping[str, str]) -> str | None:
        """The name of the first header that is not as expected, None if all are."""
        return next(
            (name for name, m in self.headers if not m.accepts(headers.get(name, MISSING))), None
        )

    def json_mismatch(self, document: object) -> str | None:
        """The pointer of the first value that is not as expected, None if all are."""
        return next(
            (pointer for pointer, m in self.json if not m.accepts(resolve(document, pointer))),
            None,
        )


def read_expectation(
    reader: StepReader, at: str, *, has_body: bool = True, keys: frozenset[str] = _KEYS
) -> Expectation | None:
    """The `expect` of a step, at the pointer `at` within it; None with problems if it has any.

    `has_body` is False if the request is one whose answer never has a body; `keys` are those that
    the kind has.
    """
    before = len(reader.problems)
    spec = reader.members(at, reader.step.get("expect", {}), keys)
    if spec is None:
        return None
    status = _read_status(reader, f"{at}/status", spec.get("status"))
    if not has_body or status <= BODILESS:
        for part in ("json", "text"):
            if part in spec:
                reader.report(f"{at}/{part}", "can never hold: the answer has no body")
    matchers = _MatcherReader(reader)
    headers = matchers.each(f"{at}/headers", spec.get("headers", {}), _OF_HEADERS, is_header_name)
    json = matchers.each(f"{at}/json", spec.get("json", {}), _OPERATORS, is_pointer)
    text = None
    if "text" in spec:
        text = matchers.one(f"{at}/text", spec["text"], _OF_STRINGS | {"length"})
    if len({name.lower() for name, _ in headers}) < len(headers):
        reader.report(f"{at}/headers", "has a header twice")
    if len(reader.problems) == before:
        for key, message in conflicts(json):
            reader.report(f"{at}/json{pointer([key])}", message)
        if text and json and text_conflict(text, json):
            reader.report(f"{at}/text", "can never hold: such a text is not JSON as expected")
    if len(reader.problems) > before:
        return None
    return Expectation(
        status, tuple((name.lower(), matcher) for name, matcher in headers), tuple(json), text
    )


def read_matcher(reader: StepReader, at: str, value: object) -> Matcher | None:
    """The matcher of one value, at the pointer `at`; None with problems if it has any."""
    return _MatcherReader(reader).one(at, value, _OPERATORS)


def read_matchers(reader: StepReader, at: str, value: object) -> tuple[tuple[str, Matcher], ...]:
    """The matchers of an object of values by name, at the pointer `at`. Reports problems."""
    return tuple(_MatcherReader(reader).each(at, value, _OPERATORS, bool))


def _read_status(reader: StepReader, at: str, status: object) -> frozenset[int]:
    if status is None:
        return DEFAULT_STATUS
    if isinstance(status, list) and status and all(map(_is_status, status)):
        return frozenset(status)
    reader.report(at, "must be a list of statuses from 200 to 599")
    return DEFAULT_STATUS


def _is_status(value: object) -> bool:
    return type(value) is int and 200 <= value < 600


class _MatcherReader:
    """Reads matchers, and reports what no answer could meet."""

    def __init__(self, reader: StepReader) -> None:
        self._reader = reader
        self._count = 0
        self._values = 0

    def each(
        self, at: str, matchers: object, known: frozenset[str], is_key: Callable[[str], bool]
    ) -> list[tuple[str, Matcher]]:
        read = []
        for key, value in (self._reader.members(at, matchers) or {}).items():
            here = at + pointer([key])
            if not is_key(key):
                kind = _KINDS_OF_KEYS.get(is_key, "name")
                self._reader.report(here, f"is not a {kind}")
            elif matcher := self.one(here, value, known):
                read.append((key, matcher))
        return read

    def one(self, at: str, value: object, known: frozenset[str]) -> Matcher | None:
        """The matcher of a value, None with problems if it has any."""
        self._count += 1
        if self._count == MAX_MATCHERS + 1:
            self._reader.report(at, f"is one matcher too many: a step has at most {MAX_MATCHERS}")
        if self._count > MAX_MATCHERS:
            return None
        operators = operators_of(value)
        if not operators:
            self._reader.report(at, "must have an operator, such as equals")
            return None
        before = len(self._reader.problems)
        for name, operand in operators.items():
            here = at if operators is not value else at + pointer([name])
            if name not in known:
                self._reader.report(here, f"must be one of {', '.join(sorted(known))}")
            elif problem := self._problem(here, name, operand, known):
                self._reader.report(here, problem)
        if len(self._reader.problems) == before:
            if operators.get("exists") is False and len(operators) > 1:
                self._reader.report(at, "can never hold: what is not there has no value")
            elif problem := contradiction(Matcher(operators)):
                self._reader.report(at, problem)
        return Matcher(operators) if len(self._reader.problems) == before else None

    def _problem(self, at: str, name: str, operand: object, known: frozenset[str]) -> str | None:
        strings_only, is_header = "type" not in known, known == _OF_HEADERS
        match name:
            case "equals":
                if strings_only and not isinstance(operand, str):
                    return "can never hold: what is compared is a string"
                if is_header and not _is_header_value(operand):
                    return _NO_HEADER
            case "enum":
                if not isinstance(operand, list) or not operand:
                    return "must be a list of values"
                self._values += len(operand)
                if self._values > MAX_VALUES:
                    return f"has too many values: those of a step are at most {MAX_VALUES}"
                if strings_only and not all(isinstance(one, str) for one in operand):
                    return "can never hold: what is compared is a string"
                if is_header and not any(map(_is_header_value, operand)):
                    return _NO_HEADER
            case "exists":
                return None if isinstance(operand, bool) else "must be true or false"
            case "type":
                if not isinstance(operand, str) or operand not in TYPES:
                    return f"must be one of {', '.join(TYPES)}"
            case "contains" | "startsWith":
                if not isinstance(operand, str) or not 0 < len(operand) <= MAX_TEXT:
                    return f"must be a string of 1 to {MAX_TEXT} characters"
                beginning = operand.rstrip(" \t") if name == "startsWith" else operand.strip(" \t")
                if is_header and not _is_header_value(beginning):
                    return _NO_HEADER
            case "matches":
                return pattern_problem(operand) if isinstance(operand, str) else "must be a string"
            case "length":
                return self._length_problem(operand)
            case "anyOf":
                if not isinstance(operand, list) or not operand:
                    return "must be a list of operators' objects"
                for position, one in enumerate(operand):
                    self.one(f"{at}/{position}", one, known)
            case _:
                return None if _is_number(operand) else "must be a number"
        return None

    def _length_problem(self, operand: object) -> str | None:
        if type(operand) is int and operand >= 0:
            return None
        if (
            isinstance(operand, dict)
            and operand
            and operand.keys() <= COMPARISONS.keys()
            and all(map(_is_number, operand.values()))
        ):
            return interval_contradiction(operand)
        return f"must be a number, or an object of {', '.join(COMPARISONS)}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_header_value(value: object) -> bool:
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None
