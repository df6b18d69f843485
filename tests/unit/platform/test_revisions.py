"""If-Match and JSON merge patch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.dynamodb import ConditionFailed
from patchbay.platform.errors import Conflict, InvalidInput, PreconditionFailed
from patchbay.platform.revisions import etag, merge_patch, require_match, serially

NULL_FREE = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("header", [None, "*", " * ", '"7"', '"6", "7"', '"7",'])
def test_a_header_that_allows_the_revision(header: str | None) -> None:
    require_match(header, 7)


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"77"', '"x"', '""'])
def test_a_header_that_does_not(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        require_match(header, 7)


@pytest.mark.parametrize("header", ["7", "", " ", ",", '"7', '7"', "W/7", '"6", 7', '"7", *'])
def test_a_header_that_is_no_list_of_entity_tags(header: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_match(header, 7)
    assert refused.value.problems[0].pointer == "/headers/If-Match"


def test_an_etag_matches_itself() -> None:
    require_match(etag(12), 12)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # The examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(NULL_FREE, NULL_FREE)
def test_a_merge_patch_applied_twice_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


def test_an_attempt_is_repeated_until_no_other_writer_interferes() -> None:
    outcomes = [ConditionFailed(None), ConditionFailed({"revision": 2}), "done"]

    def attempt() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ConditionFailed):
            raise outcome
        return str(outcome)

    assert serially(attempt) == "done"


def test_losing_every_time_is_a_conflict() -> None:
    def attempt() -> None:
        raise ConditionFailed(None)

    with pytest.raises(Conflict):
        serially(attempt)
