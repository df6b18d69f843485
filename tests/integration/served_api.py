"""The API in this process behind HTTP on loopback, for programs that call an address."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote

from tests.integration.api import Answer, Client

_PASSED_ON: Final = ("idempotency-key", "if-match", "content-type", "accept")

type Intercept = Callable[[str, str], Answer | None]
"""May answer a request, by method and path, in place of the API."""


@contextmanager
def served_api(intercept: Intercept | None = None) -> Iterator[str]:
    """The address of the API, as long as the block runs."""
    # moto's state is that of one thread at a time.
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                # The program has gone, as when it is killed.
                self.close_connection = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            path, _, query = self.path.partition("?")
            answer = intercept(self.command, path) if intercept else None
            if answer is None:
                with lock:
                    answer = self._called(f"{unquote(path)}?{query}", body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _called(self, target: str, body: bytes) -> Answer:
            _, _, key = self.headers.get("Authorization", "").partition(" ")
            passed = {
                name.replace("-", "_"): self.headers[name]
                for name in _PASSED_ON
                if name in self.headers
            }
            client = Client(key or None)
            return client.call(self.command, target, body.decode() if body else None, passed)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
