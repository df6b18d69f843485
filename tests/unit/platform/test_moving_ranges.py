"""A page of a query whose range has moved on since the page before, as DynamoDB would refuse it."""

from typing import Any

import pytest

from patchbay.platform.dynamodb import Put, Table
from tests.simulator.memory_dynamodb import MemoryClient

KEYS = [f"k{number}" for number in range(10)]
BOTH = pytest.mark.parametrize("newest_first", [False, True])


@pytest.fixture
def table() -> Table:
    client: Any = MemoryClient()
    table = Table("events", client)
    for key in ["a", *KEYS, "z"]:
        table.write(Put({"pk": "p", "sk": key}))
    return table


def page(table: Table, after: str, **narrowed: Any) -> list[str]:
    found = table.query("p", start={"pk": "p", "sk": after}, **narrowed)
    assert found.last_key is None
    return [item["sk"] for item in found.items]


def test_newest_first_a_lower_bound_that_overtook_the_cursor_leaves_nothing(table: Table) -> None:
    first = table.query("p", between=("k2", "k9"), newest_first=True, limit=5)
    assert first.last_key == {"pk": "p", "sk": "k5"}
    # While the list goes on from k5, what is older than k7 expires
    assert page(table, "k5", between=("k7", "k9"), newest_first=True) == []
    # At the bound itself, nothing is left either
    assert page(table, "k7", between=("k7", "k9"), newest_first=True) == []
    assert page(table, "k8", between=("k7", "k9"), newest_first=True) == ["k7"]


def test_oldest_first_it_goes_on_at_the_bound(table: Table) -> None:
    assert page(table, "k5", between=("k7", "k9")) == ["k7", "k8", "k9"]
    assert page(table, "k5", between=("k1", "k4")) == []


def test_newest_first_an_upper_bound_below_the_cursor_begins_there(table: Table) -> None:
    assert page(table, "k8", between=("k1", "k2"), newest_first=True) == ["k2", "k1"]


@BOTH
def test_a_range_without_a_place_is_empty(table: Table, newest_first: bool) -> None:
    assert table.query("p", between=("k5", "k4"), newest_first=newest_first).items == []
    assert page(table, "k4", between=("k5", "k4"), newest_first=newest_first) == []
    assert list(table.query_all("p", between=("k5", "k4"))) == []


def test_a_cursor_outside_a_prefix(table: Table) -> None:
    assert page(table, "a", prefix="k") == KEYS
    assert page(table, "z", prefix="k") == []
    assert page(table, "a", prefix="k", newest_first=True) == []
    assert page(table, "z", prefix="k", newest_first=True) == KEYS[::-1]
    assert page(table, "k3", prefix="k") == KEYS[4:]


@BOTH
def test_without_a_range_a_cursor_is_anywhere(table: Table, newest_first: bool) -> None:
    assert page(table, "k3", newest_first=newest_first)
