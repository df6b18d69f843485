"""The health of a connection as a fold."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.connections.health_state import (
    NO_AUTO_DISABLE,
    OF_OUR_ADDRESS,
    AnnouncementType,
    AutoDisable,
    HealthObservation,
    HealthState,
    first_failure,
    next_state,
)
from patchbay.connections.health_status import HealthStatus
from patchbay.platform.clock import to_text

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


@pytest.mark.parametrize("code", sorted(OF_OUR_ADDRESS))
def test_what_others_did_from_our_address_disables_no_connection(code: str) -> None:
    # Given a provider that limits or blocks the address that we call from, which others use too
    rule = AutoDisable(failures=20, days=1)

    def story(codes: Sequence[str]) -> list[AnnouncementType]:
        state, announced = HealthState(), list[AnnouncementType]()
        for number, error_code in enumerate(codes):
            at = NOON + number * timedelta(hours=1)
            seen = HealthObservation(at, BAD, 5, error_code=error_code)
            step = next_state(state, seen, monitored=True, disable=rule)
            assert step is not None
            state = step.state
            announced += step.announced
        return announced

    # Then the connection fails, but is never disabled, not even by some other failures in between
    assert story([code] * 300) == [AnnouncementType.FAILING]
    assert story(([code] * 9 + ["auth_invalid"]) * 19) == [AnnouncementType.FAILING]
    # Enough failures of its own disable it
    mixed = story([code, "auth_invalid"] * 60)
    assert mixed[:3] == [
        AnnouncementType.FAILING,
        AnnouncementType.DISABLING,
        AnnouncementType.DISABLED,
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


def test_a_connection_that_is_enabled_again_is_not_warned_of_its_certificate_twice() -> None:
    # given a connection that was warned a week before the end, and then disabled
    end = NOON + timedelta(days=6)
    seen = HealthObservation(NOON, OK, 5, certificate_expires_at=end)
    told = next_state(HealthState(), seen, monitored=True)
    assert told is not None
    assert told.announced == (AnnouncementType.EXPIRING,)

    # when it is enabled again
    again = HealthObservation(NOON + MINUTE, OK, 5, certificate_expires_at=end)
    step = next_state(replace(told.state, disabled=True), again, monitored=True)

    # then it starts fresh, but the warning is not repeated
    assert step is not None
    assert step.announced == ()
    assert not step.state.disabled
    assert step.state.expiry_told == f"{to_text(end)} 7"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(days=21, milliseconds=1), None),
        (timedelta(days=21), 21),
        (timedelta(days=7, milliseconds=1), 21),
        (timedelta(days=7), 7),
        (timedelta(days=1, milliseconds=1), 7),
        (timedelta(days=1), 1),
        (-timedelta(days=3), 1),
    ],
)
@pytest.mark.parametrize("outcome", [OK, BAD])
def test_a_certificate_is_warned_of_from_21_7_and_1_days_before_its_end(
    left: timedelta, told: int | None, outcome: HealthStatus
) -> None:
    seen = HealthObservation(NOON, outcome, 5, certificate_expires_at=NOON + left)
    step = next_state(HealthState(), seen, monitored=True)
    assert step is not None
    assert step.state.expiry_told == (told and f"{to_text(NOON + left)} {told}")
    assert step.announced == ((AnnouncementType.EXPIRING,) if told else ())


def test_nothing_is_announced_of_the_certificate_of_a_connection_without_a_monitor() -> None:
    seen = HealthObservation(NOON, OK, 5, certificate_expires_at=NOON)
    step = next_state(HealthState(), seen, monitored=False)
    assert step is not None
    assert (step.announced, step.state.expiry_told) == ((), None)


def test_a_status_begins_when_the_test_that_found_it_has_ended() -> None:
    # given tests that were requested a minute apart and took 40 seconds
    def seen(number: int, outcome: HealthStatus) -> HealthObservation:
        at = NOON + number * MINUTE
        return HealthObservation(at, outcome, 5, finished_at=at + timedelta(seconds=40))

    # when
    first = next_state(HealthState(), seen(0, OK), monitored=False)
    assert first is not None
    second = next_state(first.state, seen(1, DOWN), monitored=False)
    assert second is not None
    third = next_state(second.state, seen(2, BAD), monitored=False)
    assert third is not None

    # then
    assert first.state.since == NOON + timedelta(seconds=40)
    assert (first.state.at, first.state.failing_from) == (NOON, None)
    assert second.state.since == NOON + timedelta(seconds=100)
    assert second.state.failing_from == NOON + MINUTE
    assert (third.state.status, third.state.since) == (BAD, second.state.since)
    assert third.state.failing_from == second.state.failing_from


def test_the_state_counts_what_it_has_seen() -> None:
    # given ten outcomes and two more: the window holds ten
    state, _ = run("xx.x......x.", monitored=True)
    assert (state.failures, state.successes, state.seen) == (0, 1, 10)
    assert state.outcomes == 0b0100000010
    assert run("xx")[0].outcomes == 0b11
    assert (run("..")[0].seen, run("..")[0].successes) == (2, 2)


@pytest.mark.parametrize(
    ("story", "fails"),
    [
        # Six of the last ten, but never three in a row; the eleventh is forgotten.
        ("xx.xx.xx", True),
        ("xx.x.xx.x", True),
        ("xx..xx.x.x", True),
        ("xx..xx.x..x", False),
        ("x.xx.x.x.", False),
    ],
)
def test_six_failures_of_the_last_ten_are_an_outage(story: str, fails: bool) -> None:
    assert run(story)[0].is_failing == fails


def test_an_observation_of_the_same_moment_or_before_changes_nothing() -> None:
    state, _ = run("..")
    for number in (0, 1):
        assert next_state(state, observe(number, "x"), monitored=True) is None
        assert next_state(state, observe(number, "x"), monitored=False) is None
    assert next_state(state, observe(2, "x"), monitored=True) is not None


def test_a_recovery_forgets_the_outage() -> None:
    state, _ = run(
        "." + "x" * 60 + "..", disable=AutoDisable(failures=10, days=3), every=timedelta(hours=1)
    )
    assert (state.status, state.since) == (OK, NOON + timedelta(hours=62))
    assert (state.outcomes, state.seen, state.failures, state.successes) == (0, 0, 0, 2)
    assert state.warned_at is state.failing_from is None


def test_a_success_within_an_outage_does_not_forget_it() -> None:
    state, _ = run(".xxx.")
    assert (state.failures, state.successes) == (0, 1)
    assert (state.failing_from, state.since) == (NOON + 3 * MINUTE, NOON + 3 * MINUTE)
    assert state.outcomes == 0b01110


@pytest.mark.parametrize(("days", "notice"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.0), (30, 1.0)])
def test_the_notice_of_a_disabling_is_a_day_or_half_of_the_days(days: int, notice: float) -> None:
    assert AutoDisable(5, days).notice == timedelta(days=notice)


def disabling(state: HealthState, at: datetime, rule: AutoDisable) -> list[str]:
    """What a failure at this time announces in an outage that began at noon."""
    seen = HealthObservation(at, BAD, 5)
    outage = replace(state, status=BAD, failing_from=NOON)
    step = next_state(outage, seen, monitored=True, disable=rule)
    assert step is not None
    assert step.disables == (AnnouncementType.DISABLED in step.announced)
    assert step.state.disabled == step.disables
    return [kind.value for kind in step.announced]


@pytest.mark.parametrize(
    ("failures", "after", "announced"),
    [
        (9, timedelta(days=2), ["connection.disabling"]),
        (8, timedelta(days=2), []),
        (99, timedelta(days=2) - MINUTE, []),
    ],
)
def test_a_disabling_is_announced_a_day_before_the_days_are_over(
    failures: int, after: timedelta, announced: list[str]
) -> None:
    state = HealthState(failures=failures)
    assert disabling(state, NOON + after, AutoDisable(failures=10, days=3)) == announced


@pytest.mark.parametrize(
    ("warned", "after", "announced"),
    [
        (timedelta(days=2), timedelta(days=3), ["connection.disabled"]),
        (timedelta(days=2), timedelta(days=3) - MINUTE, []),
        (timedelta(days=1), timedelta(days=3) - MINUTE, []),
        (timedelta(days=5), timedelta(days=6), ["connection.disabled"]),
        (timedelta(days=5), timedelta(days=6) - MINUTE, []),
    ],
)
def test_a_connection_is_disabled_when_the_days_and_the_notice_are_over(
    warned: timedelta, after: timedelta, announced: list[str]
) -> None:
    state = HealthState(failures=99, warned_at=NOON + warned)
    assert disabling(state, NOON + after, AutoDisable(failures=10, days=3)) == announced


def test_a_state_is_stored_without_its_defaults_and_with_times_as_text() -> None:
    state = HealthState(
        status=DOWN,
        since=NOON,
        at=NOON + MINUTE,
        failures=3,
        successes=1,
        outcomes=5,
        seen=4,
        failing_from=NOON + 2 * MINUTE,
        warned_at=NOON + 3 * MINUTE,
        disabled=True,
        expiry_told="then",
    )
    stored = {
        "status": "disconnected",
        "since": "2026-02-17T12:00:00Z",
        "at": "2026-02-17T12:01:00Z",
        "failures": 3,
        "successes": 1,
        "outcomes": 5,
        "seen": 4,
        "failing_from": "2026-02-17T12:02:00Z",
        "warned_at": "2026-02-17T12:03:00Z",
        "disabled": True,
        "expiry_told": "then",
    }
    assert state.encode() == stored
    assert HealthState.decode(stored) == state
    assert HealthState().encode() == {}
    assert HealthState.decode({}) == HealthState()


def test_a_success_forgets_the_failures_of_our_address() -> None:
    # given two failures that may be about our address, the second one after a success
    state, code = HealthState(), min(OF_OUR_ADDRESS)
    counts = []
    for number, outcome in enumerate("x.xx"):
        seen = replace(observe(number, outcome), error_code=None if outcome == "." else code)
        step = next_state(state, seen, monitored=True)
        assert step is not None
        state = step.state
        counts.append(state.of_our_address)
    assert counts == [1, 0, 1, 2]


def test_announcements_are_named_as_on_the_bus() -> None:
    assert {kind.name: kind.value for kind in AnnouncementType} == {
        "FAILING": "connection.failing",
        "RECOVERED": "connection.recovered",
        "DISABLING": "connection.disabling",
        "DISABLED": "connection.disabled",
        "EXPIRING": "connection.expiring",
        "REAUTHORIZE": "connection.reauthorize",
    }


def test_all_tests_are_counted_and_the_last_failure_is_kept() -> None:
    failed = HealthObservation(
        NOON, BAD, latency_ms=5, finished_at=NOON + MINUTE / 2, error_code="auth_invalid"
    )
    first = next_state(HealthState(), failed, monitored=True)
    assert first is not None
    state, _ = run("..d.", replace(first.state, at=NOON - MINUTE))
    assert (state.tests, state.failed) == (5, 2)
    assert (state.failed_at, state.failed_code) == (NOON + 2 * MINUTE, None)
    assert (first.state.failed_at, first.state.failed_code) == (NOON + MINUTE / 2, "auth_invalid")
    assert HealthState.decode(first.state.encode()) == first.state


def test_a_disabling_does_not_reset_what_was_counted() -> None:
    before = HealthState(
        tests=7, failed=6, failed_at=NOON - MINUTE, failed_code="auth_invalid", disabled=True
    )
    state, _ = run(".", before)
    assert (state.tests, state.failed) == (8, 6)
    assert (state.failed_at, state.failed_code) == (NOON - MINUTE, "auth_invalid")
