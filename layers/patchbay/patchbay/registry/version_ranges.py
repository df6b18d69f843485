"""Version ranges, as npm writes them: `^1.2.0`, `~1.2`, `1.x`, `>=1.0.0 <2.0.0`, `1.2 - 2.3 || ^3`.

The grammar and the meaning are those of node-semver (README, "Ranges" and "Range Grammar":
https://github.com/npm/node-semver#ranges):

- `||` joins alternatives, blanks join comparators that must all hold.
- `x`, `X`, `*`, and numbers that are left out stand for any number: `1.x` and `1` are one range.
- `~1.2.3` allows patches, `^1.2.3` what keeps the leftmost number that is not zero.
- `1.2 - 2.3` has both ends; a partial upper end allows everything that begins with it.
- A pre-release only matches a comparator with a pre-release of the same version: `^1.0.0` does not
  match `1.1.0-beta`.
- Build metadata is ignored.

Tags of npm such as `latest` are not ranges.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import AfterValidator

from patchbay.registry.versions import (
    ANY_NUMBER,
    MAX_RANGE,
    OPERATOR_PATTERN,
    PARTIAL_PATTERN,
    RANGE_PATTERN,
    STABLE,
    sort_key,
)

if TYPE_CHECKING:
    from semver import Version

NO_RANGE: Final = "is not a range of versions such as ^1.2.0, 1.x, or ^1.0.0 || ^2.0.0"

_HYPHEN: Final = f"({PARTIAL_PATTERN}) +- +({PARTIAL_PATTERN})"
_SIMPLE: Final = f"(?:({OPERATOR_PATTERN}) *)?({PARTIAL_PATTERN})"
_CORE: Final = "v?([^-+]*)(?:-([^+]*))?"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when it is first used: it takes 10 ms, which a cold start has no use for."""
    return re.compile(pattern)


class _Comparator(NamedTuple):
    sign: str
    version: "Version"

    def holds(self, version: "Version") -> bool:
        order = version.compare(self.version)
        match self.sign:
            case ">=":
                return order >= 0
            case "<=":
                return order <= 0
            case ">":
                return order > 0
            case "<":
                return order < 0
            case _:
                return order == 0


class _Partial(NamedTuple):
    """A version whose last numbers may be open; `bottom` has zeros for these."""

    fixed: int
    """How many of the three numbers are given."""
    bottom: "Version"

    @classmethod
    def of(cls, text: str) -> "_Partial":
        from semver import Version

        [(core, pre)] = re.findall(f"^{_CORE}", text)
        numbers: list[int] = []
        for word in core.split("."):
            if word in ANY_NUMBER:
                break
            numbers.append(int(word))
        fixed = len(numbers)
        # With an open number, node-semver ignores what stands after it.
        bottom = Version(*numbers, *[0] * (3 - fixed))
        return cls(fixed, bottom.replace(prerelease=pre) if pre and fixed == 3 else bottom)

    def above(self, keeping: int) -> "Version":
        """The first version with another of the first `keeping` numbers. It ends with `-0`: its
        own pre-releases are above, too."""
        bump = (self.bottom.bump_major, self.bottom.bump_minor, self.bottom.bump_patch)
        return bump[keeping - 1]().replace(prerelease="0")

    @property
    def is_any(self) -> bool:
        return self.fixed == 0


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A parsed range: alternatives of comparators that must all hold."""

    _alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "VersionRange":
        """Raises ValueError for a text that is not a range."""
        if len(text) > MAX_RANGE or _compiled(RANGE_PATTERN.strip("^$")).fullmatch(text) is None:
            raise ValueError(NO_RANGE)
        return cls(tuple(tuple(_comparators(part.strip())) for part in text.split("||")))

    def matches(self, version: str) -> bool:
        from semver import Version

        parsed = Version.parse(version)
        return any(_all_hold(comparators, parsed) for comparators in self._alternatives)

    def best(self, versions: Iterable[str]) -> str | None:
        """The highest of the versions that match; None if none does.

        The bounds are searched for among the sorted versions: an author chooses how many versions
        there are, and a caller how many alternatives, so their product must not be paid for.
        """
        by_key: dict[str, str] = {}
        for version in versions:
            by_key.setdefault(_key(version), version)
        keys = sorted(by_key)
        stable = [key for key in keys if key.endswith(STABLE)]
        previews = [key for key in keys if not key.endswith(STABLE)]
        found = [
            key
            for comparators in dict.fromkeys(self._alternatives)
            for key in _highest(comparators, stable, previews)
        ]
        return by_key[max(found)] if found else None


_key: Final = lru_cache(maxsize=4096)(sort_key)


def _highest(
    comparators: Sequence[_Comparator], stable: Sequence[str], previews: Sequence[str]
) -> Iterator[str]:
    """Of sorted keys, the highest that all comparators allow, and the highest pre-release of each
    version that one of them has a pre-release of."""
    yield from _last(comparators, stable, 0, len(stable))
    for core in {_core(one.version) for one in comparators if one.version.prerelease}:
        end_key = sort_key(".".join(map(str, core)))
        begin = bisect_left(previews, end_key.removesuffix(STABLE))
        yield from _last(comparators, previews, begin, bisect_left(previews, end_key))


def _last(
    comparators: Iterable[_Comparator], keys: Sequence[str], begin: int, end: int
) -> Sequence[str]:
    """The last of `keys[begin:end]` that all comparators allow, or nothing."""
    for comparator in comparators:
        key = sort_key(str(comparator.version))
        if comparator.sign in {">=", "="}:
            begin = max(begin, bisect_left(keys, key))
        if comparator.sign == ">":
            begin = max(begin, bisect_right(keys, key))
        if comparator.sign in {"<=", "="}:
            end = min(end, bisect_right(keys, key))
        if comparator.sign == "<":
            end = min(end, bisect_left(keys, key))
    return keys[end - 1 : end] if begin < end else ()


def _a_range(text: str) -> str:
    VersionRange.parse(text)
    return text


RangeText: Final = AfterValidator(_a_range)
"""For a field of a model: a range that is kept as it is written."""


def _all_hold(comparators: Iterable[_Comparator], version: "Version") -> bool:
    if not all(comparator.holds(version) for comparator in comparators):
        return False
    return version.prerelease is None or any(
        comparator.version.prerelease and _core(comparator.version) == _core(version)
        for comparator in comparators
    )


def _comparators(alternative: str) -> list[_Comparator]:
    if ends := _compiled(_HYPHEN).fullmatch(alternative):
        return _between(_Partial.of(ends[1]), _Partial.of(ends[2]))
    return [
        comparator
        for found in _compiled(_SIMPLE).finditer(alternative)
        for comparator in _bounds(found[1] or "=", _Partial.of(found[2]))
    ]


def _between(low: _Partial, high: _Partial) -> list[_Comparator]:
    below = [] if low.is_any else [_Comparator(">=", low.bottom)]
    return below if high.is_any else [*below, *_at_most(high)]


def _at_most(partial: _Partial) -> list[_Comparator]:
    if partial.fixed == 3:
        return [_Comparator("<=", partial.bottom)]
    return [_Comparator("<", partial.above(partial.fixed))]


def _bounds(sign: str, partial: _Partial) -> list[_Comparator]:
    bottom = partial.bottom
    if partial.is_any:
        # Nothing is above or below any version.
        return [_Comparator("<", bottom.replace(prerelease="0"))] if sign in {"<", ">"} else []
    match sign:
        case "<=":
            return _at_most(partial)
        case "<" if partial.fixed < 3:
            return [_Comparator("<", bottom.replace(prerelease="0"))]
        case ">" if partial.fixed < 3:
            return [_Comparator(">=", partial.above(partial.fixed).replace(prerelease=None))]
        case "<" | ">" | ">=":
            return [_Comparator(sign, bottom)]
        case "=" if partial.fixed == 3:
            return [_Comparator("=", bottom)]
        case "~" | "~>":
            kept = min(partial.fixed, 2)
        case "^":
            numbers = _core(bottom)[: partial.fixed]
            # The leftmost number that is not zero must not change, or else the last that is given.
            kept = next((n for n, number in enumerate(numbers, 1) if number), partial.fixed)
        case _:
            kept = partial.fixed
    return [_Comparator(">=", bottom), _Comparator("<", partial.above(kept))]


def _core(version: "Version") -> tuple[int, int, int]:
    return version.major, version.minor, version.patch
