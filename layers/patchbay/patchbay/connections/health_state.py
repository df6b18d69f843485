"""The health of a connection as a pure fold over what its tests observed.

    unknown ──1 success──▶ connected ──3 failures in a row, or 6 of the last 10──▶ failing
       └───────3 in a row, or 6 of 10──────────────────────────────────────────────▶ failing
    failing ──2 successes in a row──▶ connected

A failing connection is `disconnected` if its last failure was one of reaching the host, and `error`
otherwise. The thresholds are for monitored connections. Without a monitor, tests are few and each
was asked for, so the last one decides.

The newest observation wins: one that is not newer than the last changes nothing. Platform faults
are never passed to this fold, so they change nothing either.

With `AutoDisable`, a connection that keeps failing is disabled after one warning, unless it fails
because of the address that all connections of this deployment share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from patchbay.connections.health_status import EXPIRY_WARNINGS, FAILING, WINDOW, HealthStatus
from patchbay.platform.clock import from_text, to_text

FAILURES_IN_A_ROW: Final = 3
FAILURES_IN_WINDOW: Final = 6
SUCCESSES_IN_A_ROW: Final = 2

OF_OUR_ADDRESS: Final = frozenset(
    {"rate_limited", "blocked_by_intermediary", "address_not_allowed"}
)
"""Codes that may be about the address that we call from, and so about what others did from it. A
failure with one of them counts as any other, but not towards disabling."""

_LONGEST_NOTICE: Final = timedelta(days=1)


class AnnouncementType(StrEnum):
    """What is announced about a connection on the bus: the detail type of an event."""

    FAILING = "connection.failing"
    RECOVERED = "connection.recovered"
    DISABLING = "connection.disabling"
    DISABLED = "connection.disabled"
    EXPIRING = "connection.expiring"
    REAUTHORIZE = "connection.reauthorize"


@dataclass(frozen=True, slots=True)
class HealthObservation:
    """What one test saw. `at` is when it was requested; for a monitor's test, the scheduled minute.

    `status` is connected, or what the connection would be if this failure counted.
    """

    at: datetime
    status: HealthStatus
    latency_ms: int
    finished_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    certificate_expires_at: datetime | None = None

    @property
    def ended(self) -> datetime:
        return self.finished_at or self.at

    @property
    def passed(self) -> bool:
        return self.status is HealthStatus.CONNECTED


@dataclass(frozen=True, slots=True)
class AutoDisable:
    """When to disable: after so many failures in a row and so many days. 0 of either is never."""

    failures: int = 0
    days: int = 0

    @property
    def notice(self) -> timedelta:
        """How long before disabling the warning comes: a day, or half of `days` if that is less."""
        return min(_LONGEST_NOTICE, timedelta(days=self.days) / 2)


NO_AUTO_DISABLE: Final = AutoDisable()


@dataclass(frozen=True, slots=True)
class HealthState:
    """What the next observation is folded into.

    `since` is when the status began; failing in another way does not begin a new status.
    `failing_from` is the time of the test that began an outage.

    `outcomes` has the last ten outcomes as bits: 1 is a failure, the lowest bit is the newest.
    `seen` is their number. `warned_at` is when the disabling of this outage was announced.
    `disabled` is set by a disabling; a test after that means that the connection was enabled again.
    `expiry_told` is the last warning about a certificate: its end, and the days before.
    `of_our_address` is how many of the failures in a row had a code of `OF_OUR_ADDRESS`.

    `tests` is how many there were, `failed` how many of them failed, `failed_at` and `failed_code`
    are of the last that did. Nothing resets them.
    """

    status: HealthStatus = HealthStatus.UNKNOWN
    since: datetime | None = None
    at: datetime | None = None
    failures: int = 0
    successes: int = 0
    outcomes: int = 0
    seen: int = 0
    failing_from: datetime | None = None
    warned_at: datetime | None = None
    disabled: bool = False
    expiry_told: str | None = None
    of_our_address: int = 0
    tests: int = 0
    failed: int = 0
    failed_at: datetime | None = None
    failed_code: str | None = None

    @property
    def is_failing(self) -> bool:
        return self.status in FAILING

    def encode(self) -> dict[str, Any]:
        """As a stored attribute; defaults are left out."""
        return {
            name: to_text(value) if isinstance(value, datetime) else value
            for name in self.__slots__
            if (value := getattr(self, name)) != getattr(_FRESH, name)
        }

    @classmethod
    def decode(cls, stored: Mapping[str, Any]) -> Self:
        times = {name: from_text(stored[name]) for name in _TIMES if name in stored}
        status = HealthStatus(stored.get("status", HealthStatus.UNKNOWN))
        return cls(**{**stored, **times, "status": status})


_FRESH: Final = HealthState()
_TIMES: Final = ("since", "at", "failing_from", "warned_at", "failed_at")


@dataclass(frozen=True, slots=True)
class HealthUpdate:
    """A state after an observation, and what to announce about it."""

    state: HealthState
    announced: tuple[AnnouncementType, ...] = ()

    @property
    def disables(self) -> bool:
        return AnnouncementType.DISABLED in self.announced


def next_state(
    state: HealthState,
    seen: HealthObservation,
    *,
    monitored: bool,
    disable: AutoDisable = NO_AUTO_DISABLE,
) -> HealthUpdate | None:
    """The state after an observation; None if it is not newer than the last.

    Only monitored connections are announced: any other test was requested by a caller, who has its
    result.
    """
    if state.at is not None and seen.at <= state.at:
        return None
    if state.disabled:
        state = HealthState(
            expiry_told=state.expiry_told,
            tests=state.tests,
            failed=state.failed,
            failed_at=state.failed_at,
            failed_code=state.failed_code,
        )
    counted = _counted(state, seen)
    if not monitored:
        return HealthUpdate(_settled(counted, seen, seen.status))
    announced: list[AnnouncementType] = []
    if seen.passed:
        if not counted.is_failing:
            counted = _settled(counted, seen, HealthStatus.CONNECTED)
        elif counted.successes >= SUCCESSES_IN_A_ROW:
            counted = _settled(counted, seen, HealthStatus.CONNECTED)
            announced.append(AnnouncementType.RECOVERED)
    elif counted.is_failing or _fails(counted):
        if not counted.is_failing:
            announced.append(AnnouncementType.FAILING)
        counted, disabling = _disabling(_settled(counted, seen, seen.status), seen, disable)
        announced += disabling
    counted, expiring = _expiring(counted, seen)
    return HealthUpdate(counted, (*announced, *expiring))


def first_failure(state: HealthState) -> bool:
    """Whether a failure now would be the first after a success, which is worth another probe."""
    return not state.is_failing and state.failures == 0


def _counted(state: HealthState, seen: HealthObservation) -> HealthState:
    return replace(
        state,
        at=seen.at,
        failures=0 if seen.passed else state.failures + 1,
        successes=state.successes + 1 if seen.passed else 0,
        of_our_address=0 if seen.passed else state.of_our_address + (not _is_own(seen)),
        outcomes=(state.outcomes << 1 | (not seen.passed)) & (1 << WINDOW) - 1,
        seen=min(state.seen + 1, WINDOW),
        tests=state.tests + 1,
        failed=state.failed + (not seen.passed),
        failed_at=state.failed_at if seen.passed else seen.ended,
        failed_code=state.failed_code if seen.passed else seen.error_code,
    )


def _settled(state: HealthState, seen: HealthObservation, status: HealthStatus) -> HealthState:
    """With this status, which begins now unless it already has."""
    if status is state.status or (state.is_failing and status in FAILING):
        return replace(state, status=status)
    failing_from = seen.at if status in FAILING else None
    settled = replace(state, status=status, since=seen.ended, failing_from=failing_from)
    if state.is_failing:
        # With the old outage in the window, one more failure would end the recovery.
        return replace(settled, outcomes=0, seen=0, warned_at=None)
    return settled


def _fails(state: HealthState) -> bool:
    return state.failures >= FAILURES_IN_A_ROW or state.outcomes.bit_count() >= FAILURES_IN_WINDOW


def _is_own(seen: HealthObservation) -> bool:
    """Whether a failure can only be about the connection itself."""
    return seen.error_code not in OF_OUR_ADDRESS


def _disabling(
    state: HealthState, seen: HealthObservation, disable: AutoDisable
) -> tuple[HealthState, tuple[AnnouncementType, ...]]:
    own, at = state.failures - state.of_our_address, seen.at
    if not (disable.failures and disable.days) or own < disable.failures or not _is_own(seen):
        return state, ()
    failing_for = at - (state.failing_from or at)
    if state.warned_at is None:
        if failing_for >= timedelta(days=disable.days) - disable.notice:
            return replace(state, warned_at=at), (AnnouncementType.DISABLING,)
    elif failing_for >= timedelta(days=disable.days) and at >= state.warned_at + disable.notice:
        return replace(state, disabled=True), (AnnouncementType.DISABLED,)
    return state, ()


def _expiring(
    state: HealthState, seen: HealthObservation
) -> tuple[HealthState, tuple[AnnouncementType, ...]]:
    end = seen.certificate_expires_at
    if end is None:
        return state, ()
    left = end - seen.at
    reached = [warning for warning in EXPIRY_WARNINGS if left <= warning]
    if not reached:
        return state, ()
    warning = f"{to_text(end)} {min(reached).days}"
    if warning == state.expiry_told:
        return state, ()
    return replace(state, expiry_told=warning), (AnnouncementType.EXPIRING,)
