"""The operations `integrations.connection.*`: their exact shapes, and what they do."""

from typing import Any
from urllib.parse import quote

import pytest

import connections
from local.provider import Provider
from patchbay.checks.roles import Role
from patchbay.connections.operation_models import ConnectionRecord
from patchbay.connections.record_store import RecordStore
from patchbay.connections.vault import SecretScope
from patchbay.platform.clock import from_text, utc_now
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.tenancy.access import Permission
from tests.integration.api import Answer
from tests.integration.authorizing import publish_tracker
from tests.integration.conftest import Tenant, new_tenant
from tests.integration.faults import lose_replies
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)
from tests.integration.test_connection_edits import DEPTH, release
from tests.integration.test_connections import everything_in

ALWAYS = {
    *("id", "tenantId", "integrationKey", "integrationVersion", "label", "ownershipMode"),
    *("secretProvider", "secretRef", "status", "createdAt", "updatedAt"),
    *("usageRequestCount", "usageSuccessCount", "usageErrorCount"),
}
TESTED = {"healthStatus", "healthCheckedAt", "healthLatencyMs", "usageLastUsedAt"}
FAILED = {"healthErrorCode", "healthErrorMessage", "usageLastErrorAt", "usageLastErrorCode"}
NOBODY = "con_01K0Z3NDEKTSV4RRFFQ69G5FAV"


def call(tenant: Tenant, operation: str, **body: Any) -> Answer:
    return tenant.client.post(f"/integrations/connection/{operation}/v1.0.0", body)


def records(tenant: Tenant, **query: str) -> Answer:
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    return tenant.client.get(f"/integrations/connection/list/v1.0.0?{text}")


def listed(tenant: Tenant, **query: str) -> list[dict[str, Any]]:
    answer = records(tenant, tenantId=tenant.organization_id, **query)
    assert answer.status == 200, answer.text
    assert set(answer.json) == {"connections"}
    found: list[dict[str, Any]] = answer.json["connections"]
    return found


def create(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    answer = call(tenant, "create", **operation_input(tenant, **changes))
    assert answer.status == 200, answer.text
    record: dict[str, Any] = answer.json
    return record


def connection_of(tenant: Tenant, record: dict[str, Any]) -> dict[str, Any]:
    answer = tenant.client.get(f"{tenant.connectors}/connections/{record['id']}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def source_of(tenant: Tenant, record: dict[str, Any]) -> dict[str, Any]:
    source_id = connection_of(tenant, record)["source_id"]
    found: dict[str, Any] = tenant.client.get(f"{tenant.connectors}/sources/{source_id}").json
    return found


def stored_secrets(tenant: Tenant, source: dict[str, Any]) -> dict[str, str]:
    endpoint = connections.deployment.endpoints.get(
        tenant.organization_id, Role.SOURCE, source["id"]
    )
    return connections.deployment.vault.open(SecretScope.of(endpoint, endpoint.binding), utc_now())


def test_a_refresh_token_is_not_copied_to_a_second_source(tenant: Tenant) -> None:
    # Given a source with a refresh token, which its provider may replace with each use
    publish_tracker(tenant, 8443)
    tokens = {"access_token": "t", "refresh_token": "r", "client_id": "c", "client_secret": "s"}
    holder = create_source(tenant, integration="acme/tracker", variables={}, secrets=tokens)
    # When another source shall have it too
    given = operation_input(
        tenant,
        integrationKey="acme.tracker",
        secretRef=f"patchbay://{holder['id']}",
        config={},
    )
    answer = tenant.client.post("/integrations/connection/create/v1.0.0", given)
    # Then it is refused: each refresh would end the other's grant
    assert answer.status == 400
    [problem] = answer.json["error"]["details"]["errors"]
    assert problem["pointer"] == "/secretRef"
    assert "refresh token" in problem["message"]


@pytest.mark.enable_socket
def test_a_client_of_the_family_creates_lists_tests_updates_and_deletes(
    tenant: Tenant, server: Provider
) -> None:
    # Given an integration, and a source with the key that the provider accepts
    publish_integration(tenant, manifest={**calling(server.port), "category": "crm"})
    holder = create_source(tenant)
    # When a connection is created with that key
    created = create(
        tenant,
        secretRef=f"patchbay://{holder['id']}",
        externalAccountId="acct_1",
        environment="production",
        ownershipMode="byok",
    )
    # Then the record has the fields of the contract, and unknown ones are left out
    assert set(created) == ALWAYS | {"externalAccountId", "environment"}
    assert created["tenantId"] == tenant.organization_id
    assert (created["integrationKey"], created["integrationVersion"]) == ("acme.crm", 1)
    assert (created["label"], created["ownershipMode"]) == ("Acme CRM", "byok")
    assert (created["externalAccountId"], created["environment"]) == ("acct_1", "production")
    assert created["status"] == "unknown"
    source = source_of(tenant, created)
    assert created["secretProvider"] == "patchbay"
    assert created["secretRef"] == f"patchbay://{source['id']}"
    assert source["id"] != holder["id"]
    assert stored_secrets(tenant, source) == {"api_key": SECRET}
    # And the list has the same record
    assert listed(tenant) == [created]
    # And tested
    tested = call(tenant, "test", connectionId=created["id"])
    assert set(tested.json) == {"success", "status", "latencyMs"}
    assert tested.json["success"] is True
    [record] = listed(tenant, status="connected", category="crm")
    assert set(record) == set(created) | TESTED
    assert (record["status"], record["healthStatus"]) == ("connected", "connected")
    # And updated
    updated = call(
        tenant, "update", connectionId=created["id"], label="Sales", config={"path": "500"}
    )
    assert (updated.status, updated.json["label"]) == (200, "Sales")
    assert source_of(tenant, created)["variables"] == {"path": "500", "page_size": 50}
    assert call(tenant, "test", connectionId=created["id"]).json["errorCode"] == "provider_error"
    [record] = listed(tenant)
    assert set(record) == set(created) | TESTED | FAILED
    assert (record["status"], record["healthErrorCode"]) == ("error", "provider_error")
    # And deleted, with the source that was created for it
    assert call(tenant, "delete", connectionId=created["id"]).json == {"success": True}
    assert listed(tenant) == []
    left = tenant.client.get(f"{tenant.connectors}/sources").json["items"]
    assert [item["id"] for item in left] == [holder["id"]]
    assert call(tenant, "delete", connectionId=created["id"]).code == "CONNECTION_NOT_FOUND"
    assert call(tenant, "test", connectionId=created["id"]).code == "CONNECTION_NOT_FOUND"
    # What can't be an id is not found either
    for operation in ("test", "update", "delete"):
        assert call(tenant, operation, connectionId="x").code == "CONNECTION_NOT_FOUND"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"integrationKey": "acme/crm"}, "/integrationKey"),
        ({"integrationKey": "acme.crm.eu"}, "/integrationKey"),
        ({"integrationKey": "acme.none"}, "/integrationKey"),
        ({"integrationVersion": 2}, "/integrationVersion"),
        ({"integrationVersion": -1}, "/integrationVersion"),
        ({"integrationVersion": "1"}, "/integrationVersion"),
        ({"integrationVersion": 1.5}, "/integrationVersion"),
        ({"label": ""}, "/label"),
        ({"ownershipMode": "theirs"}, "/ownershipMode"),
        ({"externalAccountId": ""}, "/externalAccountId"),
        ({"environment": 7}, "/environment"),
        ({"config": {"path": 7}}, "/config/path"),
        ({"config": {"path": "me", "color": "red"}}, "/config/color"),
        ({"config": []}, "/config"),
        ({"config": None}, "/config"),
        ({"secretProvider": "vault"}, "/secretProvider"),
        ({"secretRef": "right-key"}, "/secretRef"),
        ({"secretRef": "patchbay://src_1"}, "/secretRef"),
        ({"secretRef": "patchbay://src_01K0Z3NDEKTSV4RRFFQ69G5FAV"}, "/secretRef"),
        ({"space": "nowhere"}, "/space"),
        ({"integration_key": "acme.crm"}, "/integration_key"),
        ({"secrets": {}}, "/secrets"),
    ],
)
def test_a_refused_create_names_the_field_and_creates_nothing(
    tenant: Tenant, changes: dict[str, Any], pointer: str
) -> None:
    publish_integration(tenant)
    refused = call(tenant, "create", **operation_input(tenant, **changes))
    assert refused.status == 400
    assert refused.pointers == [pointer]
    assert listed(tenant) == []
    assert tenant.client.get(f"{tenant.connectors}/sources").json["items"] == []


@pytest.mark.parametrize("field", sorted(operation_input(Tenant("", "", "", None))))  # type: ignore[arg-type]  # for its keys
def test_every_field_of_a_create_that_the_contract_requires_is_required(
    tenant: Tenant, field: str
) -> None:
    body = {name: value for name, value in operation_input(tenant).items() if name != field}
    assert call(tenant, "create", **body).pointers == [f"/{field}"]


def test_the_newest_release_of_a_major_version_is_used(tenant: Tenant) -> None:
    publish_integration(tenant, visibility="public")
    for version in ("1.2.0", "2.0.0-beta.1", "2.0.0", "2.1.0"):
        release(tenant, version, roles=["source"])
    for number, version in ((1, "1.2.0"), (2, "2.1.0")):
        record = create(tenant, integrationVersion=number)
        assert record["integrationVersion"] == number
        assert source_of(tenant, record)["version"] == version


def test_a_connection_without_its_secrets_is_a_draft_until_it_is_resumed(tenant: Tenant) -> None:
    # Given a connection without the secrets that its integration needs
    publish_integration(tenant)
    record = create(tenant)
    connection = connection_of(tenant, record)
    assert (connection["status"], connection["required_action"]) == ("draft", "reauthorize")
    # When they are entered at its source, and it is resumed
    source = record["secretRef"].removeprefix("patchbay://")
    entered = {"secrets": {"api_key": SECRET}}
    assert tenant.client.patch(f"{tenant.connectors}/sources/{source}", entered).status == 200
    resumed = call(tenant, "update", connectionId=record["id"], status="connected")
    # Then it is active
    assert resumed.json["status"] == "connected"
    assert connection_of(tenant, record)["status"] == "active"


def test_a_connection_that_needs_no_secrets_is_active_at_once(tenant: Tenant) -> None:
    publish_integration(tenant, authConfig={"type": "none"})
    connection = connection_of(tenant, create(tenant))
    assert (connection["status"], connection["required_action"]) == ("active", "none")


def test_a_connection_that_needs_configurations_is_a_draft(
    tenant: Tenant,
) -> None:
    manifest = {"roles": ["source"], "configurationSchema": DEPTH}
    publish_integration(tenant, authConfig={"type": "none"}, manifest=manifest)
    record = create(tenant)
    connection = connection_of(tenant, record)
    assert (connection["status"], connection["required_action"]) == ("draft", "fix_config")
    refused = call(tenant, "update", connectionId=record["id"], status="connected")
    assert (refused.status, refused.pointers) == (400, ["/status"])
    path = f"{tenant.connectors}/connections/{record['id']}"
    tenant.client.patch(path, {"configurations": {"depth": 1}})
    assert call(tenant, "update", connectionId=record["id"], status="connected").status == 200


def test_a_connection_is_created_in_the_oldest_space_or_the_named_one(tenant: Tenant) -> None:
    publish_integration(tenant)
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert tenant.client.post(spaces, {"slug": "aaa", "name": "Later"}).status == 201
    assert connection_of(tenant, create(tenant))["space"] == "acme"
    assert connection_of(tenant, create(tenant, space="aaa"))["space"] == "aaa"


HOSTS = {
    "variablesSchema": {
        "type": "object",
        "properties": {
            "host": {"type": "string", "format": "hostname"},
            "team": {"type": "string", "x-binding": "free"},
        },
    },
    "manifest": {
        "checks": {
            "steps": [
                {
                    "name": "whoami",
                    "kind": "http",
                    "request": {"url": "https://{{variables.host}}/{{variables.team}}"},
                }
            ]
        }
    },
}
HOST = {"host": "api.example.com", "team": "a"}


def test_stored_secrets_are_copied_for_the_same_place_only(
    tenant: Tenant, stranger: Tenant
) -> None:
    # Given a source with a secret, one of another tenant, and one without
    publish_integration(tenant, visibility="public", **HOSTS)
    holder = create_source(tenant, variables=HOST)
    foreign = create_source(stranger, variables=HOST)
    empty = create_source(tenant, variables=HOST, secrets={})
    reference = f"patchbay://{holder['id']}"
    # When a connection to another place asks for the secret
    evil = {**HOST, "host": "evil.example.net"}
    refused = call(tenant, "create", **operation_input(tenant, config=evil, secretRef=reference))
    # Then it does not get it, and nothing is created
    assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert refused.pointers == ["/secretRef"]
    assert set(refused.json["error"]["details"]["changed"]) == {"destination", "variables"}
    assert listed(tenant) == []
    # Nor another tenant's, nor one that does not exist
    for other in (foreign, empty):
        answer = call(
            tenant,
            "create",
            **operation_input(tenant, config=HOST, secretRef=f"patchbay://{other['id']}"),
        )
        assert (answer.status, answer.pointers) == (400, ["/secretRef"])
    # But for the same place it does
    record = create(tenant, config={**HOST, "team": "b"}, secretRef=reference)
    assert stored_secrets(tenant, source_of(tenant, record)) == {"api_key": SECRET}


def test_a_repeated_update_has_the_time_of_the_repetition(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an update that was done, but whose first request ended without a response
    publish_integration(tenant)
    record = create(tenant)

    def dies(*_: object) -> None:
        raise TemporarilyUnavailable

    path = "/integrations/connection/update/v1.0.0"
    body = {"connectionId": record["id"], "label": "First"}
    with monkeypatch.context() as broken:
        broken.setattr(ConnectionRecord, "of", dies)
        assert tenant.client.post(path, body, idempotency_key="k").status == 503
    connection = f"{tenant.connectors}/connections/{record['id']}"
    between = tenant.client.patch(connection, {"name": "Second"}).json
    # When it is repeated
    assert tenant.client.post(path, body, idempotency_key="k").status == 200
    # Then the last change of the connection is not older than the one before
    found = tenant.client.get(connection).json
    assert found["name"] == "First"
    assert from_text(found["updated_at"]) >= from_text(between["updated_at"])


def test_a_repeated_update_and_delete_are_done_once(tenant: Tenant) -> None:
    publish_integration(tenant)
    record = create(tenant)
    again = {"idempotency_key": "k"}
    body = {"connectionId": record["id"], "label": "First"}
    path = "/integrations/connection/update/v1.0.0"
    first = tenant.client.post(path, body, **again)
    assert (first.status, first.json["label"]) == (200, "First")
    # The repetition does not undo a change in between
    assert call(tenant, "update", connectionId=record["id"], label="Second").status == 200
    replayed = tenant.client.post(path, body, **again)
    assert (replayed.status, replayed.json) == (200, first.json)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert listed(tenant)[0]["label"] == "Second"
    other = tenant.client.post(path, {**body, "label": "Third"}, **again)
    assert (other.status, other.code) == (409, "IDEMPOTENCY_CONFLICT")
    # And a repeated delete is not a 404
    path = "/integrations/connection/delete/v1.0.0"
    for _ in range(2):
        gone = tenant.client.post(path, {"connectionId": record["id"]}, **again)
        assert (gone.status, gone.json) == (200, {"success": True})


def test_an_update_replaces_the_config_and_keeps_secrets_for_the_same_place_only(
    tenant: Tenant,
) -> None:
    publish_integration(tenant, **HOSTS)
    holder = create_source(tenant, variables=HOST)
    record = create(tenant, config=HOST, secretRef=f"patchbay://{holder['id']}")
    # A config without a variable removes the variable
    answer = call(tenant, "update", connectionId=record["id"], config={"host": "API.example.com."})
    assert answer.status == 200
    source = source_of(tenant, record)
    assert source["variables"] == {"host": "api.example.com"}
    assert stored_secrets(tenant, source) == {"api_key": SECRET}
    # One that would send secrets elsewhere is refused, and changes nothing
    evil = {"host": "evil.example.net"}
    refused = call(tenant, "update", connectionId=record["id"], config=evil, label="Evil")
    assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert refused.pointers == ["/secretRef"]
    assert source_of(tenant, record) == source
    assert listed(tenant)[0]["label"] == "Acme CRM"
    # With secrets for that place it works, and without any, too
    there = create_source(tenant, variables=evil, secrets={"api_key": "other"})
    reference = f"patchbay://{there['id']}"
    moved = call(tenant, "update", connectionId=record["id"], config=evil, secretRef=reference)
    assert moved.status == 200, moved.text
    assert stored_secrets(tenant, source_of(tenant, record)) == {"api_key": "other"}
    emptied = call(
        tenant, "update", connectionId=record["id"], config=HOST, secretRef="patchbay://none"
    )
    assert emptied.status == 200, emptied.text
    assert source_of(tenant, record)["secrets_set"] == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"label": ""}, "/label"),
        ({"status": "paused"}, "/status"),
        ({"ownershipMode": "x"}, "/ownershipMode"),
        ({"externalAccountId": ""}, "/externalAccountId"),
        ({"config": {"path": 7}}, "/config/path"),
        ({"config": {}}, "/config/path"),
        ({"secretProvider": "aws-secrets-manager"}, "/secretRef"),
        ({"secretRef": "patchbay://x"}, "/secretRef"),
        ({"connectionId": 7}, "/connectionId"),
        ({"environment": "live"}, "/environment"),
        ({"tenantId": "x"}, "/tenantId"),
    ],
)
def test_a_refused_update_names_the_field_and_changes_nothing(
    tenant: Tenant, changes: dict[str, Any], pointer: str
) -> None:
    publish_integration(tenant)
    record = create(tenant)
    refused = call(tenant, "update", **{"connectionId": record["id"], **changes})
    assert (refused.status, refused.pointers) == (400, [pointer])
    assert listed(tenant) == [record]


def test_an_update_changes_only_what_it_names(tenant: Tenant) -> None:
    publish_integration(tenant)
    record = create(tenant, externalAccountId="a", environment="live")
    nothing = call(tenant, "update", connectionId=record["id"], label=None, config=None).json
    assert nothing == record | {"updatedAt": nothing["updatedAt"]}
    own = {"secretProvider": "patchbay", "secretRef": record["secretRef"]}
    changes = {"label": "Sales", "ownershipMode": "byok", "externalAccountId": "b"}
    updated = call(tenant, "update", connectionId=record["id"], **changes, **own).json
    assert updated == record | changes | {"updatedAt": updated["updatedAt"]}
    source = source_of(tenant, record)
    assert (source["name"], source["ownership_mode"]) == ("Sales", "byok")
    assert listed(tenant) == [updated]


def test_an_existing_source_keeps_its_name_and_outlives_the_connection(
    tenant: Tenant,
) -> None:
    publish_integration(tenant)
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    updated = call(tenant, "update", connectionId=connection["id"], label="Sales").json
    assert updated["label"] == "Sales"
    assert source_of(tenant, updated) == source
    assert call(tenant, "delete", connectionId=connection["id"]).json == {"success": True}
    assert tenant.client.get(f"{tenant.connectors}/sources/{source['id']}").json == source


@pytest.mark.enable_socket
def test_a_stated_status_stays_until_the_next_test(tenant: Tenant, server: Provider) -> None:
    # Given an active connection that works
    publish_integration(tenant, manifest=calling(server.port))
    holder = create_source(tenant)
    record = create(tenant, secretRef=f"patchbay://{holder['id']}")
    # When each status is stated
    for word, lifecycle in (
        ("error", "active"),
        ("disconnected", "paused"),
        ("unknown", "paused"),
        ("connected", "active"),
        ("error", "active"),
    ):
        answer = call(tenant, "update", connectionId=record["id"], status=word)
        # Then it is the status, and connected resumes what disconnected paused
        assert answer.json["status"] == word
        assert connection_of(tenant, record)["status"] == lifecycle
        assert [found["status"] for found in listed(tenant, status=word)] == [word]
        # And another edit does not reset it
        assert call(tenant, "update", connectionId=record["id"], label=word).json["status"] == word
    # And the next test sets it
    call(tenant, "test", connectionId=record["id"])
    assert listed(tenant)[0]["status"] == "connected"
    # And a paused connection is disconnected here
    path = f"{tenant.connectors}/connections/{record['id']}"
    tenant.client.patch(path, {"status": "paused"})
    assert listed(tenant)[0]["status"] == "disconnected"
    assert listed(tenant)[0]["healthStatus"] == "connected"


@pytest.mark.enable_socket
def test_a_test_and_a_list_agree_about_the_status(tenant: Tenant, server: Provider) -> None:
    publish_integration(tenant, manifest=calling(server.port))
    holder = create_source(tenant)
    record = create(tenant, secretRef=f"patchbay://{holder['id']}")
    connection = f"{tenant.connectors}/connections/{record['id']}"

    def agreed() -> tuple[bool, str]:
        tested = call(tenant, "test", connectionId=record["id"]).json
        [now] = listed(tenant)
        assert tested["status"] == now["status"]
        return tested["success"], tested["status"]

    assert agreed() == (True, "connected")
    # What its owner disconnected stays so, although its test passes
    call(tenant, "update", connectionId=record["id"], status="disconnected")
    assert agreed() == (True, "disconnected")
    assert listed(tenant)[0]["healthStatus"] == "connected"
    call(tenant, "update", connectionId=record["id"], status="connected")
    assert agreed() == (True, "connected")
    # And one failure is not yet the end of a monitored connection
    tenant.client.patch(connection, {"monitor": {"enabled": True}})
    call(tenant, "update", connectionId=record["id"], config={"path": "500"})
    assert agreed() == (False, "connected")


@pytest.mark.enable_socket
def test_a_record_counts_how_the_connection_was_used(tenant: Tenant, server: Provider) -> None:
    publish_integration(tenant, manifest=calling(server.port))
    holder = create_source(tenant)
    record = create(tenant, secretRef=f"patchbay://{holder['id']}", environment="production")

    def usage() -> dict[str, Any]:
        return {name: value for name, value in listed(tenant)[0].items() if "usage" in name}

    assert record["environment"] == "production"
    assert usage() == {"usageRequestCount": 0, "usageSuccessCount": 0, "usageErrorCount": 0}
    call(tenant, "update", connectionId=record["id"], config={"path": "500"})
    call(tenant, "test", connectionId=record["id"])
    failed = usage()
    assert failed["usageLastErrorCode"] == "provider_error"
    assert failed["usageLastErrorAt"] == failed["usageLastUsedAt"]
    call(tenant, "update", connectionId=record["id"], config={"path": "me"})
    for _ in range(2):
        call(tenant, "test", connectionId=record["id"])
    last = usage()
    counts = [last[f"usage{what}Count"] for what in ("Request", "Success", "Error")]
    assert counts == [3, 2, 1]
    assert last["usageLastUsedAt"] > last["usageLastErrorAt"] == failed["usageLastErrorAt"]
    assert last["usageLastErrorCode"] == "provider_error"


def test_a_list_is_filtered_and_has_pages(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source"], "category": "crm"})
    publish_integration(tenant, slug="mail", manifest={"roles": ["source"], "category": "email"})
    crm = [create(tenant) for _ in range(3)]
    mail = [create(tenant, integrationKey="acme.mail") for _ in range(2)]
    assert listed(tenant) == [*crm, *mail]
    assert listed(tenant, category="email") == mail
    assert listed(tenant, category="no such thing") == []
    assert listed(tenant, status="unknown", category="crm") == crm
    assert listed(tenant, status="connected") == []
    # The contract has no pages: a cursor only comes for a limit below 1,000, or more records
    found: list[dict[str, Any]] = []
    query = {"tenantId": tenant.organization_id, "limit": "2"}
    while True:
        page = records(tenant, **query).json
        found += page["connections"]
        if "nextCursor" not in page:
            break
        query["cursor"] = page["nextCursor"]
    assert found == [*crm, *mail]
    assert records(tenant, tenantId=tenant.organization_id, status="x").pointers == [
        "/query/status"
    ]
    assert records(tenant).pointers == ["/query/tenantId"]
    query |= {"category": "crm"}
    assert records(tenant, **query).code == "INVALID_CURSOR"


def test_another_tenants_connections_are_not_found(tenant: Tenant, stranger: Tenant) -> None:
    publish_integration(tenant, visibility="public")
    record = create(tenant)
    foreign = call(stranger, "create", **operation_input(tenant))
    assert (foreign.status, foreign.code) == (404, "ORGANIZATION_NOT_FOUND")
    assert records(stranger, tenantId=tenant.organization_id).code == "ORGANIZATION_NOT_FOUND"
    assert call(stranger, "update", connectionId=record["id"], label="mine").status == 404
    assert call(stranger, "delete", connectionId=record["id"]).status == 404
    assert call(stranger, "update", connectionId=NOBODY).code == "CONNECTION_NOT_FOUND"
    assert listed(stranger) == []
    assert listed(tenant) == [record]


def test_a_caller_that_may_only_read_lists_and_changes_nothing(tenant: Tenant) -> None:
    publish_integration(tenant)
    reader = new_tenant("reader", [Permission.READ])
    assert listed(reader) == []
    for operation in ("create", "update", "delete"):
        answer = call(reader, operation, **operation_input(reader))
        assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")


def test_an_organization_without_a_space_gets_an_error(tenant: Tenant, operator: Tenant) -> None:
    publish_integration(tenant, visibility="public")
    made = operator.client.post("/v1/organizations", {"name": "Empty"}).json
    refused = call(operator, "create", **operation_input(operator, tenantId=made["id"]))
    assert (refused.status, refused.pointers) == (400, ["/tenantId"])
    unknown = call(operator, "create", **operation_input(operator, tenantId="org_nobody"))
    assert unknown.code == "ORGANIZATION_NOT_FOUND"


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("times", [1, 3])
def test_a_create_that_is_repeated_after_a_lost_reply_creates_one_of_each(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, applied: bool, times: int
) -> None:
    monkeypatch.setattr("patchbay.platform.dynamodb.pause_seconds", lambda _: 0)
    publish_integration(tenant)
    holder = create_source(tenant)
    body = operation_input(tenant, secretRef=f"patchbay://{holder['id']}")
    path = "/integrations/connection/create/v1.0.0"
    # Given a create whose reply is lost once, or at every attempt
    lose_replies("TransactWriteItems", times=times, applied=applied)
    first = tenant.client.post(path, body, idempotency_key="once")
    assert first.status == (200 if times == 1 else 503)
    # When it is repeated
    again = tenant.client.post(path, body, idempotency_key="once")
    assert again.status == 200, again.text
    # Then there is one connection and one source of it, with its secrets
    assert listed(tenant) == [again.json]
    sources = tenant.client.get(f"{tenant.connectors}/sources").json["items"]
    assert sorted(s["id"] for s in sources) == sorted(
        [holder["id"], source_of(tenant, again.json)["id"]]
    )
    assert stored_secrets(tenant, source_of(tenant, again.json)) == {"api_key": SECRET}
    # And it is counted once: it can be deleted, and then the space, too
    assert call(tenant, "delete", connectionId=again.json["id"]).status == 200
    assert tenant.client.delete(f"{tenant.connectors}/sources/{holder['id']}").status == 204


def test_a_repetition_after_a_newer_release_returns_what_the_first_created(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.platform.dynamodb.pause_seconds", lambda _: 0)
    integration = publish_integration(tenant)
    sources = f"{tenant.connectors}/sources"
    body = {"name": "CRM", "integration": "acme/crm", "variables": {"path": "me"}}
    # Given a source, not the first of its release, that was created, but whose response was lost
    first = create_source(tenant)
    lose_replies("TransactWriteItems", times=3)
    assert tenant.client.post(sources, body, idempotency_key="once").status == 503
    # When another release is current at the time of the repetition
    path = f"/v1/integrations/{integration['id']}"
    assert tenant.client.post(f"{path}/publish", {"version": "2.0.0"}).status == 201
    again = tenant.client.post(sources, body, idempotency_key="once")
    # Then the response is the stored source
    assert (again.status, again.json["version"]) == (201, "1.0.0")
    assert tenant.client.get(sources).json["items"] == [first, again.json]


def test_a_create_that_fails_leaves_nothing(
    tenant: Tenant, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    holder = create_source(tenant)
    before = everything_in(deployed)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("power failure")

    monkeypatch.setattr(RecordStore, "create", crash)
    reference = f"patchbay://{holder['id']}"
    assert call(tenant, "create", **operation_input(tenant, secretRef=reference)).status == 500
    assert everything_in(deployed) == before
