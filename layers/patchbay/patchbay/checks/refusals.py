"""What a response that refuses a request means, by its status and its error words. Pure.

The words of a server decide the code and are never repeated, except for the names of scopes that
the integration itself asks for. They come from `WWW-Authenticate` (RFC 6750), and from the places
in a JSON document where providers document their errors: short words at `error`, `code`, `type`,
`status`, `reason`, `category`, and similar keys, at the top or below `error`, `errors`, or
`details`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from patchbay.checks.codes import Code

_STATUS: Final[Mapping[int, Code]] = {
    401: "auth_invalid",
    403: "permission_denied",
    408: "provider_error",
    429: "rate_limited",
}
_MEANINGS: Final[Mapping[Code, str]] = {
    "auth_invalid": "the credential was not accepted",
    "auth_expired": "the credential has expired",
    "auth_revoked": "the credential was revoked",
    "permission_denied": "the credential may not do this",
    "scope_missing": "the credential lacks a scope",
    "rate_limited": "too many calls",
    "provider_error": "a fault of the provider",
}
# Words that providers document for their errors, in lower case and with `_` for `-` and spaces.
_WORDS_OF: Final[Mapping[Code, tuple[str, ...]]] = {
    "auth_expired": (
        *("token_expired", "expired_token", "access_token_expired", "tokenexpired"),
        *("api_key_expired", "expired_authentication", "session_expired"),
    ),
    "auth_revoked": (
        *("token_revoked", "revoked_token", "access_token_revoked"),
        *("account_inactive", "account_disabled", "token_deleted"),
    ),
    "scope_missing": (
        *("insufficient_scope", "insufficient_scopes", "missing_scope", "missing_scopes"),
        *("access_token_scope_insufficient", "scope_missing"),
    ),
    "permission_denied": (
        *("permission_denied", "access_denied", "forbidden", "insufficientpermissions"),
        *("insufficient_permissions", "restricted_resource", "not_allowed_token_type"),
    ),
    "auth_invalid": (
        *("invalid_token", "invalid_auth", "not_authed", "unauthenticated", "unauthorized"),
        *("invalid_api_key", "api_key_invalid", "authentication_error", "invalid_session_id"),
        *("bad_credentials", "invalid_client", "invalid_credentials"),
    ),
    "rate_limited": (
        *("rate_limited", "ratelimited", "rate_limit_exceeded", "ratelimitexceeded"),
        *("too_many_requests", "rate_limit_error"),
    ),
}
_WORDS: Final = {word: code for code, words in _WORDS_OF.items() for word in words}
# The most specific code comes first: a 401 often has `unauthorized` beside its reason.
_TELLING: Final[tuple[Code, ...]] = (
    "auth_revoked",
    "auth_expired",
    "scope_missing",
    "rate_limited",
    "permission_denied",
    "auth_invalid",
)
# A 401 is about the credential itself, whatever words come with it.
_OF_401: Final = frozenset({"auth_revoked", "auth_expired", "auth_invalid", "scope_missing"})
_KEYS: Final = frozenset(
    {
        *("error", "code", "type", "status", "reason", "category"),
        *("error_code", "errorCode", "error_type", "errorType"),
    }
)
_BELOW: Final = ("error", "errors", "details")
_SCOPE_KEYS: Final = ("needed", "scope", "required_scope", "missing_scope")
_DESCRIPTION: Final = ("error_description",)
_MAX_DEPTH: Final = 3
_MAX_ITEMS: Final = 5
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ .-]{0,63}")
_BEARER: Final = re.compile(r'\b(error|error_description|scope)="([^"\\]{0,1000})"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """`code`, its meaning in our words, and which of the known scopes are missing."""

    code: Code
    meaning: str
    scopes: tuple[str, ...] = ()


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, known_scopes: Iterable[str] = ()
) -> Refusal | None:
    """What a status outside the expected ones means; None if it is not a refusal.

    `headers` are by lower-case name. 5xx and 408 are the provider's fault, whatever the words are.
    """
    if status == 408 or status >= 500:
        meaning = "the provider gave up waiting" if status == 408 else _MEANINGS["provider_error"]
        return Refusal("provider_error", meaning)
    plain = _STATUS.get(status)
    if plain == "rate_limited" or (
        status == 403 and headers.get("x-ratelimit-remaining", "").strip() == "0"
    ):
        return Refusal("rate_limited", _MEANINGS["rate_limited"])
    if status not in {400, 401, 403}:
        return None
    said = _said(headers, body)
    code = said.code
    if code is None or (status == 401 and code not in _OF_401):
        code = plain
    return None if code is None else _named(code, said, known_scopes)


def refusal_within(document: object, known_scopes: Iterable[str] = ()) -> Refusal | None:
    """What a JSON document with a good status means if it reports an error, like Slack's
    `{"ok": false, "error": "token_revoked"}`; None if it does not."""
    said = _Said.of(_words(document), _scopes(document), _descriptions(document))
    return None if said.code is None else _named(said.code, said, known_scopes)


def said_of_grant(description: str) -> Code:
    """Why a grant is invalid (RFC 6749 `invalid_grant`), by the description of the error."""
    return "auth_revoked" if "revoked" in description.lower() else "auth_expired"


@dataclass(frozen=True, slots=True)
class _Said:
    code: Code | None
    scopes: frozenset[str]

    @classmethod
    def of(
        cls, words: Iterable[str], scopes: Iterable[str], descriptions: Iterable[str]
    ) -> "_Said":
        codes = {_WORDS[word] for word in words if word in _WORDS}
        # RFC 6750 has one word for tokens that are "expired, revoked, malformed, or invalid".
        if "auth_invalid" in codes:
            text = " ".join(descriptions).lower()
            codes |= {"auth_revoked"} if "revoked" in text else set()
            codes |= {"auth_expired"} if "expired" in text and "revoked" not in text else set()
        return cls(next((code for code in _TELLING if code in codes), None), frozenset(scopes))


def _said(headers: Mapping[str, str], body: bytes) -> _Said:
    challenge = _BEARER.findall(headers.get("www-authenticate", "")[:4096])
    words = [_word(value) for name, value in challenge if name == "error"]
    scopes = [scope for name, value in challenge if name == "scope" for scope in value.split()]
    descriptions = [value for name, value in challenge if name == "error_description"]
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    return _Said.of(
        [*words, *_words(document)],
        [*scopes, *_scopes(document)],
        [*descriptions, *_descriptions(document)],
    )


def _named(code: Code, said: _Said, known_scopes: Iterable[str]) -> Refusal:
    missing = tuple(scope for scope in known_scopes if scope in said.scopes)
    if code != "scope_missing" or not missing:
        return Refusal(code, _MEANINGS[code])
    return Refusal(code, f"the credential lacks the scope {', '.join(missing)}", missing)


def _words(document: object, depth: int = 0) -> Iterator[str]:
    """The words at the places where errors are named, from the top down."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(document, list):
        for item in document[:_MAX_ITEMS]:
            yield from _words(item, depth + 1)
    if not isinstance(document, dict):
        return
    for key in _KEYS & document.keys():
        value = document[key]
        if isinstance(value, str) and _WORD.fullmatch(value):
            yield _word(value)
    for key in _BELOW:
        value = document.get(key)
        if isinstance(value, dict | list):
            yield from _words(value, depth + 1)


def _scopes(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for key in _SCOPE_KEYS:
            value = document.get(key)
            if isinstance(value, str):
                yield from re.split(r"[\s,]+", value[:1000])


def _descriptions(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for key in _DESCRIPTION:
            value = document.get(key)
            if isinstance(value, str):
                yield value[:1000]


def _word(text: str) -> str:
    return text.lower().replace("-", "_").replace(" ", "_")
