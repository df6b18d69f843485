"""An endpoint of a connection with its secrets opened, for the place that it leads to now."""

from dataclasses import dataclass, field
from datetime import datetime

from patchbay.checks.problems import PlanProblem
from patchbay.checks.recipe import Recipe
from patchbay.checks.roles import Role
from patchbay.checks.templates import Values
from patchbay.connections.bindings import binding_to_dial
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.required_actions import required_action
from patchbay.connections.secret_references import ReferenceUnusable
from patchbay.connections.vault import Vault
from patchbay.platform.errors import CredentialUnusable, InternalError, NotFound
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore


@dataclass(frozen=True, slots=True)
class OpenedEndpoint:
    """It holds secrets: keep it out of messages and logs."""

    endpoint: Endpoint
    release: Release
    secrets: dict[str, str] = field(repr=False)

    @property
    def recipe(self) -> Recipe:
        return recipe_of(self.release)

    @property
    def values(self) -> Values:
        """What fills the placeholders of the release."""
        return self.recipe.values(self.endpoint.variables, self.secrets)


class EndpointOpener:
    """Opens endpoints for use."""

    def __init__(self, registry: RegistryStore, endpoints: EndpointStore, vault: Vault) -> None:
        self._registry = registry
        self._endpoints = endpoints
        self._vault = vault

    def opened(self, connection: Connection, role: Role, now: datetime) -> OpenedEndpoint:
        """The endpoint, its release, and its secrets, which open only for the binding that the
        endpoint and the release have together: if the endpoint is edited meanwhile, all three are
        those of after the edit.

        Raises `NotFound` for a role that the connection does not have, `CredentialUnusable`,
        `SecretsLost`, and `TemporarilyUnavailable`.
        """
        endpoint = self._endpoint(connection, role)
        try:
            return self._opened(endpoint, now)
        except InternalError:
            # Sealed for another binding: was it edited since it was read?
            current = self._endpoint(connection, role)
            if current.revision == endpoint.revision:
                raise
            return self._opened(current, now)

    def _endpoint(self, connection: Connection, role: Role) -> Endpoint:
        ids = {Role.SOURCE: connection.source_id, Role.DESTINATION: connection.destination_id}
        endpoint_id = ids[role]
        if endpoint_id is None:
            raise NotFound(role.value, hint=" of this connection")
        return self._endpoints.get(connection.organization_id, role, endpoint_id)

    def _opened(self, endpoint: Endpoint, now: datetime) -> OpenedEndpoint:
        release = self._registry.release(endpoint.integration_id, endpoint.version)
        binding = binding_to_dial(endpoint, release)
        try:
            secrets = self._vault.secrets_of(endpoint, release, binding, now)
        except ReferenceUnusable as reference:
            raise unusable(PlanProblem("/secret_ref", reference.message, reference.code)) from None
        return OpenedEndpoint(endpoint, release, secrets)


def unusable(problem: PlanProblem) -> CredentialUnusable:
    """The error for a credential with this problem."""
    action = required_action(problem.code)
    return CredentialUnusable(problem.pointer, problem.message, problem.code, action.value)
