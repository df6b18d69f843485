"""Each limit of DynamoDB that emulators don't hold: at it, and one beyond."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.dynamodb_limits import Refused, check, item_bytes

TABLE = "T"
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}


def text(length: int) -> dict[str, str]:
    return {"S": "x" * length}


def key(sk: str, pk: str = "a") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def put(item: Mapping[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "PutItem", {"TableName": TABLE, "Item": {**KEY, **item}, **more}


def update(expression: str, names: str = "", **values: Any) -> tuple[str, dict[str, Any]]:
    """With names of one letter, each for itself."""
    request: dict[str, Any] = {"TableName": TABLE, "Key": KEY, "UpdateExpression": expression}
    if names:
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in names.split()}
    if values:
        request["ExpressionAttributeValues"] = {f":{n}": value for n, value in values.items()}
    return "UpdateItem", request


def query(condition: str = "", start: Any = None, **values: str) -> tuple[str, dict[str, Any]]:
    request: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": f"#pk = :pk{condition}",
        "ExpressionAttributeNames": {"#pk": "pk", **({"#sk": "sk"} if condition else {})},
        "ExpressionAttributeValues": {
            f":{name}": {"S": value} for name, value in {"pk": "a", **values}.items()
        },
    }
    if start:
        request["ExclusiveStartKey"] = start
    return "Query", request


def read(*keys: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "BatchGetItem", {"RequestItems": {TABLE: {"Keys": list(keys)}}}


def written(*writes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "BatchWriteItem", {"RequestItems": {TABLE: list(writes)}}


def transaction(*actions: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "TransactWriteItems", {"TransactItems": list(actions), **more}


def deleted(sk: str) -> dict[str, Any]:
    return {"Delete": {"TableName": TABLE, "Key": key(sk)}}


def placed(sk: str, length: int = 1) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": {**key(sk), "t": text(length)}}}


def levels(count: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(count - 1):
        value = {"L": [value]}
    return value


def many(form: str, count: int, joint: str = " AND ") -> str:
    return joint.join([form] * count)


WHOLE = 400 * 1024 - item_bytes({**KEY, "t": text(0)})
NAMED = {"ExpressionAttributeNames": {"#n": "n"}}
VALUED = {**NAMED, "ExpressionAttributeValues": {":n": {"N": "1"}}}
START = {**KEY, "by_pk": {"S": "o"}, "by_sk": {"S": "c"}}
BETWEEN = " AND #sk BETWEEN :low AND :high"
OF_INDEX = {
    "TableName": TABLE,
    "IndexName": "by",
    "KeyConditionExpression": "#pk = :pk AND #sk >= :low",
    "ExpressionAttributeNames": {"#pk": "by_pk", "#sk": "by_sk"},
    "ExpressionAttributeValues": {":pk": {"S": "o"}, ":low": {"S": "c"}},
}

TAKEN = {
    "an item of 400 KB": put({"t": text(WHOLE)}),
    "a partition key of 2,048 bytes": ("GetItem", {"Key": key("b", "x" * 2048)}),
    "a sort key of 1,024 bytes": ("GetItem", {"Key": key("x" * 1024)}),
    "an empty value that is no key": put({"t": text(0)}),
    "32 levels": put({"t": levels(32)}),
    "38 digits": put({"n": {"N": "1" * 38}}),
    "zeros after 38 digits": put({"n": {"N": "1" * 38 + "0" * 20}}),
    "an expression of 4,096 bytes": put({}, ConditionExpression="#n" + "=:n".rjust(4094), **VALUED),
    "a reference of 255 bytes": put(
        {},
        ConditionExpression="attribute_exists(#" + "n" * 254 + ")",
        ExpressionAttributeNames={"#" + "n" * 254: "n"},
    ),
    "300 operators of a condition": put(
        {}, ConditionExpression="NOT " + many("#n=:n", 150), **VALUED
    ),
    "300 operators of an update": update("SET #a = " + many(":v", 301, "+"), "a", v={"N": "1"}),
    "many attributes of an update": update(
        "SET " + ",".join(f"#a{n}=:v" for n in range(200)),
        " ".join(f"a{n}" for n in range(200)),
        v={"N": "1"},
    ),
    "an IN of 100": put({}, ConditionExpression=f"#n IN ({many(':n', 100, ',')})", **VALUED),
    "an update of different paths": update("SET #a = :v REMOVE #b", "a b", v={"N": "1"}),
    "a start at the lower bound": query(BETWEEN, key("c"), low="c", high="e"),
    "a start at the upper bound": query(BETWEEN, key("e"), low="c", high="e"),
    "a start below the prefix's end": query(" AND begins_with(#sk, :p)", key("cd"), p="c"),
    "a start anywhere in the partition": query("", key("z")),
    "a range of one key": query(BETWEEN, low="c", high="c"),
    "a start in an index": ("Query", {**OF_INDEX, "ExclusiveStartKey": START}),
    "100 keys": read(*(key(str(n)) for n in range(100))),
    "25 writes": written(*({"DeleteRequest": {"Key": key(str(n))}} for n in range(25))),
    "100 actions": transaction(*(deleted(str(n)) for n in range(100)), ClientRequestToken="t" * 36),
    "a transaction of 4 MB": transaction(*(placed(str(n), 400_000) for n in range(10))),
}

REFUSED = {
    "an item of more than 400 KB": (put({"t": text(WHOLE + 1)}), "Item size"),
    "characters count as bytes": (put({"t": {"S": "é" * (WHOLE // 2 + 1)}}), "Item size"),
    "a partition key of 2,049 bytes": (("GetItem", {"Key": key("b", "x" * 2049)}), "2048"),
    "a sort key of 1,025 bytes": (("DeleteItem", {"Key": key("x" * 1025)}), "1024"),
    "a key of an index of 1,025 bytes": (put({"by_sk": text(1025)}), "1024"),
    "a key of an index of 2,049 bytes": (
        update("SET #by_pk = :v", "by_pk", v=text(2049)),
        "2048",
    ),
    "an empty key": (put({"sk": text(0)}), "empty"),
    "an empty key of an index": (put({"by_sk": text(0)}), "empty"),
    "an empty key that is read": (read(key("")), "empty"),
    "a key of another type": (put({"sk": {"N": "1"}}), "Type mismatch"),
    "a key of an index that is null": (put({"by_sk": {"NULL": True}}), "Type mismatch"),
    "half a key": (("GetItem", {"Key": {"pk": {"S": "a"}}}), "does not match the schema"),
    "33 levels": (put({"t": levels(33)}), "Nesting"),
    "39 digits": (put({"n": {"N": "1" * 39}}), "38"),
    "a number that is too large": (put({"n": {"N": "1E126"}}), "beyond"),
    "a number that is none": (put({"n": {"N": "x"}}), "numeric"),
    "an empty set": (put({"s": {"SS": []}}), "set"),
    "an element of a set twice": (put({"s": {"SS": ["a", "a"]}}), "set"),
    "an expression of 4,097 bytes": (
        put({}, ConditionExpression="#n" + "=:n".rjust(4095), **VALUED),
        "Expression size",
    ),
    "a long projection": (
        ("GetItem", {"Key": KEY, "ProjectionExpression": "n" * 4097}),
        "Expression size",
    ),
    "an empty expression": (put({}, ConditionExpression=""), "empty"),
    "a reference of 256 bytes": (
        put(
            {},
            ConditionExpression="attribute_exists(#" + "n" * 255 + ")",
            ExpressionAttributeNames={"#" + "n" * 255: "n"},
        ),
        "255",
    ),
    "2 MB of values": (
        update("SET #a = :v", "a", v={"S": "x" * (2 * 1024 * 1024)}),
        "2 MB",
    ),
    "more than 300 operators of a condition": (
        put({}, ConditionExpression=many("#n=:n", 152), **VALUED),
        "operators",
    ),
    "301 operators of an update": (
        update("SET #a = " + many(":v", 302, "+"), "a", v={"N": "1"}),
        "operators",
    ),
    "functions count as operators": (
        put({}, ConditionExpression=many("size(#n)=:n", 101), **VALUED),
        "302 operators",
    ),
    "an IN of 101": (
        put({}, ConditionExpression=f"#n IN ({many(':n', 101, ',')})", **VALUED),
        "101",
    ),
    "a name that is not used": (put({}, **NAMED), "no expression uses"),
    "a value that is not used": (
        put({}, ConditionExpression="attribute_exists(#n)", **VALUED),
        "no expression uses",
    ),
    "a name that is not given": (put({}, ConditionExpression="attribute_exists(#n)"), "lacks"),
    "names that are none": (put({}, ExpressionAttributeNames={}), "must not be empty"),
    "a change of the key": (update("SET #sk = :v", "sk", v=text(1)), "part of the key"),
    "the same path twice": (update("SET #a = :v REMOVE #a", "a", v=text(1)), "overlap"),
    "a path within another": (update("SET #a = :v REMOVE #a.#b", "a b", v=text(1)), "overlap"),
    "a start below the lower bound": (query(BETWEEN, key("b"), low="c", high="e"), "boundaries"),
    "a start above the upper bound": (query(BETWEEN, key("f"), low="c", high="e"), "boundaries"),
    "a start outside the prefix": (
        query(" AND begins_with(#sk, :p)", key("d"), p="c"),
        "boundaries",
    ),
    "a start that is not less": (query(" AND #sk < :p", key("c"), p="c"), "boundaries"),
    "a start that is less": (query(" AND #sk > :p", key("c"), p="c"), "boundaries"),
    "a start in another partition": (query("", key("c", pk="z")), "boundaries"),
    "a start of half a key": (query("", {"pk": {"S": "a"}}), "starting key"),
    "a start in an index without its keys": (
        ("Query", {**OF_INDEX, "ExclusiveStartKey": KEY}),
        "starting key",
    ),
    "a start in an index below the bound": (
        ("Query", {**OF_INDEX, "ExclusiveStartKey": {**START, "by_sk": {"S": "b"}}}),
        "boundaries",
    ),
    "a range without a place": (query(BETWEEN, low="e", high="c"), "BETWEEN"),
    "an empty prefix": (query(" AND begins_with(#sk, :p)", p=""), "empty"),
    "a long bound": (query(" AND #sk <= :p", p="x" * 1025), "1024"),
    "a consistent read of an index": (
        ("Query", {**OF_INDEX, "ConsistentRead": True}),
        "Consistent",
    ),
    "a page of nothing": (("Query", {**query()[1], "Limit": 0}), "Limit"),
    "a query of no partition": (
        (
            "Query",
            {
                "KeyConditionExpression": "#pk > :pk",
                "ExpressionAttributeNames": {"#pk": "pk"},
                "ExpressionAttributeValues": {":pk": {"S": "a"}},
            },
        ),
        "missed",
    ),
    "a condition on another attribute": (query(" AND #sk = :p AND n = :p", p="c"), "supported"),
    "101 keys": (read(*(key(str(n)) for n in range(101))), "Too many"),
    "no keys": (read(), "Too many"),
    "a key twice": (read(KEY, KEY), "duplicates"),
    "26 writes": (
        written(*({"DeleteRequest": {"Key": key(str(n))}} for n in range(26))),
        "Too many",
    ),
    "a write twice": (
        written({"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": KEY}}),
        "duplicates",
    ),
    "101 actions": (transaction(*(deleted(str(n)) for n in range(101))), "101 actions"),
    "no actions": (transaction(), "0 actions"),
    "two actions on one item": (transaction(deleted("1"), placed("1")), "one item"),
    "a transaction of more than 4 MB": (
        transaction(*(placed(str(n), 400_000) for n in range(11))),
        "4 MB",
    ),
    "a token of 37 characters": (
        transaction(deleted("1"), ClientRequestToken="t" * 37),
        "clientRequestToken",
    ),
    "a transaction that reads an item twice": (
        (
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": TABLE, "Key": KEY}}] * 2},
        ),
        "different",
    ),
}


@pytest.mark.parametrize("request_", TAKEN.values(), ids=TAKEN)
def test_what_dynamodb_takes_is_taken(request_: tuple[str, dict[str, Any]]) -> None:
    check(*request_)


@pytest.mark.parametrize(("request_", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_dynamodb_refuses_is_refused(
    request_: tuple[str, dict[str, Any]], reason: str
) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        check(*request_)
    assert refused.value.members()["__type"].endswith("#ValidationException")
    assert refused.value.source.startswith("https://docs.aws.amazon.com/")


def standing(size: int) -> Any:
    """A table with one item of this size."""
    empty = item_bytes({**KEY, "t": text(0)})
    return lambda _, asked: {**KEY, "t": text(size - empty)} if asked == KEY else None


def test_an_item_does_not_grow_beyond_its_limit() -> None:
    full = standing(400 * 1024)
    with pytest.raises(Refused, match="Item size"):
        check(*update("SET #a = :v", "a", v=text(1)), full)
    # What takes the place of another, or of itself, is no growth
    check(*update("SET #t = :v", "t", v=text(10)), full)
    check(*update("SET #a = :v REMOVE #t", "a t", v=text(1000)), full)
    check(*update("SET #a = :v", "a", v=text(1)), standing(400 * 1024 - 2))
    check(*update("SET #a = :v", "a", v=text(1)), lambda *_: None)


def test_an_item_that_grows_too_large_cancels_its_transaction() -> None:
    _, request = update("SET #a = :v", "a", v=text(1))
    with pytest.raises(Refused) as refused:
        check(*transaction(deleted("1"), {"Update": request}), standing(400 * 1024))
    members = refused.value.members()
    assert members["__type"].endswith("#TransactionCanceledException")
    assert [reason["Code"] for reason in members["CancellationReasons"]] == [
        "None",
        "ValidationError",
    ]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "0"}, 1),
        ({"N": "12"}, 2),
        ({"N": "-123"}, 4),
        ({"N": "1000"}, 2),
        ({"B": "AAEC"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "a"}, {"S": "bc"}]}, 8),
        ({"M": {"k": {"S": "a"}}}, 6),
        ({"SS": ["a", "bc"]}, 3),
    ],
)
def test_sizes_are_dynamodbs(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"n": value}) == 1 + size
