"""Semantic versions and the key they are sorted by."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from patchbay.platform.errors import InvalidInput
from patchbay.registry.versions import is_prerelease, require_semver, sort_key

NUMBERS = st.integers(0, 10**12)
IDENTIFIERS = st.one_of(
    NUMBERS.map(str), st.from_regex(r"[0-9]{0,3}[A-Za-z-][0-9A-Za-z-]{0,5}", fullmatch=True)
)
VERSIONS = st.builds(
    lambda core, pre: ".".join(map(str, core)) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
    st.lists(IDENTIFIERS, max_size=4),
)


@given(VERSIONS, VERSIONS)
def test_keys_are_in_the_order_of_precedence(one: str, other: str) -> None:
    order = Version.parse(one).compare(other)
    one_key, other_key = sort_key(one), sort_key(other)
    assert (one_key > other_key) - (one_key < other_key) == order


def test_the_example_of_the_specification() -> None:
    # semver.org, section 11
    ordered = [
        *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0"),
    ]
    assert all(sort_key(a) < sort_key(b) for a, b in itertools.pairwise(ordered))


def test_build_metadata_has_no_precedence() -> None:
    assert sort_key("1.0.0+a") == sort_key("1.0.0+b") == sort_key("1.0.0")


@pytest.mark.parametrize(
    "text", ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "١.0.0", ""]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_semver(text, "/version")
    assert refused.value.problems[0].pointer == "/version"


def test_prereleases_are_told_apart() -> None:
    assert is_prerelease("1.0.0-rc.1")
    assert not is_prerelease("1.0.0+rc.1")
