"""Reads and judges what a token endpoint answers. Pure.

RFC 6749 §5 has one form of an answer; providers have several. They answer JSON or a form, put the
token at the top or into `data`, and refuse with an `error` in a 200. So an answer is read by what
is in it: a token at one of the known places is success, whatever else is there. Otherwise it is an
error, and the table of `token_errors` says whose.

The words of a server decide the code and are never repeated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl

from patchbay.checks.codes import Code
from patchbay.checks.expiry_times import ExpiryUnit, seconds_left
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import MISSING, resolve
from patchbay.checks.refusals import Answer, refusal, refusal_within
from patchbay.checks.request_context import RequestContext
from patchbay.checks.token_errors import (
    GRANT_SENTENCES,
    TOKEN_SENTENCES,
    TOKEN_VOCABULARIES,
    About,
)
from patchbay.checks.token_subjects import TokenPlaces, TokenSubjects

_MAX_TEXT: Final = 8192
_MAX_FIELDS: Final = 50
_MAX_WORDS: Final = 20
_MAX_SENTENCE: Final = 500
_SQUEEZED: Final = re.compile(r"[^a-z0-9]+")
_AADSTS: Final = re.compile(r"\bAADSTS\d{4,9}\b")
_INVALID: Final = re.compile(r"\binvalid\b")  # and not `invalid_grant`
_SEPARATORS: Final = re.compile(r"[\s,]+")
_FORM: Final = re.compile(r"[\w.~%+*-]+=[^&\s]*(?:&[\w.~%+*-]+=[^&\s]*)*", re.ASCII)
_WORD_KEYS: Final = ("error", "error_code", "errorCode", "code", "type", "status", "err")
_SENTENCE_KEYS: Final = (
    *("error_description", "errorDescription", "message", "error_message", "errorMessage"),
    *("reason", "detail", "description", "msg", "errorSummary", "error"),
)
_UNSAID: Final = frozenset({"openid", "offline_access", "offline", "profile", "email"})
"""Scopes that providers grant without naming them, or name by another name
(https://developers.google.com/identity/protocols/oauth2/scopes,
https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc)."""

_MEANINGS: Final[Mapping[tuple[Code, About], str]] = {
    ("auth_invalid", "client"): "does not accept the client or its secret",
    ("auth_invalid", "client_id"): "does not know the client",
    ("auth_invalid", "client_secret"): "does not accept the secret of the client",
    ("auth_invalid", "grant"): "does not accept what the token is asked for with",
    ("auth_expired", "client_secret"): "says that the secret of the client has expired",
    ("auth_expired", "grant"): "says that the grant is no longer valid",
    ("auth_revoked", "grant"): "says that the grant was revoked",
    ("account_locked", "client_id"): "has disabled the client",
    ("account_locked", "grant"): "has locked the account",
    ("permission_denied", "client"): "does not let this client have a token in this way",
    ("permission_denied", "grant"): "wants the account's consent first",
    ("request_rejected", "request"): "does not accept the request for a token",
    ("request_rejected", "scopes"): "does not grant the scopes that the integration asks for",
    ("provider_error", "request"): "has a fault",
    ("rate_limited", "request"): "limits how often tokens are issued",
    ("not_found", "request"): "has no tenant of this name",
}


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The body of an answer. `document` is its JSON, or the fields of its form; None if it is
    neither."""

    document: object = field(repr=False)
    places: TokenPlaces = field(default_factory=TokenPlaces)

    @property
    def access_token(self) -> str | None:
        for place in self.places.access_token:
            token = _text(resolve(self.document, place))
            if token:
                return token
        return None

    @property
    def refresh_token(self) -> str | None:
        return _text(resolve(self.document, self.places.refresh_token))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that it grants: of a string or a list. Empty if it names none, which says
        nothing (RFC 6749 §5.1: as requested)."""
        for place in self.places.scope:
            granted = resolve(self.document, place)
            if isinstance(granted, list):
                return tuple(scope for scope in granted if isinstance(scope, str) and scope)
            if isinstance(granted, str):
                return tuple(filter(None, _SEPARATORS.split(granted)))
        return ()

    def missing(self, asked: Sequence[str]) -> list[str]:
        """The scopes that were asked for and are not granted, as far as the answer says."""
        return missing_scopes(asked, self.scopes)

    def expires_in(self, unit: ExpiryUnit, now: datetime) -> int | None:
        """The seconds that the access token still has; None if the answer does not say."""
        return self._seconds(self.places.expires_in, unit, now)

    def refresh_expires_in(self, unit: ExpiryUnit, now: datetime) -> int | None:
        """The same for the refresh token."""
        return self._seconds(self.places.refresh_expires_in, unit, now)

    def _seconds(self, places: Sequence[str], unit: ExpiryUnit, now: datetime) -> int | None:
        for place in places:
            found = resolve(self.document, place)
            if found is not MISSING and found is not None:
                return seconds_left(found, unit, now)
        return None


def missing_scopes(asked: Iterable[str], granted: Iterable[str]) -> list[str]:
    """The scopes that were asked for and are not among those granted; none if no scope is granted:
    an answer without scopes grants what was asked for (RFC 6749 §5.1)."""
    known = [scope.casefold() for scope in granted]
    if not known:
        return []
    return [scope for scope in asked if not _is_granted(scope.casefold(), known)]


def read_answer(text: str, document: object, places: TokenPlaces) -> TokenAnswer:
    """The answer whose body has this text; `document` is its JSON, None if it has none.

    A form counts whatever the Content-Type says: GitHub once declared JSON as a form
    (https://github.com/oauthlib/oauthlib/issues/267).
    """
    if document is None and _FORM.fullmatch(text.strip()):
        document = dict(islice(parse_qsl(text.strip()), _MAX_FIELDS))
    return TokenAnswer(document, places)


def refused(
    answer: Answer,
    read: TokenAnswer,
    subjects: TokenSubjects,
    context: RequestContext,
    now: datetime,
) -> CheckFailure:
    """The failure of an answer without a token."""
    is_success = 200 <= answer.status < 300
    words, sentence = _words(read.document), _sentence(read.document)
    is_error = _is_error(read.document)
    judged = (
        refusal_within(answer, context, now, is_error=is_error)
        if is_success
        else refusal(answer, context, now)
    )
    meaning = _meaning(words, sentence, subjects)
    if meaning and not (judged and _is_of_account(judged.code, meaning[0])):
        code, about = meaning
        pointer = subjects.pointer(about)
        if words & {"invalidtarget", "invalidresource"}:
            pointer = subjects.audience
        if code == "not_found":
            # The tenant is a part of the address.
            pointer = context.path or context.host
            code = code if pointer else "request_rejected"
        summary = f"The provider {_MEANINGS[code, about]}."
        if (code, about) == ("auth_expired", "grant") and subjects.is_refresh:
            summary = "The provider says that the refresh token is no longer valid."
        elif (code, about) == ("auth_revoked", "grant") and subjects.is_refresh:
            summary = "The provider says that the refresh token was revoked."
        return CheckFailure(
            code,
            summary,
            field_pointer=pointer,
            is_grant_gone=subjects.is_refresh
            and about == "grant"
            and code in {"auth_expired", "auth_revoked"},
        )
    if judged:
        is_of_client = judged.code in {"auth_invalid", "auth_expired", "auth_revoked"}
        is_of_grant = subjects.is_refresh and judged.code != "auth_invalid"
        pointer = subjects.grant if is_of_grant else subjects.client_secret
        return CheckFailure(
            judged.code,
            judged.summary,
            retry_after_seconds=judged.retry_after_seconds,
            field_pointer=pointer if is_of_client else judged.field_pointer,
            is_grant_gone=is_of_grant and is_of_client,
        )
    if is_success and is_error:
        # What it means is unknown, and yet it is a refusal: waiting does not help.
        return CheckFailure(
            "auth_invalid",
            "The provider answered with an error in place of a token.",
            field_pointer=subjects.grant if subjects.is_refresh else subjects.client_secret,
        )
    return CheckFailure("unexpected_response", "The provider's answer has no access token.")


def _is_of_account(judged: Code, meant: Code) -> bool:
    """Whether the answer as a whole says something that its OAuth error hides: Zoho answers
    `access_denied` to too many calls, others `invalid_grant` to a locked account."""
    return judged in {"blocked_by_intermediary", "rate_limited"} or (
        judged in {"account_locked", "payment_required", "address_not_allowed"} and meant != judged
    )


def _meaning(
    words: frozenset[str], sentence: str, subjects: TokenSubjects
) -> tuple[Code, About] | None:
    """What an error means, from its most exact part: a number of Microsoft's, then the
    description, then the word."""
    numbers = {_squeezed(number) for number in _AADSTS.findall(sentence)}
    for number in sorted(numbers):
        if number in _rows():
            return _rows()[number]
    text = sentence.lower()
    if subjects.is_refresh:
        for code, pattern in _grant_sentences():
            # "Invalid, expired, revoked, or issued to another client" leaves open which.
            if pattern.search(text) and not (code == "auth_revoked" and _leaves_open(text)):
                return code, "grant"
    for code, about, pattern in _sentences():
        if pattern.search(text):
            return code, about
    if "invalidgrant" in words:
        if subjects.is_refresh:
            is_revoked = "revoked" in text and not _leaves_open(text)
            return "auth_revoked" if is_revoked else "auth_expired", "grant"
        return "auth_invalid", "client" if subjects.grant == subjects.client_secret else "grant"
    if "accessdenied" in words and text.startswith("unauthorized"):
        # Auth0 says so of a wrong secret (https://community.auth0.com/t/access-denied/10246).
        return "auth_invalid", "client_secret"
    known = [_rows()[word] for word in sorted(words) if word in _rows()]
    # A word about a part says more than `invalid_client` or `invalid_request` beside it.
    known.sort(key=lambda row: row[1] in {"client", "request"})
    return known[0] if known else None


def _leaves_open(text: str) -> bool:
    """Whether a description has all reasons at once, as the one of Doorkeeper does."""
    return "expired" in text and _INVALID.search(text) is not None


def _words(document: object) -> frozenset[str]:
    """The words of an error at the usual places, squeezed."""
    found = _strings(document, _WORD_KEYS)
    # Dropbox has the description behind the word: `invalid_client: Invalid client_id or …`.
    words = (word.partition(": ")[0] for word in found if len(word) <= 100)
    return frozenset(_squeezed(word) for word in islice(words, _MAX_WORDS))


def _sentence(document: object) -> str:
    texts = (text[:_MAX_SENTENCE] for text in _strings(document, _SENTENCE_KEYS))
    return " ".join(islice(texts, _MAX_WORDS))


def _strings(document: object, keys: Sequence[str]) -> Iterator[str]:
    for place in _places(document):
        yield from (text for key in keys if isinstance(text := place.get(key), str))


def _places(document: object) -> Iterator[Mapping[str, object]]:
    """The objects in which errors are: the top, and those below `error`, `errors`, and `data`."""
    if not isinstance(document, dict):
        return
    yield document
    for key in ("error", "errors", "data", "result", "response"):
        inner = document.get(key)
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if isinstance(inner, dict):
            yield inner
        elif isinstance(inner, str) and key == "errors":
            yield {"error": inner}


def _is_error(document: object) -> bool:
    """Whether an answer without a token says that it is an error."""
    for place in _places(document):
        if place.get("error") or place.get("errors") or place.get("errcode"):
            return True
        if place.get("ok") is False or place.get("success") is False:
            return True
    return False


def _is_granted(scope: str, granted: Sequence[str]) -> bool:
    """Whether a scope is among those granted, both in lower case.

    Microsoft and Google name some by a URL that ends in the short name, and `.default` stands for
    others.
    """
    return (
        scope in granted
        or scope in _UNSAID
        or scope.endswith("/.default")
        or any(
            f"/{scope}" == one[-len(scope) - 1 :] or scope.endswith(f"/{one}") for one in granted
        )
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None


def _squeezed(word: str) -> str:
    return _SQUEEZED.sub("", word.lower())


@cache
def _rows() -> Mapping[str, tuple[Code, About]]:
    return {
        _squeezed(word): meaning
        for vocabulary in TOKEN_VOCABULARIES
        for meaning, words in vocabulary.words.items()
        for word in words.split()
    }


# Compiled when a provider first refuses: most tests pass.
@cache
def _sentences() -> tuple[tuple[Code, About, re.Pattern[str]], ...]:
    return tuple((code, about, re.compile(text)) for code, about, text in TOKEN_SENTENCES)


@cache
def _grant_sentences() -> tuple[tuple[Code, re.Pattern[str]], ...]:
    return tuple((code, re.compile(text)) for code, text in GRANT_SENTENCES)
