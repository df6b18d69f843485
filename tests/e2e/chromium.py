"""A real browser: Debian's chromium without a screen, by the DevTools protocol
(https://chromedevtools.github.io/devtools-protocol/)."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from websockets.sync.client import ClientConnection, connect

from local.certificates import key_hash
from tests.e2e.real_server import program

WAIT_SECONDS: Final = 60


class Page:
    """A tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=WAIT_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def open(self, url: str) -> None:
        """Goes to this address, as if it were typed in."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, or of its promise; None while a page is being
        replaced."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return None if "exceptionDetails" in result else result["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Waits until the expression is true, on whatever page that is."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            if value := self.evaluate(f"document.readyState === 'complete' && ({expression})"):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{expression} did not become true at {self.url}: {self.text}")

    def click(self, selector: str) -> None:
        """Clicks on the first element of this CSS selector, once it is there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found} !== null")
        self.evaluate(f"{found}.click()")

    @property
    def url(self) -> str:
        return str(self.evaluate("location.href"))

    @property
    def text(self) -> str:
        """What the page says."""
        return str(self.evaluate("document.body.innerText"))


@contextmanager
def chromium(certificate: Path) -> Iterator[Page]:
    """A fresh browser, which takes the server certificate of this PEM file for valid."""
    with TemporaryDirectory(prefix="patchbay-chromium-") as folder:
        process = subprocess.Popen(
            [
                program("chromium", "chromium"),
                *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
                # It refuses to run as root otherwise, as a container's user often is.
                "--no-sandbox",
                "--no-proxy-server",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                f"--ignore-certificate-errors-spki-list={key_hash(certificate)}",
                f"--user-data-dir={folder}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address_of_a_tab(process, Path(folder)), proxy=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            try:
                process.wait(timeout=WAIT_SECONDS)
            finally:
                process.kill()


def _address_of_a_tab(process: subprocess.Popen[bytes], folder: Path) -> str:
    written = folder / "DevToolsActivePort"
    end = time.monotonic() + WAIT_SECONDS
    while not (written.exists() and "\n" in written.read_text()):
        assert process.poll() is None, "chromium ended by itself"
        assert time.monotonic() < end, "chromium did not start"
        time.sleep(0.05)
    port = written.read_text().splitlines()[0]
    opener = build_opener(ProxyHandler({}))
    request = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
    with opener.open(request, timeout=WAIT_SECONDS) as answer:
        return str(json.load(answer)["webSocketDebuggerUrl"])
