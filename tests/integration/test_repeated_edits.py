"""An edit that changes nothing changes nothing: no revision, no time, no event of the audit trail.

Reconcilers write the same again every few minutes.
"""

import json
from typing import Any

import pytest

from local.openapi import DOCUMENT
from tests.integration.authorizing import publish_tracker
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names, Route, names_of, with_what_it_needs
from tests.integration.story import create_connection, create_source, publish_integration
from tests.integration.test_audit import trail

EDITS = [route for route in ROUTES if route.method in ("PATCH", "PUT") and route.has_body]
"""What passes the proxy is edited elsewhere."""


@pytest.fixture
def names(tenant: Tenant) -> Names:
    publish_integration(tenant, slug="documented", manifest={"roles": ["source", "destination"]})
    publish_tracker(tenant, 8443)
    return names_of(tenant, "acme/documented")


def fields_of(route: Route) -> set[str]:
    """The members that the body of a route may have."""
    schema = route.operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schemas = json.loads(DOCUMENT.read_text())["components"]["schemas"]
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


@pytest.mark.parametrize("route", EDITS, ids=lambda route: route.name)
def test_the_same_edit_again_is_no_change(
    tenant: Tenant, operator: Tenant, names: Names, route: Route
) -> None:
    client = operator.client if route.is_of_operators else tenant.client

    def made(create: Route, names: Names) -> Any:
        answer = tenant.client.post(names.path(create), names.fresh_body(create))
        assert answer.status < 300, answer.text
        return answer.json

    names = with_what_it_needs(names, route, made)
    path = names.path(route)
    # Given something that was edited; a secret is entered, and stored, each time
    given = (names.body(route) or {}).items()
    edit = {name: value for name, value in given if name not in ("secrets", "client_secret")}
    assert edit
    assert client.call(route.method, path, json.dumps(edit)).status == 200
    before, events = client.get(path), trail(tenant)
    as_it_is = {name: before.json[name] for name in fields_of(route) & before.json.keys()}
    assert len(as_it_is) > 1
    # When the same is written again, and when it is sent back as it was read
    for same in (edit, as_it_is, {}):
        again = client.call(route.method, path, json.dumps(same))
        # Then nothing has changed, and the ETags of others stay good
        assert again.status == 200, again.text
        assert again.headers["etag"] == before.headers["etag"], same
        after = client.get(path)
        assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])
        assert trail(tenant) == events
    # And an ETag that is not the entity's own is refused all the same
    assert client.call(route.method, path, json.dumps(edit), {"if_match": '"999"'}).status == 412


def test_the_same_update_again_is_no_change(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    path = "/integrations/connection/update/v1.0.0"
    edit = {
        "connectionId": connection["id"],
        "label": "Tracker",
        "status": "connected",
        "ownershipMode": "byok",
        "externalAccountId": "acct-1",
        "config": {"path": "me", "page_size": 7},
    }
    first = tenant.client.post(path, edit)
    assert first.status == 200, first.text
    events = trail(tenant)
    for same in (
        edit,
        {"connectionId": connection["id"]},
        {"connectionId": connection["id"], "label": "Tracker"},
        {"connectionId": connection["id"], "config": edit["config"]},
    ):
        again = tenant.client.post(path, same)
        assert (again.status, again.json) == (200, first.json)
        assert trail(tenant) == events


def test_a_part_that_stays_as_it_is_has_no_event(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    path = "/integrations/connection/update/v1.0.0"
    # When an update changes the source and says again what the connection has
    edit = {"connectionId": connection["id"], "label": "CRM", "externalAccountId": "acct-1"}
    assert tenant.client.post(path, edit).status == 200
    # Then only the source has changed
    at = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.get(at).json == connection
    assert [trail(tenant)[0][name] for name in ("entity", "action")] == ["source", "changed"]


def test_an_edit_that_only_differs_in_a_type_is_a_change(tenant: Tenant) -> None:
    anything = {"roles": ["source"], "configurationSchema": {"type": "object"}}
    publish_integration(tenant, manifest=anything)
    connection = create_connection(tenant, create_source(tenant), configurations={"deep": 1})
    path = f"{tenant.connectors}/connections/{connection['id']}"
    changed = tenant.client.patch(path, {"configurations": {"deep": True}})
    assert changed.json["configurations"]["deep"] is True
    assert changed.json["updated_at"] > connection["updated_at"]


def test_an_edit_with_a_test_that_changes_nothing_is_tested_and_not_stored(
    tenant: Tenant,
) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    events = trail(tenant)
    tested = tenant.client.patch(f"{path}?test=true", {"name": source["name"]})
    assert tested.status == 200, tested.text
    assert tested.json["updated_at"] == source["updated_at"]
    assert (tenant.client.get(path).json, trail(tenant)) == (source, events)
