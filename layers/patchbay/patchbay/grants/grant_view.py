"""A grant, as the API shows it. Pure."""

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from patchbay.checks.codes import Code
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.health_status import EXPIRY_WARNINGS, RequiredAction
from patchbay.grants.grant_model import EndReason, Grant, GrantStatus, RefreshFailure
from patchbay.grants.timing import fixed_end
from patchbay.grants.usable_secrets import end_summary
from patchbay.platform.clock import UtcTime, to_second
from patchbay.platform.model import Model

if TYPE_CHECKING:
    from patchbay.checks.recipe import Recipe

type ConnectedThrough = Literal["application", "secrets"]
type RevocationOutcome = Literal["revoked", "failed", "unsupported", "nothing_to_revoke"]

RECONNECT: Final = "Connect the account again, with an install session of its connection."


class GrantFailure(Model):
    """The last attempt to renew the access token, which failed: `count` attempts in a row did."""

    code: Code
    message: str
    at: UtcTime
    retry_at: UtcTime
    count: int


class GrantEnding(Model):
    """Why and when a grant ended."""

    reason: EndReason
    code: Code
    message: str
    at: UtcTime


class GrantWarning(Model):
    """What will keep a grant from working, or already limits it, and what to do."""

    code: Literal["scope_missing", "access_ends"]
    title: str
    message: str
    remediation: str


class GrantView(Model):
    """What a provider issued for an endpoint; the tokens themselves are never shown.

    `expires_at` is the end of the access token, `ends_at` when nothing can renew it any more, as
    far as the provider said. `scopes_granted` is null if the provider did not say.
    """

    endpoint_id: str
    status: GrantStatus
    required_action: RequiredAction
    connected_through: ConnectedThrough
    connected_at: UtcTime | None
    renewable: bool
    renewed_at: UtcTime | None
    expires_at: UtcTime | None
    ends_at: UtcTime | None
    generation: int
    scopes_asked: list[str]
    scopes_granted: list[str] | None
    scopes_missing: list[str]
    failure: GrantFailure | None
    end: GrantEnding | None
    warnings: list[GrantWarning]


class GrantRemoved(Model):
    """A grant that was removed, and whether the provider took its tokens back."""

    endpoint_id: str
    revocation: RevocationOutcome
    message: str = Field(description="what the provider was asked, and what it said")


def view_of(grant: Grant, endpoint: Endpoint, recipe: "Recipe", now: datetime) -> GrantView:
    """A grant as its owner sees it; scopes are compared with what the release asks for now."""
    missing = missing_scopes(grant, recipe)
    status = status_of(grant, now)
    ended = status is GrantStatus.REAUTHORIZE
    action = RequiredAction.NONE
    if ended or missing:
        action = RequiredAction.REAUTHORIZE if ended else RequiredAction.GRANT_PERMISSION
    end = grant.end
    return GrantView(
        endpoint_id=endpoint.id,
        status=status,
        required_action=action,
        connected_through="application" if grant.origin.is_application else "secrets",
        connected_at=endpoint.granted_at,
        renewable=grant.renewed_by is not None and not ended,
        renewed_at=grant.obtained_at,
        expires_at=grant.expires_at,
        ends_at=grant.ends_at,
        generation=grant.generation,
        scopes_asked=list(grant.scopes_asked),
        scopes_granted=None if grant.scopes_granted is None else list(grant.scopes_granted),
        scopes_missing=missing,
        failure=_failure(grant.failure),
        end=GrantEnding(reason=end.reason, code=end.code, message=end_summary(end), at=end.at)
        if end
        else None,
        warnings=warnings_of(grant, missing, now),
    )


def status_of(grant: Grant, now: datetime) -> GrantStatus:
    if grant.end is not None:
        return GrantStatus.REAUTHORIZE
    if grant.failure is not None:
        return GrantStatus.FAILING
    end = fixed_end(grant)
    if end is None:
        return GrantStatus.ACTIVE
    if end <= now:
        return GrantStatus.REAUTHORIZE
    return GrantStatus.EXPIRING if end - now <= max(EXPIRY_WARNINGS) else GrantStatus.ACTIVE


def missing_scopes(grant: Grant, recipe: "Recipe") -> list[str]:
    """Scopes that the release asks for, and that the grant does not have."""
    if grant.renewed_by == "client":
        return list(grant.scopes_missing)
    wanted = recipe.authorization.scopes if recipe.authorization else grant.scopes_asked
    # Without a list of its own, an answer has what was asked for (RFC 6749 §5.1).
    has = grant.scopes_asked if grant.scopes_granted is None else grant.scopes_granted
    if not wanted or not has:
        return []
    from patchbay.checks.token_answers import missing_scopes as missing

    return list(missing(wanted, has))


def warnings_of(grant: Grant, missing: list[str], now: datetime) -> list[GrantWarning]:
    """What to warn of, for the view of the grant and the reports of tests."""
    warnings = []
    if missing:
        warnings.append(
            GrantWarning(
                code="scope_missing",
                title="The account granted fewer scopes than requested",
                message=f"The account did not grant the scope {', '.join(missing)}.",
                remediation=f"{RECONNECT} All scopes must be granted at the provider.",
            )
        )
    end = fixed_end(grant)
    if end is not None and now < end <= now + max(EXPIRY_WARNINGS):
        warnings.append(
            GrantWarning(
                code="access_ends",
                title="The access to the account ends soon",
                message=f"The access ends at {to_second(end)}, and nothing can renew it.",
                remediation=RECONNECT,
            )
        )
    return warnings


def _failure(failure: RefreshFailure | None) -> GrantFailure | None:
    if failure is None:
        return None
    return GrantFailure(
        code=failure.code,
        message=failure.summary,
        at=failure.at,
        retry_at=failure.retry_at,
        count=failure.count,
    )
