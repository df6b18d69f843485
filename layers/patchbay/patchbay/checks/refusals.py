"""Judges an answer that refuses: whose move it is, when to try again, what to change. Pure.

The status alone decides little. Providers answer 403 to a used-up allowance, 400 to an expired
token, and 200 to an error. So the headers and the body are read first, and the status decides only
what they leave open. A 4xx is the provider's fault only if the answer itself says that waiting
helps.

The words of a server decide the code and are never repeated. The one exception is the names of
scopes that the integration itself asks for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.checks.codes import Code
from patchbay.checks.error_content import ErrorContent, read_error
from patchbay.checks.failures import CheckFailure
from patchbay.checks.intermediaries import intermediary
from patchbay.checks.rate_limits import asked_wait, bounded, is_used_up, wait_seconds
from patchbay.checks.request_context import RequestContext

_OF_STATUS: Final[Mapping[int, Code]] = {
    401: "auth_invalid",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    408: "provider_error",
    410: "not_found",
    420: "rate_limited",  # "Enhance your calm", from before there was 429
    421: "not_found",  # the server does not serve this host
    423: "account_locked",  # https://shopify.dev/docs/api/usage/response-codes
    424: "provider_error",  # something behind the API failed
    425: "provider_error",  # too early: the same request is accepted later
    429: "rate_limited",
    440: "auth_expired",  # IIS: the session has ended
    451: "blocked_by_intermediary",
    456: "payment_required",  # DeepL: https://developers.deepl.com/docs/best-practices/error-handling
    498: "auth_invalid",  # Esri: invalid token
    499: "auth_invalid",  # Esri: token required
}
"""The code of a status, if the answer has nothing more specific. Any other 4xx is
`request_rejected`: the API was reached and does not accept the request that the integration's
author wrote."""

_MEANINGS: Final[Mapping[Code, str]] = {
    "auth_invalid": "the credential was not accepted",
    "auth_expired": "the credential has expired",
    "auth_revoked": "the credential was revoked",
    "permission_denied": "the credential may not do this",
    "scope_missing": "the credential lacks a scope",
    "payment_required": "the credit or plan of the account is used up",
    "account_locked": "the account is locked",
    "address_not_allowed": "calls from this address are not allowed",
    "not_found": "nothing was found under this name",
    "request_rejected": "the API does not accept this request",
    "authentication_unsupported": "the server asks for a way to log in that no check uses",
    "client_certificate_required": "the server asks for a client certificate",
    "client_certificate_refused": "the server does not accept the client certificate",
    "blocked_by_intermediary": "something in front of the API refused the request",
    "rate_limited": "too many calls",
    "provider_error": "a fault of the provider",
    "unexpected_response": "not what the step expects",
}

# A 401 often has `unauthorized` beside its reason.
_MOST_SPECIFIC_FIRST: Final[tuple[Code, ...]] = (
    "client_certificate_required",
    "client_certificate_refused",
    "payment_required",
    "account_locked",
    "address_not_allowed",
    "auth_revoked",
    "auth_expired",
    "scope_missing",
    "rate_limited",
    "authentication_unsupported",
    "permission_denied",
    "auth_invalid",
    "not_found",
    "provider_error",
    "request_rejected",
)
_GENERAL: Final[frozenset[Code]] = frozenset(
    {"permission_denied", "auth_invalid", "not_found", "provider_error", "request_rejected"}
)
"""Codes that a sentence gives only if the error has no name, and that yield to what the author of
the step says."""

_IGNORED: Final[Mapping[int, frozenset[Code]]] = {
    # A 401 is about the credential itself: here `forbidden` is a word for a wrong key.
    401: _GENERAL,
    403: frozenset({"not_found", "provider_error", "request_rejected"}),
    404: frozenset({"provider_error", "request_rejected"}),
    410: frozenset({"provider_error", "request_rejected"}),
}
"""Codes that a status can't mean, whatever the answer says."""

_ONLY: Final[Mapping[int, frozenset[Code]]] = {
    402: frozenset({"account_locked"}),
    408: frozenset(),
    429: frozenset({"payment_required", "rate_limited"}),
    451: frozenset(),
    456: frozenset({"account_locked"}),
}
"""The only codes that an answer with this status can have, apart from the status's own."""

_NOTHING_TO_WAIT_FOR: Final = frozenset(
    {401, 402, 404, 405, 406, 408, 410, 411, 412, 414, 415, 416, 417, 421, 426, 428, 431, 451}
)
"""The 4xx with one meaning. With any other, `Retry-After` says that waiting helps."""

_REDIRECTS: Final = frozenset(range(300, 400)) - {304}
"""A 304 says that nothing has changed, to a client that did not ask."""
# One without an end runs to the end of the text: else each quote in it would be read to the end.
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)')
_SCHEME: Final = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9_-]{0,40})(?=\s*(?:,|$)|\s+[^\s=,])")
_OTHER_WAYS: Final = frozenset({"negotiate", "ntlm", "kerberos", "digest"})
# Of nginx (ngx_http_special_response.c), Go (net/http/server.go), and Apache (ssl_engine_kernel.c).
_PLAIN_HTTP: Final = re.compile(
    r"plain http request was sent to https port|sent an http request to an https server"
    r"|speaking plain http to an ssl-enabled server port"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` are by lower-case name, `text` is the body as far as it was read."""

    status: int
    headers: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`summary` is a full sentence and `meaning` the part of it after the status, both our words.

    `scopes` are those that the integration asks for and that are missing. `field_pointer` is the
    field to change if the refusal itself shows it; otherwise the code's category decides.
    """

    code: Code
    summary: str
    meaning: str
    retry_after_seconds: int | None = None
    scopes: tuple[str, ...] = ()
    field_pointer: str | None = None

    def failure(self) -> CheckFailure:
        """What a step fails with."""
        return CheckFailure(
            self.code,
            self.summary,
            retry_after_seconds=self.retry_after_seconds,
            field_pointer=self.field_pointer,
        )


def refusal(
    answer: Answer, context: RequestContext, now: datetime, *, means: Code | None = None
) -> Refusal:
    """Judges an answer whose status the step does not expect. `now` is aware.

    `means` is the code that the step's author gives to this status. The answer overrides it only if
    it is more specific, such as a credential that has expired.
    """
    name = intermediary(answer.status, answer.headers, answer.text)
    if name:
        return _blocked(answer.status, name)
    if answer.status == 400 and _PLAIN_HTTP.search(answer.text[:2000].lower()):
        meaning = "its port speaks TLS, and the address begins with http"
        code: Code = "config_invalid" if context.host else "request_rejected"
        summary = f"The provider answered 400: {meaning}."
        return Refusal(code, summary, meaning, field_pointer=context.host)
    content = read_error(answer.headers, answer.text, is_error=answer.status >= 400)
    codes = _possible(answer.status, content) | _codes_of_headers(answer, now)
    if _is_unknown_route(answer):
        codes = {"not_found"}
    elif content.firm:
        codes = set(content.firm)
    if means:
        codes -= _GENERAL - content.firm
    code = _most_specific(codes) or means or _of_status(answer.status)
    pointer = _not_found_pointer(answer.status, context) if code == "not_found" else None
    if code == "not_found" and code != means and pointer is None:
        # No field is part of the address: the integration's author wrote all of it.
        code = "request_rejected"
    return _refusal(answer, context, now, content, code, pointer)


def refusal_within(
    answer: Answer, context: RequestContext, now: datetime, *, is_error: bool = False
) -> Refusal | None:
    """Judges an answer whose status is expected and whose body is not, such as Slack's
    `{"ok": false, "error": "token_revoked"}`. None if it has no error.

    With `is_error` the body is known to be an error, even if nothing in it says so.
    """
    name = intermediary(answer.status, answer.headers, answer.text)
    if name:
        return _blocked(answer.status, name)
    is_error = is_error or answer.status >= 400
    content = read_error(answer.headers, answer.text, is_error=is_error)
    code = _most_specific(_codes(content))
    if code is None:
        return None
    pointer = _not_found_pointer(answer.status, context) if code == "not_found" else None
    if code == "not_found" and pointer is None:
        code = "request_rejected"
    return _refusal(answer, context, now, content, code, pointer)


def accepts_credential(answer: Answer) -> bool:
    """Whether the API itself answered, without an error about the credential or the account.

    For a status that proves access: a wrong key may get the same status.
    """
    if intermediary(answer.status, answer.headers, answer.text):
        return False
    content = read_error(answer.headers, answer.text, is_error=answer.status >= 400)
    return _codes(content) <= {"not_found", "request_rejected", "permission_denied"}


def _codes(content: ErrorContent) -> set[Code]:
    """The codes of an error, from the most exact part of it: a number with one meaning, then the
    names with the specific sentences, then any sentence, then an HTTP status in the body."""
    if content.numbered:
        return set(content.numbered)
    specific = content.sentences - _GENERAL
    codes = set((content.names | specific) or content.sentences or content.statuses)
    # RFC 6750 has one word for tokens that are "expired, revoked, malformed, or invalid".
    return codes | content.hints if "auth_invalid" in codes else codes


def _possible(status: int, content: ErrorContent) -> set[Code]:
    """The codes of an error that this status allows."""
    codes = _codes(content)
    if status >= 500:
        # SOAP sends every fault with a 500. Other servers that fail may claim anything.
        return codes if content.is_fault else codes & {"rate_limited"}
    if status in {404, 410} and not content.names:
        # "Not found, or you may not see it" leaves open which.
        codes -= _GENERAL
    return codes & _ONLY[status] if status in _ONLY else codes - _IGNORED.get(status, frozenset())


def _codes_of_headers(answer: Answer, now: datetime) -> set[Code]:
    status, headers = answer.status, answer.headers
    codes: set[Code] = set()
    if status == 401 and _asks_for_another_way(headers.get("www-authenticate", "")):
        codes.add("authentication_unsupported")
    # https://developer.xero.com/documentation/guides/oauth2/limits/: with a 429, earlier with a 503
    if status >= 400 and headers.get("x-rate-limit-problem"):
        codes.add("rate_limited")
    # A 401 or 404 may be the last call of an allowance, and still be a 401 or 404.
    if status == 403 and is_used_up(headers):
        codes.add("rate_limited")
    if (
        400 <= status < 500
        and status not in _NOTHING_TO_WAIT_FOR
        and asked_wait(headers, now) is not None
    ):
        codes.add("rate_limited")
    # GitHub answers 404 to a token without the scope, to hide what it may not see.
    if status in {403, 404} and _missing_scopes(headers):
        codes.add("scope_missing")
    return codes


def _asks_for_another_way(challenges: str) -> bool:
    """Whether the server offers only ways to log in that no check uses (RFC 4559, RFC 7616)."""
    bare = _QUOTED.sub('""', challenges[:8192])
    schemes = {scheme.lower() for scheme in _SCHEME.findall(bare)}
    return bool(schemes) and schemes <= _OTHER_WAYS


def _is_unknown_route(answer: Answer) -> bool:
    """Whether Amazon API Gateway has no such path: it answers 403 "Missing Authentication Token"
    (https://repost.aws/knowledge-center/api-gateway-authentication-token-errors)."""
    error = answer.headers.get("x-amzn-errortype", "")
    return "x-amz-apigw-id" in answer.headers and error.startswith("MissingAuthenticationToken")


def _missing_scopes(headers: Mapping[str, str]) -> set[str]:
    """The scopes that GitHub accepts, if the token has none of them
    (https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps)."""
    if "x-oauth-scopes" not in headers:
        return set()
    accepted, present = (
        {scope.strip() for scope in headers.get(name, "").split(",") if scope.strip()}
        for name in ("x-accepted-oauth-scopes", "x-oauth-scopes")
    )
    return accepted if accepted.isdisjoint(present) else set()


def _of_status(status: int) -> Code:
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if 400 <= status < 500:
        return "request_rejected"
    return "provider_error" if 500 <= status < 600 else "unexpected_response"


def _most_specific(codes: Iterable[Code]) -> Code | None:
    found = frozenset(codes)
    return next((code for code in _MOST_SPECIFIC_FIRST if code in found), None)


def _not_found_pointer(status: int, context: RequestContext) -> str | None:
    if status == 421:
        return context.host
    return context.path or context.query or context.body or context.host


def _refusal(
    answer: Answer,
    context: RequestContext,
    now: datetime,
    content: ErrorContent,
    code: Code,
    field_pointer: str | None,
) -> Refusal:
    scopes: tuple[str, ...] = ()
    meaning = _MEANINGS[code]
    if code == "scope_missing":
        missing = content.scopes | _missing_scopes(answer.headers)
        scopes = tuple(scope for scope in context.scopes if scope in missing)
        meaning = f"the credential lacks the scope {', '.join(scopes)}" if scopes else meaning
    elif answer.status == 408:
        meaning = "the provider gave up waiting"
    elif answer.status in _REDIRECTS and code == "unexpected_response":
        meaning = "a redirect, which this step does not follow"
    is_contradiction = answer.status < 300 and code != "unexpected_response"
    link = ", but" if is_contradiction else ":"
    return Refusal(
        code,
        f"The provider answered {answer.status}{link} {meaning}.",
        meaning,
        _retry_after(answer, content, code, now),
        scopes,
        field_pointer,
    )


def _retry_after(answer: Answer, content: ErrorContent, code: Code, now: datetime) -> int | None:
    if code == "provider_error":
        return asked_wait(answer.headers, now)
    if code != "rate_limited":
        return None
    wait = wait_seconds(answer.headers, now)
    if wait is None and content.wait_seconds is not None:
        wait = bounded(content.wait_seconds)
    return wait


def _blocked(status: int, name: str) -> Refusal:
    return Refusal(
        "blocked_by_intermediary",
        f"{name[:1].upper()}{name[1:]} answered {status} in front of the API.",
        _MEANINGS["blocked_by_intermediary"],
    )
