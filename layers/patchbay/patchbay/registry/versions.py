"""Semantic versions (semver.org 2.0.0) and a sort key that agrees with their order."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from patchbay.platform.errors import InvalidInput

MAX_VERSION: Final = 64
_NUMBER: Final = "(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_TAIL: Final = (
    rf"(?:-{_IDENTIFIER}(?:[.]{_IDENTIFIER})*)?(?:[+][0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*)?"
)
SEMVER_PATTERN: Final = rf"^{_NUMBER}[.]{_NUMBER}[.]{_NUMBER}{_TAIL}$"
"""The pattern of semver.org, for the API document; `is_semver` enforces it."""
MAX_RANGE: Final = 128
ANY_NUMBER: Final = frozenset({"x", "X", "*"})
_OPEN: Final = "[xX*]"
# Nothing is fixed after an open number: `1.x.3` is not a range.
PARTIAL_PATTERN: Final = (
    rf"v?(?:{_NUMBER}(?:[.]{_NUMBER}(?:[.](?:{_NUMBER}|{_OPEN}){_TAIL})?"
    rf"|[.]{_OPEN}(?:[.]{_OPEN}{_TAIL})?)?|{_OPEN}(?:[.]{_OPEN}(?:[.]{_OPEN}{_TAIL})?)?)"
)
OPERATOR_PATTERN: Final = r"(?:\^|~>?|[<>]=?|=)"
_HYPHEN: Final = f"{PARTIAL_PATTERN} +- +{PARTIAL_PATTERN}"
_SIMPLE: Final = f"(?:{OPERATOR_PATTERN} *)?{PARTIAL_PATTERN}"
# No two parts can match the same blanks: otherwise a search may take exponential time.
_ALTERNATIVE: Final = f"(?:(?:{_HYPHEN}|{_SIMPLE}(?: +{_SIMPLE})*) *)?"
RANGE_PATTERN: Final = rf"^ *{_ALTERNATIVE}(?:[|][|] *{_ALTERNATIVE})*$"
"""A version range, for the API document and for `VersionRange.parse`."""
STABLE: Final = "~"
"""How the sort key of a version ends that is not a pre-release; sorts after `-`."""
_END: Final = " "  # sorts before every character of an identifier


def require_semver(text: str, pointer: str) -> None:
    """Raises `InvalidInput` unless the text is a semantic version."""
    if text[:1] in ("v", "V", "=") and is_semver(text[1:]):
        raise InvalidInput.at(pointer, f"must be the number alone: {text[1:]}")
    if not is_semver(text):
        raise InvalidInput.at(pointer, "is not a semantic version such as 1.4.0 or 2.0.0-beta.1")


def is_semver(text: str) -> bool:
    """Whether a text is a semantic version of at most 64 characters."""
    return len(text) <= MAX_VERSION and text.isascii() and _is_valid(text)


@lru_cache(maxsize=1024)
def _is_valid(text: str) -> bool:
    from semver import Version

    return Version.is_valid(text)


def major(version: str) -> int:
    """The first number of a semantic version."""
    return int(version.partition(".")[0])


def is_prerelease(version: str) -> bool:
    from semver import Version

    return Version.parse(version).prerelease is not None


def line(version: str) -> str:
    """The line of a version, as a range: what `^` keeps together. `1.x` of 1.4.0, `0.3.x` of
    0.3.1."""
    first, second = version.split(".")[:2]
    return f"{first}.x" if first != "0" else f"0.{second}.x"


def standing_in_the_way(version: str, released: Iterable[str]) -> str | None:
    """The highest earlier release that a new version must be higher than and is not; None if it
    may be released.

    A version is compared with the releases of its own line, so a fix of 1.4 may follow 2.0.0. A
    line that has no release yet must begin above all others. Pre-releases of other versions never
    count: 1.4.1 may follow 1.5.0-beta.1.
    """
    from semver import Version

    new = Version.parse(version)
    counting = [
        other
        for other in map(Version.parse, released)
        if other.prerelease is None or other.finalize_version() == new.finalize_version()
    ]
    own_line = [other for other in counting if line(str(other)) == line(version)]
    higher = [other for other in own_line or counting if other.compare(new) >= 0]
    return str(max(higher)) if higher else None


def highest_stable(released: Iterable[str]) -> str | None:
    """The highest version that is not a pre-release; None if there is none."""
    from semver import Version

    stable = [version for version in released if not is_prerelease(version)]
    return max(stable, key=Version.parse, default=None)


@lru_cache(maxsize=1024)
def sort_key(version: str) -> str:
    """A text that sorts as semver's precedence does. Build metadata, which has none, is left out.

    A number is written after its length, so 10 follows 9. A prerelease continues with `-` and its
    identifiers, numeric ones before others; a release ends with `~`, which sorts after `-`.
    """
    from semver import Version

    parsed = Version.parse(version)
    core = ".".join(_number(str(n)) for n in (parsed.major, parsed.minor, parsed.patch))
    if parsed.prerelease is None:
        return core + STABLE
    identifiers = parsed.prerelease.split(".")
    return (
        core
        + "-"
        + "".join((f"0{_number(i)}" if i.isdecimal() else f"1{i}") + _END for i in identifiers)
    )


def _number(digits: str) -> str:
    return f"{len(digits):02d}{digits}"
