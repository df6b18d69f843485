"""A secret is searched for in all output and all tables: it is only stored sealed."""

import io
import json
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest

from patchbay.connections.vault import Vault
from patchbay.platform import aws
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.api import Client
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names
from tests.integration.installing import end_user, latest, opened, sessions
from tests.integration.leaks import items_of, leaks
from tests.integration.story import SECRET as KEY
from tests.integration.story import calling, create_connection, publish_integration
from tests.integration.test_isolation import owned, sent
from tests.integration.test_secret_references import permit

__all__ = ["owned"]

pytestmark = pytest.mark.enable_socket

SECRET = 'sk_live/4eC39+HqLy"jWDa\\rjtT1=zdp7&dc?'
"""Visible ASCII, as a header accepts it, with characters that each encoding has to escape."""

PLANTED: dict[str, str | bytes] = {
    "plain": SECRET,
    "in a sentence": f"the header was Bearer {SECRET}, sorry",
    "JSON": json.dumps({"key": SECRET}),
    "JSON in JSON": json.dumps({"body": json.dumps({"key": SECRET})}),
    "URL": f"https://example.com/?key={quote(SECRET, safe='')}",
    "URL, slashes kept": f"https://example.com/{quote(SECRET)}",
    "Base64": b64encode(SECRET.encode()).decode(),
    "basic authentication": b64encode(f"user:{SECRET}".encode()).decode(),
    "URL-safe Base64": urlsafe_b64encode(f"x{SECRET}y".encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "bytes": b"\x00\xff" + SECRET.encode() + b"\xff",
    "repr": repr({"key": SECRET}),
}


@pytest.mark.parametrize("form", sorted(PLANTED))
def test_the_search_finds_a_leak(deployed: dict[str, Table], form: str) -> None:
    # Given a secret that leaked in some form, next to clean output
    places: dict[str, str | bytes] = {"clean": "nothing here", "leaky": PLANTED[form]}
    # Then the place is named
    assert leaks(SECRET, places) == ["leaky"]
    # Even in an item of a table
    table = deployed["EventsTable"]
    table.write(Put({"pk": "clean", "sk": "x", "text": "nothing here"}))
    table.write(Put({"pk": "leaky", "sk": "x", "nested": {"list": [1, {"v": PLANTED[form]}]}}))
    assert leaks(SECRET, dict(items_of(table))) == ["EventsTable leaky x"]


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_the_search_finds_base64_of_any_text_around_it(before: int, after: int) -> None:
    around = b"b" * before + SECRET.encode() + b"a" * after
    for encode in (b64encode, urlsafe_b64encode):
        assert leaks(SECRET, {"x": encode(around)}) == ["x"]


@contextmanager
def parrot() -> Iterator[int]:
    """A provider that returns the credential: the path says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = self.headers.get("Authorization", "")
            secret = said.removeprefix("Bearer ")
            where = self.path.strip("/")
            status = int(where[:3]) if where[:3].isdigit() else 200
            body = json.dumps(
                {"login": said, "error": secret, "b64": b64encode(said.encode()).decode()}
            )
            if where == "broken":
                body = said
            self.send_response(status, secret if where == "reason" else None)
            self.send_header("Content-Type", f'application/json; x="{quote(secret)}"')
            self.send_header("X-Echo", said)
            if status == 302:
                self.send_header(
                    "Location", f"http://127.0.0.1:1/{quote(secret, safe='')}?k={said}"
                )
            if status == 401:
                self.send_header("WWW-Authenticate", f'Bearer error="{secret}"')
            if status == 429:
                self.send_header("Retry-After", secret)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


WRONG_BODIES: list[Any] = [
    {"integration": SECRET},
    {"version": SECRET},
    {"ownership_mode": SECRET},
    {"variables": {"path": "me", "page_size": SECRET}},
    {"variables": {"path": [SECRET]}},
    {"variables": SECRET},
    {"name": [SECRET]},
    {"name": {"x": SECRET}},
    {"secrets": SECRET},
    {"secrets": [SECRET]},
    {"secrets": {"api_key": [SECRET]}},
    {"secrets": {"api_key": {"value": SECRET}}},
    {"secrets": {"password": SECRET}},
    {"secrets": {"api_key": SECRET * 300}},
    {"secrets": {"api_key": SECRET, "other": 7}},
    {"secrets": {"api_key": SECRET}, "variables": {}},
    {"secrets": {"api_key": SECRET}, "integration": "acme/none"},
    {"secrets": {"api_key": SECRET}, "secret_ref": "nonsense"},
    {"secrets": {"api_key": SECRET}, "unknown": 1},
    {"secret_ref": SECRET},
    {"secret_ref": [SECRET]},
    {"external_account_id": [SECRET]},
    {"environment": {"a": SECRET}},
]


class Search:
    """Calls as a tenant, and keeps every response."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.answers: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        answer = self._tenant.client.call(method, path, text, headers)
        name = f"{len(self.answers)} {method} {path.rpartition('connectors')[2]} {answer.status}"
        self.answers[name] = answer.text + json.dumps(answer.headers)
        return answer


def test_a_secret_is_only_stored_sealed(
    tenant: Tenant,
    deployed: dict[str, Table],
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = Search(tenant)
    sources = f"{tenant.connectors}/sources"
    with parrot() as port:
        publish_integration(tenant, manifest=calling(port))
        good = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
        body = {**good, "secrets": {"api_key": SECRET}}

        # When it is entered: created, repeated, repeated with another body
        key = {"idempotency_key": "once"}
        source = search.call("POST", sources, body, **key).json
        assert search.call("POST", sources, body, **key).json == source
        other = {**body, "secrets": {"api_key": SECRET + "x"}}
        assert search.call("POST", sources, other, **key).status == 409
        path = f"{sources}/{source['id']}"
        # refused, in every field and as invalid JSON
        for wrong in WRONG_BODIES:
            assert search.call("POST", sources, {**good, **wrong}).status in (400, 413), wrong
            for query in ("", "?dry_run=true", "?test=true"):
                edit = {n: v for n, v in wrong.items() if n != "integration"}
                search.call("PATCH", path + query, edit)
        for text in (
            json.dumps(body)[:-2],
            json.dumps(body) + SECRET,
            SECRET,
            f'"{"x" * 20}',
            json.dumps({**body, "padding": SECRET * 8000}),
            json.dumps({"name": SECRET})[:-1] + ', "name": "twice"}',
            json.dumps({"name": SECRET})[:-1] + ', "x": NaN}',
        ):
            assert search.call("POST", sources, text).status in (400, 413)
            search.call("PATCH", path, text)
        for query in (f"?dry_run={quote(SECRET, safe='')}", f"?{quote(SECRET, safe='')}=1"):
            assert search.call("PATCH", path + query, {"name": "x"}).status == 400
        # edited, previewed, tested with success and without
        entered = {"secrets": {"api_key": SECRET}}
        assert search.call("PATCH", path, entered).status == 200
        assert search.call("PATCH", f"{path}?dry_run=true", entered).status == 200
        assert search.call("PATCH", f"{path}?test=true", entered).json["test"]["verified"] is True
        failing = {**entered, "variables": {"path": "401"}}
        assert search.call("PATCH", f"{path}?test=true", failing).code == "TEST_FAILED"
        # tested alone and in a connection, whatever the provider does with it
        connection = create_connection(tenant, source)
        for place in ("me", "broken", "reason", "302", "400", "401", "403", "429", "500"):
            assert search.call("PATCH", path, {"variables": {"path": place}}).status == 200
            search.call("POST", f"{path}/test", {})
            search.call("POST", f"{tenant.connectors}/connections/{connection['id']}/test", {})
            search.call(
                "POST", f"{tenant.connectors}/connections/test", {"source_id": source["id"]}
            )
            operation = {"connectionId": connection["id"]}
            search.call("POST", "/integrations/connection/test/v1.0.0", operation)
        # used while the vault fails, and when it is re-sealed
        with monkeypatch.context() as broken:

            def out(*_: Any, **__: Any) -> Any:
                raise TemporarilyUnavailable

            broken.setattr(Vault, "open", out)
            search.call("POST", f"{path}/test", {})
            assert search.call("PATCH", f"{path}?test=true", {"name": "y"}).status == 503
        keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
        assert search.call("POST", keys).status == 201
        assert search.call("POST", f"{keys}/reseal").json["resealed"] == 1
        search.call("GET", keys)
        # kept in Secrets Manager
        name = f"patchbay/{tenant.organization_id}/crm"
        aws.client("secretsmanager").create_secret(
            Name=name, SecretString=json.dumps({"api_key": SECRET})
        )
        referring = {"secret_ref": f"aws://secretsmanager/eu-central-1/{name}", "secrets": None}
        edited = search.call("PATCH", path, referring)
        assert edited.status == 200
        permit(tenant, edited.json)
        assert search.call("POST", f"{path}/test", {}).json["code"] == "provider_error"
        assert search.call("POST", sources, body).status == 201
    # and everything is read
    for read in (
        sources,
        path,
        f"{path}/release",
        f"{tenant.connectors}/connections",
        f"{tenant.connectors}/connections/{connection['id']}",
        "/spaces/acme/integration-events?limit=100",
        "/spaces/acme/integration-health",
    ):
        assert search.call("GET", read).status == 200

    # Then it is in no response, log line, metric, item, or event, although all of these exist
    printed = capfd.readouterr()
    places: dict[str, str | bytes] = {
        **search.answers,
        "log": log.getvalue(),
        "standard output, where metrics are written too": printed.out,
        "standard error": printed.err,
        **dict(items_of(deployed["IntegrationsTable"])),
        **dict(items_of(deployed["EventsTable"])),
    }
    assert leaks(SECRET, places) == []
    assert len(search.answers) > 150
    assert '"message":"request"' in log.getvalue()
    assert any("SECRET#src_" in name for name in places)
    assert any(name.startswith("EventsTable SPACE#") for name in places)
    assert any("[redacted]" in text for text in search.answers.values())


def test_only_the_route_of_credentials_shows_a_secret(
    tenant: Tenant, owned: Names, deployed: dict[str, Table], log: io.StringIO
) -> None:
    # Given everything that a tenant may have, and a key that may do everything but the operator's
    for route in ROUTES:
        if route.method != "GET" or route.is_of_operators:
            continue
        # When it reads each thing
        answer = sent(tenant, route, owned)
        shown = leaks(KEY, {"answer": answer.text, "headers": json.dumps(answer.headers)})
        # Then one route shows the key, and in two places
        assert bool(shown) == (route.name == "get_credentials"), route
        if shown:
            given = answer.json
            assert given.pop("api_key") == KEY
            assert given["header"].pop("value") == f"Bearer {KEY}"
            assert leaks(KEY, {"rest": json.dumps(given)}) == []
    # And nothing of it is written down
    assert leaks(KEY, {"log": log.getvalue()}) == []
    for table in deployed.values():
        assert leaks(KEY, dict(items_of(table))) == []


def test_what_an_end_user_enters_is_only_stored_sealed(
    tenant: Tenant,
    deployed: dict[str, Table],
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with parrot() as port:
        publish_integration(tenant, manifest=calling(port))
        made = opened(tenant)
        token = made.json["token"]
        # A repetition under its key gives the token again, and nothing else does
        twice = {"integration": "acme/crm"}
        first, again = (
            tenant.client.post(sessions(tenant), twice, idempotency_key="once") for _ in range(2)
        )
        assert first.json["token"] == again.json["token"]
        user = replace(tenant, client=Client(token))
        search = Search(user)
        # When an end user enters a secret: wrong in every field, tested, and stored
        for wrong in WRONG_BODIES:
            for route in ("test", "complete"):
                answer = search.call("POST", f"/v1/install/{route}", {"secrets": {}, **wrong})
                assert answer.status in (400, 413), wrong
        for place in ("me", "broken", "reason", "302", "401", "429", "500"):
            body = {"variables": {"path": place}, "secrets": {"api_key": SECRET}}
            assert search.call("POST", "/v1/install/test", body).status == 200
        for _ in range(2):
            assert search.call("POST", "/v1/install/complete", body).status == 200
        search.call("GET", "/v1/install")
        # and the session, the trail, and a repair of it are read
        operator = Search(tenant)
        operator.call("GET", sessions(tenant))
        operator.call("GET", f"/v1/organizations/{tenant.organization_id}/audit-events")
        connection_id = latest(tenant, status="completed")["outcome"]["connection_id"]
        repair = Search(replace(tenant, client=end_user(tenant, connection_id=connection_id)))
        assert repair.call("GET", "/v1/install").json["repair"]["problems"]
        for route in ("test", "complete"):
            assert repair.call("POST", f"/v1/install/{route}", {}).status == 200
    # Then neither it nor the token is anywhere
    printed = capfd.readouterr()
    places: dict[str, str | bytes] = {
        **{f"end user {name}": text for name, text in search.answers.items()},
        **{f"operator {name}": text for name, text in operator.answers.items()},
        **{f"repair {name}": text for name, text in repair.answers.items()},
        "log": log.getvalue(),
        "standard output": printed.out,
        "standard error": printed.err,
        **dict(items_of(deployed["IntegrationsTable"])),
        **dict(items_of(deployed["EventsTable"])),
    }
    assert leaks(SECRET, places) == []
    assert leaks(token.removeprefix("pbi_"), places) == []
    assert leaks(first.json["token"].removeprefix("pbi_"), places) == []
