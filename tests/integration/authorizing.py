"""What tests need to connect an account: an authorization server, and a person at a browser."""

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

import oauth
from local import certificates
from local.paths import StateDir
from local.provider import Provider, provider
from patchbay.grants.code_flow import FlowRequest, StartedFlow
from patchbay.platform.clock import utc_now
from patchbay.registry.model import Release
from tests.integration.api import Answer, Client, start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import publish_integration

REDIRECT_URI = "https://go.acme.com/oauth/callback"
CLIENT_SECRET = "a-client-secret-0123456789"


@contextmanager
def authorization_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider with https on loopback, whose certificate the functions trust."""
    state = StateDir(folder)
    authority = certificates.prepare(state, utc_now())
    monkeypatch.setenv("EGRESS_AUTHORITIES", authority)
    start_cold()
    with provider(certificate=state.server_certificate) as served:
        yield served


def oauth_config(port: int, **changes: Any) -> dict[str, Any]:
    """An `authConfig` of the server on this port of loopback."""
    at = f"https://127.0.0.1:{port}/oauth"
    return {
        "type": "oauth2",
        "authorizationUrl": f"{at}/authorize",
        "tokenUrl": f"{at}/token",
        "revocationUrl": f"{at}/revoke",
        "scopes": ["issues:read", "offline_access"],
        "authHeaderName": "Authorization",
        "authValuePrefix": "Bearer ",
        **changes,
    }


NO_VARIABLES = {"type": "object", "additionalProperties": False, "properties": {}}


def publish_tracker(tenant: Tenant, port: int, **changes: Any) -> dict[str, Any]:
    """An integration that is connected at the server on this port."""
    at = f"https://127.0.0.1:{port}"
    step = {"name": "whoami", "kind": "http", "request": {"method": "GET", "url": f"{at}/me"}}
    config = changes.pop("authConfig", {})
    return publish_integration(
        tenant,
        **{
            "slug": "tracker",
            "name": "Tracker",
            "variablesSchema": NO_VARIABLES,
            "authConfig": oauth_config(port, **config),
            "manifest": {
                "roles": ["source"],
                "checks": {"timeoutMs": 5000, "steps": [step]},
            },
            **changes,
        },
    )


def applications(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/oauth-applications"


def enter_application(tenant: Tenant, served: Provider, **changes: Any) -> dict[str, Any]:
    """The application of a client that the provider knows."""
    client = served.oauth.register(REDIRECT_URI)
    body = {
        "integration": "acme/tracker",
        "client_id": client.id,
        "client_secret": client.secret,
        **changes,
    }
    answer = tenant.client.post(applications(tenant), body)
    assert answer.status == 201, answer.text
    entered: dict[str, Any] = answer.json
    return entered


def new_session(tenant: Tenant, integration: str = "acme/tracker") -> str:
    """The id of a pending install session."""
    path = f"/v1/organizations/{tenant.organization_id}/install-sessions"
    answer = tenant.client.post(path, {"integration": integration})
    assert answer.status == 201, answer.text
    session_id: str = answer.json["id"]
    return session_id


@dataclass
class Browser:
    """A browser as far as flows need one: it keeps cookies, and follows what a provider says."""

    cookies: dict[str, str] = field(default_factory=dict)

    def take(self, texts: Sequence[str]) -> None:
        """Set-Cookie."""
        for text in texts:
            pair, *attributes = text.split("; ")
            name, _, value = pair.partition("=")
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def open(self, target: str) -> Answer:
        """Opens a page of the API."""
        answer = Client(None).get(target, cookie=self.header)
        self.take(answer.cookies)
        return answer


@dataclass
class Journey:
    """A tenant with a session, and what happens to it."""

    tenant: Tenant
    session_id: str
    variables: dict[str, Any] = field(default_factory=dict)
    browser: Browser = field(default_factory=Browser)

    @classmethod
    def of(cls, tenant: Tenant, **values: Any) -> "Journey":
        return cls(tenant, new_session(tenant), **values)

    @property
    def release(self) -> Release:
        deployment = oauth.deployment
        organization_id = self.tenant.organization_id
        session = deployment.install_sessions.get(organization_id, self.session_id)
        return deployment.registry.release(session.integration_id, session.version)

    def start(
        self, now: datetime | None = None, scopes: Sequence[str] | None = None
    ) -> StartedFlow:
        """Begins a flow, in the browser of the journey."""
        request = FlowRequest(
            self.tenant.organization_id, self.session_id, self.release, self.variables, scopes
        )
        started = oauth.deployment.code_flow.start(request, REDIRECT_URI, now or utc_now())
        self.browser.take([str(started.cookie)])
        return started

    def obtained(self, now: datetime | None = None) -> Any:
        return oauth.deployment.code_flow.obtained(
            self.tenant.organization_id, self.session_id, now or utc_now()
        )

    def failure(self) -> Any:
        return oauth.deployment.code_flow.failure(
            self.tenant.organization_id, self.session_id, utc_now()
        )


def decided(authorization_url: str, decision: str = "allow", *scopes: str) -> str:
    """The callback that a provider sends the browser to when a person has decided: path and query.

    Without `scopes`, all are allowed.
    """
    refused, html = _call("GET", authorization_url)
    if refused:
        return _target(refused)
    [request] = re.findall(r'name="request" value="([^"]+)"', html)
    offered = re.findall(r'name="scope" value="([^"]+)"', html)
    fields = [("request", request), ("decision", decision)]
    fields += [("scope", scope) for scope in offered if not scopes or scope in scopes]
    url = urlsplit(authorization_url)
    location, _ = _call("POST", f"https://{url.netloc}/oauth/consent", urlencode(fields))
    return _target(location)


def query_of(target: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(target).query))


def with_query(target: str, **changes: str | None) -> str:
    """The callback with other parameters; None leaves one out."""
    query = {**query_of(target), **changes}
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{urlsplit(target).path}?{urlencode(kept)}"


def outcome(answer: Answer) -> str:
    """The outcome that a callback led to; every callback leads to a page without its query."""
    assert answer.status == 303, answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/html")
    location = answer.headers["location"]
    match = re.fullmatch(r"/oauth/done/([a-z-]+)(\?flow=[0-9a-f]{32})?", location)
    assert match, location
    page = Client(None).get(location)
    assert page.status == 200
    return match[1]


def _target(location: str) -> str:
    assert location.startswith(REDIRECT_URI)
    return location.removeprefix("https://go.acme.com")


def _call(method: str, url: str, body: str | None = None) -> tuple[str, str]:
    """The Location of an answer, and its body."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    with closing(HTTPSConnection(parts.netloc, context=context, timeout=10)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        answer = connection.getresponse()
        return answer.getheader("Location") or "", answer.read().decode()
