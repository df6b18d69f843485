"""What people get wrong when they use the API for the first time: each message says what to do."""

from typing import Any

import pytest

from tests.integration.alerting import create_rule
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import create_source, publish_integration

NO_ORGANIZATION = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def problem(refused: Answer) -> tuple[str, str]:
    """The one problem of an invalid request."""
    assert refused.status in (400, 422), refused.text
    [one] = refused.json["error"]["details"]["errors"]
    return one["pointer"], one["message"]


def test_a_space_that_has_only_rules_says_so_when_it_is_deleted(tenant: Tenant) -> None:
    rule = create_rule(tenant)
    refused = tenant.client.delete(f"/spaces/{tenant.space_slug}")
    assert refused.code == "IN_USE"
    assert "alert rules" in refused.json["error"]["message"]
    assert refused.json["error"]["details"] == {"uses": 1}
    tenant.client.delete(f"/spaces/{tenant.space_slug}/alert-rules/{rule['id']}")
    assert tenant.client.delete(f"/spaces/{tenant.space_slug}").status == 204


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://me:s3cr3t@hooks.example.com/x", "has a user name or a password"),
        ("https://token@hooks.example.com/x", "has a user name or a password"),
        (" https://hooks.example.com/x", "white space around it"),
        ("hooks.example.com/x", "not an absolute http or https URL"),
    ],
)
def test_a_url_with_something_too_much_says_what(tenant: Tenant, url: str, hint: str) -> None:
    path = f"/spaces/{tenant.space_slug}/alert-rules"
    body = {"name": "r", "condition": {"kind": "connection_down"}}
    refused = tenant.client.post(path, body | {"channels": [{"kind": "webhook", "url": url}]})
    pointer, message = problem(refused)
    assert pointer == "/channels/0/url"
    assert hint in message
    assert "s3cr3t" not in refused.text


def test_a_name_that_is_in_an_object_twice_is_named(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    twice = '{"slug": "ok", "name": "a", "name": "b"}'
    assert problem(tenant.client.call("POST", spaces, twice)) == (
        "",
        "an object has the same name twice: name",
    )
    # But not what may be a secret that took the place of a name
    secret = '{"sk live 123": 1, "sk live 123": 2}'
    assert "sk live" not in tenant.client.call("POST", spaces, secret).text


@pytest.mark.parametrize("value", ["https://api.example.com", "api.example.com/v1", "http://x"])
def test_a_host_name_with_a_scheme_or_a_path(tenant: Tenant, value: str) -> None:
    publish_integration(
        tenant,
        variablesSchema={"properties": {"host": {"type": "string", "format": "hostname"}}},
        manifest={
            "checks": {
                "steps": [
                    {
                        "name": "a",
                        "kind": "http",
                        "request": {"url": "https://{{variables.host}}/"},
                    }
                ]
            }
        },
    )
    body = {"name": "s", "integration": "acme/crm", "variables": {"host": value}}
    refused = tenant.client.post(f"{tenant.connectors}/sources", body)
    assert problem(refused) == (
        "/variables/host",
        "must be a host name alone, without a scheme and a path",
    )


def test_a_host_with_a_scheme_in_a_step(tenant: Tenant) -> None:
    step = {"name": "a", "kind": "tcp", "host": "https://db.example.com", "port": 5432}
    made = tenant.client.post(
        "/v1/integrations",
        {
            "workspaceId": tenant.space_id,
            "publisher": "acme",
            "slug": "db",
            "name": "DB",
            "manifest": {"checks": {"steps": [step]}},
        },
    ).json
    refused = tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
    found = refused.json["error"]["details"]["errors"]
    assert any("scheme" in one["message"] or "URL" in one["message"] for one in found), found


@pytest.mark.parametrize("version", ["v1.0.0", "V1.0.0", "=1.0.0"])
def test_a_version_with_a_letter_before_it(tenant: Tenant, version: str) -> None:
    made = publish_integration(tenant)
    refused = tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": version})
    assert problem(refused) == ("/version", "must be the number alone: 1.0.0")
    source = {"name": "s", "integration": "acme/crm", "variables": {"path": "me"}}
    accepted = tenant.client.post(f"{tenant.connectors}/sources", source | {"version": version})
    assert accepted.status == 201 or "1.0.0" in problem(accepted)[1]


@pytest.mark.parametrize("key", [" sk_live_1", "sk_live_1\n", "\tsk_live_1 "])
def test_a_key_with_white_space_at_its_ends(tenant: Tenant, key: str) -> None:
    publish_integration(tenant)
    body = {"name": "s", "integration": "acme/crm", "variables": {"path": "me"}}
    refused = tenant.client.post(
        f"{tenant.connectors}/sources", body | {"secrets": {"api_key": key}}
    )
    assert problem(refused) == ("/secrets/api_key", "must not begin or end with white space")
    source = create_source(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert (
        problem(tenant.client.patch(path, {"secrets": {"api_key": key}}))[0] == "/secrets/api_key"
    )


def test_a_key_of_several_lines_or_a_password_is_as_it_is(tenant: Tenant) -> None:
    pem = "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n"
    publish_integration(
        tenant, manifest={"secretsSchema": {"properties": {"password": {"type": "string"}}}}
    )
    made = create_source(tenant, secrets={"api_key": pem, "password": "at its end "})
    assert sorted(made["secrets_set"]) == ["api_key", "password"]


def test_a_mistyped_organization_is_not_found_by_the_operator_either(operator: Tenant) -> None:
    base = f"/v1/organizations/{NO_ORGANIZATION}"
    connectors = f"{base}/knowledge/connectors"
    key: dict[str, Any] = {"name": "k", "permissions": ["platform.integration.read"]}
    for answer in (
        operator.client.get(base),
        operator.client.get(f"{base}/spaces"),
        operator.client.get(f"{base}/api-keys"),
        operator.client.get(f"{base}/audit-events"),
        operator.client.get(f"{base}/data-keys"),
        operator.client.get(f"{base}/integration-health"),
        operator.client.get(f"{connectors}/sources"),
        operator.client.get(f"{connectors}/destinations"),
        operator.client.get(f"{connectors}/connections"),
        operator.client.post(f"{base}/api-keys", key),
        operator.client.get(f"/integrations/connection/list/v1.0.0?tenantId={NO_ORGANIZATION}"),
        operator.client.get("/v1/organizations/mistyped/spaces"),
    ):
        assert answer.code == "ORGANIZATION_NOT_FOUND"


def test_an_operator_reads_another_organization(operator: Tenant, tenant: Tenant) -> None:
    spaces = operator.client.get(f"/v1/organizations/{tenant.organization_id}/spaces")
    assert [space["slug"] for space in spaces.json["items"]] == [tenant.space_slug]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/integrations", {"workspace_id": "x"}, "is not a known field; workspaceId is"),
        ("/integrations/connection/test/v1.0.0", {"connection_id": "x"}, "; connectionId is"),
        ("{connectors}/connections", {"sourceId": "x"}, "is not a known field; source_id is"),
        ("{connectors}/connections", {"organization": "x"}, "is not a known field"),
    ],
)
def test_a_field_in_another_spelling_is_named(
    tenant: Tenant, path: str, body: dict[str, Any], message: str
) -> None:
    refused = tenant.client.post(path.format(connectors=tenant.connectors), body)
    [name] = body
    found = {one["pointer"]: one["message"] for one in refused.json["error"]["details"]["errors"]}
    assert found[f"/{name}"].endswith(message)


def test_a_query_parameter_in_another_spelling_is_named(tenant: Tenant) -> None:
    answer = tenant.client.get(f"/v1/integrations?workspace_id={tenant.space_id}")
    assert problem(answer) == ("/query/workspace_id", "is not a known field; workspaceId is")


def test_a_secret_in_the_place_of_a_variable_and_the_other_way_around(tenant: Tenant) -> None:
    publish_integration(tenant)
    body = {"name": "s", "integration": "acme/crm"}
    sources = f"{tenant.connectors}/sources"
    refused = tenant.client.post(sources, body | {"variables": {"path": "me", "api_key": "k"}})
    assert problem(refused) == (
        "/variables/api_key",
        "is a secret of this integration: give it in secrets",
    )
    refused = tenant.client.post(
        sources, body | {"variables": {"path": "me"}, "secrets": {"page_size": "5"}}
    )
    assert problem(refused) == (
        "/secrets/page_size",
        "is a variable of this integration: give it in variables",
    )


def test_a_secret_is_no_variable_of_a_schema_that_allows_any(tenant: Tenant) -> None:
    open_schema = {"type": "object", "additionalProperties": True}
    publish_integration(tenant, variablesSchema=open_schema)
    sources = f"{tenant.connectors}/sources"
    misplaced = ("/variables/api_key", "is a secret of this integration: give it in secrets")
    body = {"name": "s", "integration": "acme/crm"}

    assert problem(tenant.client.post(sources, body | {"variables": {"api_key": "k"}})) == misplaced
    tried = {"integration": "acme/crm", "variables": {"api_key": "k"}}
    assert problem(tenant.client.post(f"{sources}/test", tried)) == misplaced
    source = tenant.client.post(sources, body | {"variables": {"region": "eu"}}).json
    edited = tenant.client.patch(f"{sources}/{source['id']}", {"variables": {"api_key": "k"}})
    assert problem(edited) == misplaced


def test_a_space_has_an_id_and_a_slug(tenant: Tenant) -> None:
    publish_integration(tenant)
    definition = {"publisher": "acme", "slug": "x", "name": "x", "workspaceId": tenant.space_slug}
    refused = tenant.client.post("/v1/integrations", definition)
    assert problem(refused)[1] == "is not the id of a space of your organization"
    source = create_source(tenant)
    connection = {"name": "c", "source_id": source["id"], "space": tenant.space_id}
    refused = tenant.client.post(f"{tenant.connectors}/connections", connection)
    assert problem(refused)[1] == "is not the slug of a space of this organization"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/organizations/x/spaces", "begins with /v1"),
        ("/v1/spaces/acme", "does not begin with /v1"),
        ("/integrations/connection/test", "ends with the version of the operation, /v1.0.0"),
        ("/integrations/connection/test/v1", "ends with the version of the operation, /v1.0.0"),
        ("/nowhere", "There is no such resource."),
    ],
)
def test_a_path_that_nearly_is_one(tenant: Tenant, path: str, hint: str) -> None:
    refused = tenant.client.get(path)
    assert refused.code == "NOT_FOUND"
    assert hint in refused.json["error"]["message"]


def test_a_plus_in_a_query_is_a_space(tenant: Tenant) -> None:
    events = f"/spaces/{tenant.space_slug}/integration-events"
    refused = tenant.client.get(f"{events}?since=2026-02-17T10:00:00+01:00")
    assert problem(refused) == (
        "/query/since",
        "has a space before its UTC offset: a + in a URL is written %2B",
    )
    assert tenant.client.get(f"{events}?since=2026-11-27T10:00:00%2B01:00").status == 200


def test_a_byte_order_mark_and_a_dotted_key(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    marked = tenant.client.call("POST", spaces, "\ufeff{}")
    assert problem(marked) == ("", "the text begins with a byte order mark")
    keyed = {"integrationKey": "acme/crm"}
    refused = tenant.client.post("/integrations/connection/create/v1.0.0", keyed)
    found = {one["pointer"]: one["message"] for one in refused.json["error"]["details"]["errors"]}
    assert "such as acme.tracker" in found["/integrationKey"]


def test_a_threshold_is_a_percentage_and_no_ratio(tenant: Tenant) -> None:
    rule = {"name": "r", "condition": {"kind": "success_rate", "threshold": 0.95}}
    refused = tenant.client.post(f"/spaces/{tenant.space_slug}/alert-rules", rule)
    assert problem(refused) == ("/condition/threshold", "must be at least 1")
