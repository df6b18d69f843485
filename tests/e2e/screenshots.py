"""Pictures of every page: in both themes, wide and narrow, with plain names, with long ones, and
with names in Arabic.

    python -m tests.e2e.screenshots <folder>
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect

from local.provider import provider
from tests.e2e.browser import Theme, chromium, visitor
from tests.e2e.harness import LocalCloud, Stack
from tests.e2e.real_server import free_port
from tests.e2e.web_world import Say, WebWorld, at_length, in_arabic, pages, plainly

_VIEWS: Final[list[tuple[str, Say, Theme, int]]] = [
    ("", plainly, "light", 1280),
    ("", plainly, "dark", 1280),
    ("", plainly, "light", 390),
    ("", plainly, "dark", 390),
    ("-long", at_length, "light", 1280),
    ("-long", at_length, "light", 390),
    ("-arabic", in_arabic, "dark", 1280),
    ("-arabic", in_arabic, "dark", 390),
]


def settle(page: Page) -> None:
    """Waits until the page shows what it reads."""
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def _take(browser: Browser, stack: Stack, port: int, folder: Path) -> None:
    worlds: dict[Say, WebWorld] = {}
    for mark, say, theme, width in _VIEWS:
        world = worlds[say] = worlds.get(say) or WebWorld(stack, port, say)
        addresses = pages(world) | {
            "install": world.install_link(),
            "status": world.status_link(),
        }
        with visitor(browser, stack, width=width, theme=theme) as visiting:
            page = visiting.page
            page.goto("/app/sign-in")
            settle(page)
            page.screenshot(path=folder / f"sign-in-{theme}-{width}{mark}.png", full_page=True)
            visiting.sign_in(world.key)
            for name, address in addresses.items():
                page.goto(address)
                settle(page)
                page.screenshot(path=folder / f"{name}-{theme}-{width}{mark}.png", full_page=True)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        cloud = LocalCloud(Path(state), free_port())
        try:
            with provider() as served, chromium(cloud.stack.state) as browser:
                _take(browser, cloud.stack, served.port, folder)
        finally:
            cloud.stop()


if __name__ == "__main__":
    main()
