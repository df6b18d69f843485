"""Signing in to the dashboard at an identity provider that nobody here wrote, in a real browser.

The local cloud trusts no issuer, so the functions run in this process, behind a small gateway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Final
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from local import certificates
from local.paths import StateDir
from patchbay.tenancy.access import Permission
from tests.e2e import oidc_provider
from tests.e2e.browser import Visitor, chromium
from tests.integration.account import made_once
from tests.integration.api import Client, start_cold
from tests.integration.cloudformation import read_template
from tests.integration.conftest import Tenant, account, create_tables, deploy, new_tenant

CALLBACK: Final = "/v1/browser-sessions/oidc/callback"
CLIENT_ID: Final = "dashboard"
_ONE_AT_A_TIME: Final = Lock()
"""As in a function."""


class Gateway(BaseHTTPRequestHandler):
    """Passes requests on to the functions, as API Gateway does."""

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

    def do_DELETE(self) -> None:
        self._answer(None)

    def _answer(self, body: str | None) -> None:
        path, mark, query = self.path.partition("?")
        sent = {name.lower(): value for name, value in self.headers.items()}
        with _ONE_AT_A_TIME:
            answer = Client(None).call(self.command, unquote(path) + mark + query, body, sent)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        for cookie in answer.cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    """A browser opens connections ahead, so each has a thread."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None: ...


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>")

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serves on a port of loopback until the block ends."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def deployed(monkeypatch: pytest.MonkeyPatch, authority: str) -> Iterator[str]:
    """The origin of a deployment that trusts servers of this authority."""
    template = read_template()
    with account(monkeypatch), serving(Gateway) as port:
        made_once("dynamodb", lambda: create_tables(template))
        deploy(template, monkeypatch)
        origin = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("PUBLIC_URL", origin)
        monkeypatch.setenv("EGRESS_AUTHORITIES", authority)
        monkeypatch.setenv("BRAND_LOGO_URL", "")
        yield origin


def at_the_provider(page: Page, origin: str) -> None:
    """What a person does at the pages of the provider."""
    page.get_by_placeholder("Enter any login").fill("ada")
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{origin}/app**")


def test_a_person_signs_in_at_the_provider_and_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path)
    authority = certificates.prepare(state, datetime.now(UTC))
    (tmp_path / "idp").mkdir()
    with deployed(monkeypatch, authority) as origin:
        # Given a provider that knows the dashboard, and says which organization people are of
        tenant: Tenant = new_tenant("acme", [Permission.MANAGE, Permission.READ])
        client = {
            "client_id": CLIENT_ID,
            "redirect_uris": [f"{origin}{CALLBACK}"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }
        claims = {
            "organization_id": tenant.organization_id,
            "permissions": ["platform.integration.read"],
        }
        with (
            oidc_provider.oidc_provider(
                tmp_path / "idp", state.server_certificate, client, claims=claims
            ) as issuer,
            chromium(state) as browser,
        ):
            monkeypatch.setenv("JWT_ISSUER", issuer)
            monkeypatch.setenv("JWT_AUDIENCE", "patchbay")
            monkeypatch.setenv("JWT_CLIENT_ID", CLIENT_ID)
            start_cold()
            visiting = Visitor(browser, origin)
            page = visiting.page
            # When somebody asks for a page of the dashboard, and goes to the provider instead
            page.goto(f"/app/spaces/{tenant.space_slug}")
            onward = page.get_by_role("link", name="Continue with single sign-on")
            expect(onward).to_be_visible()
            assert visiting.complaints == []
            onward.click()
            at_the_provider(page, origin)
            visiting.complaints.clear()  # the provider's pages ask for fonts from elsewhere
            # Then they are on the page that they asked for, signed in by their claims
            page.wait_for_url(f"{origin}/app/spaces/{tenant.space_slug}")
            who = page.evaluate("fetch('/v1/browser-sessions/current').then(a => a.json())")
            assert who["subject"] == "jwt:ada"
            assert who["signed_in_by"] == "oidc"
            assert who["permissions"] == ["platform.integration.read"]
            # No script sees the cookie, and no page of another site can use it
            assert page.evaluate("document.cookie") == ""
            [cookie] = [c for c in visiting.context.cookies() if c["name"].startswith("__Host-")]
            assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
            # When they sign out, then they are asked again
            ended = page.evaluate(
                "fetch('/v1/browser-sessions/current', {method: 'DELETE'}).then(a => a.status)"
            )
            assert ended == 204
            page.goto("/app")
            expect(page.get_by_label("API key")).to_be_visible()
            assert visiting.complaints == []


def test_another_site_can_not_act_by_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path)
    authority = certificates.prepare(state, datetime.now(UTC))
    with (
        deployed(monkeypatch, authority) as origin,
        serving(Elsewhere) as port,
        chromium(state) as browser,
    ):
        # Given somebody who is signed in
        tenant = new_tenant("acme", [Permission.MANAGE, Permission.READ])
        visiting = Visitor(browser, origin)
        page = visiting.sign_in(str(tenant.client.key))
        space = f"/spaces/{tenant.space_slug}"
        read = f"fetch('{space}').then(a => a.status)"
        assert page.evaluate(read) == 200
        # When pages of other sites, one of them at another port of the same host, to which the
        # browser sends the cookie along, ask for anything by a script, and by a form
        for site in (f"http://localhost:{port}", f"http://127.0.0.1:{port}"):
            page.goto(site)
            asked = page.evaluate(
                # Bytes without a type need no permission of ours, and would be read as JSON.
                """target => fetch(target, {method: 'POST', credentials: 'include',
                    mode: 'no-cors', body: new Blob(['{}'])}).then(a => a.type, String)""",
                f"{origin}/v1/organizations/{tenant.organization_id}/sign-in-links",
            )
            assert asked == "opaque"
            page.evaluate(
                """target => { const form = document.createElement('form');
                    form.method = 'POST'; form.action = target; document.body.append(form);
                    form.submit(); }""",
                f"{origin}/v1/browser-sessions",
            )
            page.wait_for_url(f"{origin}/v1/browser-sessions")
        # Then nothing was done
        page.goto(f"{origin}/app")
        assert page.evaluate(read) == 200
        audit = f"/v1/organizations/{tenant.organization_id}/audit-events?entity=sign_in_link"
        assert page.evaluate(f"fetch('{audit}').then(a => a.json())")["items"] == []
