"""The identity provider of the deployment, as OpenID Connect Discovery says it.

The operator names the issuer; the rest comes from its document. All of it is dialed through the
egress guard: an issuer in a private network needs a rule of `EgressAllow`, and a private authority
`EgressAuthorities`.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from patchbay.egress.failures import DialFailure
from patchbay.egress.http_exchange import exchange
from patchbay.egress.request import HttpRequest
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.errors import InvalidJson, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import loads
from patchbay.tenancy.authentication_jwks import KeySet, KeySetUnavailable

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

FRESH_FOR: Final = timedelta(minutes=10)
ASKED_AGAIN_AFTER: Final = timedelta(seconds=5)
"""After a document that could not be had: a flood of sign-ins asks no more often."""
CALL_SECONDS: Final = 6.0
"""For each of the document, the keys, and the exchange. The function has 29 s."""

_DOCUMENT: Final = "/.well-known/openid-configuration"


class Endpoints(NamedTuple):
    """What a sign-in needs of the document."""

    authorization: HttpUrl
    token: HttpUrl
    keys: KeySet
    says_iss: bool
    """Whether each answer to the browser names the issuer (RFC 9207)."""


class ExchangeRefused(Exception):
    """The provider did not exchange the code. The text is the reason, for the log."""


class IdentityProvider:
    """One issuer. `keys_url` goes before the address of its keys in the document."""

    def __init__(self, issuer: str, keys_url: str, guard: "EgressGuard") -> None:
        self.issuer = issuer
        self._keys_url = keys_url
        self._guard = guard
        self._known: Endpoints | None = None
        self._asked_at: datetime | None = None

    def endpoints(self, now: datetime) -> Endpoints:
        """Raises `TemporarilyUnavailable` if the document can't be had, or is not the issuer's."""
        age = now - self._asked_at if self._asked_at else timedelta.max
        if self._known is None or age >= FRESH_FOR:
            if self._known is None and age < ASKED_AGAIN_AFTER:
                raise TemporarilyUnavailable
            self._asked_at = now
            try:
                self._known = self._read(self._get(self.issuer.rstrip("/") + _DOCUMENT))
            except (DialFailure, ValueError, InvalidJson) as error:
                reason = error.code if isinstance(error, DialFailure) else str(error)
                logger.error("the identity provider can't be used", reason=reason)
                self._known = None
                raise TemporarilyUnavailable from None
        return self._known

    def exchange(self, token_endpoint: HttpUrl, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """What the provider gives for a code. A public client: PKCE shows who asks.

        Raises `ExchangeRefused`, and `TemporarilyUnavailable` if there is no answer.
        """
        request = HttpRequest(
            "POST",
            token_endpoint,
            (
                ("Accept", "application/json"),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ),
            credentialed=True,
            body=urlencode(fields).encode(),
        )
        try:
            status, body = asyncio.run(self._called(request))
            answer = loads(body) if status == 200 else None
        except DialFailure as failure:
            logger.error("the identity provider gave no answer", reason=failure.code)
            raise TemporarilyUnavailable from None
        except InvalidJson:
            raise ExchangeRefused("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise ExchangeRefused(f"status {status}")
        return answer

    def _read(self, document: bytes) -> Endpoints:
        """Raises ValueError and `InvalidJson`."""
        read = loads(document)
        # Section 4.3: exactly the issuer that was asked for.
        if not isinstance(read, dict) or read.get("issuer") != self.issuer:
            raise ValueError("its document is of another issuer")
        keys_url = self._keys_url or _https(read.get("jwks_uri")).url
        return Endpoints(
            authorization=_https(read.get("authorization_endpoint")),
            token=_https(read.get("token_endpoint")),
            keys=KeySet(keys_url, self._fetched_keys),
            says_iss=read.get("authorization_response_iss_parameter_supported") is True,
        )

    def _fetched_keys(self, url: str) -> bytes:
        try:
            return self._get(url)
        except (DialFailure, ValueError) as error:
            reason = error.code if isinstance(error, DialFailure) else str(error)
            raise KeySetUnavailable(reason) from None

    def _get(self, url: str) -> bytes:
        """Raises DialFailure, and ValueError for a status that is not 200."""
        request = HttpRequest("GET", _https(url), (("Accept", "application/json"),))
        status, body = asyncio.run(self._called(request))
        if status != 200:
            raise ValueError(f"status {status}")
        return body

    async def _called(self, request: HttpRequest) -> tuple[int, bytes]:
        """Raises DialFailure. A redirect is an answer like others: nothing goes elsewhere."""
        deadline = asyncio.get_running_loop().time() + CALL_SECONDS
        async with exchange(self._guard, request, deadline=deadline) as response:
            body = await response.body(deadline=deadline)
            if body.problem:
                raise body.problem
            return response.status, body.data


def _https(url: object) -> HttpUrl:
    """Raises ValueError, and EgressBlocked for what is no strict URL."""
    target = parse_url(url) if isinstance(url, str) else None
    if target is None or target.scheme != "https":
        raise ValueError("an endpoint is not an https URL")
    return target
