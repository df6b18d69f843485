"""The proxy on the local cloud: what API Gateway and Lambda do to a request comes in between."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.e2e.harness import Stack, Tenant
from tests.integration.upstream import Upstream, answer, upstream

EVERYTHING = bytes(range(256)) * 64


def connected(tenant: Tenant, provider: Upstream) -> str:
    """The path of a new connection's proxy."""
    made = tenant.post(
        "/v1/integrations",
        {
            "workspaceId": tenant.space_id,
            "publisher": tenant.slug,
            "slug": f"used-{provider.port}",
            "name": "Used",
            "authConfig": {"type": "api_key"},
            "manifest": {"baseUrl": f"{provider.url}/v1"},
        },
    ).body
    tenant.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
    source = tenant.post(
        f"{tenant.connectors}/sources",
        {
            "name": "Used",
            "integration": f"{tenant.slug}/used-{provider.port}",
            "secrets": {"api_key": "a-key-that-is-used"},
        },
    ).body
    connection = tenant.post(
        f"{tenant.connectors}/connections",
        {"name": "Used", "source_id": source["id"], "space": tenant.slug},
    ).body
    return f"{tenant.connectors}/connections/{connection['id']}/proxy/"


def test_a_request_passes_the_gateway_and_the_proxy_as_it_is(stack: Stack) -> None:
    tenant = Tenant(stack)
    with upstream() as provider:
        base = connected(tenant, provider)

        def send(
            method: str, target: str, body: bytes | None = None, **headers: str
        ) -> tuple[int, dict[str, str], bytes]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            authorization = {"Authorization": f"Bearer {tenant.client.api_key}"}
            api = urlsplit(stack.api_url).netloc
            with closing(HTTPConnection(api, timeout=60)) as connection:
                connection.request(method, base + target, body, {**named, **authorization})
                response = connection.getresponse()
                lower = {name.lower(): value for name, value in response.getheaders()}
                return response.status, lower, response.read()

        # Bytes, in both directions
        provider.answering = lambda asked: answer(200, asked.body, Content_Type="image/png")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            status, headers, body = send(method, "blob", EVERYTHING, content_type="image/png")
            assert (status, body) == (200, EVERYTHING)
            assert headers["content-type"] == "image/png"
            assert headers["patchbay-proxied"] == "true"
        assert {one.method for one in provider.asked} == {"POST", "PUT", "PATCH", "DELETE"}
        # A path, whatever the gateway makes of it
        provider.asked.clear()
        send("GET", "a%20b/%C3%A9?q=a%20b&r=%2F")
        send("GET", "-", patchbay_path="projects/group%2Fproject")
        assert [one.target for one in provider.asked] == [
            "/v1/a%20b/%C3%A9?q=a%20b&r=%2F",
            "/v1/projects/group%2Fproject",
        ]
        assert provider.asked[0].values("authorization") == ["Bearer a-key-that-is-used"]
        provider.asked.clear()
        for target in ("..%2fadmin", "x/..%2f..%2fadmin", "%2e%2e/admin", "%252e%252e/admin"):
            status, headers, _ = send("GET", target)
            assert status == 400, target
            assert "patchbay-proxied" not in headers
        assert not provider.asked
        # An error of the provider is not one of ours
        provider.answering = lambda _: answer(503, b"<p>down</p>", Content_Type="text/html")
        status, headers, body = send("GET", "x")
        assert (status, body, headers["patchbay-proxied"]) == (503, b"<p>down</p>", "true")
        # And methods are the listed ones
        provider.answering = lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: "1"\r\n\r\n'
        status, headers, body = send("HEAD", "x")
        assert (status, headers["etag"], body) == (200, '"1"', b"")
        assert send("OPTIONS", "x/y")[0] == 204
        assert send("TRACE", "x/y")[0] == 405
