"""What is stored for an endpoint, and what of it can be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from patchbay.checks.codes import Code, describe
from patchbay.checks.oauth_client import OAuthClient
from patchbay.connections.endpoint_model import Endpoint
from patchbay.grants.grant_model import Grant, GrantEnd
from patchbay.grants.refresher import Renewable
from patchbay.platform.clock import to_second


class GrantUnusable(Exception):
    """There is no usable access token: a result, as that of a test.

    `summary` is a sentence of ours, `pointer` the field of the endpoint to change. `has_ended`: the
    account must be connected again.
    """

    def __init__(
        self,
        code: Code,
        summary: str,
        pointer: str,
        retry_after_seconds: int | None = None,
        *,
        has_ended: bool = False,
    ) -> None:
        super().__init__(summary)
        self.code: Code = code
        self.summary = summary
        self.pointer = pointer
        self.retry_after_seconds = retry_after_seconds
        self.has_ended = has_ended


class Need(Enum):
    """Whether an access token is renewed before it is used."""

    NONE = "none"
    SOON = "soon"
    """It is renewed, and used as it is if that fails."""
    NOW = "now"


@dataclass(frozen=True, slots=True)
class UsableSecrets:
    """Secrets that can be sent. `generation` is that of the grant, None without one.

    `renewed_at` is when the provider last issued an access token, `renewed_here` whether it was
    for this use.
    """

    values: Mapping[str, str] = field(repr=False)
    generation: int | None = None
    expires_at: datetime | None = None
    renewed_at: datetime | None = None
    renewed_here: bool = False
    grant: Grant | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredSecrets:
    """What is stored for an endpoint: secrets that were entered, and the tokens of its grant.

    `renewable` is None if nothing renews its access token. `client_problem` is what keeps its OAuth
    application from being used.
    """

    endpoint: Endpoint
    entered: Mapping[str, str] = field(repr=False)
    grant: Grant | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    renewable: Renewable | None = field(default=None, repr=False)
    need: Need = Need.NONE
    client_problem: str = ""
    client: OAuthClient | None = field(default=None, repr=False)
    issued_at: datetime | None = None
    """When an access token was issued for secrets that are not stored yet."""

    @property
    def generation(self) -> int:
        """What a renewal must be newer than."""
        return self.grant.generation if self.grant else 0

    @property
    def usable(self) -> UsableSecrets:
        """As they are."""
        grant = self.grant
        return UsableSecrets(
            merged(self.entered, self.tokens, grant),
            generation=grant.generation if grant else None,
            expires_at=grant.expires_at if grant else None,
            renewed_at=grant.obtained_at if grant else self.issued_at,
            renewed_here=self.issued_at is not None,
            grant=grant,
        )


def merged(
    entered: Mapping[str, str], tokens: Mapping[str, str], grant: Grant | None
) -> dict[str, str]:
    """Entered secrets with the tokens of a grant, which go before them. An access token that was
    entered after the grant was renewed goes before that of the grant."""
    values = {**entered, **tokens}
    if grant and grant.entered_token and "access_token" in entered:
        values["access_token"] = entered["access_token"]
    return values


def unusable(grant: Grant, now: datetime) -> GrantUnusable:
    """Why a grant that has ended, or whose renewal fails, can't be used."""
    of_token = "/grant" if grant.origin.is_application else "/secrets/refresh_token"
    if end := grant.end:
        return GrantUnusable(end.code, end_summary(end), of_token, has_ended=True)
    if failure := grant.failure:
        is_own = describe(failure.code).blame == "customer" and not grant.origin.is_application
        of_client = "/secrets/client_secret" if is_own else "/grant"
        left = max(1, -int(-(failure.retry_at - now).total_seconds() // 1))
        return GrantUnusable(
            failure.code,
            f"The access token could not be renewed. {failure.summary}",
            of_client,
            left,
        )
    return GrantUnusable("auth_expired", "The access token has expired.", of_token)


def end_summary(end: GrantEnd) -> str:
    """Why a grant ended, and what to do."""
    if end.reason == "expired":
        return f"The access ended at {to_second(end.at)}: connect the account again."
    if end.reason == "answer_lost" and end.lost_at:
        return (
            f"A renewal that began at {to_second(end.lost_at)} was interrupted, so a new "
            "refresh token may have been lost. The provider does not accept the one before it: "
            "connect the account again."
        )
    return "The provider does not accept the refresh token any more: connect the account again."
