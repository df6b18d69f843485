"""The install wizard in a browser: from its link to what it makes."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from local.provider import Provider
from tests.e2e.browser import Visitor, assert_accessible
from tests.e2e.harness import PATIENT_MS, Tenant

TEAM = {
    "type": "object",
    "required": ["team"],
    "properties": {"team": {"type": "string", "title": "Team"}},
}


def publish(tenant: Tenant, server: Provider, **more: Any) -> str:
    """Publishes an integration that asks the provider who a key is of; returns its key."""
    steps = [{"name": "whoami", "kind": "http", "request": {"url": f"{server.url}/me"}}]
    steps[0]["account"] = "/login"
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": "crm",
        "name": "CRM",
        "variablesSchema": TEAM,
        "authConfig": {"type": "api_key"},
        "manifest": {"roles": ["source"], "checks": {"timeoutMs": PATIENT_MS, "steps": steps}},
        **more,
    }
    integration_id = tenant.post("/v1/integrations", draft).body["id"]
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    return f"{draft['publisher']}/{draft['slug']}"


def session(tenant: Tenant, integration: str, **more: Any) -> dict[str, Any]:
    body = {"integration": integration, "space": tenant.slug, **more}
    return tenant.post(f"{tenant.organization}/install-sessions", body).body


def outcome(tenant: Tenant, made: dict[str, Any]) -> dict[str, Any]:
    """What a session made; empty if it is not completed."""
    read = tenant.get(f"{tenant.organization}/install-sessions/{made['id']}")
    return read["outcome"] or {}


def type_key(page: Page, key: str) -> None:
    page.get_by_label("API key", exact=True).fill(key)


def test_a_person_connects_with_a_key_and_corrects_a_wrong_one(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    # Given a link
    made = session(
        tenant,
        publish(tenant, server),
        end_user={"id": "user-17", "name": "Ada"},
        return_url=f"{server.url}/200",
    )
    page = visit.page
    page.goto(made["url"])

    # Then the page says what is connected, and its token is not in the address any more
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect CRM")
    assert made["token"] not in page.url
    assert_accessible(page)

    # When something is missing, Then nothing is sent, and the field that lacks it has the focus
    page.get_by_role("button", name="Test and connect").click()
    expect(page.get_by_label("Team")).to_be_focused()
    page.get_by_label("Team").fill("sales")

    # When the key is wrong, Then the field says so, and it keeps what was typed
    type_key(page, "wrong-key")
    page.get_by_role("button", name="Test and connect").click()
    key = page.get_by_label("API key", exact=True)
    expect(key).to_have_accessible_description(re.compile("The credential was not accepted"))
    expect(key).to_be_focused()
    expect(key).to_have_value("wrong-key")
    expect(page.get_by_text("The test failed")).to_be_visible()
    assert_accessible(page)
    assert outcome(tenant, made) == {}

    # When the page is loaded again, Then it goes on, without the secret
    page.reload()
    expect(page.get_by_label("Team")).to_have_value("sales")
    expect(key).to_have_value("")

    # When the key is right, Then the connection is there, and the way back
    type_key(page, "right-key")
    page.get_by_role("button", name="Test and connect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CRM is connected")
    expect(page.get_by_text("octocat")).to_be_visible()
    assert_accessible(page)
    back = page.get_by_role("link", name="Back to 127.0.0.1")
    expect(back).to_have_attribute("href", f"{server.url}/200")
    connection_id = outcome(tenant, made)["connection_id"]
    assert tenant.get(f"{tenant.connectors}/connections/{connection_id}")["name"] == "CRM"
