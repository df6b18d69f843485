"""An endpoint of a connection with its secrets opened, for the place that it leads to now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from patchbay.grants.grants import USE_SECONDS, FindsGuard, Grants
from patchbay.grants.usable_secrets import GrantUnusable, UsableSecrets
from patchbay.platform.errors import CredentialUnusable, InternalError, NotFound, PatchbayError
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore


@dataclass(frozen=True, slots=True)
class OpenedEndpoint:
    """It holds secrets: keep it out of messages and logs."""

    endpoint: Endpoint
    release: Release
    usable: UsableSecrets

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """What the provider granted; None if it did not say."""
        return self.usable.grant.scopes_granted if self.usable.grant else None

    @property
    def recipe(self) -> Recipe:
        return recipe_of(self.release)

    @property
    def secrets(self) -> Mapping[str, str]:
        return self.usable.values

    @property
    def values(self) -> Values:
        """What fills the placeholders of the release."""
        return self.recipe.values(self.endpoint.variables, self.secrets)


class EndpointOpener:
    """Opens endpoints for use, with an access token that has not ended."""

    def __init__(self, registry: RegistryStore, endpoints: EndpointStore, grants: Grants) -> None:
        self._registry = registry
        self._endpoints = endpoints
        self._grants = grants

    def opened(
        self,
        connection: Connection,
        role: Role,
        guard: FindsGuard,
        now: datetime,
        seconds: float = USE_SECONDS,
    ) -> OpenedEndpoint:
        """The endpoint, its release, and its secrets, which open only for the binding that the
        endpoint and the release have together: if the endpoint is edited meanwhile, all three are
        those of after the edit. It takes at most `seconds`, if a token has to be renewed.

        Raises `NotFound` for a role that the connection does not have, `CredentialUnusable`,
        `SecretsLost`, and `TemporarilyUnavailable`.
        """
        endpoint = self._endpoint(connection, role)
        try:
            return self._opened(endpoint, guard, now, seconds)
        except InternalError:
            # Sealed for another binding: was it edited since it was read?
            current = self._endpoint(connection, role)
            if current.revision == endpoint.revision:
                raise
            return self._opened(current, guard, now, seconds)

    def renewed(
        self, opened: OpenedEndpoint, guard: FindsGuard, now: datetime, seconds: float
    ) -> OpenedEndpoint | None:
        """With another access token, after the provider answered 401; None if there is none to be
        had, or the endpoint was edited."""
        endpoint, release = opened.endpoint, opened.release
        binding = binding_to_dial(endpoint, release)
        try:
            usable = self._grants.renew(
                endpoint, release, binding, guard, now, because_401=opened.usable, seconds=seconds
            )
        except (GrantUnusable, ReferenceUnusable, PatchbayError):
            return None
        return replace(opened, usable=usable) if usable else None

    def _endpoint(self, connection: Connection, role: Role) -> Endpoint:
        ids = {Role.SOURCE: connection.source_id, Role.DESTINATION: connection.destination_id}
        endpoint_id = ids[role]
        if endpoint_id is None:
            raise NotFound(role.value, hint=" of this connection")
        return self._endpoints.get(connection.organization_id, role, endpoint_id)

    def _opened(
        self, endpoint: Endpoint, guard: FindsGuard, now: datetime, seconds: float
    ) -> OpenedEndpoint:
        release = self._registry.release(endpoint.integration_id, endpoint.version)
        binding = binding_to_dial(endpoint, release)
        try:
            usable = self._grants.secrets_of(endpoint, release, binding, guard, now, seconds)
        except ReferenceUnusable as reference:
            raise unusable_credential(
                PlanProblem("/secret_ref", reference.message, reference.code)
            ) from None
        except GrantUnusable as ended:
            raise unusable_credential(
                PlanProblem(ended.pointer, ended.summary, ended.code), ended.retry_after_seconds
            ) from None
        return OpenedEndpoint(endpoint, release, usable)


def unusable_credential(
    problem: PlanProblem, retry_after_seconds: int | None = None
) -> CredentialUnusable:
    """The error for a credential with this problem."""
    action = required_action(problem.code)
    error = CredentialUnusable(problem.pointer, problem.message, problem.code, action.value)
    error.retry_after_seconds = retry_after_seconds
    return error
