"""An account is connected over https, through the deployed template."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from local import certificates
from local.client import Client
from local.paths import StateDir
from local.provider import Provider, provider
from tests.e2e import oidc_provider
from tests.e2e.browser import visited
from tests.e2e.browsing import Browser
from tests.e2e.harness import PATIENT_MS, Tenant

SCOPES = ["issues:read", "issues:write", "offline_access"]


def publish(tenant: Tenant, slug: str, auth_config: Mapping[str, Any], base_url: str) -> str:
    """Publishes an integration whose check asks the provider who it is; returns its key."""
    steps = [{"name": "whoami", "kind": "http", "request": {"url": f"{base_url}/me"}}]
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": slug,
        "name": slug,
        "authConfig": auth_config,
        "manifest": {
            "roles": ["source"],
            "baseUrl": base_url,
            "checks": {"timeoutMs": PATIENT_MS, "steps": steps},
        },
    }
    integration_id = tenant.post("/v1/integrations", draft).body["id"]
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    return f"{tenant.slug}/{slug}"


class Connecting:
    """One install session, from the back end's side and from the browser's."""

    def __init__(
        self, tenant: Tenant, integration: str, client_id: str, secret: str | None
    ) -> None:
        self.tenant = tenant
        application = {"integration": integration, "client_id": client_id, "client_secret": secret}
        tenant.post(f"{tenant.organization}/oauth-applications", application)
        body = {"integration": integration, "space": tenant.slug}
        session = tenant.post(f"{tenant.organization}/install-sessions", body).body
        self.session_id = session["id"]
        self.token = session["token"]
        self.url = tenant.stack.api_url

    def asked(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A call of the session's page that needs no cookie."""
        answer = Client(self.url, self.token).call(method, f"/v1/install{path}", body)
        assert answer.status == 200, answer.body
        return answer.body

    def complete(self) -> tuple[str, str]:
        """The paths of the new source and connection."""
        completed = self.asked("POST", "/complete", {"name": "Ada's account"})
        assert completed["test"]["status"] == "succeeded", completed
        sessions = f"{self.tenant.organization}/install-sessions"
        assert self.tenant.get(f"{sessions}/{self.session_id}")["status"] == "completed"
        connectors = self.tenant.connectors
        return (
            f"{connectors}/sources/{completed['source']['id']}",
            f"{connectors}/connections/{completed['connection']['id']}",
        )

    def user(self) -> Client:
        """A client that may use credentials."""
        body = {"name": "back end", "permissions": ["platform.credential.use"]}
        keys = f"{self.tenant.organization}/api-keys"
        issued = self.tenant.operator.call("POST", keys, body)
        return Client(self.url, issued.body["key"])


def begin(page: Page, connecting: Connecting) -> None:
    """Begins to authorize in a tab, as the page of the session does."""
    page.goto(f"{connecting.url}/docs")
    headers = {
        "Authorization": f"Bearer {connecting.token}",
        "Content-Type": "application/json",
    }
    request = json.dumps({"method": "POST", "headers": headers, "body": "{}"})
    url = page.evaluate(
        f"fetch('/v1/install/authorize', {request})"
        ".then(answer => answer.json()).then(started => started.authorization_url)"
    )
    page.goto(url)


def begun(connecting: Connecting) -> tuple[Browser, str]:
    """A browser that has begun to authorize, and where to send it."""
    browser = Browser(connecting.tenant.stack.state.authority_certificate)
    path = f"{connecting.url}/v1/install/authorize"
    browser.open(path, b"{}", bearer=connecting.token, media_type="application/json")
    return browser, json.loads(browser.page)["authorization_url"]


def connect(connecting: Connecting) -> None:
    """A person allows everything at the local provider."""
    browser, authorization_url = begun(connecting)
    browser.open(authorization_url)
    browser.submit({"decision": "allow"})
    assert "/oauth/done/connected" in browser.url


def disconnect(tenant: Tenant, source: str, connection: str) -> None:
    for path in (connection, source):
        assert tenant.client.call("DELETE", path).status == 204


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_the_local_cloud_trusts_its_own_authority_and_no_other(
    tenant: Tenant, server: Provider, tmp_path: Path
) -> None:
    # Given a provider with the certificate of this cloud, and one with that of another
    other = StateDir(tmp_path)
    certificates.prepare(other, datetime.now(UTC))
    with provider(certificate=other.server_certificate) as stranger:
        for slug, served, status in (
            ("own", server, "succeeded"),
            ("stranger", stranger, "failed"),
        ):
            integration = publish(tenant, slug, {"type": "api_key"}, served.https_url)
            # When a connection to it is tested, then only the first is trusted
            body = {"integration": integration, "secrets": {"api_key": "right-key"}}
            tested = tenant.post(f"{tenant.connectors}/sources/test", body, 200).body
            assert tested["status"] == status, tested
        assert tested["code"] == "certificate_chain_incomplete"


def auth_config(server: Provider, **more: Any) -> dict[str, Any]:
    base = f"{server.https_url}/oauth"
    return {
        "type": "oauth2",
        "authorizationUrl": f"{base}/authorize",
        "tokenUrl": f"{base}/token",
        "revocationUrl": f"{base}/revoke",
        "scopes": SCOPES,
        **more,
    }


def test_a_person_connects_an_account_in_a_real_browser(
    browser: Chromium, tenant: Tenant, server: Provider
) -> None:
    # Given an integration, its OAuth application, and an install session
    registered = server.oauth.register(f"{tenant.stack.api_url}/oauth/callback")
    integration = publish(tenant, "issues", auth_config(server), server.https_url)
    connecting = Connecting(tenant, integration, registered.id, registered.secret)
    with browser.new_context() as context:
        page = context.new_page()
        # When the person denies the access
        begin(page, connecting)
        page.click('button[value="deny"]')
        page.wait_for_url("**/oauth/done/denied?*")
        step = connecting.asked("GET", "/authorize")
        assert (step["authorized"], step["failure"]["outcome"]) == (False, "denied")
        # And then allows it, without one scope
        begin(page, connecting)
        page.click('input[value="issues:write"]')
        page.click('button[value="allow"]')
        page.wait_for_url("**/oauth/done/connected?*")
        # Then nothing of the answer is left in the browser's address or history
        assert "code=" not in page.url
        assert [url for url in visited(page) if "code=" in url] == []
    step = connecting.asked("GET", "/authorize")
    assert (step["authorized"], step["scopes_missing"]) == (True, ["issues:write"])
    # And the session makes a connection that passes its test
    source, connection = connecting.complete()
    health = tenant.get(connection)["health"]
    assert health["status"] == "connected"
    # And when it is deleted, then the grant is gone at the provider
    disconnect(tenant, source, connection)
    until(lambda: all(grant.is_revoked for grant in server.oauth.grants()))


def test_a_callback_in_another_browser_changes_nothing(tenant: Tenant, server: Provider) -> None:
    # Given a person who was sent the address of another's session (login CSRF, RFC 9700 §4.7)
    registered = server.oauth.register(f"{tenant.stack.api_url}/oauth/callback")
    integration = publish(tenant, "issues", auth_config(server), server.https_url)
    connecting = Connecting(tenant, integration, registered.id, registered.secret)
    url = connecting.asked("POST", "/authorize", {})["authorization_url"]
    stranger = Browser(tenant.stack.state.authority_certificate)
    # When they agree in their own browser
    stranger.open(url)
    stranger.submit({"decision": "allow"})
    # Then nothing is exchanged
    assert stranger.url.endswith("/oauth/done/elsewhere")
    assert not connecting.asked("GET", "/authorize")["authorized"]
    assert server.oauth.token_requests == []


def test_tokens_of_a_strange_authorization_server_are_refreshed_and_revoked(
    tenant: Tenant, tmp_path: Path
) -> None:
    # Given a server that nobody here wrote, whose tokens live for seconds
    api = tenant.stack.api_url
    metadata = {
        "client_id": "patchbay",
        "client_secret": "a secret with 100 % of: everything",
        "redirect_uris": [f"{api}/oauth/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
    }
    certificate = tenant.stack.state.server_certificate
    with oidc_provider.oidc_provider(tmp_path, certificate, metadata, 4) as issuer:
        found = {
            "type": "oauth2",
            "authorizationUrl": f"{issuer}/auth",
            "tokenUrl": f"{issuer}/token",
            "revocationUrl": f"{issuer}/token/revocation",
            "scopes": ["openid", "offline_access"],
            "authorizationParams": {"prompt": "consent"},
        }
        integration = publish(tenant, "strange", found, issuer)
        secret = str(metadata["client_secret"])
        connecting = Connecting(tenant, integration, "patchbay", secret)
        # When a person connects an account
        browser, authorization_url = begun(connecting)
        oidc_provider.consent(browser, authorization_url, f"{api}/oauth/callback")
        browser.open(browser.url)
        assert browser.url.partition("?")[0] == f"{api}/oauth/done/connected"
        source, connection = connecting.complete()
        # Then the back end gets a fresh token however often one expires
        user = connecting.user()
        tokens = []
        for _ in range(3):
            given = user.call("GET", f"{connection}/credentials").body
            browser.open(f"{issuer}/me", bearer=given["access_token"])
            assert (browser.status, json.loads(browser.page)["sub"]) == (200, "octocat")
            tokens.append(given["access_token"])
            time.sleep(5)
        assert len(set(tokens)) == 3
        # And its requests get through
        assert user.call("GET", f"{connection}/proxy/me").body == {"sub": "octocat"}
        last = user.call("GET", f"{connection}/credentials").body["access_token"]
        # And when the account is disconnected, then the token is worth nothing at once
        disconnect(tenant, source, connection)
        browser.open(f"{issuer}/me", bearer=last)
        assert browser.status == 401


def test_a_connection_whose_access_was_taken_away_asks_for_a_repair(
    tenant: Tenant, server: Provider
) -> None:
    # Given an account that was connected
    registered = server.oauth.register(f"{tenant.stack.api_url}/oauth/callback")
    quick = auth_config(server, authorizationParams={"expires_in": "1"})
    integration = publish(tenant, "issues", quick, server.https_url)
    connecting = Connecting(tenant, integration, registered.id, registered.secret)
    connect(connecting)
    source, connection = connecting.complete()
    # When its owner takes the access away at the provider
    [grant] = server.oauth.grants()
    grant.is_revoked = True
    time.sleep(1)
    tested = tenant.post(f"{connection}/test", {}, 200).body
    # Then a test says so, and the connection asks to be connected again
    assert (tested["status"], tested["blame"]) == ("failed", "customer"), tested
    assert tenant.get(connection)["required_action"] == "reauthorize"
    # When a session repairs it, then it works again with the same ids
    body = {
        "integration": integration,
        "connection_id": connection.rpartition("/")[2],
    }
    session = tenant.post(f"{tenant.organization}/install-sessions", body).body
    connecting.session_id, connecting.token = session["id"], session["token"]
    connect(connecting)
    repaired = connecting.asked("POST", "/complete", {})
    assert repaired["test"]["status"] == "succeeded", repaired
    assert f"{tenant.connectors}/sources/{repaired['source']['id']}" == source
    assert tenant.get(connection)["required_action"] == "none"
