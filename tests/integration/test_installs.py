"""Install sessions over the API: made by a back end, used by an end user's browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import installs
from local.provider import Provider
from patchbay.installs import wizard
from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import Table
from tests.integration.account import stored_items
from tests.integration.api import sample_event, start_cold
from tests.integration.authorizing import (
    REDIRECT_URI,
    Browser,
    applications,
    authorization_server,
    decided,
    enter_application,
    outcome,
    publish_tracker,
)
from tests.integration.conftest import Tenant
from tests.integration.installing import (
    RIGHT,
    completed,
    connect_account,
    end_user,
    expire,
    latest,
    opened,
    sessions,
)
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.test_audit import trail


@pytest.fixture
def published(tenant: Tenant) -> dict[str, Any]:
    return publish_integration(tenant)


def test_the_sample_event_is_refused(deployed: object) -> None:
    assert installs.handler(sample_event("installs"), None)["statusCode"] in (401, 404)


def test_a_session_is_created_read_listed_and_revoked(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    made = opened(
        tenant,
        variables={"path": "me"},
        locked=["/path"],
        return_url="https://app.example.com/settings?tab=1#done",
        allowed_origins=["https://App.example.com:443", "http://localhost:3000"],
    )
    assert made.status == 201, made.text
    session = made.json
    token, url = session.pop("token"), session.pop("url")
    handle = f"{tenant.organization_id}.{session['id']}"
    assert url == f"https://go.acme.com/install/acme/crm?session={handle}#{token}"
    assert token.startswith("pbi_")
    assert len(token) == 47
    expected = {
        "organization_id": tenant.organization_id,
        "status": "pending",
        "integration": "acme/crm",
        "integration_id": published["id"],
        "version": "1.0.0",
        "space": "acme",
        "end_user": {"id": "user-17", "name": "Ada", "email": None},
        "variables": {"path": "me"},
        "locked": ["/path"],
        "allowed_origins": ["https://app.example.com", "http://localhost:3000"],
        "connection_id": None,
        "outcome": None,
        "opened_at": None,
    }
    assert expected.items() <= session.items()
    lasts = from_text(session["expires_at"]) - from_text(session["created_at"])
    assert lasts.total_seconds() == 1800
    one = f"{sessions(tenant)}/{session['id']}"
    read = tenant.client.get(one)
    assert (read.json, read.headers["etag"]) == (session, '"1"')
    assert tenant.client.get(sessions(tenant)).json["items"] == [session]
    # When it is revoked, it stays readable
    assert tenant.client.delete(one, if_match='"9"').status == 412
    assert tenant.client.delete(one, if_match='"1"').status == 204
    assert tenant.client.delete(one).status == 204
    gone = tenant.client.get(one).json
    assert (gone["status"], gone["revoked_at"] is None) == ("revoked", False)
    # And a list of those with a status has it, or not
    for status, count in {"pending": 0, "revoked": 1, "expired": 0, "completed": 0}.items():
        listed = tenant.client.get(f"{sessions(tenant)}?status={status}").json["items"]
        assert len(listed) == count


def test_a_token_is_stored_as_its_hash_alone(
    tenant: Tenant, published: dict[str, Any], deployed: dict[str, Table]
) -> None:
    session = opened(tenant).json
    token, stored = session["token"], repr(list(stored_items("IntegrationsTable")))
    assert session["id"] in stored
    assert token.removeprefix("pbi_") not in stored


def test_a_repeated_create_gives_the_same_session_and_token(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    body = {"integration": "acme/crm"}
    first, second = (
        tenant.client.post(sessions(tenant), body, idempotency_key="once") for _ in range(2)
    )
    assert (first.status, first.json) == (201, second.json)
    assert len(tenant.client.get(sessions(tenant)).json["items"]) == 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"integration": "acme/nothing"}, "/integration"),
    ({"version": "^2"}, "/version"),
    ({"space": "globex"}, "/space"),
    ({"variables": {"path": 1}}, "/variables/path"),
    ({"variables": {"unknown": 1}}, "/variables/unknown"),
    ({"variables": {"api_key": "x"}}, "/variables/api_key"),
    ({"locked": ["/path"]}, "/locked/0"),
    ({"locked": ["path"]}, "/locked/0"),
    ({"locked": ["/~2"]}, "/locked/0"),
    ({"expires_in_seconds": 299}, "/expires_in_seconds"),
    ({"expires_in_seconds": 86_401}, "/expires_in_seconds"),
    ({"end_user": {"id": ""}}, "/end_user/id"),
    ({"end_user": {"id": "a\nb"}}, "/end_user/id"),
    ({"end_user": {"id": "a", "email": "nobody"}}, "/end_user/email"),
    ({"connection_id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "/connection_id"),
    ({"monitor": {"enabled": True, "interval": "2m"}}, "/monitor/interval"),
    ({"secrets": {"api_key": "x"}}, "/secrets"),
]


@pytest.mark.parametrize(("changes", "pointer"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_the_end_user_could_not_mend_is_told_to_the_creator(
    changes: dict[str, Any], pointer: str, tenant: Tenant, published: dict[str, Any]
) -> None:
    refused = opened(tenant, **changes)
    assert refused.status == 400, refused.text
    assert refused.pointers == [pointer]


def test_an_integration_for_destinations_alone_can_t_be_installed(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["destination"]})
    refused = opened(tenant)
    assert refused.problems == [
        ("/integration", "is for destinations alone: an install session makes a source")
    ]


def test_a_repair_names_a_connection_and_changes_nothing_else(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    connection = create_connection(tenant, create_source(tenant))
    made = opened(tenant, connection_id=connection["id"], locked=["/path", "/page_size"])
    assert made.status == 201, made.text
    assert made.json["connection_id"] == connection["id"]
    more = {"version": "1.0.0", "monitor": {"enabled": True}, "external_account_id": "x"}
    refused = opened(tenant, connection_id=connection["id"], **more)
    assert refused.pointers == ["/version", "/monitor", "/external_account_id"]
    publish_integration(tenant, slug="erp")
    other = opened(tenant, connection_id=connection["id"], integration="acme/erp")
    assert other.problems == [("/integration", "is not the integration of this connection")]


@pytest.fixture
def served(tenant: Tenant, server: Provider) -> dict[str, Any]:
    """A published integration whose tests call the server."""
    return publish_integration(tenant, manifest=calling(server.port))


def stored(tenant: Tenant) -> list[int]:
    """How many sources and connections the tenant has."""
    return [
        len(tenant.client.get(f"{tenant.connectors}/{kind}").json["items"])
        for kind in ("sources", "connections")
    ]


@pytest.mark.enable_socket
def test_an_end_user_is_told_what_to_enter(tenant: Tenant, served: dict[str, Any]) -> None:
    client = end_user(tenant, variables={"path": "me"}, locked=["/path"])
    answer = client.get("/v1/install")
    assert answer.status == 200, answer.text
    form = answer.json
    assert form["mode"] == "install"
    assert form["end_user_name"] == "Ada"
    assert form["integration"]["name"] == "CRM"
    assert form["integration"]["capabilities"] == []
    organization = tenant.client.get(f"/v1/organizations/{tenant.organization_id}").json
    assert form["organization_name"] == organization["name"]
    assert form["variables"] == {"path": "me", "page_size": 50}
    assert form["locked"] == ["/path"]
    assert form["secrets"] == [
        {
            "name": "api_key",
            "value_schema": {"type": "string"},
            "required": True,
            "is_set": False,
        }
    ]
    assert form["configurations_schema"]["properties"] == {
        "depth": {"type": "integer", "minimum": 1}
    }
    assert form["repair"] is None
    assert latest(tenant)["opened_at"]
    # Opening it again changes nothing
    assert client.get("/v1/install").json == form
    assert [e["action"] for e in trail(tenant, "&entity=install_session")] == ["opened", "created"]


@pytest.mark.enable_socket
def test_an_end_user_tests_before_anything_is_stored(
    tenant: Tenant, served: dict[str, Any]
) -> None:
    client = end_user(tenant)
    wrong = client.post("/v1/install/test", RIGHT | {"secrets": {"api_key": "wrong"}})
    assert (wrong.status, wrong.json["code"]) == (200, "auth_invalid")
    right = client.post("/v1/install/test", RIGHT)
    assert (right.status, right.json["account"]) == (200, "octocat")
    assert client.post("/v1/install/test", {"variables": {"path": 1}}).pointers == [
        "/variables/path"
    ]
    assert stored(tenant) == [0, 0]


@pytest.mark.enable_socket
def test_an_end_user_connects(tenant: Tenant, served: dict[str, Any], server: Provider) -> None:
    client = end_user(
        tenant,
        external_account_id="acct-1",
        monitor={"enabled": True, "interval": "15m"},
        return_url="https://app.example.com/done",
    )
    done = completed(client, name="My CRM", configurations={"depth": 2})
    assert done["test"]["status"] == "succeeded"
    assert done["return_url"] == "https://app.example.com/done"
    source = tenant.client.get(f"{tenant.connectors}/sources/{done['source']['id']}").json
    assert source["name"] == "My CRM"
    assert (source["external_account_id"], source["ownership_mode"]) == ("acct-1", "byok")
    assert source["secrets_set"] == ["api_key"]
    path = f"{tenant.connectors}/connections/{done['connection']['id']}"
    connection = tenant.client.get(path).json
    assert connection["monitor"] == {"enabled": True, "interval": "15m"}
    assert connection["configurations"] == {"depth": 2}
    assert connection["health"]["status"] == "connected"
    history = tenant.client.get(f"{path}/tests").json["items"]
    assert [one["id"] for one in history] == [done["test"]["id"]]
    session = latest(tenant)
    assert session["status"] == "completed"
    assert session["outcome"] == {
        "source_id": source["id"],
        "connection_id": connection["id"],
        "test_id": done["test"]["id"],
    }
    # When it is completed again, the outcome is the same, and nothing is dialed
    calls = len(server.requests)
    assert completed(client, name="Another") == done
    assert (stored(tenant), len(server.requests)) == ([1, 1], calls)
    # And the session does nothing else any more
    for ended in (client.get("/v1/install"), client.post("/v1/install/test", RIGHT)):
        assert (ended.status, ended.code) == (410, "INSTALL_SESSION_ENDED")
        assert ended.json["error"]["details"] == {"status": "completed"}
    assert tenant.client.delete(f"{sessions(tenant)}/{session['id']}").status == 409
    # The trail says who did it, by the id alone
    events = trail(tenant)
    subject = f"install session {session['id']} of end user user-17"
    by_them = [(e["entity"], e["action"]) for e in events if e["subject"] == subject]
    assert sorted(by_them) == [
        ("connection", "created"),
        ("install_session", "completed"),
        ("install_session", "refused"),
        ("source", "created"),
    ]
    assert "Ada" not in json.dumps(events)
    assert len(trail(tenant, f"&subject={quote(subject)}")) == 4


def test_what_is_missing_is_asked_for(tenant: Tenant, published: dict[str, Any]) -> None:
    client = end_user(tenant)
    complete = "/v1/install/complete"
    assert client.post(complete, {"variables": {"path": "me"}}).problems == [
        ("/secrets/api_key", "is required")
    ]
    assert client.post(complete, {"secrets": {"api_key": SECRET}}).pointers == ["/variables/path"]
    wrong = RIGHT | {"secrets": {"password": "x"}}
    assert client.post(complete, wrong).pointers == ["/secrets/password"]
    assert latest(tenant)["status"] == "pending"
    assert stored(tenant) == [0, 0]


@pytest.mark.enable_socket
def test_a_repair_changes_the_source_of_its_connection_alone(
    tenant: Tenant, served: dict[str, Any]
) -> None:
    # Given a connection that fails, whose source another one uses, too
    source = create_source(tenant, secrets={"api_key": "wrong"})
    connection = create_connection(tenant, source)
    create_connection(tenant, source)
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.post(f"{path}/test", None).json["status"] == "failed"
    client = end_user(tenant, connection_id=connection["id"])
    # When the end user opens it
    form = client.get("/v1/install").json
    # Then it says what is wrong, and where
    assert form["mode"] == "repair"
    repair = form["repair"]
    assert (repair["name"], repair["other_connections"]) == ("CRM", 1)
    [problem] = repair["problems"]
    assert (problem["code"], problem["field_pointer"]) == ("auth_invalid", "/secrets/api_key")
    assert problem["remediation"]
    assert form["secrets"][0]["is_set"] is True
    assert form["variables"] == {"path": "me", "page_size": 50}
    # And the new secret repairs it
    new = {"secrets": {"api_key": SECRET}}
    assert client.post("/v1/install/test", new).json["status"] == "succeeded"
    refused = client.post("/v1/install/complete", new | {"name": "x", "configurations": {"a": 1}})
    assert refused.pointers == ["/configurations", "/name"]
    done = client.post("/v1/install/complete", new)
    assert done.status == 200, done.text
    assert done.json["test"]["status"] == "succeeded"
    assert done.json["connection"]["id"] == connection["id"]
    changed = tenant.client.get(f"{tenant.connectors}/sources/{source['id']}").json
    kept = ("name", "version", "variables", "environment", "ownership_mode")
    assert {n: changed[n] for n in kept} == {n: source[n] for n in kept}
    after = tenant.client.get(path).json
    assert (after["name"], after["health"]["status"]) == ("CRM", "connected")
    assert stored(tenant) == [1, 2]


def test_a_completed_session_makes_room_for_another(
    tenant: Tenant, published: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_INSTALL_SESSIONS", "2")
    start_cold()
    client = end_user(tenant)
    end_user(tenant)
    full = opened(tenant)
    assert (full.status, full.code) == (409, "QUOTA_EXCEEDED")
    completed(client)
    assert opened(tenant).status == 201
    assert opened(tenant).code == "QUOTA_EXCEEDED"
    [one, *_] = tenant.client.get(sessions(tenant)).json["items"]
    assert tenant.client.delete(f"{sessions(tenant)}/{one['id']}").status == 204
    assert opened(tenant).status == 201


def test_an_expired_session_makes_room_for_another(
    tenant: Tenant, published: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_INSTALL_SESSIONS", "1")
    start_cold()
    end_user(tenant)
    assert opened(tenant).code == "QUOTA_EXCEEDED"
    expire(tenant)
    assert opened(tenant).status == 201
    assert [
        tenant.client.get(f"{sessions(tenant)}?status={status}").json["items"] != []
        for status in ("pending", "expired")
    ] == [True, True]


# ---------------------------------------------------------------- accounts at a provider


@pytest.fixture
def authorizing(
    deployed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    """A provider with an authorization server."""
    with authorization_server(tmp_path, monkeypatch) as served:
        yield served


@pytest.fixture
def tracker(tenant: Tenant, authorizing: Provider) -> Provider:
    """The provider of an integration that has an OAuth application."""
    scopes = ["issues:read", "issues:write", "offline_access"]
    publish_tracker(tenant, authorizing.port, authConfig={"scopes": scopes})
    enter_application(tenant, authorizing)
    return authorizing


def grant_items(tenant: Tenant) -> list[str]:
    """The sort keys of grants, and of what flows have obtained."""
    keys = [item["sk"]["S"] for item in stored_items("IntegrationsTable")]
    return sorted(key[:10] for key in keys if key.startswith(("GRANT#", "SECRET#ins_")))


@pytest.mark.enable_socket
@pytest.mark.parametrize("scopes", [["issues:read"], []])
def test_the_form_has_the_scopes_that_the_application_asks_for(
    tenant: Tenant, tracker: Provider, scopes: list[str]
) -> None:
    listed = f"/v1/organizations/{tenant.organization_id}/oauth-applications"
    [application] = tenant.client.get(listed).json["items"]
    changed = tenant.client.patch(f"{listed}/{application['id']}", {"scopes": scopes})
    assert changed.status == 200, changed.text

    form = end_user(tenant, integration="acme/tracker").get("/v1/install").json

    assert form["authorization"]["scopes"] == scopes


@pytest.mark.enable_socket
def test_an_end_user_connects_an_account(tenant: Tenant, tracker: Provider) -> None:
    client = end_user(tenant, integration="acme/tracker")
    # Given a form that asks for an account, and for no token
    form = client.get("/v1/install").json
    assert form["secrets"] == []
    expected = {
        "scopes": ["issues:read", "issues:write", "offline_access"],
        "found_variables": [],
        "authorized": False,
        "kept": False,
        "scopes_granted": None,
        "scopes_missing": [],
        "choices": [],
        "failure": None,
    }
    assert form["authorization"] == expected
    assert client.get("/v1/install/authorize").json == expected
    # Without it, nothing is tested or completed
    for route in ("test", "complete"):
        early = client.post(f"/v1/install/{route}", {})
        assert (early.status, early.code) == (422, "AUTHORIZATION_REQUIRED")
        assert early.json["error"]["message"] == "Connect your account first."
    # When the end user connects it, and grants less than was asked for
    assert connect_account(client, "issues:read", "offline_access") == "connected"
    step = client.get("/v1/install/authorize").json
    assert (step["authorized"], step["scopes_missing"]) == (True, ["issues:write"])
    assert client.post("/v1/install/test", {}).json["status"] == "succeeded"
    assert grant_items(tenant) == ["SECRET#ins"]
    # Then the session is completed with the grant
    done = client.post("/v1/install/complete", {})
    assert done.status == 200, done.text
    assert done.json["test"]["status"] == "succeeded"
    assert grant_items(tenant) == ["GRANT#src_"]
    source = tenant.client.get(f"{tenant.connectors}/sources/{done.json['source']['id']}").json
    assert source["secrets_set"] == []
    assert source["granted_at"]
    assert client.post("/v1/install/complete", {}).json == done.json
    [application] = tenant.client.get(applications(tenant)).json["items"]
    assert application["uses"] == 1
    actions = [event["action"] for event in trail(tenant, "&entity=install_session")]
    assert actions == ["completed", "tested", "authorized", "opened", "created"]


@pytest.mark.enable_socket
def test_the_requests_of_a_test_may_name_the_client(tenant: Tenant, authorizing: Provider) -> None:
    # Given a provider that wants the id of the client in each request, as Twitch does
    url = f"https://127.0.0.1:{authorizing.port}/me"
    request = {"url": url, "headers": {"Client-Id": "{{secrets.client_id}}"}}
    step = {"name": "whoami", "kind": "http", "request": request}
    manifest = {"roles": ["source"], "checks": {"timeoutMs": 5000, "steps": [step]}}
    publish_tracker(tenant, authorizing.port, manifest=manifest)
    application = enter_application(tenant, authorizing)
    client = end_user(tenant, integration="acme/tracker")
    assert client.get("/v1/install").json["secrets"] == []
    assert connect_account(client) == "connected"
    # Then the tests have it before the connection is there, when it is made, and afterwards
    before = client.post("/v1/install/test", {}).json
    made = client.post("/v1/install/complete", {}).json
    path = f"{tenant.connectors}/sources/{made['source']['id']}/test"
    after = tenant.client.post(path, {}).json
    assert [one["status"] for one in (before, made["test"], after)] == ["succeeded"] * 3
    sent = [headers["client-id"] for path, headers in authorizing.requests if path == "/me"]
    assert sent == [application["client_id"]] * 3
    # And never the secret of the application
    secret = {**request, "headers": {"X-Secret": "{{secrets.client_secret}}"}}
    steps = [{**step, "request": secret}]
    publish_tracker(
        tenant,
        authorizing.port,
        slug="thief",
        manifest={"roles": ["source"], "checks": {"timeoutMs": 5000, "steps": steps}},
    )
    enter_application(tenant, authorizing, integration="acme/thief")
    client = end_user(tenant, integration="acme/thief")
    assert connect_account(client) == "connected"
    assert client.post("/v1/install/test", {}).json["status"] == "failed"
    assert not any("x-secret" in headers for _, headers in authorizing.requests)


@pytest.mark.enable_socket
@pytest.mark.parametrize("is_wanted", [True, False])
def test_a_provider_gets_again_what_it_wants_again(
    tenant: Tenant, authorizing: Provider, is_wanted: bool
) -> None:
    wants = {"stateInExchange": is_wanted, "redirectUriInRefresh": is_wanted}
    publish_tracker(tenant, authorizing.port, authConfig=wants)
    enter_application(tenant, authorizing)
    client = end_user(tenant, integration="acme/tracker")
    assert connect_account(client) == "connected"
    source = client.post("/v1/install/complete", {}).json["source"]
    # When the access token ends, and is refreshed by a test of its own
    authorizing.oauth.end_access()
    path = f"{tenant.connectors}/sources/{source['id']}/test"
    assert tenant.client.post(path, {}).json["status"] == "succeeded"
    # Then the exchange had the state, and the refresh the redirect URI
    exchange, refresh = authorizing.oauth.token_requests
    assert bool(exchange.state) is is_wanted
    assert exchange.redirect_uri
    assert refresh.redirect_uri == (exchange.redirect_uri if is_wanted else None)
    assert refresh.state is None


@pytest.mark.enable_socket
def test_an_account_that_was_refused_is_told(tenant: Tenant, tracker: Provider) -> None:
    client = end_user(tenant, integration="acme/tracker")
    assert connect_account(client, decision="deny") == "denied"
    failure = client.get("/v1/install/authorize").json["failure"]
    assert (failure["outcome"], failure["title"]) == ("denied", "You did not allow access.")
    # Another attempt may succeed
    assert connect_account(client) == "connected"
    assert client.get("/v1/install/authorize").json["failure"] is None
    assert client.post("/v1/install/complete", {}).status == 200


@pytest.mark.enable_socket
def test_a_repair_connects_the_account_again(tenant: Tenant, tracker: Provider) -> None:
    client = end_user(tenant, integration="acme/tracker")
    assert connect_account(client) == "connected"
    made = client.post("/v1/install/complete", {}).json
    repairing = {"integration": "acme/tracker", "connection_id": made["connection"]["id"]}
    # Given a repair that keeps the account
    client = end_user(tenant, **repairing)
    step = client.get("/v1/install").json["authorization"]
    assert (step["authorized"], step["kept"]) == (False, True)
    assert client.post("/v1/install/test", {}).json["status"] == "succeeded"
    # When the account is connected again
    assert connect_account(client) == "connected"
    assert client.post("/v1/install/test", {}).json["status"] == "succeeded"
    done = client.post("/v1/install/complete", {})
    assert (done.status, done.json["test"]["status"]) == (200, "succeeded"), done.text
    assert done.json["source"]["id"] == made["source"]["id"]
    assert grant_items(tenant) == ["GRANT#src_"]
    [application] = tenant.client.get(applications(tenant)).json["items"]
    assert application["uses"] == 1


@pytest.mark.enable_socket
def test_tokens_go_where_the_account_was_connected_for(
    tenant: Tenant, authorizing: Provider
) -> None:
    # Given an integration whose variable is part of where its tokens go
    schema = {"type": "object", "properties": {"team": {"type": "string", "default": "one"}}}
    url = f"https://127.0.0.1:{authorizing.port}/me?team={{{{variables.team}}}}"
    step = {"name": "whoami", "kind": "http", "request": {"method": "GET", "url": url}}
    manifest = {"roles": ["source"], "checks": {"timeoutMs": 5000, "steps": [step]}}
    publish_tracker(tenant, authorizing.port, variablesSchema=schema, manifest=manifest)
    enter_application(tenant, authorizing)
    client = end_user(tenant, integration="acme/tracker")
    assert connect_account(client, team="two") == "connected"
    # When the end user completes with another value
    for route in ("test", "complete"):
        other = client.post(f"/v1/install/{route}", {"variables": {"team": "three"}})
        assert (other.status, other.code) == (422, "AUTHORIZATION_REQUIRED")
        assert other.json["error"]["details"] == {"reason": "other_values"}
    # Then only the one that it was connected for is accepted
    done = client.post("/v1/install/complete", {"variables": {"team": "two"}})
    assert done.status == 200, done.text


@pytest.mark.enable_socket
def test_a_client_of_its_own_is_entered_and_no_token(tenant: Tenant, authorizing: Provider) -> None:
    of_the_client = {"grantType": "client_credentials", "authorizationUrl": None}
    publish_tracker(tenant, authorizing.port, authConfig=of_the_client)
    client = end_user(tenant, integration="acme/tracker")
    fields = client.get("/v1/install").json["secrets"]
    assert [(field["name"], field["required"]) for field in fields] == [
        ("client_id", True),
        ("client_secret", True),
    ]
    assert client.post("/v1/install/complete", {}).pointers == [
        "/secrets/client_id",
        "/secrets/client_secret",
    ]
    registered = authorizing.oauth.register(REDIRECT_URI)
    entered = {"client_id": registered.id, "client_secret": registered.secret}
    done = client.post("/v1/install/complete", {"secrets": entered})
    assert done.status == 200, done.text
    assert done.json["test"]["status"] == "succeeded"


@pytest.mark.enable_socket
def test_tokens_are_entered_by_hand_without_an_application(
    tenant: Tenant, authorizing: Provider
) -> None:
    publish_tracker(tenant, authorizing.port)
    client = end_user(tenant, integration="acme/tracker")
    form = client.get("/v1/install").json
    assert form["authorization"] is None
    assert "access_token" in [field["name"] for field in form["secrets"]]
    assert client.get("/v1/install/authorize").code == "AUTHORIZATION_NOT_FOUND"
    refused = client.post("/v1/install/authorize", {})
    assert (refused.status, refused.code) == (409, "OAUTH_APPLICATION_UNUSABLE")
    done = client.post("/v1/install/complete", {"secrets": {"access_token": "by-hand"}})
    assert done.status == 200, done.text


@pytest.mark.enable_socket
def test_tokens_are_not_entered_beside_an_account(tenant: Tenant, tracker: Provider) -> None:
    client = end_user(tenant, integration="acme/tracker")
    assert connect_account(client) == "connected"
    both = client.post("/v1/install/complete", {"secrets": {"access_token": "by-hand"}})
    assert both.problems == [
        ("/secrets/access_token", "can't be combined with an account that was connected")
    ]


@pytest.mark.enable_socket
def test_a_revoked_session_has_no_tokens_and_takes_none(tenant: Tenant, tracker: Provider) -> None:
    client, browser = end_user(tenant, integration="acme/tracker"), Browser()
    assert connect_account(client) == "connected"
    started = client.post("/v1/install/authorize", {})
    browser.take(started.cookies)
    callback = decided(started.json["authorization_url"])
    revoked = tenant.client.delete(f"{sessions(tenant)}/{latest(tenant)['id']}")
    assert revoked.status == 204
    assert grant_items(tenant) == []
    assert outcome(browser.open(callback)) == "ended"
    assert grant_items(tenant) == []
    assert client.post("/v1/install/authorize", {}).code == "INSTALL_SESSION_ENDED"


@pytest.mark.enable_socket
def test_a_session_begins_so_many_flows(
    tenant: Tenant, tracker: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wizard, "MAX_AUTHORIZATIONS", 2)
    client = end_user(tenant, integration="acme/tracker")
    begun = [client.post("/v1/install/authorize", {}).status for _ in range(3)]
    assert begun == [200, 200, 409]


def test_an_integration_without_a_code_flow_connects_no_account(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    client = end_user(tenant)
    assert client.get("/v1/install").json["authorization"] is None
    assert client.post("/v1/install/authorize", {"variables": {"path": "me"}}).status == 400
