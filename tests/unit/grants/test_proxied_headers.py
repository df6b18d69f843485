"""What passes the proxy is about the request or the answer, and nothing else."""

import pytest

from patchbay.grants.proxied_headers import returned_headers, sent_headers
from patchbay.platform.errors import InvalidInput

CREDENTIAL = [("Authorization", "Bearer theirs")]


def sent(credential: list[tuple[str, str]] = CREDENTIAL, **given: str) -> dict[str, str]:
    headers = {name.replace("_", "-"): value for name, value in given.items()}
    return {name.lower(): value for name, value in sent_headers(headers, credential)}


def returned(**answered: str) -> dict[str, str]:
    return dict(returned_headers({n.replace("_", "-"): v for n, v in answered.items()}))


def test_what_is_about_the_request_is_sent() -> None:
    headers = {
        "accept": "application/json",
        "content_type": "application/json; charset=utf-8",
        "content_encoding": "gzip",
        "user_agent": "acme/1.0",
        "notion_version": "2022-06-28",
        "if_match": '"7"',
        "idempotency_key": "a-1",
        "range": "bytes=0-9",
        "x_request_id": "r-1",
    }
    assert sent(CREDENTIAL, **headers) == {
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "authorization": "Bearer theirs",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("content-length", "host", "via", "http2-settings", "accept-encoding"),
        *("proxy-authorization", "proxy-connection", "proxy-authenticate"),
        *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"),
        *("x_forwarded_for", "true-client-ip", "cf-connecting-ip"),
        *("cookie", "cookie2", "origin", "referer", "sec-fetch-site", "sec-gpc"),
        *("x-amzn-trace-id", "x-amz-cf-id", "cloudfront-viewer-country"),
        *("patchbay-role", "patchbay-path", "patchbay-anything"),
        *("metadata-flavor", "metadata", "x-aws-ec2-metadata-token", "x-google-metadata-request"),
        *("x-identity-header", "x-metadata-token"),
    ],
)
def test_what_is_not_about_the_request_is_left_out(name: str) -> None:
    headers = sent_headers({name: "x"}, [])
    assert headers == ()


def test_the_credential_replaces_what_the_caller_set_in_any_spelling() -> None:
    assert sent(authorization="Bearer pb_ours") == {"authorization": "Bearer theirs"}
    key = [("X-Api-Key", "theirs")]
    for name in ("x-api-key", "X-API-KEY", "x_api_key"):
        assert sent_headers({name: "mine"}, key) == tuple(key)
    # And the caller's own key stays here, wherever the provider's goes
    assert sent(key, authorization="Bearer pb_ours") == {"x-api-key": "theirs"}
    assert sent([], authorization="Bearer pb_ours") == {}


def test_what_connection_names_is_of_this_hop() -> None:
    given = {"Connection": "close, X-Secret-Hop", "x-secret-hop": "1", "x-other": "2"}
    assert sent_headers(given, []) == (("x-other", "2"),)
    assert dict(returned_headers(given)) == {"x-other": "2"}


@pytest.mark.parametrize(
    "name",
    [
        *("x-http-method-override", "X-HTTP-Method", "x-method-override", "x_http_method_override"),
        *("x-original-url", "x-rewrite-url", "x-original-host", "x-http-host-override"),
    ],
)
def test_what_makes_it_another_request_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sent_headers({name: "DELETE"}, [])
    [problem] = refused.value.problems
    assert problem.message == "would make it another request"


@pytest.mark.parametrize(
    "value", ["a\r\nx-evil: 1", "a\nb", "a\x00b", "é", "a\tb", " a", "x" * 9000]
)
def test_a_value_that_is_not_read_alike_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sent_headers({"x-note": value}, [])
    assert [problem.pointer for problem in refused.value.problems] == ["/headers/X-Note"]


def test_what_is_about_the_answer_is_returned() -> None:
    headers = {
        "content_type": "application/json",
        "content_encoding": "gzip",
        "etag": '"7"',
        "link": '<https://api.example.com/v1/issues?page=2>; rel="next"',
        "retry_after": "7",
        "x_ratelimit_remaining": "0",
        "www_authenticate": 'Bearer error="invalid_token"',
        "content_disposition": 'attachment; filename="a.pdf"',
    }
    assert returned(**headers) == {n.replace("_", "-"): v for n, v in headers.items()}


@pytest.mark.parametrize(
    "name",
    [
        *("set-cookie", "set-cookie2", "connection", "keep-alive", "transfer-encoding", "upgrade"),
        *("content-length", "trailer", "proxy-authenticate", "strict-transport-security"),
        *("clear-site-data", "service-worker-allowed", "alt-svc", "refresh", "cache-control"),
        *("access-control-allow-origin", "access-control-allow-credentials", "location"),
        *("content-security-policy", "cross-origin-opener-policy", "nel", "report-to"),
        *("patchbay-proxied", "Patchbay-Location", "x-amzn-remapped-server", "bad name", ""),
    ],
)
def test_what_is_not_about_the_answer_is_left_out(name: str) -> None:
    assert dict(returned_headers({name: "x"})) == {}


def test_a_value_that_is_returned_has_one_line_of_ascii() -> None:
    assert returned(x_note="a\r\nset-cookie: b\xe9\x00")["x-note"] == "a??set-cookie: b??"
