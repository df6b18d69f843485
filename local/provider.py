"""A provider's API to try things on: a small HTTP server on loopback.

    python3 local/provider.py 8099

| path | answer |
|---|---|
| `/me` | 200 `{"login": "octocat"}` with `Authorization: Bearer right-key`, otherwise 401 |
| `/tables` | 200 `{"tables": ["issues"]}` with the same key, otherwise 401 |
| `/scoped` | 403 with the same key, which lacks the scope `issues:read`; otherwise 401 |
| `/<status>`, such as `/500` | that status |
| `/silent` | none: the connection stays open |
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SILENCE_SECONDS = 60
_NO_SCOPE = 'Bearer error="insufficient_scope", scope="issues:read"'
_BEHIND_THE_KEY: dict[str, dict[str, Any]] = {
    "/me": {"login": "octocat"},
    "/tables": {"tables": ["issues"]},
}


@dataclass
class Provider:
    """A running server, the key that it takes, and the paths and headers it was asked for."""

    port: int = 0
    valid_key: str = "right-key"
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def provider(port: int = 0) -> Iterator[Provider]:
    """Serves until the block ends, on a free port unless one is given."""
    served = Provider()
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.requests.append((self.path, headers))
            if self.path == "/silent":
                closing.wait(_SILENCE_SECONDS)
                self.close_connection = True
                return
            status = self._status(headers.get("authorization"))
            answer = _BEHIND_THE_KEY.get(self.path, {}) if status == 200 else {"error": "no"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", f"{served.url}/me")
            if status == 429:
                self.send_header("Retry-After", "7")
            if self.path == "/scoped" and status == 403:
                self.send_header("WWW-Authenticate", _NO_SCOPE)
            self.end_headers()
            self.wfile.write(body)

        def _status(self, authorization: str | None) -> int:
            if self.path in _BEHIND_THE_KEY or self.path == "/scoped":
                granted = 403 if self.path == "/scoped" else 200
                return granted if authorization == f"Bearer {served.valid_key}" else 401
            text = self.path.strip("/")
            return int(text) if text in {"200", "302", "403", "429", "500", "401"} else 404

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield served
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


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
