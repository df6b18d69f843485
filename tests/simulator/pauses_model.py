"""Pauses and their marks through updates and rollbacks, under every fault at once.

Minute by minute, over the product's own classes: organizations and spaces are paused and resumed,
and organizations erased, by two releases; only the newer one marks what is paused. Its dispatchers
and surveys are cut off at any call, over an index that is behind the table. An update replaces one
function after the other: for some minutes, functions of both releases run.

After each minute, what the sweeps sent in it find running is held against the organizations and
spaces themselves.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from unittest.mock import patch

from patchbay.connections.plans import Group, MonitorPlan, PlanPlace
from patchbay.connections.wheel import MonitorInterval
from patchbay.erasure.store import ErasureStore
from patchbay.monitors.dispatcher import Dispatcher
from patchbay.monitors.pause_reader import PauseReader
from patchbay.monitors.pause_survey import PauseSurvey
from patchbay.monitors.store import WATERMARK, MonitorStore
from patchbay.monitors.sweep_queue import SweepOrder
from patchbay.monitors.wheel import Slot
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Delete,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    less_or_absent,
)
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.tenancy.keys import (
    PAUSED,
    organization_key,
    space_key,
)
from patchbay.tenancy.model import (
    NewOrganization,
    NewSpace,
    Organization,
    OrganizationPatch,
    Space,
    SpacePatch,
)
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.simulator.faults import Crash, FaultyClient
from tests.simulator.lagging_client import LaggingClient
from tests.simulator.seeded_threads import SeededThreads
from tests.simulator.wheel_model import Difference

START: Final = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
MIXED: Final = 20
"""Minutes for which functions of two releases may run side by side."""
RATE: Final = 0.02


@dataclass(slots=True)
class PausesOutcome:
    """What schedules met."""

    happened: Counter[str] = field(default_factory=Counter)
    marked: int = 0
    """Sweeps that relied on marks."""
    read: int = 0
    """Sweeps that did not."""


class IndexedClient(LaggingClient):
    """With the index of organizations, of which some are deleted."""

    def query(self, **request: Any) -> Any:
        if "IndexName" not in request:
            return super().query(**request)
        values, limit = request["ExpressionAttributeValues"], request["Limit"]
        found = [
            item
            for item in self.shown_in("by_owner", values[":pk"])
            if values[":low"]["S"] <= item["by_owner_sk"]["S"]
        ]
        cut = {"LastEvaluatedKey": {"pk": found[limit - 1]["pk"]}} if len(found) > limit else {}
        return {"Items": found[:limit], **cut}

    def remove(self, pk: str, sk: str) -> None:
        self._before.setdefault((pk, sk), self._items.get((pk, sk)))
        super().remove(pk, sk)


class PausedWorld:
    """Some organizations with their spaces, each with one plan."""

    def __init__(self, seed: int, outcome: PausesOutcome) -> None:
        self._chance = chance = Random(seed)  # noqa: S311 - schedules, guards nothing
        self._outcome = outcome
        self._threads = SeededThreads(chance)
        self._client = IndexedClient(chance)
        self._direct = Table("integrations", _typed(self._client))
        self._minute = 0
        self._updated: int | None = None
        """Since when the newer release is there; None while it is not."""
        self._left = -MIXED
        """When it was last rolled back."""
        tenants = self._tenants(self._direct)
        self._organizations: list[Organization] = []
        self._spaces: list[Space] = []
        self._plans: dict[str, MonitorPlan] = {}
        self._queued: list[SweepOrder] = []
        for number in range(chance.randint(1, 4)):
            one = tenants.create_organization(NewOrganization(name="o"), self._stamp())
            self._organizations.append(one)
            for of in range(chance.randint(1, 3)):
                new = NewSpace(slug=f"s-{number}-{of}", name="s")
                space = tenants.create_space(one.id, new, self._stamp())
                self._spaces.append(space)
                self._plans[space.id] = _plan_of(space)
        for _ in range(4):
            _surviving(self._edit_as_before)()

    def run(self, minutes: int) -> None:
        """Raises `Difference`."""
        chance = self._chance
        for self._minute in range(minutes):
            if chance.random() < (0.05 if self._updated is None else 0.008):
                self._change_release()
            self._threads.run(self._works())
            self._client.settle()
            self._check()

    # ------------------------------------------------------------ what happens in a minute

    def _change_release(self) -> None:
        if self._updated is None:
            self._updated = self._minute
            self._outcome.happened["updates"] += 1
        else:
            self._updated, self._left = None, self._minute
            self._outcome.happened["rollbacks"] += 1

    @property
    def _is_old_left(self) -> bool:
        """Whether functions of the older release may run."""
        return self._updated is None or self._minute - self._updated < MIXED

    @property
    def _is_new_left(self) -> bool:
        return self._updated is not None or self._minute - self._left < MIXED

    def _works(self) -> list[Callable[[], None]]:
        chance = self._chance
        works = [self._dispatch if self._updated is not None else self._dispatch_as_before]
        for work, likely, there in (
            (self._dispatch, 0.2, self._updated is not None),
            (self._edit, 0.5, self._is_new_left),
            (self._edit, 0.3, self._is_new_left),
            (self._edit_as_before, 0.3, self._is_old_left),
            (self._close, 0.003, self._is_new_left),
            (self._close_as_before, 0.003, self._is_old_left),
            (self._erase, 0.9, self._updated is not None),
        ):
            if there and chance.random() < likely:
                works.append(work)
        chance.shuffle(works)
        return [_surviving(work) for work in works]

    def _dispatch(self) -> None:
        table, now = self._table(), self._now()
        pauses = PauseSurvey(table, lambda: now)
        survey = pauses.read()
        dispatcher = Dispatcher(_Slots(MonitorStore(table)), self, lanes=1)
        dispatcher.dispatch(self._moment(), pauses_are_marked=survey.is_done)
        pauses.go_on(survey, lambda: self._chance.choice([100.0] * 5 + [1.0]))

    def _dispatch_as_before(self) -> None:
        text = to_text(self._moment())
        self._table().write(
            Update(WATERMARK, values={"minute": text}, condition=less_or_absent("minute", text))
        )

    def send(self, orders: Iterable[SweepOrder]) -> None:
        """As the queue."""
        self._queued += orders

    def _edit(self) -> None:
        tenants, paused = self._tenants(self._table()), self._chance.random() < 0.4
        if self._chance.random() < 0.3:
            patch_of = OrganizationPatch(paused=paused)
            organization_id = self._chance.choice(self._organizations).id
            tenants.change_organization(organization_id, patch_of, _ANY, self._now())
        else:
            slug = self._chance.choice(self._spaces).slug
            tenants.change_space(slug, SpacePatch(paused=paused), _ANY, self._now())
        self._outcome.happened["edits"] += 1

    def _edit_as_before(self) -> None:
        table = self._table()
        space = self._chance.choice(self._spaces)
        key = space_key(space.organization_id, space.slug)
        if self._chance.random() < 0.3:
            key = organization_key(space.organization_id)
        item = table.get(key)
        if item is None:
            return
        revision = item.get("revision", 1)
        unchanged = equals("revision", revision) if "revision" in item else PRESENT
        values = {"paused": self._chance.random() < 0.4, "revision": revision + 1}
        table.transact([Update(key, values=values, condition=PRESENT & unchanged)])
        self._outcome.happened["edits as before"] += 1

    def _close(self, table: Table | None = None) -> None:
        table = table or self._table()
        one = self._tenants(table).organization(self._chance.choice(self._organizations).id)
        gone = Delete(organization_key(one.id), PRESENT)
        ErasureStore(table).accept(one, gone, self._now())
        self._outcome.happened["organizations closed"] += 1

    def _close_as_before(self) -> None:
        self._close(_WithoutMarks("integrations", self._client_of_process()))

    def _erase(self) -> None:
        """One run of the eraser, which may come to the plans, and to its end."""
        store = ErasureStore(self._table())
        for organization_id in list(store.queued()):
            if run := store.begin(organization_id, self._now()):
                store.keep_paused(run)
                mine = [s.id for s in self._spaces if s.organization_id == organization_id]
                if self._chance.random() < 0.05:
                    for space_id in mine:
                        self._plans.pop(space_id, None)
                    store.finish(run, self._now())
                else:
                    store.keep(run, self._now())

    # ------------------------------------------------------------ what sweeps find

    def _check(self) -> None:
        plans = list(self._plans.values())
        expected = [plan.space_id for plan in plans if self._is_running(plan)]
        for order in self._queued:
            marked = order.sweep.pauses_are_marked
            found = PauseReader(self._direct).running(plans, are_marked=marked)
            if [plan.space_id for plan in found] != expected:
                raise Difference(f"minute {self._minute}: running {found}, and not {expected}")
            self._outcome.marked += marked
            self._outcome.read += not marked
        self._queued.clear()

    def _is_running(self, plan: MonitorPlan) -> bool:
        organization = self._direct.get(organization_key(plan.organization_id))
        space = self._direct.get(space_key(plan.organization_id, plan.space)) or {}
        return not (organization is None or organization.get("paused") or space.get("paused"))

    # ------------------------------------------------------------ the world

    def _moment(self) -> datetime:
        return START + self._minute * MINUTE

    def _now(self) -> datetime:
        """By the clock of one process."""
        return self._moment() + self._chance.choice([-1, 0, 0, 1]) * MINUTE

    def _stamp(self) -> Stamp:
        return Stamp.fresh(self._moment())

    def _table(self) -> Table:
        return Table("integrations", self._client_of_process())

    def _client_of_process(self) -> Any:
        return FaultyClient(
            self._client,
            self._chance,
            self._threads.pause,
            self._outcome.happened,
            rate=RATE,
            conflicts=1,
        )

    def _tenants(self, table: Table) -> TenancyStore:
        return TenancyStore(table, Quotas(table, lambda _: 10_000))


class _Slots:
    """One slot is occupied at each minute."""

    def __init__(self, store: MonitorStore) -> None:
        self.watermark, self.advance = store.watermark, store.advance

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]:
        is_there = interval == MonitorInterval.MINUTE
        return [Slot(interval, phase, 0, lanes, has_plans=True)] if is_there else []


class _WithoutMarks(Table):
    """As the older release writes."""

    def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
        known = [one for one in writes if not (isinstance(one, Put) and one.item["pk"] == PAUSED)]
        super().transact(known, attempts=attempts)


_ANY: Final = None


def run_pauses(seeds: Iterable[int], minutes: int = 400) -> PausesOutcome:
    """Runs a schedule for each seed. Raises `Difference`."""
    outcome = PausesOutcome()
    for seed in seeds:
        chance = Random(seed)  # noqa: S311 - schedules, guards nothing
        with _small(chance):
            PausedWorld(seed, outcome).run(minutes)
    return outcome


@contextmanager
def _small(chance: Random) -> Iterator[None]:
    """A survey in several runs, and pages that read some of the marks, or all."""
    reader, survey = "patchbay.monitors.pause_reader", "patchbay.monitors.pause_survey"
    with ExitStack() as patches:
        for name, value in (
            (f"{reader}.FEW", 0),
            (f"{reader}.MARKS_OF_A_UNIT", chance.choice([1, 2, 75])),
            (f"{reader}.MARKS_PER_ITEM", 0),
            (f"{survey}.ORGANIZATIONS_AT_ONCE", chance.choice([1, 2, 250])),
            ("time.sleep", lambda _: None),
        ):
            patches.enter_context(patch(name, value))
        yield


def _plan_of(space: Space) -> MonitorPlan:
    key = Group(MonitorInterval.MINUTE, f"s{space.id}").plan_key("con_1")
    return MonitorPlan.new(
        PlanPlace(*key, since=0),
        organization_id=space.organization_id,
        space_id=space.id,
        space=space.slug,
    )


def _surviving(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with suppress(Crash, PatchbayError, ConditionFailed, TransactionRefused):
            work()

    return run


def _typed(client: Any) -> Any:
    return client
