"""What answers that refuse mean, in the shapes that providers document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.refusals import refusal, refusal_within

SCOPES = ("invoices:read", "channels:read", "repo")
EXPIRED = 'Bearer realm="x", error="invalid_token", error_description="The access token expired"'
MISSING = 'Bearer error="insufficient_scope", scope="invoices:read admin:secret"'


@pytest.mark.parametrize(
    ("status", "headers", "document", "code"),
    [
        (401, {}, None, "auth_invalid"),
        (401, {"www-authenticate": "Basic realm=x"}, None, "auth_invalid"),
        (401, {"www-authenticate": EXPIRED}, None, "auth_expired"),
        (
            401,
            {"www-authenticate": EXPIRED.replace("expired", "was revoked or expired")},
            None,
            "auth_revoked",
        ),
        (401, {}, {"error": "invalid_token", "error_description": "it expired"}, "auth_expired"),
        (403, {"www-authenticate": MISSING}, None, "scope_missing"),
        (403, {}, None, "permission_denied"),
        (403, {"x-ratelimit-remaining": "0"}, None, "rate_limited"),
        (429, {}, {"error": "token_expired"}, "rate_limited"),
        (500, {}, {"error": "token_expired"}, "provider_error"),
        (408, {}, None, "provider_error"),
        (404, {}, {"error": "token_expired"}, None),
        (302, {}, None, None),
        (400, {}, {"error": "bad_request"}, None),
        # As providers document them.
        (
            401,
            {},
            [{"errorCode": "INVALID_SESSION_ID", "message": "expired"}],
            "auth_invalid",
        ),
        (401, {}, {"category": "EXPIRED_AUTHENTICATION", "status": "error"}, "auth_expired"),
        (403, {}, {"category": "MISSING_SCOPES", "status": "error"}, "scope_missing"),
        (401, {}, {"errors": [{"code": "ACCESS_TOKEN_REVOKED"}]}, "auth_revoked"),
        (401, {}, {"errors": [{"code": "ACCESS_TOKEN_EXPIRED"}]}, "auth_expired"),
        (403, {}, {"errors": [{"code": "INSUFFICIENT_SCOPES"}]}, "scope_missing"),
        (
            403,
            {},
            {
                "error": {
                    "code": 403,
                    "status": "PERMISSION_DENIED",
                    "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}],
                }
            },
            "scope_missing",
        ),
        (
            400,
            {},
            {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
            "auth_invalid",
        ),
        (403, {}, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, "rate_limited"),
        (401, {}, {"error": {"code": "api_key_expired"}}, "auth_expired"),
        (401, {}, {"code": "unauthorized", "message": "API token is invalid."}, "auth_invalid"),
        (403, {}, {"code": "restricted_resource"}, "permission_denied"),
        (401, {}, {"error": "access_denied"}, "auth_invalid"),
        # No words at all, or none that are words.
        (401, {}, {"error": {"code": {"code": ["token_expired"]}}}, "auth_invalid"),
        (401, {}, {"error": "token_expired " * 50}, "auth_invalid"),
        (401, {}, "token_expired", "auth_invalid"),
        (401, {}, 7, "auth_invalid"),
    ],
)
def test_a_refusal_has_a_code(
    status: int, headers: dict[str, str], document: Any, code: str | None
) -> None:
    refused = refusal(status, headers, json.dumps(document).encode(), SCOPES)
    assert (refused.code if refused else None) == code


def test_only_scopes_that_the_integration_asks_for_are_named() -> None:
    refused = refusal(403, {"www-authenticate": MISSING}, b"", SCOPES)
    assert refused is not None
    assert refused.scopes == ("invoices:read",)
    assert refused.meaning == "the credential lacks the scope invoices:read"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"ok": False, "error": "missing_scope", "needed": "channels:read,chat"}, "scope_missing"),
        ({"ok": False, "error": "token_revoked"}, "auth_revoked"),
        ({"ok": False, "error": "token_expired"}, "auth_expired"),
        ({"ok": False, "error": "invalid_auth"}, "auth_invalid"),
        ({"ok": False, "error": "ratelimited"}, "rate_limited"),
        ({"ok": False, "error": "channel_not_found"}, None),
        ({"status": "suspended"}, None),
        ([], None),
    ],
)
def test_an_error_may_come_with_a_good_status(document: object, code: str | None) -> None:
    refused = refusal_within(document, SCOPES)
    assert (refused.code if refused else None) == code
    assert refused is None or refused.scopes in ((), ("channels:read",))


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | st.sampled_from(["token_expired", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "errors", "details", "code"]), inner)
    ),
    max_leaves=20,
)


@given(st.sampled_from([400, 401, 403]), JSON, st.text(max_size=200))
def test_whatever_a_server_says_none_of_it_is_repeated(
    status: int, document: object, challenge: str
) -> None:
    said = refusal(status, {"www-authenticate": challenge}, json.dumps(document).encode())
    meanings = {
        "the credential was not accepted",
        "the credential has expired",
        "the credential was revoked",
        "the credential may not do this",
        "the credential lacks a scope",
        "too many calls",
    }
    assert said is None or said.meaning in meanings


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"error":' * 900 + b"1" + b"}" * 900, b"\xff"])
def test_a_document_that_is_none_says_nothing(body: bytes) -> None:
    refused = refusal(401, {"www-authenticate": "x" * 100_000}, body)
    assert refused is not None
    assert refused.code == "auth_invalid"
