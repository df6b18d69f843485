"""The dashboard: the registry, API keys, the audit trail, and settings, in a browser."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from local.client import Client
from local.provider import Provider
from tests.e2e.browser import Visitor, assert_accessible, visitor
from tests.e2e.harness import PATIENT_MS, Stack, Tenant
from tests.e2e.screenshots import settle
from tests.e2e.web_world import hostile

MANAGER: Final = ["platform.integration.read", "platform.integration.manage"]
SUPPORT: Final = ["platform.integration.read", "platform.integration.test"]
CHECK: Final = re.compile("heck to publish$")


def key_of(tenant: Tenant, permissions: list[str]) -> str:
    body = {"name": "Dashboard", "permissions": permissions}
    path = f"{tenant.organization}/api-keys"
    issued = tenant.operator.call("POST", path, body)
    return str(issued.body["key"])


def draft_of(tenant: Tenant, **more: Any) -> str:
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": "ledger",
        "name": "Ledger",
        **more,
    }
    return str(tenant.post("/v1/integrations", draft).body["id"])


def asking(*urls: str, **more: Any) -> dict[str, Any]:
    """A definition whose steps ask these addresses, one after another."""
    steps = [
        {"name": f"step {number}", "kind": "http", "request": {"url": url}}
        for number, url in enumerate(urls, 1)
    ]
    return {
        "variablesSchema": {
            "type": "object",
            "properties": {"team": {"type": "string", "title": "Team"}},
        },
        "authConfig": {"type": "api_key"},
        "manifest": {"roles": ["source"], "checks": {"timeoutMs": PATIENT_MS, "steps": steps}},
        **more,
    }


def pressed(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def typed(page: Page, label: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, indent=2)
    page.get_by_label(label, exact=True).fill(text)


# ------------------------------------------------------------------ JSON as a person writes it


@pytest.fixture(scope="module")
def blank(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page that may read the dashboard's code."""
    with visitor(browser, stack) as visiting:
        visiting.page.goto("/app/sign-in")
        yield visiting.page


def called(page: Page, function: str, *arguments: Any) -> Any:
    """What a function of app/json_text.js returns, its maps as objects."""
    return page.evaluate(
        """async ([name, given]) => {
            const started = document.querySelector("script[type=module]").src;
            const module = await import(new URL("json_text.js", started));
            const said = module[name](...given);
            return said?.lines ? {...said, lines: Object.fromEntries(said.lines)} : said;
        }""",
        [function, arguments],
    )


def test_each_value_of_a_json_text_has_its_line(blank: Page) -> None:
    text = '{"a": 1,\n "b/c": {"d~": [1,\n\n  {"e": null}]},\r\n "__proto__": 2}'
    read = called(blank, "readJson", text)
    assert read["mistake"] is None
    assert read["value"]["b/c"] == {"d~": [1, {"e": None}]}
    assert read["lines"] == {
        "": 1,
        "/a": 1,
        "/b~1c": 2,
        "/b~1c/d~0": 2,
        "/b~1c/d~0/0": 2,
        "/b~1c/d~0/1": 4,
        "/b~1c/d~0/1/e": 4,
        "/__proto__": 5,
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "The text ends where a value belongs"),
        ('{\n"a": 1\n"b": 2}', 3, 'Found "b" where a comma or } belongs'),
        ('{\n"a" 1}', 2, "Found 1 where a colon belongs"),
        ('{\n"a": 1,\n}', 3, "Found } where a name in quotes belongs"),
        ("[1,\n2,\n]", 3, "Found ] where a value belongs"),
        ('{"a": "b\n"}', 1, "A string has no end on this line, or a \\ that means nothing"),
        ('"\\x"', 1, "A string has no end on this line, or a \\ that means nothing"),
        ('{"a": 1} x', 1, "Found x where the end belongs"),
        ("{\n'a': 1}", 2, "Found ' where a name in quotes belongs"),
        ("{a: 1}", 1, "Found a where a name in quotes belongs"),
        ("[01]", 1, "Found 1 where a comma or ] belongs"),
        ("[NaN]", 1, "Found NaN where a value belongs"),
        ('{\n"a": 1,\n"a": 2}', 3, 'The name "a" is there twice'),
        ("[\n12345678901234567890]", 2, "The number 12345678901234567890 is too large to be kept"),
        ("[1e400]", 1, "The number 1e400 is too large to be kept"),
        ("[" * 5000, 1, "This is nested too deeply"),
    ],
)
def test_a_mistake_in_a_json_text_has_its_line(
    blank: Page, text: str, line: int, said: str
) -> None:
    mistake = called(blank, "readJson", text)["mistake"]
    assert mistake["line"] == line
    assert mistake["message"].startswith(said)


def test_what_an_edit_can_not_store_is_found(blank: Page) -> None:
    before = {"kept": None, "a": {"b": 1}}
    after = {"kept": None, "a": {"b": None, "c": [{"d": None}]}, "e": {"f": None}}
    assert called(blank, "unstorable", before, after) == ["/a/b", "/e/f"]


@pytest.mark.parametrize(
    ("last", "before", "after", "proposed"),
    [
        (None, {}, {}, "1.0.0"),
        ("1.4.2", {"name": "a"}, {"name": "b"}, "1.4.3"),
        ("1.4.2", {"manifest": {}}, {"manifest": {"baseUrl": "x"}}, "1.5.0"),
        ("1.4.2", {"authConfig": {"type": "basic"}}, {"authConfig": {"type": "none"}}, "2.0.0"),
        (
            "1.4.2",
            {"variablesSchema": {"properties": {"a": {}}}},
            {"variablesSchema": {"properties": {}}},
            "2.0.0",
        ),
        ("0.4.2", {"variablesSchema": {}}, {"variablesSchema": {"required": ["a"]}}, "0.5.0"),
        ("1.4.2", {"variablesSchema": {"required": ["a"]}}, {"variablesSchema": {}}, "1.4.3"),
    ],
)
def test_the_next_version_follows_from_the_changes(
    blank: Page, last: str | None, before: Any, after: Any, proposed: str
) -> None:
    changes = called(blank, "changesBetween", before, after)
    assert called(blank, "nextVersion", last, changes) == proposed


# ------------------------------------------------------------------ drafts


def test_a_draft_is_not_made_before_its_space_is_known(visit: Visitor, tenant: Tenant) -> None:
    page = visit.sign_in(key_of(tenant, MANAGER))
    held: list[Route] = []
    page.route("**/spaces?**", lambda route: held.append(route))
    page.goto("/app/integrations")
    page.get_by_role("button", name="New integration").first.click()
    typed(page, "Name", "Ledger Pro")
    typed(page, "Publisher", tenant.slug)
    # When the form is sent while the spaces are still being read
    page.get_by_label("Publisher").press("Enter")
    making = page.get_by_role("button", name="Make the draft")
    expect(making).to_have_attribute("aria-busy", "true")
    # Then it waits for them
    assert held
    for route in held:
        route.continue_()
    expect(page.get_by_label("Space").last).to_have_value(tenant.space_id)
    pressed(page, "Make the draft")
    expect(page.get_by_role("heading", name="Ledger Pro", level=1)).to_be_visible()


def test_a_draft_begins_is_corrected_at_its_line_and_is_published(
    visit: Visitor, tenant: Tenant
) -> None:
    page = visit.sign_in(key_of(tenant, MANAGER))
    # When one begins with what is proposed
    page.goto("/app/integrations")
    page.get_by_role("button", name="New integration").first.click()
    typed(page, "Name", "Ledger Pro")
    typed(page, "Publisher", tenant.slug)
    expect(page.get_by_label("Slug", exact=True)).to_have_value("ledger-pro")
    pressed(page, "Make the draft")
    expect(page.get_by_role("heading", name="Ledger Pro", level=1)).to_be_visible()
    # and writes what can't be published
    manifest: dict[str, Any] = {"checks": {"steps": [{"name": "whoami", "kind": "htp"}]}}
    typed(page, "Manifest", manifest)
    page.get_by_role("button", name=CHECK).click()
    # Then it is shown at its line, and the line is one press away
    expect(page.get_by_text("prevents publishing")).to_be_visible()
    listed = page.get_by_role("listitem").filter(has_text="/checks/steps/0/kind")
    expect(listed).to_contain_text("must be one of")
    listed.get_by_role("button", name="Line 6").click()
    editor = page.get_by_label("Manifest", exact=True)
    assert '"kind": "htp"' in editor.evaluate(
        "area => area.value.slice(area.selectionStart, area.selectionEnd)"
    )
    expect(editor).to_have_attribute("aria-invalid", "true")
    assert_accessible(page)
    # When it is corrected
    url = "https://{{variables.region}}.api.example.com/me"
    manifest["checks"]["steps"][0] |= {"kind": "http", "request": {"url": url}}
    typed(page, "Manifest", manifest)
    page.get_by_role("button", name=CHECK).click()
    # Then it can be published as the proposed version
    expect(page.get_by_label("Version", exact=True)).to_have_value("1.0.0")
    pressed(page, "Publish 1.0.0")
    expect(page.get_by_text("1.0.0 is published")).to_be_visible()
    [entry] = tenant.get("/v1/integrations?slug=ledger-pro")["items"]
    assert (entry["currentVersion"], entry["manifest"]) == ("1.0.0", manifest)
    # and a version that is none is refused at its field
    typed(page, "Name", "Ledger")
    page.get_by_role("button", name=CHECK).click()
    expect(page.get_by_label("Version", exact=True)).to_have_value("1.0.1")
    expect(page.get_by_text("Against 1.0.0")).to_be_visible()
    typed(page, "Version", "1.0")
    pressed(page, "Publish 1.0")
    expect(page.get_by_text("is not a semantic version")).to_be_visible()


def test_the_editor_is_left_by_tab_and_says_how_tab_indents(visit: Visitor, tenant: Tenant) -> None:
    integration_id = draft_of(tenant)
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto(f"/app/integrations/{integration_id}")
    editor = page.get_by_label("Variables", exact=True)
    editor.fill("{")
    expect(page.get_by_text("The text ends where a name in quotes belongs").first).to_be_visible()
    editor.press("Tab")
    expect(editor).not_to_be_focused()
    editor.focus()
    editor.press("End")
    editor.press("Control+m")
    editor.press("Enter")
    editor.press("Tab")
    editor.press("Escape")
    expect(editor).to_have_value("{\n    ")
    editor.press("Tab")
    expect(editor).not_to_be_focused()


def test_what_is_typed_survives_a_reload_and_leaving_the_page(
    visit: Visitor, tenant: Tenant
) -> None:
    integration_id = draft_of(tenant)
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto(f"/app/integrations/{integration_id}")
    typed(page, "Manifest", '{"roles": [')
    warned: list[str] = []
    page.on("dialog", lambda dialog: warned.append(dialog.type))
    page.on("dialog", lambda dialog: dialog.accept())
    # A browser warns only who has touched the page
    page.get_by_label("Manifest", exact=True).click()
    page.reload()
    expect(page.get_by_label("Manifest", exact=True)).to_have_value('{"roles": [')
    assert warned == ["beforeunload"]
    page.get_by_role("link", name="API keys").click()
    expect(page.get_by_text("Unsaved changes to Ledger wait in this tab")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Manifest", exact=True)).to_have_value('{"roles": [')
    pressed(page, "Discard them")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_label("Manifest", exact=True)).not_to_have_value('{"roles": [')
    assert warned == ["beforeunload"]


def test_a_change_by_somebody_else_costs_nothing_that_is_typed(
    visit: Visitor, tenant: Tenant
) -> None:
    integration_id = draft_of(tenant, description="Books.", manifest={"roles": ["source"]})
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto(f"/app/integrations/{integration_id}")
    typed(page, "Name", "My ledger")
    typed(page, "Manifest", {"roles": ["destination"]})
    # Given somebody else's change, of the same list and of something else
    theirs: dict[str, Any] = {
        "description": "Books of all years.",
        "manifest": {"roles": [], "baseUrl": "https://a"},
    }
    changed = tenant.client.call("PATCH", f"/v1/integrations/{integration_id}", theirs)
    assert changed.status == 200
    # When it is saved
    pressed(page, "Save")
    # Then it says what they changed, and where both did
    expect(page.get_by_text("Somebody else changed this draft")).to_be_visible()
    expect(page.get_by_text("/description")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="you changed this, too")).to_have_count(1)
    assert page.get_by_label("Name", exact=True).input_value() == "My ledger"
    pressed(page, "Save mine over theirs")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    stored = tenant.get(f"/v1/integrations/{integration_id}")
    assert (stored["name"], stored["description"]) == ("My ledger", "Books of all years.")
    assert stored["manifest"] == {"roles": ["destination"], "baseUrl": "https://a"}


def test_a_draft_is_tried_with_each_step_as_it_ends(
    visit: Visitor, tenant: Tenant, server: Provider
) -> None:
    integration_id = draft_of(tenant, **asking(f"{server.url}/me", f"{server.url}/silent"))
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto(f"/app/integrations/{integration_id}?view=try")
    page.get_by_label("Team").fill("sales")
    typed(page, "API key", "right-key")
    pressed(page, "Test")
    # While the second step waits for its answer, the first one stands there
    steps = page.get_by_role("region", name="Result of the test").get_by_role("listitem")
    expect(steps.filter(has_text="step 1")).to_contain_text("passed")
    expect(steps.filter(has_text="running")).to_be_visible()
    expect(page.get_by_text("Failed", exact=True)).to_be_visible(timeout=60_000)
    expect(steps.filter(has_text="step 2")).to_contain_text("failed")
    # and a wrong key is told at its field
    page.goto(f"/app/integrations/{integration_id}?view=try")
    typed(page, "API key", "wrong-key")
    pressed(page, "Test")
    field = page.get_by_label("API key", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    expect(field).to_have_value("wrong-key")
    # Nothing is stored
    assert tenant.get(f"{tenant.connectors}/sources")["items"] == []


def test_releases_are_withdrawn_and_integrations_deleted_and_restored(
    visit: Visitor, tenant: Tenant
) -> None:
    integration_id = draft_of(tenant)
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto(f"/app/integrations/{integration_id}?view=releases")
    page.get_by_role("button", name="Change 1.0.0").click()
    page.get_by_label("Withdrawn, because").fill("It leaks.")
    pressed(page, "Save")
    expect(page.get_by_role("row", name="1.0.0")).to_contain_text("It leaks.")
    page.get_by_role("button", name="Delete…").click()
    pressed(page, "Delete")
    expect(page.get_by_role("button", name="Restore")).to_be_visible()
    page.goto("/app/integrations?deleted=true")
    expect(page.get_by_role("link", name="Ledger")).to_be_visible()
    page.get_by_role("link", name="Ledger").click()
    pressed(page, "Restore")
    expect(page.get_by_role("button", name="Delete…")).to_be_visible()


# ------------------------------------------------------------------ the catalog


def test_the_catalog_is_searched_and_connected_by_a_link(
    visit: Visitor, tenant: Tenant, server: Provider
) -> None:
    name = f"Ledger {tenant.slug}"
    url = f"{server.url}/me"
    integration_id = draft_of(tenant, **asking(url, name=name, visibility="public"))
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/catalog")
    page.get_by_label("Search the catalog").fill(tenant.slug)
    page.get_by_label("Role").select_option("source")
    # In any order: what is typed is searched for a moment later.
    expect(page).to_have_url(re.compile(rf"(?=.*role=source)(?=.*q={tenant.slug})"))
    page.get_by_label("Role").select_option("destination")
    expect(page.get_by_text("Nothing in the catalog matches")).to_be_visible()
    page.get_by_label("Role").select_option("")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    expect(page.get_by_label("Team")).to_be_visible()
    expect(page.get_by_text(f"GET {url}")).to_be_visible()
    pressed(page, "Connect")
    pressed(page, "Make the link")
    link = page.get_by_label("Link", exact=True)
    expect(link).to_have_value(re.compile(rf"/install/{tenant.slug}/ledger.*#pbi_"))
    [made] = tenant.get(f"{tenant.organization}/install-sessions")["items"]
    assert made["integration"] == f"{tenant.slug}/ledger"


# ------------------------------------------------------------------ keys


def test_a_key_is_issued_shown_once_used_and_revoked(
    visit: Visitor, stack: Stack, tenant: Tenant
) -> None:
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/keys")
    page.get_by_role("button", name="New key").first.click()
    typed(page, "Name", "Billing backend")
    page.get_by_label("Test", exact=True).check()
    # Nobody gives what they don't hold
    expect(page.get_by_label("Report events", exact=True)).to_be_disabled()
    pressed(page, "Make the key")
    expect(page.get_by_text("This is the only time it is shown")).to_be_visible()
    assert_accessible(page)
    key = page.get_by_role("dialog").locator("code").first.inner_text()
    pressed(page, "I have copied it")
    row = page.get_by_role("row", name="Billing backend")
    expect(row).to_contain_text("Read, Test")
    expect(page.get_by_text(key)).to_have_count(0)
    theirs = Client(stack.api_url, key)
    assert theirs.call("GET", f"/spaces/{tenant.slug}").status == 200
    page.get_by_role("button", name="Revoke Billing backend").click()
    pressed(page, "Revoke")
    expect(row).to_have_count(0)
    path = f"{tenant.organization}/api-keys"
    assert "Billing backend" not in {one["name"] for one in tenant.get(path)["items"]}


def test_nobody_revokes_their_own_key_unwarned(visit: Visitor, tenant: Tenant) -> None:
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/keys")
    page.get_by_role("row", name="Yours").get_by_role("button").click()
    expect(page.get_by_text("You are signed in with this key")).to_be_visible()
    pressed(page, "Revoke my own key")
    page.wait_for_url(re.compile("/app/sign-in"))


# ------------------------------------------------------------------ the audit trail, and settings


def test_a_change_can_be_found_in_the_trail(visit: Visitor, tenant: Tenant) -> None:
    draft_of(tenant, name="Ledger of the trail")
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/audit")
    page.get_by_label("Kind").select_option("integration")
    expect(page).to_have_url(re.compile("entity=integration"))
    event = page.get_by_role("listitem").filter(has_text="Ledger of the trail")
    expect(event).to_contain_text("created")
    event.locator("summary").click()
    expect(event.get_by_text("Trace id")).to_be_visible()
    event.get_by_role("link", name="All about it").click()
    expect(page).to_have_url(re.compile("entity_id=int_"))
    page.goto("/app/audit?until=2020-01-01")
    expect(page.get_by_text("Nothing in the trail matches")).to_be_visible()


def test_spaces_are_made_and_deleted_by_typing_their_slug(visit: Visitor, tenant: Tenant) -> None:
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/settings/spaces")
    page.get_by_role("button", name="New space").click()
    typed(page, "Name", f"Extra {tenant.slug}")
    pressed(page, "Make the space")
    slug = f"extra-{tenant.slug}"
    expect(page.get_by_role("row", name=slug)).to_be_visible()
    # It gets a public page, with badges, and loses it
    page.get_by_role("button", name=f"Status page Extra {tenant.slug}").click()
    public = page.get_by_label("Public, by an address")
    public.click()
    expect(public).to_be_checked()
    badge = page.get_by_alt_text("Badge: uptime of 30 days")
    expect(badge).to_be_visible()
    assert badge.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert_accessible(page)
    pressed(page, "Done")
    expect(page.get_by_role("row", name=slug)).to_contain_text("Public")
    page.get_by_role("button", name=f"Delete Extra {tenant.slug}").click()
    confirm = page.get_by_role("button", name="Delete the space")
    expect(confirm).to_have_attribute("aria-disabled", "true")
    page.get_by_label(f"Type {slug} to confirm").fill(slug)
    confirm.click()
    expect(page.get_by_role("row", name=slug)).to_have_count(0)


def test_settings_are_changed_and_who_is_signed_in_is_shown(
    visit: Visitor, stack: Stack, tenant: Tenant
) -> None:
    # The operator changes an organization
    page = visit.sign_in(stack.api_key)
    page.goto(f"/app/settings?organization={tenant.organization_id}")
    typed(page, "Name", "Initech")
    pressed(page, "Save")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    pressed(page, "Pause all of them")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    stored = tenant.get(tenant.organization)
    assert (stored["name"], stored["paused"]) == ("Initech", True)
    pressed(page, "Sign out")
    page.wait_for_url(re.compile("/app/sign-in"))
    # and its people the rest
    visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/settings")
    expect(page.get_by_role("button", name="Save")).to_have_attribute(
        "title", "This needs the permission platform.admin"
    )
    page.goto("/app/settings/quotas")
    expect(page.get_by_role("listitem").filter(has_text="Spaces")).to_contain_text("1 of")
    page.goto("/app/settings/data-keys")
    page.get_by_role("button", name="Rotate…").click()
    pressed(page, "Rotate")
    expect(page.get_by_text("Current", exact=True)).to_be_visible()
    page.goto("/app/settings/sign-in")
    expect(page.get_by_text("This one")).to_be_visible()
    pressed(page, "Make a link")
    expect(page.get_by_text("#pbl_")).to_be_visible()
    pressed(page, "Sign out everywhere…")
    pressed(page, "Sign out everywhere")
    page.wait_for_url(re.compile("/app/sign-in"))


def test_an_oauth_application_is_added_and_its_secret_never_shown(
    visit: Visitor, tenant: Tenant
) -> None:
    urls = {
        "authorizationUrl": "https://auth.example.com/a",
        "tokenUrl": "https://auth.example.com/t",
    }
    integration_id = draft_of(tenant, authConfig={"type": "oauth2", **urls})
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    page = visit.sign_in(key_of(tenant, MANAGER))
    page.goto("/app/settings/oauth-applications")
    page.get_by_role("button", name="New application").first.click()
    typed(page, "Integration", f"{tenant.slug}/ledger")
    typed(page, "Client id", "client-17")
    typed(page, "Client secret", "a secret of the client")
    pressed(page, "Add it")
    row = page.get_by_role("row", name="client-17")
    expect(row).to_contain_text("/oauth/callback")
    assert "a secret of the client" not in page.content()
    row.get_by_role("button", name="Delete").click()
    pressed(page, "Delete")
    expect(row).to_have_count(0)


# ------------------------------------------------------------------ who may what, and hostile text


def test_support_reads_and_tries_but_changes_nothing(
    visit: Visitor, tenant: Tenant, server: Provider
) -> None:
    definition = asking(f"{server.url}/me", name="Ledger", visibility="public")
    integration_id = draft_of(tenant, **definition)
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    page = visit.sign_in(key_of(tenant, SUPPORT))
    reason = "This needs the permission platform.integration.manage"
    disabled = {
        "/app/integrations": "New integration",
        f"/app/integrations/{integration_id}": "Save",
        f"/app/integrations/{integration_id}?view=releases": "Change 1.0.0",
        f"/app/catalog/{tenant.slug}/ledger": "Connect",
        "/app/settings/spaces": "New space",
    }
    for address, name in disabled.items():
        page.goto(address)
        settle(page)
        button = page.get_by_role("button", name=name, exact=True).first
        expect(button, address).to_have_attribute("aria-disabled", "true")
        expect(button, address).to_have_attribute("title", reason)
    for place in ("keys", "audit", "settings/data-keys", "settings/oauth-applications"):
        address = f"/app/{place}"
        page.goto(address)
        expect(page.get_by_text(reason).first, address).to_be_visible()
    page.goto(f"/app/integrations/{integration_id}")
    expect(page.get_by_label("Manifest", exact=True)).not_to_be_editable()
    page.goto(f"/app/integrations/{integration_id}?view=try")
    typed(page, "API key", "right-key")
    pressed(page, "Test")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=60_000)


def test_what_others_write_is_text(browser: Browser, stack: Stack, tenant: Tenant) -> None:
    say = hostile
    markup = say("A")
    definition = asking(
        "https://{{variables.team}}.example.com/",
        name=say("Ledger"),
        description=say("Books"),
        visibility="public",
        iconUrl="https://example.com/x.png?onerror=alert(1)",
    )
    definition["variablesSchema"]["properties"]["team"] |= {
        "title": markup,
        "description": markup,
        "enum": [markup, "b"],
    }
    definition["manifest"]["checks"]["steps"][0]["name"] = markup[:64]
    integration_id = draft_of(tenant, **definition)
    publication = {"version": "1.0.0", "changelog": markup}
    tenant.post(f"/v1/integrations/{integration_id}/publish", publication)
    remark = {"deprecated": markup}
    path = f"/v1/integrations/{integration_id}"
    assert tenant.client.call("PATCH", f"{path}/versions/1.0.0", remark).status == 200
    # A draft may have what can't be published
    odd: dict[str, Any] = {
        "manifest": {"checks": {"steps": [{"name": {"a": markup}, "kind": markup}]}}
    }
    odd |= {"authConfig": {"type": "oauth2", "scopes": markup, "authorizationUrl": [markup]}}
    odd |= {"variablesSchema": {"properties": {"a": {"title": {"b": markup}, "enum": markup}}}}
    assert tenant.client.call("PATCH", path, odd).status == 200
    with visitor(browser, stack) as visiting:
        # Its icon is not on this machine, and not what this is about
        visiting.context.route("https://example.com/**", lambda route: route.abort())
        page = visiting.sign_in(key_of(tenant, MANAGER))
        for address in (
            f"/app/catalog?q={tenant.slug}",
            f"/app/catalog/{tenant.slug}/ledger",
            "/app/integrations",
            f"/app/integrations/{integration_id}",
            f"/app/integrations/{integration_id}?view=try",
            f"/app/integrations/{integration_id}?view=releases",
            f"/app/integrations/{integration_id}?view=about",
            "/app/audit",
        ):
            page.goto(address)
            settle(page)
            assert page.locator("img[src=x], [onerror], main script").count() == 0, address
            expect(page.get_by_text("This page failed"), address).to_have_count(0)
        visiting.complaints = [one for one in visiting.complaints if "ERR_FAILED" not in one]
