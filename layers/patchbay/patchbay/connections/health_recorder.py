"""Writes what tests found into the health of connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from patchbay.connections.announcements import Announcement
from patchbay.connections.audit_events import audited
from patchbay.connections.connection_items import (
    FAILING_ATTRIBUTES,
    failing_attributes,
    health_attributes,
    monitoring,
    read_connection,
    wheel_attributes,
)
from patchbay.connections.connection_model import Connection, Health
from patchbay.connections.health_state import (
    NO_AUTO_DISABLE,
    AutoDisable,
    HealthObservation,
    HealthState,
    HealthUpdate,
    next_state,
)
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.keys import connection_key
from patchbay.connections.lifecycle import Lifecycle
from patchbay.platform.actor import DEPLOYMENT, Actor, acting
from patchbay.platform.audit import Action
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    equals,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.tenancy.quotas import Counted, Quotas

_ATTEMPTS: Final = 10
"""How often others may write first: tests and edits of the same connection."""


class HealthRecorder:
    """The health of connections in the integrations table."""

    def __init__(self, table: Table, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas

    def record(
        self,
        connection: Connection,
        seen: HealthObservation,
        action: RequiredAction,
        disable: AutoDisable = NO_AUTO_DISABLE,
    ) -> list[Announcement]:
        """Folds what a test saw into the connection's health: one write, and no read before it.

        `connection` is what the caller has read. If it was tested or changed since, the write's
        condition fails, and the current one is used instead. An observation that is not newer than
        the last changes nothing, so a repeated one does not count twice. Returns what to announce,
        which is in the outbox already, written together with the state. Raises
        `TemporarilyUnavailable` if others write first again and again.
        """
        for _ in range(_ATTEMPTS):
            update = next_state(
                HealthState.decode(connection.state),
                seen,
                monitored=connection.is_monitored,
                disable=disable,
            )
            if update is None:
                return []
            announced = [
                Announcement.of(connection, update.state, seen, kind) for kind in update.announced
            ]
            writes: list[Counted] = [Put(one.item()) for one in announced]
            if update.disables:
                after = connection.model_copy(update={"status": Lifecycle.DISABLED})
                writes += [_disabled(connection, after, seen), *monitoring(connection, after)]
            try:
                self._apply(_health_write(connection, update, seen, action), writes)
            except _Overtaken as overtaken:
                if overtaken.item is None:
                    return []  # deleted in between
                connection = read_connection(overtaken.item)
            else:
                return announced
        raise TemporarilyUnavailable

    def _apply(self, update: Update, with_it: Sequence[Counted]) -> None:
        try:
            if with_it:
                self._quotas.transact([update, *with_it])
            else:
                self._table.write(update)
        except ConditionFailed as failed:
            raise _Overtaken(failed.item) from None
        except TransactionRefused as refused:
            raise _Overtaken(refused.failed[0]) from None


@dataclass(eq=False)
class _Overtaken(Exception):
    """Another writer changed what the state of a connection follows from; `item` is the current
    connection, None if it was deleted."""

    item: Item | None


def _health_write(
    connection: Connection, update: HealthUpdate, seen: HealthObservation, action: RequiredAction
) -> Update:
    """The write of a state after an observation, which ends what a caller stated before."""
    state, before = update.state, connection.health
    code, message = seen.error_code, seen.error_message
    if state.status is HealthStatus.CONNECTED:
        # Whatever a single test found: what is connected has no error and nothing to do.
        code, message, action = None, None, RequiredAction.NONE
    elif state.is_failing and seen.passed:
        # Not recovered yet: what it fails of is what it failed of.
        code, message, action = (
            before.error_code,
            before.error_message,
            connection.required_action,
        )
    health = Health(
        status=state.status,
        since=state.since,
        checked_at=seen.ended,
        latency_ms=seen.latency_ms,
        error_code=code,
        error_message=message,
        consecutive_failures=state.failures,
        consecutive_successes=state.successes,
    )
    values = {
        **health_attributes(health, action),
        "state": state.encode(),
        "stated_status": None,
    }
    if seen.status is HealthStatus.CONNECTED:
        # Kept through later failures: how long ago it last worked.
        values["last_success_at"] = to_text(seen.ended)
    unchanged = PRESENT & equals("state", connection.state)
    failing = failing_attributes(connection, health.status)
    values |= failing
    remove: tuple[str, ...] = () if failing else FAILING_ATTRIBUTES
    if update.announced or update.disables:
        # An announcement names the connection as it is, and is not made for one that just left. A
        # connection that is disabled is counted as it is.
        unchanged &= equals("revision", connection.revision)
    if update.disables:
        values |= {
            "status": Lifecycle.DISABLED.value,
            "revision": connection.revision + 1,
            "updated_at": to_text(seen.at),
        }
        remove += tuple(wheel_attributes(connection))
    return Update(
        connection_key(connection.organization_id, connection.id),
        values=values,
        remove=remove,
        condition=unchanged,
    )


def _disabled(connection: Connection, after: Connection, seen: HealthObservation) -> Put:
    """The audit event of a disabling: the deployment did it, even if a user asked for the test."""
    with acting(Actor(DEPLOYMENT, seen.ended)):
        return audited(connection, Action.CHANGED, before=connection, after=after)
