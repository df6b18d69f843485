"""What an organization does with its own integrations, and the operator with everybody's."""

from datetime import datetime
from typing import Final

from patchbay.platform.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPublishable,
    PermissionDenied,
    Problem,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.revisions import IfMatch
from patchbay.registry.model import (
    Integration,
    IntegrationPatch,
    NewIntegration,
    Publication,
    PublishReport,
    Release,
    ReleasePatch,
    ReleaseSummary,
)
from patchbay.registry.naming import key_of
from patchbay.registry.reserved_publishers import is_reserved
from patchbay.registry.store import RegistryStore
from patchbay.registry.trust_tiers import TrustTier
from patchbay.tenancy.access import Permission, Principal, authorize
from patchbay.tenancy.store import TenancyStore

DRAFT_VERSION: Final = "0.0.0-draft"
"""What a draft is called where a release has its version."""


class IntegrationAuthoring:
    """The use cases of authors.

    All of them raise `NotFound` for an integration that is not there or is another organization's,
    and `PermissionDenied` for a permission that the caller lacks.
    """

    def __init__(self, registry: RegistryStore, tenants: TenancyStore) -> None:
        self._registry = registry
        self._tenants = tenants

    def create(self, caller: Principal, new: NewIntegration, stamp: Stamp) -> Integration:
        """A draft in a workspace of the caller's. Raises `InvalidInput`; `Conflict`, also
        PUBLISHER_RESERVED for a well-known name that only the operator may use or assign; and as
        `RegistryStore.create`."""
        _require_trust(caller, new.trust_tier)
        workspace = self._tenants.space_by_id(new.workspace_id)
        if workspace is None or (
            workspace.organization_id != caller.organization_id and not caller.is_operator
        ):
            raise InvalidInput.at("/workspaceId", "is not the id of a space of your organization")
        if (
            not caller.is_operator
            and is_reserved(key_of(new.publisher))
            and self._registry.publisher_owner(new.publisher) != workspace.organization_id
        ):
            raise Conflict(
                "This publisher name is reserved: ask the operator to assign it to you.",
                "PUBLISHER_RESERVED",
                publisher=new.publisher,
            )
        subject = caller.subject_in(workspace.organization_id)
        return self._registry.create(new, workspace, subject, stamp)

    def integration(self, caller: Principal, integration_id: str, now: datetime) -> Integration:
        return self._owned(caller, Permission.READ, integration_id, now)

    def change(
        self,
        caller: Principal,
        integration_id: str,
        patch: IntegrationPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Integration:
        """Raises as `RegistryStore.change`."""
        owned = self._owned(caller, Permission.MANAGE, integration_id, now)
        if patch.trust_tier is not owned.trust_tier:
            _require_trust(caller, patch.trust_tier)
        return self._registry.change(integration_id, patch, if_match, now)

    def delete(
        self, caller: Principal, integration_id: str, if_match: IfMatch, now: datetime
    ) -> None:
        """Deletes softly, as `RegistryStore.delete`. Does nothing once the workspace is gone, which
        it can only be after the integration."""
        owned = self._owned(caller, Permission.MANAGE, integration_id, now)
        if workspace := self._tenants.space_by_id(owned.workspace_id):
            self._registry.delete(integration_id, workspace, if_match, now)

    def restore(self, caller: Principal, integration_id: str, now: datetime) -> Integration:
        """Raises `Conflict` if the workspace is gone, and as `RegistryStore.restore`."""
        owned = self._owned(caller, Permission.MANAGE, integration_id, now)
        workspace = self._tenants.space_by_id(owned.workspace_id)
        if workspace is None:
            raise Conflict("The workspace of the integration is gone.")
        return self._registry.restore(integration_id, workspace, now)

    def publish(
        self, caller: Principal, integration_id: str, publication: Publication, now: datetime
    ) -> tuple[Release, bool]:
        """The release, and whether this call made it. Raises as `RegistryStore.publish`."""
        owned = self._owned(caller, Permission.MANAGE, integration_id, now)
        return self._registry.publish(
            integration_id,
            publication.version,
            caller.subject_in(owned.organization_id),
            lambda draft: self._problems_of(draft, owned.organization_id, now),
            now,
            publication.changelog,
        )

    def preview(
        self, caller: Principal, integration_id: str, publication: Publication, now: datetime
    ) -> PublishReport:
        """Everything that `publish` would be refused for, and what it means for secrets."""
        # As in `_problems_of`.
        from patchbay.registry.publishing import draft_notices

        owned = self._owned(caller, Permission.MANAGE, integration_id, now)
        problems = self._registry.publish_problems(
            integration_id,
            publication.version,
            lambda draft: self._problems_of(draft, owned.organization_id, now),
            now,
        )
        return PublishReport.of(publication.version, problems, draft_notices(owned))

    def release_of_draft(self, organization_id: str, integration_id: str, now: datetime) -> Release:
        """The draft of an organization's own integration, as a publish would release it. Nothing is
        stored. Raises `NotFound`, also for a deleted one, and `NotPublishable`."""
        draft = self._registry.integration(integration_id, now)
        if draft.organization_id != organization_id or draft.deleted_at:
            raise NotFound("integration")
        if problems := self._problems_of(draft, organization_id, now):
            raise NotPublishable(problems)
        return Release(
            **dict(draft),
            version=DRAFT_VERSION,
            published_at=draft.updated_at,
            published_by=draft.created_by,
        )

    def releases(
        self, caller: Principal, integration_id: str, query: ListQuery, now: datetime
    ) -> Listing[ReleaseSummary]:
        """Highest version first."""
        self._owned(caller, Permission.READ, integration_id, now)
        return self._registry.releases(integration_id, caller.organization_id, query, now)

    def release(
        self, caller: Principal, integration_id: str, version: str, now: datetime
    ) -> Release:
        self._owned(caller, Permission.READ, integration_id, now)
        return self._registry.release(integration_id, version)

    def remark(
        self,
        caller: Principal,
        integration_id: str,
        version: str,
        patch: ReleasePatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Release:
        """Raises as `RegistryStore.remark`."""
        self._owned(caller, Permission.MANAGE, integration_id, now)
        return self._registry.remark(integration_id, version, patch, if_match, now)

    def _owned(
        self, caller: Principal, permission: Permission, integration_id: str, now: datetime
    ) -> Integration:
        integration = self._registry.integration(integration_id, now)
        authorize(caller, permission, integration.organization_id, "integration")
        return integration

    def _problems_of(
        self, draft: Integration, organization_id: str, now: datetime
    ) -> list[Problem]:
        # The engine of checks is needed here alone, and would slow down every cold start.
        from patchbay.registry.dependencies import Dependencies
        from patchbay.registry.publishing import draft_problems

        dependencies = Dependencies(self._registry, organization_id, now)
        return draft_problems(draft) + dependencies.problems_of(draft)


def _require_trust(caller: Principal, tier: TrustTier | None) -> None:
    """Only the operator gives a tier above community. Raises `PermissionDenied`."""
    if tier not in (None, TrustTier.COMMUNITY) and not caller.is_operator:
        raise PermissionDenied(Permission.ADMIN)
