"""An account is connected in a real browser, through the deployed template."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from local import certificates
from local.client import Client
from local.paths import StateDir
from local.provider import Provider
from patchbay.grants.callback_pages import done_page
from tests.e2e.browser import chromium, visited
from tests.e2e.harness import Stack, Tenant
from tests.e2e.test_connect import publish

LISTENING = """
window.messages = [];
new BroadcastChannel("patchbay.oauth").onmessage = (event) =>
  window.messages.push({...event.data, by: "channel"});
window.onmessage = (event) =>
  event.origin === location.origin && window.messages.push({...event.data, by: "window"});
true
"""


def asked(page: Page, token: str, method: str, path: str) -> dict[str, object]:
    """The answer of the API to a script of its own origin."""
    request = {"method": method, "headers": {"Authorization": f"Bearer {token}"}}
    if method == "POST":
        request["headers"] |= {"Content-Type": "application/json"}  # type: ignore[operator]
        request["body"] = "{}"
    answer: dict[str, object] = page.evaluate(
        f"fetch({json.dumps(path)}, {json.dumps(request)}).then((answer) => answer.json())"
    )
    return answer


def test_a_person_connects_an_account_in_a_browser(
    browser: Browser, stack: Stack, tenant: Tenant, server: Provider
) -> None:
    # Given an integration with its OAuth application, and a link for an end user
    at = f"{server.https_url}/oauth"
    auth_config = {
        "type": "oauth2",
        "authorizationUrl": f"{at}/authorize",
        "tokenUrl": f"{at}/token",
        "issuer": server.https_url,
        "scopes": ["issues:read", "offline_access"],
    }
    integration = publish(tenant, "tracker", auth_config, f"{server.https_url}/me")
    redirect_uri = f"{stack.api_url}/oauth/callback"
    client = server.oauth.register(redirect_uri)
    body = {"integration": integration, "client_id": client.id, "client_secret": client.secret}
    application = tenant.post(f"{tenant.organization}/oauth-applications", body).body
    assert application["redirect_uri"] == redirect_uri
    session = tenant.post(f"{tenant.organization}/install-sessions", {"integration": integration})
    token = session.body["token"]

    with browser.new_context() as context:
        page = context.new_page()
        # When the person begins on a page of the deployment, and agrees at the provider
        page.goto(f"{stack.api_url}/docs")
        started = asked(page, token, "POST", "/v1/install/authorize")
        page.goto(str(started["authorization_url"]))
        page.click('button[value="allow"]')
        page.wait_for_url("**/oauth/done/**")

        # Then the page says so, and the browser keeps no trace of the code
        assert page.url == f"{stack.api_url}/oauth/done/connected?flow={started['flow']}"
        expect(page.get_by_text("Access was granted.")).to_be_visible()
        assert [url for url in visited(page) if "code=" in url] == []
        assert page.evaluate("document.referrer") == ""
        assert context.cookies() == []

    # And the session can be completed
    user = Client(stack.api_url, token)
    step = user.call("GET", "/v1/install/authorize").body
    assert step["authorized"] is True, step
    done = user.call("POST", "/v1/install/complete", {})
    assert done.status == 200, done.problem
    uses = tenant.get(f"{tenant.organization}/oauth-applications/{application['id']}")["uses"]
    assert uses == 1


@contextmanager
def pages() -> Iterator[str]:
    """The pages after a callback, with their headers, on loopback; and an empty one at `/`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            outcome = path.removeprefix("/oauth/done/")
            body, headers = "<title>opener</title>", {"Content-Type": "text/html"}
            if outcome != path:
                page = done_page(outcome, query)
                body, headers = str(page.body), page.all_headers
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.enable_socket
def test_the_page_tells_the_one_that_opened_it_and_other_tabs(tmp_path: Path) -> None:
    certificates.prepare(StateDir(tmp_path), datetime.now(UTC))
    flow = "0123456789abcdef" * 2
    with pages() as base, chromium(StateDir(tmp_path)) as browser:
        page = browser.new_page()
        for outcome in ("denied", "connected"):
            page.goto(f"{base}/?{outcome}")
            page.evaluate(LISTENING)
            page.evaluate(
                f"() => {{ window.opened = window.open('/oauth/done/{outcome}?flow={flow}') }}"
            )
            page.wait_for_function("window.messages.length > 1")
            found = page.evaluate("window.messages")
            told = {"type": "patchbay.oauth", "outcome": outcome, "flow": flow}
            assert sorted(found, key=lambda one: str(one["by"])) == [
                {**told, "by": "channel"},
                {**told, "by": "window"},
            ]
        # The window of a success closes itself
        page.wait_for_function("window.opened.closed")
