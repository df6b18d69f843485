"""What an HTTP response must look like: `expect` of an http step.

```json
{"status": [200, 204],
 "headers": {"content-type": {"exists": true}, "x-version": "2"},
 "json": {"/ok": true, "/data": {"type": "array"}, "/user/id": {"exists": true}}}
```

`status` defaults to 200–299. The keys of `json` are JSON Pointers. A value is a literal to compare
with, or one of `{"equals": …}`, `{"exists": true|false}`, and `{"type": "string"|…}` (the names of
JSON Schema). To compare with an object, use `equals`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
from patchbay.checks.step_reader import StepReader
from patchbay.egress.headers import is_header_name
from patchbay.platform.validation import pointer

type Operator = Literal["equals", "exists", "type"]

DEFAULT_STATUS: Final = frozenset(range(200, 300))
_KEYS: Final = frozenset({"status", "headers", "json"})
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Matcher:
    operator: Operator
    operand: object

    def accepts(self, value: object) -> bool:
        """Whether `value` is as expected. It is MISSING if the response does not have it."""
        if self.operator == "exists":
            return (value is not MISSING) == self.operand
        if value is MISSING:
            return False
        if self.operator == "equals":
            return equal(value, self.operand)
        # In JSON true and false are a type of their own; in Python they are integers.
        is_bool = isinstance(value, bool)
        return is_bool == (self.operand == "boolean") and isinstance(
            value, _TYPES[str(self.operand)]
        )


@dataclass(frozen=True, slots=True)
class Expectation:
    """`headers` are by lower-case name, `json` by pointer."""

    status: frozenset[int] = DEFAULT_STATUS
    headers: tuple[tuple[str, Matcher], ...] = ()
    json: tuple[tuple[str, Matcher], ...] = ()

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


def read_expectation(reader: StepReader, at: str) -> Expectation | None:
    """The `expect` of a step, which is at `at`; None if it has problems, which are reported."""
    spec = reader.step.get("expect", {})
    before = len(reader.problems)
    _check(reader, spec, at)
    if len(reader.problems) > before or not isinstance(spec, dict):
        return None
    status, headers, json = spec.get("status"), spec.get("headers"), spec.get("json")
    return Expectation(
        status=frozenset(status) if isinstance(status, list) else DEFAULT_STATUS,
        headers=tuple((name.lower(), _matcher(value)) for name, value in _items(headers)),
        json=tuple((at, _matcher(value)) for at, value in _items(json)),
    )


def _check(reader: StepReader, spec: object, at: str) -> None:
    if not isinstance(spec, dict):
        reader.report(at, "must be an object")
        return
    reader.require_known(spec, _KEYS, at)
    status = spec.get("status", [200])
    if not (
        isinstance(status, list)
        and status
        and all(type(s) is int and 200 <= s < 600 for s in status)
    ):
        reader.report(f"{at}/status", "must be a list of statuses from 200 to 599")
    for part, is_key in (("headers", is_header_name), ("json", is_pointer)):
        matchers = spec.get(part, {})
        if not isinstance(matchers, dict):
            reader.report(f"{at}/{part}", "must be an object")
            continue
        for key, value in matchers.items():
            here = at + pointer([part, key])
            if not is_key(key):
                kind = "header name" if part == "headers" else "JSON Pointer"
                reader.report(here, f"is not a {kind}")
            if isinstance(value, dict) and not _is_matcher(value):
                message = 'must be a value, {"equals": …}, {"exists": …} or {"type": …}'
                reader.report(here, message)


def _items(matchers: object) -> Iterator[tuple[str, object]]:
    if isinstance(matchers, dict):
        yield from matchers.items()


def _matcher(value: object) -> Matcher:
    if isinstance(value, dict):
        for operator, operand in value.items():
            return Matcher(operator, operand)
    return Matcher("equals", value)


def _is_matcher(value: dict[str, object]) -> bool:
    if len(value) != 1:
        return False
    operator, operand = next(iter(value.items()))
    if operator == "exists":
        return isinstance(operand, bool)
    if operator == "type":
        return isinstance(operand, str) and operand in _TYPES
    return operator == "equals"
