"""What health and alerts read of connections: parts of their items, without what tenants entered.

These modules must not wait for the models of connections at a cold start, so nothing here imports
them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.keys import (
    BY_SPACE,
    FAILING_INDEX,
    connection_key,
    connections_of_space_pk,
    endpoint_key,
    failing_of_space_pk,
)
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.newest_tests import (
    OF_NEWEST_TESTS,
    NewestTest,
    NewestTests,
    TestedConnection,
)
from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.clock import Clock, from_text, to_text
from patchbay.platform.dynamodb import Item, Table


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """Whether a connection is in service, and how it is doing.

    `last_success_at` is of its tests, None if there was none. `watched_since` is since when a
    success is waited for. Both are None in the index of failing connections, which lacks them.
    """

    ATTRIBUTES = (
        *("id", "status", "health", "space_id", "monitor"),
        *("last_success_at", "watched_since", "created_at", *OF_NEWEST_TESTS),
    )

    id: str
    lifecycle: Lifecycle
    status: HealthStatus
    last_success_at: datetime | None = None
    watched_since: datetime | None = None

    @classmethod
    def of_item(cls, item: Item) -> Self:
        health = item["health"]
        return cls(
            id=item["id"],
            lifecycle=Lifecycle(item["status"]),
            status=HealthStatus(health["status"]),
            last_success_at=_time(item.get("last_success_at")),
            watched_since=_watched_since(item),
        )

    @classmethod
    def of_failing(cls, item: Item) -> Self:
        """Of an item of the index of failing connections."""
        connection_id, _, status = item[f"{FAILING_INDEX}_sk"].partition("#")
        return cls(connection_id, Lifecycle(item["status"]), HealthStatus(status))


@dataclass(frozen=True, slots=True)
class ConnectionSummary:
    """A connection in a list of how connections are doing.

    `since` is when its status began. `interval` is None unless it is monitored. `last_success_at`
    and `error_code` are of its tests. `watched_since` is since when a success is waited for.
    """

    ATTRIBUTES = (
        *("id", "name", "status", "health", "required_action", "monitor", "space_id"),
        *("last_success_at", "watched_since", "created_at", *OF_NEWEST_TESTS),
    )

    id: str
    name: str
    lifecycle: Lifecycle
    status: HealthStatus
    since: datetime | None
    checked_at: datetime | None
    last_success_at: datetime | None
    watched_since: datetime
    interval: MonitorInterval | None
    required_action: RequiredAction
    error_code: str | None

    @classmethod
    def of_item(cls, item: Item) -> Self:
        health, monitor = item["health"], item["monitor"]
        lifecycle = Lifecycle(item["status"])
        monitored = monitor["enabled"] and lifecycle is Lifecycle.ACTIVE
        return cls(
            id=item["id"],
            name=item["name"],
            lifecycle=lifecycle,
            status=HealthStatus(health["status"]),
            since=_time(health["since"]),
            checked_at=_time(health["checked_at"]),
            last_success_at=_time(item.get("last_success_at")),
            watched_since=_watched_since(item),
            interval=MonitorInterval(monitor["interval"]) if monitored else None,
            required_action=RequiredAction(item["required_action"]),
            error_code=health["error_code"],
        )


@dataclass(frozen=True, slots=True)
class ConnectionDescription:
    """A connection in words, for notifications about it."""

    name: str
    status: HealthStatus
    error_code: str | None
    error_message: str | None
    required_action: RequiredAction
    external_account_id: str | None


class ConnectionSummaries:
    """Reads summaries of the connections of spaces from the integrations table."""

    def __init__(self, table: Table, tests: NewestTests, clock: Clock) -> None:
        self._table = table
        self._tests = tests
        self._clock = clock

    def block(
        self, organization_id: str, space_id: str, after_id: str | None, limit: int
    ) -> list[ConnectionSummary]:
        """Up to `limit` connections of a space in the order of their ids, after `after_id`."""
        pk = connections_of_space_pk(space_id)
        start: Mapping[str, Any] | None = None
        if after_id:
            key = connection_key(organization_id, after_id)
            start = {**key._asdict(), f"{BY_SPACE}_pk": pk, f"{BY_SPACE}_sk": after_id}
        found: list[Item] = []
        while len(found) < limit:
            page = self._table.query(
                pk,
                index=BY_SPACE,
                start=start,
                limit=limit - len(found),
                attributes=ConnectionSummary.ATTRIBUTES,
            )
            found += page.items
            start = page.last_key
            if start is None:
                break
        return [ConnectionSummary.of_item(item) for item in self._laid_over(found)]

    def ids(self, space_id: str, limit: int) -> list[str]:
        """The ids of up to `limit` connections of a space, read from the index."""
        found: list[str] = []
        start: Mapping[str, Any] | None = None
        while len(found) < limit:
            page = self._table.query(
                connections_of_space_pk(space_id),
                index=BY_SPACE,
                start=start,
                limit=limit - len(found),
                attributes=("id",),
            )
            found += [item["id"] for item in page.items]
            start = page.last_key
            if start is None:
                break
        return found

    def of_space(self, space_id: str) -> list[ConnectionStatus]:
        """The status of all connections of a space, read from the index."""
        items = self._table.query_all(
            connections_of_space_pk(space_id),
            index=BY_SPACE,
            attributes=ConnectionStatus.ATTRIBUTES,
        )
        return [ConnectionStatus.of_item(item) for item in self._laid_over(items)]

    def failing(self, space_id: str) -> list[ConnectionStatus]:
        """The connections of a space whose health is failing, read from the sparse index. If there
        are none, it costs half a read unit."""
        items = self._table.query_all(failing_of_space_pk(space_id), index=FAILING_INDEX)
        return [ConnectionStatus.of_failing(item) for item in items]

    def by_id(
        self, organization_id: str, space_id: str, connection_ids: Iterable[str]
    ) -> dict[str, ConnectionStatus]:
        """Leaves out the ids that do not exist or are in another space."""
        keys = [connection_key(organization_id, connection_id) for connection_id in connection_ids]
        items = self._table.get_all(keys).values()
        found = self._laid_over(item for item in items if item["space_id"] == space_id)
        return {item["id"]: ConnectionStatus.of_item(item) for item in found}

    def described(
        self, organization_id: str, space_id: str, connection_id: str
    ) -> ConnectionDescription | None:
        """Reads the connection and its source. None if it does not exist or is in another space."""
        item = self._table.get(connection_key(organization_id, connection_id))
        if item is None or item["space_id"] != space_id:
            return None
        source = self._table.get(endpoint_key(organization_id, item["source_id"])) or {}
        health = item["health"]
        return ConnectionDescription(
            name=item["name"],
            status=HealthStatus(health["status"]),
            error_code=health["error_code"],
            error_message=health["error_message"],
            required_action=RequiredAction(item["required_action"]),
            external_account_id=source.get("external_account_id"),
        )

    def one(
        self, organization_id: str, space_id: str, connection_id: str
    ) -> ConnectionStatus | None:
        """None if it does not exist or is in another space."""
        item = self._table.get(connection_key(organization_id, connection_id))
        if item is None or item["space_id"] != space_id:
            return None
        return ConnectionStatus.of_item(item)

    def _laid_over(self, items: Iterable[Item]) -> list[Item]:
        """The items, with the times of the newest tests that are in runs."""
        found = list(items)
        asked = [tested for item in found if (tested := TestedConnection.of_item(item))]
        newest = self._tests.newest(asked, self._clock()) if asked else {}
        return [
            _tested_at(item, newest[item["id"]]) if item["id"] in newest else item for item in found
        ]


def _tested_at(item: Item, test: NewestTest) -> Item:
    """A status does not change by this: a test that changes one is stored in its connection."""
    checked_at = _time(item["health"]["checked_at"])
    if checked_at is not None and checked_at >= test.ended:
        return item
    ended = to_text(test.ended)
    later = {**item, "health": {**item["health"], "checked_at": ended}}
    return later | {"last_success_at": ended} if test.passed else later


def _watched_since(item: Item) -> datetime:
    # Connections from before this was stored have only the time of their creation.
    return from_text(item.get("watched_since") or item["created_at"])


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None
