"""Who calls, as the caller is told: the organization, what they may do, and until when."""

from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.browser_session_model import (
    Caller,
    CallersOrganization,
    CallersSpace,
)
from patchbay.tenancy.browser_sessions import StoredSession
from patchbay.tenancy.store import TenancyStore


class CallerView:
    """Describes principals."""

    def __init__(self, tenants: TenancyStore) -> None:
        self._tenants = tenants

    def of(self, principal: Principal, session: StoredSession | None) -> Caller:
        """`session` is the one that the principal acts through, if it does. Raises `NotFound` for
        an organization that is being erased."""
        organization = self._tenants.organization(principal.organization_id)
        shown = session.shown() if session else None
        space = principal.space
        return Caller(
            organization=CallersOrganization(
                id=organization.id, name=organization.name, external_id=organization.external_id
            ),
            subject=principal.subject,
            permissions=[one for one in Permission if principal.holds(one)],
            space=CallersSpace(id=space.id, slug=space.slug) if space else None,
            expires_at=shown.expires_at if shown else None,
            idle_ends_at=shown.idle_ends_at if shown else None,
            signed_in_by=shown.signed_in_by if shown else None,
        )
