"""Ranges of versions mean what they mean to npm (https://github.com/npm/node-semver#ranges)."""

import re
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.registry.version_ranges import VersionRange
from patchbay.registry.versions import MAX_RANGE, RANGE_PATTERN, sort_key

VERSIONS = [
    f"{major}.{minor}.{patch}{pre}"
    for major, minor, patch in product(range(3), repeat=3)
    for pre in ("", "-0", "-beta.2")
]
"""All versions with small numbers, and pre-releases of them."""


def matched(text: str) -> set[str]:
    parsed = VersionRange.parse(text)
    return {version for version in VERSIONS if parsed.matches(version)}


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1"]),
        ("1.2.3", ["1.2.3"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", ["1.2.3"], ["1.2.2"]),
        ("v1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4"]),
        ("^1.2.3", ["1.2.3", "1.99.0"], ["1.2.2", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^1.0", ["1.0.0", "1.9.0"], ["2.0.0", "0.9.0"]),
        ("~1.2.3", ["1.2.3", "1.2.99"], ["1.3.0", "1.2.2"]),
        (">=1.0.0 <2.0.0", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9"]),
        (">1.0.0 <=1.5.0", ["1.0.1", "1.5.0"], ["1.0.0", "1.5.1"]),
        (">= 1.0.0", ["1.0.0", "2.0.0"], ["0.9.9"]),
        ("^1.0.0 || ^2.0.0", ["1.0.0", "2.9.0"], ["3.0.0", "0.1.0"]),
        ("1.x || >=2.5.0 || 5.0.0 - 7.2.3", ["1.2.3", "2.5.0", "6.0.0"], ["2.4.0", "0.1.0"]),
        ("^1.0.0-beta.2", ["1.0.0-beta.2", "1.0.0-beta.10", "1.0.0", "1.4.0"], ["1.0.0-beta.1"]),
        ("^1.0.0-beta.2", ["1.1.0"], ["1.1.0-beta.3", "2.0.0-beta.1"]),
        ("<0.0.0 || >*", [], ["0.0.0", "1.0.0"]),
    ],
)
def test_a_range_matches_what_npm_says_it_does(
    text: str, matching: list[str], others: list[str]
) -> None:
    parsed = VersionRange.parse(text)
    assert [version for version in matching + others if parsed.matches(version)] == matching


@pytest.mark.parametrize(
    ("short", "spelled_out"),
    [
        # The examples of node-semver's README, section "Advanced Range Syntax".
        ("1.2.3 - 2.3.4", ">=1.2.3 <=2.3.4"),
        ("1.2 - 2.3.3", ">=1.2.0 <=2.3.3"),
        ("1.2.3 - 2.3", ">=1.2.3 <2.4.0-0"),
        ("1.2.3 - 2", ">=1.2.3 <3.0.0-0"),
        ("", "*"),
        ("*", ">=0.0.0"),
        ("1.x", ">=1.0.0 <2.0.0-0"),
        ("1.2.x", ">=1.2.0 <1.3.0-0"),
        ("1", ">=1.0.0 <2.0.0-0"),
        ("1.2", "1.2.X"),
        ("~1.2.3", ">=1.2.3 <1.3.0-0"),
        ("~1.2", ">=1.2.0 <1.3.0-0"),
        ("~1", ">=1.0.0 <2.0.0-0"),
        ("~0.2.3", ">=0.2.3 <0.3.0-0"),
        ("~>0.2", ">=0.2.0 <0.3.0-0"),
        ("~1.2.3-beta.2", ">=1.2.3-beta.2 <1.3.0-0"),
        ("^1.2.3", ">=1.2.3 <2.0.0-0"),
        ("^0.2.3", ">=0.2.3 <0.3.0-0"),
        ("^0.0.3", ">=0.0.3 <0.0.4-0"),
        ("^1.2.3-beta.2", ">=1.2.3-beta.2 <2.0.0-0"),
        ("^0.0.3-beta.2", ">=0.0.3-beta.2 <0.0.4-0"),
        ("^1.2.x", ">=1.2.0 <2.0.0-0"),
        ("^0.0.x", ">=0.0.0 <0.1.0-0"),
        ("^0.0", ">=0.0.0 <0.1.0-0"),
        ("^1.x", ">=1.0.0 <2.0.0-0"),
        ("^0.x", ">=0.0.0 <1.0.0-0"),
        # What its code makes of a partial version after a comparison.
        (">1", ">=2.0.0"),
        (">1.2", ">=1.3.0"),
        (">=1.2", ">=1.2.0"),
        ("<1.2", "<1.2.0-0"),
        ("<=1.2", "<1.3.0-0"),
        ("<=1.x", "<2.0.0-0"),
        ("=1", "1.x.x"),
    ],
)
def test_a_short_form_is_what_it_is_spelled_out(short: str, spelled_out: str) -> None:
    assert matched(short) == matched(spelled_out)


@pytest.mark.parametrize(
    "text",
    [
        *("latest", "^^1.0.0", "1.x.3", "01.0.0", ">=1.0.0, <2.0.0", "1.0.0|2.0.0", "a - b"),
        *(">=1.0.0<2.0.0", "1.0.0 -2.0.0", "^1.0.0\n", "1.2.3.4", "x" * 200, "^1 " * 60),
    ],
)
def test_what_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a range of versions such as \^1"):
        VersionRange.parse(text)


_numbers = st.integers(0, 2).map(str)
_partials = st.lists(_numbers, min_size=1, max_size=3).map(".".join)
_fulls = st.tuples(_numbers, _numbers, _numbers).map(".".join)
_simples = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "^", "~", ">", "<", ">=", "<=", "="]),
    st.just(""),
    _partials,
)
_ranges = st.lists(_simples, min_size=1, max_size=3).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(_ranges, _ranges)
def test_alternatives_are_a_union(one: str, other: str) -> None:
    assert matched(f"{one} || {other}") == matched(one) | matched(other)


@settings(max_examples=40, deadline=None)
@given(_simples, _simples)
def test_blanks_are_an_intersection(one: str, other: str) -> None:
    stable = {version for version in VERSIONS if "-" not in version}
    assert matched(f"{one} {other}") & stable == matched(one) & matched(other) & stable


@settings(max_examples=40, deadline=None)
@given(_partials, _partials)
def test_a_hyphen_is_two_comparisons(low: str, high: str) -> None:
    assert matched(f"{low} - {high}") == matched(f">={low} <={high}")


@settings(max_examples=40, deadline=None)
@given(_partials)
def test_numbers_left_out_are_as_good_as_open_ones(partial: str) -> None:
    padded = ".".join([*partial.split("."), "x", "*"][:3])
    for sign in ("", "^", "~", ">", "<", ">=", "<="):
        assert matched(sign + partial) == matched(sign + padded)


@settings(max_examples=40, deadline=None)
@given(st.from_regex(RANGE_PATTERN, fullmatch=True).filter(lambda text: len(text) <= MAX_RANGE))
def test_what_the_document_allows_is_read(text: str) -> None:
    VersionRange.parse(text)


@pytest.mark.parametrize(
    "text", [" " * 127 + "~", "1 " * 63 + "~", "|| " * 42 + "~", "1 - 1 || " * 13 + "!"]
)
def test_reading_a_range_takes_no_time(text: str) -> None:
    began = time.thread_time()
    assert re.fullmatch(RANGE_PATTERN, text) is None
    assert time.thread_time() - began < 0.1


def test_the_best_is_the_highest_that_matches() -> None:
    versions = ["1.9.0", "1.10.0", "2.0.0", "1.11.0-rc.1"]
    assert VersionRange.parse("^1.0.0").best(versions) == "1.10.0"
    assert VersionRange.parse("^3.0.0").best(versions) is None


NUMBERS = st.integers(0, 2).map(str)
IDENTIFIERS = st.lists(st.sampled_from(["a", "A", "b", "a-1", "0", "2", "10"]), max_size=3)


@st.composite
def some_version(draw: st.DrawFn) -> str:
    core = ".".join(draw(NUMBERS) for _ in range(3))
    return "-".join([core, *filter(None, [".".join(draw(IDENTIFIERS))])])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", ">", ">=", "<", "<=", "~", "^"]), some_version())),
    st.sampled_from([" ", "||"]),
    st.lists(some_version()),
)
def test_the_best_is_the_highest_of_those_that_match_one_by_one(
    comparators: list[tuple[str, str]], joined: str, versions: list[str]
) -> None:
    wanted = VersionRange.parse(joined.join(sign + text for sign, text in comparators[:5]))
    matching = [version for version in versions if wanted.matches(version)]
    best = wanted.best(versions)
    assert (best is None) is (not matching)
    assert best is None or (
        best in matching and sort_key(best) == max(sort_key(one) for one in matching)
    )


@pytest.mark.parametrize("text", ["||".join(["9"] * 42), "<9 " * 42, "<9||" * 31 + "<9"])
@pytest.mark.parametrize("tail", ["", "-" + ".".join(["a1"] * 18)])
def test_the_best_of_many_does_not_cost_the_product_of_range_and_versions(
    text: str, tail: str
) -> None:
    versions = [f"1.0.{number}{tail}" for number in range(2000)]
    VersionRange.parse("*").best(versions)
    wanted = VersionRange.parse(text.strip())
    began = time.thread_time()
    for _ in range(10):
        wanted.best(versions)
    assert time.thread_time() - began < 0.3
