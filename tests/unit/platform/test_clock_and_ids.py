"""Times and ids as strings."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from patchbay.platform.clock import (
    UtcSecond,
    UtcTime,
    floor_to_hour,
    from_text,
    to_sortable,
    to_text,
)
from patchbay.platform.ids import SLUG_PATTERN, is_id, new_id

MOMENTS = st.integers(0, 2 * 10**14).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)


@given(MOMENTS)
def test_a_time_survives_its_text(moment: datetime) -> None:
    assert from_text(to_text(moment)) == moment
    assert from_text(to_sortable(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_sortable_texts_are_in_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (to_sortable(one) < to_sortable(other)) == (one < other)


def test_a_time_is_printed_in_utc_without_needless_milliseconds() -> None:
    cet = timezone(timedelta(hours=1))
    assert to_text(datetime(2026, 2, 17, 11, tzinfo=cet)) == "2026-02-17T10:00:00Z"
    assert to_text(datetime(2026, 2, 17, 10, 0, 0, 7000, UTC)) == "2026-02-17T10:00:00.007Z"


@given(MOMENTS, MOMENTS)
def test_times_in_responses_sort_as_their_texts_do(one: datetime, other: datetime) -> None:
    texts = [TypeAdapter(UtcTime).dump_json(moment) for moment in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)
    seconds = [TypeAdapter(UtcSecond).dump_json(moment) for moment in (one, other)]
    assert (seconds[0] <= seconds[1]) or one > other


def test_a_time_in_a_response_has_milliseconds_or_whole_seconds() -> None:
    for micro in (0, 7000, 999_000):
        moment = datetime(2026, 2, 17, 10, 0, 0, micro, UTC)
        printed = TypeAdapter(UtcTime).dump_python(moment)
        assert printed == f"2026-02-17T10:00:00.{micro // 1000:03}Z"
        assert TypeAdapter(UtcSecond).dump_python(moment) == "2026-02-17T10:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-17T10:00:00",
        "1700000000",
        "2026-02-17 10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "17.2.2026",
        "2026-02-30T00:00Z",
    ],
)
def test_a_string_that_is_not_a_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UtcTime).validate_json(f'"{text}"', strict=True)


@given(MOMENTS)
def test_the_full_hour_is_not_later_and_less_than_an_hour_away(moment: datetime) -> None:
    hour = floor_to_hour(moment)
    assert timedelta(0) <= moment - hour < timedelta(hours=1)
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)


@given(st.lists(MOMENTS, min_size=2, max_size=5, unique=True))
def test_ids_sort_by_the_time_they_were_made(moments: list[datetime]) -> None:
    ids = [new_id("evt", moment) for moment in sorted(moments)]
    assert sorted(ids) == ids
    assert all(is_id("evt", text) for text in ids)
    assert not any(is_id("con", text) for text in ids)


@pytest.mark.parametrize("text", ["", "con_", "con_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "con_x\n", "src_1"])
def test_what_can_not_be_an_id(text: str) -> None:
    assert not is_id("con", text)


@pytest.mark.parametrize("slug", ["a", "a-b", "0", "x" * 63])
def test_slugs(slug: str) -> None:
    assert re.match(SLUG_PATTERN, slug)


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a_b", "x" * 64, "a b", "ä"])
def test_no_slugs(slug: str) -> None:
    assert not re.match(SLUG_PATTERN, slug)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2026-02-17t10:00:00z", "2026-02-17T10:00:00Z"),
        ("2026-02-17T10:00:00.5Z", "2026-02-17T10:00:00.500Z"),
        ("2026-02-17T10:00:00.1234567890123Z", "2026-02-17T10:00:00.123Z"),
        ("2026-02-17T10:00:00-00:00", "2026-02-17T10:00:00Z"),
        ("2026-02-17T11:30:00+01:30", "2026-02-17T10:00:00Z"),
        # A leap second stays in its day.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("1990-12-31T15:59:60.7-08:00", "1990-12-31T23:59:59.999Z"),
    ],
)
def test_every_spelling_of_rfc_3339_is_read(text: str, printed: str) -> None:
    assert to_text(TypeAdapter(UtcTime).validate_python(text)) == printed


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-17 10:00:00Z", "2026-02-17T24:00:00Z", "2026-02-17T10:00Z", "20260217T100000Z"),
        *("2026-02-17T10:00:60Z", "2026-02-17T23:59:60Z", "2026-02-30T10:00:00Z", "1771322400"),
        *("2026-02-17T10:00:00+24:00", "2026-02-17T10:00:00+01:60", "2026-02-17T10:00:00.Z"),
        *("2026-02-17T10:00:00,5Z", "2026-02-17T10:00:00+0100", "0000-01-01T00:00:00Z"),
    ],
)
def test_what_rfc_3339_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UtcTime).validate_python(text)
