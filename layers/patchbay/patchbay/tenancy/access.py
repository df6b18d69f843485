"""Who calls, and what they may do. There is no switch that turns this off."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from patchbay.platform.errors import (
    NotFound,
    PermissionDenied,
    RateLimited,
    TemporarilyUnavailable,
    Unauthenticated,
)


class Permission(StrEnum):
    """What a key may do. None implies another, but ADMIN, which implies all."""

    READ = "platform.integration.read"
    MANAGE = "platform.integration.manage"
    WRITE_EVENTS = "platform.events.write"
    ADMIN = "platform.admin"
    """The operator of the deployment: crosses organizations."""


class Principal(NamedTuple):
    """Who calls: `subject` is the id of the API key."""

    organization_id: str
    subject: str
    permissions: frozenset[Permission]

    @property
    def is_operator(self) -> bool:
        return Permission.ADMIN in self.permissions

    def holds(self, permission: Permission) -> bool:
        return permission in self.permissions or self.is_operator

    def require_all(self, permissions: Iterable[Permission]) -> None:
        """Nobody gives or takes a permission that they lack. Raises `PermissionDenied`."""
        for permission in permissions:
            if not self.holds(permission):
                raise PermissionDenied(permission)


def authorize(
    principal: Principal | None, permission: Permission, organization_id: str, thing: str
) -> None:
    """Whether a principal may do this to a thing that belongs to an organization.

    Raises `Unauthenticated` (401), `PermissionDenied` (403) for a permission that the principal
    lacks everywhere, and for another tenant's thing the same `NotFound` (404) as for one that does
    not exist: its existence is not told.
    """
    if principal is None:
        raise Unauthenticated
    if not principal.holds(permission):
        raise PermissionDenied(permission)
    if organization_id != principal.organization_id and not principal.is_operator:
        raise NotFound(thing)


_UNAVAILABLE: Final = "unavailable"


def context_of(principal: Principal) -> dict[str, str]:
    """How the authorizer tells the functions: texts, as API Gateway passes them on."""
    return {
        "organization_id": principal.organization_id,
        "subject": principal.subject,
        "permissions": " ".join(sorted(principal.permissions)),
    }


def context_of_nobody() -> dict[str, str]:
    return {}


def context_of_outage() -> dict[str, str]:
    """The store of the keys did not answer: nobody can be told from anybody."""
    return {"outcome": _UNAVAILABLE}


def context_of_haste(context: Mapping[str, str], wait_seconds: int) -> dict[str, str]:
    """The caller is known, and has made more requests than it may."""
    return {**context, "retry_after": str(wait_seconds)}


def principal_of(context: Mapping[str, Any]) -> Principal | None:
    """Who the authorizer said calls; None for nobody. What it did not say is never assumed."""
    if context.get("outcome") == _UNAVAILABLE:
        raise TemporarilyUnavailable
    organization_id = context.get("organization_id")
    subject = context.get("subject")
    if not organization_id or not subject:
        return None
    known = {permission.value for permission in Permission}
    names = str(context.get("permissions", "")).split()
    return Principal(
        organization_id=organization_id,
        subject=subject,
        permissions=frozenset(Permission(name) for name in names if name in known),
    )


def admit(context: Mapping[str, Any], permission: str, organization_id: str | None) -> Principal:
    """The door of every route: the principal, if it may do this in the organization of the path.

    Raises `RateLimited` for one that the authorizer found too hasty, and as `authorize`.

    A route without an organization in its path is let in by its permission, and calls `authorize`
    once more with the owner of what it found.
    """
    principal = principal_of(context)
    if principal is None:
        raise Unauthenticated
    if wait := context.get("retry_after"):
        raise RateLimited(f"Too many requests: try again in {wait} s.", int(wait))
    owner = organization_id or principal.organization_id
    authorize(principal, Permission(permission), owner, "organization")
    return principal
