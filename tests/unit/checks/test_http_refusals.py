"""An http step that is refused: who is to act, on which field, and what a status means here."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport, Step
from tests.unit.checks.doubles import (
    KEY,
    Handler,
    answering,
    guard_for,
    http_response,
    run_test,
    serving,
    step_for,
    target_for,
)
from tests.unit.checks.targets import CheckTarget

pytestmark = pytest.mark.enable_socket

JSON = "Content-Type: application/json"
HTML = "Content-Type: text/html"
REGION = "/variables/region"


def report_on(handler: Handler, path: str = "/me", **extra: Any) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await run_test(target_for(step_for(port, path, **extra)), guard_for(port))

    return asyncio.run(test())


def refused(status: str, body: Any, *headers: str, path: str = "/me", **extra: Any) -> CheckReport:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return report_on(answering(http_response(status, content, *headers)), path, **extra)


def whoami(report: CheckReport) -> Step:
    return next(step for step in report.steps if step.name == "whoami")


# Whose move it is


@pytest.mark.parametrize(
    ("status", "body", "headers", "code", "blame", "retryable", "pointer"),
    [
        (
            "403 Forbidden",
            [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}],
            (),
            "rate_limited",
            "provider",
            True,
            None,
        ),
        (
            "429 Too Many Requests",
            {"error": {"code": "insufficient_quota"}},
            (),
            "payment_required",
            "customer",
            False,
            None,
        ),
        ("402 Payment Required", {}, (), "payment_required", "customer", False, None),
        (
            "400 Bad Request",
            {"error": {"type": "OAuthException", "code": 190, "error_subcode": 463}},
            (),
            "auth_expired",
            "customer",
            False,
            "/secrets/api_key",
        ),
        (
            "422 Unprocessable Entity",
            {"error": "invalid_token"},
            (),
            "auth_invalid",
            "customer",
            False,
            "/secrets/api_key",
        ),
        (
            "498 Invalid Token",
            {"error": {"code": 498, "message": "Invalid token."}},
            (),
            "auth_invalid",
            "customer",
            False,
            "/secrets/api_key",
        ),
        (
            "403 Forbidden",
            b"<html><title>Just a moment...</title></html>",
            (HTML, "cf-mitigated: challenge"),
            "blocked_by_intermediary",
            "unknown",
            False,
            None,
        ),
        (
            "403 Forbidden",
            {"errorCode": "IP_ADDRESS_NOT_ON_ACCESS_LIST"},
            (),
            "address_not_allowed",
            "customer",
            False,
            None,
        ),
        ("415 Unsupported Media Type", {}, (), "request_rejected", "unknown", False, None),
    ],
)
def test_a_refusal_is_put_to_the_right_party(
    status: str,
    body: Any,
    headers: tuple[str, ...],
    code: str,
    blame: str,
    retryable: bool,
    pointer: str | None,
) -> None:
    report = refused(status, body, *headers)
    assert (report.code, report.blame, report.retryable) == (code, blame, retryable)
    assert whoami(report).field_pointer == pointer


def test_a_used_up_allowance_says_when_it_is_reset() -> None:
    report = refused("403 Forbidden", {}, "RateLimit-Remaining: 0", "RateLimit-Reset: 30")
    assert (report.code, report.retry_after_seconds) == ("rate_limited", 30)


@pytest.mark.parametrize(
    "path", ["/accounts/{{variables.region}}", "/find?in={{variables.region}}"]
)
@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_a_misspelled_account_is_the_field_to_change(path: str, status: str) -> None:
    report = refused(status, {"error": "RecordNotFound"}, path=path)
    assert (report.code, report.blame, report.retryable) == ("not_found", "customer", False)
    assert whoami(report).field_pointer == REGION


def test_a_refusal_is_understood_from_the_part_of_its_body_that_arrives() -> None:
    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9000\r\n\r\n")
        writer.write(b'{"error": {"code": "token_expired", "trace": ["at')
        await writer.drain()
        await asyncio.sleep(60)

    report = report_on(stalls)
    assert report.code == "auth_expired"
    assert report.latency_ms < 4000


# A good status


@pytest.mark.parametrize(
    ("expect", "body"),
    [
        (
            {"json": {"/errors": {"exists": False}}},
            {"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]},
        ),
        ({"json": {"/ok": True}}, {"ok": False, "error": "invalid_auth"}),
        ({"headers": {"x-version": "2"}}, {"ok": False, "error": "invalid_auth"}),
        ({"text": {"contains": "welcome"}}, {"ok": False, "error": "invalid_auth"}),
    ],
)
def test_a_refusal_with_status_200_is_found_if_the_answer_is_not_as_expected(
    expect: dict[str, Any], body: Any
) -> None:
    report = refused("200 OK", body, JSON, expect=expect)
    assert report.code == "auth_invalid"
    assert whoami(report).field_pointer == "/secrets/api_key"
    assert whoami(report).summary == (
        "The provider answered 200, but the credential was not accepted."
    )


def test_a_proxys_page_in_place_of_json_is_no_fault_of_the_provider() -> None:
    page = b"<html><title>Access blocked</title><p>Zscaler: this site is blocked</p></html>"
    report = refused("200 OK", page, HTML, expect={"json": {"/ok": True}})
    assert (report.code, report.blame) == ("blocked_by_intermediary", "unknown")


def test_a_challenge_with_a_good_status_is_no_success() -> None:
    report = refused("202 Accepted", b"", "x-amzn-waf-action: challenge")
    assert (report.passed, report.code) == (False, "blocked_by_intermediary")


PAGE = b"<!DOCTYPE html><html><title>Azure DevOps Services | Sign In</title></html>"


@pytest.mark.parametrize(
    ("expect", "headers", "code"),
    [
        ({}, (HTML,), "auth_invalid"),
        ({"json": {"/id": {"exists": True}}}, (HTML,), "auth_invalid"),
        ({"text": {"contains": "Azure"}}, (HTML,), None),
        ({}, (JSON,), None),
    ],
)
def test_a_page_to_log_in_with_status_203_is_no_success(
    expect: dict[str, Any], headers: tuple[str, ...], code: str | None
) -> None:
    report = refused("203 Non-Authoritative Information", PAGE, *headers, expect=expect)
    assert (report.passed, report.code) == (code is None, code)
    if code:
        assert whoami(report).field_pointer == "/secrets/api_key"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("/login?next=/me", "auth_invalid"),
        ("https://acme.example/users/sign_in", "auth_invalid"),
        ("https://spsprodneu1.vssps.visualstudio.com/_signin?realm=dev.azure.com", "auth_invalid"),
        ("https://login.microsoftonline.com/x/oauth2/v2.0/authorize", "auth_invalid"),
        ("/plugins/servlet/saml2/x", "auth_invalid"),
        ("/v2/me", "unexpected_response"),
        ("/blogs/inside", "unexpected_response"),
        ("//[", "unexpected_response"),
    ],
)
def test_a_redirect_to_a_page_to_log_in_is_a_refusal(location: str, code: str) -> None:
    report = refused("302 Found", b"", f"Location: {location}")
    assert report.code == code


def test_a_redirect_away_from_the_customers_address_names_the_one_to_use() -> None:
    async def test() -> CheckReport:
        async with serving(
            answering(http_response("301 Moved", b"", "Location: https://git.acme.example/api"))
        ) as port:
            target = CheckTarget(
                manifest={
                    "checks": {
                        "steps": [
                            {
                                "name": "whoami",
                                "kind": "http",
                                "request": {"url": "{{variables.base}}/api"},
                            }
                        ]
                    }
                },
                auth_config={"type": "api_key"},
                variables_schema={"properties": {"base": {"type": "string", "format": "uri"}}},
                variables={"base": f"http://127.0.0.1:{port}"},
                secrets={"api_key": KEY},
            )
            return await run_test(target, guard_for(port))

    report = asyncio.run(test())

    assert (report.code, report.blame, report.retryable) == ("config_invalid", "customer", False)
    assert whoami(report).field_pointer == "/variables/base"
    assert "https://git.acme.example. Use that address." in report.message


BAD_CHUNK = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"


def test_a_body_that_is_not_valid_and_arrives_with_the_head_hides_no_status() -> None:
    def report(status: bytes, **extra: Any) -> CheckReport:
        return report_on(answering(b"HTTP/1.1 " + status + b"\r\n" + BAD_CHUNK), **extra)

    assert report(b"200 OK").passed
    assert report(b"401 Unauthorized").code == "auth_invalid"
    asked = report(b"200 OK", expect={"json": {"/ok": True}})
    assert (asked.code, "not valid HTTP" in asked.message) == ("unexpected_response", True)


def test_what_is_only_unexpected_stays_so() -> None:
    report = refused("200 OK", {"ok": False}, expect={"json": {"/ok": True}})
    assert (report.code, report.blame) == ("unexpected_response", "provider")


# What a status means here


def test_a_403_means_a_wrong_key_where_the_author_says_so() -> None:
    body = {"errors": ["Forbidden"]}
    assert refused("403 Forbidden", body).code == "permission_denied"
    assert refused("403 Forbidden", body, meaning={"403": "auth_invalid"}).code == "auth_invalid"


def test_a_403_that_says_more_means_that_whatever_the_author_says() -> None:
    meaning = {"403": "auth_invalid"}
    limited = refused("403 Forbidden", {}, "X-RateLimit-Remaining: 0", meaning=meaning)
    assert limited.code == "rate_limited"


@pytest.mark.parametrize("expect", [{}, {"status": [400]}, {"status": [200, 400]}])
def test_a_400_proves_the_key_where_the_author_says_so(expect: dict[str, Any]) -> None:
    report = refused(
        "400 Bad Request",
        {"error": "empty body"},
        expect=expect,
        meaning={"400": "proves_access"},
    )
    assert (report.passed, report.verified) == (True, True)
    assert whoami(report).summary == "Answered 400 as expected."


def test_without_that_an_expected_400_proves_nothing() -> None:
    report = refused("400 Bad Request", {"error": "empty body"}, expect={"status": [400]})
    assert (report.passed, report.verified) == (True, False)


def test_a_400_that_names_the_key_proves_nothing() -> None:
    report = refused(
        "400 Bad Request",
        {"error": {"details": [{"reason": "API_KEY_INVALID"}]}},
        expect={"status": [400]},
        meaning={"400": "proves_access"},
    )
    assert (report.passed, report.code) == (False, "auth_invalid")


def test_what_is_expected_of_a_body_holds_for_the_statuses_that_are_expected() -> None:
    meaning = {"400": "proves_access"}
    step: dict[str, Any] = {"expect": {"json": {"/ok": True}}, "meaning": meaning}
    assert refused("400 Bad Request", {"error": "empty body"}, **step).verified
    assert refused("200 OK", {"ok": False}, **step).code == "unexpected_response"
    step = {"expect": {"status": [400], "json": {"/ok": True}}, "meaning": meaning}
    assert refused("400 Bad Request", {"error": "x"}, **step).code == "unexpected_response"


@pytest.mark.parametrize(
    ("step", "problems"),
    [
        ({"meaning": {"400": "proves_access", "403": "auth_invalid"}}, {}),
        (
            {"auth": False, "meaning": {"400": "proves_access"}},
            {"/meaning/400": "can't prove access: the request has no credential"},
        ),
        (
            {"expect": {"status": [403]}, "meaning": {"403": "auth_invalid"}},
            {"/meaning/403": "is also a status that the step expects"},
        ),
        ({"meaning": "auth_invalid"}, {"/meaning": "must be an object with at most 20 statuses"}),
    ],
)
def test_publishing_says_what_a_status_can_not_mean(
    step: dict[str, Any], problems: dict[str, str]
) -> None:
    manifest = {"checks": {"steps": [step_for(443, **step)]}}
    found = Recipe(manifest, {"type": "api_key"}, {}).problems
    at = "/manifest/checks/steps/0"
    assert {p.pointer.removeprefix(at): p.message for p in found} == problems


# A head that is not whole


def cut(head: bytes, *, hangs: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        if hangs:
            await reader.read()

    return handler


LONG_COOKIE = b"Set-Cookie: a=" + b"x" * 9000 + b"\r\n"


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n" + LONG_COOKIE + b"\r\n", "auth_invalid"),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n" + LONG_COOKIE * 9, "rate_limited"),
        (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authent", "auth_invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Ty", "connection_reset"),
        (b"HTTP/1.1 200 O", "connection_reset"),
        (b"HTTP/1.1 200 OK\r\n" + LONG_COOKIE + b"\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + LONG_COOKIE * 9, None),
    ],
)
def test_a_status_counts_whatever_is_wrong_with_the_rest_of_its_head(
    head: bytes, code: str | None
) -> None:
    report = report_on(cut(head))

    assert (report.code, report.passed) == (code, code is None), report.message
    if code is None:
        assert whoami(report).status == "warning"
        assert "larger than a check reads" in whoami(report).summary
    if code == "rate_limited":
        assert report.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nX-", "permission_denied"),
        (b"HTTP/1.1 200 OK\r\nX-", "provider_timeout"),
    ],
)
def test_a_refusal_counts_if_its_head_stalls(head: bytes, code: str) -> None:
    assert report_on(cut(head, hangs=True), timeoutMs=300).code == code


@pytest.mark.parametrize(
    "extra",
    [{"expect": {"headers": {"x-version": {"exists": False}}}}, {"expect": {"json": {"/a": 1}}}],
)
def test_what_is_beyond_a_head_that_is_too_long_is_not_guessed(extra: dict[str, Any]) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + LONG_COOKIE * 9
    assert report_on(cut(head), **extra).code == "response_too_large"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip, chunked", gzip.compress(b'{"ok": true}', mtime=0)),
        ("deflate, chunked", zlib.compress(b'{"ok": true}')),
        ("chunked", b'{"ok": true}'),
    ],
)
def test_a_body_is_read_without_its_transfer_codings(coding: str, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n{len(body):x}\r\n"
    answer = head.encode() + body + b"\r\n0\r\n\r\n"

    report = report_on(answering(answer), expect={"json": {"/ok": True}})

    assert report.passed, report.message
    assert whoami(report).status == "passed"


def test_a_server_that_refuses_before_it_has_read_the_request_is_heard() -> None:
    # given one that answers a large body by its head and hangs up
    step = {
        "request": {
            "method": "POST",
            "safe": True,
            "body": {"text": "x" * 16_000},
        }
    }

    async def test() -> CheckReport:
        async with serving(cut(http_response("401 Unauthorized"))) as port:
            given = step_for(port) | {
                "request": {"url": f"http://127.0.0.1:{port}/", **step["request"]}
            }
            return await run_test(target_for(given), guard_for(port))

    assert asyncio.run(test()).code == "auth_invalid"


def test_a_404_points_at_the_variable_of_a_parameter() -> None:
    async def test() -> CheckReport:
        async with serving(answering(http_response("404 Not Found"))) as port:
            request = {"url": f"http://127.0.0.1:{port}/me", "query": {"r": "{{variables.region}}"}}
            return await run_test(
                target_for(step_for(port) | {"request": request}), guard_for(port)
            )

    report = asyncio.run(test())
    assert (report.code, whoami(report).field_pointer) == ("not_found", REGION)
