"""What a token endpoint's answer means: real answers of providers, and those made up to deceive."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from patchbay.checks.failures import CheckFailure
from patchbay.checks.refusals import Answer
from patchbay.checks.request_context import RequestContext
from patchbay.checks.token_answers import TokenAnswer, read_answer, refused
from patchbay.checks.token_errors import TOKEN_VOCABULARIES
from patchbay.checks.token_subjects import TokenPlaces, TokenSubjects

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
ID, SECRET, GRANT = "/secrets/client_id", "/secrets/client_secret", "/secrets/refresh_token"


def judge(status: int, body: object, *, refresh: bool = False) -> CheckFailure:
    text = body if isinstance(body, str) else json.dumps(body)
    document = None if isinstance(body, str) else body
    return refused(
        Answer(status, {"content-type": "application/json"}, text),
        read_answer(text, document, TokenPlaces()),
        TokenSubjects(ID, SECRET, GRANT if refresh else SECRET, is_refresh=refresh),
        RequestContext(path="/variables/tenant"),
        NOW,
    )


def entra(number: str, text: str = "…", error: str = "invalid_client") -> dict[str, Any]:
    return {"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": []}


@pytest.mark.parametrize(
    ("status", "body", "code", "pointer"),
    [
        # the client is unknown: its id is wrong, not its secret
        (200, {"ok": False, "error": "invalid_client_id"}, "auth_invalid", ID),
        (
            401,
            {"error": "invalid_client", "error_description": "Unknown client"},
            "auth_invalid",
            ID,
        ),
        (
            401,
            {"error": "invalid_client", "error_description": "The OAuth client was not found."},
            "auth_invalid",
            ID,
        ),
        (400, entra("700016", "Application with identifier 'x' was not found"), "auth_invalid", ID),
        (
            400,
            {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"},
            "auth_invalid",
            ID,
        ),
        (400, {"status": 400, "message": "invalid client id"}, "auth_invalid", ID),
        (401, {"error": "deleted_client"}, "account_locked", ID),
        # the secret is wrong or has ended
        (200, {"error": "incorrect_client_credentials"}, "auth_invalid", SECRET),
        (200, {"error": "bad_client_secret", "ok": False}, "auth_invalid", SECRET),
        (200, {"error": "invalid_client_secret"}, "auth_invalid", SECRET),
        (401, entra("7000215", "Invalid client secret provided."), "auth_invalid", SECRET),
        (
            401,
            entra("7000222", "The provided client secret keys are expired."),
            "auth_expired",
            SECRET,
        ),
        (
            401,
            {"error": "invalid_client", "error_description": "The client secret has expired"},
            "auth_expired",
            SECRET,
        ),
        (403, {"status": 403, "message": "invalid client secret"}, "auth_invalid", SECRET),
        (
            401,
            {
                "error": "unauthorized_client",
                "error_description": "Invalid client or Invalid client credentials",
            },
            "auth_invalid",
            SECRET,
        ),
        (
            401,
            {"error": "access_denied", "error_description": "Unauthorized"},
            "auth_invalid",
            SECRET,
        ),
        (
            400,
            {"error": {"message": "Error validating client secret.", "type": "OAuthException"}},
            "auth_invalid",
            SECRET,
        ),
        (
            400,
            {"error": "invalid_client: Invalid client_id or client_secret"},
            "auth_invalid",
            SECRET,
        ),
        (401, {"message": 'The passed in client_id is invalid "x"'}, "auth_invalid", ID),
        # the tenant in the address
        (400, entra("90002", "Tenant 'x' not found."), "not_found", "/variables/tenant"),
        (
            400,
            entra("900023", "Specified tenant 'x' is no domain."),
            "not_found",
            "/variables/tenant",
        ),
        # the server's own address list
        (
            200,
            {"errcode": 40164, "errmsg": "invalid ip 192.0.2.1 ipv6 ::1, not in whitelist"},
            "address_not_allowed",
            None,
        ),
        # the request is what the author of the integration wrote
        (400, {"error": "invalid_request"}, "request_rejected", None),
        (400, {"error": "unsupported_grant_type"}, "request_rejected", None),
        (400, {"error": "invalid_target"}, "request_rejected", None),
        (400, {"error": "invalid_scope"}, "request_rejected", None),
        (200, {"error": "unsupported_grant_type"}, "request_rejected", None),
        (
            400,
            entra("70011", "The provided value for scope is not valid", "invalid_scope"),
            "request_rejected",
            None,
        ),
        # more than the words of OAuth say
        (400, {"error": "unauthorized_client"}, "permission_denied", SECRET),
        (
            200,
            {
                "error": "access_denied",
                "error_description": "You have made too many requests continuously. "
                "Please try again after some time.",
            },
            "rate_limited",
            None,
        ),
        (429, {"error": "invalid_client"}, "rate_limited", None),
        (400, {"error": "server_error"}, "provider_error", None),
        (503, "", "provider_error", None),
        # a refusal in a 200 that no row knows is still one
        (200, {"error": "some_new_word"}, "auth_invalid", SECRET),
        (200, {"ok": False}, "auth_invalid", SECRET),
        (200, {"hello": "world"}, "unexpected_response", None),
        (200, "", "unexpected_response", None),
        (200, [], "unexpected_response", None),
    ],
)
def test_a_refusal_of_a_client(status: int, body: object, code: str, pointer: str | None) -> None:
    failure = judge(status, body)
    assert (failure.code, failure.field_pointer) == (code, pointer)


@pytest.mark.parametrize(
    ("status", "body", "code", "pointer"),
    [
        (400, {"error": "invalid_grant"}, "auth_expired", GRANT),
        (
            400,
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
            "auth_revoked",
            GRANT,
        ),
        (200, {"error": "invalid_code"}, "auth_expired", GRANT),
        (200, {"error": "bad_refresh_token"}, "auth_expired", GRANT),
        (
            403,
            {"error": "unauthorized_client", "error_description": "refresh_token is invalid"},
            "auth_expired",
            GRANT,
        ),
        (400, {"status": "BAD_REFRESH_TOKEN", "message": "…"}, "auth_expired", GRANT),
        (400, {"status": 400, "message": "Invalid refresh token"}, "auth_expired", GRANT),
        (
            400,
            entra("700082", "The refresh token has expired.", "invalid_grant"),
            "auth_expired",
            GRANT,
        ),
        (
            400,
            entra("50173", "The grant has been revoked.", "invalid_grant"),
            "auth_revoked",
            GRANT,
        ),
        (
            400,
            entra("50057", "The user account is disabled.", "invalid_grant"),
            "account_locked",
            GRANT,
        ),
        (400, entra("65001", "has not consented", "invalid_grant"), "permission_denied", GRANT),
        (401, entra("7000222", "client secret keys are expired"), "auth_expired", SECRET),
        (400, {"error": "invalid_client_id"}, "auth_invalid", ID),
        (200, {"error": "some_new_word"}, "auth_invalid", GRANT),
    ],
)
def test_a_refusal_of_a_refresh_token(
    status: int, body: object, code: str, pointer: str | None
) -> None:
    failure = judge(status, body, refresh=True)
    assert (failure.code, failure.field_pointer) == (code, pointer)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"error": {"error": 7}}},
        {"error": ["x"] * 1000},
        {"error": "a" * 100_000, "error_description": "client secret " * 10_000},
        {"errors": [[[]]]},
        "error=" + "&a=b" * 20_000,
        "\x00",
    ],
)
def test_what_a_hostile_server_answers_is_judged_all_the_same(body: object) -> None:
    failure = judge(200, body)
    assert failure.code in ("auth_invalid", "unexpected_response")
    assert len(failure.summary) < 200


def test_every_word_of_the_table_has_a_sentence_of_ours() -> None:
    for vocabulary in TOKEN_VOCABULARIES:
        for (code, _), words in vocabulary.words.items():
            for word in words.split():
                body = entra(word[6:]) if word.startswith("AADSTS") else {"error": word}
                judged = judge(400, body)
                assert judged.summary.startswith("The provider")
                # Another row of a table with the same word may be about the account as a whole.
                assert judged.code in (code, "rate_limited", "account_locked"), word


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ("a:read", ["b:read"]),
        (["a:read"], ["b:read"]),
        ("a:read,B:READ", []),
        ("https://api.example.com/a:read https://api.example.com/b:read", []),
        ("", []),
        ([], []),
        (None, []),
        (7, []),
    ],
)
def test_scopes_are_compared_in_any_form(granted: object, missing: list[str]) -> None:
    answer = TokenAnswer({"access_token": "x", "scope": granted})
    assert answer.missing(["a:read", "b:read", "openid", "offline_access"]) == missing


def test_a_token_beside_an_empty_error_is_a_token() -> None:
    assert TokenAnswer({"access_token": "x", "error": None}).access_token == "x"
    assert TokenAnswer({"access_token": ""}).access_token is None
    assert TokenAnswer({"access_token": 7}).access_token is None


def test_an_error_that_leaves_open_what_ended_a_token_does_not_say_revoked() -> None:
    # the one sentence that Doorkeeper has, and so GitLab and Mastodon
    text = "The provided authorization grant is invalid, expired, revoked, or of another client."
    failure = judge(400, {"error": "invalid_grant", "error_description": text}, refresh=True)
    assert (failure.code, failure.field_pointer) == ("auth_expired", GRANT)

    text = "Token has been revoked."
    failure = judge(400, {"error": "invalid_grant", "error_description": text}, refresh=True)
    assert failure.code == "auth_revoked"
