"""Making endpoints and connections of releases: what is asked for is what is given."""

from typing import Any

from patchbay.connections.model import (
    Connection,
    Endpoint,
    NewConnection,
    NewEndpoint,
    Role,
)
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.platform.errors import InvalidConfig, InvalidInput, NotFound, Problem
from patchbay.platform.ids import Stamp
from patchbay.platform.schemas import document_problems, with_defaults
from patchbay.registry.auth_config import secret_names
from patchbay.registry.model import Release, roles_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore


class Configurator:
    """The use cases that make endpoints and connections; reads and deletes are the store's."""

    def __init__(
        self, tenants: TenancyStore, registry: RegistryStore, store: ConnectionStore, vault: Vault
    ) -> None:
        self._tenants = tenants
        self._registry = registry
        self._store = store
        self._vault = vault

    def create_endpoint(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> Endpoint:
        """Raises `InvalidInput` and `InvalidConfig` with a pointer to each field."""
        publisher, _, slug = new.integration.partition("/")
        try:
            release = self._registry.installable(publisher, slug, new.version, organization_id)
        except NotFound as missing:
            thing = "/version" if missing.code == "RELEASE_NOT_FOUND" and new.version else ""
            raise InvalidInput.at(
                thing or "/integration", "names no release that you may use"
            ) from None
        if role not in roles_of(release.manifest):
            raise InvalidInput.at("/integration", f"can't be a {role.value}")
        variables = with_defaults(new.variables, release.variables_schema)
        if problems := [
            *document_problems(variables, release.variables_schema, "/variables"),
            *_secret_problems(new, release),
        ]:
            raise InvalidConfig(problems)
        return self._store.create_endpoint(
            organization_id, role, new, release, variables, self._vault, stamp
        )

    def create_connection(
        self, organization_id: str, new: NewConnection, stamp: Stamp
    ) -> Connection:
        """Raises `InvalidInput` and `InvalidConfig` with a pointer to each field."""
        source = self._named(organization_id, Role.SOURCE, new.source_id)
        if new.destination_id:
            self._named(organization_id, Role.DESTINATION, new.destination_id)
        space = self.space(organization_id, new.space, "/space")
        release = self._registry.release(source.integration_id, source.version)
        if problems := configuration_problems(release, new.configurations):
            raise InvalidConfig(problems)
        return self._store.create_connection(organization_id, new, space, stamp)

    def space(self, organization_id: str, slug: str, pointer: str) -> Space:
        """A space of this organization. Raises `InvalidInput` at `pointer`, which named it."""
        try:
            space = self._tenants.space(slug)
        except NotFound:
            space = None
        if space is None or space.organization_id != organization_id:
            raise InvalidInput.at(pointer, "is no space of this organization")
        return space

    def _named(self, organization_id: str, role: Role, endpoint_id: str) -> Endpoint:
        try:
            return self._store.endpoint(organization_id, role, endpoint_id)
        except NotFound:
            raise InvalidInput.at(
                f"/{role.value}_id", f"is no {role.value} of this organization"
            ) from None


def configuration_problems(release: Release, configurations: dict[str, Any]) -> list[Problem]:
    """What a release's `configurationSchema` refuses; a release without one takes anything."""
    schema = release.manifest.get("configurationSchema", {})
    return document_problems(configurations, schema, "/configurations")


def _secret_problems(new: NewEndpoint, release: Release) -> list[Problem]:
    known = secret_names(release.auth_config, release.manifest)
    names = ", ".join(known) or "none"
    return [
        Problem(f"/secrets/{name}", f"is no secret of this integration (it has: {names})")
        for name in new.secrets
        if name not in known
    ]
