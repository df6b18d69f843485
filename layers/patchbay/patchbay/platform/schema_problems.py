"""From the errors of the JSON Schema library to problems that name the innermost field. Pure.

Of the branches of `anyOf` and `oneOf`, the library reports all. Here the branch is found that the
author of the document meant, and what is wrong in it is reported:

1. Branches for another type of value are left out, unless all are.
2. If every branch left wants another constant at the same place, these constants are reported: the
   discriminator has none of its values.
3. The best branch has the fewest constants that differ, then the fewest errors, then the deepest.
4. If several are as good, what is wrong in all of them is reported, or else the place of the union.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from patchbay.platform.errors import Problem
from patchbay.platform.problem_messages import REQUIRED, listing, schema_message
from patchbay.platform.validation import pointer

MAX_NAMES: Final = 50
"""Unknown members of one object that are named."""

_HOSTS: Final = frozenset({"hostname", "idn-hostname"})
_UNIONS: Final = frozenset({"anyOf", "oneOf"})
_CONSTANTS: Final = frozenset({"const", "enum"})
_SEVERAL: Final = "must match exactly one of the allowed schemas, and matches several"


class _Found(NamedTuple):
    """A problem, and what decides between branches."""

    path: tuple[str | int, ...]
    kind: str
    values: tuple[Any, ...]
    """The constants, types, or members that are wanted there."""
    problem: Problem


def problems_of(error: Any, at: str) -> list[Problem]:
    """The problems of one error; a missing or unknown member is pointed at itself."""
    return [found.problem for found in _found(error, at)]


def _found(error: Any, at: str) -> list[_Found]:
    kind, facts, path = error.kind.name, error.kind.as_dict(), tuple(error.instance_path)
    place = at + pointer(path)
    match kind:
        case "required":
            name = facts["property"]
            missing = Problem(place + pointer([name]), REQUIRED)
            return [_Found(path, kind, (name,), missing)]
        case "additionalProperties" | "unevaluatedProperties":
            return [
                _Found(path, kind, (), Problem(place + pointer([name]), "is not a known field"))
                for name in facts["unexpected"][:MAX_NAMES]
            ]
        case "propertyNames":
            inner = facts["error"]
            why = f"is not a valid name: it {_message(inner)}"
            return [_Found(path, kind, (), Problem(place + pointer([inner.instance]), why))]
        case "oneOf" if not all(facts["context"]):
            return [_Found(path, kind, (), Problem(place, _SEVERAL))]
        case _ if kind in _UNIONS:
            branches = [
                [one for inner in branch for one in _found(inner, at)]
                for branch in facts["context"]
            ]
            return _best(branches, path, kind, Problem(place, _message(error)))
        case _:
            return [_Found(path, kind, _wanted(kind, facts), Problem(place, _message(error)))]


def _message(error: Any) -> str:
    kind, facts = error.kind.name, error.kind.as_dict()
    if kind == "format" and facts["format"] in _HOSTS and "/" in error.instance:
        return "must be a host name alone, without a scheme and a path"
    return schema_message(kind, facts)


def _wanted(kind: str, facts: Any) -> tuple[Any, ...]:
    match kind:
        case "const":
            return (facts["expected_value"],)
        case "enum":
            return tuple(facts["options"])
        case "type":
            return tuple(facts["types"])
    return ()


def _best(
    branches: Sequence[list[_Found]], path: tuple[str | int, ...], kind: str, otherwise: Problem
) -> list[_Found]:
    """What is wrong in the branch that fits best."""
    of_type = [branch for branch in branches if not _is_of_another_type(branch, path)]
    if not of_type:
        types = {one: None for branch in branches for one in _types(branch, path)}
        message = schema_message("type", {"types": list(types)})
        return [_Found(path, "type", tuple(types), Problem(otherwise.pointer, message))]
    if shared := _shared_constant(of_type):
        return [shared]
    ranked = sorted(of_type, key=_rank)
    best = [branch for branch in ranked if _rank(branch) == _rank(ranked[0])]
    if len(best) == 1:
        return best[0]
    common = [one for one in best[0] if all(_has(branch, one.problem) for branch in best[1:])]
    if common:
        return common
    if all(len(branch) == 1 and branch[0].kind == "required" for branch in best) and (
        len({branch[0].path for branch in best}) == 1
    ):
        names = [str(branch[0].values[0]) for branch in best]
        at = best[0][0].problem.pointer.rpartition("/")[0]
        return [_Found(path, kind, (), Problem(at, f"must have one of {listing(names)}"))]
    return [_Found(path, kind, (), otherwise)]


def _is_of_another_type(branch: Iterable[_Found], path: tuple[str | int, ...]) -> bool:
    return any(one.kind == "type" and one.path == path for one in branch)


def _types(branch: Iterable[_Found], path: tuple[str | int, ...]) -> list[str]:
    return [t for one in branch if one.kind == "type" and one.path == path for t in one.values]


def _shared_constant(branches: Sequence[list[_Found]]) -> _Found | None:
    """The place where every branch wants another constant, and all of these."""
    for first in branches[0]:
        if first.kind not in _CONSTANTS:
            continue
        alike = [
            next((o for o in branch if o.kind in _CONSTANTS and o.path == first.path), None)
            for branch in branches
        ]
        found = [one for one in alike if one is not None]
        if len(found) == len(branches):
            values = tuple(value for one in found for value in one.values)
            unique = list({repr(value): value for value in values}.values())
            message = schema_message("enum", {"options": unique})
            return _Found(first.path, "enum", values, Problem(first.problem.pointer, message))
    return None


def _rank(branch: Sequence[_Found]) -> tuple[int, int, int, int]:
    return (
        sum(one.kind == "const" for one in branch),
        sum(one.kind == "enum" for one in branch),
        len(branch),
        -max((len(one.path) for one in branch), default=0),
    )


def _has(branch: Iterable[_Found], problem: Problem) -> bool:
    return any(one.problem == problem for one in branch)
