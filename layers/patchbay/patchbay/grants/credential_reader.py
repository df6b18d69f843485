"""Gives the credentials of a connection to a caller who may use them."""

from patchbay.checks.roles import Role
from patchbay.egress.guard import EgressGuard
from patchbay.grants.credential_uses import CredentialUses
from patchbay.grants.given_credentials import GivenCredentials
from patchbay.grants.opened_endpoint import EndpointOpener
from patchbay.platform.clock import Clock


class CredentialReader:
    """The use case of reading, for one request: `guard` excludes the host that it was called by."""

    def __init__(
        self, uses: CredentialUses, opener: EndpointOpener, guard: EgressGuard, clock: Clock
    ) -> None:
        self._uses = uses
        self._opener = opener
        self._guard = guard
        self._clock = clock

    def credentials(self, organization_id: str, connection_id: str, role: Role) -> GivenCredentials:
        """Fresh credentials of one end of a connection; that they were given is in the audit trail.

        Raises `CredentialUnusable`, `SecretsLost`, and as `CredentialUses.one`.
        """
        with self._uses.one(organization_id, connection_id, {"role": role.value}) as use:
            opened = self._opener.opened(use.connection, role, self._guard, self._clock())
            given = GivenCredentials.of(opened)
            use.ended(given=True)
            return given
