"""Real HTTP servers on loopback that answer as a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Provider:
    """A provider's API: `/<status>` answers that status, `/silent` nothing, `/me` by the key."""

    port: int = 0
    valid_key: str = "right-key"
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def provider() -> Iterator[Provider]:
    """Serves until the block ends."""
    served = Provider()
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.requests.append((self.path, headers))
            if self.path == "/silent":
                closing.wait(20)
                self.close_connection = True
                return
            status = self._status(headers.get("authorization"))
            body = json.dumps({"login": "octocat"} if status == 200 else {"error": "no"}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", f"{served.url}/me")
            if status == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            self.wfile.write(body)

        def _status(self, authorization: str | None) -> int:
            if self.path == "/me":
                return 200 if authorization == f"Bearer {served.valid_key}" else 401
            return int(self.path.strip("/"))

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
