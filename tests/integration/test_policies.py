"""The policies of template.yaml allow exactly what the functions call.

A recorder sees every call of botocore while the owner calls each route: with and without an
Idempotency-Key, page by page, refused and granted. A function without routes gets its sample event.
"""

import functools
import importlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import authorizer
import credentials
import deliver_notifications
import dispatch_monitors
import fold_counts
import installs
import refresh_grants
import run_monitors
import run_tests
from local.provider import Provider, provider
from patchbay.connections.announcements import UNDIVIDED_PK
from patchbay.connections.health_state import (
    FAILURES_IN_A_ROW,
    SUCCESSES_IN_A_ROW,
    AnnouncementType,
)
from patchbay.connections.health_status import WINDOW
from patchbay.connections.keys import (
    CURRENT_DEPLOYMENT_KEY,
    deployment_key_key,
)
from patchbay.connections.plan_store import PlanStore
from patchbay.deployment import Deployment
from patchbay.installs.session_store import InstallSessionStore
from patchbay.monitors.store import WATERMARK
from patchbay.platform import aws
from patchbay.platform.botocore_session import session
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Key, Put, Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.tenancy.browser_sessions import SEEN_EVERY
from patchbay.tenancy.keys import PAUSED, space_pause_key
from patchbay.tenancy.sign_in_links import SignInLinks
from tests.integration import monitoring
from tests.integration.alerting import RATE, Context, create_rule, deliver, evaluate_due
from tests.integration.alerting import queued as queued_notifications
from tests.integration.api import ENVIRONMENTS, FUNCTIONS, Answer, Client, sample_event, start_cold
from tests.integration.authorizing import (
    authorization_server,
    enter_application,
    publish_tracker,
)
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.documented import ROUTES, Names, Route
from tests.integration.installing import RIGHT, connect_account, end_user, opened
from tests.integration.policy_evaluation import (
    CONTEXT_KEYS,
    LEADING_KEYS,
    Call,
    DeployedPolicies,
    Part,
    Policy,
    Reading,
    arn,
)
from tests.integration.signing_in import CURRENT, SESSIONS, Page, signed_in
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.table_calls import Attempt, Carry, Reply, meet
from tests.integration.test_closing_days import record
from tests.integration.test_erase_organizations import erased, exported, grant_to
from tests.integration.test_fold_counts import write as count
from tests.integration.test_grants import pasted
from tests.integration.test_ingest_events import delivered as messages_delivered
from tests.integration.test_ingest_events import envelope
from tests.integration.test_isolation import RULE, owned
from tests.integration.test_live_tests import PROGRESS
from tests.integration.test_run_tests import delivered as queued_tests
from tests.integration.test_secret_references import keep, permit

__all__ = ["owned"]

CURSOR_KEY = Key("SYSTEM", "CURSORKEY")
_OF_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}
"""Operations whose names are not their actions'."""
_OF_THE_EMULATOR = set(_ACTIONS)
"""The local cloud checks these as well as the action; AWS does not know them."""


class Recorder:
    """Records which function makes which calls."""

    def __init__(self) -> None:
        self.calls: set[Call] = set()
        self._function = ""

    def named(self, name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(event: Any, context: Any) -> Any:
            outer, self._function = self._function, name
            try:
                return handler(event, context)
            finally:
                self._function = outer

        return handle

    def __call__(self, **call: Any) -> None:
        """As a handler of a client's events."""
        model = call["model"]
        self._note(model.service_model.service_name, model.name, call["params"])

    def meet(self, attempt: Attempt, carry: Carry) -> Reply:
        self._note("dynamodb", attempt.operation, attempt.request)
        return carry()

    def _note(self, service: str, operation: str, params: dict[str, Any]) -> None:
        if self._function:  # and not the test's own look into a table
            parts = _of_tables if service == "dynamodb" else _of_others
            self.calls.add(Call(self._function, tuple(parts(f"{service}:{operation}", params))))


def _of_tables(operation: str, params: dict[str, Any]) -> Iterator[Part]:
    """A transaction needs the permissions of its parts, and a batch those for each of its keys."""
    match operation:
        case "dynamodb:TransactWriteItems":
            for action in params["TransactItems"]:
                [(verb, request)] = action.items()
                yield _of_table(f"dynamodb:{_OF_TRANSACTIONS[verb]}", request)
        case "dynamodb:BatchGetItem":
            for table, request in params["RequestItems"].items():
                for key in request["Keys"]:
                    yield _of_table(operation, {"TableName": table, "Key": key})
        case _:
            yield _of_table(operation, params)


def _of_table(action: str, request: dict[str, Any]) -> Part:
    resource = arn("AWS::DynamoDB::Table", request["TableName"])
    if "IndexName" in request:
        resource += f"/index/{request['IndexName']}"
    item = request.get("Key") or request.get("Item")
    key = item["pk"] if item else request["ExpressionAttributeValues"][":pk"]
    return Part(action, resource, ((LEADING_KEYS, frozenset([key["S"]])),))


def _of_others(operation: str, params: dict[str, Any]) -> Iterator[Part]:
    action = _ACTIONS.get(operation, operation)
    match operation.partition(":")[0]:
        case "sqs":
            yield Part(action, arn("AWS::SQS::Queue", params["QueueUrl"].rpartition("/")[2]))
        case "events":
            for entry in params["Entries"]:
                yield Part(action, arn("AWS::Events::EventBus", entry["EventBusName"]))
        case "sns":
            yield Part(action, params["TopicArn"])
        case "kms":
            context = frozenset(params["EncryptionContext"])
            resource = arn("AWS::KMS::Key", params["KeyId"])
            yield Part(action, resource, ((CONTEXT_KEYS, context),))
        case "secretsmanager":
            if names := params.get("SecretIdList"):
                # A batch has no resource, and needs the permission to read each of its secrets.
                yield Part(action, "*")
                action = "secretsmanager:GetSecretValue"
            # AWS adds a hyphen and six characters to the name.
            for name in names or [params["SecretId"]]:
                yield Part(action, arn("secret", f"{name}-a1B2c3"))


@pytest.fixture
def policies(deployed: dict[str, Table], template: dict[str, Any]) -> DeployedPolicies:
    """As they are deployed with the topic and the names of the tests."""
    topics = {"AlertTopicArns": os.environ["ALERT_TOPIC_ARNS"]}
    return DeployedPolicies(template, os.environ, topics)


@pytest.fixture
def recorder(deployed: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    for name in FUNCTIONS:
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "handler", recorder.named(name, module.handler))
    meet(recorder.meet)
    for client in map(aws.client, ("events", "kms", "sns", "sqs")):
        client.meta.events.register("before-parameter-build", recorder)
    # Clients that are made later report, too.
    session().register("before-parameter-build", recorder)
    return recorder


def installed_by_end_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls the routes of install sessions: to connect, to repair, and after their end. The secret
    of an end user is the first of its organization."""
    tenant = new_tenant("installing", TENANT_PERMISSIONS)
    roles = {"roles": ["source", "destination"]}
    publish_integration(tenant, publisher="installing", manifest=roles)
    given = {"integration": "installing/crm"}
    watched = end_user(tenant, **given, monitor={"enabled": True})
    forget_deployment_key()
    assert watched.post("/v1/install/test", RIGHT | {"progress": PROGRESS}).status == 200
    assert watched.post("/v1/install/complete", RIGHT).status == 200
    sessions = f"/v1/organizations/{tenant.organization_id}/install-sessions"
    repeated(
        monkeypatch,
        InstallSessionStore,
        "create",
        lambda: tenant.client.post(
            sessions, {**given, "end_user": {"id": "user-17"}}, idempotency_key="late"
        ),
    )
    reference = keep(tenant, {"api_key": SECRET})
    path = f"{tenant.connectors}/destinations"
    body = {"name": "To", "variables": {"path": "me"}, "secret_ref": reference, **given}
    destination = tenant.client.post(path, body).json
    permit(tenant, destination)
    joined = create_connection(
        tenant,
        create_source(tenant, **given),
        destination_id=destination["id"],
        monitor={"enabled": True, "interval": "1m"},
    )
    for changes in (given, given | {"connection_id": joined["id"]}):
        start_cold("installs")  # which then has to unwrap the data key
        client = end_user(tenant, **changes)
        for _ in range(2):
            assert client.get("/v1/install").status < 500
            for route in ("test", "complete"):
                assert client.post(f"/v1/install/{route}", RIGHT).status < 500
    framed = opened(tenant, **given, allowed_origins=["https://app.example.com"]).json
    assert Client(None).get(framed["url"].partition(".com")[2].partition("#")[0]).status == 200


def restored(tenant: Tenant) -> None:
    """An integration is deleted, and restored."""
    draft = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "kept", "name": "Kept"}
    path = f"/v1/integrations/{tenant.client.post('/v1/integrations', draft).json['id']}"
    assert tenant.client.delete(path).status == 204
    assert tenant.client.post(f"{path}/restore", {}).status == 200


def signed_in_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs browsers in and out, in each way, and uses a session until its use is noted."""
    tenant = new_tenant("browsing", TENANT_PERMISSIONS)
    page = signed_in(tenant.client.key)
    with monkeypatch.context() as later:
        later.setattr(authorizer, "utc_now", lambda: utc_now() + SEEN_EVERY)
        assert page.get(SESSIONS).status == 200
    links = f"/v1/organizations/{tenant.organization_id}/sign-in-links"
    repeated(
        monkeypatch,
        SignInLinks,
        "_store",
        lambda: page.post(links, {"space": tenant.space_slug}, idempotency_key="late"),
    )
    made = page.post(links, {"space": tenant.space_slug})
    visitor = Page()
    assert visitor.sign_in(code=made.json["url"].partition("#")[2]).status == 201
    assert visitor.get(CURRENT).status == 200
    assert page.sign_in(api_key=tenant.client.key).status == 201
    with monkeypatch.context() as oidc:
        # An issuer that can't be dialed: what a sign-in there writes is what the others write.
        for name, value in {
            "ISSUER": "https://127.0.0.1:9",
            "AUDIENCE": "a",
            "CLIENT_ID": "c",
        }.items():
            oidc.setenv(f"JWT_{name}", value)
        start_cold("browser_sessions")
        assert Page().get(f"{SESSIONS}/oidc").headers["location"].endswith("failed=unavailable")
    start_cold("browser_sessions")
    for path in (CURRENT, SESSIONS):
        assert signed_in(tenant.client.key).delete(path).status == 204


def called_by_owner(tenant: Tenant, names: Names, route: Route) -> None:
    """Calls one route in each way that may make other calls to AWS."""
    path, body = names.path(route), names.body(route)
    text = None if body is None else json.dumps(body)
    call = tenant.client.call
    if route.method == "POST":
        once = {"idempotency_key": route.name}
        refused = None if body is None else json.dumps(names.never_made().body(route))
        for place, sent, headers in (
            (path, text, once),
            (path, text, once),
            (path, text, {}),
            (path, refused, {"idempotency_key": "refused"}),
            (names.never_made().path(route), text, {"idempotency_key": "nowhere"}),
        ):
            assert call(route.method, place, sent, headers).status < 500
    elif "cursor" in route.query:
        path += "&" if "?" in path else "?"
        for name in set(route.query) & set(names.names) - set(route.required):
            assert call("GET", f"{path}{name}={names.names[name]}", None).status < 500
        # Any function may be the first to seal a cursor
        Table("IntegrationsTable").write(Delete(CURSOR_KEY))
        start_cold()
        page = call("GET", f"{path}limit=1", None)
        assert page.status in (200, 403), page.text
        if page.status == 200 and page.json.get("next_cursor"):
            again = call("GET", f"{path}limit=1&cursor={page.json['next_cursor']}", None)
            assert again.status == 200
    else:
        assert call(route.method, path, text).status < 500


@pytest.fixture
def calls(
    recorder: Recorder,
    tenant: Tenant,
    operator: Tenant,
    owned: Names,
    monkeypatch: pytest.MonkeyPatch,
) -> set[Call]:
    monitoring.plan_from_the_first_minute(monkeypatch)
    # Only what shows that a space has to move moves it: at a minute of its own, which few spaces
    # meet here, it would be moved tomorrow, and what was moved two days ago would have no plan yet.
    monkeypatch.setattr("patchbay.connections.plan_moves.may_change", lambda *_, pools: not pools)
    turns = {"POST": 0, "GET": 1, "HEAD": 1, "PATCH": 2, "PUT": 2, "DELETE": 3}

    def turn(route: Route) -> int:
        deletes = route.name.endswith("_delete")
        return turns["DELETE" if deletes else route.method]

    # As if the rules of the space had been made long ago: what fails wakes it.
    create_rule(tenant)
    monkeypatch.setattr("patchbay.alerts.wakes._is_awake", lambda *_: False)
    # What is contained goes before its container.
    routes = sorted(ROUTES, key=lambda route: (turn(route), -len(route.path)))
    for now in ((0,), (1, 2), (3,)):
        for caller in (tenant, operator):
            for route in routes:
                if turn(route) in now:
                    called_by_owner(caller, owned, route)
            start_cold()
        if 0 in now:
            installed_by_end_users(monkeypatch)
            # As a first test does that fails after the credential was tried
            recorder.named("installs", lambda ids, _: installs.deployment.wake(ids))(
                [tenant.space_id], None
            )
            # As the monitors do when a server of our own choice was reached
            recorder.named("run_monitors", run_monitors.deployment.monitors.note_reached)(
                "internet", utc_now()
            )
            # As a use does that failed and is an event
            recorder.named("credentials", lambda ids, _: credentials.deployment.wake(ids))(
                [tenant.space_id], None
            )
            signed_in_browsers(monkeypatch)
            restored(tenant)
            start_cold()
            with provider() as server:
                run_in_the_background(tenant, server, monkeypatch)
            start_cold()
            evaluate_due(utc_now())
            exported(operator, tenant)
            left_to_the_erasure(operator, tenant)
            integrations_deleted(operator, tenant)
            for route in routes:
                if route.name == "resend_delivery":
                    called_by_owner(tenant, owned, route)
    assert erased(operator, tenant)["status"] == "erased"
    monkeypatch.setenv("JWT_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("JWT_AUDIENCE", "patchbay")
    start_cold("authorizer")
    for name in FUNCTIONS:
        module = importlib.import_module(name)
        if not hasattr(module, "api"):
            module.handler(sample_event(name), Context())
    return recorder.calls


def left_to_the_erasure(operator: Tenant, tenant: Tenant) -> None:
    """A name of its own, a browser that is signed in, and an announcement of an earlier release."""
    path = f"/v1/organizations/{tenant.organization_id}"
    for external_id in ("customer-16", "customer-17"):
        assert operator.client.patch(path, {"external_id": external_id}).status == 200
    link = tenant.client.post(f"{path}/sign-in-links", {}).json["url"]
    assert Page().sign_in(code=link.partition("#")[2]).status == 201
    announce_as_before(tenant)


def announce_as_before(tenant: Tenant) -> None:
    """An announcement that waits where releases without lanes left it."""
    of = {"organization_id": tenant.organization_id, "connection_id": "con_1"}
    item = {"pk": UNDIVIDED_PK, "sk": "2026-02-17T10:00:00.000Z#evt_1", "detail": of}
    Table("IntegrationsTable").write(Put({**item, "what": AnnouncementType.FAILING}))


def connections_with_secrets(tenant: Tenant, server: Provider) -> list[str]:
    """The paths of monitored connections, with secrets in the vault and in Secrets Manager."""
    publish_integration(tenant, slug="watched", manifest=calling(server.port))
    given = {"integration": "acme/watched"}
    reference = keep(tenant, {"api_key": SECRET})
    referring = create_source(tenant, **given, secrets={}, secret_ref=reference)
    permit(tenant, referring)
    path = f"{tenant.connectors}/sources/{referring['id']}"
    assert tenant.client.patch(f"{path}?test=true", {"name": "New"}).status == 200
    assert tenant.client.patch(f"{path}?dry_run=true", {"name": "New"}).status == 200
    monitor = {"enabled": True, "interval": "1m"}
    made = [
        create_connection(tenant, source, monitor=monitor)
        for source in (referring, create_source(tenant, **given))
    ]
    return [f"{tenant.connectors}/connections/{one['id']}" for one in made]


def integrations_deleted(operator: Tenant, tenant: Tenant) -> None:
    """Of a publisher that stays: one whose release nobody uses, and two that the tenant uses, one
    of them to its end."""
    for slug in ("unused", "left", "used"):
        made = publish_integration(operator, publisher="shared", slug=slug, visibility="public")
        source = None if slug == "unused" else create_source(tenant, integration=f"shared/{slug}")
        assert operator.client.delete(f"/v1/integrations/{made['id']}").status == 204
        if source and slug == "left":
            path = f"{tenant.connectors}/sources/{source['id']}"
            assert tenant.client.delete(path).status == 204


def run_queued() -> None:
    while (waiting := queued_tests())["Records"]:
        run_tests.handler(waiting, None)


def days_ahead(days: int) -> datetime:
    return utc_now() + timedelta(days=days)


def renew_in_each_function(tenant: Tenant, served: Provider) -> None:
    """A grant of its own begins in each function that tests or gives tokens; one ends unused."""
    given = {"integration": "acme/connected"}
    monitor = {"enabled": True, "interval": "1m"}
    sources = [create_source(tenant, **given, variables={}, secrets=pasted(served)) for _ in "abcd"]
    paths = [
        f"{tenant.connectors}/connections/{create_connection(tenant, source, monitor=on)['id']}"
        for source, on in zip(sources, ({}, {}, {}, monitor), strict=True)
    ]
    assert tenant.client.call("POST", f"{paths[0]}/test", None).json["status"] == "succeeded"
    assert tenant.client.call("POST", f"{paths[1]}/test?mode=async", None).status == 202
    run_queued()
    assert tenant.client.get(f"{paths[2]}/credentials").status == 200
    # The monitors make the deployment key
    forget_deployment_key()
    monitoring.tick(monitoring.this_minute())
    assert len(served.oauth.token_requests) >= len(sources)
    # Earlier grants are due as well, in any order: all are renewed at first, and all end later.
    turns: list[tuple[int, list[str]]] = [(8, []), (16, ["invalid_grant"] * 100), (16, [])]
    for days, faults in turns:
        served.oauth.faults = faults
        start_cold("refresh_grants")
        refresh_grants.deployment.clock = functools.partial(days_ahead, days)
        refresh_grants.handler(sample_event("refresh_grants"), Context())
    start_cold("refresh_grants")
    for path in paths:
        assert tenant.client.delete(path).status == 204
    for source in sources:
        path = f"{tenant.connectors}/sources/{source['id']}"
        assert tenant.client.get(f"{path}/grant").status == 200
        assert tenant.client.delete(f"{path}/grant").status == 200
        assert tenant.client.delete(path).status == 204


def interrupted(*_: Any, **__: Any) -> None:
    raise TemporarilyUnavailable


def repeated(
    monkeypatch: pytest.MonkeyPatch, owner: type, writing: str, post: Callable[[], Answer]
) -> None:
    """A request whose first attempt ends with its writes, before it could answer."""
    write = getattr(owner, writing)

    def write_and_end(*given: Any) -> None:
        write(*given)
        interrupted()

    with monkeypatch.context() as first:
        first.setattr(owner, writing, write_and_end)
        assert post().status == 503
    assert post().status == 201


def forget_deployment_key() -> None:
    """As after an upgrade from a release without one: the first function that needs it makes it."""
    for key in (CURRENT_DEPLOYMENT_KEY, deployment_key_key(1)):
        Table("IntegrationsTable").write(Delete(key))
    start_cold()


def run_in_the_background(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs the functions of the queues and schedules, with work for all of them."""
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))
    server.valid_key = SECRET
    paths = connections_with_secrets(tenant, server)
    # Connections that work, then fail, by synchronous and queued tests
    for server.valid_key in (SECRET, *["another"] * FAILURES_IN_A_ROW):
        for path in paths:
            assert tenant.client.call("POST", f"{path}/test?mode=async", None).status == 202
        run_queued()
    assert tenant.client.call("POST", f"{paths[0]}/test", None).status == 200
    # A caller's test finds the end of an outage, and the next one; an end user's test its end
    for server.valid_key in (
        *[SECRET] * SUCCESSES_IN_A_ROW,
        *["another"] * FAILURES_IN_A_ROW,
        *[SECRET] * (SUCCESSES_IN_A_ROW - 1),
    ):
        assert tenant.client.call("POST", f"{paths[1]}/test", None).status == 200
    user = end_user(tenant, integration="acme/watched", connection_id=paths[1].rpartition("/")[2])
    assert user.post("/v1/install/complete", RIGHT).status == 200
    server.valid_key = "another"
    # Whose credentials are used
    for path in paths:
        assert tenant.client.get(f"{path}/credentials").status == 200
    # An account is connected
    with TemporaryDirectory() as folder, authorization_server(Path(folder), monkeypatch) as served:
        grant_to(tenant, served, "granted")
        publish_tracker(tenant, served.port, slug="connected")
        enter_application(tenant, served, integration="acme/connected")
        for decision in ("deny", "allow"):
            user = end_user(tenant, integration="acme/connected", monitor={"enabled": True})
            connect_account(user, decision=decision)
            assert user.get("/v1/install/authorize").status == 200
        assert user.post("/v1/install/test", {}).status == 200
        assert user.post("/v1/install/complete", {}).status == 200
        assert tenant.client.get(f"{path}/proxy/me").status == 409  # it has no base URL
        assert tenant.client.patch(path, {"record_uses": True}).status == 200
        assert tenant.client.get(f"{path}/credentials").status == 200
        renew_in_each_function(tenant, served)
    # The monitors find that they work again; the dispatcher sends what was left unsent
    announce_as_before(tenant)
    server.valid_key = SECRET
    monkeypatch.setattr(dispatch_monitors, "utc_now", lambda: utc_now() + timedelta(minutes=2))
    later = monitoring.this_minute() + monitoring.MINUTE
    for _ in range(SUCCESSES_IN_A_ROW):
        monitoring.tick_after_quiet(later)
        later += monitoring.MINUTE
    # A sweep that is out of time goes back to the queue
    monitoring.dispatch(later)
    monitoring.run(monitoring.deliver(), seconds=1)
    # A connection that fails for two days gets a warning and is disabled
    monkeypatch.setenv("AUTO_DISABLE_FAILURES", "1")
    monkeypatch.setenv("AUTO_DISABLE_DAYS", "1")
    start_cold()
    server.valid_key = "another"
    for hours in (1, 2, 3, 20, 40):
        monitoring.tick_after_quiet(later + hours * 60 * monitoring.MINUTE)
    assert [tenant.client.get(path).json["status"] for path in paths] == ["disabled"] * 2
    assert tenant.client.patch(paths[0], {"status": "active"}).status == 200
    surveyed(tenant, server)
    moved_to_plans(tenant, server, monkeypatch)
    # A queue that refuses a test
    url = aws.client("sqs").get_queue_url(QueueName="TestQueue")["QueueUrl"]
    aws.client("sqs").delete_queue(QueueUrl=url)
    assert tenant.client.call("POST", f"{paths[0]}/test?mode=async", None).status >= 500
    # Events of the bus, and a day spread over shards
    failed = envelope(tenant, events=[{"integration_type": "webhook", "status": "ERROR"}])
    assert messages_delivered(envelope(tenant), failed) == []
    for shard in (3, 5):
        count(Table("EventsTable"), f"e{shard}", shard)
    record(Table("EventsTable"), utc_now() - timedelta(days=3))
    for _ in range(2):
        fold_counts.handler(sample_event("fold_counts"), None)
        start_cold("fold_counts")
        fold_counts.deployment.clock = lambda: utc_now() + timedelta(hours=1)
    # An organization whose first secret is a webhook's
    forget_deployment_key()
    create_rule(new_tenant("fresh", TENANT_PERMISSIONS), channels=RULE["channels"])
    # And one whose first secret is a client's
    forget_deployment_key()
    fresh = new_tenant("first-client", TENANT_PERMISSIONS)
    publish_tracker(fresh, 8443, publisher="first-client")
    client = {"client_id": "client", "client_secret": SECRET}
    path = f"/v1/organizations/{fresh.organization_id}/oauth-applications"
    body = {"integration": "first-client/tracker", **client}
    assert fresh.client.post(path, body, idempotency_key="first").status == 201
    # Alerts of all kinds, to all kinds of channels, whose deliveries are events
    asked = {
        "record_deliveries": True,
        "status_page": {"enabled": True, "show_connections": True},
    }
    for paused in (True, False):
        space = tenant.client.patch(f"/spaces/{tenant.space_slug}", {"paused": paused})
        assert space.status == 200
    space = tenant.client.patch(f"/spaces/{tenant.space_slug}", asked)
    assert space.status == 200
    status_page = space.json["status_page"]["url"].rpartition("/")[2]
    topic = {"kind": "sns", "topic_arn": os.environ["ALERT_TOPIC_ARNS"]}
    create_rule(tenant, channels=[topic])
    gone = create_rule(tenant, condition={"kind": "connection_down"}, channels=[topic])
    create_rule(tenant, condition=RATE | {"per": "connection"}, channels=[topic])
    evaluate_due(utc_now())
    shown = Client(None).get(f"/v1/status/{status_page}")
    assert shown.json["alerts"]
    assert shown.json["connections"]
    tried = {"name": "tried", "condition": {"kind": "connection_down"}}
    path = f"/spaces/{tenant.space_slug}/alert-rules/backtest"
    assert tenant.client.post(path, {"rule": tried}).status == 200
    rule = f"/spaces/{tenant.space_slug}/alert-rules/{gone['id']}"
    assert tenant.client.patch(rule, {"enabled": False}).status == 200
    # A deletion that is interrupted: the next evaluation finishes it
    with monkeypatch.context() as broken:
        broken.setattr("patchbay.alerts.rule_store.RuleStore.finish_deletion", interrupted)
        assert tenant.client.delete(rule).status == 503
    evaluate_due(utc_now())
    monkeypatch.setattr("patchbay.alerts.evaluator.BATCH", 1)  # the others go to the queue
    create_rule(new_tenant("other", TENANT_PERMISSIONS), channels=[topic])
    for minute in range(4):
        evaluate_due(utc_now() + timedelta(minutes=minute))
    Deployment().vault.keys.deployment_keys.rotate(utc_now())
    start_cold("deliver_notifications")
    deliver_notifications.handler({"Records": queued_notifications()}, Context())
    deliver()


def surveyed(tenant: Tenant, server: Provider) -> None:
    """The pauses of an earlier release are marked, and a page of two spaces reads the marks."""
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    table = Table("IntegrationsTable")
    for slug in ("paused-before", "resumed-before"):
        made = tenant.client.post(spaces, {"slug": slug, "name": slug}).json
        table.write(Put(space_pause_key(made["id"])._asdict()))
        create_connection(
            tenant, create_source(tenant), space=slug, monitor={"enabled": True, "interval": "1m"}
        )
    assert tenant.client.patch("/spaces/paused-before", {"paused": True}).status == 200
    paused = tenant.client.get("/spaces/paused-before").json
    table.write(Delete(space_pause_key(paused["id"])))
    monitoring.survey_pauses(is_done=False)
    later = monitoring.this_minute() + timedelta(days=3)
    for number in range(2):
        monitoring.tick_after_quiet(later + number * monitoring.MINUTE)
    assert [mark["sk"] for mark in table.query_all(PAUSED)] == [f"SPACE#{paused['id']}"]
    start_cold()


def moved_to_plans(tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days ago, a connection of an earlier release was moved to a plan. Its tests became
    steady, its endpoint was edited, and its space moved once more."""
    publish_integration(tenant, slug="moved", manifest=calling(server.port))
    given = {"integration": "acme/moved"}
    source = create_source(tenant, **given)
    monitor = {"enabled": True, "interval": "1m"}
    server.valid_key = SECRET
    Table("IntegrationsTable").write(Delete(WATERMARK))  # which is of today
    with monkeypatch.context() as earlier:
        monitoring.put_into_the_index(earlier)
        connection = create_connection(tenant, source, monitor=monitor)
    path = f"{tenant.connectors}/connections/{connection['id']}"
    ago = monitoring.this_minute() - timedelta(days=2)

    def tick(now: datetime) -> None:
        """A minute of that day, in time."""
        start_cold("run_monitors")
        run_monitors.deployment.clock = functools.partial(_same, now)
        with monkeypatch.context() as then:
            then.setattr(dispatch_monitors, "utc_now", functools.partial(_same, now))
            monitoring.tick_after_quiet(now)

    # Its plan is made in three minutes, and it leaves the index more than an hour later
    for passed in (0, 1, 2, 3, 80):
        tick(ago + passed * monitoring.MINUTE)
    for passed in range(WINDOW):
        tick(ago + (81 + passed) * monitoring.MINUTE)
    assert tenant.client.get(path).json["health"]["status"] == "connected"
    # The editor dies before it drops the snapshots
    with monkeypatch.context() as broken:
        broken.setattr(PlanStore, "_drop", interrupted)
        edited = f"{tenant.connectors}/sources/{source['id']}"
        assert tenant.client.patch(edited, {"name": "Edited"}).status == 200
    # Then small spaces share nothing any more
    with monkeypatch.context() as alone:
        alone.setenv("POOLED_RUNS", "disabled")
        start_cold()
        for passed in (200, 201, 202, 203, 280):
            tick(ago + passed * monitoring.MINUTE)
    start_cold()
    # A caller tests what monitors tested before
    assert tenant.client.get(f"{path}/tests").status == 200
    assert tenant.client.call("POST", f"{path}/test?mode=async", None).status == 202
    run_queued()
    user = end_user(tenant, **given, connection_id=connection["id"])
    assert user.get("/v1/install").status == 200
    assert user.post("/v1/install/complete", RIGHT).status == 200


def _same(moment: datetime) -> datetime:
    return moment


@pytest.mark.enable_socket
def test_each_function_may_do_what_it_does_and_no_more(
    calls: set[Call], policies: DeployedPolicies
) -> None:
    refused, unused = [], []
    for function, policy in policies:
        own = [call for call in calls if call.function == function]
        refused += [
            (function, reading.value, part)
            for reading in Reading
            for call in own
            for part in policy.refused(call, reading)
        ]
        unused += [
            f"{function}: {left_out}"
            for left_out, narrower in policy.narrower()
            if narrower.allows(own) and left_out.partition(" ")[0] not in _OF_THE_EMULATOR
        ]
    assert sorted(set(refused), key=repr) == []
    assert "\n".join(unused) == ""
    assert {call.function for call in calls} == set(FUNCTIONS) - {"docs"}
    # And each reads all of its variables
    for name, environment in ENVIRONMENTS.items():
        assert environment.read == environment.names - {"POWERTOOLS_SERVICE_NAME"}, name


def write(verb: str, key: str) -> Part:
    table = arn("AWS::DynamoDB::Table", "IntegrationsTable")
    return Part(f"dynamodb:{verb}Item", table, ((LEADING_KEYS, frozenset([key])),))


def writers(policies: DeployedPolicies, verb: str, key: str) -> set[str]:
    """The functions that may make one write, alone or in a transaction of its own."""
    return {name for name, policy in policies if policy.decides(write(verb, key)) == "Allow"}


@pytest.mark.parametrize(
    ("verbs", "functions"),
    [
        (("Put",), {"tenancy"}),
        (("Update",), set()),
        (("Delete",), {"tenancy", "erase_organizations"}),
    ],
)
def test_api_keys_are_written_by_the_functions_that_issue_and_erase_them_alone(
    verbs: tuple[str, ...], functions: set[str], policies: DeployedPolicies
) -> None:
    for verb in verbs:
        assert writers(policies, verb, "APIKEY#12345678") == functions


def test_nothing_is_taken_out_of_the_audit_trail_and_the_erasure_alone_changes_it(
    policies: DeployedPolicies,
) -> None:
    assert writers(policies, "Delete", "AUDIT#org_1") == set()
    assert writers(policies, "Update", "AUDIT#org_1") == {"erase_organizations"}


# A monitored connection that keeps failing is disabled, in one transaction.
DISABLED = Call(
    "run_monitors",
    (
        write("Update", "ORG#org_1"),
        write("Put", "OUTBOX#CONNECTIONS#3"),
        write("Put", "AUDIT#org_1"),
        write("Delete", "WHEEL#1m#0"),
    ),
)
BOTH = pytest.mark.parametrize("reading", [Reading.EACH_ALONE, Reading.ALL_TOGETHER])


@BOTH
@pytest.mark.parametrize("lacking", ["ORG#*", "OUTBOX#CONNECTIONS#*", "AUDIT#*", "WHEEL#*"])
def test_a_policy_that_lacks_a_prefix_refuses_a_transaction_with_such_a_key(
    lacking: str, reading: Reading, policies: DeployedPolicies
) -> None:
    policy = policies.of("run_monitors")
    assert policy.refused(DISABLED, reading) == []
    changed = [without(statement, lacking) for statement in policy.statements]
    assert Policy(changed).refused(DISABLED, reading) != []


def without(statement: dict[str, Any], key: str) -> dict[str, Any]:
    """The statement without a partition key, and with one that nothing has instead."""
    text = json.dumps(statement).replace(json.dumps(key), json.dumps("NOTHING"))
    changed: dict[str, Any] = json.loads(text)
    return changed


@pytest.mark.parametrize(
    ("operator", "refusing"), [("ForAllValues", "all together"), ("ForAnyValue", "each alone")]
)
def test_each_reading_needs_a_condition_of_its_own(
    operator: str, refusing: str, policies: DeployedPolicies
) -> None:
    """All keys of a transaction are among those that are mixed, and a write is of its own keys."""
    statements = [
        {**one, "Condition": {**one.get("Condition", {})}}
        for one in policies.of("run_monitors").statements
    ]
    for statement in statements:
        condition = statement["Condition"]
        if "ForAnyValue:StringLikeIfExists" in condition:
            own = condition["ForAnyValue:StringLikeIfExists"][LEADING_KEYS]
            mixed = condition["ForAllValues:StringLike"][LEADING_KEYS]
            narrowed = {"ForAllValues": own, "ForAnyValue": [k for k in mixed if k not in own]}
            [name] = [name for name in condition if name.startswith(operator)]
            condition[name] = {LEADING_KEYS: narrowed[operator]}
    refused = {
        reading.value for reading in Reading if Policy(statements).refused(DISABLED, reading)
    }
    assert refusing in refused


@BOTH
def test_what_a_transaction_mixes_is_not_granted_by_itself(
    reading: Reading, policies: DeployedPolicies
) -> None:
    for part in (
        write("Put", "ORG#org_1"),
        write("Delete", "AUDIT#org_1"),
        write("Put", "WHEEL#1"),
    ):
        assert policies.of("run_monitors").refused(Call("run_monitors", (part,)), reading) == [part]


@BOTH
def test_a_statement_for_each_key_refuses_a_transaction_if_its_keys_are_judged_together(
    reading: Reading,
) -> None:
    call = Call("any", (write("Update", "ORG#org_1"), write("Put", "AUDIT#org_1")))
    policy = Policy([allowing("Update", "ORG#*"), allowing("Put", "AUDIT#*")])
    assert bool(policy.refused(call, reading)) is (reading is Reading.ALL_TOGETHER)


def allowing(verb: str, *keys: str, effect: str = "Allow") -> dict[str, Any]:
    return {
        "Effect": effect,
        "Action": [f"dynamodb:{verb}"] if verb == "*" else [f"dynamodb:{verb}Item"],
        "Resource": [arn("AWS::DynamoDB::Table", "IntegrationsTable")],
        "Condition": {"ForAllValues:StringLike": {LEADING_KEYS: list(keys)}},
    }


def test_a_call_whose_keys_nobody_sends_is_judged_by_its_table_and_action(
    policies: DeployedPolicies,
) -> None:
    """As in the local cloud, and as IAM reads `ForAllValues` and `IfExists` without the key."""
    policy = policies.of("run_monitors")
    assert policy.refused(DISABLED, Reading.WITHOUT_KEYS) == []
    other = Part("dynamodb:Scan", DISABLED.parts[0].resource)
    assert policy.refused(Call("run_monitors", (other,)), Reading.WITHOUT_KEYS) == [other]


@BOTH
@pytest.mark.parametrize("place", [0, 1])
def test_a_deny_wins_wherever_it_stands(place: int, reading: Reading) -> None:
    call = Call("any", (write("Put", "AUDIT#org_1"), write("Put", "ORG#org_1")))
    statements = [allowing("Put", "AUDIT#*", "ORG#*")]
    assert Policy(statements).refused(call, reading) == []
    statements.insert(place, allowing("*", "AUDIT#*", "ORG#*", effect="Deny"))
    denying = Policy(statements)
    assert denying.refused(call, reading) == list(call.read(reading))
    assert {denying.decides(part) for part in call.parts} == {"Deny"}


def test_credentials_that_are_switched_off_are_opened_by_nobody_who_gives_them(
    policies: DeployedPolicies, template: dict[str, Any]
) -> None:
    key = arn("AWS::KMS::Key", os.environ["VAULT_KEY_ID"])
    opened = Part("kms:Decrypt", key, ((CONTEXT_KEYS, frozenset(["organization"])),))
    referred = Part("secretsmanager:GetSecretValue", arn("secret", "patchbay/org_1/crm-a1B2c3"))
    off = DeployedPolicies(template, os.environ, {"CredentialUse": "disabled"})
    for part in (opened, referred):
        assert policies.of("credentials").decides(part) == "Allow"
        assert off.of("credentials").decides(part) == "Deny"


@pytest.mark.parametrize(
    ("key", "pattern", "decision"),
    [
        ("ORG#org_1", "ORG#*", "Allow"),
        ("ORGANIZATIONS", "ORG#*", "ImplicitDeny"),
        ("org#org_1", "ORG#*", "ImplicitDeny"),
        ("XORG#org_1", "ORG#*", "ImplicitDeny"),
        ("SYSTEM", "SYSTEM", "Allow"),
        ("SYSTEMS", "SYSTEM", "ImplicitDeny"),
        ("OUTBOX#CONNECTIONS", "OUTBOX#CONNECTIONS#*", "ImplicitDeny"),
        ("OUTBOX#1", "OUTBOX#?", "Allow"),
        ("OUTBOX#12", "OUTBOX#?", "ImplicitDeny"),
    ],
)
def test_a_pattern_is_read_as_iam_reads_it(key: str, pattern: str, decision: str) -> None:
    assert Policy([allowing("Put", pattern)]).decides(write("Put", key)) == decision


def test_what_is_granted_too_much_is_found() -> None:
    policy = Policy([allowing("Put", "ORG#*", "AUDIT#*"), allowing("Delete", "ORG#*")])
    call = Call("any", (write("Put", "ORG#org_1"),))
    found = [left_out for left_out, narrower in policy.narrower() if narrower.allows([call])]
    assert [one.partition(" of ")[0] for one in found] == [
        "AUDIT#*",
        # And all of the second statement
        "dynamodb:DeleteItem",
        arn("AWS::DynamoDB::Table", "IntegrationsTable"),
        "ORG#*",
    ]


def test_every_condition_is_one_that_the_recorder_fills_and_the_evaluator_knows(
    policies: DeployedPolicies,
) -> None:
    """A condition key that no recorded call has would be judged as if AWS did not send it."""
    conditions = {
        (operator, key)
        for _, policy in policies
        for statement in policy.statements
        for operator, keys in statement.get("Condition", {}).items()
        for key in keys
    }
    assert conditions == {
        ("ForAllValues:StringLike", LEADING_KEYS),
        ("ForAnyValue:StringLikeIfExists", LEADING_KEYS),
        ("ForAllValues:StringEquals", CONTEXT_KEYS),
    }


def test_the_statements_of_a_role_are_within_the_limit_of_iam(policies: DeployedPolicies) -> None:
    """AWS: 10,240 characters of inline policies for a role, without spaces."""
    for function, policy in policies:
        text = json.dumps(policy.statements, separators=(",", ":"))
        # The names of a stack's resources are longer than those of the tests.
        assert len(text) < 10_240 // 2, function
