"""Health that is not written because it follows. Pure.

A state is **steady** when its window is full of one outcome. Another test with this outcome changes
nothing of it but counts and times, and those follow from the newest entry of a run, which has the
**streak**: how many tests in a row had this outcome. So it is not written. What stands is what was
stored, with the newest entry laid over it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from patchbay.checks.codes import Code, describe
from patchbay.connections.connection_model import Connection, Health
from patchbay.connections.health_state import (
    OF_OUR_ADDRESS,
    HealthObservation,
    HealthState,
    HealthUpdate,
    next_state,
)
from patchbay.connections.health_status import EXPIRY_WARNINGS, WINDOW, HealthStatus, RequiredAction

_ALL_FAILED = (1 << WINDOW) - 1


@dataclass(frozen=True, slots=True)
class StreakTest:
    """A test of a run: its scheduled minute, its streak, and what it saw, None for a platform
    fault, which carries the streak before it."""

    at: datetime
    streak: int
    seen: HealthObservation | None
    code: Code | None = None


def seen_in_run(
    at: datetime, *, ended: datetime, streak: int, latency_ms: int, code: Code | None
) -> StreakTest:
    """A test that was not a platform fault; without a code, it passed."""
    seen = HealthObservation(
        at=at,
        status=_status(code),
        latency_ms=latency_ms,
        finished_at=ended,
        error_code=code,
    )
    return StreakTest(at, streak, seen, code)


def is_full(state: HealthState) -> bool:
    """Whether the window of a state is full of one outcome, which its status goes with."""
    if state.seen < WINDOW or state.disabled:
        return False
    if state.is_failing:
        return state.outcomes == _ALL_FAILED
    return state.status is HealthStatus.CONNECTED and state.outcomes == 0


def streak_of(state: HealthState) -> int:
    """How many of the newest tests in a row had the same outcome."""
    return state.failures or state.successes


def pending(state: HealthState, newest: StreakTest | None) -> HealthObservation | None:
    """What the newest test of a run saw, if the state after it has to be written and is not yet."""
    if newest is None or newest.seen is None or _is_known(state, newest):
        return None
    seen = newest.seen
    same = seen.passed != state.is_failing and seen.error_code == _code(state)
    # One that has no longer streak was read before a test that the state has, or follows one that
    # is not written.
    follows = is_full(state) and same and newest.streak > streak_of(state)
    return None if follows else seen


def overlaid(state: HealthState, newest: StreakTest | None) -> HealthState:
    """The state after the newest test of a run."""
    if newest is None or _is_known(state, newest):
        return state
    if seen := pending(state, newest):
        update = next_state(state, seen, monitored=True)
        return update.state if update else state
    more = newest.streak - streak_of(state)
    if not is_full(state) or more <= 0:
        return state
    seen = newest.seen
    at = newest.at if seen else state.at
    if not state.is_failing:
        return replace(state, at=at, successes=newest.streak, tests=state.tests + more)
    ours = state.failed_code in OF_OUR_ADDRESS
    return replace(
        state,
        at=at,
        status=seen.status if seen else state.status,
        failures=newest.streak,
        of_our_address=state.of_our_address + more if ours else state.of_our_address,
        tests=state.tests + more,
        failed=state.failed + more,
        failed_at=seen.ended if seen else state.failed_at,
    )


def unwritten(state: HealthState, newest: StreakTest | None) -> HealthObservation | None:
    """What the newest test of a run saw, if the stored state does not have it."""
    return None if newest is None or _is_known(state, newest) else newest.seen


def is_one_more_success(
    stored: HealthState, before: HealthState, at: datetime, certificate_expires_at: datetime | None
) -> bool:
    """A quick look at a test that passed: whether it changes nothing, as `next_state` and
    `changes_nothing` would find for a connection without a stated status. If not, ask them.

    `stored` is the state as it was written, `before` what it is with the tests since.
    """
    return (
        is_full(stored)
        and not stored.is_failing
        and (before is stored or (is_full(before) and not before.is_failing))
        and before.at is not None
        and before.at < at
        and before.since == stored.since
        and before.warned_at == stored.warned_at
        and before.expiry_told == stored.expiry_told
        and (certificate_expires_at is None or certificate_expires_at - at > max(EXPIRY_WARNINGS))
    )


def changes_nothing(
    connection: Connection, update: HealthUpdate, seen: HealthObservation, action: RequiredAction
) -> bool:
    """Whether a test of a run leaves the stored health as it is: all that it changes of what is
    shown follows from its entry."""
    state = HealthState.decode(connection.state)
    if update.announced or not is_full(state) or connection.stated_status:
        return False
    after = update.state
    unchanged = (
        after.status is state.status
        and after.since == state.since
        and after.warned_at == state.warned_at
        and after.expiry_told == state.expiry_told
        and seen.passed != state.is_failing
    )
    if not unchanged or seen.passed:
        return unchanged
    health = connection.health
    return (
        health.error_code == seen.error_code == state.failed_code
        and health.error_message == seen.error_message
        and connection.required_action is action
    )


def shown(health: Health, state: HealthState, newest: StreakTest) -> Health:
    """The health of a connection whose state is `overlaid` by its newest test."""
    seen = newest.seen
    if seen is None or state.at != newest.at:
        return health
    return health.model_copy(
        update={
            "status": state.status,
            "since": state.since,
            "checked_at": seen.ended,
            "latency_ms": seen.latency_ms,
            "consecutive_failures": state.failures,
            "consecutive_successes": state.successes,
        }
    )


def _status(code: Code | None) -> HealthStatus:
    if code is None:
        return HealthStatus.CONNECTED
    return HealthStatus.DISCONNECTED if describe(code).category == "network" else HealthStatus.ERROR


def _is_known(state: HealthState, newest: StreakTest) -> bool:
    return state.at is not None and newest.at <= state.at


def _code(state: HealthState) -> str | None:
    """The code of the newest tests in a row."""
    return state.failed_code if state.failures else None
