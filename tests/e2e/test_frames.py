"""The wizard in a frame of another site: shown to the origins of its session, and to no other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Browser, BrowserContext, expect

from local.provider import Provider
from tests.e2e.browser import PATIENCE_MS
from tests.e2e.harness import Stack, Tenant
from tests.e2e.test_wizard import publish, session

HOST_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Acme</title>
<script src="{api}/embed.js"></script></head><body><main id="here"></main><script>
const events = [];
Patchbay.open({{ url: "{url}", container: document.getElementById("here"),
  onEvent: (event) => events.push(event.type) }});
</script></body></html>"""


class Site:
    """Somebody else's, at one port of the loopback interface, under each of its names."""

    port: int
    html = ""


@contextmanager
def site() -> Iterator[Site]:
    shown = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown.html.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shown.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield shown
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def visiting(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


def test_a_wizard_is_framed_by_the_origins_of_its_session_alone(
    tenant: Tenant, server: Provider, stack: Stack, browser: Browser
) -> None:
    integration = publish(tenant, server)
    with site() as acme, visiting(browser) as context:
        # Given a page of a customer's site, and a session that names its origin
        allowed, other_name = (f"http://{name}:{acme.port}" for name in ("localhost", "127.0.0.1"))
        made = session(tenant, integration, allowed_origins=[allowed])
        acme.html = HOST_PAGE.format(api=stack.api_url, url=made["url"])
        # Then it shows the wizard, which says so
        page = context.new_page()
        page.goto(allowed)
        frame = page.frame_locator("iframe")
        expect(frame.get_by_label("API key", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        page.wait_for_function("events.includes('ready')")
        # And the script takes no address that would run in the page itself
        assert page.evaluate(
            """() => {
                try { Patchbay.open({ url: "javascript:parent.taken=1//" }); } catch (no) {
                    return [no.name, document.querySelectorAll("iframe").length, window.taken];
                }
            }"""
        ) == ["TypeError", 1, None]
        # And the same page under another name, which is another origin, does not
        assert_refused(context, other_name)
        # And once the session has ended, no page does
        path = f"{tenant.organization}/install-sessions/{made['id']}"
        assert tenant.client.call("DELETE", path).status == 204
        assert_refused(context, allowed)


def assert_refused(context: BrowserContext, address: str) -> None:
    """The browser says why it does not show the frame; the page hears nothing from it."""
    page = context.new_page()
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(address)
    expect(page.frame_locator("iframe").get_by_label("API key")).to_have_count(0)
    assert page.evaluate("events") == []
