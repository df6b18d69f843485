"""The dashboard in a browser: signing in and out, the overview, a space, and its events."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.e2e.browser import Visitor, assert_accessible, visitor
from tests.e2e.harness import TENANT, Stack, Tenant
from tests.e2e.web_world import hostile

READ = ["platform.integration.read", "platform.integration.test"]


def key_of(tenant: Tenant, permissions: list[str], **more: Any) -> str:
    body = {"name": "Dashboard", "permissions": permissions, **more}
    return str(tenant.operator.call("POST", f"{tenant.organization}/api-keys", body).body["key"])


def space(tenant: Tenant, name: str, errors: int, successes: int) -> str:
    """A space that had so many events an hour ago."""
    slug = f"{tenant.slug}-{name.lower()}"
    tenant.post(f"{tenant.organization}/spaces", {"slug": slug, "name": name})
    if errors + successes:
        report(tenant, slug, ["ERROR"] * errors + ["SUCCESS"] * successes)
    return slug


def report(tenant: Tenant, slug: str, outcomes: list[str], **more: Any) -> None:
    at = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"integration_type": "metadata_sync", "occurred_at": at, "duration_ms": 120, **more}
    events = [event | {"status": outcome} for outcome in outcomes]
    tenant.post(f"/spaces/{slug}/integration-events", {"events": events}, 200)


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def path(page: Page) -> str:
    return urlsplit(page.url).path


# ---------------------------------------------------------------- signing in and out


def test_a_person_signs_in_with_a_key_where_they_were_going_and_out_again(
    tenant: Tenant, visit: Visitor
) -> None:
    page = visit.page
    page.goto(f"/app/spaces/{tenant.slug}?days=7")
    page.get_by_label("API key").fill("pb_nobody_has_this_key")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This key is not valid")).to_be_visible()
    expect(page.get_by_label("API key")).to_have_attribute("aria-invalid", "true")

    page.get_by_label("API key").fill(key_of(tenant, READ))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Space")).to_be_visible()
    assert path(page) == f"/app/spaces/{tenant.slug}"
    assert query(page) == {"days": ["7"]}

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto("/app")
    expect(page.get_by_label("API key")).to_be_visible()
    assert path(page) == "/app/sign-in"


def test_a_link_signs_in_once_and_its_code_leaves_the_address(
    browser: Browser, stack: Stack, tenant: Tenant, visit: Visitor
) -> None:
    link = tenant.post(f"{tenant.organization}/sign-in-links", {}).body["url"]
    code = urlsplit(link).fragment
    visit.page.goto(f"/app/sign-in#{code}")
    expect(visit.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    assert code not in visit.page.url

    with visitor(browser, stack) as second:
        second.page.goto(f"/app/sign-in#{code}")
        expect(second.page.get_by_text("This link doesn't work any more")).to_be_visible()
        assert code not in second.page.url
        expect(second.page.get_by_label("API key")).to_be_visible()


@pytest.mark.parametrize(
    "to",
    [
        "https://example.com/app",
        "//example.com/app",
        "/\\example.com",
        "javascript:alert(1)",
        "/app/../v1/organizations",
        "/application",
        "/app/sign-in?to=/app",
    ],
)
def test_signing_in_leads_to_pages_of_the_dashboard_only(
    tenant: Tenant, visit: Visitor, to: str
) -> None:
    link = tenant.post(f"{tenant.organization}/sign-in-links", {}).body["url"]
    visit.page.goto("/app/sign-in")
    visit.page.evaluate(
        "([to, code]) => location.assign('?' + new URLSearchParams({to}) + '#' + code)",
        [to, urlsplit(link).fragment],
    )
    expect(visit.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    assert visit.page.url == f"{visit.origin}/app"


def test_a_session_that_ends_leads_to_signing_in_and_back(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    page.goto(f"/app/spaces/{tenant.slug}/events")
    expect(page.get_by_role("heading", level=1, name="Space")).to_be_visible()

    visit.context.clear_cookies()
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    assert query(page)["to"] == [f"/app/spaces/{tenant.slug}"]

    page.get_by_label("API key").fill(key_of(tenant, READ))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Space")).to_be_visible()


def test_a_key_of_one_space_sees_that_space_alone(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ, space=tenant.slug))
    expect(page.get_by_role("heading", level=1, name="Space")).to_be_visible()
    assert path(page) == f"/app/spaces/{tenant.slug}"
    expect(page.get_by_role("navigation", name="Dashboard").get_by_role("link")).to_have_text(
        ["Space", "Connections"]
    )


def test_a_support_role_sees_everything_and_edits_nothing(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    add = page.get_by_role("button", name="New space")
    expect(add).to_be_disabled()
    expect(add).to_have_attribute("title", re.compile("platform.integration.manage"))
    add.click(force=True)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"/app/spaces/{tenant.slug}")
    expect(page.get_by_role("button", name="Pause")).to_be_disabled()
    expect(page.get_by_role("button", name="Rename")).to_be_disabled()


def test_the_operator_looks_at_any_organization(
    stack: Stack, tenant: Tenant, visit: Visitor
) -> None:
    page = visit.sign_in(stack.api_key)
    page.get_by_role("link", name="Organizations").click()
    page.get_by_label("Search by name or external id").fill(tenant.slug)
    page.get_by_role("link", name=tenant.slug).click()
    expect(page.get_by_text(f"You look at {tenant.slug}")).to_be_visible()
    page.get_by_role("link", name="Space", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Space")).to_be_visible()
    assert query(page)["organization"] == [tenant.organization_id]


# ---------------------------------------------------------------- the overview


def test_the_overview_begins_with_the_worst_space(tenant: Tenant, visit: Visitor) -> None:
    space(tenant, "Good", 0, 10)
    space(tenant, "Bad", 5, 5)
    space(tenant, "Fair", 1, 30)
    page = visit.sign_in(key_of(tenant, READ))
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Bad")
    expect(rows.nth(1)).to_contain_text("50%")
    expect(rows.nth(1)).to_contain_text("Failing")
    expect(rows.nth(2)).to_contain_text("Fair")
    expect(rows.nth(2)).to_contain_text("Degraded")
    expect(rows.nth(3)).to_contain_text("Good")
    expect(rows.nth(4)).to_contain_text("No events")


def test_an_overview_that_is_left_open_stays_up_to_date(tenant: Tenant, visit: Visitor) -> None:
    slug = space(tenant, "Watched", 0, 4)
    page = visit.sign_in(key_of(tenant, READ))
    expect(page.get_by_role("row", name=re.compile("Watched"))).to_contain_text("100%")
    page.clock.install()
    page.reload()
    expect(page.get_by_role("row", name=re.compile("Watched"))).to_contain_text("100%")
    report(tenant, slug, ["ERROR"] * 4)
    page.clock.run_for(121_000)
    expect(page.get_by_role("row", name=re.compile("Watched"))).to_contain_text("50%")


def test_what_is_searched_and_compared_survives_a_reload(tenant: Tenant, visit: Visitor) -> None:
    space(tenant, "Apples", 0, 1)
    space(tenant, "Pears", 0, 1)
    page = visit.sign_in(key_of(tenant, READ))
    page.get_by_role("button", name="90 days").click()
    expect(page.get_by_role("link", name="Pears")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("appl")
    expect(page.get_by_role("link", name="Pears")).to_have_count(0)
    assert query(page) == {"days": ["90"], "q": ["appl"]}

    page.reload()
    expect(page.get_by_role("link", name="Apples")).to_be_visible()
    expect(page.get_by_role("link", name="Pears")).to_have_count(0)
    expect(page.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")


def test_the_first_step_of_an_organization_is_a_space(stack: Stack, visit: Visitor) -> None:
    operator = stack.client
    made = operator.call("POST", "/v1/organizations", {"name": "Nobody yet"}).body["id"]
    body = {"name": "first", "permissions": TENANT[:3]}
    key = operator.call("POST", f"/v1/organizations/{made}/api-keys", body).body["key"]
    page = visit.sign_in(key)
    expect(page.get_by_text("No space yet")).to_be_visible()
    page.get_by_role("button", name="New space").click()
    slug = f"zurich-{made[-8:].lower()}"
    page.get_by_label("Name").fill("Zürich")
    expect(page.get_by_label("Slug")).to_have_value("zurich")
    page.get_by_label("Slug").fill("no spaces here")
    page.get_by_role("button", name="Create space").click()
    expect(page.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Slug").fill(slug)
    page.get_by_role("button", name="Create space").click()
    expect(page.get_by_role("heading", level=1, name="Zürich")).to_be_visible()
    # Then the first steps of a space: an event, and a connection
    expect(
        page.get_by_text(f"curl {visit.origin}/spaces/{slug}/integration-events")
    ).to_be_visible()
    expect(page.get_by_role("link", name="Choose an integration")).to_be_visible()


# ---------------------------------------------------------------- a space


def test_a_space_is_renamed_and_paused(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, TENANT[:3]))
    page.goto(f"/app/spaces/{tenant.slug}")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Production")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1, name="Production")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert tenant.get(f"/spaces/{tenant.slug}")["paused"] is True
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_space_shows_its_figures_and_a_chart_that_can_be_zoomed(
    tenant: Tenant, visit: Visitor
) -> None:
    slug = space(tenant, "Figures", 3, 9)
    page = visit.sign_in(key_of(tenant, READ))
    page.goto(f"/app/spaces/{slug}?days=1")
    expect(page.get_by_text("75%", exact=True).first).to_be_visible()
    chart = page.locator(".u-over")
    expect(chart).to_be_visible()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    assert {"from", "until"} <= query(page).keys()

    # The same as a table, after a reload too
    page.get_by_role("button", name="Table", exact=True).click()
    page.reload()
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    table = page.get_by_role("table", name="Events over time")
    zoomed = table.get_by_role("row").count()
    expect(table.get_by_role("row", name=re.compile(r"12 3 75%"))).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(table.get_by_role("row")).to_have_count(26)
    assert zoomed < 12


def test_new_events_appear_by_themselves_and_are_marked(tenant: Tenant, visit: Visitor) -> None:
    slug = space(tenant, "Live", 0, 2)
    page = visit.sign_in(key_of(tenant, READ))
    page.goto(f"/app/spaces/{slug}")
    latest = page.get_by_role("table", name="Latest events")
    expect(latest.get_by_role("row")).to_have_count(3)
    expect(latest.get_by_text("new", exact=True)).to_have_count(0)
    report(tenant, slug, ["ERROR"], message="It broke")
    # It looks every 15 seconds
    expect(latest.get_by_text("new", exact=True)).to_have_count(1)
    expect(latest.get_by_role("row", name=re.compile("It broke"))).to_contain_text("new")
    expect(page.get_by_role("status").filter(has_text="1 new event")).to_have_count(1)


def test_nothing_is_read_while_nobody_looks(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true})")
    page.clock.install()
    page.goto(f"/app/spaces/{tenant.slug}")
    expect(page.get_by_text("What comes in is shown here")).to_be_visible()
    visit.requests.clear()
    page.clock.run_for(120_000)
    assert visit.requests == []


def test_events_are_filtered_in_the_address_and_shown_in_full(
    tenant: Tenant, visit: Visitor
) -> None:
    slug = space(tenant, "Filtered", 0, 3)
    more = {"error_code": "timeout", "message": hostile("Too long"), "metadata": {"rows": 412}}
    report(tenant, slug, ["ERROR"], **more)
    page = visit.sign_in(key_of(tenant, READ))
    page.goto(f"/app/spaces/{slug}/events")
    table = page.get_by_role("table", name="Events, newest first")
    expect(table.get_by_role("row")).to_have_count(5)
    page.get_by_label("Outcome").select_option("Error")
    expect(table.get_by_role("row")).to_have_count(2)
    assert query(page) == {"status": ["ERROR"]}
    page.reload()
    expect(table.get_by_role("row")).to_have_count(2)

    table.get_by_role("button").click()
    details = page.get_by_role("dialog")
    expect(details).to_contain_text(hostile("Too long"))
    expect(details).to_contain_text('"rows": 412')
    page.keyboard.press("Escape")
    page.get_by_label("Type").select_option("Webhook")
    expect(page.get_by_text("No event matches these filters")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(table.get_by_role("row")).to_have_count(5)


def test_a_list_is_read_on_page_by_page(tenant: Tenant, visit: Visitor) -> None:
    slug = space(tenant, "Long", 0, 60)
    page = visit.sign_in(key_of(tenant, READ))
    page.goto(f"/app/spaces/{slug}/events")
    rows = page.get_by_role("table", name="Events, newest first").get_by_role("row")
    expect(rows).to_have_count(51)
    more = page.get_by_role("button", name="Load more")
    more.click()
    expect(rows).to_have_count(61)
    # The API has looked back as far as one answer may: nothing older comes
    more.click()
    expect(more).to_have_count(0)
    expect(rows).to_have_count(61)


# ---------------------------------------------------------------- when it doesn't go well


def failing(status: int) -> Callable[[Route], None]:
    error = {"code": "TEMPORARILY_UNAVAILABLE", "message": "Busy.", "trace_id": "trace-17"}
    return lambda route: route.fulfill(status=status, json={"success": False, "error": error})


def test_a_slow_answer_is_waited_for_and_a_failed_one_can_be_tried_again(
    tenant: Tenant, visit: Visitor
) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    health = re.compile(r"/integration-health")
    held: list[Route] = []
    page.route(health, lambda route: held.append(route))
    with page.expect_request(health):
        page.goto("/app")
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    failing(503)(held[0])
    page.unroute(health)
    expect(page.get_by_text("trace-17")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="Space", exact=True)).to_be_visible()


def test_what_was_read_stays_while_the_api_fails(tenant: Tenant, visit: Visitor) -> None:
    slug = space(tenant, "Stays", 0, 2)
    page = visit.sign_in(key_of(tenant, READ))
    page.clock.install()
    page.goto(f"/app/spaces/{slug}")
    latest = page.get_by_role("table", name="Latest events")
    expect(latest.get_by_role("row")).to_have_count(3)
    events = re.compile(r"/integration-events")
    page.route(events, failing(503))
    page.clock.run_for(16_000)
    expect(page.get_by_text("New events can't be read")).to_be_visible()
    expect(latest.get_by_role("row")).to_have_count(3)
    page.unroute(events)
    page.clock.run_for(16_000)
    expect(page.get_by_text("New events can't be read")).to_have_count(0)


def test_the_theme_is_chosen_and_kept(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(color)
    page.get_by_text("Preferences").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).not_to_have_css("background-color", light)
    dark = page.evaluate(color)
    assert_accessible(page)
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", dark)


def test_the_shortcut_can_be_turned_off(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    page.get_by_text("Preferences").click()
    page.get_by_label("goes to the search").uncheck()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement?.tagName") != "INPUT"


def test_the_first_load_of_the_overview_is_few_requests(tenant: Tenant, visit: Visitor) -> None:
    page = visit.sign_in(key_of(tenant, READ))
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    expect(page.get_by_role("link", name="Space", exact=True)).to_be_visible()
    page.on("request", note)
    page.reload()
    expect(page.get_by_role("link", name="Space", exact=True)).to_be_visible()
    assert len(asked) <= 12, asked
