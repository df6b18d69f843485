"""Creates sources and destinations of releases."""

from dataclasses import dataclass, field
from typing import Any

from patchbay.checks.roles import Role
from patchbay.connections.endpoint_model import Endpoint, EndpointValues, NewEndpoint, id_prefix
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.endpoint_values import revealed, settled_variables, value_problems
from patchbay.connections.installed_members import installed_members
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import InvalidConfig, InvalidInput
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import serially
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore


@dataclass(frozen=True, slots=True)
class AcceptedEndpoint:
    """A new endpoint that may be stored, its release, and its secrets as they were entered."""

    endpoint: Endpoint
    release: Release
    secrets: dict[str, str] = field(repr=False)


class EndpointCreator:
    """Creates endpoints. A variable that is not given takes the manifest's default, or else the
    schema's."""

    def __init__(self, registry: RegistryStore, endpoints: EndpointStore, vault: Vault) -> None:
        self._releases = ReleaseFinder(registry)
        self._endpoints = endpoints
        self._vault = vault

    def create(self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp) -> Endpoint:
        """Stores a new endpoint. Raises as `accept`."""

        def attempt() -> Endpoint:
            endpoint, sealed = self.prepare(organization_id, role, new, stamp)
            return self._endpoints.create(endpoint, sealed)

        # Data keys may be rotated between the sealing and the write.
        return serially(attempt)

    def prepare(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> tuple[Endpoint, Item | None]:
        """The endpoint that a create would store, and the item of its sealed secrets.

        Raises as `accept`.
        """
        accepted = self.accept(organization_id, role, new, stamp)
        return accepted.endpoint, self.sealed(accepted)

    def accept(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> AcceptedEndpoint:
        """The endpoint that a create would store, with nothing sealed.

        Raises `InvalidInput` and `InvalidConfig` with a pointer to each field.
        """
        release = self._releases.installable(
            organization_id, new.integration, new.version, stamp.now
        )
        described = new.model_dump(exclude={*EndpointValues.model_fields, "version"})
        return self.accept_of(release, organization_id, role, new, stamp, **described)

    def accept_of(
        self,
        release: Release,
        organization_id: str,
        role: Role,
        values: EndpointValues,
        stamp: Stamp,
        *,
        named_at: str = "/integration",
        **described: Any,
    ) -> AcceptedEndpoint:
        """The same for a release that was found already, by what the body has at `named_at`.

        `described` are the fields of the endpoint that decide nothing, such as its name. Raises as
        `accept`.
        """
        manifest = Manifest.of(release.manifest)
        if role not in manifest.roles:
            raise InvalidInput.at(named_at, f"does not support the role {role.value}")
        variables = settled_variables(values.variables, release)
        secrets, secret_ref = revealed(values.secrets), values.secret_ref
        if problems := value_problems(release, variables, secrets, (), secret_ref):
            raise InvalidConfig(problems)
        if secret_ref is not None:
            self._vault.require_own_reference(secret_ref, organization_id)
        endpoint = Endpoint(
            **described,
            id=stamp.id(id_prefix(role)),
            organization_id=organization_id,
            role=role,
            integration_id=release.id,
            version=release.version,
            category=manifest.category,
            variables=variables,
            secrets_set=sorted(secrets),
            secret_ref=secret_ref,
            secrets_entered_at=stamp.now if secrets or secret_ref else None,
            members=installed_members(manifest.members),
            dependencies=self._releases.dependencies(organization_id, release, stamp.now),
            created_at=stamp.now,
            updated_at=stamp.now,
            binding=recipe_of(release).binding(release.id, variables),
            revision=1,
        )
        return AcceptedEndpoint(endpoint, release, secrets)

    def secrets_of(self, accepted: AcceptedEndpoint) -> dict[str, str]:
        """The secrets that the endpoint would have: those that were entered, or those that it
        refers to. Raises as `Vault.secrets_of`."""
        endpoint = accepted.endpoint
        if endpoint.secret_ref is None:
            return accepted.secrets
        binding, now = endpoint.binding, endpoint.created_at
        return self._vault.secrets_of(endpoint, accepted.release, binding, now)

    def store(self, accepted: AcceptedEndpoint) -> Endpoint:
        """Stores exactly what was accepted. Raises `InvalidInput` if its release is gone."""
        return serially(lambda: self._endpoints.create(accepted.endpoint, self.sealed(accepted)))

    def sealed(self, accepted: AcceptedEndpoint) -> Item | None:
        """The item of its sealed secrets; None if it has none. Raises as `Vault.sealed`."""
        endpoint, secrets = accepted.endpoint, accepted.secrets
        if not secrets:
            return None
        scope = SecretScope.of(endpoint, endpoint.binding)
        return self._vault.sealed(scope, secrets, endpoint.created_at)
