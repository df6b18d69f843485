"""The evaluation of all rules, each minute.

1. The sparse index lists the spaces that have rules to evaluate. Without rules, an evaluation costs
   one query a lane.
2. Spaces are evaluated side by side. For each, an evaluation reads its rules, their states, and
   what the rules look at, decides, and writes what has changed. A space that fails stops no other.
3. When the time runs out, the next evaluation goes on where this one stopped. A space that takes
   longer than its own time is cut short: what is written need not be written again, so such a space
   is done after some minutes and holds up no other space.
4. An organization has a slice of the CPU of an evaluation. Its spaces for which that is not enough
   are left to a later one: each minute begins at another lane.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Final

from patchbay.alerts.keys import LANES
from patchbay.alerts.model import AlertResolution
from patchbay.alerts.rule_model import AlertRule, Channel
from patchbay.alerts.rule_store import EvaluationPosition, RuleStore
from patchbay.alerts.space_snapshot import SpaceSnapshot
from patchbay.alerts.state_machine import (
    AlertPhase,
    AlertTransition,
    RuleTiming,
    TrackedSubject,
    close,
    decide,
)
from patchbay.alerts.store import AlertStore
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Key
from patchbay.platform.logging import log_exception
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

_WORKERS: Final = 8
BATCH: Final = 32
"""Spaces between two looks at the clock."""

MAX_SLICE_SECONDS: Final = 5.0
"""CPU of one organization in an evaluation. A space usually takes some 10 ms."""

RESERVE_SECONDS: Final = 12.0
"""What the slowest batch may still take: a call to a table that hangs ends within 9 s."""

SPACE_SECONDS: Final = 10.0
"""The time of one space, after which nothing more of it is evaluated in this minute. A batch takes
as long as its slowest spaces, and the spaces after it wait for that."""

type InTime = Callable[[], bool]

type Wake = Callable[[Sequence[Key]], None]
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

    def metrics(self) -> dict[str, int]:
        return {
            "alert_spaces_evaluated": self.spaces,
            "alert_spaces_failed": self.failed,
            "alert_notifications": self.notifications,
            "alert_evaluations_unfinished": int(not self.finished),
            "alert_spaces_put_off": self.put_off,
        }


class Evaluator:
    """Evaluates the rules of all spaces. `api_url` is what the links of messages begin with."""

    def __init__(
        self,
        rules: RuleStore,
        alerts: AlertStore,
        connections: ConnectionSummaries,
        events: EventStore,
        tenants: TenancyStore,
        wake: Wake,
        api_url: str,
    ) -> None:
        self._rules = rules
        self._alerts = alerts
        self._connections = connections
        self._events = events
        self._tenants = tenants
        self._wake = wake
        self._api_url = api_url

    def run(self, now: datetime, seconds_left: Callable[[], float]) -> EvaluationReport:
        """Evaluates all spaces. `now` is the scheduled minute; `seconds_left` returns how long the
        function may still run."""
        done = failed = notifications = 0
        kept = self._rules.position()
        start = kept or EvaluationPosition(int(now.timestamp()) // 60 % LANES, "")
        slices = _Slices()

        def in_time() -> bool:
            return seconds_left() >= RESERVE_SECONDS

        for position, batch in self._batches(start):
            if not in_time():
                self._rules.keep_position(position)
                return EvaluationReport(
                    done, failed, notifications, finished=False, put_off=slices.put_off
                )
            for keys in self._side_by_side(batch, now, in_time, slices):
                done += 1
                failed += keys is None
                notifications += len(keys or ())
        if kept:
            self._rules.forget_position()
        return EvaluationReport(
            done, failed, notifications, finished=in_time(), put_off=slices.put_off
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
        2. Evaluates each enabled rule, unless the space or its organization is paused: there,
           silence is intended.
        3. Ends the open alerts of each disabled rule, and takes a
           disabled rule without open alerts out of the index.
        4. Wakes the notifier if there are new deliveries.

        What cannot be written in time stays as it was. Nothing is done for an organization whose
        slice is used.
        """
        space = self._tenants.space_by_id(space_id)
        if space is None:
            return []
        with (slices or _Slices()).of(space.organization_id) as has_time:
            return self._evaluate_space(space, now, in_time) if has_time else []

    def _evaluate_space(self, space: Space, now: datetime, in_time: InTime) -> list[Key]:
        space_id, rules = space.id, []
        for rule in self._rules.rules_of(space_id):
            if rule.deleting:
                self._rules.finish_deletion(space, rule, now)
            else:
                rules.append(rule)
        organization = self._tenants.organization(space.organization_id)
        paused = space.paused or organization.paused
        resumed = [at for at in (space.resumed_at, organization.resumed_at) if at]
        tracked = self._alerts.tracked_subjects(space_id)
        active = [rule for rule in rules if rule.enabled]
        snapshot = SpaceSnapshot(
            self._connections, self._events, space, active, now, resumed, self._api_url
        )
        deliveries: list[Key] = []
        for rule in rules:
            own = {key: one for (rule_id, key), one in tracked.items() if rule_id == rule.id}
            if rule.enabled and paused:
                continue
            if rule.enabled:
                deliveries += self._evaluate(rule, own, snapshot, now, in_time)
            elif any(one.state.is_open for one in own.values()):
                disabled = AlertResolution.RULE_DISABLED
                deliveries += self._end_alerts(rule, own.values(), disabled, snapshot, now, in_time)
            else:
                self._rules.stop_watching(rule)
        if deliveries:
            self._wake(deliveries)
        return deliveries

    def _evaluate(
        self,
        rule: AlertRule,
        tracked: Mapping[str, TrackedSubject],
        snapshot: SpaceSnapshot,
        now: datetime,
        in_time: InTime,
    ) -> list[Key]:
        """Moves each subject of a rule on, and ends the alerts of subjects that are gone."""
        deliveries: list[Key] = []
        timing = RuleTiming.of(rule)
        subjects = {subject.key(): subject for subject in snapshot.subjects(rule, tracked.values())}
        for key, subject in subjects.items():
            before = tracked.get(key, TrackedSubject(subject))
            state = before.state
            if state.since is not None and now < state.since:
                continue  # this minute comes late: the state is newer
            if not in_time():
                return deliveries
            firing = state.phase is AlertPhase.FIRING
            result = snapshot.evaluate(rule, subject, firing=firing)
            transition = decide(timing, state, result.status, now)
            new_channels = _channels_to_tell(rule, before, transition)
            if transition.state != state or transition.notice:
                words = snapshot.in_words(rule, subject, result.summary)
                deliveries += self._alerts.advance(rule, before, transition, words, now)
            elif new_channels:
                words = snapshot.in_words(rule, subject, result.summary)
                deliveries += self._alerts.tell(rule, before, new_channels, words, now)
        for key, one in tracked.items():
            if key not in subjects and one.state.is_open:
                why = snapshot.why_gone(rule, one.subject)
                deliveries += self._end_alerts(rule, [one], why, snapshot, now, in_time)
        return deliveries

    def _end_alerts(
        self,
        rule: AlertRule,
        tracked: Iterable[TrackedSubject],
        resolution: AlertResolution,
        snapshot: SpaceSnapshot,
        now: datetime,
        in_time: InTime,
    ) -> list[Key]:
        deliveries: list[Key] = []
        for one in tracked:
            if not one.state.is_open:
                continue
            if not in_time():
                break
            since = one.state.since
            changed = since is not None and rule.watching_since > since
            why = AlertResolution.RULE_CHANGED if changed and rule.enabled else resolution
            transition = close(one.state, now)
            words = snapshot.in_words(rule, one.subject, _SUMMARIES[why], ended=True)
            deliveries += self._alerts.advance(rule, one, transition, words, now, why)
        return deliveries

    def _batches(self, start: EvaluationPosition) -> Iterator[tuple[EvaluationPosition, list[str]]]:
        """All spaces in batches, each with the position before it: from `start` to the last lane,
        and from the first lane to `start`."""
        lane, after = start
        around = [start, *(EvaluationPosition((lane + n) % LANES, "") for n in range(1, LANES))]
        if after:
            around.append(EvaluationPosition(lane, ""))
        for position in around:
            spaces = self._rules.watched_spaces(position.lane, position.space_id)
            if after and position == (lane, ""):
                spaces = takewhile(lambda space_id: space_id <= after, spaces)
            done = position.space_id
            while batch := list(islice(spaces, BATCH)):
                yield EvaluationPosition(position.lane, done), batch
                done = batch[-1]

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
        self.put_off = 0
        self._used: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, organization_id: str) -> Iterator[bool]:
        """Measures the block, by the CPU of its thread. Yields whether there is time for it."""
        has_time = self._used[organization_id] < MAX_SLICE_SECONDS
        self.put_off += not has_time
        began = time.thread_time()
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
