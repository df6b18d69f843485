"""Takes grants back: at the provider, and here.

What was granted through a browser is revoked when its endpoint is deleted: nobody else has those
tokens. Tokens that were entered may be in use elsewhere, and are revoked only if a caller asks for
exactly that. Revoking is best effort: the deletion goes on if it fails. The outcome is in the audit
trail and, where a grant is removed, in the answer.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from patchbay.checks.roles import Role
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_edit import GrantChange
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import Endpoint, EndpointPatch
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.grants.grant_revoker import GrantRevoker, Revocable
from patchbay.grants.grant_store import GrantStore
from patchbay.grants.grant_view import GrantRemoved, GrantView, RevocationOutcome, view_of
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import NotFound, PatchbayError
from patchbay.platform.logging import log_exception, logger
from patchbay.platform.revisions import IfMatch
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore

_MESSAGES: Final[dict[RevocationOutcome, str]] = {
    "revoked": "The provider has revoked the tokens.",
    "unsupported": "This integration knows no way to revoke tokens: remove the access at the "
    "provider.",
    "nothing_to_revoke": "There were no tokens that could be opened.",
    "failed": "The provider did not revoke the tokens: remove the access there.",
}


class GrantDesk:
    """Shows and removes the grants of endpoints. For one request: the guard of `revoker` must not
    dial the host that it was sent to."""

    def __init__(
        self,
        table: Table,
        store: GrantStore,
        revoker: GrantRevoker,
        registry: RegistryStore,
        endpoints: EndpointStore,
        editor: EndpointEditor,
    ) -> None:
        self._table = table
        self._store = store
        self._revoker = revoker
        self._registry = registry
        self._endpoints = endpoints
        self._editor = editor

    def view(
        self, organization_id: str, role: Role, endpoint_id: str, now: datetime
    ) -> tuple[GrantView, int]:
        """The grant of an endpoint, and its revision. Raises `NotFound`."""
        endpoint = self._endpoints.get(organization_id, role, endpoint_id)
        grant = self._store.reread(organization_id, endpoint_id)
        if grant is None:
            raise _no_grant(role)
        release = self._registry.release(endpoint.integration_id, endpoint.version)
        return view_of(grant, endpoint, recipe_of(release), now), grant.attempts

    def remove(
        self, organization_id: str, role: Role, endpoint_id: str, now: datetime
    ) -> GrantRemoved:
        """Removes the grant of an endpoint with the tokens that were entered, and revokes them at
        the provider. Raises `NotFound`, and `Conflict` if others keep changing the endpoint."""
        endpoint = self._endpoints.get(organization_id, role, endpoint_id)
        if self._store.reread(organization_id, endpoint_id) is None and not endpoint.granted_at:
            raise _no_grant(role)
        removed = self._revoke(self._revoker.revocable(endpoint, now))
        self._editor.change(
            organization_id,
            role,
            endpoint_id,
            EndpointPatch(),
            None,
            now,
            grant=GrantChange.DROPPED,
            with_it=[_audited(endpoint, removed)],
        )
        return removed

    def delete_endpoint(
        self, organization_id: str, role: Role, endpoint_id: str, if_match: IfMatch, now: datetime
    ) -> None:
        """Deletes an endpoint, and revokes what was granted to it through a browser. Raises as
        `EndpointEditor.delete`."""
        endpoint = self._endpoints.get(organization_id, role, endpoint_id)
        revocable = self._revoker.revocable(endpoint, now) if endpoint.granted_at else None
        self._editor.delete(organization_id, role, endpoint_id, if_match, now)
        if revocable:
            self._revoke_and_record(revocable)

    def delete_connection(
        self, connection: Connection, delete: Callable[[], None], now: datetime
    ) -> None:
        """Deletes a connection by `delete`, and revokes what was granted to its source if that goes
        with it. Raises what `delete` raises."""
        place = (connection.organization_id, Role.SOURCE, connection.source_id)
        revocable = None
        if connection.owns_source:
            endpoint = self._endpoints.get(*place)
            revocable = self._revoker.revocable(endpoint, now) if endpoint.granted_at else None
        delete()
        if revocable is None:
            return
        try:
            self._endpoints.get(*place)
        except NotFound:
            self._revoke_and_record(revocable)

    def _revoke_and_record(self, revocable: Revocable) -> None:
        """After the deletion, whose own event is in the trail already."""
        removed = self._revoke(revocable)
        try:
            self._table.transact([_audited(revocable.endpoint, removed)])
        except PatchbayError as error:
            log_exception("revocation not recorded", error, endpoint_id=removed.endpoint_id)

    def _revoke(self, revocable: Revocable) -> GrantRemoved:
        endpoint, done = revocable.endpoint, self._revoker.revoke(revocable)
        logger.info("grant revoked", endpoint_id=endpoint.id, revocation=done.outcome)
        message = " ".join(filter(None, (_MESSAGES[done.outcome], done.summary)))
        return GrantRemoved(endpoint_id=endpoint.id, revocation=done.outcome, message=message)


def _audited(endpoint: Endpoint, removed: GrantRemoved) -> Put:
    return recorded(
        endpoint.organization_id,
        Entity.GRANT,
        endpoint.id,
        Action.REVOKED,
        after={"revocation": removed.revocation},
    )


def _no_grant(role: Role) -> NotFound:
    return NotFound(
        "grant", hint=f": the {role.value} is not connected, or its tokens were not refreshed yet"
    )
