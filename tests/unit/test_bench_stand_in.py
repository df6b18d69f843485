"""The stand-in for AWS that benches measure against: its answers, and what it counts."""

import json
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from bench.memory_tables import MemoryTables, Refused
from bench.stand_in import StandIn, stand_in

pytestmark = pytest.mark.enable_socket

TABLE = "IntegrationsTable"
RESOURCES = {
    TABLE: {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "all",
                    "KeySchema": [{"AttributeName": "all_pk"}, {"AttributeName": "all_sk"}],
                    "Projection": {"ProjectionType": "ALL"},
                },
                {
                    "IndexName": "keys",
                    "KeySchema": [{"AttributeName": "keys_pk"}, {"AttributeName": "keys_sk"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                },
            ]
        },
    }
}


def key(sk: str) -> dict[str, Any]:
    return {"pk": {"S": "ORG#o"}, "sk": {"S": sk}}


def put(tables: MemoryTables, sk: str, size: int = 0, **attributes: str) -> None:
    item = {**key(sk), "x": {"S": "x" * size}}
    item |= {name: {"S": value} for name, value in attributes.items()}
    tables.call("PutItem", {"TableName": TABLE, "Item": item})


def written(tables: MemoryTables) -> dict[str, int]:
    found = dict(tables.counts.written)
    tables.counts.written.clear()
    return found


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables(RESOURCES)


def test_a_write_costs_the_larger_size_and_a_transaction_twice_that(tables: MemoryTables) -> None:
    put(tables, "SRC#1", 900)
    assert written(tables) == {"ORG SRC": 1}
    put(tables, "SRC#1", 2000)
    assert written(tables) == {"ORG SRC": 2}
    put(tables, "SRC#1", 1)
    assert written(tables) == {"ORG SRC": 2}
    check = {"TableName": TABLE, "Key": key("SRC#1"), "ConditionExpression": "attribute_exists(pk)"}
    item = {"TableName": TABLE, "Item": key("DST#1")}
    asked = {"TransactItems": [{"ConditionCheck": check}, {"Put": item}]}
    tables.call("TransactWriteItems", asked)
    assert written(tables) == {"ORG SRC": 2, "ORG DST": 2}


def test_an_index_costs_what_changes_in_it(tables: MemoryTables) -> None:
    indexed = {"all_pk": "A", "all_sk": "1", "keys_pk": "K", "keys_sk": "1"}
    put(tables, "CON#1", 10, **indexed)
    assert written(tables) == {"ORG CON": 1, "index all": 1, "index keys": 1}
    put(tables, "CON#1", 11, **indexed)
    assert written(tables) == {"ORG CON": 1, "index all": 1}
    put(tables, "CON#1", 11, **indexed | {"keys_sk": "2"})
    assert written(tables) == {"ORG CON": 1, "index all": 1, "index keys": 2}
    tables.call("DeleteItem", {"TableName": TABLE, "Key": key("CON#1")})
    assert written(tables) == {"ORG CON": 1, "index all": 1, "index keys": 1}


def test_reads_cost_by_size_and_consistency(tables: MemoryTables) -> None:
    for number in range(3):
        put(tables, f"SRC#{number}", 3000)
    asked: dict[str, Any] = {"TableName": TABLE, "Key": key("SRC#0")}
    tables.call("GetItem", asked)
    tables.call("GetItem", asked | {"ConsistentRead": True})
    assert tables.counts.read["ORG SRC"] == 1.5
    values = {":pk": {"S": "ORG#o"}, ":prefix": {"S": "SRC#"}}
    asked = {"TableName": TABLE, "ExpressionAttributeValues": values, "ConsistentRead": True}
    assert tables.call("Query", asked)["Count"] == 3
    assert tables.counts.read["ORG SRC"] == 1.5 + 3


def test_queries_have_ranges_pages_and_both_directions(tables: MemoryTables) -> None:
    for number in range(5):
        put(tables, f"SRC#{number}")
    put(tables, "SRC#2#x")
    values = {":pk": {"S": "ORG#o"}, ":low": {"S": "SRC#1"}, ":high": {"S": "SRC#2"}}
    asked: dict[str, Any] = {"TableName": TABLE, "ExpressionAttributeValues": values}

    def found(**more: Any) -> list[str]:
        return [item["sk"]["S"] for item in tables.call("Query", asked | more)["Items"]]

    assert found() == ["SRC#1", "SRC#2"]
    assert found(ScanIndexForward=False) == ["SRC#2", "SRC#1"]
    assert found(Limit=1) == ["SRC#1"]
    start = tables.call("Query", asked | {"Limit": 1})["LastEvaluatedKey"]
    assert found(ExclusiveStartKey=start) == ["SRC#2"]
    assert found(ExclusiveStartKey=key("SRC#2"), ScanIndexForward=False) == ["SRC#1"]


def test_a_condition_that_does_not_hold_is_refused_with_what_stands_there(
    tables: MemoryTables,
) -> None:
    put(tables, "SRC#1", 1500)
    written(tables)
    once = {"ConditionExpression": "attribute_not_exists(pk)"}
    with pytest.raises(Refused) as refused:
        tables.call("PutItem", {"TableName": TABLE, "Item": key("SRC#1"), **once})
    assert refused.value.answer["Item"]["sk"] == {"S": "SRC#1"}
    assert written(tables) == {"ORG SRC": 2}
    action = {"Put": {"TableName": TABLE, "Item": key("SRC#1"), **once}}
    with pytest.raises(Refused) as refused:
        tables.call("TransactWriteItems", {"TransactItems": [action]})
    [reason] = refused.value.answer["CancellationReasons"]
    assert reason["Code"] == "ConditionalCheckFailed"


@pytest.fixture(scope="module")
def aws() -> Iterator[StandIn]:
    with stand_in() as started:
        yield started


def test_it_answers_over_a_kept_connection_with_the_checksum(aws: StandIn) -> None:
    aws.counts()
    connection = HTTPConnection(aws.url.removeprefix("http://"), timeout=10)
    try:
        for service, asked in (
            ("DynamoDB_20120810.PutItem", {"TableName": TABLE, "Item": key("SRC#1")}),
            ("DynamoDB_20120810.GetItem", {"TableName": TABLE, "Key": key("SRC#1")}),
            ("AmazonSQS.SendMessage", {"QueueUrl": "http://x/0/MonitorQueue", "MessageBody": "m"}),
        ):
            connection.request("POST", "/", json.dumps(asked), {"X-Amz-Target": service})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200
            assert answer.headers["x-amz-crc32"] == str(zlib.crc32(body))
    finally:
        connection.close()
    counts = aws.counts()
    assert counts["calls"] == {"PutItem": 1, "GetItem": 1}
    assert counts["other"] == {"SQS.SendMessage": 1}
    assert [message["body"] for message in aws.messages("MonitorQueue")] == ["m"]
    assert aws.messages("MonitorQueue") == []
    assert aws.stored() == {"ORG SRC": {"bytes": 114, "items": 1}}
