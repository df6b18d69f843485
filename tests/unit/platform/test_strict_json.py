"""What is accepted as JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.errors import InvalidJson
from patchbay.platform.strict_json import MAX_DEPTH, canonical, compact, depth, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_json_can_say_is_read_as_it_was_meant(value: object) -> None:
    assert loads(compact(value)) == value
    assert loads(canonical(value)) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"\xff",
        b'"\xed\xa0\x80"',
        b"1 2",
        b"'a'",
        b"9" * 5000,
        b'{"a": 1e400}',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
)
def test_what_others_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJson) as refused:
        loads(raw)
    assert refused.value.status == 400
    assert refused.value.code == "INVALID_JSON"


def test_the_error_does_not_quote_the_text() -> None:
    with pytest.raises(InvalidJson) as refused:
        loads(b'{"api_key": "sk_live_1", "api_key": "sk_live_2", }')
    assert "sk_live" not in json.dumps(refused.value.details)


def test_depth_counts_containers() -> None:
    values: list[object] = [1, [], {"a": 1}, {"a": [1]}, [[{}]]]
    assert [depth(value) for value in values] == [0, 1, 1, 2, 3]


def test_equal_objects_have_one_canonical_text() -> None:
    assert canonical({"b": 1, "a": {"d": 1, "c": 2}}) == canonical({"a": {"c": 2, "d": 1}, "b": 1})
