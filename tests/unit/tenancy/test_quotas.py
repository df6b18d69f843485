"""Counts of what organizations have: the conditions of each write, without a table."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import pytest

from patchbay.platform.dynamodb import (
    ABSENT,
    Condition,
    ConditionFailed,
    Delete,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
)
from patchbay.platform.errors import QuotaExceeded, TemporarilyUnavailable
from patchbay.tenancy.keys import quotas_key
from patchbay.tenancy.model import OrganizationQuota
from patchbay.tenancy.quotas import (
    API_KEY_QUOTA,
    NAMES,
    SPACE_QUOTA,
    Count,
    Quota,
    Quotas,
    first_counts,
)

ORG = "org_1"
KEY = quotas_key(ORG)
THINGS = Quota("things", lambda table, owner: cast(OneItem, table).counted(owner))
PARTS = Quota("parts", lambda table, owner: cast(OneItem, table).counted(owner))
OTHER = Put({"pk": "a", "sk": "b"}, ABSENT)


class OneItem:
    """A table with the counts of one organization, where all else succeeds or is refused."""

    def __init__(self, there: int = 0, **item: Any) -> None:
        self.item = item
        self.there = there
        """How many things a query finds."""
        self.during: list[Callable[[], object]] = []
        """What others do during each of the next queries."""
        self.refused: dict[int, dict[str, Any] | None] = {}
        self.writes: list[Sequence[Write]] = []

    def get(self, key: Key) -> dict[str, Any] | None:
        assert key == KEY
        return dict(self.item) or None

    reread = get

    def counted(self, owner: str) -> int:
        assert owner == ORG
        found = self.there
        if self.during:
            self.during.pop(0)()
        return found

    def count(self, pk: str, prefix: str) -> int:
        return {("ORG#org_1", "SPACE#"): 3, ("ORG#org_1", "KEY#"): 4}[pk, prefix]

    def write(self, update: Update) -> None:
        if not self._holds(update):
            raise ConditionFailed(dict(self.item))
        self._apply(update)

    def transact(self, writes: Sequence[Write]) -> None:
        self.writes.append(writes)
        failed = dict(self.refused)
        for position, write in enumerate(writes):
            if isinstance(write, Update) and not self._holds(write):
                failed[position] = dict(self.item) or None
        if failed:
            raise TransactionRefused(failed)
        for write in writes:
            if isinstance(write, Update):
                self._apply(write)

    def _holds(self, update: Update) -> bool:
        assert update.key == KEY
        return update.condition is None or all(self._terms(update.condition))

    def _terms(self, condition: Condition) -> Iterable[bool]:
        for term in condition.expression.split(" AND "):
            assert all(isinstance(name, str) for name in condition.names.values())
            match term.removesuffix(")").replace("(", " ").split():
                case ["attribute_exists", name]:
                    yield condition.names[name] in self.item
                case ["attribute_not_exists", name]:
                    yield condition.names[name] not in self.item
                case [name, "=", value]:
                    used = self.item.get(condition.names[name])
                    yield used is not None and used == condition.values[value]
                case [name, "<=", value]:
                    used = self.item.get(condition.names[name])
                    yield used is not None and used <= condition.values[value]
                case _:
                    raise AssertionError(term)

    def _apply(self, update: Update) -> None:
        self.item |= update.values
        for name, change in update.add.items():
            self.item[name] = self.item.get(name, 0) + change
        for name in update.remove:
            self.item.pop(name, None)


def quotas(table: OneItem, limit: int | None = 10) -> Quotas:
    return Quotas(cast(Table, table), {"things": limit, "parts": limit}.__getitem__)


def one(change: int = 1, quota: Quota = THINGS) -> Count:
    return Count(ORG, quota, change)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, which pass at once."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def test_a_new_organization_has_none_of_each_kind() -> None:
    assert first_counts(ORG) == Put({"pk": KEY.pk, "sk": KEY.sk, **dict.fromkeys(NAMES, 0)}, ABSENT)
    names = {
        *("spaces", "api_keys", "integrations", "releases", "endpoints", "connections"),
        *(
            "deleted_releases",
            "monitored_connections",
            "monitored_tests_per_day",
            "alert_rules",
            "alert_channels",
            "install_sessions",
        ),
    }
    assert names <= set(NAMES)
    assert (SPACE_QUOTA.name, API_KEY_QUOTA.name) == ("spaces", "api_keys")
    table = cast(Table, OneItem())
    assert (SPACE_QUOTA.count(table, ORG), API_KEY_QUOTA.count(table, ORG)) == (3, 4)


def test_a_create_counts_in_the_transaction_of_what_it_creates() -> None:
    table = OneItem(things=9)
    quotas(table).transact([one(), OTHER])
    assert table.item == {"things": 10, "things_changes": 1}
    [[first, counting]] = table.writes
    assert first is OTHER
    assert isinstance(counting, Update)


def test_a_create_without_room_is_refused_and_says_how_much_is_used() -> None:
    table = OneItem(things=10)
    with pytest.raises(QuotaExceeded) as refused:
        quotas(table).transact([OTHER, one()])
    assert refused.value.details == {"quota": "things", "limit": 10, "used": 10}
    assert (table.item, len(table.writes)) == ({"things": 10}, 1)


def test_several_at_once_need_room_for_all() -> None:
    table = OneItem(things=8)
    quotas(table).transact([one(2)])
    assert table.item["things"] == 10
    with pytest.raises(QuotaExceeded):
        quotas(OneItem(things=9)).transact([one(2)])


def test_a_delete_needs_no_room() -> None:
    table = OneItem(things=12)
    quotas(table).transact([OTHER, one(-1)])
    assert table.item == {"things": 11, "things_changes": 1}


def test_what_cancels_out_is_not_counted() -> None:
    table = OneItem(things=10)
    quotas(table).transact([OTHER, one(+1), one(-1)])
    assert table.item == {"things": 10}
    assert table.writes == [[OTHER]]


def test_several_kinds_are_counted_by_one_write() -> None:
    table = OneItem(things=3, parts=0)
    quotas(table).transact([one(-2), OTHER, one(quota=PARTS)])
    assert table.item == {"things": 1, "things_changes": 1, "parts": 1, "parts_changes": 1}
    # One without room is enough for a refusal, and its name is told
    for full in ({"things": 10, "parts": 0}, {"things": 0, "parts": 10}):
        here = OneItem(**full)
        with pytest.raises(QuotaExceeded) as refused:
            quotas(here).transact([one(), one(quota=PARTS)])
        assert refused.value.details["quota"] == max(full, key=lambda name: full[name])
        assert here.item == full


def test_nothing_to_count_is_a_plain_transaction() -> None:
    table = OneItem()
    quotas(table).transact([OTHER])
    assert table.writes == [[OTHER]]
    assert table.item == {}


def test_a_refusal_of_another_write_keeps_its_position_and_counts_nothing() -> None:
    for item in ({"things": 0}, {"things": 10}):
        table = OneItem(**item)
        table.refused = {1: {"x": 1}}
        gone = Delete(Key("a", "b"))
        with pytest.raises(TransactionRefused) as refused:
            quotas(table).transact([one(), OTHER, one(0), gone])
        # The second of the writes to the table is the fourth of these
        assert refused.value.failed == {3: {"x": 1}}
        assert table.item == item
    table.refused = {0: None}
    with pytest.raises(TransactionRefused) as refused:
        quotas(table).transact([OTHER])
    assert refused.value.failed == {0: None}


def test_the_operators_limit_goes_before_the_deployments() -> None:
    table = OneItem(things=10, things_limit=12)
    quotas(table).transact([one()])
    quotas(table).transact([one()])
    assert table.item["things"] == 12
    with pytest.raises(QuotaExceeded) as refused:
        quotas(table).transact([one()])
    assert refused.value.details == {"quota": "things", "limit": 12, "used": 12}
    # Also if it is lower
    low = OneItem(things=1, things_limit=1)
    with pytest.raises(QuotaExceeded):
        quotas(low).transact([one()])
    none = OneItem(things=0, things_limit=0)
    with pytest.raises(QuotaExceeded):
        quotas(none).transact([one()])
    # And for the operator's own commands, which no deployment limits
    with pytest.raises(QuotaExceeded):
        quotas(low, None).transact([one()])


def test_without_a_limit_everything_is_counted_all_the_same() -> None:
    table = OneItem(things=10**6)
    Quotas.without_limits(cast(Table, table)).transact([one()])
    assert table.item["things"] == 10**6 + 1
    late = OneItem(there=5)
    Quotas.without_limits(cast(Table, late)).transact([one()])
    assert late.item["things"] == 6


def test_an_organization_that_is_older_is_counted_before_its_first_create() -> None:
    table = OneItem(there=9)
    quotas(table).transact([OTHER, one()])
    assert table.item == {"things": 10, "things_changes": 1}
    full = OneItem(there=10)
    with pytest.raises(QuotaExceeded) as refused:
        quotas(full).transact([one()])
    assert refused.value.details["used"] == 10
    # A delete needs no count, and leaves its mark
    older = OneItem(there=10)
    quotas(older).transact([one(-1)])
    assert older.item == {"things_changes": 1}
    # Both at once: what is deleted is in no count yet
    both = OneItem(there=3, parts=1)
    quotas(both).transact([one(-1), one(quota=PARTS)])
    assert both.item == {"things_changes": 1, "parts": 2, "parts_changes": 1}
    neither = OneItem(there=3)
    quotas(neither).transact([one(-1), one(quota=PARTS)])
    assert neither.item == {"things_changes": 1, "parts": 4, "parts_changes": 1}


def test_what_lapses_is_counted_again_before_a_create_is_refused() -> None:
    notes = Quota("things", THINGS.count, lapse=True)
    table = OneItem(there=9, things=10)
    quotas(table).transact([one(quota=notes)])
    assert table.item == {"things": 10, "things_changes": 1}
    # Not if there is room for it
    table = OneItem(there=3, things=9)
    quotas(table).transact([one(quota=notes)])
    assert table.item["things"] == 10
    # It is refused if nothing has lapsed, or not enough
    for there, change in ((10, 1), (9, 2)):
        table = OneItem(there=there, things=10)
        with pytest.raises(QuotaExceeded) as refused:
            quotas(table).transact([one(change, notes)])
        assert refused.value.details == {"quota": "things", "limit": 10, "used": there}
        assert table.item == {"things": there}
    # Others are what their count says
    table = OneItem(there=3, things=10)
    with pytest.raises(QuotaExceeded):
        quotas(table).transact([one()])
    assert table.item == {"things": 10}


def test_who_meets_others_on_and_on_is_told_to_come_again() -> None:
    table = OneItem(things=0, things_limit=5)

    def changed(writes: Sequence[Write]) -> None:
        table.writes.append(writes)
        table.item["things_limit"] += 1
        raise TransactionRefused({0: dict(table.item)})

    table.transact = changed  # type: ignore[method-assign]
    with pytest.raises(TemporarilyUnavailable):
        quotas(table).transact([one()])
    assert len(table.writes) == 8


def test_a_recount_that_meets_a_change_begins_again(pauses: list[float]) -> None:
    table = OneItem(there=3, things=7, things_changes=4)

    def create() -> None:
        table.there += 1
        table.item["things_changes"] += 1

    table.during = [create, create]
    assert quotas(table).recount(ORG, THINGS) == 5
    assert table.item["things"] == 5
    first, *later = pauses
    assert (first, len(later)) == (0, 2)
    assert all(0 < pause <= most for pause, most in zip(later, (0.02, 0.04), strict=True))
    table.during = [create] * 8
    with pytest.raises(TemporarilyUnavailable):
        quotas(table).recount(ORG, THINGS)
    assert table.there == 5 + 8


def test_a_first_count_is_not_written_over_a_change() -> None:
    table = OneItem(there=3)
    table.during = [lambda: table.item.update(things_changes=1)]
    assert quotas(table).recount(ORG, THINGS) == 3
    assert table.item == {"things": 3, "things_changes": 1}


def test_a_recount_by_an_index_waits_for_it() -> None:
    waits: list[float] = []
    behind = Quota("things", lambda *_: 3, behind_seconds=2.0)
    Quotas(cast(Table, OneItem()), lambda _: 1, waits.append).recount(ORG, behind)
    Quotas(cast(Table, OneItem()), lambda _: 1, waits.append).recount(ORG, SPACE_QUOTA)
    assert waits == [2.0, 0.0]


def test_use_and_limits_are_shown_and_changed() -> None:
    table = OneItem()
    here = quotas(table)
    assert here.use(ORG, THINGS) == (None, None)
    here.set_limit(ORG, THINGS, 0)
    here.transact([one(-1)])
    assert here.use(ORG, THINGS) == (None, 0)
    table.item["things"] = 4
    assert here.use(ORG, THINGS)._asdict() == {"used": 4, "limit": 0}
    here.set_limit(ORG, THINGS, None)
    assert here.use(ORG, THINGS) == (4, None)
    assert "things_limit" not in table.item


def test_all_quotas_are_listed_with_the_limit_that_holds() -> None:
    limits = {name: number for number, name in enumerate(NAMES, 100)}
    table = OneItem(spaces=3, spaces_limit=0, endpoints=0, api_keys_limit=7)
    told = Quotas(cast(Table, table), limits.get).of(ORG)
    own = {"spaces": (0, 3), "endpoints": (limits["endpoints"], 0), "api_keys": (7, None)}
    expected = [(name, *own.get(name, (limits[name], None))) for name in NAMES]
    assert told == [
        OrganizationQuota(name=name, limit=limit, used=used) for name, limit, used in expected
    ]
    nothing = Quotas(cast(Table, OneItem()), limits.get).of(ORG)
    assert [(one.limit, one.used) for one in nothing] == [(n, None) for n in limits.values()]
