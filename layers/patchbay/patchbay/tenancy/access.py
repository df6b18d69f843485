"""Who calls, and what they may do. Nothing turns this off."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from patchbay.platform.actor import DEPLOYMENT, OPERATOR
from patchbay.platform.errors import (
    NotFound,
    OutsideOwnSpace,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)


class Permission(StrEnum):
    """What a caller may do. ADMIN implies all permissions but USE, and MANAGE implies TEST."""

    READ = "platform.integration.read"
    TEST = "platform.integration.test"
    """For support: to test what is connected, and what is not stored."""
    MANAGE = "platform.integration.manage"
    USE = "platform.credential.use"
    """To have credentials, or use them through the proxy. No other permission implies it."""
    WRITE_EVENTS = "platform.events.write"
    ADMIN = "platform.admin"
    """The operator of the deployment: crosses organizations."""


INSTALL_SESSION: Final = "install-session"
"""What a route declares instead of a permission, if its callers are install sessions alone."""


ANY_PRINCIPAL: Final = "any-principal"
"""What a route declares that is about the caller itself, whatever it may do."""

ANYONE: Final = "anyone"
"""What a route declares that is open to everybody, and takes a turn of the unauthenticated."""


class SessionCaller(NamedTuple):
    """An end user, by the token of an install session. It has no permission of the API."""

    organization_id: str
    session_id: str
    subject: str
    """For the audit trail: the session, and the id of the end user if the session has one."""


class OwnSpace(NamedTuple):
    """The space that a principal is confined to. A slug may be another space's later."""

    id: str
    slug: str


class OwnSession(NamedTuple):
    """The session of the browser that a principal acts through, and when it ends at the latest."""

    id: str
    ends_at: datetime


class Principal(NamedTuple):
    """Who calls. `subject` is the id of an API key or of a sign-in link, or `jwt:` and the subject
    of a token."""

    organization_id: str
    subject: str
    permissions: frozenset[Permission]
    space: OwnSpace | None = None
    """The only space that it may act in; None if it may act in the whole organization."""
    browser_session: OwnSession | None = None
    """None for the bearer of a key or a token."""

    @property
    def is_operator(self) -> bool:
        return Permission.ADMIN in self.permissions

    def subject_in(self, organization_id: str) -> str:
        """The name under which it acts in an organization. In another than its own, that is only
        `operator`: whose key it was is not for strangers to know."""
        return self.subject if organization_id == self.organization_id else OPERATOR

    def holds(self, permission: Permission) -> bool:
        if permission in self.permissions:
            return True
        if permission is Permission.TEST and Permission.MANAGE in self.permissions:
            return True
        return self.is_operator and permission is not Permission.USE

    def require_all(self, permissions: Iterable[Permission]) -> None:
        """For permissions to grant or revoke. Raises `PermissionDenied` for one it lacks.

        The operator may grant USE without having it: somebody has to be the first.
        """
        for permission in permissions:
            if not self.holds(permission) and not self.is_operator:
                raise PermissionDenied(permission)

    def require_whole_organization(self) -> None:
        """For what is not part of a space. Raises `OutsideOwnSpace`."""
        if self.space:
            raise OutsideOwnSpace(self.space.slug)


class Anyone(NamedTuple):
    """A caller of a route that is open to everybody.

    `retry_after` is not 0 if callers without a key have made more than `limit` requests in the last
    minute. What can be told from a guess first, such as a valid key, goes on all the same: a flood
    of guesses must not keep the others out.
    """

    retry_after: int = 0
    limit: int = 0
    organization_id: str | None = None
    subject: str = DEPLOYMENT

    def require_turn(self) -> None:
        """Raises `RateLimited`."""
        if self.retry_after:
            raise RateLimited.by_requests("unauthenticated_requests", self.limit, self.retry_after)


def authorize(
    principal: Principal | None,
    permission: Permission,
    organization_id: str,
    thing: str,
    space_id: str | None = None,
) -> None:
    """Returns if the principal may do this to a thing of an organization.

    `space_id` is the space that the thing is part of. Without it, the thing is the organization's,
    and closed to a principal of one space.

    Raises `Unauthenticated` (401), `PermissionDenied` (403) for a permission that the principal
    does not hold, `NotFound` (404) for another tenant's or another space's thing, as for one that
    does not exist, and `OutsideOwnSpace` (403).
    """
    if principal is None:
        raise Unauthenticated
    if not principal.holds(permission):
        raise PermissionDenied(permission)
    if organization_id != principal.organization_id and not principal.is_operator:
        raise NotFound(thing)
    if space_id is None:
        principal.require_whole_organization()
    elif principal.space and principal.space.id != space_id:
        raise NotFound(thing)
