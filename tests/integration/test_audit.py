"""The audit trail: every change leaves its event, and nothing else does."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from local.openapi import DOCUMENT
from patchbay.alerts.keys import delivery_key
from patchbay.connections.keys import grant_key
from patchbay.grants.grant_model import Grant, encoded
from patchbay.health.model import EventStatus
from patchbay.platform.actor import DEPLOYMENT
from patchbay.platform.audit import KEPT_FOR, audit_pk
from patchbay.platform.clock import from_text, to_text, utc_now
from patchbay.platform.dynamodb import Put, Table, Update
from patchbay.tenancy import operator as command
from tests.integration.alerting import alerts, deliveries, evaluate, report, rule, webhook
from tests.integration.api import Answer, Client
from tests.integration.authorizing import publish_tracker
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names, Route, names_of, with_what_it_needs
from tests.integration.faults import lost_replies
from tests.integration.installing import RIGHT, sessions
from tests.integration.signing_in import CURRENT, SESSIONS, Page, signed_in
from tests.integration.story import SECRET, create_connection, create_source, publish_integration

NO_CHANGE = {
    "add_events",
    "authorize_install",
    "backtest_alert_rule",
    "check_connection",
    "check_destination",
    "check_source",
    "dry_run",
    "dry_run_destination",
    "dry_run_source",
    "integrations_connection_test",
    *("proxy_delete", "proxy_patch", "proxy_post", "proxy_put"),
}
"""Routes other than GET that change nothing here: tests, previews, events of health, and requests
to a provider."""


OF_ORGANIZATIONS = {"create_organization", "erase_organization"}
"""Routes with which a trail begins and ends."""


def trail(tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
    """All of an organization's events, newest first."""
    path = f"/v1/organizations/{tenant.organization_id}/audit-events"
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = tenant.client.get(f"{path}?limit=100{query}{cursor}")
        assert answer.status == 200, answer.text
        found += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"


def changing_routes() -> set[str]:
    """The operations of the document other than GET and HEAD."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    return {
        operation["operationId"]
        for methods in paths.values()
        for method, operation in methods.items()
        if method not in ("get", "head")
    }


class Watch:
    """Calls routes, and compares what each one leaves in the trail."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.called: set[str] = set()
        self._seen = {event["id"] for event in trail(tenant)}

    def fresh(self) -> list[dict[str, Any]]:
        events = [event for event in trail(self.tenant) if event["id"] not in self._seen]
        self._seen |= {event["id"] for event in events}
        return events

    def __call__(
        self,
        operation: str,
        expected: list[str] | None,
        act: Callable[..., Answer],
        *arguments: Any,
    ) -> Any:
        """The response of a call that leaves exactly these events; for None, at least one."""
        answer = act(*arguments)
        assert answer.status < 300, (operation, answer.text)
        events = self.fresh()
        left = [f"{event['entity']} {event['action']}" for event in events]
        assert left if expected is None else sorted(left) == sorted(expected), operation
        for event in events:
            # Whose key it was is not told to another organization
            assert event["subject"].startswith(("key_", "install session ins_", "operator")), event
            assert event["organization_id"] == self.tenant.organization_id
            assert event["trace_id"]
            assert (
                event["before"] != event["after"]
                or event["secrets_entered"]
                or (event["entity"] == "data_key")
            ), event
        self.called.add(operation)
        return json.loads(answer.text) if answer.text else None


def everything_changed(tenant: Tenant, operator: Tenant, watch: Watch) -> None:
    """Calls each route that changes something, in an order in which each succeeds."""
    client, connectors = tenant.client, tenant.connectors
    organization = f"/v1/organizations/{tenant.organization_id}"

    # The organization, its spaces and keys
    watch(
        "change_organization",
        ["organization changed"],
        operator.client.patch,
        organization,
        {"name": "Acme Ltd"},
    )
    empty = {"slug": "empty", "name": "Empty"}
    watch("create_space", ["space created"], client.post, f"{organization}/spaces", empty)
    watch("change_space", ["space changed"], client.patch, "/spaces/empty", {"paused": True})
    watch("delete_space", ["space deleted"], client.delete, "/spaces/empty")
    new_key = {"name": "ci", "permissions": ["platform.integration.read"]}
    keys = f"{organization}/api-keys"
    key = watch("issue_api_key", ["api_key created"], client.post, keys, new_key)
    watch("revoke_api_key", ["api_key deleted"], client.delete, f"{keys}/{key['id']}")

    # The registry
    integrations = "/v1/integrations"
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": "acme",
        "slug": "erp",
        "name": "ERP",
        "authConfig": {"type": "none"},
        "manifest": {"roles": ["source"]},
    }
    made = watch("create_integration", ["integration created"], client.post, integrations, draft)
    erp = f"{integrations}/{made['id']}"
    watch("change_integration", ["integration changed"], client.patch, erp, {"name": "E"})
    published = {"version": "1.0.0"}
    publish = f"{erp}/publish"
    watch("publish_integration", ["integration published"], client.post, publish, published)
    watch("publish_integration", [], client.post, publish, published)  # the same release
    watch("delete_integration", ["integration deleted"], client.delete, erp)
    restore = f"{erp}/restore"
    watch("restore_integration", ["integration restored"], client.call, "POST", restore, None)

    # Endpoints and connections
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    watch.fresh()
    for role in ("source", "destination"):
        body = {
            "name": "Our CRM",
            "integration": "acme/crm",
            "variables": {"path": "me"},
            "secrets": {"api_key": SECRET},
        }
        path = f"{connectors}/{role}s"
        endpoint = watch(f"create_{role}", [f"{role} created"], client.post, path, body)
        one = f"{path}/{endpoint['id']}"
        renewed = {"secrets": {"api_key": SECRET[::-1]}}
        watch(f"change_{role}", [f"{role} changed"], client.patch, one, renewed)
        assert client.patch(f"{one}?dry_run=true", {"name": "x"}).status == 200
        assert watch.fresh() == []
        watch(f"delete_{role}", [f"{role} deleted"], client.delete, one)
    source = create_source(tenant)
    watch.fresh()
    connection = {"name": "CRM", "source_id": source["id"], "space": tenant.space_slug}
    path = f"{connectors}/connections"
    joined = watch("create_connection", ["connection created"], client.post, path, connection)
    one = f"{path}/{joined['id']}"
    watch("change_connection", ["connection changed"], client.patch, one, {"name": "C"})
    watch("delete_connection", ["connection deleted"], client.delete, one)

    # The operations
    operations = "/integrations/connection"
    create = {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "Acme CRM",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": f"patchbay://{source['id']}",
        "config": {"path": "me"},
    }
    record = watch(
        "integrations_connection_create",
        ["source created", "connection created"],
        client.post,
        f"{operations}/create/v1.0.0",
        create,
    )
    label = {"connectionId": record["id"], "label": "CRM of Acme"}
    watch(
        "integrations_connection_update",
        ["source changed", "connection changed"],
        client.post,
        f"{operations}/update/v1.0.0",
        label,
    )
    watch(
        "integrations_connection_delete",
        ["source deleted", "connection deleted"],
        client.post,
        f"{operations}/delete/v1.0.0",
        {"connectionId": record["id"]},
    )

    # Data keys: one secret is sealed, that of the source
    data_keys = f"{organization}/data-keys"
    post = client.call
    watch("rotate_data_key", ["data_key created"], post, "POST", data_keys, None)
    reseal = f"{data_keys}/reseal"
    watch("reseal_secrets", ["data_key resealed"], post, "POST", reseal, None)
    watch("reseal_secrets", [], post, "POST", reseal, None)
    watch("delete_data_key", ["data_key deleted"], client.delete, f"{data_keys}/1")
    shred = f"{data_keys}?through=2&confirm={tenant.organization_id}"
    watch(
        "delete_data_keys",
        ["data_key made_current", "data_key deleted"],
        operator.client.delete,
        shred,
    )

    # Install sessions
    links = sessions(tenant)
    wanted = {"integration": "acme/crm", "end_user": {"id": "user-17"}}
    made = watch("create_install_session", ["install_session created"], client.post, links, wanted)
    user = Client(made["token"])
    tried = "/v1/install/test"
    watch("test_install", ["install_session tested"], user.post, tried, RIGHT)
    done = ["source created", "connection created", "install_session completed"]
    complete = "/v1/install/complete"
    watch("complete_install", done, user.post, complete, RIGHT)
    watch("complete_install", [], user.post, complete, RIGHT)
    unused = client.post(links, wanted).json["id"]
    watch.fresh()
    watch(
        "revoke_install_session",
        ["install_session revoked"],
        client.delete,
        f"{links}/{unused}",
    )
    watch("revoke_install_session", [], client.delete, f"{links}/{unused}")

    # Sessions of browsers
    page = Page()
    links = f"{organization}/sign-in-links"
    watch("create_sign_in_link", ["sign_in_link created"], client.post, links, {})
    given = {"api_key": client.key}
    watch("sign_in", ["browser_session signed_in"], page.post, SESSIONS, given)
    # The session that the browser had ends
    both = ["browser_session signed_in", "browser_session signed_out"]
    watch("sign_in", both, page.post, SESSIONS, given)
    watch("sign_out", ["browser_session signed_out"], page.delete, CURRENT)
    watch("sign_out_everywhere", [], client.delete, SESSIONS)
    for _ in range(2):
        signed_in(client.key)
    watch.fresh()
    ended = ["browser_session signed_out"] * 2
    watch("sign_out_everywhere", ended, client.delete, SESSIONS)

    # OAuth applications
    publish_tracker(tenant, 8443)
    watch.fresh()
    entered = {
        "integration": "acme/tracker",
        "client_id": "client",
        "client_secret": SECRET,
    }
    path = f"{organization}/oauth-applications"
    made = watch(
        "create_oauth_application", ["oauth_application created"], client.post, path, entered
    )
    one = f"{path}/{made['id']}"
    rotated = {"client_secret": SECRET[::-1]}
    watch(
        "change_oauth_application",
        ["oauth_application changed"],
        client.patch,
        one,
        rotated,
    )
    watch("delete_oauth_application", ["oauth_application deleted"], client.delete, one)

    # Grants
    roles: dict[str, Any] = {"roles": ["source", "destination"]}
    publish_tracker(tenant, 8443, slug="granted", manifest=roles)
    for role in ("source", "destination"):
        new = {
            "name": "Granted",
            "integration": "acme/granted",
            "secrets": {"access_token": SECRET},
        }
        endpoint = client.post(f"{tenant.connectors}/{role}s", new).json
        grant = Grant(tenant.organization_id, endpoint["id"], "of this test")
        key = grant_key(tenant.organization_id, endpoint["id"])
        Table("IntegrationsTable").write(Put({**key._asdict(), **encoded(grant)}))
        watch.fresh()
        one = f"{tenant.connectors}/{role}s/{endpoint['id']}/grant"
        watch(f"delete_{role}_grant", ["grant revoked", f"{role} changed"], client.delete, one)

    # Alerts
    rules = f"/spaces/{tenant.space_slug}/alert-rules"
    hook = rule(channels=[webhook("https://hooks.example.com/patchbay"), {"kind": "eventbridge"}])
    guard = watch("create_alert_rule", ["alert_rule created"], client.post, rules, hook)
    one = f"{rules}/{guard['id']}"
    watch("change_alert_rule", ["alert_rule changed"], client.patch, one, {"name": "R"})
    rotate = f"{one}/channels/{guard['channels'][0]['id']}/rotate-secret"
    watch("rotate_webhook_secret", ["alert_rule changed"], post, "POST", rotate, None)
    now = utc_now()
    report(tenant, EventStatus.ERROR, now - timedelta(minutes=2))
    evaluate(now)
    [alert] = alerts(tenant)
    assert watch.fresh() == []  # an alert that fires is not a change
    firing = f"/spaces/{tenant.space_slug}/alerts/{alert['id']}"
    acknowledge = f"{firing}/acknowledge"
    watch("acknowledge_alert", ["alert acknowledged"], post, "POST", acknowledge, None)
    watch("acknowledge_alert", [], post, "POST", acknowledge, None)
    sent = deliveries(tenant, alert["id"])[0]
    key = delivery_key(tenant.space_id, alert["id"], sent["id"])
    Table("IntegrationsTable").write(Update(key, values={"status": "delivered"}))
    resend = f"{firing}/deliveries/{sent['id']}/resend"
    watch("resend_delivery", ["alert resent"], post, "POST", resend, None)
    watch("delete_alert_rule", ["alert_rule deleted"], client.delete, one)


def call_by_document(tenant: Tenant, operator: Tenant, watch: Watch, route: Route) -> None:
    """With the example of the document, and what it needs."""

    def call(route: Route, names: Names) -> Answer:
        body = names.fresh_body(route)
        client = (operator if route.is_of_operators else tenant).client
        text = None if body is None else json.dumps(body)
        return client.call(route.method, names.path(route), text)

    names = names_of(tenant, "acme/documented")
    names = with_what_it_needs(names, route, lambda create, names: call(create, names).json)
    watch.fresh()
    watch(route.name, None, call, route, names)


def test_each_route_that_changes_something_leaves_its_events_and_no_secret(
    tenant: Tenant, operator: Tenant
) -> None:
    watch = Watch(tenant)
    everything_changed(tenant, operator, watch)
    # A new organization has its own trail
    made = operator.client.post("/v1/organizations", {"name": "Initech"})
    theirs = operator.client.get(f"/v1/organizations/{made.json['id']}/audit-events").json["items"]
    assert [(e["entity"], e["action"]) for e in theirs] == [("organization", "created")]
    # Any other route that changes something leaves one, too: it is called as the document says
    publish_integration(tenant, slug="documented")
    watch.fresh()
    others = changing_routes() - watch.called - OF_ORGANIZATIONS - NO_CHANGE
    for route in ROUTES:
        if route.name in others:
            call_by_document(tenant, operator, watch, route)
    assert watch.called | OF_ORGANIZATIONS | NO_CHANGE == changing_routes()
    # And no event has a secret, neither a value nor a key
    text = json.dumps(trail(tenant))
    for secret in (
        SECRET,
        SECRET[::-1],
        "pb_",
        "pbi_",
        "whsec_",
        '"digest"',
        '"sealed"',
        '"wrapped"',
    ):
        assert secret not in text
    # An organization that is erased leaves its trail
    path = f"/v1/organizations/{tenant.organization_id}"
    erased = operator.client.delete(f"{path}?confirm={tenant.organization_id}")
    assert erased.status == 202, erased.text
    last = operator.client.get(f"{path}/audit-events?limit=1").json["items"]
    assert [(e["entity"], e["action"]) for e in last] == [("organization", "deleted")]


def test_an_event_says_who_what_when_and_what_it_was_before(tenant: Tenant) -> None:
    source = create_source_of_two(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    edit = {"name": "Their CRM", "variables": {"page_size": 10}, "secrets": {"api_key": "other"}}
    before = utc_now()
    changed = tenant.client.patch(path, edit)
    assert changed.status == 200, changed.text
    event = trail(tenant)[0]
    assert before - timedelta(seconds=1) < from_text(event["at"]) <= utc_now()
    assert event["entity_id"] == source["id"]
    assert event["secrets_entered"] == ["api_key"]
    entered = {"secrets_entered_at": source["secrets_entered_at"]}
    assert event["before"] == {
        "name": "Our CRM",
        "variables": {"path": "me", "page_size": 50},
        **entered,
    }
    entered = {"secrets_entered_at": changed.json["secrets_entered_at"]}
    assert event["after"] == {
        "name": "Their CRM",
        "variables": {"path": "me", "page_size": 10},
        **entered,
    }
    # The subject is the key that called
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    assert event["subject"] in {key["id"] for key in tenant.client.get(keys).json["items"]}


def create_source_of_two(tenant: Tenant) -> dict[str, Any]:
    publish_integration(tenant)
    return create_source(tenant)


def test_what_was_created_or_deleted_is_shown_as_in_responses(tenant: Tenant) -> None:
    source = create_source_of_two(tenant)
    made = trail(tenant)[0]
    assert (made["before"], made["after"]) == (None, source)
    tenant.client.delete(f"{tenant.connectors}/sources/{source['id']}")
    gone = trail(tenant)[0]
    assert (gone["before"], gone["after"]) == (source, None)


def test_a_long_value_is_shown_by_its_digest(tenant: Tenant) -> None:
    integration = publish_integration(tenant)
    path = f"/v1/integrations/{integration['id']}"
    long = {"type": "object", "title": "x" * 2000}
    assert tenant.client.patch(path, {"variablesSchema": long}).status == 200
    event = trail(tenant)[0]
    assert set(event["after"]["variablesSchema"]) == {"sha256", "bytes"}
    assert event["after"]["variablesSchema"]["bytes"] > 2000
    assert set(event["before"]) == {"variablesSchema"}


def test_a_refused_request_leaves_no_event(tenant: Tenant, stranger: Tenant) -> None:
    source = create_source_of_two(tenant)
    create_connection(tenant, source)
    before = trail(tenant), trail(stranger)
    path = f"{tenant.connectors}/sources/{source['id']}"
    refused = [
        tenant.client.patch(path, {"name": "x"}, if_match='"9"'),
        tenant.client.patch(path, {"variables": {"path": 1}}),
        tenant.client.delete(path),
        tenant.client.delete("/spaces/acme"),
        tenant.client.post("/v1/organizations", {"name": "x"}),
        stranger.client.delete(path),
        stranger.client.patch("/spaces/acme", {"name": "x"}),
        tenant.client.with_key(None).patch("/spaces/acme", {"name": "x"}),
    ]
    assert [answer.status for answer in refused] == [412, 400, 409, 409, 403, 404, 404, 401]
    assert (trail(tenant), trail(stranger)) == before


def test_a_repetition_under_its_key_leaves_one_event(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for _ in range(2):
        made = tenant.client.post(spaces, {"slug": "x", "name": "X"}, idempotency_key="once")
        assert made.status == 201
    assert len([e for e in trail(tenant) if e["entity_id"] == made.json["id"]]) == 1


def test_a_write_whose_reply_is_lost_leaves_one_event(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    with lost_replies("TransactWriteItems"):
        made = tenant.client.post(spaces, {"slug": "x", "name": "X"})
    assert made.status == 201
    assert len([e for e in trail(tenant) if e["entity_id"] == made.json["id"]]) == 1


def test_events_are_listed_newest_first_by_entity_subject_and_time(
    tenant: Tenant, deployed: dict[str, Table]
) -> None:
    space = f"/spaces/{tenant.space_slug}"
    for number in range(5):
        assert tenant.client.patch(space, {"name": f"S{number}"}).status == 200
    everything = trail(tenant)
    assert everything == sorted(everything, key=lambda e: e["id"], reverse=True)
    changed = trail(tenant, "&entity=space")
    assert {e["entity"] for e in changed} == {"space"}
    assert len(changed) == 6
    assert trail(tenant, f"&entity_id={tenant.space_id}") == changed
    mine = trail(tenant, f"&subject={changed[0]['subject']}")
    assert len(mine) == 5
    # `since` is inclusive, `until` is exclusive
    at = everything[2]["at"]
    later = trail(tenant, f"&since={at}")
    earlier = trail(tenant, f"&until={at}")
    assert later + earlier == everything
    assert everything[2] in later
    # Page by page
    path = f"/v1/organizations/{tenant.organization_id}/audit-events?limit=3&entity=space"
    first = tenant.client.get(path).json
    second = tenant.client.get(f"{path}&cursor={first['next_cursor']}").json
    assert first["items"] + second["items"] == changed
    # A cursor works for its own list only
    other = tenant.client.get(f"{path}&subject=x&cursor={first['next_cursor']}")
    assert other.code == "INVALID_CURSOR"


@pytest.mark.parametrize(
    "query",
    [
        "entity=secret",
        "since=yesterday",
        "since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
    ],
)
def test_a_wrong_query_is_refused(tenant: Tenant, query: str) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/audit-events"
    assert tenant.client.get(f"{path}?{query}").status == 400


@pytest.mark.parametrize("query", ["since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z"])
def test_any_time_can_be_asked_for(tenant: Tenant, query: str) -> None:
    assert trail(tenant, f"&{query}") == trail(tenant) != []


def test_a_trail_is_for_those_who_manage_its_organization(tenant: Tenant, stranger: Tenant) -> None:
    path = f"/v1/organizations/{tenant.organization_id}"
    assert stranger.client.get(f"{path}/audit-events").status == 404
    reader = {"name": "reader", "permissions": ["platform.integration.read"]}
    key = tenant.client.post(f"{path}/api-keys", reader).json["key"]
    assert tenant.client.with_key(key).get(f"{path}/audit-events").status == 403


def test_events_expire_after_400_days_and_are_no_longer_listed(
    tenant: Tenant, deployed: dict[str, Table]
) -> None:
    table = deployed["IntegrationsTable"]
    items = list(table.query_all(audit_pk(tenant.organization_id)))
    for item in items:
        due = from_text(item["at"]) + KEPT_FOR
        assert 0 <= item["expires_at"] - due.timestamp() + 1 <= 2
    # DynamoDB may take days to delete what has expired
    table.write(Put({**items[0], "at": to_text(utc_now() - KEPT_FOR)}))
    assert len(trail(tenant)) == len(items) - 1


def test_the_subject_is_the_operators_command_or_the_deployment(
    deployed: dict[str, Table], tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    table = deployed["IntegrationsTable"].name
    arguments = ["issue-key", "--table", table, "--space-slug", tenant.space_slug]
    assert command.main(arguments) == 0
    assert trail(tenant)[0]["subject"] == "operator"
    assert trail(tenant)[0]["trace_id"] is None
    # The fixture created the tenant without a request
    assert trail(tenant)[-1]["subject"] == DEPLOYMENT
