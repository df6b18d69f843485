"""A token of an install session is for one thing, once, for a while, and for nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from local.provider import Provider
from patchbay.installs import wizard
from patchbay.installs.installer import Installer
from patchbay.tenancy import install_tokens
from tests.integration.api import Client, start_cold
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES
from tests.integration.installing import (
    RIGHT,
    completed,
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
from tests.integration.test_isolation import everything_of

COMPLETE = "/v1/install/complete"


def stored(tenant: Tenant) -> list[int]:
    """How many sources and connections the tenant has."""
    return [
        len(tenant.client.get(f"{tenant.connectors}/{kind}").json["items"])
        for kind in ("sources", "connections")
    ]


def test_a_token_is_nobody_on_every_other_route(tenant: Tenant) -> None:
    names = everything_of(tenant)
    client = end_user(tenant)
    for route in ROUTES:
        if route.is_of_sessions:
            continue
        answer = client.call(route.method, names.path(route), None)
        assert answer.status == 401, route
        assert route.method == "HEAD" or answer.code == "UNAUTHENTICATED"


def test_an_api_key_is_nobody_on_the_routes_of_sessions(tenant: Tenant, operator: Tenant) -> None:
    of_sessions = [route for route in ROUTES if route.is_of_sessions]
    assert len(of_sessions) >= 3
    for route in of_sessions:
        for holder in (tenant, operator):
            refused = holder.client.call(route.method, route.path, "{}" if route.has_body else None)
            assert (refused.status, refused.code) == (403, "PERMISSION_DENIED")
            assert "install session" in refused.json["error"]["message"]
        for token in (None, "pbi_", "pbi_" + "A" * 43, "pbi_" + "A" * 44):
            nobody = Client(token).call(route.method, route.path, None)
            assert (nobody.status, nobody.code) == (401, "UNAUTHENTICATED")
            assert "pbi_" in nobody.json["error"]["message"]


def test_a_guess_is_a_request_of_nobody_and_locks_out_no_end_user(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    monkeypatch.setenv("UNAUTHENTICATED_REQUESTS_PER_MINUTE", "3")
    monkeypatch.setenv("REQUESTS_PER_MINUTE", "4")
    start_cold("authorizer")
    # Given a flood of guesses
    guesses = [Client(f"pbi_{number:043}").get("/v1/install") for number in range(5)]
    assert [guess.status for guess in guesses] == [401, 401, 401, 429, 429]
    # When the end user goes on, also after many requests
    assert {client.get("/v1/install").status for _ in range(20)} == {200}
    # Then their requests take none of the organization's
    assert [tenant.client.get(sessions(tenant)).status for _ in range(4)] == [200] * 4
    assert tenant.client.get(sessions(tenant)).status == 429
    assert client.get("/v1/install").status == 200


def test_a_session_has_a_limit_of_its_own(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_integration(tenant)
    one, other = end_user(tenant), end_user(tenant)
    monkeypatch.setattr("patchbay.tenancy.authentication.MAX_REQUESTS_PER_MINUTE", 2)
    assert install_tokens.MAX_REQUESTS_PER_MINUTE > 60
    start_cold("authorizer")
    assert [one.get("/v1/install").status for _ in range(3)] == [200, 200, 429]
    assert one.get("/v1/install").json["error"]["details"]["quota"] == "install_requests_per_minute"
    assert other.get("/v1/install").status == 200


NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "site": {
            "type": "object",
            "properties": {"host": {"type": "string"}, "port": {"type": "integer", "default": 443}},
        },
        "a/b": {"type": "string"},
        "m~n": {"type": "string"},
        "list": {"type": "array", "items": {"type": "string"}},
        "path": {"type": "string", "default": "me"},
        "free": {"type": ["string", "null"]},
        "host": {"type": "string", "format": "hostname"},
    },
}
PREFILLED: dict[str, Any] = {
    "site": {"host": "a.example.com"},
    "a/b": "set",
    "m~n": "set",
    "list": ["first", "second"],
    "free": "set",
    "host": "API.example.com",
}


@pytest.mark.parametrize(
    ("locked", "entered"),
    [
        ("/site/host", {"site": {"host": "b.example.com"}}),
        ("/site/host", {"site": {"host": None}}),
        ("/site/host", {"site": None}),
        ("/site/port", {"site": {"port": 80}}),
        ("/site", {"site": {"port": 80}}),
        ("/site", {"site": {"more": 1}}),
        ("/a~1b", {"a/b": "other"}),
        ("/m~0n", {"m~n": "other"}),
        ("/list", {"list": ["first"]}),
        ("/list", {"list": ["first", "second", "third"]}),
        ("/list/0", {"list": ["second", "first"]}),
        ("/list/1", {"list": ["first"]}),
        ("/list/1", {"list": None}),
        ("/path", {"path": "you"}),
        ("/free", {"free": None}),
        ("/host", {"host": "api.example.org"}),
        ("", {"new": 1}),
        ("", {"path": "you"}),
    ],
    ids=str,
)
def test_what_is_locked_can_t_be_changed_in_any_way(
    locked: str, entered: dict[str, Any], tenant: Tenant
) -> None:
    publish_integration(tenant, variablesSchema=NESTED)
    client = end_user(tenant, variables=PREFILLED, locked=[locked])
    for route in ("/v1/install/test", COMPLETE):
        refused = client.post(route, {**RIGHT, "variables": entered})
        assert refused.status == 400, refused.text
        assert refused.pointers == [f"/variables{locked}"]
    assert stored(tenant) == [0, 0]


@pytest.mark.parametrize(
    ("locked", "entered"),
    [
        ("/site/host", {"site": {"port": 80}}),
        ("/list/0", {"list": ["first", "other"]}),
        ("/a~1b", {"a": {"b": "other"}}),
        ("/host", {"host": "api.EXAMPLE.com."}),
        ("/path", {"path": None}),
        ("/path", {"path": "me", "free": "other"}),
    ],
    ids=str,
)
def test_what_is_beside_it_can_be_changed(
    locked: str, entered: dict[str, Any], tenant: Tenant
) -> None:
    publish_integration(tenant, variablesSchema=NESTED)
    client = end_user(tenant, variables=PREFILLED, locked=[locked])
    assert client.post(COMPLETE, {**RIGHT, "variables": entered}).status == 200


def test_secrets_can_t_be_prefilled(tenant: Tenant) -> None:
    publish_integration(tenant, variablesSchema={"type": "object"})
    refused = opened(tenant, variables={"api_key": "shown to the browser"})
    assert refused.pointers == ["/variables/api_key"]


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/done",
        "https://user:pw@app.example.com/",
        "https://app.example.com@evil.example/",
        "https://app.example.com\\@evil.example/",
        "https:\\\\evil.example/",
        "//evil.example/",
        "/done",
        "https:///evil.example/",
        "https:/evil.example",
        "https://*.example.com/",
        "https://app.example.com:0/",
        "https://app.example.com:65536/",
        "https://app.example.com:443@evil.example/",
        "javascript:alert(1)",
        "https://javascript:alert(1)",
        "data:text/html,x",
        " https://app.example.com/",
        "https://app.example.com/\nx",
        "https://app.example.com/\tx",
        "https://app.exa\u00admple.com/",
        "https://ex\u0430mple.com/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/",
        "http://127.1/",
        "http://[::1/",
        "https://[::1]/",
        "https://-app.example.com/",
        "https://app..example.com/",
        "HTTPS://app.example.com/",
        "",
    ],
    ids=ascii,
)
def test_a_browser_is_sent_back_to_an_https_address_alone(url: str, tenant: Tenant) -> None:
    publish_integration(tenant)
    refused = opened(tenant, return_url=url, allowed_origins=[url])
    assert refused.pointers == ["/return_url", "/allowed_origins/0"]


@pytest.mark.parametrize(
    "origin", ["https://app.example.com/", "https://app.example.com?x", "https://app.example.com#x"]
)
def test_an_origin_has_no_path(origin: str, tenant: Tenant) -> None:
    publish_integration(tenant)
    assert opened(tenant, allowed_origins=[origin]).pointers == ["/allowed_origins/0"]
    assert opened(tenant, return_url=origin, allowed_origins=["http://[::1]:3000"]).status == 201


@pytest.mark.parametrize("end", ["expired", "revoked", "key"])
def test_an_ended_session_does_nothing_and_says_so_once(end: str, tenant: Tenant) -> None:
    publish_integration(tenant)
    issued = None
    maker = tenant
    if end == "key":
        keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
        issued = tenant.client.post(
            keys, {"name": "app", "permissions": ["platform.integration.manage"]}
        ).json
        maker = Tenant(
            tenant.organization_id, tenant.space_id, tenant.space_slug, Client(issued["key"])
        )
    client = end_user(maker)
    assert client.get("/v1/install").status == 200
    # When it expires, is revoked, or the key that made it is
    if end == "expired":
        expire(tenant)
    elif end == "revoked":
        tenant.client.delete(f"{sessions(tenant)}/{latest(tenant)['id']}")
    elif issued:
        assert tenant.client.delete(f"{keys}/{issued['id']}").status == 204
    # Then at once nothing works any more
    status = "expired" if end == "expired" else "revoked"
    for answer in (
        client.get("/v1/install"),
        client.post("/v1/install/test", RIGHT),
        client.post(COMPLETE, RIGHT),
    ):
        assert (answer.status, answer.code) == (410, "INSTALL_SESSION_ENDED")
        assert answer.json["error"]["details"] == {"status": status}
        assert "start again" in answer.json["error"]["message"]
    assert stored(tenant) == [0, 0]
    actions = [event["action"] for event in trail(tenant, "&entity=install_session")]
    assert actions.count("refused") == 1


def in_between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Does something between what a completion reads and what it writes."""
    store, is_done = Installer.store, list[bool]()

    def late(self: Installer, *arguments: Any) -> None:
        if not is_done:
            is_done.append(True)
            act()
        store(self, *arguments)

    monkeypatch.setattr(Installer, "store", late)


def test_two_completions_at_once_make_one_connection(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    outcomes: list[Any] = []
    in_between(monkeypatch, lambda: outcomes.append(completed(client, name="Winner")))
    outcomes.append(completed(client, name="Loser"))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["connection"]["name"] == "Winner"
    assert stored(tenant) == [1, 1]


def test_a_session_that_is_revoked_meanwhile_completes_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    one = f"{sessions(tenant)}/{latest(tenant)['id']}"
    in_between(monkeypatch, lambda: tenant.client.delete(one))
    assert client.post(COMPLETE, RIGHT).code == "INSTALL_SESSION_ENDED"
    assert stored(tenant) == [0, 0]


def test_a_key_that_is_revoked_meanwhile_completes_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    [key] = tenant.client.get(keys).json["items"]
    in_between(monkeypatch, lambda: tenant.client.delete(f"{keys}/{key['id']}"))
    assert client.post(COMPLETE, RIGHT).code == "INSTALL_SESSION_ENDED"


def hidden(tenant: Tenant, integration: dict[str, Any]) -> None:
    path = f"/v1/integrations/{integration['id']}"
    assert tenant.client.patch(path, {"visibility": "private"}).status == 200


def deleted(tenant: Tenant, integration: dict[str, Any]) -> None:
    assert tenant.client.delete(f"/v1/integrations/{integration['id']}").status == 204


def yanked(tenant: Tenant, integration: dict[str, Any]) -> None:
    path = f"/v1/integrations/{integration['id']}/versions/1.0.0"
    assert tenant.client.patch(path, {"yanked": "It leaks."}).status == 200


@pytest.mark.parametrize("change", [hidden, deleted, yanked])
@pytest.mark.parametrize("late", [False, True])
def test_an_integration_that_its_tenant_may_not_use_any_more_is_not_installed(
    change: Callable[[Tenant, dict[str, Any]], None],
    late: bool,
    tenant: Tenant,
    stranger: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a session of a tenant for the integration of another
    integration = publish_integration(tenant, visibility="public")
    client = end_user(stranger)
    if late and change is hidden:
        return  # a release stays usable to those who are just connecting it
    if late:
        in_between(monkeypatch, lambda: change(tenant, integration))
    else:
        change(tenant, integration)
        for answer in (client.get("/v1/install"), client.post("/v1/install/test", RIGHT)):
            assert (answer.status, answer.code) == (409, "INSTALL_NOT_POSSIBLE")
    refused = client.post(COMPLETE, RIGHT)
    assert (refused.status, refused.code) == (409, "INSTALL_NOT_POSSIBLE")
    assert "Go back to the app" in refused.json["error"]["message"]
    assert stored(stranger) == [0, 0]


@pytest.mark.parametrize("again", [False, True])
def test_a_session_of_a_deleted_space_installs_nothing(again: bool, tenant: Tenant) -> None:
    publish_integration(tenant)
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    space = {"slug": "short-lived", "name": "Short-lived"}
    assert tenant.client.post(spaces, space).status == 201
    client = end_user(tenant, space="short-lived")
    assert tenant.client.delete("/spaces/short-lived").status == 204
    if again:
        assert tenant.client.post(spaces, space).status == 201
    assert client.post(COMPLETE, RIGHT).code == "INSTALL_NOT_POSSIBLE"
    assert stored(tenant) == [0, 0]


@pytest.mark.enable_socket
def test_a_repair_can_t_send_the_stored_secret_elsewhere(tenant: Tenant, server: Provider) -> None:
    # Given a connection whose host is a variable
    manifest = calling(server.port)
    url = f"http://{{{{variables.host}}}}:{server.port}/me"
    manifest["checks"]["steps"][0]["request"]["url"] = url
    schema = {"type": "object", "properties": {"host": {"type": "string", "format": "hostname"}}}
    publish_integration(tenant, manifest=manifest, variablesSchema=schema)
    source = create_source(tenant, variables={"host": "localhost"})
    client = end_user(tenant, connection_id=create_connection(tenant, source)["id"])
    # When the end user changes the host, and does not know the secret
    elsewhere = {"variables": {"host": "elsewhere.example"}}
    for route in ("/v1/install/test", COMPLETE):
        refused = client.post(route, elsewhere)
        # Then it is asked for, and nothing is sent
        assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
        assert refused.pointers == ["/secrets/api_key"]
    assert server.requests == []
    # And the form never has it
    assert SECRET not in client.get("/v1/install").text


def test_what_a_session_made_may_be_deleted(tenant: Tenant) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    made = completed(client)
    path = f"{tenant.connectors}/connections/{made['connection']['id']}"
    assert tenant.client.delete(path).status == 204
    again = client.post(COMPLETE, RIGHT)
    assert (again.status, again.json["error"]["details"]) == (410, {"status": "completed"})
    assert stored(tenant) == [1, 0]


def test_a_connection_that_is_deleted_meanwhile_is_not_repaired(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    client = end_user(tenant, connection_id=connection["id"])
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.delete(path).status == 204
    assert client.get("/v1/install").code == "INSTALL_NOT_POSSIBLE"
    assert client.post(COMPLETE, RIGHT).code == "INSTALL_NOT_POSSIBLE"


def test_a_session_has_so_many_tests(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_integration(tenant)
    client = end_user(tenant)
    monkeypatch.setattr(wizard, "MAX_TESTS", 2)
    assert [client.post("/v1/install/test", RIGHT).status for _ in range(3)] == [200, 200, 409]
    # What is not tested is still completed
    assert client.post(COMPLETE, RIGHT).status == 200


def test_tests_of_end_users_are_tests_of_their_organization(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    monkeypatch.setenv("TESTS_PER_MINUTE", "1")
    start_cold("installs")
    one, other = end_user(tenant), end_user(tenant)
    assert one.post("/v1/install/test", RIGHT).status == 200
    limited = other.post("/v1/install/test", RIGHT)
    assert (limited.status, limited.code) == (429, "RATE_LIMITED")
    # The one that completes a session is not
    assert completed(other)["test"]["status"] == "succeeded"


def test_nobody_sees_the_session_of_another_tenant(tenant: Tenant, stranger: Tenant) -> None:
    publish_integration(tenant)
    end_user(tenant)
    theirs = latest(tenant)["id"]
    for answer in (
        stranger.client.get(f"{sessions(stranger)}/{theirs}"),
        stranger.client.delete(f"{sessions(stranger)}/{theirs}"),
        stranger.client.get(f"{sessions(tenant)}/{theirs}"),
    ):
        assert answer.status == 404
    refused = stranger.client.post(
        sessions(stranger), {"integration": "acme/crm", "connection_id": theirs}
    )
    assert refused.status == 400
