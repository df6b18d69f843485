"""Edits of endpoints that are stored only if a test of them succeeds."""

from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connection_tests.model import DryRunResult, TestedEndpoint
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.tester import try_endpoint
from patchbay.connections.endpoint_editor import EndpointEditor, OpenSecrets
from patchbay.connections.model import Endpoint, EndpointPatch
from patchbay.egress.guard import EgressGuard
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.revisions import IfMatch
from patchbay.registry.model import Release


class TestedEdits:
    """The use case of callers of the API: their tests count within their organization's limits."""

    def __init__(
        self, editor: EndpointEditor, limiter: Limiter, limit: Limit, guard: EgressGuard
    ) -> None:
        self._editor = editor
        self._limiter = limiter
        self._limit = limit
        self._guard = guard

    def change(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> TestedEndpoint:
        """The endpoint as stored, with the test that passed.

        Raises `RateLimited`, and as `EndpointEditor.change_tested`.
        """

        def test(endpoint: Endpoint, release: Release, open_secrets: OpenSecrets) -> DryRunResult:
            token = new_id("tst", now)
            with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
                return try_endpoint(endpoint, release, open_secrets, self._guard)

        stored, report = self._editor.change_tested(
            organization_id, role, endpoint_id, patch, if_match, test, now
        )
        return TestedEndpoint.of(stored, report)
