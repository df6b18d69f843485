"""DynamoDB in memory, with its indexes, its units, and what is stored: for the stand-in of AWS.

Requests and answers are DynamoDB's JSON; a binary value stays in Base64. What a call costs follows
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html:

- a write costs a unit for each KB begun of the larger of the items before and after, two in a
  transaction; so does one whose condition does not hold
- an index costs a unit for each KB begun of its entry if that changes, and two if it moves
- a read costs a unit for each 4 KB begun, without strong consistency half; a query of all its
  items together

Units are counted by kinds of items: how their keys begin.
"""

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulator.memory_dynamodb import changed, holds

type Typed = dict[str, Any]

_PAGE_BYTES: Final = 1_000_000
ITEM_OVERHEAD: Final = 100
"""Bytes that each item, and each entry of an index, is charged for in storage beside its own
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadWriteCapacityMode.html).
"""

_WORD: Final = re.compile(r"[A-Z][A-Z_]+")


class Refused(Exception):
    """A call that DynamoDB refuses; `answer` is the body."""

    def __init__(self, code: str, **answer: Any) -> None:
        super().__init__(code)
        self.answer = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **answer}


@dataclass(slots=True)
class Counts:
    """What was used since they were last taken."""

    calls: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    """Units by kind of item, and by index as `index <name>`."""
    read: Counter[str] = field(default_factory=Counter)
    bytes_created: Counter[str] = field(default_factory=Counter)
    """Of new items that expire: their bytes times the seconds that they will be stored."""


class _Partition:
    """Items in the order of their sort keys."""

    __slots__ = ("items", "order")

    def __init__(self) -> None:
        self.items: dict[str, Typed] = {}
        self.order: list[str] = []

    def put(self, sk: str, item: Typed) -> None:
        if sk not in self.items:
            insort(self.order, sk)
        self.items[sk] = item

    def remove(self, sk: str) -> None:
        if self.items.pop(sk, None) is not None:
            del self.order[bisect_left(self.order, sk)]


class _Index:
    """One index, the table itself among them, whose partition and sort keys have these names."""

    def __init__(self, name: str, keys: tuple[str, str], projected: frozenset[str] | None) -> None:
        self.name, self.keys, self.projected = name, keys, projected
        self.partitions: dict[str, _Partition] = {}

    def entry(self, item: Typed | None) -> Typed | None:
        """What the index has of an item; None if the item is not in it."""
        if item is None or not all(key in item for key in self.keys):
            return None
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}

    def place(self, entry: Typed) -> tuple[str, str]:
        return entry[self.keys[0]]["S"], entry[self.keys[1]]["S"]

    def units(self, before: Typed | None, after: Typed | None) -> int:
        if before == after:
            return 0
        if before is not None and after is not None and self.place(before) == self.place(after):
            return max(_write_units(before), _write_units(after))
        return sum(_write_units(entry) for entry in (before, after) if entry is not None)

    def replace(self, before: Typed | None, after: Typed | None) -> None:
        if before is not None and (after is None or self.place(before) != self.place(after)):
            pk, sk = self.place(before)
            self.partitions[pk].remove(_unique(sk, before))
        if after is not None:
            pk, sk = self.place(after)
            partition = self.partitions.setdefault(pk, _Partition())
            partition.put(_unique(sk, after), after)


class _Table:
    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.main = _Index("", ("pk", "sk"), None)
        self.indexes = {}
        for index in resource.get("GlobalSecondaryIndexes", ()):
            keys = tuple(key["AttributeName"] for key in index["KeySchema"])
            projection = index["Projection"]
            projected = frozenset({"pk", "sk", *keys, *projection.get("NonKeyAttributes", ())})
            self.indexes[index["IndexName"]] = _Index(
                index["IndexName"],
                (keys[0], keys[1]),
                None if projection["ProjectionType"] == "ALL" else projected,
            )

    def get(self, key: Typed) -> Typed | None:
        partition = self.main.partitions.get(key["pk"]["S"])
        return partition.items.get(_unique(key["sk"]["S"], key)) if partition else None

    def stored_bytes(self) -> Iterator[tuple[str, int]]:
        """The kind and the charged size of each item, and of each entry of an index, of what does
        not expire."""
        for index in (self.main, *self.indexes.values()):
            for partition in index.partitions.values():
                for item in partition.items.values():
                    if "expires_at" in item:
                        continue
                    kind = f"index {index.name}" if index.name else kind_of(item)
                    yield kind, item_bytes(item) + ITEM_OVERHEAD


class MemoryTables:
    """The tables of a template. `now` is in seconds since 1970, for what items that expire cost."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._tables = {
            name: _Table(resource["Properties"])
            for name, resource in resources.items()
            if resource["Type"] == "AWS::DynamoDB::Table"
        }
        self._tokens: set[str] = set()
        self.counts = Counts()
        self.now = 0.0

    def call(self, operation: str, asked: Typed) -> Typed:
        """One call. Raises `Refused`."""
        self.counts.calls[operation] += 1
        answer: Typed = getattr(self, f"_{operation.lower()}")(asked)
        return answer

    def stored(self) -> dict[str, dict[str, int]]:
        """By kind: how many bytes are stored that do not expire, and how many items."""
        found: dict[str, dict[str, int]] = {}
        for table in self._tables.values():
            for kind, size in table.stored_bytes():
                one = found.setdefault(kind, {"bytes": 0, "items": 0})
                one["bytes"] += size
                one["items"] += 1
        return found

    def _getitem(self, asked: Typed) -> Typed:
        item = self._tables[asked["TableName"]].get(asked["Key"])
        self._read(kind_of(asked["Key"]), item_bytes(item or {}), asked)
        return {"Item": item} if item else {}

    def _batchgetitem(self, asked: Typed) -> Typed:
        [(name, wanted)] = asked["RequestItems"].items()
        found = []
        for key in wanted["Keys"]:
            item = self._tables[name].get(key)
            self._read(kind_of(key), item_bytes(item or {}), wanted)
            if item:
                found.append(item)
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    def _query(self, asked: Typed) -> Typed:
        table = self._tables[asked["TableName"]]
        index = table.indexes[asked["IndexName"]] if "IndexName" in asked else table.main
        values = {n: typed["S"] for n, typed in asked["ExpressionAttributeValues"].items()}
        partition = index.partitions.get(values[":pk"])
        places = partition.order if partition else []
        low, high = values.get(":low", ""), values.get(":high", _LAST)
        if ":prefix" in values:
            low, high = values[":prefix"], values[":prefix"] + _LAST
        begin, end = bisect_left(places, low), bisect_left(places, high + _AFTER)
        taken = places[begin:end]
        if not asked.get("ScanIndexForward", True):
            taken = taken[::-1]
        if "ExclusiveStartKey" in asked:
            start = asked["ExclusiveStartKey"]
            place = _unique(start[index.keys[1]]["S"], start)
            is_after = place.__lt__ if asked.get("ScanIndexForward", True) else place.__gt__
            taken = [one for one in taken if is_after(one)]
        items: list[Typed] = []
        size, more = 0, None
        for one in taken:
            item = index.partitions[values[":pk"]].items[one]
            items.append(item)
            size += item_bytes(item)
            if len(items) == asked.get("Limit") or size > _PAGE_BYTES:
                more = {n: item[n] for n in dict.fromkeys(("pk", "sk", *index.keys))}
                break
        kind = f"index {index.name}" if index.name else _kind_of_query(values)
        self._read(kind, size, asked)
        answer: Typed = {"Count": len(items), "ScannedCount": len(items)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = _projected(items, asked)
        return answer | ({"LastEvaluatedKey": more} if more else {})

    def _putitem(self, asked: Typed) -> Typed:
        return self._single("Put", asked)

    def _updateitem(self, asked: Typed) -> Typed:
        return self._single("Update", asked)

    def _deleteitem(self, asked: Typed) -> Typed:
        return self._single("Delete", asked)

    def _single(self, kind: str, asked: Typed) -> Typed:
        key = asked.get("Key") or asked["Item"]
        before = self._tables[asked["TableName"]].get(key)
        if not holds(asked, before or {}):
            self.counts.written[kind_of(key)] += _write_units(before or {})
            raise Refused(
                "ConditionalCheckFailedException",
                message="The conditional request failed",
                **({"Item": before} if before else {}),
            )
        self._write(kind, asked, before, 1)
        return {}

    def _transactwriteitems(self, asked: Typed) -> Typed:
        token = asked.get("ClientRequestToken")
        if token in self._tokens:
            return {}
        actions = [next(iter(action.items())) for action in asked["TransactItems"]]
        standing = [
            self._tables[one["TableName"]].get(one.get("Key") or one["Item"]) for _, one in actions
        ]
        reasons = []
        for (_, one), before in zip(actions, standing, strict=True):
            failed = {"Code": "ConditionalCheckFailed", **({"Item": before} if before else {})}
            reasons.append({"Code": "None"} if holds(one, before or {}) else failed)
        if any(reason["Code"] != "None" for reason in reasons):
            for (_, one), before in zip(actions, standing, strict=True):
                kind = kind_of(one.get("Key") or one["Item"])
                self.counts.written[kind] += 2 * _write_units(before or {})
            raise Refused(
                "TransactionCanceledException", Message="cancelled", CancellationReasons=reasons
            )
        for (kind, one), before in zip(actions, standing, strict=True):
            self._write(kind, one, before, 2)
        if token:
            self._tokens.add(token)
        return {}

    def _write(self, kind: str, asked: Typed, before: Typed | None, factor: int) -> None:
        table = self._tables[asked["TableName"]]
        key = asked.get("Key") or asked["Item"]
        after = before
        match kind:
            case "Put":
                after = asked["Item"]
            case "Delete":
                after = None
            case "Update":
                after = changed(before or dict(asked["Key"]), asked)
        larger = max(_write_units(before or {}), _write_units(after or {}))
        self.counts.written[kind_of(key)] += factor * larger
        if after is before:
            return
        table.main.replace(before, after)
        size = 0
        for index in table.indexes.values():
            pair = index.entry(before), index.entry(after)
            # What an index has follows from the item: its copy is written once, transaction or not.
            if units := index.units(*pair):
                self.counts.written[f"index {index.name}"] += units
            index.replace(*pair)
            size += item_bytes(pair[1]) + ITEM_OVERHEAD if pair[1] else 0
        if before is None and after is not None and "expires_at" in after:
            size += item_bytes(after) + ITEM_OVERHEAD
            seconds = max(0.0, float(after["expires_at"]["N"]) - self.now)
            self.counts.bytes_created[kind_of(after)] += round(size * seconds)

    def _read(self, kind: str, size: int, asked: Typed) -> None:
        units = max(1, -(-size // 4096))
        self.counts.read[kind] += units if asked.get("ConsistentRead") else units / 2  # type: ignore[assignment]  # a Counter of floats


_LAST: Final = "\U0010ffff"
_AFTER: Final = "\1"
"""Between what `_unique` adds to a sort key, and any longer sort key."""
_RUNS: Final = frozenset("RBS")


def _unique(sk: str, item: Typed) -> str:
    """The place of an entry in an index, where several items may have the same sort key."""
    return f"{sk}\0{item['pk']['S']}\0{item['sk']['S']}"


def _projected(items: list[Typed], asked: Typed) -> list[Typed]:
    if "ProjectionExpression" not in asked:
        return items
    names = asked["ExpressionAttributeNames"]
    wanted = {names[part.strip()] for part in asked["ProjectionExpression"].split(",")}
    return [{name: item[name] for name in item if name in wanted} for item in items]


def _kind_of_query(values: Mapping[str, str]) -> str:
    sk = values.get(":prefix") or values.get(":low") or ""
    return kind_of({"pk": {"S": values[":pk"]}, "sk": {"S": sk}})


def kind_of(key: Typed) -> str:
    """How keys begin, ids and times left out: `ORG SECRET`, `SPACE R`, `WHEEL`."""
    pk, sk = key["pk"]["S"].split("#"), key["sk"]["S"].split("#")
    words = [pk[0], *(part for part in pk[2:] if _WORD.fullmatch(part) or part in _RUNS)]
    if re.fullmatch(r"[A-Z_]+", sk[0]):
        words.append(sk[0])
    if sk[-1] == "M":
        words.append("M")
    return " ".join(words)


def _write_units(item: Typed) -> int:
    return max(1, -(-item_bytes(item) // 1024))


def item_bytes(item: Typed) -> int:
    """As DynamoDB measures it: names and values
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
    """
    return sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(typed: Typed) -> int:
    [(kind, value)] = typed.items()
    match kind:
        case "S":
            return len(value) if value.isascii() else len(value.encode())
        case "N":
            return len(value.strip("-")) // 2 + 2
        case "B":
            return len(value) * 3 // 4
        case "L":
            return 3 + sum(1 + _value_bytes(one) for one in value)
        case "M":
            return 3 + sum(1 + len(name) + _value_bytes(one) for name, one in value.items())
        case _:
            return 1
