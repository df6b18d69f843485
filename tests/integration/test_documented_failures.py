"""docs/testing.md: its example of an expired certificate is what the API answers.

The local cloud trusts no test authority that could sign one, so the page's story can't run it. The
failure of this test shows what the page should show.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from patchbay.egress.tls import TlsOptions
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration
from tests.unit.egress.certificates import Authority

pytestmark = pytest.mark.enable_socket

PAGE = (Path(__file__).parents[2] / "docs/testing.md").read_text()
SHOWN = dict(re.findall(r"<!-- (expired: [a-z ]+) -->\n```json\n(.*?)```", PAGE, re.DOTALL))
TOLD = ("status", "message", "code", "blame", "retryable", "retry_after_seconds")


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An HTTPS server with an expired certificate of an authority that this process trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setattr(TlsOptions, "context", lambda *_: authority.client_context())
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    context = authority.server_context("127.0.0.1", valid_for=timedelta(days=-1))
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def said(test: dict[str, Any]) -> dict[str, Any]:
    """As the page's own `said` prints it."""
    [failed] = [step for step in test["steps"] if step["status"] == "failed"]
    shown = {name: test[name] for name in TOLD}
    shown |= {
        "remediation": failed["diagnosis"]["remediation"],
        "field_pointer": failed["field_pointer"],
    }
    return {name: value for name, value in shown.items() if value is not None}


def test_an_expired_certificate_is_reported_as_the_page_shows(tenant: Tenant, port: int) -> None:
    schema = {"properties": {"host": {"type": "string", "format": "hostname"}}}
    url = f"https://{{{{variables.host}}}}:{port}/me"
    step = {"name": "can read issues", "kind": "http", "request": {"url": url}}
    manifest = {"roles": ["source"], "checks": {"steps": [step]}}
    publish_integration(tenant, variablesSchema=schema, manifest=manifest)
    source = create_source(tenant, variables={"host": "127.0.0.1"})
    connection = create_connection(tenant, source)
    call = tenant.client.post
    answers = {
        "expired: dry run": call(
            f"{tenant.connectors}/connections/test", {"source_id": source["id"]}
        ),
        "expired: health check": tenant.client.call(
            "POST", f"{tenant.connectors}/connections/{connection['id']}/test", None
        ),
    }
    shown = {name: said(answer.json) for name, answer in answers.items()}
    assert shown == {name: json.loads(block) for name, block in SHOWN.items()}
