"""API keys of one space: what they reach, and that every other route is closed to them."""

import importlib
import json
from typing import Any

import pytest

from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Table
from patchbay.platform.ids import Stamp
from patchbay.tenancy.access import Permission
from patchbay.tenancy.keys import lookup_key, space_key
from patchbay.tenancy.model import NewApiKey
from tests.integration.api import FUNCTIONS, Client, start_cold
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names, Route
from tests.integration.story import create_connection, create_source, publish_integration
from tests.integration.test_isolation import leaked_by, owned, sent, settled, whatever_mentions

__all__ = ["owned"]

IN_SPACE = {
    *("get_space", "change_space"),
    *("add_events", "list_events"),
    *("get_health", "get_health_series", "list_connection_health"),
    *("create_alert_rule", "list_alert_rules", "get_alert_rule", "change_alert_rule"),
    *("delete_alert_rule", "backtest_alert_rule", "list_alert_rule_subjects"),
    *("rotate_webhook_secret", "list_alerts", "get_alert", "acknowledge_alert"),
    *("list_deliveries", "resend_delivery"),
    *("list_connections", "get_connection", "change_connection", "delete_connection"),
    *("check_connection", "list_connection_tests", "get_connection_test", "get_test_progress"),
    "get_credentials",
    *("proxy_get", "proxy_head", "proxy_post", "proxy_put", "proxy_patch", "proxy_delete"),
}
"""All that a key of one space may call. An author of a route decides whether it belongs here."""

OF_CALLERS = {"list_connections", "get_test_progress"}
"""Of these, what is of the caller's space, and what the caller alone asked for."""

EVERYTHING = [permission for permission in Permission if permission is not Permission.ADMIN]


def key_of(tenant: Tenant, space: str, *permissions: Permission) -> Tenant:
    """The same tenant with a key of one space, with all permissions if none is named."""
    new = NewApiKey(name="scoped", permissions=list(permissions or EVERYTHING), space=space)
    keys = Deployment().api_keys
    client = Client(keys.issue(tenant.organization_id, new, "test", Stamp.fresh(utc_now())).key)
    return Tenant(tenant.organization_id, tenant.space_id, tenant.space_slug, client)


def create_space(tenant: Tenant, slug: str) -> Any:
    path = f"/v1/organizations/{tenant.organization_id}/spaces"
    answer = tenant.client.post(path, {"slug": slug, "name": slug})
    assert answer.status == 201, answer.text
    return answer.json


def test_a_route_is_closed_unless_it_says_how_it_keeps_to_a_space() -> None:
    declared = [
        route
        for name in FUNCTIONS
        for route in getattr(getattr(importlib.import_module(name), "api", None), "routes", ())
    ]
    for route in declared:
        if route.in_space and route.handler.__name__ not in OF_CALLERS:
            of_space = "space" in route.takes and "slug" in route.path_parameters
            assert of_space or "connection_id" in route.path_parameters, route.path
    assert {route.handler.__name__ for route in declared if route.in_space} == IN_SPACE
    described = {r.name for r in ROUTES if "Keys of one space" in r.operation["description"]}
    assert described == IN_SPACE


def test_a_key_of_another_space_reaches_nothing_of_this_one(
    tenant: Tenant, owned: Names, deployed: dict[str, Table]
) -> None:
    # Given everything in one space, and a key of another one with all permissions
    mine = create_space(tenant, "sandbox")
    caller = key_of(tenant, "sandbox")
    before = whatever_mentions(owned, deployed, but=(mine["id"],))
    for route in ROUTES:
        # When it calls a route with the names of the first space
        answer = sent(caller, route, owned)
        # Then what is of a space is not found, as if it did not exist
        assert whatever_mentions(owned, deployed, but=(mine["id"],)) == before, route
        if route.name == "list_connections":
            assert answer.json == {"items": [], "next_cursor": None}
        elif route.is_of_callers:
            assert answer.status == (404 if route.name == "sign_out" else route.status), route
            continue  # it says whose key it is
        elif route.name in IN_SPACE:
            assert answer.status == 404, (route, answer.text)
            names = owned.never_made().and_({"organization_id": tenant.organization_id})
            unknown = sent(caller, route, names)
            assert settled(answer, owned) == settled(unknown, names), route
        # And the rest of the organization is closed
        else:
            assert (answer.status, answer.code) == (403, "PERMISSION_DENIED"), (route, answer.text)
            if not route.is_of_operators and {"apiKey": []} in route.operation["security"]:
                assert answer.json["error"]["details"] == {"space": "sandbox"}, route
        assert leaked_by(answer, owned, owned.path(route)) == [], route


def test_a_key_of_the_space_does_all_that_belongs_to_it_and_no_more(
    tenant: Tenant, owned: Names, deployed: dict[str, Table]
) -> None:
    caller = key_of(tenant, tenant.space_slug)
    expected = {"change_connection": 403, "resend_delivery": 409, "get_credentials": 409}
    expected["get_test_progress"] = 404  # it is another key's
    expected |= {name: 409 for name in IN_SPACE if name.startswith("proxy_")}

    def turn(route: Route) -> tuple[bool, int]:
        return route.method == "DELETE", -len(route.path)

    for route in sorted(ROUTES, key=turn):
        before = whatever_mentions(owned, deployed)
        answer = sent(caller, route, owned)
        if route.name in IN_SPACE:
            status = expected.get(route.name, route.status)
            assert answer.status in (status, route.status), (route, answer.text)
        elif route.is_of_callers:
            assert answer.status == (404 if route.name == "sign_out" else route.status), route
        else:
            assert (answer.status, answer.code) == (403, "PERMISSION_DENIED"), (route, answer.text)
            assert whatever_mentions(owned, deployed) == before, route


def test_lists_have_what_is_of_the_space(tenant: Tenant) -> None:
    # Given connections of one source in two spaces
    create_space(tenant, "sandbox")
    publish_integration(tenant)
    source = create_source(tenant)
    one = create_connection(tenant, source)
    two = create_connection(tenant, source, space="sandbox")
    path = f"{tenant.connectors}/connections"
    client = key_of(tenant, "sandbox", Permission.READ).client
    # Then each filter keeps to the space of the key
    for query in ("", f"?source_id={source['id']}", "?space=sandbox", "?status=active"):
        assert [c["id"] for c in client.get(path + query).json["items"]] == [two["id"]], query
    for space in (tenant.space_slug, "nowhere"):
        refused = client.get(f"{path}?space={space}")
        assert refused.pointers == ["/query/space"], space
    assert client.get(f"{path}/{one['id']}").code == "CONNECTION_NOT_FOUND"
    assert client.get(f"{path}/{two['id']}").status == 200
    # A cursor of the whole list is not one of this
    create_connection(tenant, source)
    whole = tenant.client.get(f"{path}?limit=1").json["next_cursor"]
    assert client.get(f"{path}?limit=1&cursor={whole}").code == "INVALID_CURSOR"


def test_a_scoped_key_joins_a_connection_to_no_other_destination(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    connection = create_connection(tenant, create_source(tenant))
    path = f"{tenant.connectors}/connections/{connection['id']}"
    client = key_of(tenant, tenant.space_slug).client
    for destination_id in (None, "dst_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        refused = client.patch(path, {"name": "x", "destination_id": destination_id})
        assert refused.json["error"]["details"] == {"space": tenant.space_slug}
    assert client.patch(path, {"name": "Renamed"}).json["name"] == "Renamed"


def test_a_service_pushes_events_for_one_environment(tenant: Tenant, stranger: Tenant) -> None:
    create_space(tenant, "sandbox")
    client = key_of(tenant, "sandbox", Permission.WRITE_EVENTS).client
    events = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}]}
    assert client.post("/spaces/sandbox/integration-events", events).json["accepted"] == 1
    for other in (tenant.space_slug, stranger.space_slug, "nowhere"):
        refused = client.post(f"/spaces/{other}/integration-events", events)
        assert refused.code == "SPACE_NOT_FOUND", other
    assert client.get("/spaces/sandbox/integration-events").code == "PERMISSION_DENIED"


def test_a_scoped_key_issues_no_keys_and_is_not_the_operators(
    tenant: Tenant, operator: Tenant, stranger: Tenant
) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    scoped = key_of(tenant, tenant.space_slug).client
    for space in (None, tenant.space_slug):
        wanted = {"name": "k", "permissions": [Permission.READ], "space": space}
        assert scoped.post(keys, wanted).json["error"]["details"] == {"space": tenant.space_slug}
    # A space of the organization, by its slug, and never with the operator's permission
    for who, space in ((tenant, "nowhere"), (tenant, stranger.space_slug), (operator, "operator")):
        new = {"name": "k", "permissions": [Permission.READ], "space": space}
        assert who.client.post(keys, new).pointers == ["/space"], space
    new = {"name": "k", "permissions": [Permission.ADMIN], "space": tenant.space_slug}
    assert operator.client.post(keys, new).problems == [
        ("/space", "can't be combined with platform.admin")
    ]
    # The list says which keys are for a space
    new = {"name": "k", "permissions": [Permission.READ], "space": tenant.space_slug}
    made = operator.client.post(keys, new).json
    listed = tenant.client.get(keys).json["items"]
    spaces = {key["id"]: key["space"] for key in listed}
    assert spaces[made["id"]] == tenant.space_slug
    assert None in spaces.values()


def test_the_keys_of_a_space_end_with_it(tenant: Tenant, deployed: dict[str, Table]) -> None:
    # Given keys of two spaces
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    create_space(tenant, "sandbox")
    gone = [key_of(tenant, "sandbox").client for _ in range(2)]
    stays = key_of(tenant, tenant.space_slug).client
    before = len(tenant.client.get(keys).json["items"])
    # When one space is deleted
    assert tenant.client.delete("/spaces/sandbox").status == 204
    # Then its keys are revoked, and the trail says so
    assert len(tenant.client.get(keys).json["items"]) == before - 2
    trail = f"/v1/organizations/{tenant.organization_id}/audit-events?entity=api_key"
    actions = [event["action"] for event in tenant.client.get(trail).json["items"]]
    assert actions[:2] == ["deleted", "deleted"]
    # And a new space of that slug is not theirs, even for an authorizer that remembers them
    create_space(tenant, "sandbox")
    for client in gone:
        assert client.get("/spaces/sandbox").status in (401, 404)
    start_cold("authorizer")
    for client in gone:
        assert client.get("/spaces/sandbox").code == "UNAUTHENTICATED"
    assert stays.get(f"/spaces/{tenant.space_slug}").status == 200


def test_a_key_whose_space_is_gone_is_not_accepted(
    tenant: Tenant, deployed: dict[str, Table]
) -> None:
    # Given a space that was deleted by a request that ended before it could revoke the keys
    create_space(tenant, "sandbox")
    scoped = key_of(tenant, "sandbox").client
    table = deployed["IntegrationsTable"]
    table.write(Delete(space_key(tenant.organization_id, "sandbox")))
    assert scoped.get("/spaces/sandbox").code == "UNAUTHENTICATED"
    prefix = (scoped.key or "").split("_")[1]
    assert table.get(lookup_key(prefix))
    assert Deployment().api_keys.holder(scoped.key or "", utc_now()) is None


@pytest.mark.parametrize("permission", EVERYTHING)
def test_a_scoped_key_has_its_permissions_and_no_others(
    tenant: Tenant, permission: Permission
) -> None:
    client = key_of(tenant, tenant.space_slug, permission).client
    read = client.get(f"/spaces/{tenant.space_slug}")
    changed = client.patch(f"/spaces/{tenant.space_slug}", {"name": "Mine"})
    assert (read.status == 200) is (permission is Permission.READ)
    assert (changed.status == 200) is (permission is Permission.MANAGE)
    assert json.loads(changed.text)
