"""The wheel of monitors while connections are made, edited, and moved, under every fault at once.

Minute by minute, over the product's own classes: connections begin in the index `monitor_slot`, or
with plans; spaces are adopted and change their layouts; two dispatchers make the passes, cut off at
any call, with clocks a minute apart, over an index that is behind the table.

What it gives are the tests that the sweeps of a minute find. It holds them against two rules:

- Whenever a sweep reads, it finds a connection in one run of its minute, and in no other.
- A connection that nobody edits is found once in each interval, but for once after each move. A
  sweep that reads up to an hour later finds the same.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from random import Random
from typing import Any, Final, NamedTuple, Self
from unittest.mock import patch

from patchbay.connections.connection_items import (
    connection_change,
    connection_item,
    plan_writes,
    read_connection,
)
from patchbay.connections.connection_model import Monitor
from patchbay.connections.keys import connection_key
from patchbay.connections.layouts import BUSY, OWN, POOL, Form
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.planner import Planner
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.wheel import MonitorInterval, moment_of
from patchbay.monitors.page_reader import is_due_by_index
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.wheel import Slot, Sweep, due_phases
from patchbay.platform.dynamodb import Put, Table, TransactionRefused, Write
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import ulid_text
from patchbay.tenancy.keys import space_key
from patchbay.tenancy.quotas import Count
from tests.sample_connection import sample_connection
from tests.simulator.faults import Crash, FaultyClient
from tests.simulator.lagging_client import LaggingClient
from tests.simulator.seeded_threads import SeededThreads

ORGANIZATION: Final = "org_1"
_INTERVALS: Final = (
    MonitorInterval.MINUTE,
    MonitorInterval.FIVE_MINUTES,
    MonitorInterval.QUARTER,
    MonitorInterval.HOUR,
)
_CAUGHT_UP: Final = 60
"""Minutes for which a sweep may come late and still finds the same."""


class Difference(AssertionError):
    """What the product says is not what was recorded, or what should be."""


class Member(NamedTuple):
    """A connection that a sweep found: by its plan, or, without one, by the index."""

    connection_id: str
    space_id: str
    plan: MonitorPlan | None

    @property
    def group(self) -> str:
        """The run that its test belongs to, apart from the minute."""
        return f"{self.plan.group.cell} {self.plan.group.slot}" if self.plan else "index"


class IndexedClient(LaggingClient):
    """With both indexes."""

    def query(self, **request: Any) -> Any:
        index = request.get("IndexName")
        if index is None:
            return super().query(**request)
        values = request["ExpressionAttributeValues"]
        low, high = values.get(":low"), values.get(":high")
        found = [
            item
            for item in self.shown_in(index, values[":pk"])
            if not low or low["S"] <= item[f"{index}_sk"]["S"] <= high["S"]
        ]
        return {"Items": [dict(item) for item in found[: request.get("Limit")]]}


class Wheel:
    """Some spaces, and what is monitored in them."""

    def __init__(
        self,
        chance: Random,
        threads: SeededThreads,
        spaces: Sequence[str],
        start: int,
        rate: float,
        happened: Counter[str],
    ) -> None:
        self._chance = chance
        self._threads = threads
        self._spaces = spaces
        self._start = self._minute = start
        self._rate = rate
        self._happened = happened
        self._client = IndexedClient(chance)
        self._direct = Table("integrations", _typed(self._client))
        self._edited: set[str] = set()
        self._since: dict[str, int] = {}
        self._found: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        self._moves = 0
        self._ids: list[str] = []
        with _with_chance(chance):
            for space_id in spaces:
                key = space_key(ORGANIZATION, space_id)
                self._direct.write(Put({**key._asdict(), "id": space_id}))
                planned = chance.random() < 0.5
                for _ in range(chance.choice([1, 2, 3, 3, 5])):
                    self._create(self._direct, space_id, planned=planned)

    def sweeps(self, until: int) -> list[tuple[int, list[Member]]]:
        """What the sweeps of each minute find; of some minutes, once more when they come late.

        Raises `Difference`.
        """
        found = []
        with _with_chance(self._chance):
            for minute in range(self._start, until):
                self._minute = minute
                self._check(minute, self._read(minute))
                self._threads.run(self._works())
                self._client.settle()
                found.append((minute, self._read(minute)))
                self._check(*found[-1])
                if self._chance.random() < 0.3:
                    late = self._chance.randrange(max(self._start, minute - _CAUGHT_UP), minute + 1)
                    found.append((late, self._read(late)))
                    self._check(*found[-1])
        self._check_gaps(until)
        return found

    # ------------------------------------------------------------ what happens in a minute

    def _works(self) -> list[Callable[[], None]]:
        chance, found = self._chance, []
        for work, likely in (
            (self._go_on, 0.7),
            (self._go_on, 0.7),
            (self._adopt, 0.1),
            (self._review, 0.08),
            (self._add, 0.04),
            (self._edit, 0.06),
        ):
            if chance.random() < likely:
                found.append(work)
        chance.shuffle(found)
        return [_surviving(work) for work in found]

    def _go_on(self) -> None:
        self._moving().go_on(moment_of(self._now()), lambda: 100.0)

    def _adopt(self) -> None:
        """As a sweep of the index does that finds connections of the space."""
        space_id = self._chance.choice(self._spaces)
        if any(self._in_index(one) for one in self._ids if self._space_of(one) == space_id):
            self._moves += 1
            self._happened["spaces adopted"] += 1
            self._moving().adopt(ORGANIZATION, space_id, space_id, moment_of(self._now()))

    def _review(self) -> None:
        """As a sweep of plans does that finds a reason to look at the space."""
        plans = [m.plan for m in self._read(self._minute) if m.plan]
        if plans:
            self._moves += 1
            self._happened["layouts reviewed"] += 1
            one = self._chance.choice(plans)
            of_group = [plan for plan in plans if plan.group == one.group]
            self._moving().review(one.group, of_group, self._minute, moment_of(self._now()))

    def _add(self) -> None:
        self._create(self._table(), self._chance.choice(self._spaces), planned=True)

    def _edit(self) -> None:
        """Pauses or resumes a connection, or changes its interval."""
        table, chance = self._table(), self._chance
        connection_id = chance.choice(self._ids)
        item = table.get(connection_key(ORGANIZATION, connection_id))
        if item is None:
            return
        self._edited.add(connection_id)
        old = read_connection(item)
        is_active = old.status is Lifecycle.ACTIVE
        changes: dict[str, Any] = {
            "status": Lifecycle.PAUSED if is_active else Lifecycle.ACTIVE,
        }
        if is_active and chance.random() < 0.7:
            changes = {"monitor": Monitor(enabled=True, interval=chance.choice(_INTERVALS))}
        changes |= {"updated_at": moment_of(self._now()), "revision": old.revision + 1}
        new = old.model_copy(update=changes)
        planned = self._planner(table).changed(old, new)
        writes = [*connection_change(old, planned.connection), *planned.checks]
        table.transact([one for one in writes if not isinstance(one, Count)])
        self._happened["connections edited"] += 1

    def _create(self, table: Table, space_id: str, *, planned: bool) -> None:
        """As `ConnectionStore` does. One that is not planned is in the index."""
        now = moment_of(self._now())
        connection = sample_connection(
            id=f"con_{ulid_text(self._chance.randbytes(16))}",
            organization_id=ORGANIZATION,
            space=space_id,
            space_id=space_id,
            monitor=Monitor(enabled=True, interval=self._chance.choice(_INTERVALS)),
            created_at=now,
            updated_at=now,
        )
        writes: list[Write] = []
        if planned:
            began = self._planner(table).begun(connection)
            connection, writes = began.connection, began.checks
        self._ids.append(connection.id)
        self._since[connection.id] = self._minute
        table.transact([Put(connection_item(connection)), *plan_writes(None, connection), *writes])

    # ------------------------------------------------------------ what sweeps find

    def _read(self, minute: int) -> list[Member]:
        found = []
        at = moment_of(minute)
        store = MonitorStore(self._direct)
        for interval, phase in due_phases(at):
            for has_plans in (True, False):
                page = store.read_page(Sweep.of(Slot(interval, phase, 0, 1, has_plans), at), 400)
                if has_plans:
                    plans = map(MonitorPlan.read, page.plans)
                    found += [
                        Member(plan.connection_id, plan.space_id, plan)
                        for plan in plans
                        if plan.is_due(minute)
                    ]
                    continue
                for item in self._direct.get_all(page.keys).values():
                    connection = read_connection(item)
                    if is_due_by_index(connection, at):
                        found.append(Member(connection.id, connection.space_id, None))
        return found

    def _check(self, minute: int, found: list[Member]) -> None:
        for member in found:
            groups = self._found[minute, member.connection_id]
            groups.add(member.group)
            if len(groups) > 1:
                raise Difference(f"{member.connection_id} is in two runs at {minute}: {groups}")
        now = {member.connection_id for member in found}
        for connection_id in self._unedited():
            was_found = (minute, connection_id) in self._found
            if self._since[connection_id] < minute and was_found != (connection_id in now):
                raise Difference(f"{connection_id} at {minute} is not found each time")

    def _check_gaps(self, until: int) -> None:
        minutes: defaultdict[str, list[int]] = defaultdict(list)
        for minute, connection_id in sorted(self._found):
            minutes[connection_id].append(minute)
        for connection_id in self._unedited():
            item = self._direct.get(connection_key(ORGANIZATION, connection_id))
            if item is None:
                continue  # its transaction was refused
            interval = read_connection(item).monitor.interval.minutes
            ends = [self._since[connection_id], *minutes[connection_id], until]
            gaps = [after - before for before, after in pairwise(ends)]
            odd = [gap for gap in gaps[1:-1] if gap != interval]
            if any(gap >= 2 * interval for gap in gaps) or len(odd) > self._moves:
                raise Difference(f"{connection_id} is found after {gaps}, not each {interval}")

    # ------------------------------------------------------------ the world

    def _unedited(self) -> list[str]:
        return [one for one in self._ids if one not in self._edited]

    def _in_index(self, connection_id: str) -> bool:
        item = self._direct.get(connection_key(ORGANIZATION, connection_id)) or {}
        return "monitor_slot_pk" in item

    def _space_of(self, connection_id: str) -> str | None:
        item = self._direct.get(connection_key(ORGANIZATION, connection_id)) or {}
        return item.get("space_id")

    def _now(self) -> int:
        """By the clock of one process."""
        return self._minute + self._chance.choice([-1, 0, 0, 0])

    def _table(self) -> Table:
        pause = self._threads.pause
        rate, conflicts = self._rate, 1
        client = FaultyClient(
            self._client, self._chance, pause, self._happened, rate=rate, conflicts=conflicts
        )
        return Table("integrations", _typed(client))

    def _planner(self, table: Table) -> Planner:
        return Planner(table, pools=lambda: True)

    def _moving(self) -> PlanMoves:
        table = self._table()
        return PlanMoves(table, self._planner(table))


def _typed(client: Any) -> Any:
    return client


def _surviving(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except (Crash, TemporarilyUnavailable, TransactionRefused):
            return

    return run


class _Inline:
    """An executor whose calls are made at once, in their order."""

    def __init__(self, _workers: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    map = staticmethod(map)


@contextmanager
def _with_chance(chance: Random) -> Iterator[None]:
    """Layouts follow from chance, and not from how many connections there are."""

    def decided(*_: Any, **__: Any) -> Form:
        return Form(chance.choice([POOL, POOL, OWN, BUSY]), chance.choice([1, 1, 2]))

    moves, planner = "patchbay.connections.plan_moves", "patchbay.connections.planner"
    with ExitStack() as patches:
        for name, value in (
            (f"{moves}.ThreadPoolExecutor", _Inline),
            (f"{moves}.decided", decided),
            (f"{moves}.may_change", lambda *_, **__: True),
            (f"{planner}.decided", decided),
            (f"{planner}.SPACES_OF_POOL", 2),
        ):
            patches.enter_context(patch(name, value))
        yield
