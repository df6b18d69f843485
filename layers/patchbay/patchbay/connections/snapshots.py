"""Snapshots: the items that a test reads, kept packed with its plan (`plan_store`).

What a snapshot says is read once for as long as a process keeps it: it is known by its bytes, so it
can't be out of date. Secrets stay sealed in it, as in the table. Threads share what is read, and
nothing may change it.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from patchbay.checks.roles import Role
from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_items import grant_key_of, read_endpoint
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.keys import endpoint_key, secret_key
from patchbay.platform.bounded_cache import BoundedCache
from patchbay.platform.dynamodb import Item, Key
from patchbay.registry.keys import release_key

MAX_KEPT_BYTES: Final = 64 << 20
"""Of the snapshots that a process keeps."""
_PER_BYTE: Final = 12
"""What a byte of a snapshot's text takes in memory, with what is read from it."""
_BYTES: Final = "$bytes"


def packed(connection: Item, others: Iterable[Item]) -> bytes:
    """A snapshot of a connection and the other items that its test read."""
    items = [connection, *others]
    return zlib.compress(json.dumps(items, default=_encoded, separators=(",", ":")).encode())


def snapshot_of(stored: bytes) -> "Snapshot":
    """What was packed: the same object for the same bytes. Raises `ValueError`, `zlib.error`."""

    def make() -> "tuple[Snapshot, int]":
        text = zlib.decompress(stored).decode()
        return Snapshot(_DECODER.decode(text)), _PER_BYTE * len(text)

    return _KEPT.get(stored, make)


class Snapshot:
    """The items of a test, as they were read by the one before."""

    def __init__(self, items: list[Item]) -> None:
        """The first item is the connection's. Raises `ValueError` if there is none."""
        if not items:
            raise ValueError("an empty snapshot")
        self.items = {Key(item["pk"], item["sk"]): item for item in items}
        self._connection = items[0]
        self._last: SnapshotView | None = None

    @cached_property
    def others(self) -> Mapping[Key, Item | None]:
        """The items of `own_keys`."""
        return {key: self.items.get(key) for key in own_keys(self._connection)}

    @cached_property
    def stored(self) -> list[Item]:
        """The items beside the connection's."""
        return [item for item in self.others.values() if item]

    @cached_property
    def shared_keys(self) -> list[Key]:
        return list(shared_keys(self.stored))

    @cached_property
    def endpoints(self) -> Mapping[Role, Endpoint]:
        """Raises KeyError if one is missing."""
        organization_id = self._connection["organization_id"]
        return {
            role: read_endpoint(self.items[endpoint_key(organization_id, endpoint_id)])
            for role, endpoint_id in _endpoint_ids(self._connection).items()
        }

    @cached_property
    def endpoint_ids(self) -> tuple[str, ...]:
        return tuple(_endpoint_ids(self._connection).values())

    @cached_property
    def is_whole(self) -> bool:
        """Whether it has the endpoints of its connection."""
        organization_id = self._connection["organization_id"]
        return all(endpoint_key(organization_id, one) in self.items for one in self.endpoint_ids)

    def with_health(self, health: Mapping[str, Any]) -> "SnapshotView":
        """It, with the health that the connection has by now."""
        view = self._last
        if view is None or view.health != health:
            view = self._last = SnapshotView(self, health, {**self._connection, **health})
        return view


class SnapshotView:
    """A snapshot with the health that its plan has: `item` is that of the connection."""

    def __init__(self, snapshot: Snapshot, health: Mapping[str, Any], item: Item) -> None:
        self.snapshot = snapshot
        self.health = health
        self.item = item

    @cached_property
    def connection(self) -> Connection:
        return read_connection(self.item)


def own_keys(connection: Item) -> list[Key]:
    """The keys of the endpoints of a connection, and of their secrets."""
    organization_id = connection["organization_id"]
    return [
        key(organization_id, endpoint_id)
        for endpoint_id in _endpoint_ids(connection).values()
        for key in (endpoint_key, secret_key)
    ]


def shared_keys(items: Sequence[Item]) -> Iterator[Key]:
    """The keys of the releases and grants of endpoints among these items."""
    for item in items:
        if "integration_id" in item and "secrets_set" in item:
            yield release_key(item["integration_id"], item["version"])
            if key := grant_key_of(item):
                yield key


def _endpoint_ids(connection: Item) -> dict[Role, str]:
    ids = {Role.SOURCE: connection["source_id"], Role.DESTINATION: connection["destination_id"]}
    return {role: one for role, one in ids.items() if one}


def _decoded(value: dict[str, Any]) -> Any:
    if _BYTES in value and len(value) == 1 and isinstance(value[_BYTES], str):
        return base64.b64decode(value[_BYTES])
    return value


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


_DECODER: Final = json.JSONDecoder(object_hook=_decoded)
_KEPT: Final = BoundedCache[bytes, Snapshot](MAX_KEPT_BYTES)
