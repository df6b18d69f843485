"""Credentials that a back end may use: read, limited, counted, and audited."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import credentials
from patchbay.connections.usage_store import LEASE, Use, UseOutcome
from patchbay.platform.clock import to_text, utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit
from patchbay.tenancy.access import Permission
from tests.integration.api import Answer, start_cold
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.story import (
    SECRET,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.test_audit import trail
from tests.integration.test_faults import FAULTS, Fault, Network
from tests.integration.test_secret_references import keep, permit

NO_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.fixture
def connection(tenant: Tenant) -> dict[str, Any]:
    publish_integration(tenant)
    return create_connection(tenant, create_source(tenant))


def path_of(tenant: Tenant, connection: dict[str, Any], rest: str = "credentials") -> str:
    return f"{tenant.connectors}/connections/{connection['id']}/{rest}"


def read(tenant: Tenant, connection: dict[str, Any], query: str = "") -> Answer:
    return tenant.client.get(path_of(tenant, connection) + query)


def connected(tenant: Tenant, secrets: dict[str, str], **integration: Any) -> dict[str, Any]:
    """A connection of an integration without variables, with these secrets."""
    publish_integration(tenant, variablesSchema=NO_SCHEMA, **integration)
    source = create_source(tenant, variables={}, secrets=secrets)
    return create_connection(tenant, source)


def record(tenant: Tenant, connection: dict[str, Any]) -> dict[str, Any]:
    listed = tenant.client.get(
        f"/integrations/connection/list/v1.0.0?tenantId={tenant.organization_id}"
    )
    assert listed.status == 200, listed.text
    [found] = [one for one in listed.json["connections"] if one["id"] == connection["id"]]
    updated = tenant.client.post(
        "/integrations/connection/update/v1.0.0", {"connectionId": connection["id"]}
    )
    assert updated.json == found
    return dict(found)


def given(tenant: Tenant) -> list[dict[str, Any]]:
    return [event for event in trail(tenant) if event["action"] == "credentials_given"]


def restarted(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name.upper(), value)
    start_cold("credentials")


def test_an_api_key_is_given_with_its_header(tenant: Tenant, connection: dict[str, Any]) -> None:
    answer = read(tenant, connection)
    assert answer.status == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "type": "api_key",
        "endpoint_id": connection["source_id"],
        "api_key": SECRET,
        "secrets": {},
        "header": {"name": "Authorization", "value": f"Bearer {SECRET}"},
        "base_url": None,
        "expires_at": None,
        "scopes": None,
    }


def test_an_integration_without_credentials_says_so(tenant: Tenant) -> None:
    nothing = connected(tenant, {}, authConfig={"type": "none"})
    answer = read(tenant, nothing)
    assert (answer.json["type"], answer.json["header"]) == ("none", None)


def test_only_the_access_token_of_oauth2_is_given(tenant: Tenant) -> None:
    # Given an endpoint with everything that OAuth 2.0 needs
    secrets = {
        "access_token": "at-0123456789abcdef",
        "refresh_token": "rt-0123456789abcdef",
        "client_id": "ci-0123456789abcdef",
        "client_secret": "cs-0123456789abcdef",
        "signing_key": "sk-0123456789abcdef",
    }
    auth = {
        "type": "oauth2",
        "tokenUrl": "https://auth.example.com/token",
        "authorizationUrl": "https://auth.example.com/authorize",
    }
    schema = {"type": "object", "properties": {"signing_key": {"type": "string"}}}
    manifest = {"roles": ["source"], "secretsSchema": schema}
    connection = connected(tenant, secrets, authConfig=auth, manifest=manifest)
    # Then nothing but the token leaves
    answer = read(tenant, connection)
    assert answer.json["access_token"] == secrets.pop("access_token")
    assert not [name for name, value in secrets.items() if value in answer.text]


def test_basic_credentials_are_given_as_they_are_sent(tenant: Tenant) -> None:
    auth = {
        "type": "basic",
        "username": "{{variables.email}}/token",
        "password": "{{secrets.api_token}}",
    }
    schema = {"type": "object", "properties": {"email": {"type": "string"}}}
    publish_integration(
        tenant,
        variablesSchema=schema,
        authConfig=auth,
        manifest={"roles": ["source"], "baseUrl": "https://desk.example.com/api/v2"},
    )
    variables, secrets = {"email": "ann@acme.com"}, {"api_token": "to:ken"}
    source = create_source(tenant, variables=variables, secrets=secrets)
    answer = read(tenant, create_connection(tenant, source))
    assert answer.json["username"] == "ann@acme.com/token"
    assert answer.json["password"] == "to:ken"
    value = b64encode(b"ann@acme.com/token:to:ken").decode()
    assert answer.json["header"] == {"name": "Authorization", "value": f"Basic {value}"}
    assert answer.json["base_url"] == "https://desk.example.com/api/v2"


def test_a_key_that_no_header_can_carry_is_given_without_one(tenant: Tenant) -> None:
    connection = connected(tenant, {"api_key": "key\nof two lines"})
    answer = read(tenant, connection)
    assert (answer.json["api_key"], answer.json["header"]) == ("key\nof two lines", None)


def test_a_secret_in_the_base_url_is_not_given_with_it(tenant: Tenant) -> None:
    schema = {"type": "object", "properties": {"hidden": {"type": "string"}}}
    manifest = {
        "roles": ["source"],
        "secretsSchema": schema,
        "baseUrl": "https://api.example.com/bot{{secrets.hidden}}",
    }
    secrets = {"api_key": "a-key-to-give", "hidden": "never-to-be-given"}
    answer = read(tenant, connected(tenant, secrets, manifest=manifest))
    assert answer.json["base_url"] is None
    assert "never-to-be-given" not in answer.text


def test_an_upgrade_that_gives_more_secrets_needs_them_again(tenant: Tenant) -> None:
    # Given a source of a release that gives nothing but the key
    rule: dict[str, Any] = {"type": "string"}
    manifest = {
        "roles": ["source"],
        "secretsSchema": {"type": "object", "properties": {"signing_key": rule}},
    }
    integration = publish_integration(tenant, manifest=manifest)
    secrets = {"api_key": "a-key-to-give", "signing_key": "never-to-be-given"}
    source = create_source(tenant, secrets=secrets)
    # When the next release marks another one
    rule["x-use"] = "given"
    path = f"/v1/integrations/{integration['id']}"
    assert tenant.client.patch(path, {"manifest": manifest}).status == 200
    assert tenant.client.post(f"{path}/publish", {"version": "1.1.0"}).status == 201
    # Then an upgrade does not make it readable
    answer = tenant.client.patch(
        f"{tenant.connectors}/sources/{source['id']}", {"version": "1.1.0"}
    )
    assert (answer.status, answer.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert answer.json["error"]["details"]["changed"] == ["given"]


def test_a_declared_secret_is_given_if_its_author_says_so(tenant: Tenant) -> None:
    schema = {
        "type": "object",
        "properties": {
            "password": {"type": "string", "x-use": "given"},
            "client_key": {"type": "string"},
        },
    }
    connection = connected(
        tenant,
        {"password": "correct-horse", "client_key": "battery-staple"},
        authConfig={"type": "none"},
        manifest={"roles": ["source"], "secretsSchema": schema},
    )
    assert read(tenant, connection).json["secrets"] == {"password": "correct-horse"}


@pytest.mark.parametrize(
    ("name", "mark", "message"),
    [
        ("password", "always", 'must be "given"'),
        ("refresh_token", "given", "can't be set: this secret is never read back"),
        ("client_secret", "given", "can't be set: this secret is never read back"),
        ("tls_key", "given", "can't be set: this secret is never read back"),
    ],
)
def test_a_mark_that_can_not_be_used_is_refused(
    tenant: Tenant, name: str, mark: str, message: str
) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string", "x-use": mark}}}
    step = {
        "name": "whoami",
        "kind": "http",
        "request": {"url": "https://example.com/me"},
        "clientCertificate": "{{variables.certificate}}",
        "clientKey": "{{secrets.tls_key}}",
    }
    created = tenant.client.post(
        "/v1/integrations",
        {
            "workspaceId": tenant.space_id,
            "publisher": "acme",
            "slug": "marked",
            "name": "Marked",
            "variablesSchema": NO_SCHEMA,
            "authConfig": {"type": "none"},
            "manifest": {
                "roles": ["source"],
                "secretsSchema": schema,
                "checks": {"timeoutMs": 2000, "steps": [step] if name == "tls_key" else []},
            },
        },
    )
    published = tenant.client.post(
        f"/v1/integrations/{created.json['id']}/publish", {"version": "1.0.0"}
    )
    assert published.status == 422, published.text
    pointer = f"/manifest/secretsSchema/properties/{name}/x-use"
    assert (pointer, message) in published.problems


def test_a_destination_is_asked_for_by_its_role(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    body = {
        "name": "There",
        "integration": "acme/crm",
        "variables": {"path": "me"},
        "secrets": {"api_key": "key-of-the-destination"},
    }
    there = tenant.client.post(f"{tenant.connectors}/destinations", body).json
    both = create_connection(tenant, create_source(tenant), destination_id=there["id"])
    assert read(tenant, both, "?role=destination").json["api_key"] == "key-of-the-destination"
    assert read(tenant, both, "?role=source").json["api_key"] == SECRET
    # And a connection without one has none
    alone = create_connection(tenant, create_source(tenant))
    answer = read(tenant, alone, "?role=destination")
    assert (answer.status, answer.code) == (404, "DESTINATION_NOT_FOUND")
    assert record(tenant, alone)["usageRequestCount"] == 0
    wrong = read(tenant, alone, "?role=owner")
    assert (wrong.status, wrong.pointers) == (400, ["/query/role"])


@pytest.mark.parametrize(
    "permissions",
    [[Permission.MANAGE], [Permission.READ, Permission.TEST], [Permission.WRITE_EVENTS]],
    ids=str,
)
def test_no_other_permission_implies_the_use(
    tenant: Tenant, connection: dict[str, Any], permissions: list[Permission]
) -> None:
    issued = tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/api-keys",
        {"name": "other", "permissions": permissions},
    )
    answer = tenant.client.with_key(issued.json["key"]).get(path_of(tenant, connection))
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    assert answer.json["error"]["details"] == {"permission": "platform.credential.use"}


def test_the_operator_may_not_use_what_tenants_store(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any]
) -> None:
    answer = operator.client.get(path_of(tenant, connection))
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")


def test_another_tenant_finds_no_connection(
    tenant: Tenant, stranger: Tenant, connection: dict[str, Any]
) -> None:
    assert stranger.client.get(path_of(tenant, connection)).status == 404
    own = stranger.client.get(path_of(stranger, connection))
    assert (own.status, own.code) == (404, "CONNECTION_NOT_FOUND")


def test_a_disabled_connection_is_not_used(tenant: Tenant, connection: dict[str, Any]) -> None:
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, {"status": "disabled"}).status == 200
    answer = read(tenant, connection)
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert "activate it" in answer.json["error"]["message"]


def test_the_use_can_be_switched_off(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted(monkeypatch, credential_use="disabled")
    answer = read(tenant, connection)
    assert (answer.status, answer.code) == (403, "CREDENTIAL_USE_DISABLED")
    # And says nothing about what exists
    assert read(tenant, {"id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}).code == answer.code


def test_a_missing_secret_says_what_to_do(tenant: Tenant) -> None:
    publish_integration(
        tenant,
        variablesSchema=NO_SCHEMA,
        authConfig={
            "type": "oauth2",
            "tokenUrl": "https://auth.example.com/token",
            "authorizationUrl": "https://auth.example.com/authorize",
        },
    )
    connection = create_connection(
        tenant, create_source(tenant, variables={}, secrets={"client_id": "only-an-id"})
    )
    answer = read(tenant, connection)
    assert (answer.status, answer.code) == (422, "CREDENTIAL_UNUSABLE")
    details = answer.json["error"]["details"]
    assert details == {
        "errors": [{"pointer": "/secrets/access_token", "message": "is missing"}],
        "code": "secret_not_found",
        "required_action": "reauthorize",
    }
    # And counts as an error of the connection
    counted = record(tenant, connection)
    assert (counted["usageErrorCount"], counted["usageLastErrorCode"]) == (1, "secret_not_found")


def test_a_reference_is_read_under_the_rules_of_references(tenant: Tenant) -> None:
    publish_integration(tenant)
    reference = keep(tenant, {"api_key": "key-in-secrets-manager"})
    source = create_source(tenant, secrets={}, secret_ref=reference)
    connection = create_connection(tenant, source)
    # Without the tag that permits the binding it is not read
    answer = read(tenant, connection)
    assert (answer.status, answer.code) == (422, "CREDENTIAL_UNUSABLE")
    assert answer.pointers == ["/secret_ref"]
    assert answer.json["error"]["details"]["code"] == "secret_not_permitted"
    permit(tenant, source)
    assert read(tenant, connection).json["api_key"] == "key-in-secrets-manager"


def test_every_credential_that_is_given_is_in_the_audit_trail(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    before = utc_now()
    read(tenant, connection)
    read(tenant, connection)
    events = given(tenant)
    assert len(events) == 2
    event = events[0]
    assert event["entity"] == "connection"
    assert event["entity_id"] == connection["id"]
    assert event["subject"].startswith("key_")
    assert event["at"] >= to_text(before - timedelta(seconds=1))
    assert event["trace_id"]
    assert (event["before"], event["after"]) == (None, {"role": "source"})
    # What was refused gave nothing
    tenant.client.patch(
        f"{tenant.connectors}/connections/{connection['id']}", {"status": "disabled"}
    )
    read(tenant, connection)
    assert given(tenant) == events


def test_uses_are_counted_in_the_record(tenant: Tenant, connection: dict[str, Any]) -> None:
    assert record(tenant, connection)["usageRequestCount"] == 0
    assert "usageLastUsedAt" not in record(tenant, connection)
    for _ in range(3):
        read(tenant, connection)
    counted = record(tenant, connection)
    assert (
        counted["usageRequestCount"],
        counted["usageSuccessCount"],
        counted["usageErrorCount"],
    ) == (3, 3, 0)
    assert counted["usageLastUsedAt"]
    assert "usageLastErrorAt" not in counted


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_no_credential_is_given_without_its_event_and_no_use_counts_twice(
    tenant: Tenant, connection: dict[str, Any], integrations_table: Table, fault: Fault
) -> None:
    network = Network()
    read(tenant, connection)  # which makes the items
    network.expect()
    assert read(tenant, connection).status == 200
    # The lease of the organization, that of the connection, the end of the use, the first lease's
    assert network.writes == 4
    for at in range(1, 5):
        counted, events = record(tenant, connection)["usageRequestCount"], len(given(tenant))
        network.expect(fault, at)
        answer = read(tenant, connection)
        network.expect()
        assert answer.status in (200, 503)
        # What is given is counted and in the trail, once. What is not given may be, if the end of
        # the use was written, and no reply came
        is_written = answer.status == 200 or (at == 3 and fault.applied)
        assert record(tenant, connection)["usageRequestCount"] - counted == is_written
        assert len(given(tenant)) - events == is_written
    assert read(tenant, connection).status == 200


def test_a_connection_has_a_limit(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted(monkeypatch, connection_uses_per_minute="2")
    assert [read(tenant, connection).status for _ in range(2)] == [200, 200]
    answer = read(tenant, connection)
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    details = answer.json["error"]["details"]
    assert details == {"quota": "connection_uses_per_minute", "limit": 2, "used": 2}
    # Which is not that of its neighbor
    other = create_connection(tenant, create_source(tenant))
    assert read(tenant, other).status == 200


def test_an_organization_has_a_limit(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted(monkeypatch, uses_per_minute="2")
    other = create_connection(tenant, create_source(tenant))
    assert [read(tenant, one).status for one in (connection, other)] == [200, 200]
    answer = read(tenant, connection)
    assert answer.status == 429
    assert answer.json["error"]["details"]["quota"] == "uses_per_minute"
    # Another organization is not held up
    third = new_tenant("initech", TENANT_PERMISSIONS)
    publish_integration(third, publisher="initech")
    its = create_connection(third, create_source(third, integration="initech/crm"))
    assert read(third, its).status == 200


def test_the_usage_goes_with_its_connection(
    tenant: Tenant, connection: dict[str, Any], integrations_table: Table
) -> None:
    read(tenant, connection)
    gone = tenant.client.delete(f"{tenant.connectors}/connections/{connection['id']}")
    assert gone.status == 204
    pk = f"ORG#{tenant.organization_id}"
    assert not list(integrations_table.query_all(pk, prefix="USAGE#"))


def test_a_use_that_meets_a_deletion_leaves_nothing(
    tenant: Tenant, connection: dict[str, Any], integrations_table: Table
) -> None:
    # Given a use that has read the connection
    stored = credentials.deployment.connections.get(tenant.organization_id, connection["id"])
    now = utc_now()
    use = Use(new_id("use", now), stored, now)
    # When the connection is deleted before the use begins
    tenant.client.delete(f"{tenant.connectors}/connections/{connection['id']}")
    # Then it does not begin
    with pytest.raises(NotFound):
        credentials.deployment.usages.begin(use, Limit(10, 10))
    pk = f"ORG#{tenant.organization_id}"
    assert not list(integrations_table.query_all(pk, prefix="USAGE#"))


def test_a_use_is_counted_once_however_often_it_ends(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    usages = credentials.deployment.usages
    stored = credentials.deployment.connections.get(tenant.organization_id, connection["id"])
    now = utc_now()
    one, killed = (Use(new_id("use", now), stored, now) for _ in range(2))
    for use in (one, killed, one):
        usages.begin(use, Limit(10, 10))
    # Uses that end at the same time do not get in each other's way
    for _ in range(3):
        usages.end(one, UseOutcome(now, "rate_limited"))
    assert (usages.of(stored).requests, usages.of(stored).errors) == (1, 1)
    # A use whose function was killed counts nothing, and its lease ends by itself
    later = now + LEASE + timedelta(seconds=2)
    next_one = Use(new_id("use", later), stored, later)
    usages.begin(next_one, Limit(10, 1))
    usages.end(killed, UseOutcome(later))
    usages.end(next_one, UseOutcome(later))
    assert usages.of(stored).requests == 2
    assert usages.of(stored).last_error_code == "rate_limited"


def test_nothing_of_a_credential_is_logged(
    tenant: Tenant, connection: dict[str, Any], log: Any
) -> None:
    assert SECRET in read(tenant, connection).text
    assert SECRET not in log.getvalue()
    assert json.loads(log.getvalue().splitlines()[-1])["message"] == "request"


def test_uses_at_the_same_time_are_counted_exactly(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.platform.dynamodb.pause_seconds", lambda _: 0.001)
    usages = credentials.deployment.usages
    stored = credentials.deployment.connections.get(tenant.organization_id, connection["id"])
    now = utc_now()

    def use_it(number: int) -> None:
        use = Use(new_id("use", now), stored, now)
        usages.begin(use, Limit(100, 100))
        usages.end(use, UseOutcome(now, "rate_limited" if number % 3 == 0 else None))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(use_it, range(15)))
    assert (usages.of(stored).requests, usages.of(stored).errors) == (15, 5)
