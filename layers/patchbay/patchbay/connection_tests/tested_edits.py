"""Creates and changes endpoints, but only if a test of what would be stored passes."""

from collections.abc import Callable
from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connection_tests.model import DryRunResult, TestedEndpoint
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.tester import try_endpoint
from patchbay.connections.endpoint_creator import EndpointCreator
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import Endpoint, EndpointPatch, NewEndpoint
from patchbay.egress.guard import EgressGuard
from patchbay.platform.errors import FailedTest
from patchbay.platform.ids import Stamp, new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.revisions import IfMatch
from patchbay.registry.model import Release


class TestedEdits:
    """For one request: `guard` must not dial the host that it was sent to."""

    def __init__(
        self,
        creator: EndpointCreator,
        editor: EndpointEditor,
        limiter: Limiter,
        limit: Limit,
        guard: EgressGuard,
    ) -> None:
        self._creator = creator
        self._editor = editor
        self._limiter = limiter
        self._limit = limit
        self._guard = guard

    def create(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> TestedEndpoint:
        """Returns the endpoint as stored, and its test.

        1. Accept it. Raises as `EndpointCreator.accept`.
        2. Test it as it would be, as one of the tests of its organization. Raises `RateLimited`,
           `FailedTest` with the report, and as `EndpointCreator.secrets_of`.
        3. Store exactly what was tested. Raises as `EndpointCreator.store`.
        """
        accepted = self._creator.accept(organization_id, role, new, stamp)
        result = self._passed(
            accepted.endpoint,
            accepted.release,
            lambda: self._creator.secrets_of(accepted),
            stamp.now,
        )
        return TestedEndpoint.of(self._creator.store(accepted), result)

    def change(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> TestedEndpoint:
        """Returns the endpoint as stored, and its test.

        1. Accept the edit. Raises as `EndpointEditor.accept_stored`.
        2. Test the endpoint as it would be, as one of the tests of its organization. Raises
           `RateLimited`, `FailedTest` with the report, and as `EndpointEditor.secrets_after`.
        3. Store exactly what was tested. Raises as `EndpointEditor.store_accepted`.
        """
        edit = self._editor.accept_stored(organization_id, role, endpoint_id, patch, if_match, now)
        result = self._passed(
            edit.endpoint, edit.release, lambda: self._editor.secrets_after(edit, now), now
        )
        stored = self._editor.store_accepted(edit, if_match, now)
        return TestedEndpoint.of(stored, result)

    def _passed(
        self,
        endpoint: Endpoint,
        release: Release,
        open_secrets: Callable[[], dict[str, str]],
        now: datetime,
    ) -> DryRunResult:
        organization_id, token = endpoint.organization_id, new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            result = try_endpoint(endpoint, release, open_secrets, self._guard)
        if not result.succeeded:
            raise FailedTest(result.model_dump(mode="json"))
        return result
