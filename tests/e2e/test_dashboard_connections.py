"""Connections, alerts, and rules in the dashboard: what a person sees there, and does."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from local.provider import Provider
from tests.e2e.browser import Visitor, assert_accessible, visitor
from tests.e2e.harness import PATIENT_MS, Stack, Tenant
from tests.e2e.screenshots import settle

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def publish(
    tenant: Tenant, *steps: dict[str, Any], timeout_ms: int = PATIENT_MS, **more: Any
) -> None:
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": "crm",
        "name": "Salesforce",
        "variablesSchema": {"properties": {"team": {"type": "string", "title": "Team"}}},
        "authConfig": {"type": "api_key"},
        "manifest": {"roles": ["source"], "checks": {"timeoutMs": timeout_ms, "steps": [*steps]}},
        **more,
    }
    integration_id = tenant.post("/v1/integrations", draft).body["id"]
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})


def asks(url: str, name: str = "Sign in", account: str = "/login", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "http", "request": {"url": url}, "account": account, **more}


def connect(tenant: Tenant, name: str = "CRM of Initech", key: str = "right-key") -> str:
    source = {
        "name": name,
        "integration": f"{tenant.slug}/crm",
        "variables": {"team": "sales"},
        "secrets": {"api_key": key},
        "ownership_mode": "byok",
    }
    source_id = tenant.post(f"{tenant.connectors}/sources", source).body["id"]
    connection = {"name": name, "source_id": source_id, "space": tenant.slug}
    return str(tenant.post(f"{tenant.connectors}/connections", connection).body["id"])


def check(tenant: Tenant, connection_id: str) -> None:
    tenant.post(f"{tenant.connectors}/connections/{connection_id}/test", {}, 200)


def opened(visit: Visitor, tenant: Tenant, address: str) -> Page:
    """The page of an address, as the tenant sees it."""
    page = visit.sign_in(tenant.client.api_key)
    page.goto(address)
    settle(page)
    return page


def support_key(tenant: Tenant) -> str:
    permissions = ["platform.integration.read", "platform.integration.test"]
    body = {"name": "Support", "permissions": permissions}
    return str(tenant.operator.call("POST", f"{tenant.organization}/api-keys", body).body["key"])


# ---------------------------------------------------------------- tests


def test_a_test_shows_each_step_as_it_ends_and_is_asked_about_no_longer(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    silent = asks(f"{server.url}/silent", "Read tables", timeoutMs=4000)
    publish(tenant, asks(f"{server.url}/me"), silent)
    page = opened(visit, tenant, f"/app/connections/{connect(tenant)}")
    expect(page.get_by_text("Not tested yet")).to_be_visible()

    # When it is tested, Then the first step is there while the second is waited for
    page.get_by_role("button", name="Test now").click()
    tests = page.get_by_role("region", name="Tests")
    expect(tests.get_by_text("Running", exact=True)).to_be_visible()
    expect(tests.get_by_role("listitem").filter(has_text="Sign in passed")).to_be_visible()
    expect(tests.get_by_text("Read tables")).to_have_count(0)
    assert_accessible(page)

    # And at its end what is wrong is said in words
    expect(tests.get_by_text("Failed", exact=True)).to_be_visible()
    state = page.get_by_role("region", name="State")
    expect(state.get_by_role("heading")).to_have_text("Salesforce takes too long")
    expect(state).to_contain_text("The provider's move")
    assert_accessible(page)

    # And nobody asks about it any more
    settle(page)
    visit.requests.clear()
    page.wait_for_timeout(2500)
    assert [url for url in visit.requests if "/tests/" in url] == []


def test_the_timeline_says_what_changed_and_goes_by_the_keyboard(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant)
    check(tenant, connection_id)
    source = tenant.get(f"{tenant.connectors}/connections/{connection_id}")["source_id"]
    secrets = {"secrets": {"api_key": "wrong-key"}}
    tenant.client.call("PATCH", f"{tenant.connectors}/sources/{source}", secrets)
    check(tenant, connection_id)
    page = opened(visit, tenant, f"/app/connections/{connection_id}")

    state = page.get_by_role("region", name="State")
    expect(state.get_by_role("heading")).to_have_text("Salesforce refuses the credential")
    expect(state).to_contain_text("The customer has to sign in again")
    tests = page.get_by_role("region", name="Tests")
    expect(tests).to_contain_text("the secrets of the source")

    timeline = tests.get_by_role("listbox")
    expect(timeline.get_by_role("option", selected=True)).to_have_accessible_name(
        re.compile("^Failed")
    )
    timeline.press("ArrowLeft")
    expect(timeline.get_by_role("option", selected=True)).to_have_accessible_name(
        re.compile("^Passed")
    )
    expect(tests.get_by_role("status")).to_contain_text("as octocat")
    page.get_by_role("button", name="The test after").click()
    expect(tests.get_by_role("status")).to_contain_text("Failed")


def test_a_repair_link_leads_to_a_repaired_connection(
    tenant: Tenant, server: Provider, browser: Browser, stack: Stack, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant, key="wrong-key")
    check(tenant, connection_id)
    page = opened(visit, tenant, f"/app/connections/{connection_id}")

    page.get_by_role("button", name="Repair link").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("CRM of Initech")
    dialog.get_by_role("button", name="Make the link").click()
    link = dialog.get_by_label("Link").input_value()
    assert_accessible(page)
    dialog.get_by_role("button", name="Done").click()

    with visitor(browser, stack) as customer:
        customer.page.goto(link)
        customer.page.get_by_label("API key", exact=True).fill("right-key")
        customer.page.get_by_role("button", name=re.compile("^Test and")).click()
        expect(customer.page.get_by_text("octocat")).to_be_visible()

    page.reload()
    state = page.get_by_role("region", name="State")
    expect(state.get_by_role("heading")).to_have_text("Connected to Salesforce")


def test_a_link_to_connect_is_made_from_the_list(
    tenant: Tenant, server: Provider, browser: Browser, stack: Stack, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    page = opened(visit, tenant, "/app/connections")
    expect(page.get_by_text("Nothing is connected yet")).to_be_visible()

    page.get_by_role("button", name="Connect", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Search integrations").fill("Salesforce")
    dialog.get_by_role("button", name=f"Salesforce {tenant.slug}/crm").click()
    dialog.get_by_label("Customer").fill("customer-1032")
    dialog.get_by_label("Name of the person").fill("Ada")
    dialog.get_by_role("button", name="Make the link").click()
    link = dialog.get_by_label("Link").input_value()

    with visitor(browser, stack) as customer:
        customer.page.goto(link)
        expect(customer.page.get_by_text("Ada").first).to_be_visible()
    made = tenant.get(f"{tenant.organization}/install-sessions")["items"][0]
    assert (made["external_account_id"], made["space"]) == ("customer-1032", tenant.slug)


# ---------------------------------------------------------------- changes


def test_a_change_of_somebody_else_is_not_overwritten_and_what_was_typed_stays(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant)
    path = f"{tenant.connectors}/connections/{connection_id}"
    page = opened(visit, tenant, f"/app/connections/{connection_id}")
    page.get_by_role("button", name="Rename").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Mine")

    # When somebody else is first
    assert tenant.client.call("PATCH", path, {"name": "Theirs"}).status == 200
    dialog.get_by_role("button", name="Rename").click()

    # Then that is said, theirs can be read, and mine is saved on top of it
    expect(dialog.get_by_text("Somebody else changed this meanwhile")).to_be_visible()
    assert tenant.get(path)["name"] == "Theirs"
    dialog.get_by_role("button", name="Load it again").click()
    expect(dialog.get_by_text("It is called Theirs now.")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_value("Mine")
    dialog.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")
    assert tenant.get(path)["name"] == "Mine"


def test_a_connection_is_monitored_disabled_and_deleted(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant)
    path = f"{tenant.connectors}/connections/{connection_id}"
    page = opened(visit, tenant, f"/app/connections/{connection_id}")

    monitor = page.get_by_role("region", name="Monitor")
    monitor.get_by_label("Tests it").select_option("15m")
    expect(page.get_by_text("The interval is changed")).to_be_visible()
    monitor.get_by_role("switch").click()
    expect(monitor.get_by_text("On", exact=True)).to_be_visible()
    assert tenant.get(path)["monitor"] == {"enabled": True, "interval": "15m"}

    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", name="Nothing is dialed for it")).to_be_visible()
    expect(page.get_by_role("button", name="Test now")).to_be_disabled()
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_role("heading", name="Not tested yet")).to_be_visible()

    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    page.wait_for_url("**/app/connections")
    assert tenant.client.call("GET", path).status == 404


def test_support_sees_and_tests_but_changes_nothing(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant)
    rule = {"name": "Works", "condition": {"kind": "connection_down"}}
    rule_id = tenant.post(f"/spaces/{tenant.slug}/alert-rules", rule).body["id"]
    page = visit.sign_in(support_key(tenant))
    page.goto(f"/app/connections/{connection_id}")
    settle(page)

    for name in ("Repair link", "Rename", "Pause", "Disable", "Delete…"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    for switch in page.get_by_role("switch").all():
        expect(switch).to_be_disabled()
    expect(page.get_by_text("This needs the permission").first).to_be_visible()
    page.get_by_role("button", name="Test now").click()
    expect(page.get_by_role("heading", name="Connected to Salesforce")).to_be_visible()
    assert_accessible(page)

    page.goto("/app/connections")
    settle(page)
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_disabled()
    page.goto(f"/app/spaces/{tenant.slug}/rules")
    expect(page.get_by_role("link", name="New rule")).to_have_count(0)
    expect(page.get_by_role("switch", name="Works")).to_be_disabled()
    page.goto(f"/app/spaces/{tenant.slug}/rules/{rule_id}")
    settle(page)
    expect(page.get_by_role("button", name="Save")).to_be_disabled()


def test_a_key_of_one_space_sees_its_connections_and_not_their_sources(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant, key="wrong-key")
    check(tenant, connection_id)
    permissions = ["platform.integration.read", "platform.integration.manage"]
    body = {"name": "Space", "permissions": permissions, "space": tenant.slug}
    issued = tenant.operator.call("POST", f"{tenant.organization}/api-keys", body).body
    page = visit.sign_in(issued["key"])
    page.goto("/app/connections")
    page.get_by_role("rowheader").get_by_role("link").click()
    settle(page)

    state = page.get_by_role("region", name="State")
    expect(state.get_by_role("heading")).to_have_text("The provider refuses the credential")
    expect(page.get_by_role("region", name="Source")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Repair link")).to_be_disabled()
    expect(page.get_by_role("button", name="Rename")).to_be_enabled()


# ---------------------------------------------------------------- the list


def test_the_list_has_what_needs_somebody_first_and_its_filters_in_the_address(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    for name, key in (("Works", "right-key"), ("Broken", "wrong-key"), ("Untested", "")):
        connection_id = connect(tenant, name, key or "right-key")
        if key:
            check(tenant, connection_id)
    page = opened(visit, tenant, "/app/connections")
    names = page.get_by_role("rowheader").get_by_role("link")
    expect(names).to_have_text(["Broken", "Untested", "Works"])

    # The whole of one space comes in this order from the API
    page.get_by_label("Space", exact=True).focus()
    page.get_by_label("Space", exact=True).select_option(tenant.slug)
    expect(page).to_have_url(re.compile(f"space={tenant.slug}"))
    expect(names.first).to_have_text("Broken")

    page.get_by_label("Health").select_option("connected")
    expect(names).to_have_text(["Works"])
    page.keyboard.press("Escape")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    expect(page.get_by_text("No connection is like that")).to_be_visible()
    expect(page).to_have_url(re.compile("q=nothing"))
    page.reload()
    expect(page.get_by_label("Health")).to_have_value("connected")
    page.get_by_role("button", name="Clear the filters").click()
    expect(names).to_have_count(3)


# ---------------------------------------------------------------- alerts and rules


def fails_now(tenant: Tenant) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    events = [
        {
            "integration_type": "webhook",
            "status": "ERROR",
            "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for _ in range(20)
    ]
    tenant.post(f"/spaces/{tenant.slug}/integration-events", {"events": events}, 200)


def test_a_rule_is_tried_on_the_past_and_then_made(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    fails_now(tenant)
    page = opened(visit, tenant, f"/app/spaces/{tenant.slug}/rules")
    page.get_by_role("link", name="New rule").first.click()
    expect(page.get_by_text(re.compile("It would have fired once"))).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(2)
    settle(page)
    assert_accessible(page)

    # When more events are needed than there were, Then it would not have fired
    page.get_by_label("Events needed").fill("21")
    expect(page.get_by_text("It would not have fired.")).to_be_visible()
    # When what is entered makes no sense, Then it is said at its field, and nothing is lost
    page.get_by_label("Below (%)").fill("120")
    expect(page.get_by_label("Below (%)")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Below (%)").fill("90")

    # When it is saved with a webhook, Then its secret is there, once
    page.get_by_label("Name").fill("Webhooks succeed")
    page.get_by_role("button", name="+ Webhook").click()
    page.get_by_label("Webhook (https)").fill(f"{server.url}/200")
    page.get_by_role("button", name="Make the rule").click()
    dialog = page.get_by_role("dialog", name="Signing secrets")
    secret = dialog.get_by_label(re.compile("127.0.0.1")).input_value()
    assert secret.startswith("whsec_")
    dialog.get_by_role("button", name="I have stored them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks succeed")
    assert secret not in page.content()
    [rule] = tenant.get(f"/spaces/{tenant.slug}/alert-rules")["items"]
    assert rule["condition"]["threshold"] == 90
    assert rule["condition"]["minimum_events"] == 21

    # And a new one is made for it
    page.get_by_role("button", name="Rotate the secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate it").click()
    fresh = page.get_by_role("dialog", name="The new secret").get_by_label(re.compile("127"))
    assert fresh.input_value() != secret


def test_a_rule_keeps_what_somebody_else_changed(tenant: Tenant, visit: Visitor) -> None:
    made = {"name": "Silence", "condition": {"kind": "stale", "after_seconds": 86_400}}
    rules = f"/spaces/{tenant.slug}/alert-rules"
    rule_id = tenant.post(rules, made).body["id"]
    page = opened(visit, tenant, f"/app/spaces/{tenant.slug}/rules/{rule_id}")
    page.get_by_label("Name").fill("No silence")
    tenant.client.call("PATCH", f"{rules}/{rule_id}", {"severity": "critical"})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody else changed this meanwhile")).to_be_visible()

    page.get_by_role("button", name="Load it again").click()
    expect(page.get_by_label("Severity")).to_have_value("critical")
    expect(page.get_by_label("Name")).to_have_value("No silence")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No silence")
    kept = tenant.get(f"{rules}/{rule_id}")
    assert (kept["name"], kept["severity"]) == ("No silence", "critical")


def test_an_alert_is_acknowledged_where_it_is_seen(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    publish(tenant, asks(f"{server.url}/me"))
    connection_id = connect(tenant, key="wrong-key")
    check(tenant, connection_id)
    rule = {
        "name": "Connections work",
        "severity": "critical",
        "condition": {"kind": "connection_down"},
        "channels": [{"kind": "webhook", "url": f"{server.url}/200"}],
    }
    tenant.post(f"/spaces/{tenant.slug}/alert-rules", rule)
    end = time.monotonic() + 240
    while not tenant.get(f"/spaces/{tenant.slug}/alerts")["items"]:
        assert time.monotonic() < end
        time.sleep(2)

    page = opened(visit, tenant, f"/app/spaces/{tenant.slug}/alerts")
    row = page.get_by_role("row").filter(has_text="Connections work")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row.get_by_role("cell").get_by_text("Acknowledged")).to_be_visible()
    expect(row.get_by_role("button")).to_have_count(0)
    page.get_by_label("State").select_option("acknowledged")
    expect(row).to_have_count(1)
    assert_accessible(page)

    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connections work")
    expect(page.get_by_text(re.compile("Acknowledged by key_"))).to_be_visible()
    expect(page.get_by_role("link", name="CRM of Initech")).to_have_attribute(
        "href", f"/app/connections/{connection_id}"
    )
    deliveries = page.get_by_role("region", name="Deliveries")
    look = deliveries.get_by_role("button", name="Look again")
    for _ in range(60):
        if deliveries.get_by_text("Delivered").count():
            break
        if look.count():
            look.click()
        page.wait_for_timeout(1000)
    deliveries.get_by_text("1 attempt").click()
    expect(deliveries.get_by_text("arrived")).to_be_visible()
    assert_accessible(page)
    before = len([path for path, _ in server.requests if path == "/200"])
    deliveries.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("It is sent once more")).to_be_visible()
    for _ in range(60):
        if len([path for path, _ in server.requests if path == "/200"]) > before:
            return
        page.wait_for_timeout(1000)
    pytest.fail("it was not sent once more")


# ---------------------------------------------------------------- hostile strings


def test_texts_of_authors_and_providers_are_shown_as_text(
    tenant: Tenant, server: Provider, visit: Visitor
) -> None:
    echo = asks(f"{server.url}/echo?who={{{{variables.team}}}}", HOSTILE, account="/query/who")
    schema = {"properties": {"team": {"type": "string", "title": HOSTILE, "x-binding": "free"}}}
    publish(tenant, echo, name=f"CRM {HOSTILE}", variablesSchema=schema)
    connection_id = connect(tenant, f"CRM {HOSTILE}")
    source = tenant.get(f"{tenant.connectors}/connections/{connection_id}")["source_id"]
    change = {"variables": {"team": HOSTILE}, "external_account_id": HOSTILE}
    path = f"{tenant.connectors}/sources/{source}"
    changed = tenant.client.call("PATCH", path, {**change, "secrets": {"api_key": "right-key"}})
    assert changed.status == 200, changed.body
    check(tenant, connection_id)
    page = visit.sign_in(tenant.client.api_key)
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", hear)
    for address in (f"/app/connections/{connection_id}", "/app/connections"):
        page.goto(address)
        settle(page)
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.locator("img[src=x], main script").count() == 0
    assert said == []
