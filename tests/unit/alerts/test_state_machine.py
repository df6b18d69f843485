"""The states of an alert over simulated time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.alerts.conditions import AlertSubject, SubjectKind
from patchbay.alerts.model import NoticeKind
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.state_machine import (
    QUIET,
    AlertPhase,
    AlertTransition,
    ConditionStatus,
    RuleTiming,
    SubjectState,
    TrackedSubject,
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


TIMING = RuleTiming(pending=5 * MINUTE, keep_firing=10 * MINUTE, reminder=60 * MINUTE)


def at(minute: int) -> datetime:
    return START + minute * MINUTE


def pending(since: int) -> SubjectState:
    return SubjectState(AlertPhase.PENDING, at(since))


def firing(**changes: Any) -> SubjectState:
    """A state that fired, and was notified, at the start."""
    return replace(SubjectState(AlertPhase.FIRING, START, notified_at=START), **changes)


OK_NOW, NO_DATA_NOW = (SubjectState(phase, at(30)) for phase in (AlertPhase.OK, AlertPhase.NO_DATA))
FIRED_NOW = SubjectState(AlertPhase.FIRING, at(30), notified_at=at(30))


@pytest.mark.parametrize(
    ("before", "status", "after", "notice"),
    [
        # A subject without an alert.
        (QUIET, CLEAR, QUIET, None),
        (QUIET, NO_DATA, NO_DATA_NOW, None),
        (QUIET, BREACH, pending(30), None),
        (SubjectState(AlertPhase.OK, START), CLEAR, SubjectState(AlertPhase.OK, START), None),
        (SubjectState(AlertPhase.NO_DATA, START), CLEAR, OK_NOW, None),
        (SubjectState(AlertPhase.NO_DATA, START), BREACH, pending(30), None),
        (
            SubjectState(AlertPhase.NO_DATA, START),
            NO_DATA,
            SubjectState(AlertPhase.NO_DATA, START),
            None,
        ),
        # A pending alert fires when the condition has held for its time, to the minute.
        (pending(26), BREACH, pending(26), None),
        (pending(25), BREACH, FIRED_NOW, FIRING),
        (pending(5), BREACH, FIRED_NOW, FIRING),
        (SubjectState(AlertPhase.PENDING), BREACH, SubjectState(AlertPhase.PENDING), None),
        (pending(5), CLEAR, OK_NOW, None),
        (pending(5), NO_DATA, NO_DATA_NOW, None),
        # A firing alert is resolved when it has been clear for its time, to the minute.
        (firing(), CLEAR, firing(clear_since=at(30)), None),
        (firing(clear_since=at(21)), CLEAR, firing(clear_since=at(21)), None),
        (firing(clear_since=at(20)), CLEAR, OK_NOW, RESOLVED),
        (firing(clear_since=at(5)), CLEAR, OK_NOW, RESOLVED),
        (firing(clear_since=at(5)), BREACH, firing(), None),
        (firing(clear_since=at(5)), NO_DATA, firing(), None),
        # It sends a reminder an hour after the last notification, to the minute.
        (firing(notified_at=at(-29)), BREACH, firing(notified_at=at(-29)), None),
        (firing(notified_at=at(-30)), BREACH, firing(notified_at=at(30), reminders=1), REMINDER),
        (
            firing(notified_at=at(-90), reminders=4, clear_since=at(29)),
            NO_DATA,
            firing(notified_at=at(30), reminders=5),
            REMINDER,
        ),
        (
            firing(notified_at=at(-90), acknowledged=True),
            BREACH,
            firing(notified_at=at(-90), acknowledged=True),
            None,
        ),
        (firing(notified_at=None), BREACH, firing(notified_at=None), None),
    ],
)
def test_a_state_and_a_status_give_the_next_state(
    before: SubjectState, status: ConditionStatus, after: SubjectState, notice: NoticeKind | None
) -> None:
    assert decide(TIMING, before, status, at(30)) == AlertTransition(after, notice)


def test_without_a_pending_time_a_breach_fires_at_once() -> None:
    for before in (QUIET, SubjectState(AlertPhase.NO_DATA, START), pending(30)):
        assert decide(AT_ONCE, before, BREACH, at(30)) == AlertTransition(FIRED_NOW, FIRING)
    assert decide(AT_ONCE, firing(), CLEAR, at(30)) == AlertTransition(OK_NOW, RESOLVED)
    assert decide(AT_ONCE, firing(), BREACH, at(9999)) == AlertTransition(firing())


@pytest.mark.parametrize(
    ("phase", "is_open"),
    [
        (AlertPhase.OK, False),
        (AlertPhase.NO_DATA, False),
        (AlertPhase.PENDING, True),
        (AlertPhase.FIRING, True),
    ],
)
def test_an_alert_is_open_while_it_is_pending_or_firing(phase: AlertPhase, is_open: bool) -> None:
    assert SubjectState(phase).is_open == is_open


@pytest.mark.parametrize(
    ("seconds", "reminder"), [(0, None), (300, 5 * MINUTE), (3600, 60 * MINUTE)]
)
def test_the_times_of_a_rule_are_its_own_and_no_reminder_is_none(
    seconds: int, reminder: timedelta | None
) -> None:
    rule = NewAlertRule.model_validate(
        NewAlertRule.EXAMPLE
        | {"for_seconds": 60, "keep_firing_for_seconds": 120, "reminder_seconds": seconds}
    )
    assert RuleTiming.of(rule) == RuleTiming(MINUTE, 2 * MINUTE, reminder)


def test_a_subject_that_was_never_met_is_quiet() -> None:
    assert SubjectState(AlertPhase.OK, None, None, None, 0, False) == QUIET
    assert TrackedSubject(AlertSubject(kind=SubjectKind.SPACE, id="spc")) == TrackedSubject(
        AlertSubject(kind=SubjectKind.SPACE, id="spc"), QUIET, 0, "", {}
    )


def test_statuses_and_phases_are_spelled_as_they_are_stored() -> None:
    assert [status.value for status in ConditionStatus] == ["breach", "clear", "no_data"]
    assert [phase.value for phase in AlertPhase] == ["ok", "no_data", "pending", "firing"]


def test_an_alert_that_is_closed_is_notified_only_if_it_fired() -> None:
    ended = SubjectState(AlertPhase.OK, at(30))
    assert close(firing(), at(30)) == AlertTransition(ended, RESOLVED)
    assert close(pending(25), at(30)) == AlertTransition(ended)
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
