"""The local provider over sockets: http and https on one port, on two hosts."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from local import certificates
from local.paths import StateDir
from local.provider import HOSTS, Provider, provider

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path)
    certificates.prepare(state, datetime.now(UTC))
    return state


@pytest.fixture
def server(state: StateDir) -> Iterator[Provider]:
    with provider(certificate=state.server_certificate) as served:
        yield served


def asked(connection: HTTPConnection, method: str, path: str, body: str = "") -> tuple[int, object]:
    connection.request(method, path, body, {"Authorization": "Bearer right-key"})
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if content else None


def trusting(state: StateDir) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(state.authority_certificate))


@pytest.mark.parametrize("host", HOSTS)
def test_one_port_speaks_http_and_https(server: Provider, state: StateDir, host: str) -> None:
    clear = HTTPConnection(host, server.port, timeout=20)
    secured = HTTPSConnection(host, server.port, timeout=20, context=trusting(state))
    for connection in (clear, secured):
        assert asked(connection, "GET", "/me") == (200, {"login": "octocat"})
        # On the same connection
        assert asked(connection, "PATCH", "/500")[0] == 500
        connection.close()


def test_an_access_token_is_a_key(server: Provider) -> None:
    client = server.oauth.register("https://client.example/callback", "client_secret_post")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    fields = f"client_id={client.id}&client_secret={client.secret}&scope=issues:read"
    status, issued = asked(
        connection, "POST", "/oauth/token", f"grant_type=client_credentials&{fields}"
    )
    assert status == 200
    assert isinstance(issued, dict)
    for path, expected in (("/me", 200), ("/scoped", 200), ("/accounts", 200)):
        headers = {"Authorization": f"Bearer {issued['access_token']}"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    # As long as it lives
    server.oauth.later(3600)
    connection.request("GET", "/me", headers=headers)
    assert connection.getresponse().status == 401
    connection.close()


def test_a_lost_answer_is_a_closed_connection(server: Provider) -> None:
    client = server.oauth.register("https://client.example/callback", "client_secret_post")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    fields = f"client_id={client.id}&client_secret={client.secret}&fault=lost"
    with pytest.raises(http.client.RemoteDisconnected):
        asked(connection, "POST", "/oauth/token", f"grant_type=client_credentials&{fields}")
    assert [served.status for served in server.oauth.token_requests] == [0]
    connection.close()


def test_the_echo_is_what_arrived(server: Provider) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    status, echo = asked(connection, "PUT", "/echo?a=1", "text")
    connection.close()
    assert status == 200
    assert isinstance(echo, dict)
    assert (echo["method"], echo["path"], echo["query"], echo["body"]) == (
        *("PUT", "/echo", {"a": "1"}, "text"),
    )


def test_https_without_a_certificate_is_a_closed_connection(tmp_path: Path) -> None:
    with provider(certificate=tmp_path / "none.pem") as served:
        secured = HTTPSConnection("127.0.0.1", served.port, timeout=20)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            secured.request("GET", "/me")
        clear = HTTPConnection("127.0.0.1", served.port, timeout=20)
        assert asked(clear, "GET", "/me")[0] == 200
        clear.close()
