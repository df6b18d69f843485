"""A DynamoDB of one process: the calls that `Table` makes, without indexes, fast and exact.

It is for models of many thousand runs, which moto is too slow for. `test_memory_dynamodb.py` holds
it against moto. Requests are held against `local.dynamodb_limits`.
"""

import functools
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import Any

from local.dynamodb_limits import MAX_PAGE_BYTES, Refused, check, item_bytes
from patchbay.platform.dynamodb_client import DynamoDBError

type Typed = dict[str, Any]

_TOKEN = re.compile(r"\s*(\(|\)|,|<=|<|=|AND\b|OR\b|attribute_(?:not_)?exists|[#:]?\w+)")


class _Refused(Exception):
    """A condition did not hold."""


class MemoryClient:
    """As `DynamoDBClient`, for one table; a repeated `ClientRequestToken` changes nothing.

    Attributes are never changed in place, so items are copied only at the top.
    """

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Typed] = {}
        self._sort_keys: dict[str, list[str]] = {}
        """Of each partition, in order."""
        self._done: set[str] = set()
        self._sizes: dict[tuple[str, str], int] = {}

    def scan_items(self) -> list[Typed]:
        """All items, as they are."""
        return list(self._items.values())

    def query(self, **request: Any) -> Any:
        """With the key conditions of `Table.query`."""
        self._check("Query", request)
        condition, values = request["KeyConditionExpression"], request["ExpressionAttributeValues"]
        pk = values[":pk"]["S"]
        keys = self._sort_keys.get(pk, [])
        if "BETWEEN" in condition:
            low, high = values[":low"]["S"], values[":high"]["S"]
            keys = keys[bisect_left(keys, low) : bisect_right(keys, high)]
        elif "begins_with" in condition:
            keys = [key for key in keys if key.startswith(values[":prefix"]["S"])]
        forward = request.get("ScanIndexForward", True)
        if not forward:
            keys = keys[::-1]
        if start := request.get("ExclusiveStartKey"):
            after = start["sk"]["S"]
            keys = [key for key in keys if (key > after if forward else key < after)]
        page = self._page(pk, keys[: request.get("Limit")])
        items = [dict(self._items[pk, key]) for key in page]
        if projected := request.get("ProjectionExpression"):
            names = request["ExpressionAttributeNames"]
            wanted = {names[name.strip()] for name in projected.split(",")}
            items = [{n: v for n, v in item.items() if n in wanted} for item in items]
        answer: Any = {"Items": items, "Count": len(items)}
        if len(page) < len(keys) or (page and len(page) == request.get("Limit")):
            answer["LastEvaluatedKey"] = {"pk": {"S": pk}, "sk": {"S": page[-1]}}
        return answer

    def batch_get_item(self, **request: Any) -> Any:
        self._check("BatchGetItem", request)
        [(name, asked)] = request["RequestItems"].items()
        found = [self._items.get(_place(key)) for key in asked["Keys"]]
        return {"Responses": {name: [dict(item) for item in found if item is not None]}}

    def get_item(self, **request: Any) -> Any:
        self._check("GetItem", request)
        item = self._items.get(_place(request["Key"]))
        return {} if item is None else {"Item": dict(item)}

    def put_item(self, **request: Any) -> Any:
        return self._single("Put", request)

    def update_item(self, **request: Any) -> Any:
        return self._single("Update", request)

    def delete_item(self, **request: Any) -> Any:
        return self._single("Delete", request)

    def transact_write_items(self, **whole: Any) -> Any:
        self._check("TransactWriteItems", whole)
        token = whole["ClientRequestToken"]
        if token in self._done:
            return {}
        actions = [next(iter(action.items())) for action in whole["TransactItems"]]
        reasons = []
        for _, request in actions:
            held = self._holds(request)
            standing = self._items.get(_place(request.get("Key") or request["Item"]))
            item = {} if standing is None else {"Item": dict(standing)}
            reasons.append({"Code": "None"} if held else {"Code": "ConditionalCheckFailed", **item})
        if any(reason["Code"] != "None" for reason in reasons):
            raise DynamoDBError(
                "TransactWriteItems",
                "TransactionCanceledException",
                details={"CancellationReasons": reasons},
            )
        for kind, request in actions:
            self._apply(kind, request)
        self._done.add(token)
        return {}

    def _check(self, operation: str, request: Mapping[str, Any]) -> None:
        try:
            check(operation, request, lambda _, key: self._items.get(_place(dict(key))))
        except Refused as refused:
            raise DynamoDBError(
                operation, refused.code, refused.message, details=refused.details
            ) from None

    def _page(self, pk: str, keys: list[str]) -> list[str]:
        """As much of these as a page has."""
        left = MAX_PAGE_BYTES
        for place, key in enumerate(keys):
            left -= self._sizes[pk, key]
            if left < 0:
                return keys[:place]
        return keys

    def _single(self, kind: str, request: Mapping[str, Any]) -> Any:
        self._check(f"{kind}Item", request)
        if not self._holds(request):
            standing = self._items.get(_place(request.get("Key") or request["Item"]))
            details = {} if standing is None else {"Item": dict(standing)}
            raise DynamoDBError(kind, "ConditionalCheckFailedException", details=details)
        self._apply(kind, request)
        return {}

    def _holds(self, request: Mapping[str, Any]) -> bool:
        return holds(request, self._items.get(_place(request.get("Key") or request["Item"]), {}))

    def _apply(self, kind: str, request: Mapping[str, Any]) -> None:
        match kind:
            case "Put":
                self._place_item(_place(request["Item"]), dict(request["Item"]))
            case "Delete":
                self.remove(*_place(request["Key"]))
            case "Update":
                place = _place(request["Key"])
                self._place_item(place, changed(self._items.get(place, request["Key"]), request))

    def _place_item(self, place: tuple[str, str], item: Typed) -> None:
        if place not in self._items:
            insort(self._sort_keys.setdefault(place[0], []), place[1])
        self._items[place] = item
        self._sizes[place] = item_bytes(item)

    def remove(self, pk: str, sk: str) -> None:
        """Deletes an item, as the service does when it has expired."""
        if self._items.pop((pk, sk), None) is not None:
            self._sort_keys[pk].remove(sk)


def _place(key: Typed) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def holds(request: Mapping[str, Any], item: Typed) -> bool:
    """Whether the condition of a write holds for what stands there; empty if nothing does."""
    expression = request.get("ConditionExpression")
    return expression is None or _Reader(expression, request, item).holds()


def changed(item: Typed, request: Mapping[str, Any]) -> Typed:
    """What an update makes of an item."""
    item = dict(item)
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    parts = re.split(r"\b(SET|ADD|REMOVE)\b", request["UpdateExpression"])[1:]
    for verb, clause in zip(parts[::2], parts[1::2], strict=True):
        for part in clause.split(","):
            words = part.replace("=", " ").split()
            name = names[words[0]]
            if verb == "SET":
                item[name] = values[words[1]]
            elif verb == "REMOVE":
                item.pop(name, None)
            else:
                before = int(item.get(name, {"N": "0"})["N"])
                item[name] = {"N": str(before + int(values[words[1]]["N"]))}
    return item


@functools.lru_cache(1000)
def _tokens(expression: str) -> tuple[str, ...]:
    return (*_TOKEN.findall(expression), "")


class _Reader:
    """Reads a condition expression as it judges it; AND binds stronger than OR."""

    def __init__(self, expression: str, request: Mapping[str, Any], item: Typed) -> None:
        self._tokens: Iterator[str] = iter(_tokens(expression))
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self._item = item
        self._token = next(self._tokens)

    def holds(self) -> bool:
        held = self._any()
        assert self._token == "", f"not read: {self._token}"
        return held

    def _any(self) -> bool:
        held = self._all()
        while self._took("OR"):
            held = self._all() or held
        return held

    def _all(self) -> bool:
        held = self._one()
        while self._took("AND"):
            held = self._one() and held
        return held

    def _one(self) -> bool:
        if self._took("("):
            held = self._any()
            assert self._took(")")
            return held
        word = self._next()
        if word.startswith("attribute_"):
            assert self._took("(")
            name = self._next()
            assert self._took(")")
            return (self._names.get(name, name) in self._item) == (word == "attribute_exists")
        left, comparison, right = self._operand(word), self._next(), self._operand(self._next())
        if left is None or right is None or left.keys() != right.keys():
            return False
        if comparison == "=":
            return bool(left == right)
        [(kind, low)], [high] = left.items(), right.values()
        low, high = (int(low), int(high)) if kind == "N" else (low, high)
        return bool(low < high or (comparison == "<=" and low == high))

    def _operand(self, word: str) -> Typed | None:
        if word.startswith(":"):
            return dict(self._values[word])
        return self._item.get(self._names.get(word, word))

    def _next(self) -> str:
        word, self._token = self._token, next(self._tokens)
        return word

    def _took(self, word: str) -> bool:
        if self._token != word:
            return False
        self._token = next(self._tokens, "")
        return True
