"""What one value of an answer has to look like. Pure. The operators are those of `expectations`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from patchbay.checks.json_pointer import MISSING
from patchbay.checks.patterns import is_found

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "above": lambda value, limit: value > limit,
    "atLeast": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
    "atMost": lambda value, limit: value <= limit,
}


@dataclass(frozen=True, slots=True)
class Matcher:
    """An object of operators, as it stands in the manifest, without problems."""

    operators: Mapping[str, object]

    def accepts(self, value: object) -> bool:
        """Whether `value` (MISSING if there is none) is what is expected."""
        if value is MISSING:
            match dict(self.operators):
                case {"exists": is_there, **others} if not others:
                    return is_there is False
                case {"anyOf": alternatives, **others} if not others:
                    return any_accepts(alternatives, MISSING)
            return False
        return all(holds(name, operand, value) for name, operand in self.operators.items())


def equal(left: object, right: object) -> bool:
    """Equality of JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


def holds(name: str, operand: object, value: object) -> bool:
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
            return any_accepts(operand, value)
    return _compares(name, operand, value)


def any_accepts(matchers: object, value: object) -> bool:
    return isinstance(matchers, list) and any(
        Matcher(operators_of(one)).accepts(value) for one in matchers
    )


def operators_of(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {"equals": value}


def _is_of_type(value: object, name: str) -> bool:
    # JSON has a type of its own for true and false; Python counts them among the integers.
    if isinstance(value, bool) or name == "boolean":
        return isinstance(value, bool) and name == "boolean"
    # To JSON Schema, 1.0 is an integer.
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])


def _is_long(length: int, operand: object) -> bool:
    if isinstance(operand, dict):
        return all(_compares(name, limit, length) for name, limit in operand.items())
    return length == operand


def _compares(name: str, limit: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(limit, int | float) and COMPARISONS[name](value, limit)
