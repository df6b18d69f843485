"""When a token expires, in all the forms that providers have for it."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from patchbay.checks.expiry_times import MAX_SECONDS, UNITS, ExpiryUnit, seconds_left

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("value", "unit", "left"),
    [
        (3600, "seconds", 3600),
        (3600.9, "seconds", 3600),
        ("3600", "seconds", 3600),
        (" 3600 ", "seconds", 3600),
        ("3600.5", "seconds", 3600),
        (1, "seconds", 1),
        (0, "seconds", None),
        (-1, "seconds", None),
        ("-1", "seconds", None),
        ("", "seconds", None),
        ("soon", "seconds", None),
        ("٣", "seconds", None),
        ("1" * 16, "seconds", None),
        (None, "seconds", None),
        (True, "seconds", None),
        ([3600], "seconds", None),
        ({}, "seconds", None),
        (float("inf"), "seconds", None),
        (float("nan"), "seconds", None),
        (float("inf"), "unix_seconds", None),
        (float("nan"), "unix_milliseconds", None),
        (10**400, "seconds", None),
        (MAX_SECONDS, "seconds", MAX_SECONDS),
        (MAX_SECONDS + 1, "seconds", None),
        (2**31 - 1, "seconds", None),
        (SECONDS + 60, "seconds", 60),
        (str(SECONDS + 60), "seconds", 60),
        ((SECONDS + 60) * 1000, "seconds", 60),
        (SECONDS - 60, "seconds", None),
        (SECONDS, "seconds", 0),
        (SECONDS + MAX_SECONDS, "seconds", MAX_SECONDS),
        (SECONDS + MAX_SECONDS + 1, "seconds", None),
        (3_600_000, "milliseconds", 3600),
        (999, "milliseconds", 0),
        (MAX_SECONDS * 1000 + 1000, "milliseconds", None),
        ((SECONDS + 60) * 1000, "milliseconds", None),
        (60, "minutes", 3600),
        (24, "hours", 86_400),
        (SECONDS + 60, "unix_seconds", 60),
        (SECONDS - 60, "unix_seconds", 0),
        (SECONDS + MAX_SECONDS, "unix_seconds", MAX_SECONDS),
        (SECONDS + MAX_SECONDS + 1, "unix_seconds", None),
        ((SECONDS + 60) * 1000, "unix_milliseconds", 60),
        (0, "unix_seconds", None),
        ("2026-02-17T10:01:00Z", "date_time", 60),
        ("2026-02-17T10:01:00", "date_time", 60),
        ("2026-02-17T12:01:00+02:00", "date_time", 60),
        ("2026-02-17T09:00:00Z", "date_time", 0),
        ("9999-12-31T23:59:59Z", "date_time", None),
        ("0001-01-01T00:00:00+14:00", "date_time", 0),
        ("2026-02-17T10:01:00Z" + " " * 30, "date_time", None),
        ("tomorrow", "date_time", None),
        (3600, "date_time", None),
    ],
)
def test_seconds_left(value: Any, unit: ExpiryUnit, left: int | None) -> None:
    assert seconds_left(value, unit, NOW) == left


def test_a_time_without_an_offset_is_in_utc_wherever_the_process_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_left("2026-02-17T10:01:00", "date_time", NOW) == 60
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_units_are_those_that_an_author_may_name() -> None:
    assert UNITS[:3] == ("seconds", "milliseconds", "minutes")
    assert UNITS[3:] == ("hours", "unix_seconds", "unix_milliseconds", "date_time")
