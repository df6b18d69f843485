"""The DynamoDB of the simulators answers as moto does: the same calls of `Table` against both.

Left out is where moto differs from the service: it compares values of different types, and null
with what is absent, and a page that ends with its limit and the list has no last key.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    at_most,
    equals,
    exists,
    less_or_absent,
    without,
)
from tests.simulator.memory_dynamodb import MemoryClient

PKS = ("a", "b#R")
SKS = ("0000000001#5m#0", "0000000001#5m#0#con", "0000000002#5m#0", "D#2026-02-17#M", "D#~")
VALUES: Sequence[Any] = (1, 2, 10, "1", "x", b"\x00\xff", [["p", 3], "q"], {"n": 1})
TEXTS = ("u", "x", "y")


class Calls:
    """Random calls of `Table`, as they are made by turns."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311 - repeatable

    def next(self) -> Callable[[Table], Any]:
        chance = self._chance
        kind = chance.choice(("write", "write", "write", "transact", "get", "get_all", "query"))
        if kind == "write":
            write: Any = self._write()
            return lambda table: table.write(write)
        if kind == "transact":
            places = chance.sample([Key(pk, sk) for pk in PKS for sk in SKS], 3)
            writes = [self._write(key, may_check=True) for key in places]
            return lambda table: table.transact(writes)
        if kind == "get":
            key = self._key()
            return lambda table: table.get(key)
        if kind == "get_all":
            keys = [self._key() for _ in range(4)]
            return lambda table: table.get_all(keys)
        return self._query()

    def _query(self) -> Callable[[Table], Any]:
        chance = self._chance
        low, high = sorted(chance.choices(SKS, k=2))
        narrowed: dict[str, Any] = chance.choice(
            ({}, {"between": (low, high)}, {"prefix": low[:3]}, {"prefix": "D#"})
        )
        narrowed = {**narrowed, "newest_first": chance.random() < 0.5}
        if chance.random() < 0.5:
            narrowed["limit"] = chance.randint(1, 3)
        if chance.random() < 0.3:
            narrowed["attributes"] = ("sk", "one")
        pk = chance.choice(PKS)
        return lambda table: (
            table.query(pk, **narrowed).items,
            list(table.query_all(pk, **narrowed)),
        )

    def _write(self, key: Key | None = None, *, may_check: bool = False) -> Write:
        chance, key = self._chance, key or self._key()
        condition = self._condition()
        kind = chance.choice(("put", "put", "update", "delete", "check"))
        if kind == "check" and may_check:
            return Check(key, condition or PRESENT)
        if kind == "delete":
            return Delete(key, condition)
        if kind == "update":
            names = chance.sample(("one", "two", "number"), 2)
            return Update(
                key,
                values={names[0]: self._value_of(names[0])},
                add={"number": chance.choice((1, -2))} if "number" not in names else {},
                remove=(names[1],),
                condition=condition,
            )
        item = {**key._asdict(), "one": self._value_of("one"), "number": chance.randrange(5)}
        return Put(item, condition)

    def _condition(self) -> Condition | None:
        chance = self._chance
        found: Condition | None = None
        for _ in range(chance.choice((0, 1, 1, 2))):
            one = chance.choice(
                (
                    ABSENT,
                    PRESENT,
                    exists("one"),
                    without("two"),
                    equals("one", self._value_of("one")),
                    at_most("number", chance.randrange(4)),
                    less_or_absent("two", "x"),
                    equals("number", 2) | without("one"),
                )
            )
            found = one if found is None else found & one
        return found

    def _key(self) -> Key:
        return Key(self._chance.choice(PKS), self._chance.choice(SKS))

    def _value_of(self, name: str) -> Any:
        return self._chance.choice({"one": VALUES, "two": TEXTS, "number": range(9)}[name])


def outcome(call: Callable[[Table], Any], table: Table) -> Any:
    try:
        return call(table)
    except ConditionFailed as failed:
        return ("refused", failed.item)
    except TransactionRefused as refused:
        return ("refused", dict(refused.failed))


@pytest.mark.parametrize("seed", range(2))
def test_both_answer_the_same(events_table: Table, seed: int) -> None:
    client: Any = MemoryClient()
    memory = Table("events", client)
    calls = Calls(seed)
    refused = 0
    for number in range(150):
        call = calls.next()
        expected, found = outcome(call, events_table), outcome(call, memory)
        assert found == expected, number
        refused += isinstance(expected, tuple) and expected[:1] == ("refused",)
    assert refused > 20
    for pk in PKS:
        assert list(memory.query_all(pk)) == list(events_table.query_all(pk))
