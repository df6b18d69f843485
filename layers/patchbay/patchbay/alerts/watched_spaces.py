"""The spaces that have rules to evaluate: which are due, what is read of one, and when it is next.

A space is read by one query: its watch and the states of its subjects. Its rules are read only if
they are not as this process has seen them, which the watch knows. `schedule` says where in the
index a space is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from patchbay.alerts.keys import (
    LOOKED,
    RULES,
    STATES,
    WATCHED,
    rule_key,
    rules_of_lane_pk,
    space_of,
    space_pk,
)
from patchbay.alerts.rule_model import AlertRule
from patchbay.alerts.rule_store import read_rule
from patchbay.alerts.schedule import (
    INDEX,
    INDEX_PK,
    INDEX_SK,
    LANES,
    due_pk,
    due_until,
    looked_at,
    next_entry,
    woken_after,
)
from patchbay.alerts.state_machine import TrackedSubject
from patchbay.alerts.store import read_tracked
from patchbay.alerts.wakes import watch_key
from patchbay.connections.wheel import minute_number
from patchbay.platform.bounded_cache import BoundedCache
from patchbay.platform.dynamodb import (
    Condition,
    ConditionFailed,
    Item,
    Key,
    Table,
    Update,
    equals,
    less_or_absent,
    without,
)

_CACHE_BYTES: Final = 64 << 20
"""Of rules that were read: some 10,000 spaces with three rules."""

_BYTES_A_RULE: Final = 2_000
"""What a rule takes beside its text: pydantic's objects."""

_KEPT_MINUTES: Final = 60
"""How long a process keeps the rules that it reads first: a function of an older release, which may
change a rule and not its watch, ends soon after it began. Later ones are kept until they change."""


@dataclass(frozen=True, slots=True)
class WatchedSpace:
    """The rules of a space and the states of their subjects, by rule id and subject key.

    `watch` is the item that has its entry in the index, as it was read before everything else.
    """

    id: str
    rules: Sequence[AlertRule]
    tracked: Mapping[tuple[str, str], TrackedSubject]
    watch: Mapping[str, Any]
    unwatched: Sequence[AlertRule] = field(default=())
    """Those rules that are in the index themselves, from before there were watches."""

    @property
    def organization_id(self) -> str | None:
        """None for a space without rules."""
        return self.rules[0].organization_id if self.rules else None


class WatchedSpaces:
    """The spaces with rules in the integrations table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rules: BoundedCache[tuple[str, int, bool], _Rules] = BoundedCache(_CACHE_BYTES)
        self._began: int | None = None

    def looked(self) -> int:
        """The number of the last minute whose looks were noted as done."""
        item = self._table.get(LOOKED)
        return int(item["minute"]) if item else 0

    def note_looked(self, number: int) -> None:
        self._write(
            Update(LOOKED, values={"minute": number}, condition=less_or_absent("minute", number))
        )

    def due(self, now: datetime, since: int | None = None) -> list[str]:
        """The ids of the spaces to evaluate at a minute. Makes seven queries if there are none.

        `since` is the number of the first minute whose looks are due, if some before this one were
        missed.
        """
        number = minute_number(now)
        found = [
            item
            for lane in range(LANES)
            for item in self._table.query_all(due_pk(lane), between=due_until(now), index=INDEX)
        ]
        for minute in range(number if since is None else since, number + 1):
            for pk, between in looked_at(minute):
                found += self._table.query_all(pk, between=between, index=INDEX)
        # Rules of before there were watches: each lane once in four minutes.
        found += self._table.query_all(rules_of_lane_pk(number % LANES), index=INDEX)
        return list(dict.fromkeys(space_of(Key(item["pk"], item["sk"])) for item in found))

    def read(self, space_id: str, now: datetime) -> WatchedSpace:
        watch: Item = {}
        tracked = {}
        for item in self._table.query_all(space_pk(space_id), prefix=WATCHED):
            if item["sk"].startswith(STATES):
                _, rule_id, subject = item["sk"].split("#", 2)
                tracked[rule_id, subject] = read_tracked(item)
            else:
                watch = item
        rules = self._rules_of(space_id, watch, now)
        return WatchedSpace(space_id, rules.all, tracked, watch, rules.unwatched)

    def settle(
        self, space: WatchedSpace, now: datetime, change: datetime | None, *, is_firing: bool
    ) -> None:
        """Moves a space to where it belongs after an evaluation at `now`: see `next_entry`, and
        `woken_after` for `is_firing`.

        Does nothing if it was woken, or a rule was edited, since it was read.
        """
        before = space.watch.get("woken", 0)
        woken = woken_after(now, before, is_firing=is_firing)
        to = next_entry(space.id, now, change, woken, space.watch.get(INDEX_SK))
        if (space.watch.get(INDEX_PK), space.watch.get(INDEX_SK), before) != (*to, woken):
            values = to.attributes if woken == before else {**to.attributes, "woken": woken}
            self._write(Update(watch_key(space.id), values=values, condition=_as_read(space.watch)))
        self._adopt(space)

    def stop(self, space: WatchedSpace) -> None:
        """Takes a space out of the index: none of its rules is enabled or has an open alert."""
        if INDEX_PK in space.watch:
            self._write(
                Update(
                    watch_key(space.id),
                    remove=[INDEX_PK, INDEX_SK],
                    condition=_as_read(space.watch),
                )
            )
        self._adopt(space)

    def _adopt(self, space: WatchedSpace) -> None:
        """Takes rules out of the index that the watch stands for from now on."""
        for rule in space.unwatched:
            self._write(
                Update(
                    rule_key(rule.space_id, rule.id),
                    remove=[INDEX_PK, INDEX_SK],
                    condition=equals("revision", rule.revision),
                )
            )

    def _write(self, update: Update) -> None:
        """Writes nothing if another process has changed the item in the meantime."""
        try:
            self._table.write(update)
        except ConditionFailed:
            return

    def _rules_of(self, space_id: str, watch: Mapping[str, Any], now: datetime) -> "_Rules":
        changes = watch.get("changes")
        if not isinstance(changes, int):
            return self._read_rules(space_id)[0]
        minute = minute_number(now)
        if self._began is None:
            self._began = minute
        key = space_id, changes, minute < self._began + _KEPT_MINUTES
        return self._rules.get(key, lambda: self._read_rules(space_id))

    def _read_rules(self, space_id: str) -> tuple["_Rules", int]:
        items = list(self._table.query_all(space_pk(space_id), prefix=RULES))
        rules = [read_rule(item) for item in items]
        unwatched = [rule for rule, item in zip(rules, items, strict=True) if INDEX_PK in item]
        size = sum(len(item["rule"]) + _BYTES_A_RULE for item in items)
        # Those that get a watch now are not kept: they change without a count.
        return _Rules(rules, unwatched), _CACHE_BYTES + 1 if unwatched else size


@dataclass(frozen=True, slots=True)
class _Rules:
    all: list[AlertRule]
    unwatched: list[AlertRule]


def _as_read(watch: Mapping[str, Any]) -> Condition:
    """Holds while nobody has woken the space, moved it, or edited a rule of it."""
    conditions = [
        equals(name, watch[name]) if name in watch else without(name)
        for name in (INDEX_SK, "woken", "changes")
    ]
    first, *others = conditions
    for other in others:
        first &= other
    return first
