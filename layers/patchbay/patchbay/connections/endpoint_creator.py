"""Creates sources and destinations of releases."""

from patchbay.checks.roles import Role
from patchbay.connections.endpoint_model import Endpoint, NewEndpoint, id_prefix
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.endpoint_values import normalized, revealed, value_problems
from patchbay.connections.installed_members import installed_members
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import InvalidConfig, InvalidInput
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import serially
from patchbay.registry.manifest import Manifest
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore


class EndpointCreator:
    """Creates endpoints. A variable that is not given takes the manifest's default, or else the
    schema's."""

    def __init__(self, registry: RegistryStore, endpoints: EndpointStore, vault: Vault) -> None:
        self._releases = ReleaseFinder(registry)
        self._endpoints = endpoints
        self._vault = vault

    def create(self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp) -> Endpoint:
        """Stores a new endpoint. Raises as `prepare`."""

        def attempt() -> Endpoint:
            endpoint, sealed = self.prepare(organization_id, role, new, stamp)
            return self._endpoints.create(endpoint, sealed)

        # Data keys may be rotated between the sealing and the write.
        return serially(attempt)

    def prepare(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> tuple[Endpoint, Item | None]:
        """The endpoint that a create would store, and the item of its sealed secrets.

        Raises `InvalidInput` and `InvalidConfig` with a pointer to each field.
        """
        release = self._releases.installable(
            organization_id, new.integration, new.version, stamp.now
        )
        manifest = Manifest.of(release.manifest)
        if role not in manifest.roles:
            raise InvalidInput.at("/integration", f"does not support the role {role.value}")
        variables = normalized({**manifest.defaults, **new.variables}, release.variables_schema)
        secrets = revealed(new.secrets)
        if problems := value_problems(release, variables, secrets, (), new.secret_ref):
            raise InvalidConfig(problems)
        if new.secret_ref is not None:
            self._vault.require_own_reference(new.secret_ref, organization_id)
        endpoint = Endpoint(
            **new.model_dump(exclude={"secrets", "variables", "version"}),
            id=stamp.id(id_prefix(role)),
            organization_id=organization_id,
            role=role,
            integration_id=release.id,
            version=release.version,
            category=manifest.category,
            variables=variables,
            secrets_set=sorted(secrets),
            secrets_entered_at=stamp.now if secrets or new.secret_ref else None,
            members=installed_members(manifest.members),
            dependencies=self._releases.dependencies(organization_id, release, stamp.now),
            created_at=stamp.now,
            updated_at=stamp.now,
            binding=recipe_of(release).binding(release.id, variables),
            revision=1,
        )
        scope = SecretScope.of(endpoint, endpoint.binding)
        sealed = self._vault.sealed(scope, secrets, stamp.now) if secrets else None
        return endpoint, sealed
