"""The pages of the checkout in front of a cloud: what is the checkout's, and what the cloud's."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.web_files import WebServer
from tests.attacks.test_local_front import background

pytestmark = pytest.mark.enable_socket

FRAMED = "default-src 'none'; frame-ancestors https://app.example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("app/index.html", "install/index.html", "kit/a.js"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"{path} before {{assets}}")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    with cloud() as api_url:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        server = WebServer(api_url, port, folder)

        async def serve(ready: object, done: object) -> None:
            async with server.serving():
                ready.set()  # type: ignore[attr-defined]
                await done.wait()  # type: ignore[attr-defined]

        with background(serve):
            yield server.url


@contextmanager
def cloud() -> Iterator[str]:
    """Says what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Security-Policy", FRAMED)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - the same

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


def asked(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, policy, and body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        policy = answer.headers["Content-Security-Policy"] or ""
        return answer.status, policy, answer.read().decode()
    finally:
        connection.close()


def test_an_edit_shows_after_a_reload(server: str, folder: Path) -> None:
    assert asked(server, "/app/spaces/main")[2].startswith("app/index.html before /assets/")
    assets = asked(server, "/app")[2].rpartition(" ")[2]
    (folder / "kit/a.js").write_text("after")
    assert asked(server, f"{assets}/kit/a.js")[2] == "after"
    assert asked(server, f"{assets}/../app/index.html")[0] == 404
    (folder / "app/index.html").write_text("after")
    assert asked(server, "/app")[2] == "after"


def test_the_cloud_answers_the_rest_and_who_may_frame(server: str) -> None:
    status, _, body = asked(server, "/v1/catalog", "POST", Origin=server, Cookie="a=b")
    told = json.loads(body)
    assert status == 200
    assert told["cookie"] == "a=b"
    assert told["origin"] == f"http://{told['host']}" != server
    assert asked(server, "/install/acme/crm")[1].endswith("frame-ancestors 'none'")
    _, policy, body = asked(server, "/install/acme/crm?session=x")
    assert policy == FRAMED
    assert body.startswith("install/index.html before")


def test_pages_of_other_sites_are_refused_here_too(server: str) -> None:
    assert asked(server, "/v1/catalog", Origin="https://evil.example")[0] == 403
    assert asked(server, "/app", Host="evil.example")[0] == 403
