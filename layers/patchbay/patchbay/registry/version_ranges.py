"""Version ranges of dependencies, as npm writes them: `^1.2.0`, `~1.2.0`, `>=1.0.0 <2.0.0`, `*`.

Comparators separated by spaces must all hold. As in npm, a prerelease only matches a range with a
prerelease of the same version: `^1.0.0` does not match `1.1.0-beta`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from patchbay.registry.versions import MAX_RANGE

if TYPE_CHECKING:
    from semver import Version

_COMPARATOR: Final = re.compile(r"(\^|~|>=|<=|>|<|=)?(\S+)")


@dataclass(frozen=True, slots=True)
class _Comparator:
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


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A parsed range."""

    _comparators: tuple[_Comparator, ...]

    @classmethod
    def parse(cls, text: str) -> "VersionRange":
        """Raises ValueError for a text that is not a range."""
        from semver import Version

        if text.strip() == "*":
            return cls(())
        if len(text) > MAX_RANGE or not text.isascii() or not text.split():
            raise ValueError("is not a version range")
        comparators: list[_Comparator] = []
        for word in text.split():
            found = _COMPARATOR.fullmatch(word)
            if found is None or not Version.is_valid(found[2]):
                raise ValueError("is not a version range such as ^1.2.0 or >=1.0.0 <2.0.0")
            comparators += _bounds(found[1] or "=", Version.parse(found[2]))
        return cls(tuple(comparators))

    def matches(self, version: str) -> bool:
        from semver import Version

        parsed = Version.parse(version)
        if not all(comparator.holds(parsed) for comparator in self._comparators):
            return False
        return parsed.prerelease is None or any(
            comparator.version.prerelease and _core(comparator.version) == _core(parsed)
            for comparator in self._comparators
        )

    def best(self, versions: Iterable[str]) -> str | None:
        """The highest of the versions that match; None if none does."""
        from semver import Version

        return max(filter(self.matches, versions), key=Version.parse, default=None)


def _bounds(sign: str, version: "Version") -> list[_Comparator]:
    if sign == "~":
        above = version.bump_minor()
    elif sign == "^":
        # The leftmost number that is not zero must not change.
        above = (
            version.bump_major()
            if version.major
            else version.bump_minor()
            if version.minor
            else version.bump_patch()
        )
    else:
        return [_Comparator(sign, version)]
    # `<2.0.0-0` instead of `<2.0.0`: prereleases of the next version do not match either.
    return [_Comparator(">=", version), _Comparator("<", above.replace(prerelease="0"))]


def _core(version: "Version") -> tuple[int, int, int]:
    return version.major, version.minor, version.patch
