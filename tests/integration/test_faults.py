"""Every write path: each of its writes fails in each way that DynamoDB fails.

A case is a request that writes. A first run without faults counts its writes and records what they
leave in the tables. Then, for each write and each fault:

- the answer is the expected one or 503;
- the answer to a repetition, with the same Idempotency-Key if it creates something, is the expected
  one;
- the tables hold exactly what the first run left: one of each thing, nothing half-written, and the
  audit events of what was done.

Every route that changes something is a case, with the example of the document. A route that needs
more data, or that writes in several ways, has its cases in `BY_HAND`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

import installs
from patchbay.alerts.keys import delivery_key
from patchbay.connection_tests.history import TO_RUN
from patchbay.connections.keys import grant_key
from patchbay.connections.plan_store import PlanStore
from patchbay.grants.grant_model import Grant, encoded
from patchbay.health.model import EventStatus
from patchbay.health.shards import counts_in
from patchbay.platform import http
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Key, Put, Table, Update, connect
from patchbay.platform.idempotency import BUSY_FOR
from patchbay.platform.kept_connections import NoAnswer
from patchbay.tenancy.access import Permission
from tests.integration.account import stored_items
from tests.integration.alerting import (
    alerts,
    create_rule,
    deliveries,
    evaluate,
    report,
    rule,
    webhook,
)
from tests.integration.api import Answer, Client
from tests.integration.authorizing import publish_tracker
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.documented import ROUTES, Names, Route, names_of, with_what_it_needs
from tests.integration.installing import RIGHT, end_user, sessions
from tests.integration.signing_in import CURRENT, SESSIONS, signed_in
from tests.integration.story import (
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)
from tests.integration.table_calls import Attempt, Carry, Reply, meet
from tests.integration.test_audit import changing_routes

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
ALWAYS = 99

type Made = Counter[str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request and its expected status; `again` are other statuses that a repetition may get.

    `by` is who sends it if the tenant does not; `then` is what the schedule does later.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    status: int
    again: tuple[int, ...] = ()
    is_audited: bool = True
    by: Client | None = None
    then: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Fault:
    """A write is `applied` or not, and then fails with `error`, as many times as `times`."""

    applied: bool
    times: int
    error: str

    def __str__(self) -> str:
        return f"{self.error}, {'applied' if self.applied else 'not applied'}, {self.times} times"


FAULTS = (
    Fault(applied=False, times=1, error="throttled"),
    Fault(applied=False, times=ALWAYS, error="throttled"),
    Fault(applied=False, times=ALWAYS, error="timeout"),
    Fault(applied=True, times=1, error="timeout"),
    Fault(applied=True, times=ALWAYS, error="timeout"),
    Fault(applied=False, times=1, error="conflict"),
    Fault(applied=False, times=ALWAYS, error="conflict"),
)

FEW = (FAULTS[1], FAULTS[4], FAULTS[5])


class Network:
    """Between our client and moto: counts the writes, and makes one of them fail.

    It also honors ClientRequestToken, as DynamoDB does and moto does not.
    """

    def __init__(self) -> None:
        self.writes = 0
        self._fails_at = 0
        self._fault: Fault | None = None
        self._left = 0
        self._applied: set[str] = set()
        client = connect()
        call = client.call

        def counted(operation: str, request: Any) -> Any:
            self.writes += operation in WRITES
            return call(operation, request)

        client.call = counted  # type: ignore[method-assign]
        meet(self._sending)

    def expect(self, fault: Fault | None = None, at: int = 0) -> None:
        """From now on only write number `at` (from 1) fails."""
        self.writes, self._fails_at, self._fault = 0, at, fault
        self._left = fault.times if fault else 0

    def _sending(self, attempt: Attempt, carry: Carry) -> Reply:
        at_fault = attempt.operation in WRITES and self.writes == self._fails_at and self._left
        if self._fault is None or not at_fault:
            return self._apply(attempt, carry)
        self._left -= 1
        if self._fault.applied:
            self._apply(attempt, carry)
        if self._fault.error == "timeout":
            raise NoAnswer("timeout")
        code = "ThrottlingException" if self._fault.error == "throttled" else _conflict(attempt)
        return _refusal(attempt, code)

    def _apply(self, attempt: Attempt, carry: Carry) -> Reply:
        token = attempt.request.get("ClientRequestToken", "")
        if token in self._applied:
            return Reply(200, {}, b"{}")
        answer = carry()
        if token and answer.status == 200:
            self._applied.add(token)
        return answer


def _conflict(attempt: Attempt) -> str:
    """A single write and a transaction get different errors when they conflict with another."""
    if "TransactItems" in attempt.request:
        return "TransactionCanceledException"
    return "TransactionConflictException"


def _refusal(attempt: Attempt, code: str) -> Reply:
    actions = attempt.request.get("TransactItems", [])
    reasons = [{"Code": "TransactionConflict", "Message": "conflict"}] + [{"Code": "None"}] * (
        len(actions) - 1
    )
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code}
    if code == "TransactionCanceledException":
        body |= {"CancellationReasons": reasons}  # type: ignore[dict-item]  # a text elsewhere
    return Reply(400, {}, json.dumps(body).encode())


def contents(tables: dict[str, Table]) -> Made:
    """How many items there are of each kind, and their counters; idempotency records left out."""
    found: Made = Counter()
    for name, table in tables.items():
        for item in stored_items(name):
            pk, sk = item["pk"]["S"], item["sk"]["S"]
            first, _, last = sk.partition("#")
            # Sort keys that begin with a time are of the kind of the id after it.
            kind = f"{pk.partition('#')[0]} {last[:3] if first[0].isdigit() else first}"
            if kind.startswith(("IDEM", "SYSTEM", "RATE", "AUDIT", "FOLD", "FLOW", "ORG FLOW")):
                continue
            if "counts" in item:
                # The shards of the counts do not matter.
                tallies = counts_in(table.get(Key(pk, sk))).by_type.values()
                found[f"{kind} events"] += sum(tally.total for tally in tallies)
                continue
            if kind.startswith("LIMIT"):
                found["LIMIT leases"] += sum(field.startswith("lease_") for field in item)
                continue
            found[kind] += 1
            for counter in ("uses", "rules", "number"):
                found[f"{kind} {counter}"] += int(item.get(counter, {}).get("N", 0))
    return found


def audited(tables: dict[str, Table]) -> int:
    """How many audit events there are."""
    items = stored_items(tables["IntegrationsTable"].name)
    return sum(item["pk"]["S"].startswith("AUDIT#") for item in items)


NAMES = count(1)


def a_space(tenant: Tenant) -> Sent:
    name = f"space-{next(NAMES)}"
    body = {"slug": name, "name": name}
    return Sent("POST", f"/v1/organizations/{tenant.organization_id}/spaces", body, 201)


def an_api_key(tenant: Tenant) -> Sent:
    body = {"name": "ci", "permissions": ["platform.integration.read"]}
    return Sent("POST", f"/v1/organizations/{tenant.organization_id}/api-keys", body, 201)


def a_paused_organization(_: Tenant) -> Sent:
    """Another one each time: one that is paused already is not changed."""
    operator = an_operator().client
    made_now = operator.post("/v1/organizations", {"name": "Acme"}).json
    path = f"/v1/organizations/{made_now['id']}"
    return Sent("PATCH", path, {"paused": True}, 200, by=operator)


def an_organization_with_an_external_id(_: Tenant) -> Sent:
    body = {"name": "Acme", "external_id": f"customer-{next(NAMES)}"}
    return Sent("POST", "/v1/organizations", body, 201, by=an_operator().client)


def another_external_id(tenant: Tenant) -> Sent:
    """The old one is free again."""
    sent = an_organization_with_an_external_id(tenant)
    path = f"{sent.path}/{made(tenant, sent)['id']}"
    return Sent("PATCH", path, {"external_id": f"customer-{next(NAMES)}"}, 200, by=sent.by)


def an_erased_organization(_: Tenant) -> Sent:
    operator = an_operator().client
    made_now = operator.post("/v1/organizations", {"name": "Acme"}).json
    path = f"/v1/organizations/{made_now['id']}?confirm={made_now['id']}"
    return Sent("DELETE", path, None, 202, by=operator)


def a_paused_space(tenant: Tenant) -> Sent:
    space = made(tenant, a_space(tenant))
    return Sent("PATCH", f"/spaces/{space['slug']}", {"paused": True}, 200)


def a_new_status_page(tenant: Tenant) -> Sent:
    space = made(tenant, a_space(tenant))
    return Sent("PATCH", f"/spaces/{space['slug']}", {"status_page": {"enabled": True}}, 200)


def a_status_page_that_goes(tenant: Tenant) -> Sent:
    page = a_new_status_page(tenant)
    assert tenant.client.patch(page.path, page.body).status == 200
    return Sent("PATCH", page.path, {"status_page": {"enabled": False}}, 200)


def a_deleted_space_with_a_status_page(tenant: Tenant) -> Sent:
    page = a_new_status_page(tenant)
    assert tenant.client.patch(page.path, page.body).status == 200
    return Sent("DELETE", page.path, None, 204, (404,))


def an_integration(tenant: Tenant) -> Sent:
    body = {
        "workspaceId": tenant.space_id,
        "publisher": "acme",
        "slug": f"crm-{next(NAMES)}",
        "name": "CRM",
        "visibility": "public",
    }
    return Sent("POST", "/v1/integrations", body, 201)


def a_first_integration_of_a_publisher(tenant: Tenant) -> Sent:
    sent = an_integration(tenant)
    assert sent.body
    return Sent("POST", sent.path, {**sent.body, "publisher": f"acme-{next(NAMES)}"}, 201)


def made(tenant: Tenant, sent: Sent) -> Any:
    answer = (sent.by or tenant.client).post(sent.path, sent.body)
    assert answer.status == sent.status, answer.text
    return answer.json


def a_release(tenant: Tenant) -> Sent:
    integration = made(tenant, an_integration(tenant))
    path = f"/v1/integrations/{integration['id']}/publish"
    # Publishing the same content again answers 200.
    return Sent("POST", path, {"version": "1.0.0"}, 201, (200,))


def a_deleted_integration(tenant: Tenant) -> Sent:
    integration = made(tenant, an_integration(tenant))
    return Sent("DELETE", f"/v1/integrations/{integration['id']}", None, 204, (404,))


def a_restored_integration(tenant: Tenant) -> Sent:
    sent = a_deleted_integration(tenant)
    assert tenant.client.delete(sent.path).status == 204
    return Sent("POST", f"{sent.path}/restore", None, 200, (409,))


def a_deleted_space(tenant: Tenant) -> Sent:
    space = made(tenant, a_space(tenant))
    return Sent("DELETE", f"/spaces/{space['slug']}", None, 204, (404,))


def a_source(tenant: Tenant) -> Sent:
    body = {
        "name": "Our CRM",
        "integration": "acme/crm",
        "variables": {"path": "me"},
        "secrets": {"api_key": "key"},
    }
    return Sent("POST", f"{tenant.connectors}/sources", body, 201)


def a_changed_source(tenant: Tenant) -> Sent:
    source = create_source(tenant)
    body = {"name": "New", "secrets": {"api_key": "another"}}
    return Sent("PATCH", f"{tenant.connectors}/sources/{source['id']}", body, 200)


def a_removed_grant(tenant: Tenant) -> Sent:
    source = create_source(tenant)
    grant = Grant(tenant.organization_id, source["id"], "of this test")
    key = grant_key(tenant.organization_id, source["id"])
    Table("IntegrationsTable").write(Put({**key._asdict(), **encoded(grant)}))
    path = f"{tenant.connectors}/sources/{source['id']}/grant"
    return Sent("DELETE", path, None, 200, (404,))


def a_changed_connection(tenant: Tenant) -> Sent:
    connection = create_connection(tenant, create_source(tenant))
    body = {"name": "New", "destination_id": made(tenant, a_destination(tenant))["id"]}
    return Sent("PATCH", f"{tenant.connectors}/connections/{connection['id']}", body, 200)


def a_destination(tenant: Tenant) -> Sent:
    sent = a_source(tenant)
    return Sent("POST", f"{tenant.connectors}/destinations", sent.body, 201)


def a_connection_by_operation(tenant: Tenant) -> Sent:
    body = operation_input(tenant)
    return Sent("POST", "/integrations/connection/create/v1.0.0", body, 200)


def a_connection_changed_by_operation(tenant: Tenant) -> Sent:
    """Both halves: the label is the connection's, the configuration is the source's."""
    record = made(tenant, a_connection_by_operation(tenant))
    body = {"connectionId": record["id"], "label": "New", "config": {"path": "you"}}
    return Sent("POST", "/integrations/connection/update/v1.0.0", body, 200)


def a_connection_deleted_by_operation(tenant: Tenant) -> Sent:
    record = made(tenant, a_connection_by_operation(tenant))
    body = {"connectionId": record["id"]}
    return Sent("POST", "/integrations/connection/delete/v1.0.0", body, 200, (404,))


def a_rotated_data_key(tenant: Tenant) -> Sent:
    path = f"/v1/organizations/{tenant.organization_id}/data-keys"
    assert tenant.client.call("POST", path, None).status == 201  # which one is current is written
    return Sent("POST", path, None, 201)


def a_batch_of_events(tenant: Tenant) -> Sent:
    """No event has an id: the Idempotency-Key is what identifies a repetition."""
    events = [{"integration_type": "webhook", "status": "SUCCESS"}] * 2
    path = f"/spaces/{tenant.space_slug}/integration-events"
    return Sent("POST", path, {"events": events}, 200, is_audited=False)


def a_queued_test(tenant: Tenant) -> Sent:
    source = tenant.client.get(f"{tenant.connectors}/sources").json["items"][0]
    path = f"{tenant.connectors}/sources/{source['id']}/test?mode=async"
    return Sent("POST", path, None, 202, is_audited=False)


def a_test_at_once(tenant: Tenant) -> Sent:
    """Its place in the history, its event, its connection's health."""
    connection = create_connection(tenant, create_source(tenant))
    path = f"{tenant.connectors}/connections/{connection['id']}/test"
    return Sent("POST", path, None, 200, is_audited=False)


def a_test_by_operation(tenant: Tenant) -> Sent:
    connection = create_connection(tenant, create_source(tenant))
    body = {"connectionId": connection["id"]}
    path = "/integrations/connection/test/v1.0.0"
    return Sent("POST", path, body, 200, is_audited=False)


def a_dry_run(tenant: Tenant) -> Sent:
    """It leaves nothing, and returns its lease."""
    body = {"source_id": create_source(tenant)["id"]}
    return Sent("POST", f"{tenant.connectors}/connections/test", body, 200, is_audited=False)


def a_dry_run_of_a_source(tenant: Tenant) -> Sent:
    body = {"integration": "acme/crm", "variables": {"path": "me"}, "secrets": {"api_key": "key"}}
    return Sent("POST", f"{tenant.connectors}/sources/test", body, 200, is_audited=False)


def a_tested_source(tenant: Tenant) -> Sent:
    return Sent("POST", f"{tenant.connectors}/sources?test=true", a_source(tenant).body, 201)


def a_tested_change(tenant: Tenant) -> Sent:
    source = create_source(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}?test=true"
    return Sent("PATCH", path, {"name": "New", "secrets": {"api_key": "another"}}, 200)


def an_alert_rule(tenant: Tenant) -> Sent:
    create_rule(tenant)  # the space has its count of rules
    body = rule(channels=[webhook("https://hooks.example.com/a")])
    return Sent("POST", f"/spaces/{tenant.space_slug}/alert-rules", body, 201)


def a_changed_alert_rule(tenant: Tenant) -> Sent:
    """Its webhook and the secret of it are replaced."""
    sent = an_alert_rule(tenant)
    body = {"name": "New", "channels": [webhook("https://hooks.example.com/b")]}
    return Sent("PATCH", f"{sent.path}/{made(tenant, sent)['id']}", body, 200)


def a_deleted_alert_rule(tenant: Tenant) -> Sent:
    """It is marked first; an evaluation removes what is marked."""
    sent = an_alert_rule(tenant)
    path = f"{sent.path}/{made(tenant, sent)['id']}"
    return Sent("DELETE", path, None, 204, (404,), then=lambda: evaluate(utc_now()))


def a_resealed_secret(_: Tenant) -> Sent:
    """In its own organization: it would reseal the secrets of earlier requests, too."""
    owner = one_of_many()
    path = f"/v1/organizations/{owner.organization_id}/data-keys"
    assert owner.client.call("POST", path, None).status == 201
    return Sent("POST", f"{path}/reseal", None, 200, by=owner.client)


def a_deleted_data_key(_: Tenant) -> Sent:
    owner = one_of_many()
    path = f"/v1/organizations/{owner.organization_id}/data-keys"
    for place in (path, f"{path}/reseal"):
        assert owner.client.call("POST", place, None).status < 300
    return Sent("DELETE", f"{path}/1", None, 204, (404,), by=owner.client)


def all_data_keys_deleted(_: Tenant) -> Sent:
    owner = one_of_many()
    operator = an_operator()
    path = f"/v1/organizations/{owner.organization_id}/data-keys"
    assert owner.client.call("POST", path, None).status == 201
    query = f"?through=2&confirm={owner.organization_id}"
    return Sent("DELETE", f"{path}{query}", None, 200, by=operator.client)


def an_operator() -> Tenant:
    return new_tenant(f"operator-{next(NAMES)}", [Permission.ADMIN])


def one_of_many() -> Tenant:
    """An organization with a secret of its own."""
    name = f"owner-{next(NAMES)}"
    owner = new_tenant(name, TENANT_PERMISSIONS)
    publish_integration(owner, publisher=name)
    create_source(owner, integration=f"{name}/crm")
    return owner


def a_rotated_webhook_secret(tenant: Tenant) -> Sent:
    sent = an_alert_rule(tenant)
    one = made(tenant, sent)
    path = f"{sent.path}/{one['id']}/channels/{one['channels'][0]['id']}/rotate-secret"
    return Sent("POST", path, None, 200)


def a_firing_alert() -> tuple[Tenant, str, str]:
    """Its organization, its path, and the id of its delivery."""
    owner = new_tenant(f"owner-{next(NAMES)}", TENANT_PERMISSIONS)
    create_rule(owner, channels=[{"kind": "eventbridge"}])
    now = utc_now()
    report(owner, EventStatus.ERROR, now - timedelta(minutes=2))
    evaluate(now)
    [alert] = alerts(owner)
    [delivery] = deliveries(owner, alert["id"])
    return owner, f"/spaces/{owner.space_slug}/alerts/{alert['id']}", delivery["id"]


def an_acknowledged_alert(_: Tenant) -> Sent:
    owner, alert, _delivery = a_firing_alert()
    return Sent("POST", f"{alert}/acknowledge", None, 200, by=owner.client)


def a_delivery_sent_again(_: Tenant) -> Sent:
    """Until it is sent, a repetition is a conflict."""
    owner, alert, delivery_id = a_firing_alert()
    key = delivery_key(owner.space_id, alert.rpartition("/")[2], delivery_id)
    Table("IntegrationsTable").write(Update(key, values={"status": "delivered"}))
    path = f"{alert}/deliveries/{delivery_id}/resend"
    return Sent("POST", path, None, 202, (409,), by=owner.client)


def an_install_session(tenant: Tenant) -> Sent:
    body = {"integration": "acme/crm", "end_user": {"id": "user-17"}}
    return Sent("POST", sessions(tenant), body, 201)


def a_test_by_an_end_user(tenant: Tenant) -> Sent:
    return Sent("POST", "/v1/install/test", RIGHT, 200, by=end_user(tenant))


def a_begun_authorization(tenant: Tenant) -> Sent:
    """A repetition begins another one; those that nobody finishes expire."""
    an_application = an_oauth_application(tenant)
    made(tenant, an_application)
    integration = (an_application.body or {})["integration"]
    client = end_user(tenant, integration=integration)
    return Sent("POST", "/v1/install/authorize", {}, 200, is_audited=False, by=client)


def a_completed_install(tenant: Tenant) -> Sent:
    return _completed(end_user(tenant))


def a_completed_repair(tenant: Tenant) -> Sent:
    connection = create_connection(tenant, create_source(tenant))
    return _completed(end_user(tenant, connection_id=connection["id"]))


def _completed(client: Client) -> Sent:
    """If the first request ends within its test, another one runs that, once the first can't."""
    path = "/v1/install/complete"

    def later() -> None:
        installs.deployment.clock = lambda: utc_now() + TO_RUN + timedelta(seconds=2)
        assert client.post(path, RIGHT).json["test"]["status"] == "succeeded"
        installs.deployment.clock = utc_now

    return Sent("POST", path, RIGHT, 200, by=client, then=later)


type Case = Callable[[Tenant], Sent]


def an_oauth_application(tenant: Tenant) -> Sent:
    """Of another integration each time: an organization has one of each."""
    slug = f"tracker-{next(NAMES)}"
    publish_tracker(tenant, 8443, slug=slug)
    body = {"integration": f"acme/{slug}", "client_id": "client", "client_secret": "a secret"}
    path = f"/v1/organizations/{tenant.organization_id}/oauth-applications"
    return Sent("POST", path, body, 201)


def a_rotated_client_secret(tenant: Tenant) -> Sent:
    sent = an_oauth_application(tenant)
    path = f"{sent.path}/{made(tenant, sent)['id']}"
    return Sent("PATCH", path, {"client_secret": "another secret"}, 200)


def a_deleted_oauth_application(tenant: Tenant) -> Sent:
    sent = an_oauth_application(tenant)
    path = f"{sent.path}/{made(tenant, sent)['id']}"
    return Sent("DELETE", path, None, 204, (404,))


def a_browser_signed_out(tenant: Tenant) -> Sent:
    """A repetition has no session any more."""
    page = signed_in(tenant.client.key)
    return Sent("DELETE", CURRENT, None, 204, (401,), by=page.client)


def all_browsers_signed_out(_: Tenant) -> Sent:
    owner = new_tenant(f"owner-{next(NAMES)}", TENANT_PERMISSIONS)
    for _browser in range(2):
        signed_in(owner.client.key)
    return Sent("DELETE", SESSIONS, None, 204, by=owner.client)


BY_HAND: dict[Case, str] = {
    a_browser_signed_out: "sign_out",
    all_browsers_signed_out: "sign_out_everywhere",
    an_oauth_application: "create_oauth_application",
    a_rotated_client_secret: "change_oauth_application",
    a_deleted_oauth_application: "delete_oauth_application",
    a_space: "create_space",
    a_deleted_space: "delete_space",
    an_api_key: "issue_api_key",
    an_integration: "create_integration",
    a_first_integration_of_a_publisher: "create_integration",
    a_deleted_integration: "delete_integration",
    a_restored_integration: "restore_integration",
    a_release: "publish_integration",
    a_source: "create_source",
    a_changed_source: "change_source",
    a_removed_grant: "delete_source_grant",
    a_changed_connection: "change_connection",
    a_destination: "create_destination",
    a_connection_by_operation: "integrations_connection_create",
    a_connection_changed_by_operation: "integrations_connection_update",
    a_connection_deleted_by_operation: "integrations_connection_delete",
    a_rotated_data_key: "rotate_data_key",
    a_resealed_secret: "reseal_secrets",
    a_deleted_data_key: "delete_data_key",
    all_data_keys_deleted: "delete_data_keys",
    a_batch_of_events: "add_events",
    a_queued_test: "check_source",
    a_test_at_once: "check_connection",
    a_test_by_operation: "integrations_connection_test",
    a_dry_run: "dry_run",
    a_dry_run_of_a_source: "dry_run_source",
    a_tested_source: "create_source",
    a_tested_change: "change_source",
    an_organization_with_an_external_id: "create_organization",
    a_paused_organization: "change_organization",
    another_external_id: "change_organization",
    an_erased_organization: "erase_organization",
    a_paused_space: "change_space",
    a_new_status_page: "change_space",
    a_status_page_that_goes: "change_space",
    a_deleted_space_with_a_status_page: "delete_space",
    an_alert_rule: "create_alert_rule",
    a_changed_alert_rule: "change_alert_rule",
    a_deleted_alert_rule: "delete_alert_rule",
    a_rotated_webhook_secret: "rotate_webhook_secret",
    an_acknowledged_alert: "acknowledge_alert",
    a_delivery_sent_again: "resend_delivery",
    an_install_session: "create_install_session",
    a_test_by_an_end_user: "test_install",
    a_begun_authorization: "authorize_install",
    a_completed_install: "complete_install",
    a_completed_repair: "complete_install",
}
"""The operation that each case calls."""

OF_THE_PROXY = {"proxy_delete", "proxy_head", "proxy_patch", "proxy_post", "proxy_put"}
"""Each request is one more: `test_proxy` has their faults."""

WRITES_NOTHING_NEW = {
    "sign_in",
    *("backtest_alert_rule", "check_destination", "delete_destination_grant"),
    "dry_run_destination",
}
"""`test_browser_sessions` has the faults of signing in, the next writes nothing; the others write
the same as those of a source."""


def documented(operation: str) -> Case:
    """A route as the document describes it, with its example."""
    [route] = [route for route in ROUTES if route.name == operation]

    def case(tenant: Tenant) -> Sent:
        def make(create: Route, names: Names) -> Any:
            return made(tenant, Sent("POST", names.path(create), names.fresh_body(create), 201))

        names = with_what_it_needs(names_of(tenant, "acme/crm"), route, make)
        return Sent(
            route.method,
            names.path(route),
            names.fresh_body(route),
            route.status,
            again=(404,) if route.method == "DELETE" else (),
            by=an_operator().client if route.is_of_operators else None,
        )

    case.__name__ = operation
    return case


CASES: tuple[Case, ...] = (
    *BY_HAND,
    *map(
        documented,
        sorted(changing_routes() - set(BY_HAND.values()) - WRITES_NOTHING_NEW - OF_THE_PROXY),
    ),
)

SAME_STORE = {
    "a_destination",
    "change_destination",
    "delete_destination",
    "a_paused_organization",
    "a_test_by_operation",
    "a_dry_run_of_a_source",
    "a_tested_source",
    "a_tested_change",
}
"""Cases that write the same way as others, which meet every fault: these meet `FEW`."""

AT_ONCE = {
    *("a_test_at_once", "a_test_by_operation"),
    *("a_dry_run", "a_dry_run_of_a_source", "a_tested_source", "a_tested_change"),
    *("an_install_session", "a_test_by_an_end_user"),
}
"""A lease that could not be returned expires."""

DONE_AGAIN = {"an_api_key", "a_connection_changed_by_operation", "a_test_by_an_end_user"}
"""A key whose secret was lost is replaced, the operation is a PATCH by another name, and each test
of an end user counts."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_failed_write_is_reported_and_a_repetition_completes_it(
    case: Callable[[Tenant], Sent],
    tenant: Tenant,
    deployed: dict[str, Table],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    network = Network()
    # A queued test that never runs keeps its lease.
    monkeypatch.setenv("TESTS_PER_MINUTE", "1000")
    monkeypatch.setenv("TESTS_IN_FLIGHT", "1000")
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    create_source(tenant)  # the organization has its data key
    # Given what the request leaves when nothing fails
    sent = case(tenant)
    before, events = contents(deployed), audited(deployed)
    network.expect()
    assert call(tenant, sent, "undisturbed").status == sent.status
    writes = network.writes
    sent.then()
    left = change(before, contents(deployed))
    events = audited(deployed) - events
    assert bool(events) is sent.is_audited
    assert writes >= 1
    for fault in FEW if case.__name__ in SAME_STORE else FAULTS:
        for at in range(1, writes + 1):
            sent, place = case(tenant), f"{fault}, at write {at} of {writes}"
            before, earlier = contents(deployed), audited(deployed)
            # When one of its writes fails
            network.expect(fault, at)
            first = call(tenant, sent, place)
            # Then the answer says so
            assert first.status in (sent.status, 503), (place, first.text)
            # And when it is sent again, once the first can no longer be running
            network.expect()
            with monkeypatch.context() as later:
                now = utc_now() + BUSY_FOR + timedelta(seconds=1)
                later.setattr(http, "utc_now", lambda now=now: now)
                again = call(tenant, sent, place)
            # Then the answer is the expected one, and it was done once
            assert again.status in (sent.status, *sent.again), (place, again.text)
            if sent.method == "POST" and first.status == sent.status and again.status < 300:
                assert named(again) == named(first), place
            sent.then()
            # What an edit leaves for the dispatcher, it does within a minute
            PlanStore(deployed["IntegrationsTable"]).drop_left_behind()
            ended = change(before, contents(deployed))
            if case.__name__ in AT_ONCE:
                ended.pop("LIMIT leases", None)
            assert ended == left, place
            # A PATCH that is sent again changes it again
            audited_again = audited(deployed) - earlier - events
            assert audited_again >= 0, place
            assert audited_again == 0 or sent.method == "PATCH" or case.__name__ in DONE_AGAIN, (
                place
            )


def test_each_case_by_hand_calls_its_operation(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    create_source(tenant)
    for case, operation in BY_HAND.items():
        sent = case(tenant)
        [route] = [route for route in ROUTES if route.name == operation]
        form = re.sub(r"{[^}]+}", "[^/]+", route.path)
        assert (sent.method, operation) == (route.method, operation)
        assert re.fullmatch(form, sent.path.partition("?")[0]), operation


def call(tenant: Tenant, sent: Sent, key: str) -> Answer:
    text = None if sent.body is None else json.dumps(sent.body)
    headers = {"idempotency_key": key.replace(" ", "-")} if sent.method == "POST" else {}
    return (sent.by or tenant.client).call(sent.method, sent.path, text, headers)


def named(answer: Answer) -> list[Any]:
    """What identifies the thing in an answer."""
    return [answer.json.get(name) for name in ("id", "number")]


def change(before: Made, after: Made) -> dict[str, int]:
    kinds = before.keys() | after.keys()
    return {kind: after[kind] - before[kind] for kind in kinds if after[kind] != before[kind]}
