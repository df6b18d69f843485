"""Sources, destinations, and connections over the API, and their secrets."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import connections
from patchbay.checks.roles import Role
from patchbay.connections.health_state import HealthObservation
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.keys import secret_key
from patchbay.connections.vault import SecretScope
from patchbay.deployment import Deployment
from patchbay.platform import aws
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import InternalError
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_connection, create_source, publish_integration


def everything_in(tables: dict[str, Table]) -> str:
    """All items of all tables, as text. Only a test may scan."""
    return "".join(
        repr(aws.client("dynamodb").scan(TableName=name)["Items"]) for name, table in tables.items()
    )


def test_the_sample_event_lists_the_sources_of_its_organization(deployed: object) -> None:
    answer = connections.handler(sample_event("connections"), None)
    assert answer["statusCode"] == 200
    assert answer["body"] == '{"items":[],"next_cursor":null}'


def test_a_source_is_created_from_a_release_with_its_defaults(tenant: Tenant) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    assert source["id"].startswith("src_")
    assert source["version"] == "1.0.0"
    assert source["variables"] == {"path": "me", "page_size": 50}
    assert source["secrets_set"] == ["api_key"]
    path = f"{tenant.connectors}/sources/{source['id']}"
    read = tenant.client.get(path)
    assert read.json == source
    assert read.headers["etag"] == '"1"'
    assert tenant.client.get(f"{tenant.connectors}/sources").json["items"] == [source]
    assert tenant.client.get(f"{tenant.connectors}/destinations").json["items"] == []
    assert tenant.client.delete(path).status == 204
    assert tenant.client.get(path).code == "SOURCE_NOT_FOUND"


def test_a_secret_is_only_stored_sealed(
    tenant: Tenant, deployed: dict[str, Table], log: io.StringIO
) -> None:
    # Given a source with a secret, read in every way
    publish_integration(tenant)
    source = create_source(tenant)
    path = f"{tenant.connectors}/sources"
    answers = [tenant.client.get(path).text, tenant.client.get(f"{path}/{source['id']}").text]
    # And requests that are refused because the secret is in the wrong place
    good = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    for wrong in (
        {"integration": SECRET},
        {"version": SECRET},
        {"ownership_mode": SECRET},
        {"variables": {"path": "me", "page_size": SECRET}},
        {"variables": {"path": [SECRET]}},
        {"variables": SECRET},
        {"name": [SECRET]},
        {"secrets": {"password": SECRET}},
        {"secrets": SECRET},
        {"secrets": {"api_key": [SECRET]}},
    ):
        answer = tenant.client.post(path, {**good, **wrong})
        assert answer.status == 400, wrong
        answers.append(answer.text)
    unfinished = '{"name": "x", "secrets": {"api_key": "' + SECRET
    answers.append(tenant.client.call("POST", path, unfinished).text)
    # Then it is in no response, no log line, and no item, although the item exists
    logged = log.getvalue()
    assert '"message":"request"' in logged
    items = everything_in(deployed)
    assert "'sealed'" in items
    for place in (*answers, logged, items):
        assert SECRET not in place


def test_variables_must_match_the_schema_of_the_release(tenant: Tenant) -> None:
    publish_integration(tenant)
    sources = f"{tenant.connectors}/sources"
    body: dict[str, Any] = {"name": "x", "integration": "acme/crm"}
    for variables, pointer in (
        ({}, "/variables/path"),
        ({"path": 7}, "/variables/path"),
        ({"path": "me", "page_size": "many"}, "/variables/page_size"),
        ({"path": "me", "color": "red"}, "/variables/color"),
    ):
        answer = tenant.client.post(sources, {**body, "variables": variables})
        assert answer.status == 400
        assert answer.code == "CONNECTOR_INVALID_CONFIG"
        assert answer.pointers == [pointer]
    good = {**body, "variables": {"path": "me"}}
    for secrets, pointer in (
        ({"api_key": "********"}, "/secrets/api_key"),
        ({"api_key": ""}, "/secrets/api_key"),
        ({"password": "x"}, "/secrets/password"),
    ):
        answer = tenant.client.post(sources, {**good, "secrets": secrets})
        assert answer.status == 400
        assert answer.pointers == [pointer]
    for name, value in (("integration", "acme/none"), ("version", "9.9.9")):
        answer = tenant.client.post(sources, {**good, name: value})
        assert answer.pointers == [f"/{name}"]
    assert tenant.client.get(sources).json["items"] == []


def test_a_role_that_the_release_does_not_support_is_refused(tenant: Tenant) -> None:
    publish_integration(tenant)
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    answer = tenant.client.post(f"{tenant.connectors}/destinations", body)
    assert answer.pointers == ["/integration"]


def test_other_organizations_do_not_find_a_private_integration(
    tenant: Tenant, stranger: Tenant
) -> None:
    publish_integration(tenant)
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    answer = stranger.client.post(f"{stranger.connectors}/sources", body)
    assert answer.pointers == ["/integration"]


def test_a_connection_joins_a_source_and_a_destination_in_a_space(tenant: Tenant) -> None:
    # Given a source and a destination
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    source = create_source(tenant)
    destinations = f"{tenant.connectors}/destinations"
    made = tenant.client.post(
        destinations, {"name": "d", "integration": "acme/crm", "variables": {"path": "me"}}
    )
    destination = made.json
    # When they are connected
    connection = create_connection(
        tenant, source, destination_id=destination["id"], configurations={"depth": 2}
    )
    # Then it is found by its id, in its organization, and in its space
    path = f"{tenant.connectors}/connections"
    assert tenant.client.get(f"{path}/{connection['id']}").json == connection
    assert tenant.client.get(path).json["items"] == [connection]
    assert tenant.client.get(f"{path}?space=acme").json["items"] == [connection]
    assert tenant.client.get(f"{path}?space=nowhere").pointers == ["/query/space"]
    assert connection["health"]["status"] == "unknown"
    # And its source and destination can't be deleted before it
    for used in (
        f"{tenant.connectors}/sources/{source['id']}",
        f"{destinations}/{destination['id']}",
    ):
        refused = tenant.client.delete(used)
        assert refused.code == "IN_USE"
        assert refused.json["error"]["details"] == {"used_by": [connection["id"]]}
    assert tenant.client.delete("/spaces/acme").code == "IN_USE"
    assert tenant.client.delete(f"{path}/{connection['id']}").status == 204
    assert tenant.client.delete(f"{tenant.connectors}/sources/{source['id']}").status == 204
    assert tenant.client.delete(f"{destinations}/{destination['id']}").status == 204


def test_a_connection_of_something_that_does_not_exist_is_refused(
    tenant: Tenant, stranger: Tenant
) -> None:
    publish_integration(tenant, visibility="public")
    source = create_source(tenant)
    foreign = create_source(stranger)
    path = f"{tenant.connectors}/connections"
    good = {"name": "x", "source_id": source["id"], "space": "acme"}
    for changes, pointer in (
        ({"source_id": foreign["id"]}, "/source_id"),
        ({"source_id": "nonsense"}, "/source_id"),
        ({"destination_id": "dst_01K0Z3NDEKTSV4RRFFQ69G5FAV"}, "/destination_id"),
        ({"space": "globex"}, "/space"),
        ({"monitor": {"interval": "2m"}}, "/monitor/interval"),
        ({"status": "paused"}, "/status"),
    ):
        answer = tenant.client.post(path, {**good, **changes})
        assert answer.status == 400
        assert answer.pointers == [pointer]
    assert tenant.client.get(path).json["items"] == []


def test_another_tenant_finds_nothing(tenant: Tenant, stranger: Tenant) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    for theirs in (tenant.connectors, stranger.connectors):
        for path in (f"sources/{source['id']}", f"connections/{connection['id']}"):
            assert stranger.client.get(f"{theirs}/{path}").status == 404
            assert stranger.client.delete(f"{theirs}/{path}").status == 404
    assert tenant.client.get(f"{tenant.connectors}/sources/{source['id']}").status == 200


def test_a_sealed_secret_opens_only_for_its_own_endpoint_and_binding(
    tenant: Tenant, stranger: Tenant, deployed: dict[str, Table]
) -> None:
    # Given a sealed secret
    table = deployed["IntegrationsTable"]
    publish_integration(tenant, visibility="public")
    source, other = create_source(tenant), create_source(tenant, secrets={})
    create_source(stranger)
    vault = Deployment().vault
    stored = connections.deployment.endpoints.get(tenant.organization_id, Role.SOURCE, source["id"])
    scope = SecretScope.of(stored, stored.binding)
    assert vault.open(scope, utc_now()) == {"api_key": SECRET}
    item = table.get(secret_key(scope.organization_id, scope.endpoint_id))
    assert item is not None
    # When it is copied to another endpoint or another tenant
    for moved in (
        replace(scope, endpoint_id=other["id"]),
        replace(scope, organization_id=stranger.organization_id),
    ):
        table.write(Put({**item, **secret_key(moved.organization_id, moved.endpoint_id)._asdict()}))
        # Then it does not open
        with pytest.raises(InternalError):
            vault.open(moved, utc_now())
    # Nor for another destination, nor after it was altered
    with pytest.raises(InternalError):
        vault.open(replace(scope, binding="elsewhere"), utc_now())
    sealed: bytes = item["sealed"]
    table.write(Put({**item, "sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])}))
    with pytest.raises(InternalError):
        vault.open(scope, utc_now())


def test_the_operator_creates_nothing_in_an_organization_that_does_not_exist(
    tenant: Tenant, operator: Tenant
) -> None:
    publish_integration(tenant, visibility="public")
    nowhere = "/v1/organizations/org_01K0Z3NDEKTSV4RRFFQ69G5FAV/knowledge/connectors/sources"
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    assert operator.client.post(nowhere, body).code == "ORGANIZATION_NOT_FOUND"
    assert operator.client.get(nowhere).code == "ORGANIZATION_NOT_FOUND"


def test_secrets_must_match_their_schema_and_are_never_quoted(tenant: Tenant) -> None:
    rules = {"properties": {"pin-code": {"type": "string", "pattern": "^[0-9]{6}$"}}}
    publish_integration(tenant, manifest={"roles": ["source"], "secretsSchema": rules})
    sources = f"{tenant.connectors}/sources"
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    refused = tenant.client.post(sources, {**body, "secrets": {"pin-code": SECRET}})
    assert refused.pointers == ["/secrets/pin-code"]
    assert SECRET not in refused.text
    good = {"pin-code": "123456", "api_key": "right-key"}
    made = tenant.client.post(sources, {**body, "secrets": good})
    assert made.json["secrets_set"] == ["api_key", "pin-code"]
    assert tenant.client.post(sources, {**body, "secrets": {"a b": "x"}}).pointers == [
        "/secrets/a b"
    ]


def test_the_error_and_the_action_of_a_connection_agree_with_its_status(tenant: Tenant) -> None:
    publish_integration(tenant)
    made = create_connection(
        tenant, create_source(tenant), monitor={"enabled": True, "interval": "1m"}
    )
    path = f"{tenant.connectors}/connections/{made['id']}"
    here, start = Deployment(), utc_now()
    seen = []
    # When a monitored connection works, fails three times, and works again, twice
    for minute, passed in enumerate([True, False, False, False, True, True]):
        now = start + timedelta(minutes=minute)
        stored = here.connections.get(tenant.organization_id, made["id"])
        if passed:
            found, action = HealthObservation(now, HealthStatus.CONNECTED, 1), RequiredAction.NONE
        else:
            found = HealthObservation(
                now, HealthStatus.ERROR, 1, error_code="auth_invalid", error_message="No."
            )
            action = RequiredAction.REAUTHORIZE
        here.health_recorder.record(stored, found, action)
        one = tenant.client.get(path).json
        overview = f"/spaces/{tenant.space_slug}/integration-health/connections"
        [shown] = tenant.client.get(overview).json["items"]
        assert shown["error_code"] == one["health"]["error_code"]
        assert shown["required_action"] == one["required_action"]
        health = one["health"]
        assert (health["error_code"] is None) == (health["error_message"] is None)
        seen.append((health["status"], health["error_code"], one["required_action"]))
    # Then there is an error and something to do exactly while it fails
    fine, broken = ("connected", None, "none"), ("error", "auth_invalid", "reauthorize")
    assert seen == [fine, fine, fine, broken, broken, fine]
