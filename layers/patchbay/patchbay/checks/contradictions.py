"""Why no answer could meet an expectation, so that publishing refuses it. Pure.

A matcher is a list of *branches*, one for each alternative of its `anyOf`: operators that must all
hold. It is contradictory if every branch is. Not every contradiction is found (that of two regular
expressions is not), and whatever is reported is one.
"""

import json as json_text
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from patchbay.checks.json_pointer import MISSING, resolve
from patchbay.checks.matchers import Matcher, holds, operators_of
from patchbay.egress.content import MAX_CONTENT

type Operator = tuple[str, object]
type Branch = tuple[Operator, ...]

MAX_BRANCHES: Final = 500
"""Of several matchers together; those of one are as many as its `anyOf` has alternatives."""

_OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("contains", "startsWith", "matches"), frozenset({"string"})),
    **dict.fromkeys(("above", "atLeast", "below", "atMost"), frozenset({"number"})),
    "length": frozenset({"string", "array", "object"}),
}
"""The types of the values that an operator can hold for."""
_ALL_TYPES: Final = frozenset({"string", "number", "boolean", "array", "object", "null"})
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
# A pattern that begins with a literal and has no alternatives.
_PREFIX: Final = re.compile(r"\^([A-Za-z0-9 _/:,;=-]*)(?=([*?{])?)")
_BEGINS_JSON: Final = re.compile(r"[\s\ufeff]*(?:\Z|[\[{\"0-9tfn-])")


def contradiction(*matchers: Matcher) -> str | None:
    """Why no value could be accepted by all of the matchers, or None."""
    if all(matcher.accepts(MISSING) for matcher in matchers):
        return None
    reasons = []
    for branch in _together(matchers):
        reason = _reason(branch)
        if reason is None:
            return None
        reasons.append(reason)
    if len(set(reasons)) == 1:
        return f"can never hold: {reasons[0]}"
    return "can never hold: each of its alternatives contradicts what is asked beside it"


def interval_contradiction(limits: Mapping[str, object]) -> str | None:
    """Why no length is within these comparisons, or None."""
    if _has_number(limits.items(), whole=True, least=0, most=MAX_CONTENT):
        return None
    return "can never hold: its least is above its most, or above what is read"


def conflicts(expected: Sequence[tuple[str, Matcher]]) -> Iterator[tuple[str, str]]:
    """The pointers of values that can't be there as expected, because of what is expected above
    them, with the reason."""
    for pointer, matcher in expected:
        above = next(
            (
                other
                for other, of_other in expected
                if pointer.startswith(f"{other}/")
                and not _may_have(of_other, pointer, other, matcher)
            ),
            None,
        )
        if above is not None and not matcher.accepts(MISSING):
            yield pointer, f'can never hold: the value at "{above}" has nothing like it'


def extraction_problem(
    expected: Sequence[tuple[str, Matcher]], pointer: str, matcher: Matcher
) -> str | None:
    """Why an answer that is as expected can't have such a value at this pointer, or None."""
    beside = [of_other for other, of_other in expected if other == pointer]
    if any(contradiction(of_other, matcher) for of_other in beside) or any(
        where == pointer for where, _ in conflicts([*expected, (pointer, matcher)])
    ):
        return "can't be read: an answer that is as expected has nothing like it there"
    return None


def text_conflict(text: Matcher, expected: Sequence[tuple[str, Matcher]]) -> bool:
    """Whether no text can be accepted by `text` and be JSON as expected."""
    return not any(_may_be_json(branch, expected) for branch in branches(text.operators))


def branches(operators: Mapping[str, object]) -> list[Branch]:
    """The alternatives of a matcher."""
    own = tuple((name, operand) for name, operand in operators.items() if name != "anyOf")
    alternatives = operators.get("anyOf")
    if not isinstance(alternatives, list):
        return [own]
    return [own + one for other in alternatives for one in branches(operators_of(other))]


def _together(matchers: Iterable[Matcher]) -> Iterator[Branch]:
    lists = [branches(matcher.operators) for matcher in matchers]
    if math.prod(map(len, lists)) > MAX_BRANCHES:
        yield ()  # too many to try: it may hold
        return
    for parts in product(*lists):
        yield tuple(operator for part in parts for operator in part)


def _reason(branch: Branch) -> str | None:
    """Why no value could be there for which all of these operators hold, or None."""
    if ("exists", False) in branch:
        return "what is not there has no value"
    values = _values(branch)
    if values is not None:
        if any(_all_hold(branch, value) for value in values):
            return None
        return "the value that it asks for is refused by the other operators"
    types = _types(branch)
    if not types:
        return "its operators are for values of different types"
    comparisons = [one for one in branch if one[0] in ("above", "atLeast", "below", "atMost")]
    if comparisons and not _has_number(comparisons, whole=("type", "integer") in branch):
        return "its least is above its most"
    if not _has_length(branch, types, 0):
        return "it can't have this length"
    if not _has_beginning(branch):
        return "it can't begin in two ways"
    return None


def _values(branch: Branch) -> list[object] | None:
    """Those of which the value must be one; None if any may do."""
    for name, operand in branch:
        if name == "equals":
            return [operand]
    return next((v for name, v in branch if name == "enum" and isinstance(v, list)), None)


def _all_hold(branch: Branch, value: object) -> bool:
    return all(holds(name, operand, value) for name, operand in branch)


def _types(branch: Branch) -> frozenset[str]:
    found = _ALL_TYPES
    for name, operand in branch:
        if name == "type":
            found &= {"number" if operand == "integer" else str(operand)}
        else:
            found &= _OF_TYPE.get(name, _ALL_TYPES)
    return found


def _has_length(branch: Branch, types: frozenset[str], least: int) -> bool:
    """Whether there is a length of at least `least`."""
    limits: list[Operator] = []
    for name, operand in branch:
        if name == "length":
            limits += operand.items() if isinstance(operand, dict) else _exactly(operand)
        elif name in ("contains", "startsWith"):
            limits.append(("atLeast", len(str(operand))))
    return not limits or _has_number(
        limits, whole=True, least=least, most=MAX_CONTENT if "string" in types else math.inf
    )


def _exactly(length: object) -> list[Operator]:
    return [("atLeast", length), ("atMost", length)]


def _has_number(
    limits: Iterable[Operator], *, whole: bool, least: float = -math.inf, most: float = math.inf
) -> bool:
    """Whether a number, or a whole one, is within these comparisons."""
    low, high = (least, False), (most, False)
    for name, limit in limits:
        if not isinstance(limit, int | float):
            continue
        if name in ("above", "atLeast"):
            low = max(low, (limit, name == "above"))
        else:
            high = min(high, (limit, name == "atMost"))
    (lowest, is_above), (highest, is_at_most) = low, high
    is_below = highest != most and not is_at_most
    if not whole or math.inf in (-lowest, highest):
        return lowest < highest or (lowest == highest and not is_above and not is_below)
    first = math.floor(lowest) + 1 if is_above else math.ceil(lowest)
    last = math.ceil(highest) - 1 if is_below else math.floor(highest)
    return first <= last


def _has_beginning(branch: Branch) -> bool:
    """Whether what a string must begin with is the same, as far as it goes."""
    beginnings = [str(operand) for name, operand in branch if name == "startsWith"]
    for name, operand in branch:
        pattern = str(operand)
        if name == "matches" and "|" not in pattern and (found := _PREFIX.match(pattern)):
            beginnings.append(found[1][:-1] if found[2] else found[1])
    longest = max(beginnings, key=len, default="")
    return all(longest.startswith(one) for one in beginnings)


def _may_have(above: Matcher, pointer: str, at: str, matcher: Matcher) -> bool:
    """Whether a value that `above` accepts may have one below it that `matcher` accepts. They are
    at the pointers `at` and `pointer`."""
    below = pointer.removeprefix(at)
    first = below.split("/")[1].replace("~1", "/").replace("~0", "~")
    for branch in branches(above.operators):
        if ("exists", False) in branch:
            continue
        values = _values(branch)
        if values is not None:
            if any(_all_hold(branch, v) and matcher.accepts(resolve(v, below)) for v in values):
                return True
            continue
        types = _types(branch)
        if "object" in types and _has_length(branch, types & {"object"}, 1):
            return True
        is_index = "array" in types and _INDEX.fullmatch(first)
        if is_index and _has_length(branch, types & {"array"}, int(first) + 1):
            return True
    return False


def _may_be_json(branch: Branch, expected: Sequence[tuple[str, Matcher]]) -> bool:
    values = _values(branch)
    if values is not None:
        return any(_is_json_as(value, expected) for value in values)
    beginnings = (str(operand) for name, operand in branch if name == "startsWith")
    return all(map(_BEGINS_JSON.match, beginnings))


def _is_json_as(value: object, expected: Sequence[tuple[str, Matcher]]) -> bool:
    try:
        document = json_text.loads(str(value))
    except (ValueError, RecursionError):
        return False
    return all(matcher.accepts(resolve(document, pointer)) for pointer, matcher in expected)
