"""Counts the uses of a connection's credentials, each exactly once, and limits them.

    usage   ORG#<organization>   USAGE#<connection id>   requests, errors, last_used_at,
                                                         last_error_at, last_error_code,
                                                         told, cooled_until,
                                                         minute, count, before, revision,
                                                         one attribute a lease

A use **begins** with a lease and **ends** by returning it, as in `patchbay.platform.limits`. The
write that returns the lease counts the use, on the condition that the lease is there: a repetition
after a lost reply finds no lease and counts nothing. Uses of one connection that end at the same
time do not compete, because that write needs no revision. A use whose function was killed is not
counted; its lease ends by itself.

A use costs 1 RRU and 2 WRU. No connection is written more often than its limit of uses a minute
allows, so its item never gets hot.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from patchbay.connections.audit_events import used
from patchbay.connections.connection_model import Connection
from patchbay.connections.keys import USAGE, connection_key, usage_key
from patchbay.connections.usage_model import ConnectionUsage
from patchbay.platform.actor import current_actor
from patchbay.platform.audit import Action
from patchbay.platform.clock import epoch_seconds, to_text
from patchbay.platform.dynamodb import (
    PRESENT,
    Check,
    ConditionFailed,
    Item,
    Key,
    Table,
    TransactionRefused,
    Update,
    Write,
    exists,
    pause_seconds,
)
from patchbay.platform.errors import NotFound, RateLimited, TemporarilyUnavailable
from patchbay.platform.limits import Limit, entering, lease_attribute, usage_in
from patchbay.platform.logging import logger
from patchbay.tenancy.keys import organization_pk

LEASE: Final = timedelta(seconds=35)
"""No request runs longer."""

MAX_COOLDOWN_SECONDS: Final = 30
"""How long a connection is left alone, at most, after its provider asked to wait: the limit of one
operation of a provider must not close all the others for long."""

MAX_SUBJECTS_TOLD: Final = 20
"""Subjects whose use of a connection in this hour is remembered. Each use by any other is in the
audit trail."""

_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Use:
    """One use that began: `id` is `use_…`."""

    id: str
    connection: Connection
    at: datetime
    described: Mapping[str, Any] = field(default_factory=dict)
    """What its audit event says of it."""


@dataclass(frozen=True, slots=True)
class UseOutcome:
    """How a use ended. `code` is why it failed; `cool_seconds` is how long the provider asked to
    be left alone."""

    at: datetime
    code: str | None = None
    cool_seconds: int = 0


class UsageStore:
    """The usage of connections."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, connection: Connection) -> ConnectionUsage:
        return ConnectionUsage.of(
            self._table.get(usage_key(connection.organization_id, connection.id))
        )

    def of_all(
        self, organization_id: str, connections: Sequence[Connection]
    ) -> dict[str, ConnectionUsage]:
        """Those of connections that were ever used, by their ids.

        It reads the range between the first and the last id: these items are small, and a list of
        connections is in the order of their ids.
        """
        ids = sorted(connection.id for connection in connections)
        if not ids:
            return {}
        items = self._table.query_all(
            organization_pk(organization_id), between=(USAGE + ids[0], USAGE + ids[-1])
        )
        return {item["sk"].removeprefix(USAGE): ConnectionUsage.of(item) for item in items}

    def begin(self, use: Use, limit: Limit, *, proxied: bool = False) -> None:
        """Takes a lease for a use.

        With `proxied` it is to send a request: the first by the present actor in an hour is in the
        audit trail, in the same transaction. Raises `RateLimited` for too many uses, and for a
        request while the provider is left alone; `NotFound` if the connection was deleted in
        between; and `TemporarilyUnavailable` if others come first on and on.
        """
        key = _key(use)
        item = self._table.get(key)
        for attempt in range(_ATTEMPTS):
            before = usage_in(item)
            if use.id in before.leases:
                return  # our own write, whose reply was lost
            if proxied:
                _require_warm(item, use.at)
            after = before.entered(use.id, limit, use.at, LEASE, "connection_uses")
            values, events = _telling(item, use) if proxied else ({}, [])
            update = entering(key, item, before, after, values)
            try:
                self._write(update, [*self._first(item, use), *events])
            except _Overtaken:
                item = self._table.reread(key)
                if item is None:
                    self._require_connection(use)
                time.sleep(pause_seconds(attempt))
            else:
                return
        raise TemporarilyUnavailable

    def end(self, use: Use, outcome: UseOutcome, *, given: bool = False) -> None:
        """Returns the lease and counts the use.

        With `given` it was to give a credential away, which is in the audit trail: nothing is given
        without its event. Raises `TemporarilyUnavailable` if that could not be written.
        """
        at = to_text(outcome.at)
        values: dict[str, Any] = {"last_used_at": at}
        if outcome.code is not None:
            values |= {"last_error_at": at, "last_error_code": outcome.code}
        if outcome.cool_seconds:
            cool = min(outcome.cool_seconds, MAX_COOLDOWN_SECONDS)
            values["cooled_until"] = epoch_seconds(outcome.at, timedelta(seconds=cool))
        update = _returning(
            use, values=values, add={"requests": 1, "errors": int(outcome.code is not None)}
        )
        event = used(use.connection, Action.CREDENTIALS_GIVEN, use.described)
        try:
            self._write(update, [event] if given else [])
        except _Overtaken:
            # Counted already, or so late that its lease has ended.
            if given:
                raise TemporarilyUnavailable from None

    def abandon(self, use: Use) -> None:
        """Returns the lease of a use that ended by a fault of ours, and counts nothing."""
        try:
            self._table.write(_returning(use))
        except ConditionFailed:
            return
        except TemporarilyUnavailable:
            logger.warning("lease of a use not returned", connection_id=use.connection.id)

    def _write(self, update: Update, with_it: Sequence[Write]) -> None:
        try:
            if with_it:
                self._table.transact([update, *with_it])
            else:
                self._table.write(update)
        except (ConditionFailed, TransactionRefused):
            raise _Overtaken from None

    def _first(self, item: Item | None, use: Use) -> list[Write]:
        """The first use makes the item, which must not outlive its connection."""
        return [] if item else [Check(_connection(use), PRESENT)]

    def _require_connection(self, use: Use) -> None:
        if self._table.reread(_connection(use)) is None:
            raise NotFound("connection")


class _Overtaken(Exception):
    """A condition did not hold."""


def _key(use: Use) -> Key:
    return usage_key(use.connection.organization_id, use.connection.id)


def _connection(use: Use) -> Key:
    return connection_key(use.connection.organization_id, use.connection.id)


def _returning(
    use: Use, values: Mapping[str, Any] | None = None, add: Mapping[str, int] | None = None
) -> Update:
    lease = lease_attribute(use.id)
    return Update(
        _key(use), values=values or {}, add=add or {}, remove=[lease], condition=exists(lease)
    )


def _require_warm(item: Item | None, now: datetime) -> None:
    left = item.get("cooled_until", 0) - epoch_seconds(now) if item else 0
    if left > 0:
        raise RateLimited(
            f"The provider asked to wait: try again in {left} s.",
            left,
            quota="provider_cooldown",
        )


def _telling(item: Item | None, use: Use) -> tuple[dict[str, Any], list[Write]]:
    """What to remember of who was told about in this hour, and the event if this use is the first.

    A subject is remembered by its name only where it fits: the item stays small.
    """
    hour = epoch_seconds(use.at) // 3600
    stored: Mapping[str, int] = (item or {}).get("told", {})
    told = {subject: at for subject, at in stored.items() if at == hour}
    subject = current_actor().subject
    if subject in told:
        return {}, []
    if len(told) < MAX_SUBJECTS_TOLD:
        told[subject] = hour
    return {"told": told}, [used(use.connection, Action.PROXIED, use.described)]
