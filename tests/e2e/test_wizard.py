"""The install wizard in a browser: from its link to what it makes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from local.provider import Provider
from tests.e2e.browser import Visitor, assert_accessible, visitor
from tests.e2e.harness import PATIENT_MS, Tenant

_PRESSED_MS: Final = 5_000
"""A key takes a few milliseconds; the rest is for a busy machine."""

TEAM: Final[dict[str, Any]] = {
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


def test_an_account_is_connected_on_the_way_to_the_provider_and_back(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    # Given a value that is typed before
    made = session(tenant, publish_oauth(tenant, server))
    page = visit.page
    page.goto(made["url"])
    page.get_by_label("Team").fill("sales")
    expect(page.get_by_role("button", name="Test and connect")).to_have_count(0)
    assert_accessible(page)

    # When the person denies access, Then the page they come back to says so
    page.get_by_role("button", name="Sign in at CRM").click()
    page.locator("button[value=deny]").click()
    expect(page.get_by_text("You did not allow access.")).to_be_visible()

    # When they allow a part of it, Then it says what is missing, and has what was typed
    page.get_by_role("button", name="Sign in at CRM").click()
    page.locator("input[value='issues:write']").uncheck()
    page.locator("button[value=allow]").click()
    expect(page.get_by_text("Your account is connected.")).to_be_visible()
    expect(page.get_by_text("You did not allow all that was asked for.")).to_be_visible()
    expect(page.get_by_label("Team")).to_have_value("sales")
    assert page.url == f"{visit.origin}/install/{tenant.slug}/crm"
    assert_accessible(page)

    # Then what they typed, chose, and allowed is one connection
    page.get_by_label("Acme Europe").check()
    page.get_by_role("button", name="Test and connect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CRM is connected")
    source = tenant.get(f"{tenant.connectors}/sources/{outcome(tenant, made)['source_id']}")
    assert source["variables"] == {"team": "sales", "account": "acme-eu"}


def test_the_wizard_is_shown_in_a_page_of_another_site(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    # Given a page of a customer, which opens the wizard over itself
    with app(tenant.stack.api_url) as origin:
        origins = ["https://other.example.com", origin]
        made = session(tenant, publish_oauth(tenant, server), allowed_origins=origins)
        page = visit.page
        page.goto(f"{origin}/")
        page.evaluate("url => start(url)", made["url"])
        wizard = page.frame_locator("iframe")
        wizard.get_by_label("Team").fill("sales")

        # When the account is connected in a window, since a frame gets no cookie of its own
        with visit.context.expect_page() as opened:
            wizard.get_by_role("button", name="Sign in at CRM").click()
        opened.value.locator("button[value=allow]").click()

        # Then the frame goes on by itself, and the page hears how it ended
        wizard.get_by_label("Acme America").check()
        wizard.get_by_role("button", name="Test and connect").click()
        expect(wizard.get_by_role("heading", level=1)).to_have_text("CRM is connected")
        assert opened.value.is_closed()
        made_by_it = outcome(tenant, made)
        # A busy machine may show it later than a page would wait.
        late = {"type": "failed", "code": "NOT_SHOWN"}
        told = page.evaluate("events")
        events = [one for one in told if one["type"] != "resize" and one != late]
        assert events == [
            {"type": "ready"},
            {
                "type": "completed",
                "connection_id": made_by_it["connection_id"],
                "source_id": made_by_it["source_id"],
            },
        ]

        # When Escape is pressed in the frame, Then it is gone, and the page has the focus again
        # Chromium may never say that it handled a key that removes the frame it was pressed in.
        with suppress(TimeoutError):
            wizard.locator(":focus").press("Escape", timeout=_PRESSED_MS)
        expect(page.locator("iframe")).to_have_count(0)
        assert page.evaluate("events.at(-1)") == {"type": "closed"}
        assert page.evaluate("document.activeElement.id") == "connect"


def test_no_other_page_can_show_the_wizard(
    tenant: Tenant, server: Provider, browser: Browser
) -> None:
    with app(tenant.stack.api_url) as origin, visitor(browser, tenant.stack) as visit:
        made = session(tenant, publish(tenant, server), allowed_origins=["https://a.example.com"])
        visit.page.goto(f"{origin}/")
        visit.page.evaluate("url => start(url)", made["url"])
        expect(visit.page.frame_locator("iframe").get_by_label("API key")).to_have_count(0)
        visit.page.wait_for_timeout(500)
        assert visit.page.evaluate("events") == []
        refused = [said for said in visit.complaints if "frame-ancestors" in said]
        assert refused
        visit.complaints.clear()


@pytest.mark.parametrize(
    ("token", "title"),
    [
        ("", "This link is not complete"),
        ("#pbi_cut-off", "This link is not complete"),
        (f"#pbi_{'a' * 43}", "This link does not work"),
    ],
)
def test_a_wrong_link_says_what_to_do(visit: Visitor, token: str, title: str) -> None:
    visit.page.goto(f"/install/acme/crm{token}")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(title)
    assert_accessible(visit.page)


def test_a_link_to_the_window_of_the_provider_asks_first(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    """Otherwise one click on it would connect an account for a stranger."""
    made = session(tenant, publish_oauth(tenant, server))
    visit.page.goto(made["url"].replace("#", "?authorize=popup#") + "&%7B%7D")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Connect CRM")
    assert not [url for url in visit.requests if url.endswith("/v1/install/authorize")]


def test_only_a_wizard_of_the_same_link_opens_the_window_of_the_provider(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    """A page of another site can lead the window that has opened it to a page of ours."""
    made = session(tenant, publish_oauth(tenant, server))
    visit.page.goto("/install/acme/crm")
    address = made["url"].replace("#", "?authorize=popup#") + "&%7B%7D"
    with visit.page.expect_popup() as opening:
        visit.page.evaluate("(address) => void open(address)", address)
    heading = opening.value.get_by_role("heading", level=1)
    expect(heading).to_have_text("Connect CRM")


def test_a_link_that_has_ended_says_how(tenant: Tenant, server: Provider, visit: Visitor) -> None:
    # Given a link that is revoked while somebody has it open
    made = session(tenant, publish(tenant, server))
    page = visit.page
    page.goto(made["url"])
    page.get_by_label("Team").fill("sales")
    type_key(page, "right-key")
    path = f"{tenant.organization}/install-sessions/{made['id']}"
    assert tenant.client.call("DELETE", path).status == 204

    # When they go on, Then the page says so, and again when it is loaded again
    page.get_by_role("button", name="Test and connect").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This link was withdrawn")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("This link was withdrawn")


KINDS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["team", "region", "archived", "login"],
    "properties": {
        "team": {"type": "string", "x-order": 1, "x-suffix": ".example.com"},
        "region": {
            "oneOf": [{"const": "eu", "title": "Europe"}, {"const": "us", "title": "America"}]
        },
        "size": {"type": "integer", "minimum": 1, "maximum": 500, "x-group": "Limits"},
        "ratio": {"type": "number", "x-group": "Limits"},
        "archived": {"type": "boolean"},
        "since": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "projects": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "kinds": {"type": "array", "items": {"enum": ["issues", "pulls", "wikis"]}},
        "proxy": {
            "type": "object",
            "required": ["host"],
            "properties": {"host": {"type": "string", "format": "hostname"}},
        },
        "login": {
            "type": "object",
            "oneOf": [
                {
                    "title": "By password",
                    "required": ["way"],
                    "properties": {"way": {"const": "password"}},
                },
                {
                    "title": "By certificate",
                    "required": ["way", "subject"],
                    "properties": {"way": {"const": "certificate"}, "subject": {"type": "string"}},
                },
            ],
        },
        "rows": {"oneOf": [{"type": "integer", "title": "A number"}, {"const": "all"}]},
        "mapping": {"type": "object", "additionalProperties": {"type": "array"}},
        "untouched": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        "plan": {"type": "string"},
    },
}


def test_each_kind_of_field_sends_what_its_schema_says(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    # Given every kind of field, and a value that is locked
    integration = publish(tenant, server, variablesSchema=KINDS)
    made = session(tenant, integration, variables={"plan": "pro"}, locked=["/plan"])
    page = visit.page
    page.goto(made["url"])
    expect(page.get_by_label("Plan")).not_to_be_editable()
    assert_accessible(page)

    # When what is wrong is entered, Then each field says so
    page.get_by_label("Size").fill("a lot")
    page.get_by_label("Mapping").fill("{")
    page.get_by_label("Host").fill("https://proxy.example.com/")
    page.get_by_role("button", name="Test and connect").click()
    for name, message in (
        ("Team", "Enter a value."),
        ("Region", "Choose one of the values."),
        ("Size", "Enter a whole number."),
        ("Mapping", "This is not valid JSON."),
        ("Host", "Enter a host name alone"),
    ):
        description = re.compile(message)
        expect(page.get_by_label(name)).to_have_accessible_description(description)
    expect(page.get_by_label("Team")).to_be_focused()
    page.get_by_role("link", name="Mapping").click()
    expect(page.get_by_label("Mapping")).to_be_focused()
    assert_accessible(page)

    # When it is corrected, by keyboard where lines are added
    page.get_by_label("Team").fill("sales")
    page.get_by_label("Region").select_option("Europe")
    page.get_by_label("Size").fill("500")
    page.get_by_label("Ratio").fill("0,5")
    page.get_by_label("Since").fill("2026-01-31")
    page.get_by_label("At (optional)", exact=True).fill("2026-01-31T10:00:00")
    page.get_by_role("textbox", name="Projects, item 1").fill("one")
    page.get_by_role("button", name="Add").press("Enter")
    expect(page.get_by_role("textbox", name="Projects, item 2")).to_be_focused()
    page.keyboard.type("two")
    page.get_by_label("wikis").check()
    page.get_by_label("issues").check()
    page.get_by_label("Host").fill("proxy.example.com")
    page.get_by_role("group", name="Login").get_by_label("Kind").select_option("By certificate")
    page.get_by_label("Subject").fill("CN=sales")
    page.get_by_label("Rows: Kind").select_option("all")
    page.get_by_label("Mapping").fill('{"a": [1]}')
    type_key(page, "right-key")
    page.get_by_role("button", name="Test and connect").click()

    # Then the source has it
    expect(page.get_by_role("heading", level=1)).to_have_text("CRM is connected")
    source = tenant.get(f"{tenant.connectors}/sources/{outcome(tenant, made)['source_id']}")
    assert source["variables"] == {
        "team": "sales",
        "region": "eu",
        "size": 500,
        "ratio": 0.5,
        "archived": False,
        "since": "2026-01-31",
        "at": "2026-01-31T10:00:00Z",
        "projects": ["one", "two"],
        "kinds": ["issues", "wikis"],
        "proxy": {"host": "proxy.example.com"},
        "login": {"way": "certificate", "subject": "CN=sales"},
        "rows": "all",
        "mapping": {"a": [1]},
        "plan": "pro",
    }


def test_german_readers_get_german(tenant: Tenant, server: Provider, browser: Browser) -> None:
    made = session(tenant, publish(tenant, server))
    with visitor(browser, tenant.stack, language="de-AT", width=390, theme="dark") as visit:
        page = visit.page
        page.goto(made["url"])
        expect(page.get_by_role("heading", level=1)).to_have_text("CRM verbinden")
        assert page.evaluate("document.documentElement.lang") == "de"
        page.get_by_label("Team").fill("sales")
        page.get_by_label("API-Schlüssel", exact=True).fill("wrong-key")
        page.get_by_role("button", name="Testen und verbinden").click()
        key = page.get_by_label("API-Schlüssel", exact=True)
        expect(key).to_have_accessible_description(re.compile("Zugangsdaten wurden nicht"))
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_connection_is_made_without_a_mouse_and_repaired(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    # Given the form, entered by keyboard alone
    integration = publish(tenant, server)
    page = visit.page
    page.goto(session(tenant, integration)["url"])
    page.get_by_label("Team").wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "text":
            break
    page.keyboard.type("sales")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong-key")
    page.keyboard.press("Enter")

    # When a test fails, Then a connection is made only on purpose
    anyway = page.get_by_role("button", name="Connect anyway")
    anyway.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Connect without a passed test?")
    expect(dialog).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(anyway).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Connect anyway").press("Enter")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("CRM is stored, but the test fails")
    expect(title).to_be_focused()

    # When it is to be repaired, Then the page begins at the field that is wrong
    [connection] = tenant.get(f"{tenant.connectors}/connections")["items"]
    repair = session(tenant, integration, connection_id=connection["id"])
    page.goto(repair["url"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Repair CRM")
    key = page.get_by_label("API key", exact=True)
    expect(key).to_be_focused()
    expect(key).to_have_accessible_description(re.compile("The credential was not accepted"))
    assert_accessible(page)
    page.keyboard.type("right-key")
    page.keyboard.press("Enter")
    expect(title).to_have_text("CRM is repaired")


def publish_oauth(tenant: Tenant, server: Provider) -> str:
    """The same, with an account to connect, of which one part is chosen."""
    at = f"{server.https_url}/oauth"
    schema = {**TEAM, "properties": {**TEAM["properties"], "account": {"type": "string"}}}
    auth_config = {
        "type": "oauth2",
        "authorizationUrl": f"{at}/authorize",
        "tokenUrl": f"{at}/token",
        "scopes": ["issues:read", "issues:write", "offline_access"],
        "lookup": {
            "url": f"{server.https_url}/accounts",
            "choose": {"from": "", "label": "/name"},
            "captures": {"/id": "account"},
        },
    }
    steps = [{"name": "whoami", "kind": "http", "request": {"url": f"{server.https_url}/me"}}]
    checks = {"timeoutMs": PATIENT_MS, "steps": steps}
    manifest = {"roles": ["source"], "checks": checks}
    integration = publish(
        tenant, server, variablesSchema=schema, authConfig=auth_config, manifest=manifest
    )
    client = server.oauth.register(f"{tenant.stack.api_url}/oauth/callback")
    body = {"integration": integration, "client_id": client.id, "client_secret": client.secret}
    tenant.post(f"{tenant.organization}/oauth-applications", body)
    return integration


APP: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>App</title></head><body>
<h1>App</h1><button id="connect">Connect</button>
<script src="{api}/embed.js"></script>
<script>
const events = [];
function start(url) {{
  document.getElementById("connect").focus();
  Patchbay.open({{ url, onEvent: (event) => events.push(event) }});
}}
</script></body></html>"""


@contextmanager
def app(api_url: str) -> Iterator[str]:
    """A page of a customer, on another site than the local cloud; gives its origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(APP.format(api=api_url).encode())

        def log_message(self, *_: Any) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{served.server_address[1]}"
    finally:
        served.shutdown()
        served.server_close()
