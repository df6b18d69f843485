"""What answers that refuse mean, in the shapes that providers document."""

import json
from itertools import pairwise
from typing import Any

import pytest

from patchbay.checks.codes import Code
from patchbay.checks.error_content import MAX_PLACES
from patchbay.checks.refusal_words import SENTENCES, SHAPES, VOCABULARIES
from patchbay.checks.refusals import (
    Answer,
    Refusal,
    accepts_credential,
    refusal,
    refusal_within,
)
from patchbay.checks.request_context import RequestContext
from patchbay.checks.word_meanings import code_of_word
from tests.unit.checks.provider_answers import HTML, IN_A_MINUTE, NOW, PROVIDERS, Case, page

SCOPES = ("invoices:read", "channels:read", "repo")
ACCOUNT = RequestContext(SCOPES, path="/variables/account")
EXPIRED = 'Bearer realm="x", error="invalid_token", error_description="The access token expired"'
MISSING = 'Bearer error="insufficient_scope", scope="invoices:read admin:secret"'


def judged(
    status: int,
    headers: dict[str, str] | None = None,
    body: Any = "",
    *,
    context: RequestContext = ACCOUNT,
    means: Code | None = None,
) -> Refusal:
    text = body if isinstance(body, str) else json.dumps(body)
    return refusal(Answer(status, headers or {}, text), context, NOW, means=means)


@pytest.mark.parametrize("case", PROVIDERS, ids=lambda case: f"{case.status}-{case.code}")
def test_what_providers_answer_means_what_they_document(case: Case) -> None:
    answer = Answer(case.status, case.headers, case.text)
    judge = refusal_within if case.status == 200 else refusal
    found = judge(answer, ACCOUNT, NOW)
    assert found is not None
    assert (found.code, found.retry_after_seconds) == (case.code, case.wait), case.source


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
        (404, {}, {"error": "token_expired"}, "auth_expired"),
        (302, {}, None, "unexpected_response"),
        (400, {}, {"error": "bad_request"}, "request_rejected"),
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
        (401, {}, "token_expired", "auth_expired"),
        # No words at all, or none that are words.
        (401, {}, {"error": {"code": {"code": ["token_expired"]}}}, "auth_invalid"),
        (401, {}, {"error": "token_expired " * 50}, "auth_invalid"),
        (401, {}, 7, "auth_invalid"),
    ],
)
def test_a_refusal_has_a_code(
    status: int, headers: dict[str, str], document: Any, code: str
) -> None:
    assert judged(status, headers, document).code == code


@pytest.mark.parametrize("status", range(400, 500))
def test_no_4xx_is_put_down_to_the_provider_unless_it_says_that_waiting_helps(status: int) -> None:
    waits = {408, 420, 424, 425, 429}
    found = judged(status, body={"message": "no"}).code
    assert (found in {"provider_error", "rate_limited", "unexpected_response"}) == (status in waits)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 530, 599])
def test_a_5xx_is_the_providers_whatever_it_says_of_credentials(status: int) -> None:
    body = {"error": "invalid_token", "message": "forbidden: your account is suspended"}
    assert judged(status, body=body).code == "provider_error"


# What a status can mean

OF_STATUS: dict[int, Code] = {
    401: "auth_invalid",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    407: "blocked_by_intermediary",
    408: "provider_error",
    410: "not_found",
    420: "rate_limited",
    421: "not_found",
    423: "account_locked",
    424: "provider_error",
    425: "provider_error",
    429: "rate_limited",
    430: "blocked_by_intermediary",
    440: "auth_expired",
    451: "blocked_by_intermediary",
    456: "payment_required",
    498: "auth_invalid",
    499: "auth_invalid",
    511: "blocked_by_intermediary",
    999: "blocked_by_intermediary",
}
EVERYTHING = RequestContext(SCOPES, path="/variables/account", host="/variables/host")


@pytest.mark.parametrize("status", [*range(300, 320), *range(399, 512), 599, 600, 999])
def test_a_status_alone_has_one_meaning(status: int) -> None:
    others: Code = "request_rejected" if 400 <= status < 500 else "unexpected_response"
    if 500 <= status < 600:
        others = "provider_error"
    assert judged(status, context=EVERYTHING).code == OF_STATUS.get(status, others)


# A word for each code, and the most specific one first.
WORDS: dict[Code, object] = {
    "client_certificate_required": {"message": "No required SSL certificate was sent"},
    "client_certificate_refused": {"message": "The SSL certificate error"},
    "payment_required": {"code": "payment_required"},
    "account_locked": {"code": "account_suspended"},
    "address_not_allowed": {"code": "ip_not_allowed"},
    "auth_revoked": {"code": "token_revoked"},
    "auth_expired": {"code": "token_expired"},
    "scope_missing": {"code": "insufficient_scope"},
    "rate_limited": {"code": "rate_limited"},
    "permission_denied": {"code": "forbidden"},
    "auth_invalid": {"code": "invalid_token"},
    "not_found": {"code": "not_found"},
    "provider_error": {"code": "server_error"},
    "request_rejected": {"code": "invalid_request"},
}


@pytest.mark.parametrize(("more", "less"), [*pairwise(WORDS)])
def test_of_two_words_the_more_specific_one_counts(more: Code, less: Code) -> None:
    for words in ([more, less], [less, more]):
        assert judged(400, body={"errors": [WORDS[word] for word in words]}).code == more


@pytest.mark.parametrize(
    ("status", "word", "code"),
    [
        (401, "permission_denied", "auth_invalid"),
        (401, "not_found", "auth_invalid"),
        (401, "provider_error", "auth_invalid"),
        (401, "request_rejected", "auth_invalid"),
        (401, "scope_missing", "scope_missing"),
        (403, "not_found", "permission_denied"),
        (403, "provider_error", "permission_denied"),
        (403, "request_rejected", "permission_denied"),
        (403, "auth_invalid", "auth_invalid"),
        *[(status, word, "not_found") for status in (404, 410) for word in
          ("provider_error", "request_rejected", "not_found")],
        *[(status, word, word) for status in (404, 410) for word in
          ("permission_denied", "auth_invalid", "auth_expired")],
        (402, "auth_expired", "payment_required"),
        (402, "account_locked", "account_locked"),
        (408, "auth_expired", "provider_error"),
        (429, "auth_expired", "rate_limited"),
        (429, "payment_required", "payment_required"),
        (451, "auth_expired", "blocked_by_intermediary"),
        (500, "auth_expired", "provider_error"),
        (500, "rate_limited", "rate_limited"),
        (499, "auth_expired", "auth_expired"),
    ],
)  # fmt: skip
def test_a_status_leaves_only_some_meanings_to_the_words(
    status: int, word: Code, code: Code
) -> None:
    assert judged(status, body={"errors": [WORDS[word]]}).code == code


@pytest.mark.parametrize("status", [404, 410])
def test_a_sentence_about_what_one_may_not_see_does_not_change_a_404(status: int) -> None:
    assert judged(status, body={"message": "Not found, or access denied"}).code == "not_found"
    assert judged(status, body={"message": "The token expired"}).code == "auth_expired"


@pytest.mark.parametrize("status", [*range(399, 500), 500])
def test_retry_after_makes_a_limit_of_a_status_with_more_than_one_meaning(status: int) -> None:
    one_meaning = {
        *(401, 402, 404, 405, 406, 407, 408, 410, 411, 412, 414, 415, 416, 417, 421, 426, 428),
        *(430, 431, 451),
    }
    code = judged(status, {"retry-after": "7"}).code
    assert (code == "rate_limited") == (400 <= status < 500 and status not in one_meaning)


@pytest.mark.parametrize("status", [400, 401, 402, 404, 422])
def test_a_used_up_allowance_makes_a_limit_of_a_403_only(status: int) -> None:
    assert judged(status, {"x-ratelimit-remaining": "0"}).code != "rate_limited"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-apigw-id": "x", "x-amzn-errortype": "MissingAuthenticationTokenException"}, True),
        ({"x-amz-apigw-id": "x", "x-amzn-errortype": "MissingAuthenticationToken:http"}, True),
        ({"x-amz-apigw-id": "x", "x-amzn-errortype": "ForbiddenException"}, False),
        ({"x-amz-apigw-id": "x"}, False),
        ({"x-amzn-errortype": "MissingAuthenticationTokenException"}, False),
    ],
)
def test_a_path_that_amazon_api_gateway_does_not_know_is_not_found(
    headers: dict[str, str], code: bool
) -> None:
    assert (judged(403, headers).code == "not_found") is code


@pytest.mark.parametrize(
    ("status", "has", "accepts", "code"),
    [
        (403, "gist", "repo", "scope_missing"),
        (404, "gist", "repo", "scope_missing"),
        (404, "", "repo, admin:org", "scope_missing"),
        (404, "gist, repo", "repo, admin:org", "not_found"),
        (404, "gist", "", "not_found"),
        (404, "", "", "not_found"),
        (401, "gist", "repo", "auth_invalid"),
        (422, "gist", "repo", "request_rejected"),
    ],
)
def test_github_hides_what_a_token_without_a_scope_may_not_see(
    status: int, has: str, accepts: str, code: str
) -> None:
    headers = {"x-oauth-scopes": has, "x-accepted-oauth-scopes": accepts}
    assert judged(status, headers).code == code


def test_a_server_that_names_accepted_scopes_without_the_tokens_is_not_github() -> None:
    assert judged(404, {"x-accepted-oauth-scopes": "repo"}).code == "not_found"
    assert judged(404, {"x-oauth-scopes": "gist"}).code == "not_found"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (300, "The provider answered 300: a redirect, which this step does not follow."),
        (399, "The provider answered 399: a redirect, which this step does not follow."),
        (304, "The provider answered 304: not what the step expects."),
        (299, "The provider answered 299: not what the step expects."),
        (600, "The provider answered 600: not what the step expects."),
        (408, "The provider answered 408: the provider gave up waiting."),
        (401, "The provider answered 401: the credential was not accepted."),
    ],
)
def test_a_status_is_told_in_one_sentence(status: int, sentence: str) -> None:
    found = judged(status)
    assert found.summary == sentence
    assert found.meaning == sentence.partition(": ")[2].removesuffix(".")


@pytest.mark.parametrize(
    ("status", "link"), [(200, ", but"), (299, ", but"), (300, ":"), (400, ":")]
)
def test_an_error_contradicts_a_good_status_only(status: int, link: str) -> None:
    found = refusal_within(Answer(status, {}, '{"error": "token_revoked"}'), ACCOUNT, NOW)
    assert found is not None
    assert found.summary == f"The provider answered {status}{link} the credential was revoked."


def test_a_sentence_counts_from_status_400_on() -> None:
    body = json.dumps({"message": "The access token expired"})
    assert judged(400, body=body).code == "auth_expired"
    assert judged(399, body=body).code == "unexpected_response"
    found = refusal_within(Answer(400, {}, body), ACCOUNT, NOW)
    assert found is not None
    assert found.code == "auth_expired"
    assert refusal_within(Answer(399, {}, body), ACCOUNT, NOW) is None
    assert not accepts_credential(Answer(400, {}, body))
    assert accepts_credential(Answer(399, {}, body))


@pytest.mark.parametrize("code", ["not_found", "request_rejected", "permission_denied"])
def test_an_error_about_the_request_proves_that_the_credential_was_accepted(code: Code) -> None:
    body = json.dumps({"errors": [WORDS[code]]})
    assert accepts_credential(Answer(400, {}, body))
    for other in WORDS.keys() - {"not_found", "request_rejected", "permission_denied"}:
        both = json.dumps({"errors": [WORDS[code], WORDS[other]]})
        assert not accepts_credential(Answer(400, {}, both))
    every = [WORDS[word] for word in ("not_found", "request_rejected", "permission_denied")]
    assert accepts_credential(Answer(400, {}, json.dumps({"errors": every})))


def test_a_sentence_gives_a_general_code_only_to_an_error_without_a_name() -> None:
    sentence = {"message": "Sorry, but the API key is not valid"}
    assert judged(400, body={"error": "not_found", **sentence}).code == "not_found"
    assert judged(400, body=sentence).code == "auth_invalid"


def test_what_the_author_says_outweighs_a_general_code_but_not_a_specific_one() -> None:
    said: Code = "permission_denied"
    assert judged(403, body={"error": "invalid_token"}, means=said).code == said
    assert judged(429, body={"error": "rate_limited"}, means=said).code == "rate_limited"
    found = judged(400, means="unexpected_response")
    assert found.summary == "The provider answered 400: not what the step expects."


def test_a_hint_of_what_happened_to_a_token_needs_an_error_about_the_token() -> None:
    hint = {"error_description": "it expired"}
    assert judged(400, body={"error": "invalid_token", **hint}).code == "auth_expired"
    assert judged(400, body={"error": "forbidden", **hint}).code == "permission_denied"


def within(
    body: Any, context: RequestContext = ACCOUNT, status: int = 200, **headers: str
) -> Refusal:
    """The judgment of an error whose status the step expects."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    found = refusal_within(Answer(status, names, json.dumps(body)), context, NOW)
    assert found is not None
    return found


def test_an_error_with_a_good_status_points_at_what_was_not_found() -> None:
    body = {"ok": False, "error": "channel_not_found"}
    found = within(body)
    assert (found.code, found.field_pointer) == ("not_found", ACCOUNT.path)
    assert within(body, EVERYTHING, 421).field_pointer == EVERYTHING.host
    nobody = within(body, RequestContext())
    assert (nobody.code, nobody.field_pointer) == ("request_rejected", None)
    assert within({"ok": False, "error": "token_revoked"}).field_pointer is None


def test_an_error_with_a_good_status_may_say_when_to_try_again() -> None:
    body = {"ok": False, "error": "ratelimited"}
    later = "Tue, 17 Feb 2026 10:00:30 GMT"
    assert within(body, retry_after=later).retry_after_seconds == 30
    assert judged(503, {"retry-after": later}).retry_after_seconds == 30


def test_what_stands_in_front_is_named_with_a_good_status_too() -> None:
    found = within("", status=403, cf_mitigated="challenge")
    assert found.summary == "Cloudflare answered 403 in front of the API."
    assert found.meaning == "something in front of the API refused the request"


@pytest.mark.parametrize(
    ("asked_for", "meaning"),
    [
        ((), "the credential lacks a scope"),
        (("repo",), "the credential lacks the scope repo"),
        (("repo", "gist"), "the credential lacks the scope repo, gist"),
    ],
)
def test_the_missing_scopes_are_named(asked_for: tuple[str, ...], meaning: str) -> None:
    body = {"error": "insufficient_scope", "scope": "gist repo"}
    found = judged(403, body=body, context=RequestContext(asked_for))
    assert (found.meaning, found.scopes) == (meaning, asked_for)


def test_a_body_is_empty_if_none_was_read() -> None:
    assert Answer(403, {}) == Answer(403, {}, "")


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        (429, {}, {"message": "Retry after 30 seconds"}, 30),
        (429, {"retry-after": "9"}, {"message": "Retry after 30 seconds"}, 9),
        (429, {}, {"message": "no"}, None),
        (503, {}, {"message": "Retry after 30 seconds"}, None),
        (401, {}, {"message": "Retry after 30 seconds"}, None),
    ],
)
def test_a_limit_may_say_in_its_error_when_it_ends(
    status: int, headers: dict[str, str], body: Any, wait: int | None
) -> None:
    assert judged(status, headers, body).retry_after_seconds == wait


def test_an_error_without_a_name_is_read_by_its_parts_in_order() -> None:
    # The number of Microsoft Entra ID, then names and specific sentences, then any sentence, then
    # a status in the body.
    number = "AADSTS7000222: The client secret keys are expired: too many requests."
    assert judged(400, body={"error": "rate_limited", "message": number}).code == "auth_expired"
    assert judged(400, body={"error": "forbidden", "message": "invalid key"}).code == (
        "permission_denied"
    )
    assert judged(400, body={"message": "Access denied", "status": 404}).code == "permission_denied"
    assert judged(400, body={"status": 404}).code == "not_found"


# Limits


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "0"},
        {"x-ratelimit-remaining": " 0 "},
        {"x-ratelimit-remaining": "0.0"},
        {"x-ratelimit-remaining": "57, 0"},
        {"ratelimit-remaining": "0"},
        {"x-rate-limit-remaining": "0"},
        {"x-ratelimit-remaining-requests": "0"},
        {"x-ratelimit-requests-remaining": "0"},
        {"x-hubspot-ratelimit-daily-remaining": "0"},
        {"x-ratelimit-userremaining": "0"},
        {"x-daylimit-remaining": "0"},
        {"x-quota-remaining": "0"},
        {"ratelimit": '"default";r=0;t=30'},
        {"ratelimit": '"burst";r=9;t=1, "daily";r=0;t=3600'},
        {"ratelimit": "limit=100, remaining=0, reset=30"},
        {"sforce-limit-info": "api-usage=100/100; per-app-api-usage=1/250(appName=x)"},
        {"retry-after": "30"},
        {"retry-after": "Tue, 17 Feb 2026 10:00:30 GMT"},
    ],
)
def test_a_403_with_nothing_left_is_a_limit(headers: dict[str, str]) -> None:
    assert judged(403, headers, {"message": "no"}).code == "rate_limited"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "10"},
        {"x-ratelimit-remaining": ""},
        {"x-ratelimit-remaining": "none"},
        {"x-ratelimit-limit": "0"},
        {"ratelimit": '"default";r=1;t=30'},
        {"ratelimit": "limit=0, remaining=5, reset=0"},
        {"sforce-limit-info": "api-usage=1/100"},
        {"sforce-limit-info": "api-usage=0/0"},
        {"retry-after": "soon"},
    ],
)
def test_a_403_with_something_left_is_no_limit(headers: dict[str, str]) -> None:
    assert judged(403, headers).code == "permission_denied"


@pytest.mark.parametrize(("status", "code"), [(401, "auth_invalid"), (404, "not_found")])
@pytest.mark.parametrize(
    "headers", [{"x-ratelimit-remaining": "0"}, {"ratelimit": '"x";r=0;t=9'}, {"retry-after": "9"}]
)
def test_the_last_call_of_the_hour_may_be_refused_for_another_reason(
    status: int, code: str, headers: dict[str, str]
) -> None:
    found = judged(status, headers)
    assert (found.code, found.retry_after_seconds) == (code, None)


@pytest.mark.parametrize("status", [400, 409, 413, 418, 422, 423, 425, 429])
def test_an_answer_that_asks_to_wait_is_a_limit(status: int) -> None:
    found = judged(status, {"retry-after": "7"})
    assert (found.code, found.retry_after_seconds) == ("rate_limited", 7)


@pytest.mark.parametrize("status", [402, 404, 405, 406, 410, 411, 415, 421, 431])
def test_waiting_does_not_help_where_the_status_has_one_meaning(status: int) -> None:
    assert judged(status, {"retry-after": "7"}).code != "rate_limited"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Tue, 17 Feb 2026 10:00:30 GMT"}, 30),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": "9" * 30}, None),
        ({"retry-after-ms": "250"}, 1),
        ({"x-ratelimit-reset": IN_A_MINUTE}, 60),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": IN_A_MINUTE}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_A_MINUTE}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_A_MINUTE + "000"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "41"}, 41),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000000"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-02-17T10:01:00Z"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2026-02-17T10:01:00"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1h2m3s"}, 3723),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20ms"}, 1),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "tomorrow"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": ""}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "30"}, 30),
        ({"ratelimit": '"burst";r=9;t=1, "daily";r=0;t=3600'}, 3600),
        ({"ratelimit": "limit=100, remaining=0, reset=30"}, 30),
        ({"ratelimit": '"default";r=0'}, None),
        ({"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "41"}, 5),
        (
            {
                "x-limit-a-remaining": "0",
                "x-limit-a-reset": "5",
                "x-limit-b-remaining": "0",
                "x-limit-b-reset": "9",
                "x-limit-c-remaining": "1",
                "x-limit-c-reset": "99",
            },
            9,
        ),
    ],
)
def test_when_to_try_again_is_told_in_many_ways(headers: dict[str, str], wait: int | None) -> None:
    assert judged(429, headers).retry_after_seconds == wait


def test_a_provider_that_is_down_may_say_for_how_long() -> None:
    assert judged(503, {"retry-after": "120"}).retry_after_seconds == 120
    assert judged(503, {"x-ratelimit-reset": "120"}).retry_after_seconds is None


def test_only_what_ends_by_itself_has_a_time_to_try_again() -> None:
    assert judged(401, {"retry-after": "5"}).retry_after_seconds is None
    assert judged(402, {"retry-after": "5"}).retry_after_seconds is None


# Whose words count


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ({"error": "forbidden", "code": "rate_limit_exceeded"}, {}, "rate_limited"),
        ({"errors": [{"code": "forbidden"}, {"code": "throttled"}]}, {}, "rate_limited"),
        ({"error": "forbidden"}, {"retry-after": "5"}, "rate_limited"),
        ({"error": "unauthorized"}, {"x-ratelimit-remaining": "0"}, "rate_limited"),
        # The last call of the hour, of a token that lacks a scope.
        ({"error": "insufficient_scope"}, {"x-ratelimit-remaining": "0"}, "scope_missing"),
        ({"error": "token_expired"}, {"x-ratelimit-remaining": "0"}, "auth_expired"),
        ({"error": "rate_limited", "reason": "BILLING_DISABLED"}, {}, "payment_required"),
    ],
)
def test_of_a_403_with_both_kinds_of_words_the_more_telling_one_counts(
    body: Any, headers: dict[str, str], code: str
) -> None:
    assert judged(403, headers, body).code == code


@pytest.mark.parametrize(
    "body",
    [
        {"error": "token_expired"},
        {"Error": {"Code": "TokenExpired"}},
        {"errors": [{"extensions": {"code": "TOKEN_EXPIRED"}}]},
        {"errors": ["Token expired"]},
        {"error": True, "message": "The token has expired"},
        {"error": {"error": {"error": {"error": {"error": {"code": "token-expired"}}}}}},
        {"errors": [{"code": f"x{number}"} for number in range(5)] + [{"code": "token_expired"}]},
        [{"a": 1}] * 50 + [{"errorCode": "TOKEN_EXPIRED"}],
        {"response": {"errors": [{"code": "token_expired"}]}},
        {"meta": {"error_type": "token_expired"}},
        {"message": "Your session has expired, log in again."},
        {"detail": {"code": "token_expired"}},
        {"type": "https://api.example.com/problems/token-expired", "title": "No"},
        {"errors": {"access_token": ["has expired"]}},
        {"errors": [{"extensions": {"originalError": {"message": "token_expired"}}}]},
        '"token_expired"',
        "Token expired",
        "  \n token_expired\n",
        "<error><code>token_expired</code></error>",
        "<?xml version='1.0'?><e:err xmlns:e='x'><e:code a='b'> token_expired </e:code></e:err>",
        '<rsp stat="fail"><err code="1" msg="The token has expired"/></rsp>',
        "error=invalid_token&error_description=The+token+expired",
        ")]}'\n" + '{"error": "token_expired"}',
        "\ufeff" + '{"error": "token_expired"}',
        page("The access token has expired"),
    ],
)
def test_a_word_is_found_wherever_errors_have_theirs(body: Any) -> None:
    assert judged(400, body=body).code == "auth_expired"


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"code": "token_expired", "message": "' + "x" * 80_000,
        '{"error": {"code": "token_expired", "trace": [{"at": 1}, {"at"',
        '[{"errorCode": "TOKEN_EXPIRED", "message": "a \\"',
        '{"status": 400, "errors": [{"code": "token_expired"}, {"co',
        "<Error><Code>token_expired</Code><Message>no",
    ],
)
def test_what_is_there_of_a_body_that_is_cut_off_is_read(body: str) -> None:
    assert judged(400, body=body).code == "auth_expired"


@pytest.mark.parametrize(
    "body",
    [
        {"items": [{"code": "token_expired"}]},
        {"invoice": {"error": "token_expired"}},
        '{"items": [{"code": "token_expired"}, {"code": "tok',
        {"x": "token_expired"},
        [{"note": "the token has expired"}],
        {"error": {"field": "csrf_token", "code": "csrf_token_expired"}},
        {"error": "invalid_page_token", "message": "The page token has expired"},
        page("Welcome", "<p>the token has expired</p>"),
    ],
)
def test_other_places_are_data_and_say_nothing(body: Any) -> None:
    assert judged(400, body=body).code == "request_rejected"


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("Your API key has been revoked.", "auth_revoked"),
        ("Invalid or expired token", "auth_invalid"),
        ("The token is invalid, expired, or revoked", "auth_invalid"),
        ("The provided signature does not match", "auth_invalid"),
        ("You do not have permission to read invoices", "permission_denied"),
        ("User is not authorized to perform this action", "permission_denied"),
        ("This feature is not available on your current plan", "payment_required"),
        ("Your trial has expired", "payment_required"),
        ("Access is suspended due to an overdue invoice", "payment_required"),
        ("Your account has been suspended", "account_locked"),
        ("Limit Exceeded", "rate_limited"),
        ("The page size limit exceeded 100", "request_rejected"),
        ("The account ID is invalid", "not_found"),
        ("Calls from IP 203.0.113.9 are not allowed", "address_not_allowed"),
        ("We have detected you are using an unrecognized IP address", "address_not_allowed"),
        ("Please upgrade your Acme account to Standard", "payment_required"),
        ("You have exceeded your daily quota", "rate_limited"),
        ("Too many requests, slow down", "rate_limited"),
        ("Workspace acme not found", "not_found"),
        ("The request body is too large", "request_rejected"),
        ("Field 'ip' must be text", "request_rejected"),
        ("Column token does not exist", "request_rejected"),
    ],
)
def test_a_sentence_is_understood_where_no_word_says_more(sentence: str, code: str) -> None:
    assert judged(400, body={"message": sentence}).code == code


def test_a_sentence_in_general_does_not_overrule_a_word() -> None:
    body = {"error": "not_found", "message": "Not found, or you do not have access to it"}
    assert judged(404, body=body).code == "not_found"
    assert judged(404, body={"message": body["message"]}).code == "not_found"


def test_every_word_is_read_as_its_row_says_and_no_two_rows_disagree() -> None:
    for vocabulary in VOCABULARIES:
        for code, words in vocabulary.words.items():
            for word in words.split():
                assert code_of_word(word) == code, (vocabulary.name, word)


def test_every_row_has_its_source() -> None:
    assert [v.name for v in VOCABULARIES if not v.url.startswith("https://")] == []
    # A number under 1,000 means something else to every provider.
    small = [v for v in VOCABULARIES for group in v.numbers.values() if min(group) < 490]
    assert [v.name for v in small if not v.marks] == []


def test_every_shape_and_sentence_leads_to_a_code_of_a_refusal() -> None:
    codes = {code for code, _ in (*SHAPES, *SENTENCES)}
    codes -= {"client_certificate_required", "client_certificate_refused"}
    assert codes <= {code for vocabulary in VOCABULARIES for code in vocabulary.words}


# What to point at


def test_a_404_points_at_the_variable_that_was_filled_in() -> None:
    path, host = "/variables/account", "/variables/host"
    assert judged(404, context=RequestContext(path=path, host=host)).field_pointer == path
    assert judged(410, context=RequestContext(query=path, host=host)).field_pointer == path
    assert judged(404, context=RequestContext(body=path, host=host)).field_pointer == path
    assert judged(404, context=RequestContext(host=host)).field_pointer == host
    assert judged(404, context=RequestContext(path=path)).code == "not_found"


def test_a_404_of_an_address_that_nobody_filled_in_is_the_integrations() -> None:
    found = judged(404, context=RequestContext())
    assert (found.code, found.field_pointer) == ("request_rejected", None)


def test_a_421_is_about_the_host_alone() -> None:
    path, host = "/variables/account", "/variables/host"
    assert judged(421, context=RequestContext(path=path, host=host)).field_pointer == host
    assert judged(421, context=RequestContext(path=path)).code == "request_rejected"


def test_other_refusals_leave_the_field_to_their_code() -> None:
    assert judged(401).field_pointer is None
    assert judged(403, {"cf-mitigated": "challenge"}).field_pointer is None


def test_only_scopes_that_the_integration_asks_for_are_named() -> None:
    refused = judged(403, {"www-authenticate": MISSING})
    assert refused.scopes == ("invoices:read",)
    assert refused.meaning == "the credential lacks the scope invoices:read"


def test_scopes_are_found_where_providers_list_them() -> None:
    github = {"x-oauth-scopes": "gist", "x-accepted-oauth-scopes": "repo, secret_scope"}
    assert judged(403, github).scopes == ("repo",)
    body = {
        "category": "MISSING_SCOPES",
        "errors": [{"context": {"requiredGranularScopes": ["channels:read", "secret:scope"]}}],
    }
    assert judged(403, body=body).scopes == ("channels:read",)


# In front of the API


def test_what_stands_in_front_is_named() -> None:
    found = judged(403, {"cf-mitigated": "challenge"})
    assert found.summary == "Cloudflare answered 403 in front of the API."
    assert judged(407).summary == "A proxy answered 407 in front of the API."


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (401, HTML | {"server": "cloudflare"}, page("Sign in")),
        (403, {"server": "cloudflare"}, {"message": "error code 1020 is in our documentation"}),
        (403, HTML | {"server": "nginx"}, page("403 Forbidden")),
        (403, {"x-datadome": "protected"}, {"error": "forbidden"}),
        (403, {}, {"message": "blocked by Zscaler policy, says this API"}),
        (403, {"proxy-status": "cdn.example.net; received-status=403"}, ""),
        (404, {"cf-mitigated": ""}, ""),
    ],
)
def test_an_api_behind_a_wall_still_answers_itself(
    status: int, headers: dict[str, str], body: Any
) -> None:
    assert judged(status, headers, body).code != "blocked_by_intermediary"


# A good status


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"ok": False, "error": "missing_scope", "needed": "channels:read,chat"}, "scope_missing"),
        ({"ok": False, "error": "token_revoked"}, "auth_revoked"),
        ({"ok": False, "error": "token_expired"}, "auth_expired"),
        ({"ok": False, "error": "invalid_auth"}, "auth_invalid"),
        ({"ok": False, "error": "ratelimited"}, "rate_limited"),
        ({"ok": False, "error": "channel_not_found"}, "not_found"),
        ({"success": False, "message": "Invalid API key"}, "auth_invalid"),
        ({"code": 401, "msg": "no"}, "auth_invalid"),
        ({"status": "suspended"}, None),
        ({"message": "Your API key is invalid, said the poet"}, None),
        ({"title": "The token expired", "name": "token_expired"}, None),
        ([], None),
    ],
)
def test_an_error_may_come_with_a_good_status(document: object, code: str | None) -> None:
    refused = refusal_within(Answer(200, {}, json.dumps(document)), ACCOUNT, NOW)
    assert (refused.code if refused else None) == code
    assert refused is None or refused.scopes in ((), ("channels:read",))


def test_an_error_with_a_good_status_says_so() -> None:
    refused = refusal_within(Answer(200, {}, '{"error": "token_revoked"}'), ACCOUNT, NOW)
    assert refused is not None
    assert refused.summary == "The provider answered 200, but the credential was revoked."


# What the author of a step says that a status means


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, {"errors": ["Forbidden"]}, "auth_invalid"),
        ({}, {"error": "not_found"}, "auth_invalid"),
        ({}, {"error": "token_expired"}, "auth_expired"),
        ({"retry-after": "5"}, {"errors": ["Forbidden"]}, "rate_limited"),
        ({}, {"error": {"type": "insufficient_quota"}}, "payment_required"),
        ({"cf-mitigated": "challenge"}, "", "blocked_by_intermediary"),
    ],
)
def test_a_status_means_what_the_author_says_unless_the_answer_says_more(
    headers: dict[str, str], body: Any, code: str
) -> None:
    assert judged(403, headers, body, means="auth_invalid").code == code


def test_what_the_author_says_stands_without_a_field_to_point_at() -> None:
    assert judged(400, means="not_found", context=RequestContext()).code == "not_found"
    assert judged(404, means="not_found", context=RequestContext()).code == "not_found"
    assert judged(503, means="rate_limited").code == "rate_limited"


@pytest.mark.parametrize(
    ("headers", "body", "proves"),
    [
        ({}, {"error": "empty body"}, True),
        ({}, {"error": "invalid_request"}, True),
        ({}, "", True),
        ({}, {"error": "invalid_api_key"}, False),
        ({}, {"error": "rate_limited"}, False),
        ({}, {"message": "The API key is invalid"}, False),
        ({"www-authenticate": 'Bearer error="invalid_token"'}, "", False),
        ({"cf-mitigated": "challenge"}, "", False),
    ],
)
def test_a_status_that_proves_access_does_so_only_if_nothing_speaks_against_it(
    headers: dict[str, str], body: Any, proves: bool
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert accepts_credential(Answer(400, headers, text)) is proves


# Too much, or nothing, to read


@pytest.mark.parametrize("body", ["[" * 60_000, '{"error":' * 900 + "1" + "}" * 900, "\xff"])
def test_a_document_that_is_none_says_nothing(body: str) -> None:
    assert judged(401, {"www-authenticate": "x" * 100_000}, body).code == "auth_invalid"


def test_of_a_long_list_a_bounded_number_of_places_is_looked_at() -> None:
    def listed(places: int) -> Refusal:
        return judged(400, body={"errors": [{"a": 1}] * places + [{"code": "token_expired"}]})

    # The document and its list are places too.
    assert listed(MAX_PLACES - 3).code == "auth_expired"
    assert listed(MAX_PLACES - 2).code == "request_rejected"


@pytest.mark.parametrize(
    "said",
    [
        "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.</p>",
    ],
)
def test_http_to_a_port_of_https_is_the_address_to_correct(said: str) -> None:
    found = refusal(Answer(400, {}, said), RequestContext(host="/variables/host"), NOW)

    assert (found.code, found.field_pointer) == ("config_invalid", "/variables/host")
    assert refusal(Answer(400, {}, said), RequestContext(), NOW).code == "request_rejected"
