"""What an audit event shows of a change."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.audit import MAX_VALUE_BYTES, difference

VALUES = st.sampled_from([None, True, False, 0, 1, 1.5, "", "a", [], [1], [True], {"a": 1}, {}])
DOCUMENTS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=4)


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_turns_one_into_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    old, new = difference(before, after)
    assert old is not None
    assert new is not None
    kept = {name: value for name, value in before.items() if name not in old}
    assert {**kept, **new} == after
    assert {**kept, **old} == before


@given(DOCUMENTS)
def test_what_does_not_differ_is_left_out(document: dict[str, Any]) -> None:
    assert difference(document, dict(document)) == ({}, {})


@given(DOCUMENTS)
def test_what_was_made_or_deleted_is_shown_whole(document: dict[str, Any]) -> None:
    assert difference(None, document) == (None, document)
    assert difference(document, None) == (document, None)


def test_true_is_not_one() -> None:
    assert difference({"a": True}, {"a": 1}) == ({"a": True}, {"a": 1})


def test_times_of_changes_are_no_changes() -> None:
    assert difference({"updated_at": 1, "updatedAt": 1}, {"updated_at": 2, "updatedAt": 2}) == (
        {},
        {},
    )


def test_a_value_of_more_than_a_kilobyte_is_shown_by_its_digest() -> None:
    # As JSON, a string has two quotation marks more
    fits, long = "x" * (MAX_VALUE_BYTES - 2), "x" * (MAX_VALUE_BYTES - 1)
    _, shown = difference(None, {"a": fits, "b": long})
    assert shown is not None
    assert shown["a"] == fits
    assert shown["b"]["bytes"] == MAX_VALUE_BYTES + 1
    assert len(shown["b"]["sha256"]) == 64
