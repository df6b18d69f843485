"""Redirects: judged hop by hop, and never with a credential to another origin."""

import asyncio
from typing import Any

import pytest

from patchbay.checks.report import CheckReport
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.redirects import after_redirect, resolve
from patchbay.egress.request import HttpRequest
from patchbay.egress.url import parse_url
from tests.unit.checks.doubles import (
    Handler,
    answering,
    guard_for,
    http_response,
    run_test,
    serving,
    step_for,
    target_for,
)
from tests.unit.egress.corpus import row as corpus_row
from tests.unit.egress.corpus import rows

SECRET_HEADERS = (("Authorization", "Bearer k"), ("Cookie", "a=b"), ("X-Api-Key", "k"))


def redirecting(location: str) -> Handler:
    return answering(http_response("302 Found", b"", f"Location: {location}"))


async def report_on(location: str, canary: int, *, redirects: int = 5) -> CheckReport:
    """The report of a step that a server redirects; only this server may be dialed."""
    answers = {"rebind.example.net": [["127.0.0.1"]]}
    async with serving(redirecting(location.replace("{canary}", str(canary)))) as port:
        step = step_for(port)
        step["request"] = {"url": f"http://127.0.0.1:{port}/start", "redirects": redirects}
        return await run_test(target_for(step), guard_for(port, answers=answers))


@pytest.mark.enable_socket
@rows("redirect")
def test_every_hop_is_judged_like_the_first(row: dict[str, Any]) -> None:
    # given a server that must not be reached
    reached: list[int] = []

    async def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)

    async def test() -> CheckReport:
        async with serving(canary) as port:
            return await report_on(row["target"], port)

    # when
    report = asyncio.run(test())

    # then the first dial was good, and the step says why the next one was not made
    failed = report.steps[-1]
    code = "redirect_loop" if row["target"] == "/loop" else "egress_blocked"
    assert (report.code, f"deny:{failed.detail}") == (code, row["expected"]), row["why"]
    assert (failed.name, failed.status) == ("whoami", "failed")
    assert reached == []


@pytest.mark.enable_socket
def test_no_redirect_is_followed_unless_the_step_says_so() -> None:
    report = asyncio.run(report_on("/next", 0, redirects=0))
    assert report.code == "unexpected_response"
    assert "does not follow" in report.message


@pytest.mark.enable_socket
def test_another_origin_gets_no_credential_and_so_proves_nothing() -> None:
    # given H10: two servers, the first redirects to the second
    seen: list[bytes] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http_response("200 OK"))

    async def test() -> CheckReport:
        async with (
            serving(other) as there,
            serving(redirecting(f"http://127.0.0.1:{there}/")) as here,
        ):
            step = step_for(here)
            step["request"] = {
                "url": f"http://127.0.0.1:{here}/",
                "redirects": 1,
                "headers": {"Cookie": "a=b", "X-Api-Key": "{{secrets.api_key}}"},
            }
            return await run_test(target_for(step), guard_for(here, there))

    # when
    report = asyncio.run(test())

    # then
    assert (report.passed, report.verified) == (True, False)
    assert not any(word in seen[0] for word in (b"Authorization", b"Cookie", b"X-Api-Key", b"sk_"))


@rows("redirect_secret")
def test_a_redirect_takes_no_secret_along(row: dict[str, Any]) -> None:
    # given a request with credentials, and where the row redirects it
    request = HttpRequest(
        "GET", parse_url("https://a.example.net/x"), SECRET_HEADERS, credentialed=True
    )
    location = row["target"] if " " not in row["target"] else "http://a.example.net/x"

    # when
    try:
        followed = after_redirect(request, 302, location)
    except EgressBlocked as blocked:
        verdict = f"deny:{blocked.detail}"
    else:
        verdict = "deny:secret" if (followed.headers, followed.body) == ((), b"") else "allow"

    # then
    assert verdict == row["expected"], row["why"]


def test_a_credential_stays_within_its_origin() -> None:
    # given H10 and its opposite
    request = HttpRequest(
        "GET", parse_url("https://a.example.net/x"), SECRET_HEADERS, credentialed=True
    )

    # when
    other = after_redirect(request, 302, corpus_row("H10")["target"])
    same = after_redirect(request, 302, "/y?z=1")

    # then
    assert (other.headers, other.credentialed, other.body) == ((), False, b"")
    assert (same.headers, same.credentialed) == (SECRET_HEADERS, True)
    assert same.target.url == "https://a.example.net/y?z=1"


@pytest.mark.parametrize(
    ("method", "status", "location", "detail"),
    [
        ("GET", 302, "http://a.example.net/x", "redirect"),
        ("POST", 307, "https://b.example.net/x", "redirect"),
        ("POST", 308, "https://a.example.net:8443/x", "redirect"),
        ("GET", 302, "file:///etc/passwd", "scheme"),
        ("GET", 302, "javascript:alert(1)", "parse"),
        ("GET", 302, "https://user@b.example.net/", "parse"),
        ("GET", 302, "\\\\b.example.net/", "parse"),
        ("GET", 302, "/\\b.example.net/", "parse"),
    ],
)
def test_a_redirect_that_may_not_be_followed(
    method: str, status: int, location: str, detail: str
) -> None:
    # given H11 among others
    request = HttpRequest(method, parse_url("https://a.example.net/x"), SECRET_HEADERS)

    # when
    with pytest.raises(EgressBlocked) as blocked:
        after_redirect(request, status, location)

    # then
    assert blocked.value.detail == detail


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/x?f=a|b", "/x?f=a%7Cb"),
        ("/items[0]?q[]=1", "/items%5B0%5D?q[]=1"),
        ('/say"hi"', "/say%22hi%22"),
        ("/{id}^`<>", "/%7Bid%7D%5E%60%3C%3E"),
        ("/same, /same", "/same"),
        ("/a, b", "/a,%20b"),
    ],
)
def test_a_location_is_read_as_browsers_read_it(location: str, path: str) -> None:
    request = HttpRequest("GET", parse_url("https://a.example.net/start"))
    assert after_redirect(request, 302, location).target.path == path


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "location", ["javascript:alert(1)", "http://user:pass@b.example.net/", "http:///x", "/a%zz"]
)
def test_a_location_that_is_no_address_is_the_providers_fault(location: str) -> None:
    report = asyncio.run(report_on(location, 0))
    assert (report.code, report.blame) == ("redirect_loop", "provider")


@pytest.mark.enable_socket
@pytest.mark.parametrize("location", ["http://10.0.0.1/", "gopher://b.example.net/x"])
def test_a_forbidden_address_is_said_to_be_the_providers(location: str) -> None:
    report = asyncio.run(report_on(location, 0))
    failed = report.steps[-1]
    assert report.code == "egress_blocked"
    assert failed.summary.startswith("The provider redirects to an address that is not called.")
    assert failed.field_pointer is None


# RFC 3986 §5.4: what each reference means beside http://a/b/c/d;p?q, but for other schemes.
REFERENCES = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q",
    "g#s": "http://a/b/c/g",
    "g?y#s": "http://a/b/c/g?y",
    ";x": "http://a/b/c/;x",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/../x": "http://a/b/c/g?y/../x",
    "https://c/d#e": "https://c/d",
    "a b": "http://a/b/c/a%20b",
    "é".encode().decode("latin-1"): "http://a/b/c/%C3%A9",
    " /g ": "http://a/g",
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_location_is_a_reference_to_where_the_request_went(reference: str) -> None:
    assert resolve(parse_url("http://a/b/c/d;p?q"), reference) == REFERENCES[reference]


FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_goes_on_as_a_get(status: int) -> None:
    headers = (*SECRET_HEADERS, FORM)
    request = HttpRequest("POST", parse_url("https://a.example.net/x"), headers, body=b"x")
    followed = after_redirect(request, status, "https://a.example.net/y")
    assert (followed.method, followed.body) == ("GET", b"")
    assert followed.headers == tuple(SECRET_HEADERS)
    elsewhere = after_redirect(request, status, "https://b.example.net/y")
    assert (elsewhere.method, elsewhere.body, elsewhere.headers) == ("GET", b"", ())


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_is_repeated_within_its_origin_only(status: int) -> None:
    headers = (*SECRET_HEADERS, FORM)
    request = HttpRequest("POST", parse_url("https://a.example.net/x"), headers, body=b"x")
    followed = after_redirect(request, status, "/y")
    assert (followed.method, followed.body, followed.headers) == ("POST", b"x", headers)
