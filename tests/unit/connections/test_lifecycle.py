"""What a connection may become, and the one status that the operations have for it."""

from datetime import UTC, datetime
from itertools import product

import pytest

from patchbay.connections.connection_changes import changed_connection
from patchbay.connections.connection_model import UNTESTED, Connection, ConnectionPatch, Monitor
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.lifecycle import Lifecycle, may_become
from patchbay.platform.errors import Conflict, InvalidInput
from tests.sample_connection import sample_connection

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)


def connection(**changes: object) -> Connection:
    made = sample_connection(
        configurations={"depth": 1, "tables": {"a": 1}},
        monitor=Monitor(),
        created_at=NOW,
        updated_at=NOW,
    )
    return made.model_copy(update=changes)


POSSIBLE = {
    "draft": "draft active disabled",
    "active": "active paused disabled",
    "paused": "active paused disabled",
    "disabled": "active disabled",
}


@pytest.mark.parametrize(("old", "new"), list(product(Lifecycle, Lifecycle)))
def test_a_connection_becomes_only_what_the_table_says(old: Lifecycle, new: Lifecycle) -> None:
    possible = new.value in POSSIBLE[old].split()
    assert may_become(old, new) is possible
    patch = ConnectionPatch(status=new)
    if possible:
        assert changed_connection(connection(status=old), patch, NOW).status is new
    else:
        with pytest.raises(Conflict) as refused:
            changed_connection(connection(status=old), patch, NOW)
        assert refused.value.details["errors"][0]["pointer"] == "/status"


def test_a_patch_merges_configurations_and_monitor_and_resets_by_null() -> None:
    old = connection(monitor=Monitor(enabled=True))
    patch = ConnectionPatch.model_validate_json(
        '{"configurations": {"depth": null, "tables": {"b": 2}}, "monitor": {"interval": "1h"}}'
    )
    new = changed_connection(old, patch, NOW)
    assert new.configurations == {"tables": {"a": 1, "b": 2}}
    assert new.monitor.model_dump() == {"enabled": True, "interval": "1h"}
    assert new.revision == 2
    null = ConnectionPatch.model_validate_json('{"configurations": null, "monitor": null}')
    new = changed_connection(new, null, NOW)
    assert (new.configurations, new.monitor) == ({}, Monitor())
    part = ConnectionPatch.model_validate_json('{"monitor": {"interval": null}}')
    hourly = connection(monitor=Monitor.model_validate({"enabled": True, "interval": "1h"}))
    assert changed_connection(hourly, part, NOW).monitor.model_dump() == {
        "enabled": True,
        "interval": "5m",
    }


@pytest.mark.parametrize("field", ["name", "status"])
def test_a_required_field_can_not_be_removed(field: str) -> None:
    patch = ConnectionPatch.model_validate({field: None})
    with pytest.raises(InvalidInput) as refused:
        changed_connection(connection(), patch, NOW)
    assert [problem.pointer for problem in refused.value.problems] == [f"/{field}"]


@pytest.mark.parametrize(
    ("status", "stated", "tested", "word"),
    [
        (Lifecycle.ACTIVE, None, "unknown", "unknown"),
        (Lifecycle.ACTIVE, None, "error", "error"),
        (Lifecycle.DRAFT, None, "connected", "connected"),
        (Lifecycle.PAUSED, None, "connected", "disconnected"),
        (Lifecycle.DISABLED, None, "connected", "disconnected"),
        (Lifecycle.ACTIVE, HealthStatus.ERROR, "connected", "error"),
        (Lifecycle.PAUSED, HealthStatus.UNKNOWN, "connected", "unknown"),
    ],
)
def test_the_word_for_a_connection_is_the_last_status(
    status: Lifecycle, stated: HealthStatus | None, tested: str, word: str
) -> None:
    health = UNTESTED.model_copy(update={"status": HealthStatus(tested)})
    assert connection(status=status, stated_status=stated, health=health).word == word
