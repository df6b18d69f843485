"""A provider's API to try things on: a small server on loopback, for http and https on one port.

    python3 local/provider.py 8099

| path | answer |
|---|---|
| `/me` | 200 `{"login": "octocat"}` with `Authorization: Bearer right-key`, otherwise 401 |
| `/tables` | 200 `{"tables": ["issues"]}` with the same key, otherwise 401 |
| `/accounts` | 200 `[{"id": "acme-eu", …}]` with the same key: what a lookup after connecting finds |
| `/echo` | any method: 200 with the request's method, path, query, headers, and body, with the same key; otherwise 401 |
| `/scoped` | 403 with the same key, which lacks the scope `issues:read`; otherwise 401 |
| `/<status>`, such as `/500` | that status |
| `/silent` | none: the connection stays open |
| `/oauth/…` | an authorization server, whose access tokens count as the key does: see `local/authorization_server.py` |

For https it shows the certificate of the local cloud in `.local/tls`, which that cloud trusts. It
listens on 127.0.0.1, and on 127.0.0.2 as a host of its own for a customer.
"""  # noqa: E501 - the rows of the table

import contextlib
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

if not __package__:
    # As a program it is found in its own folder, and the package is in the one above.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from local.authorization_server import AuthorizationServer, Request, Response
from local.paths import StateDir

HOSTS = ("127.0.0.1", "127.0.0.2")
_SILENCE_SECONDS = 60
_NO_SCOPE = 'Bearer error="insufficient_scope", scope="issues:read"'
_BEHIND_THE_KEY: dict[str, Any] = {
    "/me": {"login": "octocat"},
    "/tables": {"tables": ["issues"]},
    "/accounts": [
        {"id": "acme-eu", "name": "Acme Europe"},
        {"id": "acme-us", "name": "Acme America"},
    ],
}
_STATUSES = {"200", "302", "403", "429", "500", "401"}
_HANDSHAKE = b"\x16"
"""The first byte of a TLS session (RFC 8446 §5.1): no request of HTTP begins with it."""


@dataclass
class Provider:
    """A running server, the key that it takes, and the paths and headers it was asked for."""

    port: int = 0
    valid_key: str = "right-key"
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    oauth: AuthorizationServer = field(default_factory=AuthorizationServer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def scopes_of(self, authorization: str | None) -> tuple[str, ...] | None:
        """What the bearer of this header may do; None if it may do nothing."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer":
            return None
        return () if token == self.valid_key else self.oauth.scopes_of(token)


@contextmanager
def provider(port: int = 0, certificate: Path | None = None) -> Iterator[Provider]:
    """Serves until the block ends, on a free port unless one is given.

    `certificate` is a PEM file with its key, read when a TLS session begins; by default that of
    the checkout's local cloud.
    """
    served = Provider()
    closing = threading.Event()
    certificate = certificate or StateDir().server_certificate
    with contextlib.ExitStack() as stack:
        for host in HOSTS:
            server = _Server((host, port), _handler(served, closing))
            server.certificate = certificate
            # The second host has the port of the first.
            port = served.port = server.server_address[1]
            stack.callback(_end, server, _started(server))
        stack.callback(closing.set)
        yield served


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    certificate: Path

    def finish_request(self, request: Any, client_address: Any) -> None:
        if request.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
            super().finish_request(request, client_address)
            return
        with contextlib.suppress(OSError):  # no certificate, no agreement, or gone
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            session = context.wrap_socket(request, server_side=True)
            try:
                super().finish_request(session, client_address)
            finally:
                self.shutdown_request(session)


def _started(server: _Server) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    return thread


def _end(server: _Server, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()


def _handler(served: Provider, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.requests.append((self.path, headers))
            body = self.rfile.read(int(headers.get("content-length", 0)))
            if self.path == "/silent":
                closing.wait(_SILENCE_SECONDS)
                self.close_connection = True
                return
            response = self._answer(headers, body)
            if closing.wait(response.delay_seconds) or response.is_lost:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        def __getattr__(self, name: str) -> Callable[[], None]:
            # The class looks for `do_GET` and its like: all methods are served alike.
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _answer(self, headers: dict[str, str], body: bytes) -> Response:
            url = urlsplit(self.path)
            is_tls = isinstance(self.connection, ssl.SSLSocket)
            request = Request(
                self.command,
                url.path,
                dict(parse_qsl(url.query)),
                headers,
                body,
                f"{'https' if is_tls else 'http'}://{headers.get('host', '')}",
            )
            return served.oauth.answer(request) or _api_answer(served, request)

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def _api_answer(served: Provider, request: Request) -> Response:
    status = _status(served, request)
    answer = {"error": "no"} if status != 200 else _BEHIND_THE_KEY.get(request.path, {})
    if request.path == "/echo" and status == 200:
        answer = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": dict(request.headers),
            "body": request.body.decode("utf-8", "replace"),
        }
    headers = {"Content-Type": "application/json"}
    if status == 302:
        headers["Location"] = f"{served.url}/me"
    if status == 429:
        headers["Retry-After"] = "7"
    if request.path == "/scoped" and status == 403:
        headers["WWW-Authenticate"] = _NO_SCOPE
    return Response(status, json.dumps(answer).encode(), headers)


def _status(served: Provider, request: Request) -> int:
    scopes = served.scopes_of(request.headers.get("authorization"))
    if request.path == "/scoped":
        return 401 if scopes is None else 200 if "issues:read" in scopes else 403
    if request.path in _BEHIND_THE_KEY or request.path == "/echo":
        return 401 if scopes is None else 200
    text = request.path.strip("/")
    return int(text) if text in _STATUSES else 404


def main() -> None:
    """Serves until Ctrl-C."""
    with provider(int(sys.argv[1]) if len(sys.argv) > 1 else 8099) as served:
        print(f"{served.url}/me takes the key {served.valid_key}; Ctrl-C stops it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
