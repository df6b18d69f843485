"""A space with rules in memory, whose evaluations are the product's: only what they read is not."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from patchbay.alerts.evaluator import Evaluator
from patchbay.alerts.model import AlertResolution, AlertWords, NoticeKind
from patchbay.alerts.rule_model import AlertRule, NewAlertRule
from patchbay.alerts.rule_store import _watched, rule_item
from patchbay.alerts.state_machine import AlertTransition, TrackedSubject
from patchbay.alerts.store import _state_item
from patchbay.alerts.wakes import RuleWaker
from patchbay.alerts.watched_spaces import WatchedSpaces
from patchbay.connections.connection_summaries import ConnectionDescription, ConnectionStatus
from patchbay.connections.health_status import FAILING, HealthStatus, RequiredAction
from patchbay.connections.lifecycle import Lifecycle
from patchbay.health.buckets import Bucket
from patchbay.health.model import EventOutline
from patchbay.health.monitor_runs import EventOutlines
from patchbay.health.periods import Period
from patchbay.platform.dynamodb import Condition, ConditionFailed, Item, Key, Update
from patchbay.tenancy.model import Organization, Space

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
START = datetime(2026, 2, 17, 9, 41, 31, tzinfo=UTC)
"""The first evaluation. Schedules begin at any second."""


def holds(condition: Condition | None, item: Mapping[str, Any]) -> bool:
    """Judges the conditions that are used here, each about one attribute, joined by AND."""
    if condition is None:
        return True
    for clause in condition.expression.split(" AND "):
        name = condition.names[cast(re.Match[str], re.search(r"#\w+", clause)).group()]
        value = next((v for k, v in condition.values.items() if k in clause), None)
        if clause.startswith("attribute_exists"):
            held = name in item
        elif clause.startswith("attribute_not_exists"):
            held = name not in item
        elif clause.startswith("(attribute_not_exists"):
            held = name not in item or item[name] < value
        else:
            held = name in item and item[name] == value
        if not held:
            return False
    return True


class MemoryTable:
    """As much of `Table` as the index and the watch of spaces need."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.writes = 0

    def put(self, item: Item) -> None:
        self.items[Key(item["pk"], item["sk"])] = item

    def get_all(self, keys: Iterable[Key], *, consistent: bool) -> dict[Key, Item]:
        assert not consistent
        return {key: self.items[key] for key in keys if key in self.items}

    def query_all(
        self,
        pk: str,
        *,
        prefix: str = "",
        between: tuple[str, str] = ("", "\uffff"),
        index: str | None = None,
    ) -> Iterator[Item]:
        names = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
        low, high = between
        found = [item for item in self.items.values() if item.get(names[0]) == pk]
        for item in sorted(found, key=lambda item: item[names[1]]):
            sk = item[names[1]]
            if sk.startswith(prefix) and low <= sk <= high:
                yield dict(item)

    def write(self, update: Update) -> None:
        item = self.items.get(update.key, {})
        if not holds(update.condition, item):
            raise ConditionFailed(item or None)
        self.writes += 1
        added = {name: item.get(name, 0) + number for name, number in update.add.items()}
        after = {**update.key._asdict(), **item, **update.values, **added}
        self.items[update.key] = {k: v for k, v in after.items() if k not in update.remove}


@dataclass
class History:
    """What happens in a space. It is the same for all who evaluate it."""

    events: list[EventOutline] = field(default_factory=list)
    connections: dict[str, ConnectionStatus] = field(default_factory=dict)
    space: Space = field(
        default_factory=lambda: Space(
            id=SPACE,
            organization_id="org_1",
            slug="acme",
            name="Acme",
            created_at=START,
            updated_at=START,
            revision=1,
        )
    )

    def counts_since(self, _: str, start: datetime, *, hourly: bool) -> dict[Period, Bucket]:
        assert hourly
        counts: dict[Period, Bucket] = {}
        for event in self.events:
            hour = Period.hour_of(event.occurred_at)
            if hour.start >= start:
                counts[hour] = counts.get(hour, Bucket()).absorb([cast(Any, _Counted(event))])
        return counts

    def buckets_since(self, space_id: str, start: datetime) -> list[Bucket]:
        return list(self.counts_since(space_id, start, hourly=True).values())

    def newest_outlines(self, _: str, since: datetime, __: datetime, most: int) -> EventOutlines:
        found = sorted(
            (event for event in self.events if event.occurred_at >= since),
            key=lambda event: event.occurred_at,
            reverse=True,
        )
        assert len(found) < most
        return EventOutlines(found, None)

    def of_space(self, _: str) -> list[ConnectionStatus]:
        return list(self.connections.values())

    def failing(self, _: str) -> list[ConnectionStatus]:
        return [one for one in self.connections.values() if one.status in FAILING]

    def by_id(self, _: str, __: str, ids: Iterable[str]) -> dict[str, ConnectionStatus]:
        return {one: self.connections[one] for one in ids if one in self.connections}

    def one(self, _: str, __: str, connection_id: str) -> ConnectionStatus | None:
        return self.connections.get(connection_id)

    def described(self, _: str, __: str, connection_id: str) -> ConnectionDescription:
        status = self.connections[connection_id].status
        return ConnectionDescription(connection_id, status, None, None, RequiredAction.NONE, None)

    def space_by_id(self, _: str) -> Space:
        return self.space

    def organization(self, organization_id: str) -> Organization:
        return Organization(id=organization_id, name="Acme", created_at=START)


@dataclass(frozen=True)
class _Counted:
    """An outline as a bucket counts events."""

    outline: EventOutline
    duration_ms: None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.outline, name)


@dataclass(frozen=True)
class Written:
    """A transition of an alert. Those between ok and no data are none."""

    minute: int
    rule: str
    subject: str
    phase: str
    notice: NoticeKind | None


class World:
    """Rules of one space, and all that their evaluations write."""

    def __init__(self, history: History, rules: Sequence[NewAlertRule]) -> None:
        self.history = history
        self.table = MemoryTable()
        self.now = START
        self.written: list[Written] = []
        self.evaluations = 0
        self.wake = self.waker()
        self._watched = WatchedSpaces(cast(Any, self.table))
        it = cast(Any, history)
        self._evaluator = Evaluator(
            self._watched, cast(Any, None), cast(Any, self), it, it, it, cast(Any, None),
            lambda _: None, self.wake, "",
        )  # fmt: skip
        for number, new in enumerate(rules):
            rule = AlertRule(
                **new.model_dump(exclude={"channels", "condition"}),
                condition=new.condition,
                channels=[],
                id=f"rul_{number}",
                organization_id="org_1",
                space="acme",
                space_id=SPACE,
                created_at=START,
                updated_at=START,
                watching_since=START,
                revision=1,
            )
            self.table.put(rule_item(rule))
            self.table.write(_watched(SPACE, START, +1))

    def waker(self) -> RuleWaker:
        """That of another process."""
        return RuleWaker(cast(Any, self.table), lambda: self.now)

    def minute(self, now: datetime, *, everything: bool = False) -> None:
        """Evaluates what is due, or everything."""
        self.now = now
        due = [SPACE] if everything else self._watched.due(now)
        self.evaluations += len(due)
        for space_id in due:
            self._evaluator.evaluate_space(space_id, now)

    def states(self) -> dict[tuple[str, str], TrackedSubject]:
        return dict(self._watched.read(SPACE, self.now).tracked)

    def advance(
        self,
        rule: AlertRule,
        before: TrackedSubject,
        transition: AlertTransition,
        words: AlertWords,
        now: datetime,
        resolution: AlertResolution = AlertResolution.RECOVERED,
    ) -> list[Key]:
        del words, resolution
        state = transition.state
        after = replace(before, state=state, generation=before.generation + 1, alert_id="alr_1")
        self.table.put(_state_item(rule, after))
        if state.is_open or before.state.is_open:
            minute = (now - START) // timedelta(minutes=1)
            phase = state.phase.value if state.is_open else "closed"
            subject = before.subject.key()
            self.written.append(Written(minute, rule.id, subject, phase, transition.notice))
        return []


def a_connection(number: int, status: HealthStatus, since: datetime) -> ConnectionStatus:
    return ConnectionStatus(f"con_{number}", Lifecycle.ACTIVE, status, None, since)
