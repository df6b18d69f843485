"""How connections are stored.

connection   ORG#<org>   CON#<id>   in by_owner under its space,
                                    in monitor_slot while it is monitored and has no plan,
                                    in failing while its health is
"""

import json
from typing import Final

from patchbay.connections.audit_events import audited
from patchbay.connections.connection_model import Connection, Health
from patchbay.connections.endpoint_items import begin_use, end_use, endpoint_delete
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.health_status import FAILING, HealthStatus, RequiredAction
from patchbay.connections.keys import (
    BY_SPACE,
    FAILING_INDEX,
    connection_key,
    connections_of_space_pk,
    failing_of_space_pk,
    usage_key,
    use_key,
)
from patchbay.connections.plans import MonitorPlan, PlanPlace
from patchbay.connections.quotas import (
    CONNECTION_QUOTA,
    MONITOR_QUOTA,
    MONITORED_TEST_QUOTA,
    tests_a_day,
)
from patchbay.connections.wheel import INDEX_ATTRIBUTES, on_the_wheel
from patchbay.platform.audit import Action
from patchbay.platform.clock import to_sortable, to_text
from patchbay.platform.dynamodb import (
    Condition,
    Delete,
    Item,
    Put,
    Update,
    Write,
    equals,
    without,
)
from patchbay.platform.strict_json import compact
from patchbay.tenancy.keys import use_of_space
from patchbay.tenancy.model import Space
from patchbay.tenancy.quotas import Count, Counted

FAILING_ATTRIBUTES: Final = (f"{FAILING_INDEX}_pk", f"{FAILING_INDEX}_sk")
"""Those that put a connection into the index `failing`."""
_OF_TESTS: Final = ("health", "required_action", "checked_at", "state", *FAILING_ATTRIBUTES)
"""Attributes that tests change."""


def connection_item(connection: Connection) -> Item:
    return {
        **connection_key(connection.organization_id, connection.id)._asdict(),
        **connection.model_dump(mode="json"),
        **health_attributes(connection.health, connection.required_action),
        "configurations": compact(connection.configurations).decode(),
        "owns_source": connection.owns_source,
        "state": connection.state,
        "stated_status": connection.stated_status,
        "watched_since": to_text(connection.watched_since) if connection.watched_since else None,
        "revision": connection.revision,
        **({"plans": connection.plans} if connection.plans else {}),
        **({} if connection.planned_from is None else {"planned_from": connection.planned_from}),
        f"{BY_SPACE}_pk": connections_of_space_pk(connection.space_id),
        f"{BY_SPACE}_sk": connection.id,
        **wheel_attributes(connection),
        **failing_attributes(connection, connection.health.status),
    }


def read_connection(item: Item) -> Connection:
    return Connection.model_validate({**item, "configurations": json.loads(item["configurations"])})


def read_plans(item: Item) -> tuple[PlanPlace, ...]:
    """Where the plans of a connection are, by its item."""
    return tuple(PlanPlace(*place) for place in item.get("plans", ()))


def health_attributes(health: Health, action: RequiredAction) -> Item:
    return {
        "health": health.model_dump(mode="json"),
        "required_action": action.value,
        "checked_at": _checked(health),
    }


def failing_attributes(connection: Connection, status: HealthStatus) -> Item:
    """What puts a connection among the failing ones of its space; nothing for any other."""
    if status not in FAILING:
        return {}
    place = failing_of_space_pk(connection.space_id), f"{connection.id}#{status.value}"
    return dict(zip(FAILING_ATTRIBUTES, place, strict=True))


def wheel_attributes(connection: Connection) -> Item:
    """What puts a connection into the index of the wheel; nothing for one that has plans, or is not
    monitored."""
    if connection.plans or not connection.is_monitored:
        return {}
    return on_the_wheel(connection.id, connection.monitor.interval)


def connection_change(old: Connection, new: Connection) -> list[Counted]:
    """The writes of a new revision; the connection's own comes first."""
    kept = {"pk", "sk", *_OF_TESTS}
    unchanged = equals("revision", old.revision)
    if old.stated_status or new.stated_status:
        # A test ends what was stated before it, without a new revision.
        unchanged &= equals("checked_at", _checked(old.health))
    unchanged &= plans_are(old)
    before, after = connection_item(old), connection_item(new)
    # One that has plans may still be in the index, until those of an hour ago are done.
    gone = before.keys() if new.is_monitored else {*before, *INDEX_ATTRIBUTES}
    writes: list[Counted] = [
        Update(
            connection_key(old.organization_id, old.id),
            values={n: v for n, v in after.items() if n not in kept},
            remove=sorted(gone - after.keys()),
            condition=unchanged,
        )
    ]
    if old.destination_id != new.destination_id:
        if old.destination_id:
            writes += end_use(old.organization_id, old.destination_id, old.id)
        if new.destination_id:
            writes += begin_use(new.organization_id, new.destination_id, new.id)
    return [
        *writes,
        *plan_writes(old, new),
        audited(new, Action.CHANGED, before=old, after=new),
        *monitoring(old, new),
    ]


def plans_are(connection: Connection) -> Condition:
    """The connection has these plans and no others: they are moved without a new revision."""
    return equals("plans", connection.plans) if connection.plans else without("plans")


def plan_writes(old: Connection | None, new: Connection | None) -> list[Write]:
    """The writes of the plans of a connection that is made, changed, or deleted. Each plan is as
    new: what the next test needs, it reads from the connection."""
    if new is None:
        return [Delete(place.key) for place in old.plans] if old else []
    kept = {place.key for place in new.plans}
    gone = [place.key for place in old.plans if place.key not in kept] if old else []
    return [
        *(Delete(key) for key in gone),
        *(Put(plan_of(new, place).item()) for place in new.plans),
    ]


def plan_of(connection: Connection, place: PlanPlace) -> MonitorPlan:
    """A plan at this place, whose first test reads what it needs."""
    return MonitorPlan.new(
        place,
        organization_id=connection.organization_id,
        space_id=connection.space_id,
        space=connection.space,
    )


def connection_counts(connection: Connection) -> list[Count]:
    """What a new connection counts."""
    return [
        Count(connection.organization_id, CONNECTION_QUOTA, +1),
        *monitoring(None, connection),
    ]


def monitoring(old: Connection | None, new: Connection | None) -> list[Count]:
    """Counts a connection that begins or ceases to be monitored, or is monitored more or less
    often. Both are the same connection, and None stands for one that does not exist."""
    return [
        count
        for one, sign in ((old, -1), (new, +1))
        if one and one.is_monitored
        for count in (
            Count(one.organization_id, MONITOR_QUOTA, sign),
            Count(
                one.organization_id, MONITORED_TEST_QUOTA, sign * tests_a_day(one.monitor.interval)
            ),
        )
    ]


def connection_delete(
    connection: Connection, space: Space, own_source: Endpoint | None = None
) -> list[Counted]:
    """The writes that delete a connection, and `own_source` with it."""
    organization_id = connection.organization_id
    writes: list[Counted] = [
        Delete(
            connection_key(organization_id, connection.id),
            equals("revision", connection.revision) & plans_are(connection),
        ),
        *plan_writes(connection, None),
        use_of_space(space, -1),
        Count(organization_id, CONNECTION_QUOTA, -1),
        *monitoring(connection, None),
        Delete(usage_key(organization_id, connection.id)),
    ]
    if own_source:
        writes.append(Delete(use_key(organization_id, own_source.id, connection.id)))
        writes += endpoint_delete(own_source, uses=1)
    else:
        writes += end_use(organization_id, connection.source_id, connection.id)
    if connection.destination_id:
        writes += end_use(organization_id, connection.destination_id, connection.id)
    writes.append(audited(connection, Action.DELETED, before=connection))
    if own_source:
        writes.append(audited(own_source, Action.DELETED, before=own_source))
    return writes


def _checked(health: Health) -> str:
    """When a connection was tested, to compare; empty, which is less, if it never was."""
    return to_sortable(health.checked_at) if health.checked_at else ""
