"""What differs between two values of JSON, and the merge patch that makes one of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from patchbay_cli.applying.shapes import escaped


class Absent:
    """The type of `ABSENT`: there is no such member."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


class Difference(NamedTuple):
    """One place where a deployment has another value than the folder wants."""

    pointer: str
    has: Any
    wants: Any

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"pointer": self.pointer}
        if self.has is not ABSENT:
            told["has"] = self.has
        if self.wants is not ABSENT:
            told["wants"] = self.wants
        return told


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal: true is not 1, and 1 is 1.0."""
    return next(differences(one, other), None) is None


def differences(has: Any, wants: Any, pointer: str = "") -> Iterator[Difference]:
    """Every place where two values differ."""
    if isinstance(has, Mapping) and isinstance(wants, Mapping):
        for name in [*has, *(name for name in wants if name not in has)]:
            at = f"{pointer}/{escaped(name)}"
            yield from differences(has.get(name, ABSENT), wants.get(name, ABSENT), at)
    elif isinstance(has, list) and isinstance(wants, list) and len(has) == len(wants):
        for position, (one, other) in enumerate(zip(has, wants, strict=True)):
            yield from differences(one, other, f"{pointer}/{position}")
    elif has != wants or isinstance(has, bool) is not isinstance(wants, bool):
        yield Difference(pointer, has, wants)


def missing(has: Any, wants: Any, pointer: str = "") -> Iterator[Difference]:
    """Where the first differs from what the second says. What it does not say is left alone."""
    if isinstance(has, Mapping) and isinstance(wants, Mapping):
        for name, value in wants.items():
            yield from missing(has.get(name, ABSENT), value, f"{pointer}/{escaped(name)}")
    else:
        yield from differences(has, wants, pointer)


def merge_patch(has: Any, wants: Any) -> Any:
    """The patch of RFC 7386 after which it is as wanted, but for a null within an object: a patch
    can remove a member, and can't make it null."""
    if not isinstance(has, Mapping) or not isinstance(wants, Mapping):
        return wants
    patch: dict[str, Any] = {name: None for name in has if name not in wants}
    for name, value in wants.items():
        if name not in has:
            patch[name] = value
        elif not same(has[name], value):
            patch[name] = merge_patch(has[name], value)
    return patch


def merged(has: Any, patch: Any) -> Any:
    """What a merge patch makes of a value."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(has) if isinstance(has, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
