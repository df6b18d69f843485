"""The evaluation of all rules, each minute.

1. The sparse index tells which spaces have rules to evaluate: without rules, one query a lane.
2. Spaces are evaluated side by side. Each reads its rules, their states and what the rules ask
   for, decides, and writes what changed; a space that fails stops no other.
3. When the time runs out, the next evaluation goes on where this one stopped. A space that has more
   to write than there is time for is cut short: what it has written needs no writing again, so it
   ends in some minutes and keeps no other space from its turn.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Final

from patchbay.alerts.keys import LANES, TrackedSubject
from patchbay.alerts.model import AlertResolution, AlertRule
from patchbay.alerts.space_snapshot import SpaceSnapshot
from patchbay.alerts.state_machine import AlertPhase, RuleTiming, close, decide
from patchbay.alerts.store import AlertStore
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Key
from patchbay.platform.logging import logger
from patchbay.tenancy.store import TenancyStore

_WORKERS: Final = 8
_BATCH: Final = 32
"""Spaces between two looks at the clock."""

RESERVE_SECONDS: Final = 12.0
"""What the slowest batch may still take: a table that hangs ends a call within 9 s."""

type InTime = Callable[[], bool]

type Wake = Callable[[Sequence[Key]], None]
"""Tells the sender which deliveries are new; the outbox has them, whatever becomes of it."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What one evaluation came to."""

    spaces: int
    failed: int
    notifications: int
    finished: bool

    def metrics(self) -> dict[str, int]:
        return {
            "alert_spaces_evaluated": self.spaces,
            "alert_spaces_failed": self.failed,
            "alert_notifications": self.notifications,
            "alert_evaluations_unfinished": int(not self.finished),
        }


class Evaluator:
    """Evaluates the rules of all spaces."""

    def __init__(
        self, store: AlertStore, events: EventStore, tenants: TenancyStore, wake: Wake
    ) -> None:
        self._store = store
        self._events = events
        self._tenants = tenants
        self._wake = wake

    def run(self, now: datetime, seconds_left: Callable[[], float]) -> EvaluationReport:
        """`now` is the scheduled minute; `seconds_left` what the function may still run."""
        done = failed = notifications = 0
        lane, after = self._store.position()
        resumed = (lane, after) != (0, "")

        def in_time() -> bool:
            return seconds_left() >= RESERVE_SECONDS

        for position, batch in self._batches(lane, after):
            if not in_time():
                self._store.keep_position(*position)
                return EvaluationReport(done, failed, notifications, finished=False)
            for keys in self._side_by_side(batch, now, in_time):
                done += 1
                failed += keys is None
                notifications += len(keys or ())
        if resumed:
            self._store.forget_position()
        return EvaluationReport(done, failed, notifications, finished=in_time())

    def evaluate_space(
        self, space_id: str, now: datetime, in_time: InTime = lambda: True
    ) -> list[Key]:
        """The deliveries that came of it; what is not decided in time is left as it was."""
        space = self._tenants.space_by_id(space_id)
        if space is None:
            return []
        rules = self._store.rules_of(space_id)
        for rule in rules:
            if rule.deleting:
                self._store.finish_deletion(space, rule, now)
        if space.paused or self._tenants.organization(space.organization_id).paused:
            return []  # nothing ticks: what is silent or down is so by somebody's wish
        active = [rule for rule in rules if rule.enabled]
        standings = self._store.standings(space_id)
        facts = SpaceSnapshot(self._store, self._events, space, active, now)
        made: list[Key] = []
        for rule in rules:
            own = {key: s for (rule_id, key), s in standings.items() if rule_id == rule.id}
            if rule.deleting:
                continue
            if rule.enabled:
                made += self._evaluate(rule, own, facts, now, in_time)
            elif any(standing.state.is_open for standing in own.values()):
                made += self._close(rule, own.values(), AlertResolution.RULE_DISABLED, now, in_time)
            else:
                self._store.unslot(rule)
        if made:
            self._wake(made)
        return made

    def _evaluate(
        self,
        rule: AlertRule,
        standings: dict[str, TrackedSubject],
        facts: SpaceSnapshot,
        now: datetime,
        in_time: InTime,
    ) -> list[Key]:
        made: list[Key] = []
        timing = RuleTiming.of(rule)
        subjects = {subject.key(): subject for subject in facts.subjects(rule, standings.values())}
        for key, subject in subjects.items():
            standing = standings.get(key, TrackedSubject(subject))
            state = standing.state
            if state.since is not None and now < state.since:
                continue  # a minute that is told late: what is known is newer
            seen = facts.observe(rule, subject, firing=state.phase is AlertPhase.FIRING)
            step = decide(timing, state, seen.status, now)
            if step.state != state or step.notice:
                if not in_time():
                    return made
                made += self._store.advance(rule, standing, step, seen.summary, now)
        gone = [standing for key, standing in standings.items() if key not in subjects]
        return made + self._close(rule, gone, AlertResolution.SUBJECT_GONE, now, in_time)

    def _close(
        self,
        rule: AlertRule,
        standings: Iterable[TrackedSubject],
        resolution: AlertResolution,
        now: datetime,
        in_time: InTime,
    ) -> list[Key]:
        made: list[Key] = []
        for standing in standings:
            if not standing.state.is_open:
                continue
            if not in_time():
                break
            since = standing.state.since
            changed = since is not None and rule.watching_since > since
            why = AlertResolution.RULE_CHANGED if changed and rule.enabled else resolution
            step = close(standing.state, now)
            made += self._store.advance(rule, standing, step, _WHY[why], now, why)
        return made

    def _batches(self, first_lane: int, after: str) -> Iterator[tuple[tuple[int, str], list[str]]]:
        """All spaces in batches, each with the position before it; from this position around."""
        around = [(first_lane, after), *(((first_lane + n) % LANES, "") for n in range(1, LANES))]
        for lane, start in [*around, *([(first_lane, "")] if after else [])]:
            spaces = self._store.watched_spaces(lane, start)
            if lane == first_lane and not start and after:
                spaces = takewhile(lambda space_id: space_id <= after, spaces)
            done = start
            while batch := list(islice(spaces, _BATCH)):
                yield (lane, done), batch
                done = batch[-1]

    def _side_by_side(
        self, spaces: Sequence[str], now: datetime, in_time: InTime
    ) -> Iterator[list[Key] | None]:
        """The deliveries of each space; None for one that failed."""

        def guarded(space_id: str) -> list[Key] | None:
            try:
                return self.evaluate_space(space_id, now, in_time)
            except Exception as error:
                # Only the type: the text of an unforeseen error may quote a tenant's data.
                logger.error("evaluation failed", space_id=space_id, error=type(error).__name__)
                return None

        with ThreadPoolExecutor(_WORKERS) as pool:
            yield from pool.map(guarded, spaces)


_WHY: Final = {
    AlertResolution.RULE_CHANGED: "The rule was changed and does not look at this any more.",
    AlertResolution.RULE_DISABLED: "The rule was disabled.",
    AlertResolution.SUBJECT_GONE: "What the rule looked at is gone or paused.",
}
