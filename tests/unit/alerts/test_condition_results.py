"""Conditions: windows, thresholds, staleness."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.alerts.condition_results import (
    LastSuccess,
    WatchTimes,
    WindowCounts,
    evaluate_connection,
    evaluate_staleness,
    evaluate_success_rate,
)
from patchbay.alerts.conditions import Stale, SuccessRate
from patchbay.alerts.state_machine import ConditionStatus
from patchbay.connections.health_status import HealthStatus

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
BREACH, CLEAR, NO_DATA = ConditionStatus.BREACH, ConditionStatus.CLEAR, ConditionStatus.NO_DATA
counts = st.builds(WindowCounts, success=st.integers(0, 1000), errors=st.integers(0, 1000))


def rate(**changes: Any) -> SuccessRate:
    return SuccessRate(kind="success_rate", threshold=95, minimum_events=10, **changes)


@pytest.mark.parametrize(
    ("short", "long", "status"),
    [
        (WindowCounts(94, 6), WindowCounts(94, 6), BREACH),
        (WindowCounts(95, 5), WindowCounts(90, 10), CLEAR),
        (WindowCounts(90, 10), WindowCounts(95, 5), CLEAR),
        (WindowCounts(0, 9), WindowCounts(0, 900), NO_DATA),
        (WindowCounts(), WindowCounts(0, 900), NO_DATA),
        (WindowCounts(0, 10), WindowCounts(0, 10), BREACH),
        (WindowCounts(10, 0), WindowCounts(10, 0), CLEAR),
    ],
)
def test_a_rate_is_below_only_in_both_windows(
    short: WindowCounts, long: WindowCounts, status: str
) -> None:
    assert evaluate_success_rate(rate(), short, long, firing=False).status == status


def test_a_rate_that_is_rounded_up_for_display_is_still_below() -> None:
    # 99.9951% is displayed as 100.0
    almost = WindowCounts(999_951, 49)
    condition = SuccessRate(kind="success_rate", threshold=100)
    assert evaluate_success_rate(condition, almost, almost, firing=False).status is BREACH


def test_a_recovery_threshold_only_counts_while_the_alert_fires() -> None:
    condition = rate(recovery_threshold=99)
    at_97 = WindowCounts(97, 3)
    assert evaluate_success_rate(condition, at_97, at_97, firing=False).status is CLEAR
    assert evaluate_success_rate(condition, at_97, at_97, firing=True).status is BREACH


@given(counts, counts, st.floats(1, 100).map(lambda value: round(value, 2)), st.booleans())
def test_more_successes_never_breach(
    short: WindowCounts, long: WindowCounts, threshold: float, firing: bool
) -> None:
    condition = SuccessRate(kind="success_rate", threshold=threshold, minimum_events=1)
    better = [WindowCounts(c.success + 1, c.errors) for c in (short, long)]
    if evaluate_success_rate(condition, short, long, firing=firing).status is CLEAR:
        assert evaluate_success_rate(condition, *better, firing=firing).status is CLEAR


@given(counts, st.floats(0.01, 100).map(lambda value: round(value, 2)))
def test_below_equals_a_comparison_of_fractions(seen: WindowCounts, percent: float) -> None:
    from fractions import Fraction

    exact = Fraction(str(percent)) / 100
    assert seen.is_below(percent) is (seen.success < exact * seen.total)


@pytest.mark.parametrize(
    ("ago", "complete", "watched", "status"),
    [
        (30, True, 600, CLEAR),
        (60, True, 600, CLEAR),
        (61, True, 600, BREACH),
        # A success that is known to be long ago needs no grace period
        (61, True, 1, BREACH),
        # Without any success, the time counts from when the rule began to watch
        (None, True, 60, NO_DATA),
        (None, True, 61, BREACH),
        # Not all of the window was read, so there is no result
        (None, False, 600, NO_DATA),
        (61, False, 600, NO_DATA),
        (30, False, 600, CLEAR),
    ],
)
def test_staleness(ago: int | None, complete: bool, watched: int, status: str) -> None:
    condition = Stale(kind="stale", after_seconds=3600)
    last = None if ago is None else NOW - timedelta(minutes=ago)
    since, ages_ago = NOW - timedelta(minutes=watched), NOW - timedelta(days=9)
    assert (
        evaluate_staleness(
            condition, LastSuccess(last, complete), WatchTimes(since, ages_ago), NOW
        ).status
        == status
    )


def test_the_time_without_a_success_is_in_words() -> None:
    ages_ago = NOW - timedelta(days=9)
    for seconds, words in ((3600, "1 hour"), (7200, "2 hours"), (86_400, "1 day"), (301, "301 s")):
        condition = Stale(kind="stale", after_seconds=seconds)
        seen = evaluate_staleness(condition, LastSuccess(), WatchTimes(ages_ago, ages_ago), NOW)
        assert f"no success for {words}" in seen.summary


def test_unknown_health_is_no_data() -> None:
    assert {status: evaluate_connection(status).status for status in HealthStatus} == {
        HealthStatus.CONNECTED: CLEAR,
        HealthStatus.DISCONNECTED: BREACH,
        HealthStatus.ERROR: BREACH,
        HealthStatus.UNKNOWN: NO_DATA,
    }
