"""A real browser: Debian's chromium, driven by Playwright, and what every page has to keep to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Playwright,
    Route,
    WebError,
    expect,
    sync_playwright,
)

from local.certificates import key_hash
from local.paths import ROOT, StateDir
from tests.e2e.harness import Stack
from tests.e2e.real_server import program

type Theme = Literal["light", "dark"]

PATIENCE_MS: Final = 30_000
"""For what a busy local cloud has to answer first."""
expect.set_options(timeout=PATIENCE_MS)

_AXE: Final = ROOT / ".local/clients/npm/node_modules/axe-core/axe.min.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Chromium's own remark on each answer of 4xx and 5xx, which a page may well expect.
_ANSWERED: Final = re.compile(r"Failed to load resource: the server responded with a status of \d+")
# A pattern, so that the browser's driver asks only about these and lets all others pass by itself.
_ELSEWHERE: Final = re.compile(r"^https?://(?!(?:127\.0\.0\.[12]|localhost|\[::1\])[:/])")


class Visitor:
    """A person at a browser of their own: nothing of an earlier one is in it.

    `complaints` is what must not happen on any page: errors in the console, violations of the
    content security policy among them, exceptions, and requests that leave this machine, which are
    not let through.
    """

    def __init__(self, browser: Browser, origin: str, **options: Any) -> None:
        self.origin = origin
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(base_url=origin, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("console", self._heard)
        self.context.on("weberror", self._failed)
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.route(_ELSEWHERE, self._stop)
        self.page = self.context.new_page()

    def sign_in(self, key: str) -> Page:
        """As a person does, with an API key."""
        self.page.goto("/app/sign-in")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(lambda url: urlsplit(url).path != "/app/sign-in")
        return self.page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _ANSWERED.match(message.text):
            self.complaints.append(f"console: {message.text}")

    def _failed(self, failure: WebError) -> None:
        self.complaints.append(f"exception: {failure.error.stack or failure.error.message}")

    def _stop(self, route: Route) -> None:
        self.complaints.append(f"a request to {route.request.url}")
        route.abort()


@contextmanager
def chromium(state: StateDir) -> Iterator[Browser]:
    """A browser that takes the servers of this local cloud's certificate for valid."""
    with _driver() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium", "chromium"),
            # It refuses to run as root otherwise, as a container's user often is.
            chromium_sandbox=False,
            args=[
                "--disable-gpu",
                "--disable-quic",
                "--no-proxy-server",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--ignore-certificate-errors-spki-list={key_hash(state.server_certificate)}",
            ],
        )
        yield browser
        browser.close()


_drivers: Final[list[Playwright]] = []


@contextmanager
def _driver() -> Iterator[Playwright]:
    """One for all browsers of a process: its loop lets no second one run beside it."""
    if _drivers:
        yield _drivers[0]
        return
    with sync_playwright() as started:
        _drivers.append(started)
        try:
            yield started
        finally:
            _drivers.clear()


def visited(page: Page) -> list[str]:
    """The addresses that the tab's history has."""
    entries = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    return [entry["url"] for entry in entries]


@contextmanager
def visitor(
    browser: Browser,
    stack: Stack,
    *,
    width: int = 1280,
    theme: Theme = "light",
    language: str = "en-US",
) -> Iterator[Visitor]:
    """A visitor of the local cloud; fails at its end if a page gave reason to complain."""
    visiting = Visitor(
        browser,
        stack.api_url,
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        locale=language,
        reduced_motion="reduce",
        timezone_id="UTC",
    )
    try:
        yield visiting
    finally:
        visiting.context.close()
    assert visiting.complaints == [], visiting.complaints


def assert_accessible(page: Page) -> None:
    """What axe-core finds against WCAG 2.2 AA, on the page as it is now."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", _RULES)
    said = [
        f"{broken['id']}: {broken['help']}\n    {node['html'][:200]}\n    {node['failureSummary']}"
        for broken in found["violations"]
        for node in broken["nodes"]
    ]
    assert said == [], "\n".join(said)
