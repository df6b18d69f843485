"""Health that is not written because it follows from the newest entry of a run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from patchbay.connections.connection_model import UNTESTED, Connection
from patchbay.connections.health_state import (
    AnnouncementType,
    HealthObservation,
    HealthState,
    next_state,
)
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.steady_health import (
    StreakTest,
    changes_nothing,
    is_one_more_success,
    overlaid,
    pending,
    streak_of,
)
from tests.sample_connection import sample_connection

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SEEN = {
    ".": (HealthStatus.CONNECTED, None, None),
    "x": (HealthStatus.ERROR, "auth_invalid", "No."),
    "y": (HealthStatus.ERROR, "auth_invalid", "No!"),
    "l": (HealthStatus.ERROR, "rate_limited", "Later."),
    "d": (HealthStatus.DISCONNECTED, "dns_error", "Nowhere."),
}
tests = st.lists(
    st.tuples(st.sampled_from(".xyld!"), st.integers(1, 14)), min_size=1, max_size=8
).map(lambda runs: "".join(outcome * count for outcome, count in runs))


def observed(number: int, outcome: str) -> HealthObservation | None:
    """None for a platform fault."""
    if outcome == "!":
        return None
    status, code, message = SEEN[outcome]
    at = NOON + number * MINUTE
    return HealthObservation(at, status, number, at + timedelta(seconds=1), code, message)


def connection(state: HealthState, last: HealthObservation | None) -> Connection:
    health = UNTESTED.model_copy(update={"status": state.status})
    if last and state.is_failing:
        update = {"error_code": last.error_code, "error_message": last.error_message}
        health = health.model_copy(update=update)
    return sample_connection(health=health, state=state.encode())


@given(tests)
def test_what_is_laid_over_is_what_would_have_been_written(story: str) -> None:
    plain = stored = HealthState()
    written: HealthObservation | None = None
    newest: StreakTest | None = None
    writes = 0
    for number, outcome in enumerate(story):
        seen = observed(number, outcome)
        at = NOON + number * MINUTE
        if seen is None:
            newest = StreakTest(at, streak_of(overlaid(stored, newest)), None)
        else:
            step = next_state(plain, seen, monitored=True)
            assert step
            plain = step.state
            update = next_state(overlaid(stored, newest), seen, monitored=True)
            assert update
            if newest and newest.seen is None:
                # When the last failure before a fault was is known if it was written.
                plain = replace(plain, failed_at=update.state.failed_at)
            assert update == replace(step, state=plain)
            newest = StreakTest(at, streak_of(update.state), seen)
            if not changes_nothing(connection(stored, written), update, seen, RequiredAction.NONE):
                stored, written = update.state, seen
                writes += 1
        # A fault has the streak before it, and not when the test before it was.
        found, expected = overlaid(stored, newest), plain
        if newest and newest.seen is None:
            found, expected = (
                replace(one, at=None, failed_at=None, status=HealthStatus.UNKNOWN)
                for one in (found, expected)
            )
        assert found == expected
    changes = sum(one != other for one, other in pairwise(story))
    assert writes <= 11 * (changes + 1)


@given(tests, st.integers(0, 30), st.none() | st.integers(-2, 40))
def test_a_quick_look_finds_no_more_than_a_long_one(
    story: str, later: int, days: int | None
) -> None:
    stored = HealthState()
    for number, outcome in enumerate(story):
        seen = observed(number, outcome)
        step = seen and next_state(stored, seen, monitored=True)
        stored = step.state if step else stored
    number = len(story) + later
    entry = observed(number - 1, ".") if later else None
    newest = StreakTest(entry.at, stored.successes + later, entry) if entry else None
    before = overlaid(stored, newest)
    success = observed(number, ".")
    assert success
    end = None if days is None else success.at + timedelta(days=days)
    success = replace(success, certificate_expires_at=end)

    quick = is_one_more_success(stored, before, success.at, end)

    update = next_state(before, success, monitored=True)
    assert update
    found = changes_nothing(connection(stored, None), update, success, RequiredAction.NONE)
    assert found or not quick
    if days is None or days > 21:
        assert quick or not found


@given(tests, st.sampled_from(".xd"))
def test_a_test_that_is_not_written_yet_is_folded_first(story: str, last: str) -> None:
    state = HealthState()
    for number, outcome in enumerate(story):
        seen = observed(number, outcome)
        step = seen and next_state(state, seen, monitored=True)
        state = step.state if step else state
    seen = observed(len(story), last)
    assert seen
    step = next_state(state, seen, monitored=True)
    assert step
    lost = StreakTest(seen.at, streak_of(step.state), seen)
    assert overlaid(state, lost) == step.state
    if AnnouncementType.FAILING in step.announced or AnnouncementType.RECOVERED in step.announced:
        # What is announced is never skipped.
        assert pending(state, lost) == seen


def test_an_older_test_changes_nothing() -> None:
    seen = observed(3, ".")
    assert seen
    step = next_state(HealthState(), seen, monitored=True)
    assert step
    for number in (2, 3):
        old = StreakTest(NOON + number * MINUTE, 9, observed(number, "x"))
        assert overlaid(step.state, old) == step.state
        assert pending(step.state, old) is None
