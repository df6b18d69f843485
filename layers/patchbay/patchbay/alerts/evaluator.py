"""The evaluation of the rules that are due, each minute.

1. The index has the spaces that are due (`schedule`). A few are evaluated at once; more of them are
   split into batches, which go to a queue, so that as many functions work on them as there are.
2. The spaces of a batch are evaluated side by side. For each, an evaluation reads its rules, their
   states, and what the rules look at, decides, writes what has changed, and moves the space to the
   minute at which something may change next. A space that fails stops no other.
3. A batch that is handled twice, or late, changes nothing twice. What is not done in time is woken,
   so the next minute does it, as it does the looks of minutes that were missed. A space that takes
   longer than its own time is cut short: what is written need not be written again, so such a space
   is done after some minutes and holds up no other space.
4. An organization has a slice of the CPU of a batch. Its spaces for which that is not enough are
   left to a later minute: each minute has another order.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import batched
from typing import Final

from patchbay.alerts.conditions import AlertSubject
from patchbay.alerts.evaluation_queue import EvaluationBatch, SendsBatches
from patchbay.alerts.model import AlertResolution
from patchbay.alerts.rule_model import AlertRule, Channel
from patchbay.alerts.rule_store import RuleStore
from patchbay.alerts.schedule import LOOK_MINUTES
from patchbay.alerts.space_snapshot import SpaceSnapshot, Tenant
from patchbay.alerts.state_machine import (
    AlertPhase,
    AlertTransition,
    RuleTiming,
    TrackedSubject,
    close,
    decide,
)
from patchbay.alerts.store import AlertStore
from patchbay.alerts.watched_spaces import WatchedSpace, WatchedSpaces
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.connections.wheel import minute_number
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import PatchbayError, TemporarilyUnavailable
from patchbay.platform.logging import log_exception, logger
from patchbay.tenancy.model import Organization, Space
from patchbay.tenancy.store import TenancyStore
from patchbay.tenancy.wakes import Wake

_WORKERS: Final = 8
BATCH: Final = 250
"""Spaces of a message, and of an evaluation without one. They usually take a second or two."""

_AT_ONCE: Final = 32
"""Spaces between two looks at the clock."""

MAX_SLICE_SECONDS: Final = 5.0
"""CPU of one organization in a batch. A space usually takes some 5 ms."""

RESERVE_SECONDS: Final = 12.0
"""What the slowest spaces may still take: a call to a table that hangs ends within 9 s."""

SPACE_SECONDS: Final = 10.0
"""The time of one space, after which nothing more of it is evaluated in this minute. Others of its
batch wait for it."""

type InTime = Callable[[], bool]

type WakeNotifier = Callable[[Sequence[Key]], None]
"""Wakes the notifier for new deliveries. If that fails, it finds them in the outbox."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What one evaluation did."""

    spaces: int
    failed: int
    notifications: int
    finished: bool
    put_off: int = 0
    """Spaces of organizations that had used their slice."""
    sent: int = 0
    """Spaces that were sent to the queue."""

    def counts(self) -> dict[str, int]:
        return {
            "alert_spaces_evaluated": self.spaces,
            "alert_spaces_failed": self.failed,
            "alert_notifications": self.notifications,
            "alert_evaluations_unfinished": int(not self.finished),
            "alert_spaces_put_off": self.put_off,
            "alert_spaces_sent": self.sent,
        }


class Evaluator:
    """Evaluates the rules of all spaces. `api_url` is what the links of messages begin with."""

    def __init__(
        self,
        watched: WatchedSpaces,
        rules: RuleStore,
        alerts: AlertStore,
        connections: ConnectionSummaries,
        events: EventStore,
        tenants: TenancyStore,
        queue: SendsBatches,
        wake_notifier: WakeNotifier,
        wake: Wake,
        api_url: str,
    ) -> None:
        self._watched = watched
        self._rules = rules
        self._alerts = alerts
        self._connections = connections
        self._events = events
        self._tenants = tenants
        self._queue = queue
        self._wake_notifier = wake_notifier
        self._wake = wake
        self._api_url = api_url
        self._looked = 0
        """The number of the last minute whose looks are done, as far as this process knows."""

    def run(self, now: datetime, seconds_left: Callable[[], float]) -> EvaluationReport:
        """Evaluates what is due at `now`, the scheduled minute, or sends it to the queue.

        `seconds_left` returns how long the function may still run. If the queue fails, it evaluates
        as much as it can. Raises `TemporarilyUnavailable` if the index is not readable, and as
        `run_batch`. The looks of such a minute are made up for by the next one.
        """
        number = minute_number(now)
        due = _shuffled(self._watched.due(now, self._missed_since(number)), now)
        first, others = tuple(due[:BATCH]), list(batched(due[BATCH:], BATCH, strict=False))
        try:
            self._queue.send([EvaluationBatch(now, batch) for batch in others])
        except PatchbayError as error:
            logger.warning("evaluations not sent", error=error.code)
            first, others = tuple(due), []
        report = self.run_batch(EvaluationBatch(now, first), seconds_left)
        self._note_looked(number, found=bool(due))
        return replace(report, sent=sum(map(len, others)))

    def put_off(self, batch: EvaluationBatch) -> None:
        """Leaves a batch to the next minute. Raises `TemporarilyUnavailable`."""
        self._leave(batch.space_ids)

    def run_batch(
        self, batch: EvaluationBatch, seconds_left: Callable[[], float]
    ) -> EvaluationReport:
        """Evaluates the spaces of a batch. The next minute does those that failed or are left.

        Raises `TemporarilyUnavailable` if they cannot be woken for it.
        """
        slices = _Slices()
        done: list[str] = []
        failed: list[str] = []
        notifications = 0

        def in_time() -> bool:
            return seconds_left() >= RESERVE_SECONDS

        for spaces in batched(batch.space_ids, _AT_ONCE, strict=False):
            if not in_time():
                break
            results = self._side_by_side(spaces, batch.now, in_time, slices)
            for space_id, keys in zip(spaces, results, strict=True):
                done.append(space_id)
                if keys is None:
                    failed.append(space_id)
                notifications += len(keys or ())
        self._leave([*failed, *slices.put_off, *batch.space_ids[len(done) :]])
        return EvaluationReport(
            len(done),
            len(failed),
            notifications,
            finished=in_time() and len(done) == len(batch.space_ids),
            put_off=len(slices.put_off),
        )

    def evaluate_space(
        self,
        space_id: str,
        now: datetime,
        in_time: InTime = lambda: True,
        slices: "_Slices | None" = None,
    ) -> list[Key]:
        """Evaluates the rules of one space and returns the keys of the new deliveries.

        1. Finishes the deletion of marked rules.
        2. Evaluates each enabled rule. If that would change anything and the space or its
           organization is paused, it stays as it is: there, silence is intended.
        3. Ends the open alerts of each disabled rule.
        4. Wakes the notifier if there are new deliveries.
        5. Moves the space in the index, or takes it out if no rule is enabled or has an open alert.

        What cannot be written in time stays as it was. Nothing is done for an organization whose
        slice is used, nor for a space that is gone.
        """
        began = time.thread_time()
        watched = self._watched.read(space_id, now)
        if watched.organization_id is None:
            self._watched.stop(watched)
            return []
        with (slices or _Slices()).of(watched.organization_id, space_id, began) as has_time:
            try:
                return self._evaluate_space(watched, now, in_time) if has_time else []
            except _SpaceGone:
                return []

    def _missed_since(self, number: int) -> int:
        """The first minute whose looks are due at a minute, usually that one."""
        if self._looked < number - 1:
            self._looked = max(self._looked, self._watched.looked())
        return min(max(self._looked + 1, number - LOOK_MINUTES + 1), number)

    def _note_looked(self, number: int, *, found: bool) -> None:
        """Other processes need not know of looks that found nothing: theirs do not either."""
        if number <= self._looked:
            return
        self._looked = number
        try:
            if found:
                self._watched.note_looked(number)
        except PatchbayError as error:
            log_exception("looks not noted", error)

    def _leave(self, space_ids: Sequence[str]) -> None:
        """Leaves spaces to the next minute. What is due would be; a quiet one has its next look in
        an hour."""
        if not self._wake(space_ids):
            raise TemporarilyUnavailable

    def _evaluate_space(self, watched: WatchedSpace, now: datetime, in_time: InTime) -> list[Key]:
        tenant = Tenant(watched.id, partial(self._tenant, watched.id))
        rules = []
        for rule in watched.rules:
            if rule.deleting:
                self._rules.finish_deletion(tenant.space, rule, now)
            else:
                rules.append(rule)
        active = [rule for rule in rules if rule.enabled]
        snapshot = SpaceSnapshot(
            self._connections, self._events, tenant, active, now, self._api_url
        )
        outcome = _Outcome()
        for rule in rules:
            own = {
                key: one for (rule_id, key), one in watched.tracked.items() if rule_id == rule.id
            }
            if rule.enabled:
                self._evaluate(rule, own, snapshot, tenant, now, in_time, outcome)
            else:
                disabled = AlertResolution.RULE_DISABLED
                self._end_alerts(rule, own.values(), disabled, snapshot, now, in_time, outcome)
        if outcome.deliveries:
            self._wake_notifier(outcome.deliveries)
        if active or outcome.is_open:
            change = now if outcome.is_open else outcome.change
            self._watched.settle(watched, now, change, is_firing=outcome.is_firing)
        else:
            self._watched.stop(watched)
        return outcome.deliveries

    def _tenant(self, space_id: str) -> tuple[Space, Organization]:
        space = self._tenants.space_by_id(space_id)
        if space is None:
            raise _SpaceGone
        return space, self._tenants.organization(space.organization_id)

    def _evaluate(
        self,
        rule: AlertRule,
        tracked: Mapping[str, TrackedSubject],
        snapshot: SpaceSnapshot,
        tenant: Tenant,
        now: datetime,
        in_time: InTime,
        outcome: "_Outcome",
    ) -> None:
        """Moves each subject of a rule on, and ends the alerts of subjects that are gone."""
        timing = RuleTiming.of(rule)
        closed: list[AlertSubject] = []
        subjects = {subject.key(): subject for subject in snapshot.subjects(rule, tracked.values())}
        for key, subject in subjects.items():
            before = tracked.get(key, TrackedSubject(subject))
            state = before.state
            if state.since is not None and now < state.since:
                outcome.is_left(tracked.values())
                continue  # this minute comes late: the state is newer
            if not in_time():
                outcome.is_left(tracked.values())
                return
            firing = state.phase is AlertPhase.FIRING
            result = snapshot.evaluate(rule, subject, firing=firing)
            transition = decide(timing, state, result.status, now)
            new_channels = _channels_to_tell(rule, before, transition)
            changes = transition.state != state or transition.notice or new_channels
            if changes and tenant.paused:
                return
            if transition.state != state or transition.notice:
                words = snapshot.in_words(rule, subject, result.summary)
                outcome.deliveries += self._alerts.advance(rule, before, transition, words, now)
            elif new_channels:
                words = snapshot.in_words(rule, subject, result.summary)
                outcome.deliveries += self._alerts.tell(rule, before, new_channels, words, now)
            if transition.state.phase is AlertPhase.FIRING:
                outcome.is_firing = True
            if transition.state.is_open:
                outcome.is_open = True
            else:
                closed.append(subject)
        gone = [one for key, one in tracked.items() if key not in subjects and one.state.is_open]
        if gone and tenant.paused:
            return
        for one in gone:
            why = snapshot.why_gone(rule, one.subject)
            self._end_alerts(rule, [one], why, snapshot, now, in_time, outcome)
        outcome.may_change(snapshot.may_change_at(rule, closed))

    def _end_alerts(
        self,
        rule: AlertRule,
        tracked: Iterable[TrackedSubject],
        resolution: AlertResolution,
        snapshot: SpaceSnapshot,
        now: datetime,
        in_time: InTime,
        outcome: "_Outcome",
    ) -> None:
        for one in tracked:
            if not one.state.is_open:
                continue
            if not in_time():
                outcome.is_open = True
                return
            since = one.state.since
            changed = since is not None and rule.watching_since > since
            why = AlertResolution.RULE_CHANGED if changed and rule.enabled else resolution
            transition = close(one.state, now)
            words = snapshot.in_words(rule, one.subject, _SUMMARIES[why], ended=True)
            outcome.deliveries += self._alerts.advance(rule, one, transition, words, now, why)
            outcome.is_open = True  # until another minute has seen that it was written

    def _side_by_side(
        self, spaces: Sequence[str], now: datetime, in_time: InTime, slices: "_Slices"
    ) -> Iterator[list[Key] | None]:
        """The new deliveries of each space, None for a space that failed."""

        def guarded(space_id: str) -> list[Key] | None:
            until = time.monotonic() + SPACE_SECONDS

            def in_its_time() -> bool:
                return in_time() and time.monotonic() < until

            try:
                return self.evaluate_space(space_id, now, in_its_time, slices)
            except Exception as error:
                log_exception("evaluation failed", error, space_id=space_id)
                return None

        with ThreadPoolExecutor(_WORKERS) as pool:
            yield from pool.map(guarded, spaces)


class _SpaceGone(Exception):
    """The space, or its organization, is being erased."""


@dataclass(slots=True)
class _Outcome:
    """What an evaluation of a space came to. `is_open` is whether the next minute has to look at it
    again, `is_firing` whether an alert fires, so that this goes on for a while, and `change` the
    earliest moment at which it has to otherwise."""

    deliveries: list[Key] = field(default_factory=list)
    is_open: bool = False
    is_firing: bool = False
    change: datetime | None = None

    def is_left(self, tracked: Iterable[TrackedSubject]) -> None:
        """Not all of these were evaluated."""
        self.is_open = True
        self.is_firing |= any(one.state.phase is AlertPhase.FIRING for one in tracked)

    def may_change(self, moment: datetime | None) -> None:
        self.change = min(filter(None, (self.change, moment)), default=None)


def _shuffled(space_ids: Iterable[str], now: datetime) -> list[str]:
    """In another order each minute: what is left over is not always the same."""
    minute = now.isoformat()

    def place(space_id: str) -> bytes:
        return hashlib.blake2b(f"{minute}{space_id}".encode(), digest_size=8).digest()

    return sorted(space_ids, key=place)


def _channels_to_tell(
    rule: AlertRule, before: TrackedSubject, transition: AlertTransition
) -> list[Channel]:
    """The channels of a rule that have no message yet of an alert that goes on firing: they were
    added after it began."""
    state = transition.state
    if before.first is None or state.acknowledged or state.phase is not AlertPhase.FIRING:
        return []
    return [channel for channel in rule.channels if channel.id not in before.first]


class _Slices:
    """The CPU that each organization has used in an evaluation."""

    def __init__(self) -> None:
        self.put_off: list[str] = []
        self._used: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, organization_id: str, space_id: str, began: float) -> Iterator[bool]:
        """Measures the block, by the CPU of its thread since `began`. Yields whether there is time
        for it."""
        has_time = self._used[organization_id] < MAX_SLICE_SECONDS
        if not has_time:
            self.put_off.append(space_id)
        try:
            yield has_time
        finally:
            self._used[organization_id] += time.thread_time() - began


_SUMMARIES: Final = {
    AlertResolution.RULE_CHANGED: "The rule was changed and no longer watches this subject.",
    AlertResolution.RULE_DISABLED: "The rule was disabled.",
    AlertResolution.SUBJECT_GONE: "The subject of the alert is gone.",
    AlertResolution.SUBJECT_PAUSED: "The connection was paused: nothing tests it.",
    AlertResolution.SUBJECT_DISABLED: "The connection was disabled: nothing tests it.",
}
