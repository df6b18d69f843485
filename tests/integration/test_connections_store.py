"""Concurrent edits of connections: the counts stay right."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.checks.roles import Role
from patchbay.connections.connection_model import Connection, ConnectionPatch, NewConnection
from patchbay.connections.endpoint_model import EndpointPatch, NewEndpoint
from patchbay.connections.health_state import HealthObservation
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Key, Put, Table, Write
from patchbay.platform.errors import (
    Conflict,
    InvalidConfig,
    InvalidInput,
    NotFound,
)
from patchbay.platform.ids import Stamp
from patchbay.registry.release_uses import uses_of_integration
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import (
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)
from tests.integration.table_calls import counted_calls
from tests.integration.test_connection_edits import DEPTH, create_destination, release

BOTH = ["source", "destination"]

type Before = Callable[[], object]


class InterleavedTable(Table):
    """A table on which others write first: before each transaction the next one of `before`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.before: list[Before] = []

    def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
        if self.before:
            self.before.pop(0)()
        super().transact(writes, attempts=attempts)


class Ours:
    """The use cases on such a table. The others use the API."""

    def __init__(self, tenant: Tenant) -> None:
        self.organization_id = tenant.organization_id
        self.table = InterleavedTable("IntegrationsTable")
        ours = Deployment()
        ours.integrations = self.table
        self.tenants, self.operations = ours.tenants, ours.operations
        self.endpoints, self.connections = ours.endpoints, ours.connections
        self.endpoint_creator, self.endpoint_editor = ours.endpoint_creator, ours.endpoint_editor
        self.connection_editor, self.health = ours.connection_editor, ours.health_recorder

    def change(self, connection: dict[str, Any], **patch: Any) -> Connection:
        return self.connection_editor.change(
            self.organization_id,
            connection["id"],
            ConnectionPatch.model_validate(patch),
            None,
            utc_now(),
        )

    def upgrade(self, source: dict[str, Any]) -> None:
        patch = EndpointPatch(version="2.0.0")
        self.endpoint_editor.change(
            self.organization_id, Role.SOURCE, source["id"], patch, None, utc_now()
        )

    def counts(self) -> dict[str, int]:
        """The number of connections of each endpoint: as it counts, and as name it."""
        pk = f"ORG#{self.organization_id}"
        items = list(self.table.query_all(pk))
        uses = [item["sk"].split("#")[1:] for item in items if item["sk"].startswith("USE#")]
        named = [
            [item[end], item["id"]]
            for item in items
            if item["sk"].startswith("CON#")
            for end in ("source_id", "destination_id")
            if item[end]
        ]
        assert sorted(uses) == sorted(named)
        counted = {item["id"]: item["uses"] for item in items if item["sk"][:4] in ("SRC#", "DST#")}
        assert counted == {
            endpoint_id: sum(use[0] == endpoint_id for use in uses) for endpoint_id in counted
        }
        return counted


@pytest.fixture
def ours(tenant: Tenant) -> Ours:
    return Ours(tenant)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dynamodb", "revisions"):
        monkeypatch.setattr(f"patchbay.platform.{module}.pause_seconds", lambda _: 0)


@pytest.fixture
def joined(tenant: Tenant) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A source, a destination, and a connection of the source alone."""
    publish_integration(tenant, manifest={"roles": BOTH})
    source, destination = create_source(tenant), create_destination(tenant)
    return source, destination, create_connection(tenant, source)


Joined = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


def test_a_destination_that_is_deleted_while_it_is_set_is_not_set(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    _, destination, connection = joined
    path = f"{tenant.connectors}/destinations/{destination['id']}"
    ours.table.before = [lambda: tenant.client.delete(path)]
    with pytest.raises(InvalidInput) as refused:
        ours.change(connection, destination_id=destination["id"])
    assert [p.pointer for p in refused.value.problems] == ["/destination_id"]
    assert ours.counts() == {connection["source_id"]: 1}


def test_a_destination_that_is_set_while_it_is_deleted_stays(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    source, destination, connection = joined
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ours.table.before = [lambda: tenant.client.patch(path, {"destination_id": destination["id"]})]
    with pytest.raises(Conflict) as refused:
        ours.endpoints.delete(ours.organization_id, Role.DESTINATION, destination["id"], None)
    assert refused.value.details == {"used_by": [connection["id"]]}
    assert ours.counts() == {source["id"]: 1, destination["id"]: 1}


def test_an_edit_of_a_connection_that_is_being_deleted_finds_nothing(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    source, destination, connection = joined
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ours.table.before = [lambda: tenant.client.delete(path)]
    with pytest.raises(NotFound):
        ours.change(connection, destination_id=destination["id"])
    assert ours.counts() == {source["id"]: 0, destination["id"]: 0}


def test_a_delete_removes_the_use_that_an_edit_just_added(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    source, destination, connection = joined
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ours.table.before = [lambda: tenant.client.patch(path, {"destination_id": destination["id"]})]
    space = ours.tenants.own_space(ours.organization_id, "acme", "/space")
    ours.connections.delete(ours.organization_id, connection["id"], space, None)
    assert ours.counts() == {source["id"]: 0, destination["id"]: 0}


def test_of_two_edits_at_once_neither_is_lost(tenant: Tenant, ours: Ours, joined: Joined) -> None:
    _, destination, connection = joined
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ours.table.before = [lambda: tenant.client.patch(path, {"configurations": {"a": 1}})]
    changed = ours.change(connection, configurations={"b": 2}, destination_id=destination["id"])
    assert changed.configurations == {"a": 1, "b": 2}
    assert changed.revision == 3


def test_configurations_written_during_an_upgrade_of_the_source_are_checked(
    tenant: Tenant, ours: Ours
) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    connection = create_connection(tenant, source, configurations={"depth": 1})
    release(tenant, "2.0.0", roles=["source"], configurationSchema=DEPTH)
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ours.table.before = [
        lambda: tenant.client.patch(path, {"configurations": {"depth": 0}}),
        lambda: pytest.fail("the upgrade went on"),
    ]
    with pytest.raises(InvalidConfig):
        ours.upgrade(source)
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert tenant.client.get(path).json["version"] == "1.0.0"


def test_a_connection_created_during_an_upgrade_of_its_source_is_checked(
    tenant: Tenant, ours: Ours
) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    release(tenant, "2.0.0", roles=["source"], configurationSchema=DEPTH)
    ours.table.before = [lambda: create_connection(tenant, source)]
    with pytest.raises(InvalidConfig):
        ours.upgrade(source)


def test_what_is_written_during_an_upgrade_must_match_the_new_release(
    tenant: Tenant, ours: Ours
) -> None:
    # Given a source with a connection and a draft, and an upgrade that comes in between
    publish_integration(tenant)
    source = create_source(tenant)
    connection = create_connection(tenant, source, configurations={"depth": 1})
    draft = create_connection(tenant, source, status="draft")
    release(tenant, "2.0.0", roles=["source"], configurationSchema=DEPTH)
    path = f"{tenant.connectors}/sources/{source['id']}"

    def upgrade() -> None:
        assert tenant.client.patch(path, {"version": "2.0.0"}).status == 200

    def downgrade() -> None:
        assert tenant.client.patch(path, {"version": "1.0.0"}).status == 200

    new = NewConnection(name="x", source_id=source["id"], space="acme")
    writes: list[Before] = [
        lambda: ours.change(connection, configurations={"depth": 0}),
        lambda: ours.change(draft, status="active"),
        lambda: ours.connection_editor.create(ours.organization_id, new, Stamp.fresh(utc_now())),
    ]
    for write in writes:
        # When configurations are written that only the old release accepts
        ours.table.before = [upgrade]
        # Then they are refused
        with pytest.raises(InvalidConfig):
            write()
        downgrade()
    assert ours.counts() == {source["id"]: 2}


ENDS = {
    "deleted": lambda tenant, path: tenant.client.delete(path),
    "yanked": lambda tenant, path: tenant.client.patch(
        f"{path}/versions/1.0.0", {"yanked": "broken"}
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_nothing_is_created_of_what_ends_in_the_same_moment(
    tenant: Tenant, ours: Ours, end: Callable[[Tenant, str], Answer], *, used: bool
) -> None:
    """Whether its permits are there already, or the creation makes them."""
    integration = publish_integration(tenant)
    sources = [create_source(tenant)["id"]] if used else []
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    path = f"/v1/integrations/{integration['id']}"
    for number in range(1 if used else 2):
        # When it ends before the creation, or before what the creation makes first
        ours.table.before = [lambda: None] * number + [lambda: end(tenant, path)]
        new, stamp = NewEndpoint.model_validate(body), Stamp.fresh(utc_now())
        # Then the creation is refused
        with pytest.raises((InvalidInput, NotFound)):
            ours.endpoint_creator.create(ours.organization_id, Role.SOURCE, new, stamp)
        assert ours.table.before == []
        assert uses_of_integration(ours.table, integration["id"]) == len(sources)
        tenant.client.post(f"{path}/restore", None)
        tenant.client.patch(f"{path}/versions/1.0.0", {"yanked": None})
    # And after it is open again, creations succeed
    create_source(tenant)
    assert uses_of_integration(ours.table, integration["id"]) == len(sources) + 1


def test_an_upgrade_to_a_release_that_is_yanked_in_the_same_moment_is_refused(
    tenant: Tenant, ours: Ours
) -> None:
    integration = publish_integration(tenant)
    source = create_source(tenant)
    release(tenant, "2.0.0", roles=["source"])
    path = f"/v1/integrations/{integration['id']}/versions/2.0.0"
    ours.table.before = [lambda: tenant.client.patch(path, {"yanked": "broken"})]
    with pytest.raises(InvalidInput):
        ours.upgrade(source)
    assert uses_of_integration(ours.table, integration["id"]) == 1


def test_a_source_that_another_connection_starts_to_use_is_not_deleted(
    tenant: Tenant, ours: Ours
) -> None:
    publish_integration(tenant)
    body = operation_input(tenant)
    made = tenant.client.post("/integrations/connection/create/v1.0.0", body).json
    [source] = tenant.client.get(f"{tenant.connectors}/sources").json["items"]
    assert ours.counts() == {source["id"]: 1}
    ours.table.before = [lambda: create_connection(tenant, source)]
    ours.operations.delete(ours.organization_id, made["id"], utc_now())
    assert ours.counts() == {source["id"]: 1}


def test_health_keeps_the_newest_status_and_when_it_began(ours: Ours, joined: Joined) -> None:
    # Given tests that read the connection at the same time, and end one after the other
    connection = ours.connections.get(ours.organization_id, joined[2]["id"])
    now = utc_now()

    def record(status: HealthStatus, seconds: float) -> None:
        seen = HealthObservation(now + timedelta(seconds=seconds), status, latency_ms=1)
        ours.health.record(connection, seen, RequiredAction.NONE)

    def shown() -> tuple[HealthStatus, float | None, float | None]:
        health = ours.connections.get(ours.organization_id, connection.id).health
        assert health.since is not None
        assert health.checked_at is not None
        return (
            health.status,
            (health.since - now).total_seconds(),
            (health.checked_at - now).total_seconds(),
        )

    record(HealthStatus.ERROR, 10)
    assert shown() == ("error", 10, 10)
    # When an earlier one is recorded late, it changes nothing
    record(HealthStatus.CONNECTED, 5)
    assert shown() == ("error", 10, 10)
    # When the status stays, so does `since`; times with and without milliseconds compare alike
    record(HealthStatus.ERROR, 10.5)
    record(HealthStatus.ERROR, 11)
    assert shown() == ("error", 10, 11)
    record(HealthStatus.CONNECTED, 12)
    assert shown() == ("connected", 12, 12)


def test_an_edit_does_not_restore_what_a_test_has_ended(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    # Given a connection whose stated status is error
    connection = joined[2]
    body = {"connectionId": connection["id"], "status": "error"}
    said = tenant.client.post("/integrations/connection/update/v1.0.0", body)
    assert said.json["status"] == "error"
    # When a test ends while it is edited
    stored = ours.connections.get(ours.organization_id, connection["id"])
    seen = HealthObservation(utc_now(), HealthStatus.CONNECTED, latency_ms=1)
    ours.table.before = [lambda: ours.health.record(stored, seen, RequiredAction.NONE)]
    ours.change(connection, name="Sales")
    # Then the test has the last word
    changed = ours.connections.get(ours.organization_id, connection["id"])
    assert (changed.name, changed.word) == ("Sales", "connected")


def test_a_test_of_a_deleted_connection_restores_nothing(
    tenant: Tenant, ours: Ours, joined: Joined
) -> None:
    connection = ours.connections.get(ours.organization_id, joined[2]["id"])
    tenant.client.delete(f"{tenant.connectors}/connections/{connection.id}")
    seen = HealthObservation(utc_now(), HealthStatus.ERROR, latency_ms=1)
    assert ours.health.record(connection, seen, RequiredAction.NONE) == []
    with pytest.raises(NotFound):
        ours.connections.get(ours.organization_id, connection.id)


@pytest.fixture
def published(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": BOTH})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "patch", "delete", "drop"]), st.integers(0, 2), st.integers(0, 2)
    ),
    min_size=4,
    max_size=10,
)


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_an_endpoint_always_counts_its_connections(
    tenant: Tenant, ours: Ours, published: None, steps: list[tuple[str, int, int]]
) -> None:
    stamp = Stamp.fresh(utc_now())
    new = NewEndpoint.model_validate(
        {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    )
    sources, destinations = (
        [
            ours.endpoint_creator.create(ours.organization_id, role, new, Stamp.fresh(utc_now())).id
            for _ in range(2)
        ]
        for role in Role
    )
    space = ours.tenants.own_space(ours.organization_id, "acme", "/space")
    made: list[str] = []
    for step, first, second in steps:
        destination = [*destinations, None][second]
        try:
            match step:
                case "create":
                    body = NewConnection(
                        name="x",
                        source_id=sources[first % 2],
                        destination_id=destination,
                        space="acme",
                    )
                    stamp = Stamp.fresh(utc_now())
                    connection = ours.connection_editor.create(ours.organization_id, body, stamp)
                    made.append(connection.id)
                case "patch" if made:
                    ours.change({"id": made[first % len(made)]}, destination_id=destination)
                case "delete" if made:
                    gone = made.pop(first % len(made))
                    ours.connections.delete(ours.organization_id, gone, space, None)
                case "drop" if destination:
                    ours.endpoint_editor.delete(
                        ours.organization_id, Role.DESTINATION, destination, None, utc_now()
                    )
        except Conflict:
            assert ours.counts()[str(destination)] > 0
        except (InvalidInput, NotFound):
            assert destination not in ours.counts()
    ours.counts()


def test_many_items_are_read_in_calls_of_100_and_missing_ones_are_left_out(
    integrations_table: Table,
) -> None:
    keys = [Key("P", f"{number:03}") for number in range(230)]
    for key in keys[::2]:
        integrations_table.write(Put({**key._asdict(), "n": int(key.sk)}))
    with counted_calls() as calls:
        found = integrations_table.get_all([*keys, keys[0]])
    assert {key: item["n"] for key, item in found.items()} == {k: int(k.sk) for k in keys[::2]}
    assert calls == {"BatchGetItem": 3}
    assert integrations_table.get_all([]) == {}
