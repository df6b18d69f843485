"""Writes what tests found into the health of connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from patchbay.connections.announcements import Announcement
from patchbay.connections.audit_events import audited
from patchbay.connections.connection_items import (
    FAILING_ATTRIBUTES,
    failing_attributes,
    health_attributes,
    monitoring,
    plan_writes,
    plans_are,
    read_connection,
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
from patchbay.connections.health_status import FAILING, HealthStatus, RequiredAction
from patchbay.connections.keys import connection_key
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.plans import OF_HEALTH, new_revision
from patchbay.connections.steady_health import (
    StreakTest,
    changes_nothing,
    overlaid,
    pending,
    shown,
    unwritten,
)
from patchbay.connections.wheel import INDEX_ATTRIBUTES
from patchbay.platform.actor import DEPLOYMENT, Actor, acting
from patchbay.platform.audit import Action
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import (
    PRESENT,
    Condition,
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
from patchbay.tenancy.wakes import Wake, wake_nobody

_ATTEMPTS: Final = 10
"""How often others may write first: tests and edits of the same connection."""


class HealthRecorder:
    """The health of connections in the integrations table."""

    def __init__(self, table: Table, quotas: Quotas, wake: Wake = wake_nobody) -> None:
        self._table = table
        self._quotas = quotas
        self._wake = wake

    def record(
        self,
        connection: Connection,
        seen: HealthObservation,
        action: RequiredAction,
        disable: AutoDisable = NO_AUTO_DISABLE,
        *,
        before: Sequence[StreakTest] = (),
        in_run: bool = False,
    ) -> list[Announcement]:
        """Folds what a test saw into the connection's health: one write, and no read before it.

        `connection` is what the caller has read. If it was tested or changed since, the write's
        condition fails, and the current one is used instead. An observation that is not newer than
        the last changes nothing, so a repeated one does not count twice. Returns what to announce,
        which is in the outbox already, written together with the state. Raises
        `TemporarilyUnavailable` if others write first again and again, and for a test that is
        `in_run`, which is repeated, if the rules of the connection cannot be woken.

        `before` has the tests of runs before this one that may not be written, in their order: they
        are folded first. A test that is itself `in_run` is not written if everything follows from
        its entry.
        """
        for _ in range(_ATTEMPTS):
            folded = _folded(connection, seen, disable, before)
            if not folded:
                return []
            last = folded[-1]
            passed = _last_passed(connection, folded, before)
            if (
                in_run
                and len(folded) == 1
                and changes_nothing(connection, last.update, seen, action)
            ):
                return []
            announced = [
                Announcement.of(connection, one.update.state, one.seen, kind)
                for one in folded
                for kind in one.update.announced
            ]
            begins = last.update.state.is_failing and connection.health.status not in FAILING
            if begins and not self._wake([connection.space_id]) and in_run:
                raise TemporarilyUnavailable
            try:
                self._apply(_writes(connection, last, action, announced, passed))
            except _Overtaken as overtaken:
                if overtaken.item is None:
                    return []  # deleted in between
                connection = read_connection(overtaken.item)
            else:
                return announced
        raise TemporarilyUnavailable

    def catch_up(self, connection: Connection, newest: StreakTest) -> None:
        """Writes the health that follows from the newest test of a run, before nothing shows that
        it does. Nothing if it is written, or if more than times and counts is to be written.

        Raises `TemporarilyUnavailable`.
        """
        for _ in range(_ATTEMPTS):
            state = HealthState.decode(connection.state)
            seen = unwritten(state, newest)
            if seen is None or pending(state, newest):
                return
            try:
                self._apply(_catching_up(connection, overlaid(state, newest), newest, seen))
            except _Overtaken as overtaken:
                if overtaken.item is None:
                    return  # deleted in between
                connection = read_connection(overtaken.item)
            else:
                return
        raise TemporarilyUnavailable

    def _apply(self, writes: Sequence[Counted]) -> None:
        """The write of the connection comes first."""
        try:
            match writes:
                case [Update() as alone]:
                    self._table.write(alone)
                case _:
                    self._quotas.transact(writes)
        except ConditionFailed as failed:
            raise _Overtaken(failed.item) from None
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise _Overtaken(refused.failed[0]) from None
            # Its plan was moved: the connection names another one now.
            [update, *_] = writes
            if not isinstance(update, Update):
                raise
            raise _Overtaken(self._table.reread(update.key)) from None


class _Folded(NamedTuple):
    """An observation, and the state after it."""

    seen: HealthObservation
    update: HealthUpdate


def _folded(
    connection: Connection,
    seen: HealthObservation,
    disable: AutoDisable,
    before: Sequence[StreakTest],
) -> list[_Folded]:
    """What is to be folded into a connection's health: nothing if it is not newer than that."""
    state = HealthState.decode(connection.state)
    folded = []
    for test in before:
        if (earlier := pending(state, test)) is None:
            state = overlaid(state, test)
        elif first := next_state(
            state, earlier, monitored=connection.is_monitored, disable=disable
        ):
            folded.append(_Folded(earlier, first))
            state = first.state
            if first.disables:
                return folded
    update = next_state(state, seen, monitored=connection.is_monitored, disable=disable)
    return [*folded, _Folded(seen, update)] if update else folded


def _last_passed(
    connection: Connection, folded: Sequence[_Folded], before: Sequence[StreakTest]
) -> HealthObservation | None:
    """The last of the tests that passed since the state was stored. The end of a streak of them is
    the first that says so."""
    state = HealthState.decode(connection.state)
    seen = [*(unwritten(state, test) for test in before), *(one.seen for one in folded)]
    passed = [one for one in seen if one and one.passed]
    return max(passed, key=lambda one: one.at, default=None)


@dataclass(eq=False)
class _Overtaken(Exception):
    """Another writer changed what the state of a connection follows from; `item` is the current
    connection, None if it was deleted."""

    item: Item | None


def _writes(
    connection: Connection,
    folded: _Folded,
    action: RequiredAction,
    announced: Sequence[Announcement],
    passed: HealthObservation | None,
) -> list[Counted]:
    update = folded.update
    values = _health_values(connection, folded, action)
    writes: list[Counted] = [
        _health_write(connection, folded, values | _success(passed), bool(announced)),
        *(Put(one.item()) for one in announced),
    ]
    if update.disables:
        after = connection.model_copy(update={"status": Lifecycle.DISABLED, "plans": ()})
        writes += [_disabled(connection, after, folded.seen), *monitoring(connection, after)]
        writes += plan_writes(connection, after)
    else:
        writes += _plans_with(connection, values)
    return writes


def _catching_up(
    connection: Connection, state: HealthState, newest: StreakTest, seen: HealthObservation
) -> list[Counted]:
    health = shown(connection.health, state, newest)
    values = {
        **health_attributes(health, connection.required_action),
        "state": state.encode(),
        "stated_status": connection.stated_status,
    }
    return [
        Update(
            connection_key(connection.organization_id, connection.id),
            values=values | _success(seen if seen.passed else None),
            condition=_unchanged(connection),
        ),
        *_plans_with(connection, values),
    ]


def _plans_with(connection: Connection, values: Item) -> list[Counted]:
    """The same health, in the plans of a connection."""
    of_plan = {name: values[name] for name in OF_HEALTH} | {"revision": new_revision()}
    return [Update(place.key, values=of_plan, condition=PRESENT) for place in connection.plans]


def _success(passed: HealthObservation | None) -> Item:
    """Kept through later failures: how long ago it last worked."""
    return {"last_success_at": to_text(passed.ended)} if passed else {}


def _unchanged(connection: Connection) -> Condition:
    return PRESENT & equals("state", connection.state) & plans_are(connection)


def _health_values(connection: Connection, folded: _Folded, action: RequiredAction) -> Item:
    """The attributes of a connection after an observation, which ends what a caller stated."""
    seen, state, before = folded.seen, folded.update.state, connection.health
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
    return {**health_attributes(health, action), "state": state.encode(), "stated_status": None}


def _health_write(
    connection: Connection, folded: _Folded, values: Item, is_announced: bool
) -> Update:
    seen, update = folded
    values = dict(values)
    unchanged = _unchanged(connection)
    failing = failing_attributes(connection, update.state.status)
    values |= failing
    remove: tuple[str, ...] = () if failing else FAILING_ATTRIBUTES
    if is_announced or update.disables:
        # An announcement names the connection as it is, and is not made for one that just left. A
        # connection that is disabled is counted as it is.
        unchanged &= equals("revision", connection.revision)
    if update.disables:
        values |= {
            "status": Lifecycle.DISABLED.value,
            "revision": connection.revision + 1,
            "updated_at": to_text(seen.at),
        }
        remove += (*INDEX_ATTRIBUTES, "plans")
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
