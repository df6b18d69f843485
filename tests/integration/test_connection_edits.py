"""Editing connections: what can change, what is refused, and what an upgrade checks."""

from typing import Any

import pytest

import connections
from local.provider import Provider
from patchbay.checks.roles import Role
from patchbay.connections import connection_lists
from patchbay.platform.dynamodb import Table
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

BOTH = ["source", "destination"]
DEPTH: dict[str, Any] = {
    "type": "object",
    "required": ["depth"],
    "properties": {"depth": {"type": "integer", "minimum": 1}},
}


def path_of(tenant: Tenant, connection: dict[str, Any]) -> str:
    return f"{tenant.connectors}/connections/{connection['id']}"


def create_destination(tenant: Tenant, name: str = "Warehouse") -> dict[str, Any]:
    body = {"name": name, "integration": "acme/crm", "variables": {"path": "me"}}
    answer = tenant.client.post(f"{tenant.connectors}/destinations", body)
    assert answer.status == 201, answer.text
    destination: dict[str, Any] = answer.json
    return destination


def users_of(tenant: Tenant, role: Role, endpoint_id: str) -> list[str]:
    """The connections of an endpoint, as many as it counts."""
    table = connections.deployment.integrations
    prefix = "SRC#" if role is Role.SOURCE else "DST#"
    [item] = table.query(f"ORG#{tenant.organization_id}", prefix=prefix + endpoint_id).items
    users = [*connections.deployment.connections.of_endpoint(tenant.organization_id, endpoint_id)]
    assert item["uses"] == len(users)
    return [user.id for user in users]


def release(tenant: Tenant, version: str, **manifest: Any) -> None:
    """Another release of the integration, with this manifest."""
    found = tenant.client.get("/v1/catalog/acme/crm").json
    path = f"/v1/integrations/{found['id']}"
    assert tenant.client.patch(path, {"manifest": manifest}).status == 200
    assert tenant.client.post(f"{path}/publish", {"version": version}).status == 201


def test_a_new_connection_is_active_untested_and_not_monitored(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    assert connection["status"] == "active"
    assert connection["monitor"] == {"enabled": False, "interval": "5m"}
    assert connection["required_action"] == "none"
    assert connection["health"] == {
        "status": "unknown",
        "since": None,
        "checked_at": None,
        "latency_ms": None,
        "error_code": None,
        "error_message": None,
        "consecutive_failures": 0,
        "consecutive_successes": 0,
    }


def test_an_edit_changes_only_what_it_names(tenant: Tenant) -> None:
    # Given a connection
    publish_integration(tenant)
    connection = create_connection(
        tenant, create_source(tenant), configurations={"a": 1, "b": {"c": 2}}
    )
    path = path_of(tenant, connection)
    # When a part of it is changed
    patch = {
        "name": "Sales",
        "configurations": {"a": None, "b": {"d": 3}},
        "monitor": {"enabled": True, "interval": "15m"},
        "status": "paused",
    }
    changed = tenant.client.patch(path, patch, if_match='"1"')
    # Then the response is what is read, and the rest is unchanged
    assert changed.status == 200
    assert changed.headers["etag"] == '"2"'
    assert tenant.client.get(path).json == changed.json
    assert changed.json == connection | {
        "name": "Sales",
        "configurations": {"b": {"c": 2, "d": 3}},
        "monitor": {"enabled": True, "interval": "15m"},
        "status": "paused",
        "updated_at": changed.json["updated_at"],
    }
    # And with the old ETag, nothing changes
    assert tenant.client.patch(path, {"name": "x"}, if_match='"1"').status == 412
    assert tenant.client.delete(path, if_match='"1"').status == 412
    assert tenant.client.get(path).json == changed.json


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"source_id": "src_01K0Z3NDEKTSV4RRFFQ69G5FAV"}, "/source_id"),
        ({"space": "acme"}, "/space"),
        ({"id": "con_1"}, "/id"),
        ({"health": {"status": "connected"}}, "/health"),
        ({"required_action": "none"}, "/required_action"),
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"status": None}, "/status"),
        ({"status": "connected"}, "/status"),
        ({"monitor": {"interval": "10m"}}, "/monitor/interval"),
        ({"monitor": {"every": "5m"}}, "/monitor/every"),
        ({"monitor": {"enabled": "yes"}}, "/monitor/enabled"),
        ({"destination_id": "dst_01K0Z3NDEKTSV4RRFFQ69G5FAV"}, "/destination_id"),
        ({"destination_id": "src_01K0Z3NDEKTSV4RRFFQ69G5FAV"}, "/destination_id"),
        ({"configurations": []}, "/configurations"),
        ({"configurations": {"depth": 0}}, "/configurations/depth"),
    ],
)
def test_a_refused_edit_names_the_field_and_changes_nothing(
    tenant: Tenant, patch: dict[str, Any], pointer: str
) -> None:
    publish_integration(tenant, manifest={"roles": BOTH, "configurationSchema": DEPTH})
    connection = create_connection(tenant, create_source(tenant), configurations={"depth": 1})
    path = path_of(tenant, connection)
    refused = tenant.client.patch(path, patch)
    assert refused.status == 400
    assert refused.pointers == [pointer]
    assert tenant.client.get(path).json == connection


def test_a_destination_is_set_changed_and_removed_with_its_use(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": BOTH})
    connection = create_connection(tenant, create_source(tenant))
    first, second = create_destination(tenant), create_destination(tenant, "Lake")
    path = path_of(tenant, connection)

    def used() -> list[list[str]]:
        return [users_of(tenant, Role.DESTINATION, d["id"]) for d in (first, second)]

    for destination_id, expected in (
        (first["id"], [[connection["id"]], []]),
        (first["id"], [[connection["id"]], []]),
        (second["id"], [[], [connection["id"]]]),
    ):
        changed = tenant.client.patch(path, {"destination_id": destination_id})
        assert changed.json["destination_id"] == destination_id
        assert used() == expected
    gone = tenant.client.delete(f"{tenant.connectors}/destinations/{second['id']}")
    assert gone.json["error"]["details"] == {"used_by": [connection["id"]]}
    assert tenant.client.patch(path, {"destination_id": None}).json["destination_id"] is None
    assert used() == [[], []]
    for destination in (first, second):
        gone = tenant.client.delete(f"{tenant.connectors}/destinations/{destination['id']}")
        assert gone.status == 204
    assert users_of(tenant, Role.SOURCE, connection["source_id"]) == [connection["id"]]


def test_a_draft_may_be_unfinished_and_becomes_active_when_it_is_finished(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source"], "configurationSchema": DEPTH})
    source = create_source(tenant)
    body = {"name": "x", "source_id": source["id"], "space": "acme"}
    refused = tenant.client.post(f"{tenant.connectors}/connections", body)
    assert refused.pointers == ["/configurations/depth"]
    draft = create_connection(tenant, source, status="draft")
    path = path_of(tenant, draft)
    assert tenant.client.patch(path, {"configurations": {"depth": 0}}).status == 200
    refused = tenant.client.patch(path, {"status": "active"})
    assert (refused.code, refused.pointers) == (
        "CONNECTOR_INVALID_CONFIG",
        ["/configurations/depth"],
    )
    finished = {"status": "active", "configurations": {"depth": 2}}
    assert tenant.client.patch(path, finished).json["status"] == "active"
    again = tenant.client.patch(path, {"status": "draft"})
    assert (again.status, again.code, again.pointers) == (409, "CONFLICT", ["/status"])


def upgrade(tenant: Tenant, source: dict[str, Any], query: str = "") -> Answer:
    path = f"{tenant.connectors}/sources/{source['id']}{query}"
    return tenant.client.patch(path, {"version": "2.0.0"})


def test_an_upgrade_that_would_break_configurations_is_previewed_and_refused(
    tenant: Tenant,
) -> None:
    # Given a source with connections: one that 2.0.0 accepts, one that it does not, and a draft
    publish_integration(tenant)
    source = create_source(tenant)
    create_connection(tenant, source, configurations={"depth": 1})
    broken = create_connection(tenant, source, configurations={"depth": 0})
    create_connection(tenant, source, status="draft")
    release(tenant, "2.0.0", roles=["source"], configurationSchema=DEPTH)
    # When its upgrade is previewed, and tried
    preview = upgrade(tenant, source, "?dry_run=true").json
    refused = upgrade(tenant, source)
    # Then both name the connection
    [invalid] = preview["connections"]
    assert (preview["valid"], invalid["id"]) == (False, broken["id"])
    assert [problem["pointer"] for problem in invalid["errors"]] == ["/configurations/depth"]
    assert (refused.code, refused.pointers) == ("CONNECTOR_INVALID_CONFIG", ["/version"])
    assert broken["id"] in refused.text
    # And after that connection is corrected, the upgrade works
    tenant.client.patch(path_of(tenant, broken), {"configurations": {"depth": 3}})
    preview = upgrade(tenant, source, "?dry_run=true").json
    assert (preview["valid"], preview["connections"]) == (True, [])
    assert upgrade(tenant, source).json["version"] == "2.0.0"
    # And new connections must match the new release
    changed = tenant.client.patch(path_of(tenant, broken), {"configurations": {"depth": 0}})
    assert changed.pointers == ["/configurations/depth"]


def test_an_upgrade_of_a_source_changes_its_category(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source"], "category": "crm"})
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    assert source["category"] == "crm"
    path = f"{tenant.connectors}/connections?category="
    assert tenant.client.get(f"{path}crm").json["items"] == [connection]
    release(tenant, "2.0.0", category="sales")
    assert upgrade(tenant, source).json["category"] == "sales"
    assert tenant.client.get(f"{path}crm").json["items"] == []
    assert tenant.client.get(f"{path}sales").json["items"] == [connection]


@pytest.mark.enable_socket
def test_every_connection_that_is_not_disabled_can_be_tested_on_demand(
    tenant: Tenant, server: Provider
) -> None:
    publish_integration(tenant, manifest=calling(server.port))
    connection = create_connection(tenant, create_source(tenant), status="draft")
    path = path_of(tenant, connection)
    operation = "/integrations/connection/test/v1.0.0"
    for status in ("draft", "active", "paused"):
        tenant.client.patch(path, {"status": status})
        assert tenant.client.post(f"{path}/test", {}).json["status"] == "succeeded"
    tenant.client.patch(path, {"status": "disabled"})
    dialed = len(server.requests)
    assert tenant.client.post(f"{path}/test", {}).status == 409
    assert tenant.client.post(operation, {"connectionId": connection["id"]}).code == "CONFLICT"
    assert len(server.requests) == dialed == 3


@pytest.mark.enable_socket
def test_a_test_shows_what_to_do_and_since_when(tenant: Tenant, server: Provider) -> None:
    # Given a connection whose key is wrong, tested twice
    publish_integration(tenant, manifest=calling(server.port))
    source = create_source(tenant, secrets={"api_key": "wrong-key"})
    connection = create_connection(tenant, source)
    path = path_of(tenant, connection)

    def tested() -> dict[str, Any]:
        assert tenant.client.post(f"{path}/test", {}).status == 200
        read: dict[str, Any] = tenant.client.get(path).json
        return read

    first, second = tested(), tested()
    # Then the status began with the first test
    assert first["required_action"] == second["required_action"] == "reauthorize"
    assert first["health"]["since"] == first["health"]["checked_at"]
    assert second["health"]["since"] == first["health"]["since"]
    assert second["health"]["checked_at"] > first["health"]["checked_at"]
    # And an edit leaves both as they are
    tenant.client.patch(path, {"name": "Sales"})
    assert tenant.client.get(path).json["health"] == second["health"]
    # And with the right key, another status begins
    tenant.client.patch(
        f"{tenant.connectors}/sources/{source['id']}", {"secrets": {"api_key": SECRET}}
    )
    third = tested()
    assert third["required_action"] == "none"
    assert third["health"]["status"] == "connected"
    assert third["health"]["since"] == third["health"]["checked_at"]


def test_lists_take_every_filter_and_their_combinations(tenant: Tenant) -> None:
    # Given connections that differ in all filters
    publish_integration(tenant, manifest={"roles": BOTH, "category": "crm"})
    publish_integration(tenant, slug="mail", manifest={"roles": BOTH, "category": "email"})
    assert tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/spaces", {"slug": "other", "name": "Other"}
    )
    crm, mail = create_source(tenant), create_source(tenant, integration="acme/mail")
    warehouse = create_destination(tenant)
    made = [
        create_connection(tenant, crm),
        create_connection(tenant, crm, destination_id=warehouse["id"], status="draft"),
        create_connection(tenant, crm, space="other"),
        create_connection(tenant, mail, destination_id=warehouse["id"]),
        create_connection(tenant, mail, space="other", status="draft"),
    ]
    names = {connection["id"]: number for number, connection in enumerate(made)}

    def listed(query: str) -> list[int]:
        answer = tenant.client.get(f"{tenant.connectors}/connections?{query}")
        assert answer.status == 200, answer.text
        return [names[item["id"]] for item in answer.json["items"]]

    # Then each filter finds its own, oldest first
    for query, expected in (
        ("", [0, 1, 2, 3, 4]),
        ("space=other", [2, 4]),
        (f"source_id={crm['id']}", [0, 1, 2]),
        (f"destination_id={warehouse['id']}", [1, 3]),
        ("status=draft", [1, 4]),
        ("health=unknown", [0, 1, 2, 3, 4]),
        ("health=connected", []),
        ("category=email", [3, 4]),
        ("category=payments", []),
        (f"source_id={crm['id']}&destination_id={warehouse['id']}", [1]),
        (f"source_id={crm['id']}&space=other", [2]),
        (f"source_id={crm['id']}&category=email", []),
        ("space=other&status=active&category=crm", [2]),
        ("source_id=src_01K0Z3NDEKTSV4RRFFQ69G5FAV", []),
    ):
        assert listed(query) == expected, query
    for query, pointer in (
        ("status=connected", "/query/status"),
        ("health=active", "/query/health"),
        ("source_id=x", "/query/source_id"),
        ("destination_id=x", "/query/destination_id"),
        ("category=C R M", "/query/category"),
    ):
        answer = tenant.client.get(f"{tenant.connectors}/connections?{query}")
        assert answer.pointers == [pointer]


def test_pages_of_every_filter_add_up_to_its_list(tenant: Tenant) -> None:
    # Given seven connections, some of them drafts
    publish_integration(tenant, manifest={"roles": BOTH, "category": "crm"})
    source, warehouse = create_source(tenant), create_destination(tenant)
    made = [
        create_connection(
            tenant,
            source,
            destination_id=warehouse["id"],
            status="draft" if number % 3 else "active",
        )
        for number in range(7)
    ]
    whole = [connection["id"] for connection in made]
    drafts = [connection["id"] for connection in made if connection["status"] == "draft"]
    path = f"{tenant.connectors}/connections?limit=2"
    # When each list is read page by page
    for query, expected in (
        ("", whole),
        ("&space=acme", whole),
        (f"&source_id={source['id']}", whole),
        (f"&destination_id={warehouse['id']}&category=crm", whole),
        ("&status=draft", drafts),
        (f"&source_id={source['id']}&status=draft", drafts),
        ("&space=acme&status=draft&category=crm", drafts),
    ):
        found: list[str] = []
        cursor = ""
        while True:
            page = tenant.client.get(f"{path}{query}{cursor}")
            assert page.status == 200, page.text
            found += [item["id"] for item in page.json["items"]]
            assert len(page.json["items"]) <= 2
            if page.json["next_cursor"] is None:
                break
            cursor = f"&cursor={page.json['next_cursor']}"
        # Then nothing is missing, and nothing is repeated
        assert found == expected, query
    # And a cursor works for its own list only
    first = tenant.client.get(f"{path}&status=draft").json["next_cursor"]
    assert tenant.client.get(f"{path}&cursor={first}").code == "INVALID_CURSOR"


def test_endpoints_and_their_connections_are_found_by_release_environment_account_and_name(
    tenant: Tenant,
) -> None:
    # Given sources that differ in all of these, each with a connection
    integration = publish_integration(tenant, manifest={"roles": BOTH})
    for version in ("1.2.0", "2.0.0-beta.1"):
        path = f"/v1/integrations/{integration['id']}/publish"
        assert tenant.client.post(path, {"version": version}).status in (200, 201)
    publish_integration(tenant, slug="mail")
    sources = [
        create_source(tenant, name="Sales EU", version="1.0.0", environment="production"),
        create_source(tenant, name="sales us", version="1.2.0", external_account_id="acct/1"),
        create_source(tenant, name="Beta", version="2.0.0-beta.1", environment="sandbox"),
        create_source(tenant, name="Mail", integration="acme/mail", environment="Production"),
    ]
    connections = [
        create_connection(tenant, source, name=f"C {source['name']}") for source in sources
    ]

    def found(kind: str, query: str) -> list[int]:
        made = {"sources": sources, "connections": connections}[kind]
        answer = tenant.client.get(f"{tenant.connectors}/{kind}?{query}")
        assert answer.status == 200, answer.text
        ids = [one["id"] for one in made]
        return [ids.index(item["id"]) for item in answer.json["items"]]

    # Then either list is filtered by them
    for query, expected in (
        ("integration=acme/crm", [0, 1, 2]),
        ("integration=acme%2Fmail", [3]),
        ("integration=acme/none", []),
        ("version=1.0.0", [0, 3]),
        ("version=1.x", [0, 1, 3]),
        ("version=^1.1.0 || 2.0.0-beta.1", [1, 2]),
        ("version=2.x", []),
        ("environment=production", [0]),
        ("external_account_id=acct%2F1", [1]),
        ("q=SALES", [0, 1]),
        ("integration=acme/crm&version=1.x&environment=production&q=eu", [0]),
    ):
        for kind in ("sources", "connections"):
            assert found(kind, query.replace(" ", "%20")) == expected, (kind, query)
    # And the connections of a source that changes are found by what it has now
    path = f"{tenant.connectors}/sources/{sources[0]['id']}"
    assert tenant.client.patch(path, {"environment": "sandbox"}).status == 200
    assert found("connections", "environment=sandbox") == [0, 2]
    assert found("connections", f"environment=sandbox&source_id={sources[0]['id']}") == [0]
    # And destinations are filtered alike
    warehouse = create_destination(tenant)
    for query, expected_ids in (("q=x", []), ("integration=acme/crm", [warehouse["id"]])):
        answer = tenant.client.get(f"{tenant.connectors}/destinations?{query}")
        assert [one["id"] for one in answer.json["items"]] == expected_ids
    # What is no filter, or no value of one, is refused
    for query in ("integration=crm", "version=new", "environment=", "external_account_id=a%0Ab"):
        for kind in ("sources", "destinations", "connections"):
            answer = tenant.client.get(f"{tenant.connectors}/{kind}?{query}")
            assert answer.pointers == [f"/query/{query.partition('=')[0]}"], (kind, query)
    for kind, query in (("sources", "space=acme"), ("connections", "external_id=a")):
        answer = tenant.client.get(f"{tenant.connectors}/{kind}?{query}")
        name = query.partition("=")[0]
        assert answer.problems == [(f"/query/{name}", "is not a known field")]


def test_a_page_of_connections_reads_a_bounded_number_of_them(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given connections of which the last are asked for, and pages that read four at most
    publish_integration(tenant)
    rare = create_source(tenant, external_account_id="rare")
    often = create_source(tenant)
    made = [create_connection(tenant, one) for one in (*[often] * 9, rare, often, rare)]
    monkeypatch.setattr(connection_lists, "_AT_ONCE", 2)
    monkeypatch.setattr(connection_lists, "_MAX_READS", 2)
    queries = 0
    query = Table.query

    def counted(*arguments: Any, **narrowed: Any) -> Any:
        nonlocal queries
        queries += 1
        return query(*arguments, **narrowed)

    monkeypatch.setattr(Table, "query", counted)
    # When they are listed
    pages, cursor = [], ""
    while cursor is not None:
        path = f"{tenant.connectors}/connections?external_account_id=rare{cursor and '&cursor='}"
        answer = tenant.client.get(f"{path}{cursor}")
        pages.append([one["id"] for one in answer.json["items"]])
        cursor = answer.json["next_cursor"]
    # Then pages without any lead to the next, and all are found once
    assert pages[:3] == [[], [], [made[9]["id"], made[11]["id"]]]
    assert [one for page in pages[3:] for one in page] == []
    assert queries <= 2 * len(pages)


def test_connections_of_another_tenant_are_not_found(tenant: Tenant, stranger: Tenant) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    lists = f"{stranger.connectors}/connections"
    assert stranger.client.get(f"{lists}?source_id={source['id']}").json["items"] == []
    assert stranger.client.get(f"{lists}?space=acme").pointers == ["/query/space"]
    for connectors in (tenant.connectors, stranger.connectors):
        path = f"{connectors}/connections/{connection['id']}"
        assert stranger.client.patch(path, {"name": "mine"}).status == 404
    assert tenant.client.get(path_of(tenant, connection)).json == connection


def test_many_small_edits_of_configurations_do_not_exceed_the_limit(
    tenant: Tenant,
) -> None:
    publish_integration(tenant)
    path = path_of(tenant, create_connection(tenant, create_source(tenant)))
    part = "x" * 20_000
    assert tenant.client.patch(path, {"configurations": {"one": part}}).status == 200
    answer = tenant.client.patch(path, {"configurations": {"two": part}})
    assert (answer.status, answer.pointers) == (400, ["/configurations"])
    replaced = tenant.client.patch(path, {"configurations": {"one": None, "two": part}})
    assert replaced.status == 200


def test_a_value_that_only_python_considers_equal_is_checked(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"configurationSchema": DEPTH})
    source = create_source(tenant)
    path = path_of(tenant, create_connection(tenant, source, configurations={"depth": 1}))
    answer = tenant.client.patch(path, {"configurations": {"depth": True}})
    assert (answer.status, answer.pointers) == (400, ["/configurations/depth"])
