"""How a run of the code flow ended, in plain words for the person at the browser.

The words are ours. What a provider says about an error has passed through the browser, so anyone
may have written it: it is never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from patchbay.platform.cookies import HostCookie


class FlowOutcome(StrEnum):
    """`connected` is the one success. `elsewhere` and `malformed` say nothing about a flow: they
    are the answer to a request that belongs to none."""

    CONNECTED = "connected"
    DENIED = "denied"
    SIGN_IN_REQUIRED = "sign-in-required"
    SCOPE_REFUSED = "scope-refused"
    APPLICATION_REFUSED = "application-refused"
    APPLICATION_UNUSABLE = "application-unusable"
    PROVIDER_FAILED = "provider-failed"
    EXCHANGE_FAILED = "exchange-failed"
    WRONG_ISSUER = "wrong-issuer"
    ANSWER_REFUSED = "answer-refused"
    INTERRUPTED = "interrupted"
    UNAVAILABLE = "unavailable"
    EXPIRED = "expired"
    ENDED = "ended"
    ELSEWHERE = "elsewhere"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class FinishedFlow:
    """How a callback ended; `cookie` deletes that of the flow."""

    outcome: FlowOutcome
    flow_id: str | None = None
    cookie: HostCookie | None = None


class Words(NamedTuple):
    """What happened, and what to do about it."""

    title: str
    text: str


_AGAIN: Final = "Go back to the page where you began, and start again."
_TELL: Final = "Tell the people who sent you here"

WORDS: Final[Mapping[FlowOutcome, Words]] = {
    FlowOutcome.CONNECTED: Words(
        "Access was granted.",
        "Go back to the page where you began: it goes on from there. You can close this window.",
    ),
    FlowOutcome.DENIED: Words(
        "You did not allow access.",
        f"Nothing was connected. If you want to connect your account after all: {_AGAIN}",
    ),
    FlowOutcome.SIGN_IN_REQUIRED: Words(
        "The provider needs you to sign in, or to agree, first.",
        f"Sign in to your account at the provider. {_AGAIN}",
    ),
    FlowOutcome.SCOPE_REFUSED: Words(
        "The provider does not grant what was asked for.",
        f"{_TELL} that the scopes of this integration were refused.",
    ),
    FlowOutcome.APPLICATION_REFUSED: Words(
        "The provider does not accept this application.",
        f"{_TELL} that the provider refused the OAuth application: its client id, its redirect "
        "URI, or its approval is wrong.",
    ),
    FlowOutcome.APPLICATION_UNUSABLE: Words(
        "This integration can't be connected now.",
        f"{_TELL} that its OAuth application can't be used.",
    ),
    FlowOutcome.PROVIDER_FAILED: Words(
        "The provider could not finish.",
        f"Nothing was connected. Wait for a moment. {_AGAIN}",
    ),
    FlowOutcome.EXCHANGE_FAILED: Words(
        "You allowed access, but the provider did not hand it over.",
        f"Nothing was connected. {_AGAIN} The page says what the provider answered.",
    ),
    FlowOutcome.WRONG_ISSUER: Words(
        "The answer came from another provider.",
        f"For your safety it was not used. {_AGAIN} If it happens again, {_TELL.lower()}.",
    ),
    FlowOutcome.ANSWER_REFUSED: Words(
        "The answer of the provider can't be used.",
        f"For your safety it was not used. {_AGAIN} If it happens again, {_TELL.lower()}.",
    ),
    FlowOutcome.INTERRUPTED: Words(
        "This was begun already, and is not finished.",
        f"Wait for a moment. If the page where you began does not go on: {_AGAIN}",
    ),
    FlowOutcome.UNAVAILABLE: Words(
        "This could not be finished now.",
        f"Nothing was connected. Wait for a moment. {_AGAIN}",
    ),
    FlowOutcome.EXPIRED: Words("This took too long.", f"Nothing was connected. {_AGAIN}"),
    FlowOutcome.ENDED: Words(
        "The link that you came by is no longer valid.",
        "It was used, was withdrawn, or has expired. Ask the people who sent you here for another "
        "one.",
    ),
    FlowOutcome.ELSEWHERE: Words(
        "This was not begun in this browser, or it took too long.",
        f"Nothing was connected. {_AGAIN} Use one browser for all of it, and let it keep cookies.",
    ),
    FlowOutcome.MALFORMED: Words(
        "This is not an answer of a provider.", f"Nothing was connected. {_AGAIN}"
    ),
}

_OF_ERRORS: Final[Mapping[str, FlowOutcome]] = {
    "access_denied": FlowOutcome.DENIED,
    "user_denied": FlowOutcome.DENIED,
    "user_cancelled_login": FlowOutcome.DENIED,
    "user_cancelled_authorize": FlowOutcome.DENIED,
    "invalid_scope": FlowOutcome.SCOPE_REFUSED,
    "unauthorized_client": FlowOutcome.APPLICATION_REFUSED,
    "invalid_client": FlowOutcome.APPLICATION_REFUSED,
    "invalid_request": FlowOutcome.APPLICATION_REFUSED,
    "unsupported_response_type": FlowOutcome.APPLICATION_REFUSED,
    "redirect_uri_mismatch": FlowOutcome.APPLICATION_REFUSED,
    "login_required": FlowOutcome.SIGN_IN_REQUIRED,
    "consent_required": FlowOutcome.SIGN_IN_REQUIRED,
    "interaction_required": FlowOutcome.SIGN_IN_REQUIRED,
    "account_selection_required": FlowOutcome.SIGN_IN_REQUIRED,
}
"""RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6; those with `user_` are LinkedIn's and
Facebook's (https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow,
https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow)."""


def outcome_of_error(error: str) -> FlowOutcome:
    """What the `error` of a callback means; of one that is not known, the provider failed."""
    return _OF_ERRORS.get(error, FlowOutcome.PROVIDER_FAILED)
