"""Creates and changes endpoints, but only if a test of what would be stored passes.

A refresh token that was entered is refreshed by the test, if the test needs that, and may be
replaced by the provider: then the new one is what is stored.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connection_tests.model import DryRunResult, TestedEndpoint
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.tester import try_stored
from patchbay.connections.endpoint_creator import EndpointCreator
from patchbay.connections.endpoint_edit import GrantChange
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import Endpoint, EndpointPatch, NewEndpoint
from patchbay.egress.guard import EgressGuard
from patchbay.grants.grants import Grants
from patchbay.grants.usable_secrets import StoredSecrets
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
        grants: Grants,
        limiter: Limiter,
        limit: Limit,
        guard: EgressGuard,
    ) -> None:
        self._creator = creator
        self._editor = editor
        self._grants = grants
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
        endpoint, release = accepted.endpoint, accepted.release
        replaced: dict[str, str] = {}

        def look() -> StoredSecrets:
            secrets = self._creator.secrets_of(accepted)
            return self._grants.look_at_new(endpoint, release, secrets, self._guard, replaced)

        result = self._passed(endpoint, release, look, stamp.now)
        tested = replace(accepted, secrets={**accepted.secrets, **replaced})
        return TestedEndpoint.of(self._creator.store(tested), result)

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
        old, endpoint, release = edit.old, edit.endpoint, edit.release
        replaced: dict[str, str] = {}

        def look() -> StoredSecrets:
            if old.may_have_grant and edit.grant is not GrantChange.DROPPED:
                # Its tokens are sent where they always were, or it would not have been accepted.
                gone = dict.fromkeys(set(old.secrets_set) - set(endpoint.secrets_set))
                changed = {**gone, **edit.entered}
                return self._grants.look(
                    old, release, old.binding, now, for_test=True, entered_now=changed
                )
            secrets = self._editor.secrets_after(edit, now)
            return self._grants.look_at_new(endpoint, release, secrets, self._guard, replaced)

        result = self._passed(endpoint, release, look, now)
        tested = replace(edit, entered={**edit.entered, **replaced})
        stored = self._editor.store_accepted(tested, if_match, now)
        return TestedEndpoint.of(stored, result)

    def _passed(
        self,
        endpoint: Endpoint,
        release: Release,
        look: Callable[[], StoredSecrets],
        now: datetime,
    ) -> DryRunResult:
        organization_id, token = endpoint.organization_id, new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            result = try_stored(endpoint, release, look, self._grants, self._guard)
        if not result.succeeded:
            raise FailedTest(result.model_dump(mode="json"))
        return result
