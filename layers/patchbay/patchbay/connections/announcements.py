"""What is announced about connections on the bus, and the outbox that it waits in.

    outbox   OUTBOX#CONNECTIONS#<lane>   <time>#<event id>

An announcement is written in the transaction that changes the connection, so it is never lost, and
never sent for a change that did not happen. It is sent at least once, always with the same id:
`evt_` and a ULID of its time, and of the connection and type.

The lane is the connection's: what is announced about one connection is in order, and those that
fail together do not all write into one partition. Releases without lanes wrote into
`OUTBOX#CONNECTIONS`, whose entries are read before those of the lanes.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from patchbay.connections.connection_model import Connection
from patchbay.connections.health_state import AnnouncementType, HealthObservation, HealthState
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import Item, Key
from patchbay.platform.ids import Stamp

LANES: Final = 8
"""The partitions of the outbox. An announcement takes three write units: two in its transaction,
and one when it was sent. So 2,600 connections may fail in a second."""

UNDIVIDED_PK: Final = "OUTBOX#CONNECTIONS"
"""Where the announcements of releases without lanes are."""


def outbox_pk(lane: int) -> str:
    return f"{UNDIVIDED_PK}#{lane}"


OUTBOX_PKS: Final = tuple(outbox_pk(lane) for lane in range(LANES))


@dataclass(frozen=True, slots=True)
class Announcement:
    """`at` is the time of the test that caused it; `detail` is JSON without secrets."""

    id: str
    type: AnnouncementType
    at: datetime
    detail: dict[str, Any]

    @classmethod
    def of(
        cls,
        connection: Connection,
        state: HealthState,
        seen: HealthObservation,
        kind: AnnouncementType,
    ) -> Self:
        event_id = _event_id(connection.id, seen.at, kind)
        return cls(event_id, kind, seen.at, _detail(event_id, connection, state, seen))

    @classmethod
    def of_access(
        cls,
        connection: Connection,
        kind: AnnouncementType,
        at: datetime,
        endpoint_id: str,
        ends_at: datetime,
    ) -> Self:
        """About the access of one of its endpoints, which ends or has ended at `ends_at`."""
        event_id = _event_id(f"{connection.id[-16:]} {endpoint_id}", at, kind)
        detail = {
            **_of(connection, event_id, at),
            "status": connection.health.status.value,
            "endpoint_id": endpoint_id,
            "access_ends_at": to_sortable(ends_at),
        }
        return cls(event_id, kind, at, detail)

    @property
    def key(self) -> Key:
        lane = zlib.crc32(self.detail["connection_id"].encode()) % LANES
        return Key(outbox_pk(lane), f"{to_sortable(self.at)}#{self.id}")

    def item(self) -> Item:
        """Its item in the outbox."""
        return {**self.key._asdict(), "what": self.type.value, "detail": self.detail}

    @classmethod
    def read(cls, item: Item) -> Self:
        at, _, event_id = item["sk"].partition("#")
        return cls(
            event_id, AnnouncementType(item["what"]), datetime.fromisoformat(at), item["detail"]
        )


def _event_id(connection_id: str, at: datetime, kind: AnnouncementType) -> str:
    return Stamp(at, f"{connection_id} {kind}".encode()[:64]).id("evt")


def _detail(
    event_id: str, connection: Connection, state: HealthState, seen: HealthObservation
) -> dict[str, Any]:
    end = seen.certificate_expires_at
    return {
        **_of(connection, event_id, seen.at),
        "status": state.status.value,
        "since": to_sortable(state.since) if state.since else None,
        "consecutive_failures": state.failures,
        "error_code": seen.error_code,
        "certificate_expires_at": to_sortable(end) if end else None,
    }


def _of(connection: Connection, event_id: str, at: datetime) -> dict[str, Any]:
    return {
        "id": event_id,
        "occurred_at": to_sortable(at),
        "organization_id": connection.organization_id,
        "space_id": connection.space_id,
        "space": connection.space,
        "connection_id": connection.id,
        "connection_name": connection.name,
    }
