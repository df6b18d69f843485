"""Gives the credentials of a connection to a caller who may use them."""

from patchbay.checks.roles import Role
from patchbay.grants.credential_uses import CredentialUses
from patchbay.grants.given_credentials import GivenCredentials
from patchbay.grants.grants import FindsGuard
from patchbay.grants.opened_endpoint import EndpointOpener
from patchbay.platform.clock import Clock


class CredentialReader:
    """The use case of reading."""

    def __init__(
        self, uses: CredentialUses, opener: EndpointOpener, guard: FindsGuard, clock: Clock
    ) -> None:
        self._uses = uses
        self._opener = opener
        self._guard = guard
        self._clock = clock

    def credentials(
        self, organization_id: str, connection_id: str, role: Role, domain_name: str
    ) -> GivenCredentials:
        """Fresh credentials of one end of a connection; that they were given is in the audit trail.

        `domain_name` is the host of the API that was called, which nothing is sent to.

        Raises `CredentialUnusable`, `SecretsLost`, and as `CredentialUses.one`.
        """
        with self._uses.one(organization_id, connection_id, {"role": role.value}) as use:
            opened = self._opener.opened(
                use.connection,
                role,
                lambda: self._guard().excluding([domain_name]),
                self._clock(),
            )
            given = GivenCredentials.of(opened)
            use.ended(given=True)
            return given
