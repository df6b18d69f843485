"""Changes an endpoint, but only if a test of the change passes."""

from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connection_tests.model import TestedEndpoint
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.tester import try_endpoint
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import EndpointPatch
from patchbay.egress.guard import EgressGuard
from patchbay.platform.errors import EditFailedTest
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.revisions import IfMatch


class TestedEdits:
    """For one request: `guard` must not dial the host that it was sent to."""

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
        """Returns the endpoint as stored, and its test.

        1. Accept the edit. Raises as `EndpointEditor.accept_stored`.
        2. Test the endpoint as it would be, as one of the tests of its organization. Raises
           `RateLimited`, `EditFailedTest` with the report, and as `EndpointEditor.secrets_after`.
        3. Store exactly what was tested. Raises as `EndpointEditor.store_accepted`.
        """
        edit = self._editor.accept_stored(organization_id, role, endpoint_id, patch, if_match, now)
        token = new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            result = try_endpoint(
                edit.endpoint,
                edit.release,
                lambda: self._editor.secrets_after(edit, now),
                self._guard,
            )
        if not result.succeeded:
            raise EditFailedTest(result.model_dump(mode="json"))
        stored = self._editor.store_accepted(edit, if_match, now)
        return TestedEndpoint.of(stored, result)
