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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
from patchbay.checks.patterns import is_found, pattern_problem
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
BODILESS: Final = frozenset({204, 205, 304})
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "above": lambda value, limit: value > limit,
    "atLeast": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
    "atMost": lambda value, limit: value <= limit,
}
_OF_STRINGS: Final = frozenset({"equals", "enum", "contains", "startsWith", "matches", "anyOf"})
_OF_HEADERS: Final = _OF_STRINGS | {"exists", "length"}
_OPERATORS: Final = _OF_HEADERS | {"type"} | _COMPARISONS.keys()


_KINDS_OF_KEYS: Final[Mapping[Callable[[str], bool], str]] = {
    is_header_name: "header name",
    is_pointer: "JSON Pointer",
}


@dataclass(frozen=True, slots=True)
class Matcher:
    """An object of operators, as it stands in the manifest, without problems."""

    operators: Mapping[str, object]

    def accepts(self, value: object) -> bool:
        """Whether `value` (MISSING if there is none) is what is expected."""
        if value is MISSING:
            return self.operators.get("exists") is False or _any_accepts(
                self.operators.get("anyOf"), MISSING
            )
        return all(_holds(name, operand, value) for name, operand in self.operators.items())


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


def equal(left: object, right: object) -> bool:
    """Equality of JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


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
        operators = _operators(value)
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
        if len(self._reader.problems) == before and (problem := _contradiction(operators)):
            self._reader.report(at, problem)
        return Matcher(operators) if len(self._reader.problems) == before else None

    def _problem(self, at: str, name: str, operand: object, known: frozenset[str]) -> str | None:
        strings_only = "type" not in known
        match name:
            case "equals":
                if strings_only and not isinstance(operand, str):
                    return "can never hold: what is compared is a string"
            case "enum":
                if not isinstance(operand, list) or not operand:
                    return "must be a list of values"
                self._values += len(operand)
                if self._values > MAX_VALUES:
                    return f"has too many values: those of a step are at most {MAX_VALUES}"
                if strings_only and not all(isinstance(one, str) for one in operand):
                    return "can never hold: what is compared is a string"
            case "exists":
                return None if isinstance(operand, bool) else "must be true or false"
            case "type":
                if not isinstance(operand, str) or operand not in _TYPES:
                    return f"must be one of {', '.join(_TYPES)}"
            case "contains" | "startsWith":
                if not isinstance(operand, str) or not 0 < len(operand) <= MAX_TEXT:
                    return f"must be a string of 1 to {MAX_TEXT} characters"
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
            and operand.keys() <= _COMPARISONS.keys()
            and all(map(_is_number, operand.values()))
        ):
            return _contradiction(operand)
        return f"must be a number, or an object of {', '.join(_COMPARISONS)}"


_OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("contains", "startsWith", "matches"), frozenset({"string"})),
    **dict.fromkeys(_COMPARISONS, frozenset({"number"})),
    "length": frozenset({"string", "array", "object"}),
}
"""The types of the values that an operator can hold for."""


def _contradiction(operators: Mapping[str, object]) -> str | None:
    """Why no value could meet all of the operators, or None."""
    types = [_OF_TYPE[name] for name in operators.keys() & _OF_TYPE.keys()]
    if isinstance(named := operators.get("type"), str):
        types.append(frozenset({"number" if named == "integer" else named}))
    if types and not frozenset.intersection(*types):
        return "can never hold: its operators are for values of different types"
    if operators.get("exists") is False and len(operators) > 1:
        return "can never hold: what is not there has no value"
    others = {name: operand for name, operand in operators.items() if name not in _VALUES}
    given = [operators[name] for name in ("equals",) if name in operators]
    enum = operators.get("enum")
    given += enum if isinstance(enum, list) else []
    if given and not any(Matcher(others).accepts(value) for value in given):
        return "can never hold: the value that it asks for is refused by the other operators"
    low, high = _numbers(operators, "above", "atLeast"), _numbers(operators, "below", "atMost")
    if (
        low
        and high
        and (
            max(low) > min(high)
            or (max(low) == min(high) and max(low) in _numbers(operators, "above", "below"))
        )
    ):
        return "can never hold: its least is above its most"
    return None


def _numbers(operators: Mapping[str, object], *names: str) -> list[float]:
    return [n for name in names if isinstance(n := operators.get(name), int | float)]


def _holds(name: str, operand: object, value: object) -> bool:
    match name:
        case "equals":
            return equal(value, operand)
        case "enum":
            return isinstance(operand, list) and any(equal(value, one) for one in operand)
        case "exists":
            return operand is True
        case "type":
            return _is_of_type(value, str(operand))
        case "contains":
            return isinstance(value, str) and str(operand) in value
        case "startsWith":
            return isinstance(value, str) and value.startswith(str(operand))
        case "matches":
            return isinstance(value, str) and is_found(str(operand), value)
        case "length":
            return isinstance(value, str | list | dict) and _is_long(len(value), operand)
        case "anyOf":
            return _any_accepts(operand, value)
    return _compares(name, operand, value)


def _any_accepts(matchers: object, value: object) -> bool:
    return isinstance(matchers, list) and any(
        Matcher(_operators(one)).accepts(value) for one in matchers
    )


def _operators(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {"equals": value}


def _is_of_type(value: object, name: str) -> bool:
    # JSON has a type of its own for true and false; Python counts them among the integers.
    if isinstance(value, bool) or name == "boolean":
        return isinstance(value, bool) and name == "boolean"
    # To JSON Schema, 1.0 is an integer.
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _is_long(length: int, operand: object) -> bool:
    if isinstance(operand, dict):
        return all(_compares(name, limit, length) for name, limit in operand.items())
    return length == operand


def _compares(name: str, limit: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(limit, int | float) and _COMPARISONS[name](value, limit)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
