"""A first load of the wizard and of the dashboard, in Debian's Chromium before a local cloud.

First contentful paint is the browser's own figure, by an empty cache; the answers are those of the
emulator, which are slower than AWS. The main thread is all tasks until the page stands still, on a
CPU that is slowed down four times, as Lighthouse has it for a phone
(https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md). Each is the median of
five. Bytes and requests are those of the browser, with what the page asks the API.
"""

import shutil
import socket
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext

from bench.report import Row, Skipped
from tests.e2e.browser import chromium
from tests.e2e.harness import LocalCloud

ROUNDS: Final = 5
SLOWDOWN: Final = 4
FIRST_PAINT_MS: Final = 1800
"""What counts as good: https://web.dev/articles/fcp."""
REQUESTS: Final = 12
STARTING_MS: Final = 120_000

_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint').length > 0"
_FIGURES: Final = """() => {
  const loaded = performance.getEntriesByType("resource");
  const [page] = performance.getEntriesByType("navigation");
  return {
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    requests: loaded.length + 1,
    bytes: loaded.reduce((sum, one) => sum + one.encodedBodySize, page.encodedBodySize),
  };
}"""


def rows() -> list[Row]:
    if shutil.which("chromium") is None:
        raise Skipped("it needs chromium")
    with tempfile.TemporaryDirectory(prefix="patchbay-bench-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        cloud = LocalCloud(Path(folder), port)
        try:
            links = [line.strip() for line in cloud.said if line.startswith("    http")]
            with chromium(cloud.stack.state) as browser:
                return _measured(browser, cloud.stack.api_url, *links[:2])
        finally:
            cloud.stop()


def _measured(browser: Browser, api_url: str, sign_in: str, install: str) -> list[Row]:
    context, visitor = browser.new_context(), browser.new_context()
    # The first answers are of processes that start.
    for one, address in ((context, sign_in), (visitor, install)):
        page = one.new_page()
        page.set_default_timeout(STARTING_MS)
        page.goto(address, wait_until="networkidle")
        if one is context:
            page.wait_for_url(lambda url: "/sign-in" not in url)
        page.close()
    return [
        *_of("wizard", visitor, install),
        *_of("dashboard", context, f"{api_url}/app"),
    ]


def _of(name: str, context: BrowserContext, url: str) -> list[Row]:
    loads = [_load(context, url, 1) for _ in range(ROUNDS)]
    slowed = [_load(context, url, SLOWDOWN) for _ in range(ROUNDS)]
    paint = statistics.median(load["paint"] for load in loads)
    busy = statistics.median(load["busy_ms"] for load in slowed)
    first = f"page: {name}, first load"
    return [
        Row(f"{first}, first contentful paint", paint, "ms", FIRST_PAINT_MS),
        Row(f"{first}, main thread with the CPU slowed {SLOWDOWN} times", busy, "ms"),
        Row(f"{first}, requests", max(load["requests"] for load in loads), "", REQUESTS),
        Row(f"{first}, bytes", max(load["bytes"] for load in loads) / 1000, "KB"),
    ]


def _load(context: BrowserContext, url: str, slowdown: int) -> dict[str, Any]:
    page = context.new_page()
    try:
        tools = context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.send("Network.clearBrowserCache")
        tools.send("Performance.enable", {"timeDomain": "timeTicks"})
        tools.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
        before = _busy_seconds(tools)
        page.goto(url, wait_until="networkidle")
        page.wait_for_function(_PAINTED)
        figures: dict[str, Any] = page.evaluate(_FIGURES)
        return {**figures, "busy_ms": (_busy_seconds(tools) - before) * 1000}
    finally:
        page.close()


def _busy_seconds(tools: Any) -> float:
    metrics = tools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))
