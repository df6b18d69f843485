"""A server in a process of its own whose answers are as costly to read as they may be.

Each path is a kind of answer, `/<status>/<kind>`: `/401/json`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection as Pipe
from typing import Final

from bench.own_process import in_own_process

SIZE: Final = 64 * 1024

_REFUSAL: Final = "the api key is not valid, access denied: permission, scope, expired token; "

BODIES: Final[dict[str, Callable[[], str]]] = {
    "json": lambda: '{"errors": [' + ",".join([f'"{_REFUSAL}"'] * (SIZE // 90)) + "]}",
    "members": lambda: "{" + ",".join(f'"error{n}":"{n}"' for n in range(SIZE // 19)) + "}",
    "deep": lambda: '{"error":' * 3000 + "1" + "}" * 3000,
    "list": lambda: "[" + ",".join("0" * (SIZE // 2)) + "]",
    "html": lambda: "<html><title>" + "<b>" * (SIZE // 8) + _REFUSAL * (SIZE // 200),
    "xml": lambda: "".join(f"<error><code>{n}</code></error>" for n in range(SIZE // 34)),
    "open": lambda: "<error>" * (SIZE // 7),
    "words": lambda: _REFUSAL * (SIZE // len(_REFUSAL)),
    "same": lambda: "a" * SIZE,
}


def hostile_server() -> AbstractContextManager[int]:
    """Yields its port on loopback."""
    return in_own_process(_serve)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name is the library's
        status, _, kind = self.path.partition("?")[0][1:].partition("/")
        if kind not in BODIES:
            status, kind = "200", "json"
        types = {"html": "text/html", "xml": "text/xml", "open": "text/xml", "words": "text/plain"}
        body = BODIES[kind]().encode()[:SIZE]
        self.send_response(int(status))
        self.send_header("Content-Type", types.get(kind, "application/json"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _serve(ready: Pipe) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    ready.send(server.server_address[1])
    server.serve_forever()
