"""Sends a caller's request to the provider of a connection, with its credential, and gives the
answer back.

1. The URL follows from `manifest.baseUrl` and the caller's path; it never leaves the base.
2. The endpoint, its release, and its secrets are those of one moment, and the secrets open only for
   the binding that the base URL is a part of. So an edit in between sends nothing elsewhere.
3. The egress guard dials. A redirect is an answer like others: nothing follows it.
4. After a 401 the access token is renewed once, and the request sent once more. Nothing else is
   repeated, because a request may have been carried out.
5. What the provider answers goes back as it is, marked with `Patchbay-Proxied`. Everything without
   that mark is Patchbay's own answer.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from patchbay.checks.roles import Role
from patchbay.checks.templates import ValueRefused
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http_exchange import exchange
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.egress.url import HttpUrl
from patchbay.grants.credential_uses import CredentialUses
from patchbay.grants.opened_endpoint import EndpointOpener, OpenedEndpoint, unusable_credential
from patchbay.grants.proxied_headers import printable, returned_headers, sent_headers
from patchbay.grants.proxied_paths import location_within, target_of
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict, InvalidInput, ProviderFailed, ProviderTimedOut
from patchbay.platform.http import MAX_RAW_BODY_BYTES, RawReply, RawRequest

PROXY_SECONDS: Final = 25.0
"""For reading, renewing, and both requests. API Gateway ends an HTTP request after 30 s."""
TO_OPEN_SECONDS: Final = 15.0
"""Of these, at most, for a token that has to be renewed first."""
LEAST_SECONDS: Final = 4.0
"""With less left after a 401, nothing more is begun."""

SENDINGS: Final = 2
"""How often a request is sent, at most: once more after a 401, with another token."""

_UNAUTHORIZED: Final = 401

_MARK: Final = {
    "Patchbay-Proxied": "true",
    # An answer of a provider is served from the origin of the API: it must not act for it in a
    # browser, nor stay in a cache that does not look at who asks.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LAST_STATUS: Final = 599
_TIMEOUTS: Final = frozenset({"provider_timeout", "connect_timeout"})
_CODES: Final[Mapping[int, str]] = {
    401: "auth_invalid",
    403: "permission_denied",
    429: "rate_limited",
}
"""Of answers that say something about the connection. Any other 4xx is about the request."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, and from where."""

    target: HttpUrl
    status: int
    headers: Mapping[str, str]
    body: bytes


class ProviderProxy:
    """The use case of sending."""

    def __init__(
        self, uses: CredentialUses, opener: EndpointOpener, guard: EgressGuard, clock: Clock
    ) -> None:
        self._uses = uses
        self._opener = opener
        self._guard = guard
        self._clock = clock

    def forward(
        self, organization_id: str, connection_id: str, request: RawRequest, domain_name: str
    ) -> RawReply:
        """The provider's answer. `domain_name` is the host of the API that was called, which
        nothing is sent to.

        Raises `InvalidInput` for a path or a header that can't be sent, `Conflict` for a release
        without a base URL, `CredentialUnusable`, `SecretsLost`, `ProviderFailed` (502),
        `ProviderTimedOut` (504), and as `CredentialUses.one`.
        """
        started = time.monotonic()
        guard = self._guard.excluding([domain_name])
        role = _role(request)
        with self._uses.one(
            organization_id, connection_id, {"role": role.value}, proxied=True
        ) as use:
            opened = self._opener.opened(
                use.connection, role, lambda: guard, self._clock(), TO_OPEN_SECONDS
            )
            base = _base(opened)
            target = _target(base, request)
            try:
                answer = self._answered(opened, target, request, guard, started)
            except ProviderFailed as failed:
                use.ended(failed.dial_code)
                raise
            use.ended(_code(answer.status), cool_seconds=self._cool_seconds(answer))
        return _reply(opened, answer, base, _prefix(organization_id, connection_id))

    def _answered(
        self,
        opened: OpenedEndpoint,
        target: HttpUrl,
        request: RawRequest,
        guard: EgressGuard,
        started: float,
    ) -> _Answer:
        """The answer; to the second request, if the first got a 401 and there is another token."""
        answer = asyncio.run(_answer(_request(opened, target, request), guard, started))
        left = PROXY_SECONDS - (time.monotonic() - started)
        if answer.status != _UNAUTHORIZED or left < LEAST_SECONDS:
            return answer
        renewed = self._opener.renewed(opened, lambda: guard, self._clock(), left / 2)
        if renewed is None:
            return answer
        return asyncio.run(_answer(_request(renewed, target, request), guard, started))

    def _cool_seconds(self, answer: _Answer) -> int:
        """How long the provider asks to be left alone."""
        if answer.status not in (429, 503):
            return 0
        return retry_after_seconds(answer.headers.get("retry-after", ""), self._clock()) or 0


async def _answer(request: HttpRequest, guard: EgressGuard, started: float) -> _Answer:
    left = PROXY_SECONDS - (time.monotonic() - started)
    deadline = asyncio.get_running_loop().time() + left
    try:
        async with exchange(
            guard.for_test(), request, deadline=deadline, most=MAX_RAW_BODY_BYTES
        ) as response:
            body = await response.transferred(deadline=deadline)
            problem = response.head_problem or body.problem
            if problem:
                raise problem
            if not 200 <= response.status <= _LAST_STATUS:
                raise ProviderFailed("unexpected_response", "The provider's answer has no status.")
            return _Answer(request.target, response.status, response.headers, body.data)
    except DialFailure as failure:
        raise _provider_failed(failure) from None


def _role(request: RawRequest) -> Role:
    given = request.headers.get("patchbay-role", Role.SOURCE.value)
    try:
        return Role(given)
    except ValueError:
        raise InvalidInput.at("/headers/Patchbay-Role", "must be source or destination") from None


def _base(opened: OpenedEndpoint) -> HttpUrl:
    url = opened.recipe.base_url
    if url is None:
        raise Conflict(
            "This release has no manifest.baseUrl, so there is nowhere to send the request.",
            "NO_BASE_URL",
        )
    try:
        return url.target(opened.values)
    except ValueRefused as refused:
        raise unusable_credential(refused.problem) from None


def _target(base: HttpUrl, request: RawRequest) -> HttpUrl:
    """A path that the gateway would decode can be given by a header, exactly as it is meant."""
    exact = request.headers.get("patchbay-path")
    if exact is None:
        return target_of(base, request.rest, request.query)
    return target_of(base, exact, request.query, "/headers/Patchbay-Path")


def _request(opened: OpenedEndpoint, target: HttpUrl, request: RawRequest) -> HttpRequest:
    try:
        credential = opened.recipe.credential(opened.values)
    except ValueRefused as refused:
        raise unusable_credential(refused.problem) from None
    return HttpRequest(
        request.method,
        target,
        sent_headers(request.headers, credential),
        credentialed=bool(credential),
        body=request.body,
    )


def _provider_failed(failure: DialFailure) -> ProviderFailed:
    if failure.code == "response_too_large":
        return ProviderFailed(failure.code, f"The answer has more than {MAX_RAW_BODY_BYTES} bytes.")
    if failure.code in _TIMEOUTS:
        return ProviderTimedOut(failure.code, failure.summary)
    return ProviderFailed(failure.code, failure.summary)


def _code(status: int) -> str | None:
    """Why a use failed, by the status of its answer; None if it did not."""
    return "provider_error" if status >= 500 else _CODES.get(status)


def _prefix(organization_id: str, connection_id: str) -> str:
    connectors = f"/v1/organizations/{organization_id}/knowledge/connectors"
    return f"{connectors}/connections/{connection_id}/proxy/"


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _reply(opened: OpenedEndpoint, answer: _Answer, base: HttpUrl, prefix: str) -> RawReply:
    headers = {name.title(): value for name, value in returned_headers(answer.headers)}
    headers.setdefault("Content-Type", "application/octet-stream")
    location = answer.headers.get("location")
    if location is not None:
        within = location_within(base, answer.target, location)
        if within is not None:
            headers["Location"] = prefix + within
        else:
            # A client that follows it would send its own key there.
            url = opened.recipe.base_url
            hides = url is not None and any(p.source == "secrets" for p in url.placeholders())
            # A secret in the base must not come back with a relative address.
            whole = location if hides else _joined(answer.target.url, location)
            headers["Patchbay-Location"] = printable(whole)
    return RawReply(answer.status, {**headers, **_MARK}, answer.body)
