"""The backtest makes the same decisions on the hours of the past."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from patchbay.alerts.backtest import MAX_FIRINGS, backtest
from patchbay.alerts.condition_results import WindowCounts, evaluate_success_rate
from patchbay.alerts.conditions import AlertSubject, SubjectKind, SuccessRate
from patchbay.alerts.hourly_history import HourlyHistory, SubjectHour
from patchbay.alerts.model import NoticeKind
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.state_machine import QUIET, RuleTiming, decide

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPACE = AlertSubject(kind=SubjectKind.SPACE, id="s")
OTHER = AlertSubject(kind=SubjectKind.INTEGRATION_TYPE, id="webhook")


def history_of(past: dict[AlertSubject, list[SubjectHour]]) -> HourlyHistory:
    length = max(map(len, past.values()))
    return HourlyHistory(START, length, {s: dict(enumerate(hours)) for s, hours in past.items()})


def rate_rule(long_hours: int = 1, **changes: Any) -> NewAlertRule:
    condition = SuccessRate(
        kind="success_rate",
        threshold=90,
        short_window_seconds=3600,
        long_window_seconds=3600 * long_hours,
        minimum_events=1,
    )
    return NewAlertRule(name="r", condition=condition, **changes)


hours = st.lists(
    st.builds(SubjectHour, success=st.integers(0, 20), errors=st.integers(0, 3)),
    min_size=25,
    max_size=60,
)


@given(hours, st.integers(1, 24), st.integers(0, 3), st.integers(0, 3))
def test_it_equals_a_plain_recount_of_each_window(
    past: list[SubjectHour], long_hours: int, pending: int, keep: int
) -> None:
    rule = rate_rule(long_hours, for_seconds=3600 * pending, keep_firing_for_seconds=3600 * keep)
    result = backtest(rule, history_of({SPACE: past}))
    # Given the same rule on sums that are computed again for each hour
    state, fired, ended = QUIET, [], []
    for end in range(long_hours + 1, len(past) + 1):
        now = START + end * HOUR
        windows = [past[max(0, end - size) : end] for size in (1, long_hours)]
        short, long = [
            WindowCounts(sum(h.success for h in window), sum(h.errors for h in window))
            for window in windows
        ]
        assert isinstance(rule.condition, SuccessRate)
        seen = evaluate_success_rate(rule.condition, short, long, firing=state.phase == "firing")
        step = decide(RuleTiming.of(rule), state, seen.status, now)
        fired += [now] if step.notice is NoticeKind.FIRING else []
        ended += [now] if step.notice is NoticeKind.RESOLVED else []
        state = step.state
    assert [firing.fired_at for firing in result.firings] == fired
    assert [f.resolved_at for f in result.firings if f.resolved_at] == ended


def test_of_a_target_that_flaps_each_hour_for_thirty_days_some_firings_are_listed() -> None:
    good, bad = SubjectHour(success=10), SubjectHour(errors=10)
    past = history_of({s: [good, bad] * 24 * 16 for s in (SPACE, OTHER)})
    result = backtest(rate_rule(), past)
    assert len(result.firings) == MAX_FIRINGS
    assert result.firings == sorted(result.firings, key=lambda f: f.fired_at)
    assert any("would have fired" in note for note in result.notes)
    assert result.until - result.since == (2 * 24 * 16 - 1) * HOUR


def test_an_alert_that_goes_on_has_no_end_but_reminders() -> None:
    past = history_of({SPACE: [SubjectHour(success=1)] * 5 + [SubjectHour(errors=1)] * 10})
    [firing] = backtest(rate_rule(reminder_seconds=7200), past).firings
    assert firing.resolved_at is None
    assert firing.reminders == 4
