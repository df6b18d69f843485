"""A deployment on loopback that does as it is told: one behavior for each request, in order."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

KEY: Final = "pb_test_the-secret-part"
ORGANIZATION: Final = {
    "id": "org_01KHNGNQ80TYJPTF7WZ6J4TT8T",
    "name": "Acme",
    "external_id": None,
    "paused": False,
    "created_at": "2026-02-17T10:00:00Z",
}


@dataclass(frozen=True)
class Asked:
    """One request, as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Behavior = Callable[[BaseHTTPRequestHandler], None]


def answers(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Behavior:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def fails(
    status: int, code: str, headers: Mapping[str, str] | None = None, **details: Any
) -> Behavior:
    return answers(status, envelope(status, code, **details), headers)


def envelope(status: int, code: str, **details: Any) -> dict[str, Any]:
    return {
        "success": False,
        "error": {
            "code": code,
            "message": "What went wrong.",
            "type": "client_error" if status < 500 else "server_error",
            "status": status,
            "details": details,
            "trace_id": "Yf3kJh1uFiAEMZg=",
            "timestamp": "2026-02-17T10:00:00Z",
        },
    }


def drops(handler: BaseHTTPRequestHandler) -> None:
    """The request was read, and may be done; the connection ends without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    """The answer begins, and never ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"id": ')
    drops(handler)


def waits(seconds: float, then: Behavior) -> Behavior:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        then(handler)

    return behave


def trickles(seconds: float) -> Behavior:
    """A byte now and then, so that no single read takes long."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b" ")
            time.sleep(0.05)
        handler.close_connection = True

    return behave


def trickles_headers(seconds: float) -> Behavior:
    """A byte of a header now and then."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b"x")
            time.sleep(0.05)
        handler.close_connection = True

    return behave


@dataclass
class StandIn:
    """What was asked of it, and what it does next: the last behavior is for all that follow."""

    behaviors: list[Behavior] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def does(self, *behaviors: Behavior) -> None:
        self.behaviors = list(behaviors)

    @property
    def keys(self) -> list[str | None]:
        """The Idempotency-Key of each request."""
        return [one.headers.get("Idempotency-Key") for one in self.asked]

    def next(self) -> Behavior:
        return self.behaviors.pop(0) if len(self.behaviors) > 1 else self.behaviors[0]


@contextmanager
def stand_in(tls: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    here = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: without this, the second one waits 40 ms.
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                # The client has gone, which some tests mean to see.
                self.close_connection = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            here.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            here.next()(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            here.url = f"https://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield here
        finally:
            server.shutdown()


def listing(items: Sequence[Any], next_cursor: str | None) -> Behavior:
    return answers(200, {"items": list(items), "next_cursor": next_cursor})
