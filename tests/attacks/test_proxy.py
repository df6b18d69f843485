"""The proxy holds credentials and dials: callers, authors, and providers try to make it leave its
base, send the credential elsewhere, or take more than its bounds allow."""

import asyncio
import gzip
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import credentials
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.platform.http import MAX_RAW_BODY_BYTES
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_connection, create_source, publish_integration
from tests.integration.test_credentials import path_of, record
from tests.integration.test_proxy import connected, proxied
from tests.integration.upstream import Asked, Upstream, answer, slowly, upstream

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def provider() -> Iterator[Upstream]:
    with upstream() as served:
        yield served


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    """What nothing may be sent to."""
    with upstream() as served:
        yield served
        assert not served.asked


@pytest.fixture
def connection(tenant: Tenant, provider: Upstream) -> dict[str, Any]:
    return connected(tenant, f"{provider.url}/v1")


GAMES = [
    "../admin",
    "x/../../admin",
    "..%2fadmin",
    "%2e%2e/admin",
    "%252e%252e/admin",
    "%25252e%25252e%25252fadmin",
    "x%2f%2e%2e%2f%2e%2e%2fadmin",
    "..\\admin",
    "..%5cadmin",
    "..;/admin",
    "%2e%2e%3bx/admin",
    "．．/admin",
    "‥/admin",
    "%c0%ae%c0%ae/admin",
    "/{elsewhere}/x",
    "//{elsewhere}/x",
    "%2f{elsewhere}/x",
    "%2f%2f{elsewhere}/x",
    "\\\\{elsewhere}\\x",
    "x\r\nHost: {elsewhere}",
    "x%0d%0aHost: {elsewhere}",
    "x HTTP/1.1\r\nHost: {elsewhere}\r\n\r\nGET /y",
    "x\x00",
]

MISLEADING = [
    "@{elsewhere}/x",
    "http://{elsewhere}/x",
    "https:%2f%2f{elsewhere}/x",
    "x?url=http://{elsewhere}/",
    "x?@{elsewhere}/",
    "x?/../../admin",
    "x#@{elsewhere}/",
    "user:password@{elsewhere}",
    ":80@{elsewhere}",
    ".{elsewhere}",
    "x?a=b\\\\{elsewhere}",
]


@pytest.mark.parametrize("game", GAMES)
def test_a_path_that_leads_out_is_not_sent(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    elsewhere: Upstream,
    game: str,
) -> None:
    target = game.replace("{elsewhere}", elsewhere.url.removeprefix("http://"))
    by_path = proxied(tenant, connection, target)
    by_header = proxied(tenant, connection, "-", patchbay_path=target)
    assert [one.status for one in (by_path, by_header)] == [400, 400]
    assert not provider.asked


@pytest.mark.parametrize("game", MISLEADING)
def test_a_path_that_looks_like_another_host_stays_on_this_one(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    elsewhere: Upstream,
    game: str,
) -> None:
    target = game.replace("{elsewhere}", elsewhere.url.removeprefix("http://"))
    proxied(tenant, connection, target)
    [asked] = provider.asked
    assert asked.target.startswith("/v1/")
    assert asked.values("host") == [f"127.0.0.1:{provider.port}"]


def test_a_header_smuggles_nothing(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    for name, value in (
        ("x-note", "a\r\nX-Evil: 1"),
        ("x-note", "a\nX-Evil: 1"),
        ("x-note", "a\rX-Evil: 1"),
        ("accept", "x\r\n\r\nGET /admin HTTP/1.1\r\nHost: x"),
    ):
        assert proxied(tenant, connection, "x", **{name: value}).status == 400
    assert not provider.asked
    # Framing and the way are ours
    headers = {
        "transfer-encoding": "chunked",
        "content-length": "1",
        "host": "evil.example",
        "connection": "keep-alive, authorization",
        "upgrade": "h2c",
        "te": "trailers",
        "expect": "100-continue",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=1.2.3.4",
    }
    path = path_of(tenant, connection, "proxy/x")
    assert tenant.client.call("POST", path, b"12345", headers).status == 200
    [asked] = provider.asked
    assert asked.values("content-length") == ["5"]
    assert asked.values("connection") == ["close"]
    assert asked.values("authorization") == [f"Bearer {SECRET}"]
    for name in ("transfer-encoding", "upgrade", "te", "expect", "x-forwarded-host", "forwarded"):
        assert asked.values(name) == []
    assert "evil" not in str(asked)


def test_the_callers_key_never_leaves(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    key = tenant.client.key
    assert key
    proxied(tenant, connection, "x", cookie=f"key={key}", x_amzn_trace_id=key)
    assert key not in str(provider.asked)
    # Not to an integration whose credential is elsewhere, either
    publish_integration(
        tenant,
        slug="keyed",
        authConfig={"type": "api_key", "authHeaderName": "X-Api-Key"},
        manifest={"roles": ["source"], "baseUrl": provider.url},
    )
    keyed = create_connection(tenant, create_source(tenant, integration="acme/keyed"))
    proxied(tenant, keyed, "x", x_api_key="mine", X_Api_Key="mine, too")
    assert provider.asked[-1].values("x-api-key") == [SECRET]
    assert key not in str(provider.asked)


def test_an_answer_sets_nothing_on_the_origin_of_the_api(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(
        200,
        b"<script>alert(1)</script>",
        Content_Type="text/html",
        Set_Cookie="__Host-session=stolen; Path=/; Secure",
        Access_Control_Allow_Origin="*",
        Content_Security_Policy="default-src *",
        Clear_Site_Data='"*"',
        Service_Worker_Allowed="/",
        Refresh="0; url=https://evil.example",
        Strict_Transport_Security="max-age=0",
        Cache_Control="public, max-age=99999",
        Patchbay_Proxied="false",
        Patchbay_Location="https://evil.example",
    )
    back = proxied(tenant, connection, "x")
    assert back.cookies == ()
    for name in (
        *("set-cookie", "access-control-allow-origin", "clear-site-data"),
        *("service-worker-allowed", "refresh", "strict-transport-security", "patchbay-location"),
    ):
        assert name not in back.headers
    assert back.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert back.headers["cache-control"] == "no-store"
    assert back.headers["patchbay-proxied"] == "true"
    assert back.headers["x-content-type-options"] == "nosniff"


def test_an_answer_is_not_split(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: (
        b"HTTP/1.1 200 OK\r\nX-Note: a\x00b\x0bc\rSet-Cookie: x=1\r\n"
        b"X-Fold: a\r\n Set-Cookie: y=1\r\nBad Name: 1\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    )
    back = proxied(tenant, connection, "x")
    assert back.body == b"ok"
    assert back.cookies == ()
    assert not {name for name in back.headers if "cookie" in name or " " in name}
    assert all(value.isprintable() for value in back.headers.values())


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
        "file:///etc/passwd",
        "//evil.example/x",
        "https://evil.example/v1/x",
        "\\\\evil.example\\x",
        "/v1/../admin",
        "http://127.0.0.1:1/v1/x",
    ],
)
def test_a_redirect_takes_the_credential_nowhere(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, location: str
) -> None:
    provider.answering = lambda _: answer(307, b"", Location=location)
    back = proxied(tenant, connection, "x", "POST", "{}")
    assert (back.status, len(provider.asked)) == (307, 1)
    # Clients that follow redirects would take the caller's key there
    assert "location" not in back.headers
    assert "patchbay-location" in back.headers


def test_a_redirect_does_not_bring_back_a_secret_of_the_base(
    tenant: Tenant, provider: Upstream
) -> None:
    hidden = "a-secret-in-the-path-of-the-base"
    publish_integration(
        tenant,
        authConfig={"type": "none"},
        variablesSchema={"type": "object", "properties": {}},
        manifest={
            "roles": ["source"],
            "secretsSchema": {"type": "object", "properties": {"token": {"type": "string"}}},
            "baseUrl": f"{provider.url}/bot{{{{secrets.token}}}}/api",
        },
    )
    source = create_source(tenant, variables={}, secrets={"token": hidden})
    connection = create_connection(tenant, source)
    for location in ("../other", "8", "/elsewhere", "//[bad"):
        provider.answering = partial(redirected, location)
        back = proxied(tenant, connection, "x")
        assert hidden not in str(back)
    assert provider.asked[0].target == f"/bot{hidden}/api/x"


def redirected(location: str, _: Asked) -> bytes:
    return answer(302, b"", Location=location)


def test_a_bomb_is_passed_on_and_not_unpacked(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    bomb = gzip.compress(gzip.compress(bytes(50_000_000)))
    provider.answering = lambda _: answer(200, bomb, Content_Encoding="gzip, gzip")
    started = time.process_time()
    back = proxied(tenant, connection, "x")
    assert time.process_time() - started < 1
    assert back.body == bomb


def test_an_answer_without_an_end_ends(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    def endless(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 65536

    provider.answering = endless
    back = proxied(tenant, connection, "x")
    assert (back.status, back.code) == (502, "PROVIDER_FAILED")

    def framing(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1;" + b"e" * 4000 + b"\r\nx\r\n"

    provider.answering = framing
    assert proxied(tenant, connection, "x").status == 502

    def heads(_: Asked) -> Iterator[bytes]:
        while True:
            yield b"HTTP/1.1 100 Continue\r\n\r\n"

    provider.answering = heads
    assert proxied(tenant, connection, "x").status == 502


def trickled(parts: list[bytes], sent: list[bytes], _: Asked) -> Iterator[bytes]:
    for part in slowly(*parts, seconds=0.1):
        sent.append(part)
        yield part


def test_a_slow_answer_ends_at_the_deadline(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("patchbay.grants.provider_proxy.PROXY_SECONDS", 0.5)
    for parts in (
        [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", *[b"x"] * 39],
    ):
        sent: list[bytes] = []
        provider.answering = partial(trickled, parts, sent)
        back = proxied(tenant, connection, "x")
        assert (back.status, back.code) == (504, "PROVIDER_TIMED_OUT")
        # Two seconds by the clock of the provider: what else a busy machine takes is not counted
        assert len(sent) <= 20


def test_a_provider_that_always_refuses_is_asked_no_more_than_the_caller_asks(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(401, b"no")
    for _ in range(3):
        assert proxied(tenant, connection, "x", "POST", "{}").status == 401
    assert len(provider.asked) == 3


def test_a_connection_of_another_tenant_is_none(
    tenant: Tenant, stranger: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    for path in (
        path_of(tenant, connection, "proxy/x"),
        path_of(stranger, connection, "proxy/x"),
    ):
        for method in ("GET", "POST", "DELETE"):
            assert stranger.client.call(method, path, None).status == 404
    assert not provider.asked
    assert record(tenant, connection)["usageRequestCount"] == 0


def test_a_disabled_connection_sends_nothing(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, {"status": "disabled"}).status == 200
    back = proxied(tenant, connection, "x")
    assert (back.status, back.code) == (409, "CONFLICT")
    assert not provider.asked


def test_methods_that_are_not_listed_reach_no_provider(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "get"):
        back = proxied(tenant, connection, "x", method)
        assert (back.status, back.code) == (405, "METHOD_NOT_ALLOWED")
        assert "DELETE" in back.headers["allow"]
    options = proxied(tenant, connection, "x/y", "OPTIONS")
    assert options.status == 204
    assert not provider.asked


@pytest.mark.parametrize(
    "base",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "https://localhost/",
        "http://[::1]:8080/",
        "https://patchbay.acme.com/v1",
        "https://api.patchbay.acme.com/v1",
        "https://go.acme.com/v1",
    ],
)
def test_a_base_url_that_may_not_be_dialed_is_not(tenant: Tenant, base: str) -> None:
    publish_integration(
        tenant,
        variablesSchema={
            "type": "object",
            "properties": {"server": {"type": "string", "format": "uri"}},
        },
        manifest={"roles": ["source"], "baseUrl": "{{variables.server}}"},
    )
    source = create_source(tenant, variables={"server": base})
    back = proxied(tenant, create_connection(tenant, source), "x")
    assert (back.status, back.code) == (502, "PROVIDER_FAILED")
    assert back.json["error"]["details"]["code"] == "egress_blocked"


def test_a_name_that_changes_its_address_gains_nothing(
    tenant: Tenant, provider: Upstream, elsewhere: Upstream
) -> None:
    # Given a name that is a public address first, and a private one later
    answers = [["127.0.0.1"], ["10.0.0.7"]]

    class Rebinding:
        async def resolve(self, host: str) -> list[str]:
            assert host == "rebind.example.com"
            await asyncio.sleep(0)
            return answers.pop(0)

    policy = EgressPolicy.parse("127.0.0.1/32:1024-65535", "")
    credentials.deployment.guard = EgressGuard(policy, resolver=Rebinding())
    there = connected(tenant, f"http://rebind.example.com:{provider.port}")
    # Then the address that was judged is the one that is dialed, and the next one is judged again
    assert proxied(tenant, there, "x").status == 200
    back = proxied(tenant, there, "x")
    assert back.json["error"]["details"]["code"] == "egress_blocked"
    assert len(provider.asked) == 1


def test_an_edit_in_between_sends_nothing_elsewhere(
    tenant: Tenant,
    provider: Upstream,
    elsewhere: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a source whose customer chooses the server
    publish_integration(
        tenant,
        variablesSchema={
            "type": "object",
            "properties": {"server": {"type": "string", "format": "uri"}},
        },
        manifest={"roles": ["source"], "baseUrl": "{{variables.server}}"},
    )
    source = create_source(tenant, variables={"server": provider.url})
    connection = create_connection(tenant, source)
    path = f"{tenant.connectors}/sources/{source['id']}"
    # An edit of where the secret goes needs the secret
    moved = tenant.client.patch(path, {"variables": {"server": elsewhere.url}})
    assert (moved.status, moved.code) == (422, "SECRET_REENTRY_REQUIRED")
    # And one that is made between the reading of the endpoint and that of its secrets, with another
    # secret, is met as a whole: the old secret does not go to the new server, nor the new one to
    # the old
    endpoints = credentials.deployment.endpoints
    read, calls = endpoints.get, []

    def get(*of: Any) -> Any:
        endpoint = read(*of)
        calls.append(endpoint)
        if len(calls) == 1:
            change = {"variables": {"server": f"{provider.url}/new"}, "secrets": {"api_key": "new"}}
            assert tenant.client.patch(path, change).status == 200
        return endpoint

    monkeypatch.setattr(endpoints, "get", get)
    assert proxied(tenant, connection, "x").status == 200
    [asked] = provider.asked
    assert (asked.target, asked.values("authorization")) == ("/new/x", ["Bearer new"])
    assert len(calls) == 2


def test_many_bytes_cost_little_memory_and_time(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    small = b"40\r\n" + b"z" * 64 + b"\r\n"
    count = MAX_RAW_BODY_BYTES // 64
    provider.answering = lambda _: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + small * (count - 1)
        + b"0\r\n\r\n"
    )
    started = time.process_time()
    assert len(proxied(tenant, connection, "x").body) == 64 * (count - 1)
    assert time.process_time() - started < 5
