"""What the authorizer attaches to a request, and what the functions read from it.

It is a dictionary of strings, as API Gateway passes it on:

    a principal       organization_id, subject, permissions; of one space: space_id, space;
                      of a browser: browser_session, browser_session_ends_at
    an end user       session_organization_id, session_id, session_subject
    no principal      nothing
    an outage         outcome: unavailable
    another site      outcome: cross_site
    over its rate     `retry_after` and `limit` in addition
"""

from collections.abc import Mapping
from typing import Any, Final

from patchbay.platform.clock import from_text, to_text
from patchbay.platform.errors import (
    CrossSiteRequest,
    InstallTokenRequired,
    RateLimited,
    TemporarilyUnavailable,
    Unauthenticated,
)
from patchbay.tenancy.access import (
    Anyone,
    OwnSession,
    OwnSpace,
    Permission,
    Principal,
    SessionCaller,
    authorize,
)

_UNAVAILABLE: Final = "unavailable"
_CROSS_SITE: Final = "cross_site"


def principal_context(principal: Principal) -> dict[str, str]:
    context = {
        "organization_id": principal.organization_id,
        "subject": principal.subject,
        "permissions": " ".join(sorted(principal.permissions)),
    }
    if principal.space:
        context |= {"space_id": principal.space.id, "space": principal.space.slug}
    if session := principal.browser_session:
        context["browser_session"] = session.id
        context["browser_session_ends_at"] = to_text(session.ends_at)
    return context


def session_context(caller: SessionCaller) -> dict[str, str]:
    """The context of an end user. It has no organization_id, so every other route sees nobody."""
    return {f"session_{name.removeprefix('session_')}": v for name, v in caller._asdict().items()}


def rate_limited_context(
    context: Mapping[str, str], wait_seconds: int, per_minute: int
) -> dict[str, str]:
    """The context of a caller whose organization has made more requests than it may."""
    return {**context, "retry_after": str(wait_seconds), "limit": str(per_minute)}


def anonymous_context() -> dict[str, str]:
    return {}


def cross_site_context() -> dict[str, str]:
    """For a session that comes with a request of another site's: it is not looked up."""
    return {"outcome": _CROSS_SITE}


def outage_context() -> dict[str, str]:
    """For a store of keys that does not respond: the caller may be anyone."""
    return {"outcome": _UNAVAILABLE}


def principal_of(context: Mapping[str, Any]) -> Principal | None:
    """The principal that the authorizer attached, if any. Unknown permissions are left out.

    Raises `TemporarilyUnavailable` for an outage, and `CrossSiteRequest`.
    """
    if context.get("outcome") == _UNAVAILABLE:
        raise TemporarilyUnavailable
    if context.get("outcome") == _CROSS_SITE:
        raise CrossSiteRequest
    organization_id = context.get("organization_id")
    subject = context.get("subject")
    if not organization_id or not subject:
        return None
    known = {permission.value for permission in Permission}
    names = str(context.get("permissions", "")).split()
    space_id = context.get("space_id")
    session_id = context.get("browser_session")
    return Principal(
        organization_id=organization_id,
        subject=subject,
        permissions=frozenset(Permission(name) for name in names if name in known),
        space=OwnSpace(space_id, context["space"]) if space_id else None,
        browser_session=OwnSession(session_id, from_text(context["browser_session_ends_at"]))
        if session_id
        else None,
    )


def session_of(context: Mapping[str, Any]) -> SessionCaller | None:
    """The end user that the authorizer attached, if any."""
    values = (context.get(f"session_{name}") for name in ("organization_id", "id", "subject"))
    organization_id, session_id, subject = values
    if not organization_id or not session_id or not subject:
        return None
    return SessionCaller(organization_id, session_id, subject)


def admit(
    context: Mapping[str, Any],
    permission: str,
    organization_id: str | None,
    *,
    in_space: bool = False,
) -> Principal:
    """The principal, if it may do this in the organization of the path. Every route calls this, or
    `admit_session`.

    A route without an organization in its path is admitted by its permission alone, and calls
    `authorize` again with the owner of what it found; so does one that is `in_space`, with the
    space of what it found. Raises `RateLimited`, and as `authorize`.
    """
    _require_turn(context)
    principal = principal_of(context)
    if principal is None:
        raise Unauthenticated
    owner = organization_id or principal.organization_id
    own_space = principal.space.id if in_space and principal.space else None
    authorize(principal, Permission(permission), owner, "organization", own_space)
    return principal


def admit_session(context: Mapping[str, Any]) -> SessionCaller:
    """The end user, on a route that is for install sessions alone.

    Raises `RateLimited`, `Unauthenticated`, and `InstallTokenRequired` for an API key.
    """
    _require_turn(context)
    session = session_of(context)
    if session is None:
        raise InstallTokenRequired if principal_of(context) else Unauthenticated.by_install_token()
    return session


def admit_any_principal(context: Mapping[str, Any]) -> Principal:
    """The principal, whatever it may do. Raises `RateLimited` and `Unauthenticated`."""
    _require_turn(context)
    principal = principal_of(context)
    if principal is None:
        raise Unauthenticated
    return principal


def admit_anyone(context: Mapping[str, Any]) -> Anyone:
    """Raises `RateLimited` for a principal that has made more requests than it may; the route
    itself decides about a caller that is none."""
    if context.get("outcome") == _CROSS_SITE:
        return Anyone(int(context.get("retry_after", 0)), int(context.get("limit", 0)))
    if principal_of(context) or session_of(context):
        _require_turn(context)
        return Anyone()
    return Anyone(int(context.get("retry_after", 0)), int(context.get("limit", 0)))


def _require_turn(context: Mapping[str, Any]) -> None:
    """Raises `RateLimited`, `CrossSiteRequest`, and `TemporarilyUnavailable` for an outage."""
    principal = principal_of(context)
    if wait := context.get("retry_after"):
        known = "requests" if principal else "unauthenticated_requests"
        if session_of(context):
            known = "install_requests"
        raise RateLimited.by_requests(known, int(context["limit"]), int(wait))
