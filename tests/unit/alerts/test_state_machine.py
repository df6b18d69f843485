"""The states of an alert over simulated time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.alerts.model import NoticeKind
from patchbay.alerts.state_machine import (
    QUIET,
    AlertPhase,
    AlertTransition,
    ConditionStatus,
    RuleTiming,
    SubjectState,
    close,
    decide,
)

START = datetime(2026, 2, 17, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NONE = timedelta(0)
AT_ONCE = RuleTiming(pending=NONE, keep_firing=NONE, reminder=None)

BREACH, CLEAR, NO_DATA = ConditionStatus.BREACH, ConditionStatus.CLEAR, ConditionStatus.NO_DATA
FIRING, REMINDER, RESOLVED = NoticeKind.FIRING, NoticeKind.REMINDER, NoticeKind.RESOLVED

timings = st.builds(
    RuleTiming,
    pending=st.integers(0, 10).map(lambda n: n * MINUTE),
    keep_firing=st.integers(0, 10).map(lambda n: n * MINUTE),
    reminder=st.none() | st.integers(5, 30).map(lambda n: n * MINUTE),
)
# Long runs of one status, so that the durations of a rule matter.
histories = st.lists(
    st.tuples(st.sampled_from(ConditionStatus), st.integers(1, 40)), max_size=25
).map(lambda runs: [status for status, length in runs for _ in range(length)])


def run(timing: RuleTiming, statuses: list[ConditionStatus]) -> list[AlertTransition]:
    """One step a minute."""
    state, steps = QUIET, []
    for minute, status in enumerate(statuses):
        step = decide(timing, state, status, START + minute * MINUTE)
        steps.append(step)
        state = step.state
    return steps


def notices(steps: list[AlertTransition]) -> list[NoticeKind]:
    return [step.notice for step in steps if step.notice]


def test_an_outage_and_its_end_are_each_notified_once() -> None:
    assert notices(run(AT_ONCE, [CLEAR, BREACH, BREACH, BREACH, CLEAR, CLEAR])) == [
        FIRING,
        RESOLVED,
    ]


def test_a_condition_that_does_not_hold_long_enough_sends_no_notification() -> None:
    timing = replace(AT_ONCE, pending=5 * MINUTE)
    steps = run(timing, [BREACH] * 5 + [CLEAR] + [BREACH] * 6)
    assert notices(steps) == [FIRING]
    assert steps[4].state.phase is AlertPhase.PENDING
    assert steps[5].state.phase is AlertPhase.OK
    assert steps[-1].notice is FIRING


def test_no_data_ends_a_pending_alert_but_not_a_firing_one() -> None:
    timing = replace(AT_ONCE, pending=5 * MINUTE)
    assert run(timing, [BREACH, NO_DATA])[-1].state.phase is AlertPhase.NO_DATA
    assert run(AT_ONCE, [BREACH] + [NO_DATA] * 500)[-1].state.phase is AlertPhase.FIRING


def test_an_alert_fires_until_the_condition_has_been_clear_long_enough() -> None:
    timing = replace(AT_ONCE, keep_firing=3 * MINUTE)
    # Given a target that recovers for two minutes at a time, and then for good
    flapping = [BREACH, CLEAR, CLEAR] * 20
    steps = run(timing, [*flapping, CLEAR, CLEAR])
    # Then it is one outage
    assert notices(steps) == [FIRING, RESOLVED]
    assert steps[-1].notice is RESOLVED


def test_no_data_within_a_recovery_restarts_it() -> None:
    timing = replace(AT_ONCE, keep_firing=2 * MINUTE)
    steps = run(timing, [BREACH, CLEAR, NO_DATA, CLEAR, CLEAR, CLEAR])
    assert [step.notice for step in steps] == [FIRING, None, None, None, None, RESOLVED]


def test_reminders_are_sent_at_their_interval_until_an_acknowledgment() -> None:
    timing = replace(AT_ONCE, reminder=10 * MINUTE)
    steps = run(timing, [BREACH] * 31)
    assert [minute for minute, step in enumerate(steps) if step.notice is REMINDER] == [10, 20, 30]
    assert steps[-1].state.reminders == 3
    # When it is acknowledged
    state = replace(steps[-1].state, acknowledged=True)
    for minute in range(31, 100):
        step = decide(timing, state, BREACH, START + minute * MINUTE)
        assert step == AlertTransition(state)
    # Then only its end is notified, and the next outage has reminders again
    recovered = decide(timing, state, CLEAR, START + 100 * MINUTE)
    assert recovered.notice is RESOLVED
    assert not recovered.state.acknowledged


def test_an_alert_that_is_closed_is_notified_only_if_it_fired() -> None:
    firing = run(AT_ONCE, [BREACH])[-1].state
    pending = run(replace(AT_ONCE, pending=MINUTE), [BREACH])[-1].state
    assert close(firing, START).notice is RESOLVED
    assert close(pending, START) == AlertTransition(SubjectState(AlertPhase.OK, START))
    assert close(QUIET, START) == AlertTransition(QUIET)


@given(timings, histories)
def test_firing_and_recovery_alternate_with_reminders_in_between(
    timing: RuleTiming, statuses: list[ConditionStatus]
) -> None:
    sent = notices(run(timing, statuses))
    without = [notice for notice in sent if notice is not REMINDER]
    assert without == ([FIRING, RESOLVED] * len(sent))[: len(without)]
    firing = False
    for notice in sent:
        assert firing is (notice is not FIRING)
        firing = notice is not RESOLVED


@given(timings, histories)
def test_reminders_keep_their_distance(timing: RuleTiming, statuses: list[ConditionStatus]) -> None:
    last = None
    for minute, step in enumerate(run(timing, statuses)):
        if step.notice is REMINDER:
            assert timing.reminder is not None
            assert last is not None
            assert (minute - last) * MINUTE >= timing.reminder
        last = minute if step.notice else last


@given(timings, histories)
def test_an_alert_fires_only_after_a_breach_of_its_time_without_a_break(
    timing: RuleTiming, statuses: list[ConditionStatus]
) -> None:
    held = timing.pending // MINUTE + 1
    for minute, step in enumerate(run(timing, statuses)):
        if step.notice is FIRING:
            assert statuses[minute - held + 1 : minute + 1] == [BREACH] * held


@given(timings, histories)
def test_an_alert_ends_only_after_being_clear_for_its_time_without_a_break(
    timing: RuleTiming, statuses: list[ConditionStatus]
) -> None:
    over = timing.keep_firing // MINUTE + 1
    for minute, step in enumerate(run(timing, statuses)):
        if step.notice is RESOLVED:
            assert statuses[minute - over + 1 : minute + 1] == [CLEAR] * over


@given(timings, histories)
def test_a_repeated_evaluation_of_the_same_minute_changes_nothing(
    timing: RuleTiming, statuses: list[ConditionStatus]
) -> None:
    state = QUIET
    for minute, status in enumerate(statuses):
        now = START + minute * MINUTE
        state = decide(timing, state, status, now).state
        again = decide(timing, state, status, now)
        assert again == AlertTransition(state)


@given(st.sampled_from(ConditionStatus), st.integers(2, 500))
def test_a_minute_without_news_writes_nothing(status: ConditionStatus, minutes: int) -> None:
    steps = run(AT_ONCE, [status] * minutes)
    assert set(steps[1:]) == {AlertTransition(steps[0].state)}


@pytest.mark.parametrize("reminder", [None, 60 * MINUTE])
def test_thirty_days_of_a_flapping_target_notify_each_outage_once(
    reminder: timedelta | None,
) -> None:
    timing = RuleTiming(pending=2 * MINUTE, keep_firing=5 * MINUTE, reminder=reminder)
    # Given 30 days with an outage every six hours. Most take 20 minutes, some 5.5 hours; they
    # flicker and have minutes without data
    statuses: list[ConditionStatus] = []
    outages = long_ones = 0
    for hour in range(0, 30 * 24, 6):
        long = hour % 48 == 0
        length = 330 if long else 20
        flicker = [BREACH, BREACH, BREACH, CLEAR, CLEAR, NO_DATA, BREACH]
        statuses += (flicker * length)[:length] + [BREACH] * 3
        statuses += [CLEAR] * (6 * 60 - length - 3)
        outages += 1
        long_ones += long
    assert len(statuses) == 30 * 24 * 60
    # Then each outage is notified once, and so is each recovery
    sent = Counter(notices(run(timing, statuses)))
    assert sent[FIRING] == sent[RESOLVED] == outages
    assert sent[REMINDER] == (long_ones * 5 if reminder else 0)
