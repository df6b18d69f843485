"""A webhook's receiver on loopback, as a customer runs one, and hostile ones."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

_SILENCE_SECONDS = 60


@dataclass
class Received:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The message, if the library of Standard Webhooks takes it."""
        message: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return message


@dataclass
class Receiver:
    """A running receiver. `answer` is how it answers from now on: a status, or a misdeed."""

    port: int = 0
    answer: int | str = 204
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def receiving() -> Iterator[Receiver]:
    served = Receiver()
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.requests.append(Received(headers, body, self.path))
            match served.answer:
                case int() as status:
                    self.send_response(status)
                    for name, value in served.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                case "silent":
                    closing.wait(_SILENCE_SECONDS)
                case "reset":
                    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                case "huge":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b"x" * 10_000_000)
                case "slow":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    while not closing.wait(0.05):
                        self.wfile.write(b"X-More: 1\r\n")

        def do_GET(self) -> None:
            served.requests.append(Received({}, b"GET", self.path))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the sender has hung up, as it should
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
