"""The status page in a browser: from the setting to the page, and from the page to its end."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from local.provider import provider
from tests.e2e.browser import Theme, Visitor, assert_accessible, visitor
from tests.e2e.harness import Stack, Tenant
from tests.e2e.screenshots import settle
from tests.e2e.web_world import WebWorld, hostile

VIEWS: list[tuple[int, Theme]] = [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")]
DOWN = {"code": "TEMPORARILY_UNAVAILABLE", "message": "Busy.", "trace_id": "trace-17"}


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[WebWorld]:
    with provider() as served:
        yield WebWorld(stack, served.port, hostile)


def switch(tenant: Tenant, **page: object) -> str:
    """The path of the page of an empty space."""
    body = {"status_page": {"enabled": True, **page}}
    answer = tenant.client.call("PATCH", f"/spaces/{tenant.slug}", body)
    assert answer.status == 200, answer.body
    return "/status/" + str(answer.body["status_page"]["url"]).rpartition("/")[2]


def fails(route: Route) -> None:
    route.fulfill(status=503, json={"success": False, "error": DOWN})


@pytest.mark.parametrize(("width", "theme"), VIEWS)
def test_a_page_is_accessible_and_fits(
    browser: Browser, stack: Stack, world: WebWorld, width: int, theme: Theme
) -> None:
    path = world.status_link()
    with visitor(browser, stack, width=width, theme=theme) as visiting:
        page = visiting.page
        for address in (path, f"/status/{'a' * 32}"):
            page.goto(address)
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert_accessible(page)


def test_a_page_says_how_a_space_is_doing_and_runs_nothing_of_its_names(
    visit: Visitor, world: WebWorld
) -> None:
    page = visit.page
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.goto(world.status_link())
    expect(page.get_by_role("heading", level=1)).to_have_text(hostile("Initech"))
    expect(page.get_by_text("Not everything works")).to_be_visible()
    expect(page.get_by_text(hostile("Tracker of 401"), exact=True)).to_be_visible()
    expect(page.get_by_text("Failing").first).to_be_visible()
    assert page.locator("img[src=x], main script").count() == 0
    assert said == []
    assert len(visit.requests) <= 12


def test_keys_and_pointers_choose_a_day(visit: Visitor, world: WebWorld) -> None:
    page = visit.page
    page.goto(world.status_link())
    days = page.get_by_role("slider", name="Day")
    expect(days).to_have_attribute("aria-valuenow", "90")
    expect(days).to_have_attribute("aria-valuetext", re.compile("of [0-9]+ runs? succeeded"))
    for key, now in (
        ("ArrowLeft", 89),
        ("PageDown", 82),
        ("ArrowRight", 83),
        ("ArrowRight", 84),
        ("Home", 1),
        ("ArrowLeft", 1),
        ("End", 90),
        ("ArrowUp", 90),
    ):
        days.press(key)
        expect(days).to_have_attribute("aria-valuenow", str(now))
    page.locator("[data-day='0']").hover()
    expect(days).to_have_attribute("aria-valuetext", re.compile("no data"))
    # From right to left, the newest day is to the left.
    page.evaluate("document.documentElement.dir = 'rtl'")
    days.press("End")
    days.press("ArrowRight")
    expect(days).to_have_attribute("aria-valuenow", "89")
    page.get_by_text("The days as a table").click()
    expect(page.get_by_role("table", name="The days").get_by_role("row")).to_have_count(91)


def test_a_page_reads_itself_again_each_minute_while_it_is_seen(
    visit: Visitor, tenant: Tenant
) -> None:
    page = visit.page
    page.clock.install()
    path = switch(tenant)

    def reads() -> int:
        return sum("/v1/status/" in url for url in visit.requests)

    page.goto(path)
    settle(page)
    assert reads() == 1
    page.clock.run_for(55_000)
    assert reads() == 1
    page.clock.run_for(6_000)
    page.wait_for_timeout(200)
    assert reads() == 2
    _be_hidden(page, "true")
    page.clock.run_for(600_000)
    assert reads() == 2
    _be_hidden(page, "false")
    page.wait_for_timeout(200)
    assert reads() == 3


def _be_hidden(page: Page, hidden: str) -> None:
    page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def test_a_link_that_is_taken_back_ends_a_page_that_is_open(visit: Visitor, tenant: Tenant) -> None:
    page = visit.page
    page.clock.install()
    page.goto(switch(tenant, title="Acme"))
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()
    tenant.client.call("PATCH", f"/spaces/{tenant.slug}", {"status_page": {"enabled": False}})
    page.clock.run_for(61_000)
    expect(page.get_by_text("There is no status page at this address")).to_be_visible()
    expect(page.get_by_text("Acme")).to_have_count(0)


def test_a_page_that_can_not_be_read_says_so_and_keeps_what_it_has(
    visit: Visitor, tenant: Tenant
) -> None:
    page = visit.page
    page.clock.install()
    path = switch(tenant, title="Acme")
    page.route("**/v1/status/*", fails)
    page.goto(path)
    expect(page.get_by_text("trace-17")).to_be_visible()
    page.unroute("**/v1/status/*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()
    page.route("**/v1/status/*", fails)
    page.clock.run_for(61_000)
    expect(page.get_by_text("could not be read again")).to_be_visible()
    expect(page.get_by_role("heading", name="Acme")).to_be_visible()


def test_a_badge_is_a_picture(visit: Visitor, tenant: Tenant) -> None:
    page = visit.page
    path = switch(tenant, title="W" * 60)
    page.goto(path)
    for name in ("uptime", "health", "response"):
        size = page.evaluate(
            "async (source) => { const image = new Image(); image.src = source;"
            " await image.decode(); return [image.naturalWidth, image.naturalHeight] }",
            f"{path}/badges/{name}.svg?named=true",
        )
        assert size[0] > 300
        assert size[1] == 20
        page.goto(f"{path}/badges/{name}.svg")
        texts = page.evaluate(
            "[...document.querySelectorAll('text')].map(one => [one.getBBox().x,"
            " one.getBBox().x + one.getBBox().width])"
        )
        assert texts[0][1] <= texts[1][0]
        page.goto(path)
