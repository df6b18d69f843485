"""The health of a connection as a fold."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.connections.health_state import (
    NO_AUTO_DISABLE,
    AnnouncementType,
    AutoDisable,
    HealthObservation,
    HealthState,
    first_failure,
    next_state,
)
from patchbay.connections.health_status import HealthStatus

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OK, DOWN, BAD = HealthStatus.CONNECTED, HealthStatus.DISCONNECTED, HealthStatus.ERROR
WORDS = {".": OK, "x": BAD, "d": DOWN}

outcomes = st.text(alphabet=".xd", max_size=60)


def observe(number: int, outcome: str) -> HealthObservation:
    return HealthObservation(NOON + number * MINUTE, WORDS[outcome], latency_ms=5)


def run(
    story: Iterable[str],
    state: HealthState | None = None,
    *,
    monitored: bool = True,
    disable: AutoDisable = NO_AUTO_DISABLE,
    every: timedelta = MINUTE,
) -> tuple[HealthState, list[tuple[int, AnnouncementType]]]:
    """One observation per character; the state, and what was announced at which."""
    state = state or HealthState()
    announced = []
    for number, outcome in enumerate(story):
        seen = HealthObservation(NOON + number * every, WORDS[outcome], latency_ms=5)
        step = next_state(state, seen, monitored=monitored, disable=disable)
        assert step is not None
        state = step.state
        announced += [(number, kind) for kind in step.announced]
    return state, announced


@pytest.mark.parametrize(
    ("story", "status", "announced"),
    [
        ("", "unknown", []),
        (".", "connected", []),
        ("x", "unknown", []),
        ("xx", "unknown", []),
        ("xxx", "error", [(2, "connection.failing")]),
        (".xx", "connected", []),
        (".xxx", "error", [(3, "connection.failing")]),
        (".xxd", "disconnected", [(3, "connection.failing")]),
        (".xxdx", "error", [(3, "connection.failing")]),
        (".xxx.", "error", [(3, "connection.failing")]),
        (".xxx..", "connected", [(3, "connection.failing"), (5, "connection.recovered")]),
        (".xxx.x.x", "error", [(3, "connection.failing")]),
        # Never three in a row, but six of the last ten.
        (".xx.xx.xx", "error", [(8, "connection.failing")]),
        # After the recovery, the window starts again.
        (".xxxxxx..x", "connected", [(3, "connection.failing"), (8, "connection.recovered")]),
    ],
)
def test_the_thresholds_of_a_monitored_connection(
    story: str, status: str, announced: list[tuple[int, str]]
) -> None:
    state, transitions = run(story)
    assert (state.status, transitions) == (status, announced)


@given(story=outcomes.filter(bool))
def test_without_a_monitor_the_last_test_decides_and_nothing_is_announced(story: str) -> None:
    state, transitions = run(story, monitored=False)
    assert state.status is WORDS[story[-1]]
    assert transitions == []


@given(story=outcomes)
def test_failing_and_recovered_alternate(story: str) -> None:
    _, announced = run(story)
    kinds = [kind for _, kind in announced]
    assert kinds[::2] == [AnnouncementType.FAILING] * len(kinds[::2])
    assert kinds[1::2] == [AnnouncementType.RECOVERED] * len(kinds[1::2])


@given(story=outcomes)
def test_the_state_is_that_of_the_rule_in_words(story: str) -> None:
    """The same rule, written in a simpler way over the whole history."""
    status, window = "unknown", ""
    for number, outcome in enumerate(story):
        window = (window + outcome)[-10:]
        if status == "failing":
            if story[max(0, number - 1) : number + 1] == "..":
                status, window = "connected", ""
        elif outcome == ".":
            status = "connected"
        elif ("." not in story[max(0, number - 2) : number + 1] and number >= 2) or len(
            window.replace(".", "")
        ) >= 6:
            status, window = "failing", ""
    state, _ = run(story)
    announced = {HealthStatus.CONNECTED: "connected", HealthStatus.UNKNOWN: "unknown"}
    assert announced.get(state.status, "failing") == status


@given(story=outcomes, again=st.data())
def test_a_repeated_or_late_observation_changes_nothing(story: str, again: st.DataObject) -> None:
    state, _ = run(story)
    if story:
        number = again.draw(st.integers(0, len(story) - 1))
        outcome = again.draw(st.sampled_from(".xd"))
        assert next_state(state, observe(number, outcome), monitored=True) is None


@given(story=outcomes)
def test_a_state_is_read_as_it_was_written(story: str) -> None:
    state, _ = run(story, disable=AutoDisable(failures=3, days=1), every=timedelta(hours=3))
    assert HealthState.decode(state.encode()) == state


def test_since_is_when_the_status_began_and_stays_in_an_outage() -> None:
    state, _ = run("...xxdxd")
    assert state.since == NOON + 5 * MINUTE
    assert state.failures == 5
    assert run("....")[0].since == NOON


def test_only_the_first_failure_is_worth_another_probe() -> None:
    assert first_failure(HealthState())
    assert first_failure(run("..")[0])
    assert not first_failure(run("..x")[0])
    assert not first_failure(run("..xxx.")[0])


def disabled(story: str, **rule: int) -> list[tuple[int, AnnouncementType]]:
    """What is announced in a story of one test per hour."""
    return run(story, disable=AutoDisable(**rule), every=timedelta(hours=1))[1]


def test_a_connection_is_disabled_after_failures_and_days_with_one_warning_a_day_before() -> None:
    announced = disabled("." + "x" * 200, failures=20, days=3)
    # It fails from the third failure on, at hour 3: the warning is due two days later, and the
    # disabling three days later.
    assert announced == [
        (3, AnnouncementType.FAILING),
        (3 + 48, AnnouncementType.DISABLING),
        (3 + 72, AnnouncementType.DISABLED),
        *announced[3:],
    ]


def test_it_is_never_disabled_without_both_or_by_default() -> None:
    story = "." + "x" * 500
    for rule in ({}, {"failures": 5}, {"days": 1}, {"failures": 1000, "days": 1}):
        assert disabled(story, **rule) == [(3, AnnouncementType.FAILING)]


def test_the_warning_comes_a_day_ahead_even_if_the_failures_come_last() -> None:
    announced = disabled("." + "x" * 149, failures=100, days=2)
    assert announced == [
        (3, AnnouncementType.FAILING),
        (100, AnnouncementType.DISABLING),
        (124, AnnouncementType.DISABLED),
        *announced[3:],
    ]


def test_after_a_recovery_the_next_outage_has_its_own_warning() -> None:
    announced = disabled("." + "x" * 60 + ".." + "x" * 60, failures=10, days=3)
    assert [kind for _, kind in announced] == [
        AnnouncementType.FAILING,
        AnnouncementType.DISABLING,
        AnnouncementType.RECOVERED,
        AnnouncementType.FAILING,
        AnnouncementType.DISABLING,
    ]


def test_a_connection_that_is_enabled_again_starts_fresh() -> None:
    rule = AutoDisable(failures=3, days=1)
    hours = timedelta(hours=1)
    state = HealthState()
    for number in range(60):
        step = next_state(
            state, HealthObservation(NOON + number * hours, BAD, 5), monitored=True, disable=rule
        )
        assert step is not None
        state = step.state
        if AnnouncementType.DISABLED in step.announced:
            break
    assert state.disabled
    step = next_state(
        state, HealthObservation(NOON + 100 * hours, BAD, 5), monitored=True, disable=rule
    )
    assert step is not None
    assert (step.state.failures, step.state.disabled, step.announced) == (1, False, ())
    assert step.state.status is HealthStatus.UNKNOWN


def test_the_end_of_a_certificate_is_announced_three_times_and_of_a_new_one_again() -> None:
    def expiring(
        days: list[float], end: datetime, state: HealthState
    ) -> tuple[HealthState, list[float]]:
        announced = []
        for left in days:
            seen = HealthObservation(end - timedelta(days=left), OK, 5, certificate_expires_at=end)
            step = next_state(state, seen, monitored=True)
            assert step is not None
            state = step.state
            announced += [left for one in step.announced if one is AnnouncementType.EXPIRING]
        return state, announced

    state, announced = expiring([90, 21.5, 21, 20, 7.1, 7, 6, 1, 0.5], NOON, HealthState())
    assert announced == [21, 7, 1]
    state, announced = expiring([80, 5, 4], NOON + timedelta(days=90), state)
    assert announced == [5]
