"""After an organization's data keys were deleted: secrets that are needed must be entered again."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import alerts as alerts_function
import connections
import run_tests
from local.provider import Provider
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.checks.roles import Role
from patchbay.connections.data_keys import KeyRing
from patchbay.connections.vault import SecretScope, Vault
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus
from patchbay.platform import aws as services
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import Conflict, SecretsLost
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import ListQuery
from tests.integration.alerting import (
    alerts,
    create_rule,
    deliver,
    deliveries,
    evaluate,
    make_due,
    report,
    rule,
    webhook,
)
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.monitoring import history, monitored, this_minute, tick
from tests.integration.receiver import receiving
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket

TWO = {
    "secretsSchema": {
        "type": "object",
        "properties": {"signing_key": {"type": "string"}, "pin": {"type": "string"}},
    }
}


@pytest.fixture
def source(tenant: Tenant, server: Provider) -> dict[str, Any]:
    """A source with three secrets, one of which a check needs."""
    publish_integration(tenant, manifest=calling(server.port) | TWO)
    return create_source(tenant, secrets={"api_key": SECRET, "signing_key": "s", "pin": "1"})


def lose_keys(tenant: Tenant) -> None:
    """So long after the deletion that no function has a key in memory."""
    Deployment().vault.keys.delete_all(tenant.organization_id, 1, utc_now())
    start_cold()


def test_what_an_edit_keeps_must_be_entered_again(tenant: Tenant, source: dict[str, Any]) -> None:
    # Given a source whose secrets can't be opened any more
    lose_keys(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    # When some of them are replaced, or removed
    for edit, left in (
        ({"api_key": SECRET}, ["/secrets/pin", "/secrets/signing_key"]),
        ({"api_key": SECRET, "pin": None}, ["/secrets/signing_key"]),
        ({"pin": None}, ["/secrets/api_key", "/secrets/signing_key"]),
    ):
        # Then the others are named, by the edit, its test, and its preview
        for query in ("", "?test=true"):
            answer = tenant.client.patch(path + query, {"secrets": edit})
            assert (answer.status, answer.code) == (422, "SECRET_REENTRY_REQUIRED")
            assert sorted(answer.pointers) == left
            assert "data key was deleted" in answer.json["error"]["message"]
        report = tenant.client.patch(f"{path}?dry_run=true", {"secrets": edit}).json
        assert (report["valid"], report["errors"]) == (False, [])
        assert sorted(f"/secrets/{name}" for name in report["secrets_to_enter"]) == left
    # And an edit that tests stored secrets fails in the same way
    answer = tenant.client.patch(f"{path}?test=true", {"name": "CRM"})
    assert (answer.status, answer.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert len(answer.pointers) == 3
    # And nothing has changed
    assert tenant.client.get(path).json == source
    # An edit that needs no stored secret works, and so does a new value of each
    assert tenant.client.patch(f"{path}?dry_run=true", {"name": "CRM"}).json["valid"] is True
    assert tenant.client.patch(path, {"name": "CRM"}).status == 200
    whole = {"api_key": SECRET, "pin": None, "signing_key": "t"}
    assert tenant.client.patch(f"{path}?test=true", {"secrets": whole}).status == 200
    assert tenant.client.post(f"{path}/test", {}).json["status"] == "succeeded"


def test_all_of_them_can_be_removed(tenant: Tenant, source: dict[str, Any]) -> None:
    lose_keys(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert tenant.client.patch(path, {"secrets": None}).json["secrets_set"] == []


def test_a_release_is_upgraded_without_opening_anything(
    tenant: Tenant, source: dict[str, Any]
) -> None:
    [found] = tenant.client.get("/v1/integrations").json["items"]
    path = f"/v1/integrations/{found['id']}/publish"
    assert tenant.client.post(path, {"version": "1.1.0"}).status == 201
    lose_keys(tenant)
    upgraded = tenant.client.patch(
        f"{tenant.connectors}/sources/{source['id']}", {"version": "1.1.0"}
    )
    assert (upgraded.status, upgraded.json["version"]) == (200, "1.1.0")


def assert_owners_move(report: dict[str, Any]) -> None:
    assert (report["code"], report["blame"]) == ("secret_not_found", "customer")
    [step] = [step for step in report["steps"] if step["status"] == "failed"]
    assert step["name"].endswith("secrets")
    assert step["field_pointer"] == "/secrets/api_key"
    assert "its data key was deleted: enter it again" in step["summary"]


def test_every_kind_of_test_blames_the_customer(
    tenant: Tenant, source: dict[str, Any], server: Provider
) -> None:
    connection = create_connection(tenant, source)
    lose_keys(tenant)
    # A dry run, the health checks, and the operation
    dry = tenant.client.post(f"{tenant.connectors}/connections/test", {"source_id": source["id"]})
    assert_owners_move(dry.json)
    for path in (f"sources/{source['id']}", f"connections/{connection['id']}"):
        assert_owners_move(tenant.client.post(f"{tenant.connectors}/{path}/test", {}).json)
    body = {"connectionId": connection["id"]}
    tested = tenant.client.post("/integrations/connection/test/v1.0.0", body).json
    assert (tested["success"], tested["errorCode"]) == (False, "secret_not_found")
    # The queued one
    path = f"{tenant.connectors}/connections/{connection['id']}"
    queued = tenant.client.post(f"{path}/test?mode=async", {})
    run_queue()
    assert_owners_move(tenant.client.get(queued.json["href"]).json)
    # And the connection's required action says so
    assert tenant.client.get(path).json["required_action"] == "reauthorize"
    assert server.requests == []


def run_queue() -> None:
    sqs = services.client("sqs")
    url = sqs.get_queue_url(QueueName="TestQueue")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    records = [{"messageId": m["MessageId"], "body": m["Body"]} for m in messages]
    assert run_tests.handler({"Records": records}, None) == {"batchItemFailures": []}


def test_a_monitor_does_so_too(tenant: Tenant, server: Provider) -> None:
    [connection] = monitored(tenant, server.port, ["me"]).values()
    lose_keys(tenant)
    tick(this_minute())
    [test] = history(tenant, connection)
    assert_owners_move(test)


def test_the_operations_name_the_reference(tenant: Tenant, source: dict[str, Any]) -> None:
    reference = f"patchbay://{source['id']}"
    body = operation_input(tenant)
    made = tenant.client.post("/integrations/connection/create/v1.0.0", body)
    assert made.status == 200, made.text
    lose_keys(tenant)
    for operation, asked in (
        ("create", {**body, "secretRef": reference}),
        ("update", {"connectionId": made.json["id"], "secretRef": reference}),
    ):
        answer = tenant.client.post(f"/integrations/connection/{operation}/v1.0.0", asked)
        assert (answer.status, answer.code) == (422, "SECRET_REENTRY_REQUIRED")
        assert set(answer.pointers) == {"/secretRef"}
        messages = [error["message"] for error in answer.json["error"]["details"]["errors"]]
        assert "/secrets/api_key must be entered again" in messages


def test_a_webhooks_secret_is_rotated_without_the_previous_one(tenant: Tenant) -> None:
    made = create_rule(tenant, channels=[webhook("https://hooks.example.com/a")])
    [channel] = made["channels"]
    lose_keys(tenant)
    path = (
        f"/spaces/{tenant.space_slug}/alert-rules/{made['id']}/channels/{channel['id']}"
        "/rotate-secret"
    )
    first = tenant.client.post(path, {}, idempotency_key="k")
    assert first.status == 200, first.text
    assert first.json["previous_valid_until"] is None
    assert first.json["secret"] not in made["secrets"].values()
    assert tenant.client.post(path, {}, idempotency_key="k").json == first.json
    # The next rotation has a previous one
    assert tenant.client.post(path, {}).json["previous_valid_until"] is not None


def test_a_repeated_create_of_a_rule_says_that_its_secrets_are_lost(tenant: Tenant) -> None:
    # Given a request that created a rule and ended before its response
    space = Deployment().tenants.space(tenant.space_slug)
    new = NewAlertRule.model_validate_json(
        json.dumps(rule(channels=[webhook("https://hooks.example.com/a")]))
    )
    stamp = Stamp.fresh(utc_now())
    alerts_function.deployment.rule_editor.create(space, new, stamp)
    lose_keys(tenant)
    # When it is repeated
    with pytest.raises(Conflict, match="rotate them"):
        alerts_function.deployment.rule_editor.create(space, new, stamp)


def test_a_delivery_waits_for_a_rotated_secret_and_says_why(tenant: Tenant) -> None:
    with receiving() as receiver:
        made = create_rule(tenant, channels=[webhook(receiver.url)])
        [channel] = made["channels"]
        report(tenant, EventStatus.ERROR, utc_now())
        evaluate(utc_now())
        lose_keys(tenant)
        deliver()
        [alert] = alerts(tenant)
        [delivery] = deliveries(tenant, alert["id"])
        assert delivery["status"] == "pending"
        assert delivery["attempts"][0]["error"] == "signing_secret_lost"
        path = f"/spaces/{tenant.space_slug}/alert-rules/{made['id']}/channels/{channel['id']}"
        secret = tenant.client.post(f"{path}/rotate-secret", {}).json["secret"]
        make_due(timedelta(hours=3))
        deliver()
        [received] = receiver.requests
        assert received.verified(secret)


def test_re_sealing_lists_what_is_lost(tenant: Tenant, source: dict[str, Any]) -> None:
    lose_keys(tenant)
    answer = tenant.client.post(f"/v1/organizations/{tenant.organization_id}/data-keys/reseal", {})
    assert answer.json["unreadable"] == [source["id"]]


def overtaken(
    tenant: Tenant,
    source: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    delete: Callable[[Vault], object],
) -> tuple[Vault, Vault, SecretScope]:
    """A reader of a sealed item, which another re-seals and then deletes keys."""
    endpoint = connections.deployment.endpoints.get(
        tenant.organization_id, Role.SOURCE, source["id"]
    )
    reader, other = Deployment().vault, Deployment().vault
    key = KeyRing.key

    def after_the_other(self: KeyRing, *arguments: Any) -> bytes:
        if self is reader.keys and other.keys.current_number(tenant.organization_id) == 1:
            other.keys.rotate(tenant.organization_id, Stamp.fresh(utc_now()))
            other.reseal(tenant.organization_id, ListQuery(), utc_now())
            delete(other)
        return key(self, *arguments)

    monkeypatch.setattr(KeyRing, "key", after_the_other)
    return reader, other, SecretScope.of(endpoint, endpoint.binding)


def test_what_is_re_sealed_while_it_is_opened_is_not_lost(
    tenant: Tenant, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a secret whose old key is deleted while it is opened
    reader, other, scope = overtaken(
        tenant, source, monkeypatch, lambda vault: vault.delete_key(tenant.organization_id, "1")
    )
    # Then the reader reads it again, and opens it
    assert reader.open(scope, utc_now())["api_key"] == SECRET
    other.keys.delete_all(tenant.organization_id, 2, utc_now())
    with pytest.raises(SecretsLost):
        Deployment().vault.open(scope, utc_now())


def test_what_is_re_sealed_and_lost_while_it_is_opened_is_named(
    tenant: Tenant, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a secret whose keys are both deleted while it is opened
    reader, _, scope = overtaken(
        tenant,
        source,
        monkeypatch,
        lambda vault: vault.keys.delete_all(tenant.organization_id, 2, utc_now()),
    )
    # Then the error has the names, without which a test would have no problem to show
    with pytest.raises(SecretsLost) as lost:
        reader.open(scope, utc_now(), ["api_key"])
    assert lost.value.names == ("api_key",)
