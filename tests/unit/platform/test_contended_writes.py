"""A single write that meets the transaction of another is repeated, as a transaction is."""

from typing import Any

import pytest

from patchbay.platform.dynamodb import (
    ABSENT,
    ConditionFailed,
    Contended,
    Delete,
    Key,
    Put,
    Table,
    Update,
)
from patchbay.platform.dynamodb_client import DynamoDBError
from tests.simulator.memory_dynamodb import MemoryClient

KEY = Key("a", "b")
PUT = Put({**KEY._asdict(), "n": 2})
WRITES: list[Put | Update | Delete] = [PUT, Update(KEY, values={"n": 2}), Delete(KEY)]


class Contested(MemoryClient):
    """A transaction of another has the item for the first writes."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = 0
        self.left = conflicts

    def _meet(self, operation: str) -> None:
        if self.left:
            self.left -= 1
            self.conflicts += 1
            raise DynamoDBError(operation, "TransactionConflictException", "ongoing")

    def put_item(self, **request: Any) -> Any:
        self._meet("PutItem")
        return super().put_item(**request)

    def update_item(self, **request: Any) -> Any:
        self._meet("UpdateItem")
        return super().update_item(**request)

    def delete_item(self, **request: Any) -> Any:
        self._meet("DeleteItem")
        return super().delete_item(**request)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbay.platform.dynamodb.pause_seconds", lambda _: 0.0)


@pytest.mark.parametrize("write", WRITES, ids=["put", "update", "delete"])
def test_a_write_waits_for_the_transaction_and_is_made_once(write: Put | Update | Delete) -> None:
    client = Contested(conflicts=5)
    table = Table("t", client)
    table.write(write)
    found = table.get(KEY)
    assert client.conflicts == 5
    assert found == (None if isinstance(write, Delete) else {**KEY._asdict(), "n": 2})


def test_what_stays_contended_is_told_and_not_written() -> None:
    client = Contested(conflicts=6)
    table = Table("t", client)
    with pytest.raises(Contended):
        table.write(PUT)
    assert (client.left, table.get(KEY)) == (0, None)


def test_a_condition_that_does_not_hold_is_not_tried_again() -> None:
    client = Contested(conflicts=1)
    table = Table("t", client)
    table.write(PUT)
    client.left = 1
    with pytest.raises(ConditionFailed) as failed:
        table.write(Put({**KEY._asdict(), "n": 3}, ABSENT))
    assert failed.value.item == {**KEY._asdict(), "n": 2}
    assert client.conflicts == 2
