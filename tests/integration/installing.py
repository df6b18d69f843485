"""Install sessions, as a back end makes them and an end user's browser uses them."""

from typing import Any

from patchbay.installs.keys import session_key
from patchbay.platform.dynamodb import Table, Update
from tests.integration.api import Answer, Client
from tests.integration.authorizing import Browser, decided, outcome
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET

RIGHT: dict[str, Any] = {"variables": {"path": "me"}, "secrets": {"api_key": SECRET}}
"""What an end user enters for the integration of the stories."""


def sessions(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/install-sessions"


def opened(tenant: Tenant, **changes: Any) -> Answer:
    """The answer of a create."""
    body = {"integration": "acme/crm", "end_user": {"id": "user-17", "name": "Ada"}, **changes}
    return tenant.client.post(sessions(tenant), body)


def end_user(tenant: Tenant, **changes: Any) -> Client:
    """A client with the token of a new session."""
    made = opened(tenant, **changes)
    assert made.status == 201, made.text
    return Client(made.json["token"])


def completed(client: Client, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/install/complete", RIGHT | changes)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def latest(tenant: Tenant, status: str = "") -> dict[str, Any]:
    """The newest session, or the newest with this status."""
    query = f"?status={status}" if status else ""
    session: dict[str, Any] = tenant.client.get(sessions(tenant) + query).json["items"][0]
    return session


def connect_account(client: Client, *scopes: str, decision: str = "allow", **entered: Any) -> str:
    """What the end user's browser does to connect an account; returns how that ended."""
    browser = Browser()
    started = client.post("/v1/install/authorize", {"variables": entered})
    assert started.status == 200, started.text
    browser.take(started.cookies)
    return outcome(browser.open(decided(started.json["authorization_url"], decision, *scopes)))


def expire(tenant: Tenant) -> None:
    """Ends the newest session by its time."""
    key = session_key(tenant.organization_id, latest(tenant)["id"])
    past = Update(key, values={"valid_until": "2026-01-01T00:00:00.000Z"})
    Table("IntegrationsTable").write(past)
