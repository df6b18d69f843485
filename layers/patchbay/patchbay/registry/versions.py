"""Semantic versions (semver.org 2.0.0) and a sort key that agrees with their order."""

from typing import Final

from patchbay.platform.errors import InvalidInput

MAX_VERSION: Final = 64
_NUMBER: Final = "(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER_PATTERN: Final = (
    rf"^{_NUMBER}[.]{_NUMBER}[.]{_NUMBER}(?:-{_IDENTIFIER}(?:[.]{_IDENTIFIER})*)?"
    r"(?:[+][0-9A-Za-z-]+(?:[.][0-9A-Za-z-]+)*)?$"
)
"""The pattern of semver.org, for the API document; `is_semver` enforces it."""
MAX_RANGE: Final = 128
_COMPARATOR: Final = rf"(?:\^|~|>=|<=|>|<|=)?{SEMVER_PATTERN.strip('^$')}"
RANGE_PATTERN: Final = rf"^ *(?:[*]|{_COMPARATOR}(?: +{_COMPARATOR})*) *$"
"""A version range, for the API document; `VersionRange.parse` enforces it."""
_END: Final = " "  # sorts before every character of an identifier


def require_semver(text: str, pointer: str) -> None:
    """Raises `InvalidInput` unless the text is a semantic version."""
    if not is_semver(text):
        raise InvalidInput.at(pointer, "is not a semantic version such as 1.4.0 or 2.0.0-beta.1")


def is_semver(text: str) -> bool:
    """Whether a text is a semantic version of at most 64 characters."""
    from semver import Version

    return len(text) <= MAX_VERSION and text.isascii() and Version.is_valid(text)


def major(version: str) -> int:
    """The first number of a semantic version."""
    return int(version.partition(".")[0])


def is_prerelease(version: str) -> bool:
    from semver import Version

    return Version.parse(version).prerelease is not None


def sort_key(version: str) -> str:
    """A text that sorts as semver's precedence does. Build metadata, which has none, is left out.

    A number is written after its length, so 10 follows 9. A prerelease continues with `-` and its
    identifiers, numeric ones before others; a release ends with `~`, which sorts after `-`.
    """
    from semver import Version

    parsed = Version.parse(version)
    core = ".".join(_number(str(n)) for n in (parsed.major, parsed.minor, parsed.patch))
    if parsed.prerelease is None:
        return core + "~"
    identifiers = parsed.prerelease.split(".")
    return (
        core
        + "-"
        + "".join((f"0{_number(i)}" if i.isdecimal() else f"1{i}") + _END for i in identifiers)
    )


def _number(digits: str) -> str:
    return f"{len(digits):02d}{digits}"
