"""How a space is doing, by what is read of it."""

from datetime import timedelta

import pytest

from patchbay.health.buckets import Bucket, Tally
from patchbay.health.model import IntegrationType
from patchbay.health.periods import Period
from patchbay.platform.clock import from_text
from patchbay.status_pages.judgment import (
    DAYS,
    Recent,
    days_of,
    periods_of_page,
    ranges,
    recent_of,
    sentence,
    state_of,
)
from patchbay.status_pages.model import StatusState

NOW = from_text("2026-02-17T10:30:00Z")


def bucket(success: int = 0, errors: int = 0) -> Bucket:
    return Bucket({IntegrationType.WEBHOOK: Tally(success, errors)})


@pytest.mark.parametrize(
    ("tally", "alerts", "failing", "state"),
    [
        (Tally(), 0, 0, StatusState.NO_DATA),
        (Tally(), 1, 0, StatusState.DEGRADED),
        (Tally(), 0, 1, StatusState.DEGRADED),
        (Tally(1, 0), 0, 0, StatusState.OPERATIONAL),
        (Tally(95, 5), 0, 0, StatusState.OPERATIONAL),
        (Tally(94, 6), 0, 0, StatusState.DEGRADED),
        (Tally(100, 0), 1, 0, StatusState.DEGRADED),
        (Tally(100, 0), 0, 1, StatusState.DEGRADED),
        (Tally(0, 1), 0, 0, StatusState.DOWN),
        (Tally(0, 1), 1, 1, StatusState.DOWN),
    ],
)
def test_the_state_follows_from_counts_alerts_and_connections(
    tally: Tally, alerts: int, failing: int, state: StatusState
) -> None:
    assert state_of(tally, alerts, failing) is state


@pytest.mark.parametrize(
    ("alerts", "failing", "said"),
    [
        (1, 0, "Not everything works: 1 alert is firing."),
        (2, 1, "Not everything works: 1 connection is failing and 2 alerts are firing."),
        (0, 3, "Not everything works: 3 connections are failing."),
        (0, 0, "Not everything works: 50% succeeded in the last hours."),
    ],
)
def test_a_degraded_space_gives_its_reasons(alerts: int, failing: int, said: str) -> None:
    recent = Recent(Tally(1, 1), "the last hours")
    assert sentence(StatusState.DEGRADED, recent, alerts, failing) == said


def test_the_present_is_this_hour_and_the_one_before() -> None:
    counts = {
        Period.hour_of(NOW): bucket(1),
        Period.hour_of(NOW - timedelta(hours=1)): bucket(2),
        Period.hour_of(NOW - timedelta(hours=2)): bucket(0, 100),
        Period.day_of(NOW): bucket(3, 100),
    }
    assert recent_of(counts, NOW).tally.total == 3


def test_a_quiet_space_is_judged_by_its_day() -> None:
    counts = {Period.hour_of(NOW - timedelta(hours=20)): bucket(7)}
    recent = recent_of(counts, NOW)
    assert (recent.tally.total, recent.words) == (7, "the last 24 hours")


def test_a_page_has_each_day_once_and_what_is_ahead_counts_for_today() -> None:
    counts = {
        Period.day_of(NOW + timedelta(days=1)): bucket(1),
        Period.day_of(NOW): bucket(2),
        Period.day_of(NOW - timedelta(days=DAYS - 1)): bucket(4),
        Period.day_of(NOW - timedelta(days=DAYS)): bucket(8),
        Period.hour_of(NOW): bucket(16),
    }
    days = days_of(counts, NOW)
    assert len({day.date for day in days}) == DAYS
    assert [day.date for day in days] == sorted(day.date for day in days)
    assert [day.total for day in days if day.total] == [4, 3]
    assert [period.total for period in periods_of_page(counts, NOW)] == [3, 3, 7]


def test_a_page_reads_ninety_days_and_25_hours() -> None:
    assert [low for low, _ in ranges(NOW)] == ["D#2025-11-20#", "H#2026-02-16T10#"]
