"""Asks a token endpoint for a token: the one way to do so, for checks and for grants."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from patchbay.checks.captures import Capture, captured
from patchbay.checks.client_assertions import PRIVATE_KEY
from patchbay.checks.expiry_times import ExpiryUnit
from patchbay.checks.failures import CheckFailure
from patchbay.checks.request_context import RequestContext
from patchbay.checks.templates import Placeholder, ValueRefused, Values, pointer_of
from patchbay.checks.token_requests import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    TokenRequest,
)
from patchbay.checks.token_subjects import TokenPlaces, TokenSubjects
from patchbay.egress.failures import DialFailure
from patchbay.egress.headers import value_problem
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.platform.clock import utc_now

if TYPE_CHECKING:
    from patchbay.checks.token_answers import TokenAnswer
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpBody

_SECRET: Final = ("code", "code_verifier", "state")
"""Of the parameters of one request."""


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a token endpoint issued. `scopes` is None if the answer names none, which means those
    that were asked for (RFC 6749 §5.1); the seconds are None if it does not say when a token
    expires. `captured` are variables, by name."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in_seconds: int | None = None
    refresh_expires_in_seconds: int | None = None
    scopes: tuple[str, ...] | None = None
    captured: Mapping[str, str] = field(default_factory=dict)

    def missing(self, asked: Iterable[str]) -> list[str]:
        """The scopes that were asked for and are not granted."""
        # The tables of refusals come with it, and a cold start must not wait for them.
        from patchbay.checks.token_answers import missing_scopes

        return missing_scopes(asked, self.scopes or ())


@dataclass(frozen=True, slots=True)
class ExpirySettings:
    """The unit of `expires_in`, and what counts if an answer has none."""

    unit: ExpiryUnit = "seconds"
    default_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TokenCall:
    """A request for a token, ready to be made."""

    request: HttpRequest
    scopes: tuple[str, ...]
    places: TokenPlaces
    subjects: TokenSubjects
    context: RequestContext = field(default_factory=RequestContext)
    captures: tuple[Capture, ...] = ()
    expiry: ExpirySettings = field(default_factory=ExpirySettings)
    secret_values: tuple[str, ...] = field(default=(), repr=False)

    async def run(
        self, guard: "EgressGuard", *, deadline: float, timings: DialTimings | None = None
    ) -> IssuedTokens:
        """Asks until `deadline`, a time of the event loop. Raises CheckFailure; with `timings`,
        which it fills in, a dial that failed raises DialFailure."""
        # Publishing and compiling need this module too, without an event loop.
        from patchbay.checks.refusals import Answer
        from patchbay.checks.token_answers import refused
        from patchbay.egress.http_exchange import exchange

        try:
            # A redirect is an answer like others: credentials go to the token URL only.
            async with exchange(
                guard, self.request, deadline=deadline, timings=timings
            ) as response:
                is_success = 200 <= response.status < 300
                read = response.body if is_success else response.words
                body = await read(deadline=deadline)
        except DialFailure as failure:
            if timings is None:
                raise CheckFailure.of(failure) from failure
            raise
        answer = self._read(body)
        token = answer.access_token if is_success else None
        if token is None:
            if body.problem and answer.document is None and is_success:
                raise CheckFailure.after_dial(body.problem)
            refusal = Answer(response.status, response.headers, body.text())
            raise refused(refusal, answer, self.subjects, self.context, utc_now())
        if value_problem(token):
            raise CheckFailure(
                "unexpected_response", "The access token has characters that can't be sent."
            )
        return self._issued(answer, token, utc_now())

    def _read(self, body: "HttpBody") -> "TokenAnswer":
        from patchbay.checks.token_answers import read_answer

        try:
            document = body.json()
        except (ValueError, RecursionError):
            document = None
        return read_answer(body.text(), document, self.places)

    def _issued(self, answer: "TokenAnswer", token: str, now: datetime) -> IssuedTokens:
        try:
            variables = dict(captured(self.captures, answer.document))
        except ValueRefused as refusal:
            raise CheckFailure(
                "unexpected_response",
                "The answer with the token has a value that the integration does not allow.",
                field_pointer=refusal.problem.pointer,
            ) from refusal
        expires_in = answer.expires_in(self.expiry.unit, now)
        return IssuedTokens(
            access_token=token,
            refresh_token=answer.refresh_token,
            expires_in_seconds=self.expiry.default_seconds if expires_in is None else expires_in,
            refresh_expires_in_seconds=answer.refresh_expires_in(self.expiry.unit, now),
            scopes=answer.scopes or None,
            captured=variables,
        )


def token_call(
    request: TokenRequest,
    values: Values,
    captures: tuple[Capture, ...] = (),
    expiry: ExpirySettings | None = None,
) -> TokenCall:
    """The call of a request with these values. Raises ValueRefused."""
    filled, made = request.fill(values)
    url = request.url
    return TokenCall(
        filled,
        request.scopes,
        request.settings.places,
        TokenSubjects(
            client_id=CLIENT_ID.pointer,
            client_secret=client_secret(request).pointer,
            grant=grant_secret(request).pointer,
            audience=pointer_of(request.audience),
            is_refresh=request.grant == "refresh_token",
        ),
        RequestContext(
            request.scopes, path=url.path_pointer, query=url.query_pointer, host=url.host_pointer
        ),
        captures,
        expiry or ExpirySettings(),
        (*made, *(request.given[name] for name in _SECRET if name in request.given)),
    )


def client_secret(request: TokenRequest) -> Placeholder:
    """The secret by which the client shows who it is."""
    secrets = request.secrets()
    for known in (CLIENT_SECRET, PRIVATE_KEY):
        if known in secrets:
            return known
    return CLIENT_ID if CLIENT_ID in secrets or not secrets else secrets[-1]


def grant_secret(request: TokenRequest) -> Placeholder:
    """The secret that the grant is about: a refresh token, a password, or the client's own."""
    secrets = request.secrets()
    if REFRESH_TOKEN in secrets and request.grant == "refresh_token":
        return REFRESH_TOKEN
    if request.grant == "client_credentials" or not secrets:
        return client_secret(request)
    return secrets[-1] if secrets[-1] not in (CLIENT_ID, PRIVATE_KEY) else client_secret(request)
