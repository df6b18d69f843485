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


@pytest.mark.parametrize(
    ("success", "errors", "percent", "below"),
    [
        (0, 0, 100.0, False),
        (0, 1, 0.01, True),
        (1, 9999, 0.01, False),
        (1, 10_000, 0.01, True),
        (9999, 1, 99.99, False),
        (9998, 2, 99.99, True),
        (94, 6, 94.0, False),
        (93, 7, 94.0, True),
    ],
)
def test_below_is_exact(success: int, errors: int, percent: float, below: bool) -> None:
    seen = WindowCounts(success, errors)
    assert seen.is_below(percent) == below
    assert seen.total == success + errors


@pytest.mark.parametrize(
    ("firing", "recovery", "summary"),
    [
        (False, None, "is not below 90%: 91.0% of 100 events"),
        (False, 99.5, "is not below 90%: 91.0% of 100 events"),
        (True, None, "is not below 90%: 91.0% of 100 events"),
        (True, 99.5, "is below 99.5%: 91.0% of 100 events"),
    ],
)
def test_a_rate_is_told_with_the_threshold_that_counted(
    firing: bool, recovery: float | None, summary: str
) -> None:
    condition = SuccessRate(kind="success_rate", threshold=90, recovery_threshold=recovery)
    seen = evaluate_success_rate(
        condition, WindowCounts(91, 9), WindowCounts(50, 150), firing=firing
    )
    assert seen.summary == (
        f"The success rate {summary} in the short window, 25.0% of 200 in the long one."
    )


def test_a_window_without_counts_is_empty() -> None:
    assert WindowCounts() == WindowCounts(0, 0)


def test_too_few_events_are_told_with_their_number() -> None:
    seen = evaluate_success_rate(rate(), WindowCounts(8, 1), WindowCounts(9, 0), firing=True)
    assert seen.status is NO_DATA
    assert seen.summary == "The short window has 9 events, fewer than 10."


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


@pytest.mark.parametrize(
    ("last", "since", "active", "status"),
    [
        # The wait counts from the last of: the success or the rule, and the space's last change.
        (61, 600, 60, NO_DATA),
        (61, 600, 61, BREACH),
        (None, 600, 60, NO_DATA),
        (None, 60, 600, NO_DATA),
        (None, 61, 61, BREACH),
    ],
)
def test_a_space_that_was_just_activated_gets_the_whole_time(
    last: int | None, since: int, active: int, status: ConditionStatus
) -> None:
    def ago(minutes: int) -> datetime:
        return NOW - timedelta(minutes=minutes)

    success = LastSuccess(None if last is None else ago(last))
    watch = WatchTimes(since=ago(since), active_since=ago(active))
    condition = Stale(kind="stale", after_seconds=3600)
    assert evaluate_staleness(condition, success, watch, NOW).status is status


def test_staleness_has_its_reason_in_words() -> None:
    condition = Stale(kind="stale", after_seconds=3600)

    def told(success: LastSuccess, watched: timedelta) -> str:
        watch = WatchTimes(NOW - watched, NOW - watched)
        return evaluate_staleness(condition, success, watch, NOW).summary

    day = timedelta(days=1)
    assert told(LastSuccess(NOW), day) == "The last success was at 2026-02-17T10:00:00Z."
    assert "could not be judged" in told(LastSuccess(complete=False), day)
    assert "too soon" in told(LastSuccess(), timedelta(minutes=5))
    assert told(LastSuccess(), day) == "There was no success for 1 hour."


def test_the_health_of_a_connection_is_told() -> None:
    told = {status: evaluate_connection(status).summary for status in HealthStatus}
    assert told[HealthStatus.DISCONNECTED] == "The connection's health is disconnected."
    assert told[HealthStatus.ERROR] == "The connection's health is error."
    assert told[HealthStatus.CONNECTED] == "The connection is connected."
    assert told[HealthStatus.UNKNOWN] == "The connection's health is unknown."


def test_the_time_without_a_success_is_in_words() -> None:
    ages_ago = NOW - timedelta(days=9)
    for seconds, words in (
        *[(86_400, "1 day"), (172_800, "2 days"), (90_000, "25 hours")],
        *[(3600, "1 hour"), (7200, "2 hours"), (5400, "90 minutes"), (301, "301 seconds")],
    ):
        condition = Stale(kind="stale", after_seconds=seconds)
        seen = evaluate_staleness(condition, LastSuccess(), WatchTimes(ages_ago, ages_ago), NOW)
        assert seen.summary == f"There was no success for {words}."


def test_unknown_health_is_no_data() -> None:
    assert {status: evaluate_connection(status).status for status in HealthStatus} == {
        HealthStatus.CONNECTED: CLEAR,
        HealthStatus.DISCONNECTED: BREACH,
        HealthStatus.ERROR: BREACH,
        HealthStatus.UNKNOWN: NO_DATA,
    }
