"""Tests endpoints that are not stored: with the values that somebody is about to save, of a release
or of a draft."""

from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connection_tests.following import Following
from patchbay.connection_tests.model import DryRunResult, EndpointDryRun
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.tester import try_stored
from patchbay.connections.endpoint_creator import EndpointCreator
from patchbay.connections.endpoint_model import OwnershipMode
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.egress.guard import EgressGuard
from patchbay.grants.grants import Grants
from patchbay.platform.errors import InvalidConfig, InvalidInput, NotFound
from patchbay.platform.ids import Stamp
from patchbay.platform.limits import Limit, Limiter
from patchbay.registry.authoring import IntegrationAuthoring
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of


class EndpointDryRuns:
    """For one request: `guard` must not dial the host that it was sent to."""

    def __init__(
        self,
        creator: EndpointCreator,
        releases: ReleaseFinder,
        authoring: IntegrationAuthoring,
        grants: Grants,
        limiter: Limiter,
        limit: Limit,
        guard: EgressGuard,
    ) -> None:
        self._creator = creator
        self._releases = releases
        self._authoring = authoring
        self._grants = grants
        self._limiter = limiter
        self._limit = limit
        self._guard = guard

    def run(
        self,
        organization_id: str,
        role: Role,
        asked: EndpointDryRun,
        now: datetime,
        following: Following | None = None,
    ) -> DryRunResult:
        """Tests the endpoint that these values would make; stores nothing.

        Raises `InvalidInput` and `InvalidConfig` with a pointer to each field, `NotPublishable` for
        a draft, and `RateLimited`.
        """
        stamp = Stamp.fresh(now)
        release = self._release(organization_id, asked, now)
        accepted = self._creator.accept_of(
            release,
            organization_id,
            role,
            asked,
            stamp,
            named_at="/integration" if asked.integration else "/integration_id",
            name=release.name,
            integration=f"{release.publisher}/{release.slug}",
            environment=None,
            external_account_id=None,
            ownership_mode=OwnershipMode.MANAGED,
        )
        if problems := recipe_of(release).configuration_problems(asked.configurations):
            raise InvalidConfig(problems)
        token = stamp.id("tst")
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            return try_stored(
                accepted.endpoint,
                release,
                lambda: self._grants.look_at_new(
                    accepted.endpoint, release, self._creator.secrets_of(accepted), self._guard
                ),
                self._grants,
                self._guard,
                following,
            )

    def _release(self, organization_id: str, asked: EndpointDryRun, now: datetime) -> Release:
        if asked.integration is not None:
            return self._releases.installable(
                organization_id, asked.integration, asked.version, now
            )
        try:
            return self._authoring.release_of_draft(organization_id, str(asked.integration_id), now)
        except NotFound:
            message = "is not an integration of your organization"
            raise InvalidInput.at("/integration_id", message) from None
