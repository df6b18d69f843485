"""moto, as exact as DynamoDB where the tests depend on it.

- moto takes requests of several threads at once and guards nothing: it judges a condition and
  writes in two steps, a query fails while another request makes a new partition, and a refused
  transaction takes back what others wrote meanwhile. Here it does one request at a time.
- It copies the whole table for each action of a transaction, to put it back if a condition does
  not hold. Here what is put back are the items that the transaction names.
- It asks the service's model about every attribute of every item that it answers with, which takes
  longer than all the rest. Here an attribute value goes out as it is.
- It takes much that DynamoDB refuses. Here each request is held against `local.dynamodb_limits`.
  What is refused fails the test, unless the test says that it means it (`refused_by_dynamodb`).
- It measures a whole item for each attribute that is set, and searches for a service's methods at
  each request. Here a small item is not measured, and the methods are found once.
- It sorts the whole table for each query, asks six times what type a value has before it compares
  it or measures it, and looks for the service that serves an address. Here a query looks at one
  partition, or at an index without order, and sorts what it finds; strings are taken as they are;
  and a request to DynamoDB goes there.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.exceptions import ResourceNotFoundException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.dynamodb_limits import Refused, Typed, check
from tests.integration.account import REGION

_TURN = threading.RLock()
_REFUSED: list[str] = []
"""Why, since the test began."""
_process = BotocoreStubber.process_request
_transact = DynamoDBBackend.transact_write_items
_structure = BaseJSONSerializer._serialize_type_structure
_measure_and_set = LimitedSizeDict.__setitem__
_methods = cache(method_names_from_class)
_cast = vars(DynamoType)["cast_value"].fget
_find = Table.query
_measure = DynamoType.size
_PROCESSED: dict[type, tuple[type, ...]] = {}
"""The nodes of an expression that each traverser looks at."""
_SMALL_BYTES = 200_000
"""Half of what an item may have."""


def make_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as the monkeypatch lasts."""
    monkeypatch.setattr(BotocoreStubber, "process_request", _one_at_a_time)
    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", _all_or_nothing)
    monkeypatch.setattr(Table, "__deepcopy__", lambda table, _: table, raising=False)
    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", _written)
    monkeypatch.setattr(LimitedSizeDict, "__setitem__", _set)
    monkeypatch.setattr("moto.core.responses.method_names_from_class", _methods)
    monkeypatch.setattr(DynamoType, "cast_value", property(_value))
    monkeypatch.setattr(DynamoType, "__eq__", _is_equal)
    monkeypatch.setattr(DynamoType, "__ne__", _is_other)
    monkeypatch.setattr(DynamoType, "size", _bytes)
    monkeypatch.setattr(Table, "query", _query)
    traversers = "moto.dynamodb.parsing.ast_nodes.DepthFirstTraverser"
    monkeypatch.setattr(f"{traversers}.nodes_to_be_processed", _processed)


def _one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
    service, _, operation = _text(request.headers.get("X-Amz-Target", "")).partition(".")
    with _TURN:
        if service == "DynamoDB_20120810":
            try:
                check(operation, json.loads(request.body), _standing)
            except Refused as refused:
                _REFUSED.append(str(refused))
                return 400, {}, json.dumps(refused.members())
            normal = normalize_request(request)
            return DynamoHandler.dispatch(normal, normal.raw_url, normal.headers)
        return _process(stubber, request)


def _text(header: str | bytes) -> str:
    return header if isinstance(header, str) else header.decode()


def _standing(table: str, key: Typed) -> Typed | None:
    try:
        item = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_item(table, dict(key))
    except ResourceNotFoundException:
        return None
    return item.to_json()["Attributes"] if item else None


@contextmanager
def refused_by_dynamodb() -> Iterator[list[str]]:
    """What DynamoDB refuses in this block is meant; its reasons, as they come."""
    before = len(_REFUSED)
    meant: list[str] = []
    try:
        yield meant
    finally:
        meant += _REFUSED[before:]
        del _REFUSED[before:]


@contextmanager
def nothing_refused() -> Iterator[None]:
    """What DynamoDB refuses in this block is a failure, even if the code has coped with it."""
    _REFUSED.clear()
    yield
    refused = list(_REFUSED)
    _REFUSED.clear()
    assert not refused, refused


def _all_or_nothing(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    before = []
    for action in transact_items:
        for request in action.values():
            table = backend.get_table(request["TableName"])
            key = request.get("Key") or request["Item"]
            place = DynamoType(key[table.hash_key_attr]), DynamoType(key[str(table.range_key_attr)])
            before.append((table, place, deepcopy(table.get_item(*place))))
    try:
        _transact(backend, transact_items)
    except Exception:
        for table, place, item in before:
            _put_back(table, place, item)
        raise


def _put_back(table: Table, place: tuple[DynamoType, DynamoType], item: Item | None) -> None:
    partition, sort = place
    if item is None:
        table.items[partition].pop(sort, None)
    else:
        table.items[partition][sort] = item


def _written(
    serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    if shape.name == "AttributeValue" and isinstance(value, dict):
        serialized[key] = _on_the_wire(value)
    else:
        _structure(serializer, serialized, value, shape, key)


def _on_the_wire(value: dict[str, Any]) -> dict[str, Any]:
    [(kind, inner)] = value.items()
    match kind:
        case "B":
            return {kind: b64encode(inner.encode() if isinstance(inner, str) else inner).decode()}
        case "L":
            return {kind: [_on_the_wire(one) for one in inner]}
        case "M":
            return {kind: {name: _on_the_wire(one) for name, one in inner.items()}}
    return value


def _set(attributes: LimitedSizeDict, name: str, value: Any) -> None:
    """Sets an attribute; the item is measured once what was ever set in it is no longer small."""
    ever_set = vars(attributes).get("ever_set")
    if ever_set is None:
        ever_set = sum(_size(one) for attribute in attributes.items() for one in attribute)
    ever_set += _size(name) + _size(value)
    vars(attributes)["ever_set"] = ever_set
    if ever_set < _SMALL_BYTES:
        dict.__setitem__(attributes, name, value)
    else:
        _measure_and_set(attributes, name, value)


def _size(value: Any) -> int:
    return value.size() if isinstance(value, DynamoType) else len(str(value)) * 4


def _value(one: DynamoType) -> Any:
    return one.value if one.type == "S" else _cast(one)


def _bytes(one: DynamoType) -> int:
    return len(one.value.encode()) if one.type == "S" else _measure(one)


def _is_equal(one: DynamoType, other: DynamoType) -> bool:
    return bool(one.type == other.type and _value(one) == _value(other))


def _is_other(one: DynamoType, other: DynamoType) -> bool:
    return not _is_equal(one, other)


def _query(table: Table, hash_key: DynamoType, *asked: Any, **more: Any) -> Any:
    *_, index_name, _, _ = asked
    partitions = list(table.items.values()) if index_name else [table.items.get(hash_key, {})]
    # It sorts what it has found, by all keys.
    vars(table)["all_items"] = lambda: [item for one in partitions for item in one.values()]
    try:
        return _find(table, hash_key, *asked, **more)
    finally:
        del vars(table)["all_items"]


def _processed(traverser: Any) -> tuple[type, ...]:
    kind = type(traverser)
    if kind not in _PROCESSED:
        _PROCESSED[kind] = tuple(traverser._processing_map())
    return _PROCESSED[kind]
