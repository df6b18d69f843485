"""Ranges of versions."""

import pytest

from patchbay.registry.version_ranges import VersionRange


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1"]),
        ("1.2.3", ["1.2.3"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", ["1.2.3"], ["1.2.2"]),
        ("^1.2.3", ["1.2.3", "1.99.0"], ["1.2.2", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("~1.2.3", ["1.2.3", "1.2.99"], ["1.3.0", "1.2.2"]),
        (">=1.0.0 <2.0.0", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9"]),
        (">1.0.0 <=1.5.0", ["1.0.1", "1.5.0"], ["1.0.0", "1.5.1"]),
        ("^1.0.0-beta.2", ["1.0.0-beta.2", "1.0.0-beta.10", "1.0.0", "1.4.0"], ["1.0.0-beta.1"]),
        ("^1.0.0-beta.2", ["1.1.0"], ["1.1.0-beta.3", "2.0.0-beta.1"]),
    ],
)
def test_a_range_matches_what_npm_says_it_does(
    text: str, matching: list[str], others: list[str]
) -> None:
    parsed = VersionRange.parse(text)
    assert [version for version in matching + others if parsed.matches(version)] == matching


@pytest.mark.parametrize("text", ["", " ", "latest", "^1", "1.x", ">=1.0", "^^1.0.0", "x" * 200])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        VersionRange.parse(text)


def test_the_best_is_the_highest_that_matches() -> None:
    versions = ["1.9.0", "1.10.0", "2.0.0", "1.11.0-rc.1"]
    assert VersionRange.parse("^1.0.0").best(versions) == "1.10.0"
    assert VersionRange.parse("^3.0.0").best(versions) is None
