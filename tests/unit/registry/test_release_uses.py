"""Uses of releases: a short form of the simulation, which also has to find what breaks them."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

import pytest

from patchbay.platform.dynamodb import (
    PRESENT,
    Delete,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
)
from patchbay.registry import release_uses, store
from patchbay.registry.keys import integration_key, release_key
from patchbay.registry.release_uses import (
    HELD,
    PERMITS,
    SHARDS,
    USES,
    ReleaseUses,
    begin_use_of_release,
    end_use_of_release,
    no_permits,
    uses_of_integration,
    yanking,
)
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.quotas import Quotas
from tests.simulator.faults import FaultyClient
from tests.simulator.memory_dynamodb import MemoryClient
from tests.simulator.seeded_threads import SeededThreads
from tests.simulator.uses_model import Difference, run_uses


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_uses_are_exact_through_updates_rollbacks_and_faults() -> None:
    happened = run_uses(range(12)).happened
    # Both versions did everything, and every fault came.
    for what in ("creations", "endpoints deleted"):
        assert min(happened[what], happened[f"{what} as before"]) > 100
    for what in ("upgrades", "deletes", "restores", "remarks", "expired", "updates and rollbacks"):
        assert happened[what] > 10
    for fault in ("crashes", "transaction conflicts", "replies lost, calls repeated"):
        assert happened[fault] > 10


def test_what_is_closed_stays_closed_without_faults() -> None:
    assert run_uses(range(100, 106), rate=0).happened["creations"] > 50


def _without_held(patched: pytest.MonkeyPatch) -> None:
    """A rolled back version takes for unused what is counted apart."""
    patched.setattr(release_uses, "HELD", 0)


def _permits_stay(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(store, "no_permits", lambda _: [])


def _yanks_close_nothing(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(store, "yanking", lambda *_, **__: (PRESENT, []))


def _ends_are_counted_twice(patched: pytest.MonkeyPatch) -> None:
    def twice(ended: Update) -> Update:
        return Update(once(ended).key, add={"uses": -2}, condition=PRESENT)

    once = release_uses._at_the_release
    patched.setattr(release_uses, "_at_the_release", twice)


MUTANTS = (_without_held, _permits_stay, _yanks_close_nothing, _ends_are_counted_twice)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__.lstrip("_"))
def test_the_simulation_finds_it(monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    mutant(monkeypatch)
    with pytest.raises(Difference):
        run_uses(range(100))


class OvertakenTable(Table):
    """Somebody else is first: before each transaction comes the next one of `before`."""

    def __init__(self) -> None:
        super().__init__("integrations", MemoryClient())
        self.before: list[Callable[[], object]] = []

    def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
        if self.before:
            self.before.pop(0)()
        super().transact(writes, attempts=attempts)


CRM, OPEN = "int_crm", {"revision": 1}
KEY, RELEASE = integration_key(CRM), release_key(CRM, "1.0.0")


@pytest.fixture
def table() -> OvertakenTable:
    table = OvertakenTable()
    table.write(Put({**KEY._asdict(), **OPEN}))
    table.write(Put({**RELEASE._asdict(), "uses": 0}))
    return table


def create(table: Table, endpoint_id: str = "src_1") -> None:
    writes: list[Write] = [
        Put({"pk": "ORG#o", "sk": endpoint_id}),
        *begin_use_of_release(CRM, "1.0.0", endpoint_id),
    ]
    ReleaseUses(table).within(table.transact)(writes)


def drop(table: Table, endpoint_id: str = "src_1") -> None:
    writes: list[Write] = [
        Delete(Key("ORG#o", endpoint_id)),
        end_use_of_release(CRM, "1.0.0", endpoint_id),
    ]
    ReleaseUses(table).within(table.transact)(writes)


def mark_deleted(table: Table) -> None:
    """As an earlier version deletes: permits stay."""
    table.write(Update(KEY, values={"expires_at": 1, "revision": 2}))


def test_the_first_creation_has_the_release_counted_apart_and_no_other_writes_it(
    table: OvertakenTable,
) -> None:
    create(table)
    release = table.get(RELEASE)
    create(table, "src_2")
    assert table.get(RELEASE) == release == {**RELEASE._asdict(), "apart": True, "uses": HELD}
    assert uses_of_integration(table, CRM) == 2
    permits, shards = table.count(KEY.pk, PERMITS), table.count(KEY.pk, USES)
    assert (permits, shards) == (SHARDS, SHARDS)


def test_permits_are_not_made_again_beside_a_delete(table: OvertakenTable) -> None:
    table.before = [lambda: None, lambda: mark_deleted(table)]
    with pytest.raises(TransactionRefused):
        create(table)
    assert table.count(KEY.pk, PERMITS) == 0
    assert uses_of_integration(table, CRM) == 0


def test_a_release_is_not_counted_apart_beside_a_yank(table: OvertakenTable) -> None:
    def yank() -> None:
        table.write(Update(RELEASE, values={"yanked": "broken"}))
        table.write(Update(KEY, values={"revision": 2}))

    table.before = [lambda: None, yank]
    with pytest.raises(TransactionRefused):
        create(table)
    release = table.get(RELEASE)
    assert release == {**RELEASE._asdict(), "uses": 0, "yanked": "broken"}


def test_a_release_that_is_used_in_the_moment_of_its_expiry_stays(table: OvertakenTable) -> None:
    """By a creation with a permit that an earlier version left."""
    create(table)
    drop(table)
    mark_deleted(table)
    table.before = [lambda: create(table, "src_2")]
    registry = RegistryStore(table, Quotas.without_limits(table))
    registry.let_go(CRM, "1.0.0", datetime(2026, 2, 17, tzinfo=UTC))
    release = table.get(RELEASE)
    assert release is not None
    assert "expires_at" not in release
    assert uses_of_integration(table, CRM) == 1


def test_a_release_whose_shards_are_missing_counts_as_used(table: OvertakenTable) -> None:
    """An earlier version erases what it does not know, but keeps what has uses."""
    create(table)
    drop(table)
    lost = table.query(KEY.pk, prefix=USES).items[0]
    table.write(Delete(Key(lost["pk"], lost["sk"])))
    assert ReleaseUses(table).unused(table.get(RELEASE) or {}) is None


def test_what_an_earlier_version_left_is_put_right_by_the_next_creation(
    table: OvertakenTable,
) -> None:
    # Given permits that are gone and shards that are closed, though all of it is open again
    create(table)
    table.transact(no_permits(CRM))
    condition, shards = yanking(table.get(RELEASE) or {}, is_yanked=True)
    table.transact(shards)
    assert condition
    # Then the next creation succeeds
    create(table, "src_2")
    assert uses_of_integration(table, CRM) == 2


def test_creations_at_once_make_the_shards_once() -> None:
    for seed in range(30):
        chance = Random(seed)  # noqa: S311 - schedules, guards nothing
        client, threads = MemoryClient(), SeededThreads(chance)
        direct = Table("integrations", client)
        direct.write(Put({**KEY._asdict(), **OPEN}))
        direct.write(Put({**RELEASE._asdict(), "uses": 3}))
        happened: Counter[str] = Counter()

        def create_one(number: int, chance: Random = chance) -> None:
            faulty: Any = FaultyClient(client, chance, threads.pause, happened, rate=0)  # noqa: B023
            create(Table("integrations", faulty), f"src_{number}")

        threads.run([partial(create_one, number) for number in range(5)])
        assert uses_of_integration(direct, CRM) == 3 + 5
