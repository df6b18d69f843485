"""What moto is made to do as DynamoDB does it, by many threads at once."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from patchbay.platform import aws as services
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
)
from patchbay.platform.dynamodb_client import DynamoDBError
from tests.integration.moto_as_dynamodb import nothing_refused, refused_by_dynamodb

NOBODY = Check(Key("nobody", "META"), PRESENT)


@pytest.fixture(autouse=True)
def _threads_that_meet() -> Iterator[None]:
    """Python changes between threads so often that what can meet does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_refused_transaction_takes_back_its_own_writes_and_no_others(
    integrations_table: Table,
) -> None:
    table = integrations_table
    table.write(Put({"pk": "a", "sk": "META", "n": 1}))

    def write(number: int) -> None:
        table.write(Put({"pk": f"p{number}", "sk": "META"}))
        with pytest.raises(TransactionRefused):
            table.transact([Put({"pk": f"r{number}", "sk": "META"}), NOBODY])
        with pytest.raises(TransactionRefused):
            table.transact([Update(Key("a", "META"), values={"n": number}), NOBODY])
        assert list(table.query_all(f"r{number}")) == []

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert all(table.get(Key(f"p{number}", "META")) for number in range(40))
    assert table.get(Key("a", "META")) == {"pk": "a", "sk": "META", "n": 1}


def test_a_value_of_every_type_comes_back_as_it_was_written(integrations_table: Table) -> None:
    item = {"pk": "a", "sk": "b", "n": -7, "text": "ü", "bytes": b"\x00\xff", "none": None}
    item |= {"list": [1, "a", b"b", {"x": [True]}], "map": {"y": {"z": b"\x01"}}, "empty": {}}
    integrations_table.write(Put(item))
    assert integrations_table.get(Key("a", "b")) == item
    with pytest.raises(ConditionFailed) as failed:
        integrations_table.write(Put({"pk": "a", "sk": "b"}, ABSENT))
    assert failed.value.item == item


def test_an_item_that_grows_too_large_is_refused(integrations_table: Table) -> None:
    integrations_table.write(Put({"pk": "a", "sk": "b"}))
    for number in range(4):
        integrations_table.write(Update(Key("a", "b"), values={f"text{number}": "x" * 90_000}))
    for write in (
        Update(Key("a", "b"), values={"text4": "x" * 90_000}),
        Put({"pk": "a", "sk": "c", "list": ["x" * 90_000] * 5}),
    ):
        with (
            refused_by_dynamodb() as reasons,
            pytest.raises(DynamoDBError, match="exceeded the maximum allowed size"),
        ):
            integrations_table.write(write)
        assert len(reasons) == 1
    # What takes the place of another attribute is no growth
    for _ in range(9):
        integrations_table.write(Update(Key("a", "b"), values={"text0": "y" * 10_000}))


def test_what_dynamodb_refuses_reaches_no_table_and_fails_the_test(
    integrations_table: Table,
) -> None:
    with refused_by_dynamodb() as reasons, pytest.raises(DynamoDBError, match="empty"):
        integrations_table.write(Put({"pk": "a", "sk": ""}))
    assert len(reasons) == 1
    assert integrations_table.query("a").items == []
    # It is a failure even where the code has coped with it
    with (
        pytest.raises(AssertionError, match="empty"),
        nothing_refused(),
        pytest.raises(DynamoDBError),
    ):
        integrations_table.write(Put({"pk": "a", "sk": ""}))


def test_requests_of_other_clients_are_held_against_it_too(integrations_table: Table) -> None:
    client = services.client("dynamodb")
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    writes = [{"DeleteRequest": {"Key": {**key, "sk": {"S": str(n)}}}} for n in range(26)]
    with refused_by_dynamodb(), pytest.raises(client.exceptions.ClientError) as refused:
        client.batch_write_item(RequestItems={integrations_table.name: writes})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    client.put_item(TableName=integrations_table.name, Item={**key, "n": {"B": b"1"}})
    update = {"TableName": integrations_table.name, "Key": key}
    names = {"ExpressionAttributeNames": {"#n": "more"}}
    values = {"ExpressionAttributeValues": {":n": {"S": "x" * (400 * 1024)}}}
    action = {"Update": {**update, "UpdateExpression": "SET #n = :n", **names, **values}}
    with refused_by_dynamodb(), pytest.raises(client.exceptions.ClientError) as refused:
        client.transact_write_items(TransactItems=[action])
    assert refused.value.response["CancellationReasons"][0]["Code"] == "ValidationError"


def test_pages_end_where_dynamodb_ends_them(integrations_table: Table) -> None:
    keys = [Key("a", f"{number:02}") for number in range(45)]
    for key in keys:
        integrations_table.write(Put({**key._asdict(), "text": "x" * 390_000}))
    assert len(integrations_table.query("a").items) == 2
    answer = services.client("dynamodb").batch_get_item(
        RequestItems={
            integrations_table.name: {
                "Keys": [{"pk": {"S": key.pk}, "sk": {"S": key.sk}} for key in keys]
            }
        }
    )
    assert len(answer["Responses"][integrations_table.name]) == 43
    assert len(answer["UnprocessedKeys"][integrations_table.name]["Keys"]) == 2
    assert len(integrations_table.get_all(keys)) == 45
