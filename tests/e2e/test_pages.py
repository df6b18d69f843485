"""What holds on every page of the dashboard, whatever it shows."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from local.provider import provider
from tests.e2e.browser import Theme, Visitor, assert_accessible, visitor
from tests.e2e.harness import Stack
from tests.e2e.screenshots import settle
from tests.e2e.web_world import WebWorld, hostile, pages

VIEWS: list[tuple[int, Theme]] = [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")]
MOST_REQUESTS = 12


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[WebWorld]:
    """Names, errors, and answers of the provider are hostile: each page has to stand that."""
    with provider() as served:
        yield WebWorld(stack, served.port, hostile)


@pytest.mark.parametrize(("width", "theme"), VIEWS)
def test_a_page_is_accessible_and_fits(
    browser: Browser, stack: Stack, world: WebWorld, width: int, theme: Theme
) -> None:
    wrong = []
    with visitor(browser, stack, width=width, theme=theme) as visiting:
        page = visiting.sign_in(world.key)
        for name, address in pages(world).items():
            page.goto(address)
            settle(page)
            try:
                assert_accessible(page)
            except AssertionError as failure:
                wrong.append(f"{name}: {failure}")
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if overflow > 0:
                wrong.append(f"{name}: {overflow} px too wide")
    assert wrong == [], "\n".join(wrong)


def test_hostile_names_are_shown_as_text(visit: Visitor, world: WebWorld) -> None:
    page = visit.sign_in(world.key)
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("dialog", lambda dialog: dialog.dismiss())
    for address in pages(world).values():
        page.goto(address)
        settle(page)
        assert page.locator("img[src=x], img[onerror], main script").count() == 0, address
    assert said == []
    page.goto("/app")
    expect(page.get_by_text(hostile("Billing")).first).to_be_visible()


def test_a_page_whose_reads_fail_says_so_and_can_try_again(visit: Visitor, world: WebWorld) -> None:
    page = visit.sign_in(world.key)
    api = re.compile(r"/(v1/(?!browser-sessions)|spaces/[^/]+(/|$))")

    def fail(route: Route) -> None:
        if "/app/" in route.request.url or "/assets/" in route.request.url:
            route.continue_()
        else:
            error = {"code": "TEMPORARILY_UNAVAILABLE", "message": "Busy.", "trace_id": "trace-17"}
            route.fulfill(status=503, json={"success": False, "error": error})

    for name, address in pages(world).items():
        if name == "new-rule":  # reads nothing before it can be filled in
            continue
        page.route(api, fail)
        page.goto(address)
        expect(page.get_by_text("trace-17").first, name).to_be_visible()
        page.unroute(api)
        page.get_by_role("button", name="Try again").first.click()
        expect(page.get_by_text("trace-17"), name).to_have_count(0)


def test_first_loads_are_few_requests_and_all_of_them_ours(visit: Visitor, world: WebWorld) -> None:
    page = visit.sign_in(world.key)
    settle(page)
    for name in ("overview", "connections", "catalog"):
        visit.requests.clear()
        page.goto(pages(world)[name])
        settle(page)
        page.wait_for_timeout(500)
        assert len(visit.requests) <= MOST_REQUESTS, (name, visit.requests)
