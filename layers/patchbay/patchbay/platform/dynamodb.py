"""DynamoDB, as the stores use it: items as plain dicts, conditions by name, failures as types.

What every caller can rely on:

- A failed condition comes with the item that stands there (`ALL_OLD`), so that missing and
  conflicting are distinguished without a second read.
- The client repeats a write whose reply was lost. A transaction carries a `ClientRequestToken`,
  which makes a repetition harmless; a single write must carry a condition or be idempotent by
  itself.
- Throttling, timeouts and unreachable endpoints become `TemporarilyUnavailable` (503).
"""

import functools
import random
import time
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from patchbay.platform.aws_credentials import credential_source
from patchbay.platform.dynamodb_client import DynamoDBClient, DynamoDBError, TableCalls
from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint, dynamodb_endpoint
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.kept_connections import KeptConnections, NoAnswer, Transport
from patchbay.platform.proxied_connections import ProxiedConnections, proxies_to

type Item = dict[str, Any]

MAX_BATCH_KEYS: Final = 100
"""AWS: BatchGetItem takes up to 100 keys."""

MAX_TRANSACTION_ITEMS: Final = 100
"""AWS: TransactWriteItems takes up to 100 actions."""

CONNECT_SECONDS: Final = 0.5
READ_SECONDS: Final = 1.5
CALL_ATTEMPTS: Final = 3
CALL_SECONDS: Final = 7.0
"""No attempt begins later. A call that hangs ends within 7 s, and one that is throttled after
pauses of at most 1 s and 2 s, or what DynamoDB asks for: the 503 is out before a Lambda
authorizer's 10 s and a function's 29 s are over."""

WRITE_ATTEMPTS: Final = 6
"""Of a write that meets others: half a second of pauses in all, at most."""

_MAX_PK_BYTES: Final = 2048
_MAX_SK_BYTES: Final = 1024

_CONTENTION: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)


class Key(NamedTuple):
    pk: str
    sk: str


_NONE: Final[Mapping[str, Any]] = {}


class Condition(NamedTuple):
    """A condition expression with the names and values it uses."""

    expression: str
    names: Mapping[str, str] = _NONE
    values: Mapping[str, Any] = _NONE

    def __and__(self, other: "Condition") -> "Condition":
        return Condition(
            f"{self.expression} AND {other.expression}",
            {**self.names, **other.names},
            {**self.values, **other.values},
        )

    def __or__(self, other: "Condition") -> "Condition":
        return Condition(
            f"({self.expression} OR {other.expression})",
            {**self.names, **other.names},
            {**self.values, **other.values},
        )


AFTER_ALL: Final = "~"
"""Sorts after every character of our keys: the upper end of a range of sort keys."""


def all_before(sort_key: str) -> str:
    """The end of a range, which is included, that has all sort keys before this one."""
    return f"{sort_key[:-1]}{chr(ord(sort_key[-1]) - 1)}{AFTER_ALL}"


ABSENT: Final = Condition("attribute_not_exists(pk)")
PRESENT: Final = Condition("attribute_exists(pk)")


def equals(attribute: str, value: Any) -> Condition:
    return Condition(
        f"#{attribute} = :is_{attribute}", {f"#{attribute}": attribute}, {f":is_{attribute}": value}
    )


def exists(attribute: str) -> Condition:
    return Condition(f"attribute_exists(#{attribute})", {f"#{attribute}": attribute})


def without(attribute: str) -> Condition:
    return Condition(f"attribute_not_exists(#{attribute})", {f"#{attribute}": attribute})


def at_most(attribute: str, value: Any) -> Condition:
    """Holds for an item that has the attribute; not for one without."""
    return Condition(
        f"#{attribute} <= :most_{attribute}",
        {f"#{attribute}": attribute},
        {f":most_{attribute}": value},
    )


def less_or_absent(attribute: str, value: Any) -> Condition:
    return Condition(
        f"(attribute_not_exists(#{attribute}) OR #{attribute} < :max_{attribute})",
        {f"#{attribute}": attribute},
        {f":max_{attribute}": value},
    )


class Put(NamedTuple):
    item: Item
    condition: Condition | None = None


class Delete(NamedTuple):
    key: Key
    condition: Condition | None = None


class Check(NamedTuple):
    key: Key
    condition: Condition


@dataclass(frozen=True, slots=True)
class Update:
    """Sets, adds to and removes attributes of one item. `add` needs a transaction or a guard."""

    key: Key
    values: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: Sequence[str] = ()
    condition: Condition | None = None


type Write = Put | Delete | Check | Update


@dataclass(eq=False)
class ConditionFailed(Exception):
    """A condition did not hold; `item` is what stands there, None if nothing does."""

    item: Item | None


@dataclass(eq=False)
class TransactionRefused(Exception):
    """Conditions of a transaction did not hold and nothing was written.

    `failed` maps the position of each refused write to the item that stands there.
    """

    failed: Mapping[int, Item | None]


class Contended(TemporarilyUnavailable):
    """Others were writing to the same items on and on: nothing was written."""


class Page(NamedTuple):
    """One page of a query. `last_key` is where the next one starts, None at the end."""

    items: list[Item]
    last_key: Item | None


class Table:
    """One table. Reads are strongly consistent, but for those of an index or that ask for less."""

    def __init__(self, name: str, client: TableCalls | None = None) -> None:
        self.name = name
        self._client = client or connect()

    def get(self, key: Key) -> Item | None:
        """None, even for a key that is longer than DynamoDB allows: no item can have it."""
        return self.reread(key)

    def reread(self, key: Key) -> Item | None:
        """As `get`, and as it stands now, whatever was read before."""
        if len(key.pk.encode()) > _MAX_PK_BYTES or len(key.sk.encode()) > _MAX_SK_BYTES:
            return None
        with _failures_named():
            answer = self._client.get_item(
                TableName=self.name, Key=_marshal(key._asdict()), ConsistentRead=True
            )
        return _unmarshal(answer["Item"]) if "Item" in answer else None

    def get_all(self, keys: Iterable[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """The items that are there, by their keys; 100 a call, fewer where they are large.

        If not `consistent`, for half the price, they may be as they were a moment before.
        Raises `TemporarilyUnavailable` if DynamoDB leaves some unread again and again.
        """
        found: dict[Key, Item] = {}
        waiting = list(dict.fromkeys(keys))
        fruitless = 0
        while waiting:
            asked, waiting = waiting[:MAX_BATCH_KEYS], waiting[MAX_BATCH_KEYS:]
            items, unread = self._batch(asked, consistent)
            found |= {Key(item["pk"], item["sk"]): item for item in items}
            waiting = [*unread, *waiting]
            fruitless = 0 if len(unread) < len(asked) else fruitless + 1
            if fruitless == CALL_ATTEMPTS:
                raise TemporarilyUnavailable
            if unread:
                time.sleep(pause_seconds(fruitless + 1))
        return found

    def _batch(self, keys: Sequence[Key], consistent: bool) -> tuple[list[Item], list[Key]]:
        """The items of one call, and the keys that it left unread."""
        asked = {
            "Keys": [_marshal(key._asdict()) for key in keys],
            "ConsistentRead": consistent,
        }
        with _failures_named():
            answer = self._client.batch_get_item(RequestItems={self.name: asked})
        unread = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        items = [_unmarshal(item) for item in answer["Responses"].get(self.name, [])]
        return items, [Key(**_unmarshal(key)) for key in unread]

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        between: tuple[str, str] | None = None,
        index: str | None = None,
        limit: int | None = None,
        start: Mapping[str, Any] | None = None,
        newest_first: bool = False,
        attributes: Sequence[str] = (),
        consistent: bool = True,
    ) -> Page:
        """One page of the items under `pk`, in the order of the sort key.

        `prefix` or `between` (both ends included) narrow the sort key. With an index, the keys are
        its `<index>_pk` and `<index>_sk`. A page ends at `limit` items or at DynamoDB's 1 MB.
        `attributes` leaves the others out of the answer, though not out of the cost. If not
        `consistent`, for half the price, the page may be as it was a moment before.

        A range without a place in it is empty. A page that starts beyond the end of the range is
        too, and one that starts before its beginning starts there: DynamoDB refuses all three, but
        a range may have moved on since the page before was read.
        """
        sk_name = f"{index}_sk" if index else "sk"
        if between and between[0] > between[1]:
            return Page([], None)
        side = _side(start[sk_name], prefix, between) if start else 0
        if side:
            if (side < 0) == newest_first:
                return Page([], None)
            start = None
        names = {"#pk": f"{index}_pk" if index else "pk"}
        values: dict[str, Any] = {":pk": pk}
        expression = "#pk = :pk"
        if between:
            expression += " AND #sk BETWEEN :low AND :high"
            values |= {":low": between[0], ":high": between[1]}
        elif prefix:
            expression += " AND begins_with(#sk, :prefix)"
            values[":prefix"] = prefix
        if between or prefix:
            names["#sk"] = sk_name
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": _marshal(values),
            "ScanIndexForward": not newest_first,
        }
        if index:
            request["IndexName"] = index
        else:
            request["ConsistentRead"] = consistent
        if limit is not None:
            request["Limit"] = limit
        if attributes:
            request["ProjectionExpression"] = ", ".join(f"#{name}" for name in attributes)
            names |= {f"#{name}": name for name in attributes}
        if start:
            request["ExclusiveStartKey"] = _marshal(start)
        with _failures_named():
            answer = self._client.query(**request)
        last_key = answer.get("LastEvaluatedKey")
        return Page(
            items=[_unmarshal(item) for item in answer["Items"]],
            last_key=_unmarshal(last_key) if last_key else None,
        )

    def query_all(self, pk: str, **narrowed: Any) -> Iterator[Item]:
        """Every item of a query, page after page."""
        start: Item | None = None
        while True:
            page = self.query(pk, start=start, **narrowed)
            yield from page.items
            if (start := page.last_key) is None:
                return

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        """How many items are under `pk`. It costs what reading them costs."""
        suffixed = {"#pk": f"{index}_pk", "#sk": f"{index}_sk"} if index else {}
        names = {"#pk": "pk", "#sk": "sk"} | suffixed
        request: dict[str, Any] = {
            "TableName": self.name,
            "Select": "COUNT",
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": names["#pk"]},
            "ExpressionAttributeValues": _marshal({":pk": pk}),
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        if prefix:
            request["KeyConditionExpression"] += " AND begins_with(#sk, :prefix)"
            request["ExpressionAttributeNames"] = names
            request["ExpressionAttributeValues"] = _marshal({":pk": pk, ":prefix": prefix})
        total = 0
        while True:
            with _failures_named():
                answer = self._client.query(**request)
            total += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return total
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write(self, write: Put | Update | Delete) -> None:
        """One write.

        Waits and repeats while transactions of others have its item. Raises `ConditionFailed` with
        the item that stands there, `Contended` if it stays busy.
        """
        request = {**_request(self.name, write), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        _until_it_succeeds(lambda: self._write_once(write, request), WRITE_ATTEMPTS)

    def _write_once(self, write: Put | Update | Delete, request: Mapping[str, Any]) -> bool:
        """Whether it succeeded; False if it met a transaction."""
        with _failures_named():
            try:
                match write:
                    case Put():
                        self._client.put_item(**request)
                    case Update():
                        self._client.update_item(**request)
                    case Delete():
                        self._client.delete_item(**request)
            except DynamoDBError as error:
                if error.code == "TransactionConflictException":
                    return False
                if error.code != "ConditionalCheckFailedException":
                    raise
                item = error.details.get("Item")
                raise ConditionFailed(_unmarshal(item) if item else None) from None
        return True

    def transact(self, writes: Sequence[Write], *, attempts: int = WRITE_ATTEMPTS) -> None:
        """All of the writes or none of them.

        Waits and repeats while others write to the same items, up to `attempts` times in all.
        Raises `TransactionRefused` if a condition does not hold, `Contended` if it stays busy.
        """
        actions: Any = [
            {
                _ACTION[type(write)]: {
                    **_request(self.name, write),
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
            for write in writes
        ]
        _until_it_succeeds(lambda: self._transact_once(actions), attempts)

    def _transact_once(self, actions: Any) -> bool:
        """Whether it succeeded; False if it met a concurrent write."""
        with _failures_named():
            try:
                self._client.transact_write_items(
                    TransactItems=actions, ClientRequestToken=str(uuid.uuid4())
                )
            except DynamoDBError as error:
                if error.code != "TransactionCanceledException":
                    raise
                reasons = error.details.get("CancellationReasons", [])
                failed = {
                    position: _unmarshal(reason["Item"]) if reason.get("Item") else None
                    for position, reason in enumerate(reasons)
                    if reason.get("Code") == "ConditionalCheckFailed"
                }
                if failed:
                    raise TransactionRefused(failed) from None
                if any(reason.get("Code") in _CONTENTION for reason in reasons):
                    return False
                raise
        return True


class ReadAhead(Table):
    """A table that answers `get` from what was read together before, where it was.

    For work on many things whose stores read one item at a time: `ahead` reads a hundred by one
    call, and within its block the thread finds them there. What was not asked for is read as ever,
    and writes go to the table.
    """

    @contextmanager
    def ahead(self, keys: Iterable[Key]) -> Iterator[dict[Key, Item]]:
        """Raises `TemporarilyUnavailable`. Blocks may be nested."""
        asked = list(keys)
        found = self.get_all(asked)
        with self.known({key: found.get(key) for key in asked}):
            yield found

    @contextmanager
    def known(self, items: Mapping[Key, Item | None]) -> Iterator[None]:
        """The same with items that were read before; None is one that is not there."""
        mine = {(self.name, key): item for key, item in items.items()}
        token = _AHEAD.set({**_AHEAD.get(), **mine})
        try:
            yield
        finally:
            _AHEAD.reset(token)

    def get(self, key: Key) -> Item | None:
        ahead = _AHEAD.get()
        if (self.name, key) in ahead:
            return ahead[self.name, key]
        return self.reread(key)


_AHEAD: ContextVar[Mapping[tuple[str, Key], Item | None]] = ContextVar("ahead", default={})  # noqa: B039 - never changed


@functools.cache
def connect() -> DynamoDBClient:
    """The one DynamoDB client of this process; thread-safe, kept between invocations."""
    endpoint = dynamodb_endpoint()
    transport = transport_to(endpoint)
    return DynamoDBClient(
        endpoint, credential_source(), transport, attempts=CALL_ATTEMPTS, seconds=CALL_SECONDS
    )


def transport_to(endpoint: DynamoDBEndpoint) -> Transport:
    """Our own connections, unless the environment names a proxy."""
    seconds: dict[str, float] = {"connect_seconds": CONNECT_SECONDS, "read_seconds": READ_SECONDS}
    if proxies := proxies_to(endpoint):
        return ProxiedConnections(endpoint, proxies, **seconds)
    return KeptConnections(endpoint, **seconds)


@contextmanager
def _failures_named() -> Iterator[None]:
    """Raises `TemporarilyUnavailable` for what the caller can only wait for."""
    try:
        yield
    except NoAnswer as error:
        raise TemporarilyUnavailable from error
    except DynamoDBError as error:
        if error.is_busy:
            raise TemporarilyUnavailable from error
        raise


def _until_it_succeeds(write: Callable[[], bool], attempts: int) -> None:
    """Repeats a write that returns False when it meets others. Raises `Contended`."""
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause_seconds(attempt))
        if write():
            return
    raise Contended


def pause_seconds(attempt: int) -> float:
    """How long to wait before attempt number 1, 2, …: full jitter, up to 20, 40, … 200 ms.

    As AWS's guidance on backoff: who met on the same items should not come back together.
    """
    longest = min(0.2, 0.01 * 2**attempt)
    return random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing


def _side(sort_key: str, prefix: str, between: tuple[str, str] | None) -> int:
    """0 within a range, -1 before it, 1 after it."""
    if between:
        return (sort_key > between[1]) - (sort_key < between[0])
    if sort_key.startswith(prefix):
        return 0
    return 1 if sort_key > prefix else -1


_ACTION: Final = {Put: "Put", Delete: "Delete", Check: "ConditionCheck", Update: "Update"}


def _request(table: str, write: Write) -> dict[str, Any]:
    """The parameters that a write has both alone and in a transaction."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    request: dict[str, Any] = {"TableName": table}
    match write:
        case Put(item):
            request["Item"] = _marshal(item)
        case Update():
            request["Key"] = _marshal(write.key._asdict())
            request["UpdateExpression"] = _update_expression(write, names, values)
        case Delete(key) | Check(key):
            request["Key"] = _marshal(key._asdict())
    if write.condition:
        request["ConditionExpression"] = write.condition.expression
        names |= write.condition.names
        values |= write.condition.values
    if names:
        request["ExpressionAttributeNames"] = names
    if values:
        request["ExpressionAttributeValues"] = _marshal(values)
    return request


def _update_expression(update: Update, names: dict[str, str], values: dict[str, Any]) -> str:
    touched = [*update.values, *update.add, *update.remove]
    names |= {f"#{name}": name for name in touched}
    values |= {f":{name}": value for name, value in {**update.values, **update.add}.items()}
    clauses = (
        ("SET", [f"#{name} = :{name}" for name in update.values]),
        ("ADD", [f"#{name} :{name}" for name in update.add]),
        ("REMOVE", [f"#{name}" for name in update.remove]),
    )
    return " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses if parts)


def _marshal(item: Mapping[str, Any]) -> dict[str, Any]:
    """To DynamoDB's typed JSON."""
    return {name: _typed(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int:
        return {"N": str(value)}
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": b64encode(value).decode()}
        case list() | tuple():
            return {"L": [_typed(element) for element in value]}
        case dict():
            return {"M": _marshal(value)}
    raise TypeError(f"no attribute type for {kind.__name__}")


def _unmarshal(item: Mapping[str, Any]) -> Item:
    return {name: _plain(value) for name, value in item.items()}


def _plain(typed: Mapping[str, Any]) -> Any:
    [(kind, value)] = typed.items()
    match kind:
        case "S":
            return value
        case "NULL":
            return None
        case "N":
            return int(value)
        case "B":
            return b64decode(value)
        case "L":
            return [_plain(element) for element in value]
        case "M":
            return _unmarshal(value)
        case _:
            return value
