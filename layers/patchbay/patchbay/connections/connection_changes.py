"""New and changed connections. Pure."""

from datetime import datetime
from typing import Any

from patchbay.checks.recipe import Recipe
from patchbay.connections.connection_model import (
    UNTESTED,
    Connection,
    ConnectionPatch,
    Monitor,
    MonitorPatch,
    NewConnection,
)
from patchbay.connections.endpoint_values import size_problems
from patchbay.connections.health_status import RequiredAction
from patchbay.connections.lifecycle import Lifecycle, may_become
from patchbay.platform.errors import Conflict, InvalidInput
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import merge_patch
from patchbay.platform.schema_defaults import TooManyDefaults
from patchbay.tenancy.model import Space


def new_connection(
    organization_id: str,
    new: NewConnection,
    space: Space,
    stamp: Stamp,
    *,
    owns_source: bool = False,
) -> Connection:
    """A connection that was never tested."""
    return Connection(
        **new.model_dump(exclude={"space", "monitor"}),
        id=stamp.id("con"),
        organization_id=organization_id,
        space=space.slug,
        space_id=space.id,
        monitor=new.monitor,
        health=UNTESTED,
        required_action=RequiredAction.NONE,
        created_at=stamp.now,
        updated_at=stamp.now,
        owns_source=owns_source,
        watched_since=stamp.now,
        stated_status=None,
        revision=1,
    )


def changed_connection(old: Connection, patch: ConnectionPatch, now: datetime) -> Connection:
    """A connection after a merge patch.

    Raises `InvalidInput` for a null where a value is required, `Conflict` for a status that it
    can't become.
    """
    given = patch.model_fields_set
    for required in ("name", "status", "record_uses"):
        if required in given and getattr(patch, required) is None:
            raise InvalidInput.at(f"/{required}", "is required")
    changes: dict[str, Any] = {"updated_at": now, "revision": old.revision + 1}
    if patch.name is not None:
        changes["name"] = patch.name
    if "destination_id" in given:
        changes["destination_id"] = patch.destination_id
    if "configurations" in given:
        reset = patch.configurations is None
        changes["configurations"] = (
            {} if reset else merge_patch(old.configurations, patch.configurations)
        )
        if problems := size_problems(changes["configurations"], "/configurations"):
            raise InvalidInput(problems)
    if "monitor" in given:
        changes["monitor"] = _changed_monitor(old.monitor, patch.monitor)
    if patch.record_uses is not None:
        changes["record_uses"] = patch.record_uses
    if patch.status is not None:
        changes |= {"status": next_lifecycle(old, patch.status), "stated_status": None}
    return watched_anew(old, old.model_copy(update=changes), now)


def watched_anew(old: Connection, new: Connection, now: datetime) -> Connection:
    """An edited connection, watched since `now` if the edit resumes it, enables its monitor, or
    changes the interval. Only then does the wait for its next success start over: before that,
    nothing had to test it, or not as often.
    """
    resumed = new.status is Lifecycle.ACTIVE is not old.status
    enabled = new.is_monitored and not old.is_monitored
    other_interval = new.is_monitored and new.monitor.interval is not old.monitor.interval
    if resumed or enabled or other_interval:
        return new.model_copy(update={"watched_since": now})
    return new


def settled_connection(connection: Connection, recipe: Recipe) -> Connection:
    """A connection with the defaults of its configurations: every create and edit goes through
    here. What has too many of them, which only a draft may, stays as it is."""
    if not recipe.configuration_schema:
        return connection
    try:
        configurations = recipe.with_configuration_defaults(connection.configurations)
    except TooManyDefaults:
        return connection
    if size_problems(configurations, ""):
        return connection
    return connection.model_copy(update={"configurations": configurations})


def next_lifecycle(old: Connection, status: Lifecycle) -> Lifecycle:
    """The status, if the connection may become it. Raises `Conflict`."""
    if not may_become(old.status, status):
        raise Conflict(
            f"A connection that is {old.status.value} can't become {status.value}.",
            errors=[{"pointer": "/status", "message": f"can't follow {old.status.value}"}],
        )
    return status


def _changed_monitor(old: Monitor, patch: MonitorPatch | None) -> Monitor:
    if patch is None:
        return Monitor()
    return Monitor.model_validate(
        merge_patch(old.model_dump(), patch.model_dump(exclude_unset=True))
    )
