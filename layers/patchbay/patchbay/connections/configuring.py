"""Making endpoints and connections of releases: what is asked for is what is given."""

from datetime import datetime
from typing import Any

from patchbay.connections.model import (
    Connection,
    Endpoint,
    InstalledDependency,
    InstalledMember,
    NewConnection,
    NewEndpoint,
    id_prefix,
)
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.platform.errors import InvalidConfig, InvalidInput, NotFound, Problem
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import IfMatch
from patchbay.platform.schemas import document_problems, with_defaults
from patchbay.registry.auth_config import secret_names
from patchbay.registry.dependencies import Dependencies
from patchbay.registry.manifest import Member, Role, read
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

_CLOSING = ("additionalProperties", "unevaluatedProperties")
"""Of a secretsSchema: the secrets of `authConfig` come beside those that it declares."""


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
        """Raises `InvalidInput` and `InvalidConfig` with a pointer to each field.

        A variable that is not given takes the manifest's default, or else the schema's.
        """
        release = self._installable(organization_id, new, stamp)
        manifest = read(release.manifest)
        if role not in manifest.roles:
            raise InvalidInput.at("/integration", f"can't be a {role.value}")
        schema = release.variables_schema
        variables = with_defaults({**manifest.defaults, **new.variables}, schema)
        if problems := [
            *document_problems(variables, schema, "/variables"),
            *_secret_problems(new, release),
        ]:
            raise InvalidConfig(problems)
        endpoint = Endpoint(
            **new.model_dump(exclude={"secrets", "variables", "version"}),
            id=stamp.id(id_prefix(role)),
            organization_id=organization_id,
            role=role,
            integration_id=release.id,
            version=release.version,
            variables=variables,
            secrets_set=sorted(new.secrets),
            members=[_installed(member) for member in manifest.members],
            dependencies=self._dependencies(organization_id, release, stamp),
            created_at=stamp.now,
            updated_at=stamp.now,
            revision=1,
        )
        secrets = {name: value.get_secret_value() for name, value in new.secrets.items()}
        self._store.create_endpoint(endpoint, secrets, self._vault)
        return endpoint

    def delete_endpoint(
        self, organization_id: str, role: Role, endpoint_id: str, if_match: IfMatch, now: datetime
    ) -> None:
        """Raises `NotFound`, `PreconditionFailed`, `Conflict` IN_USE."""
        gone = self._store.delete_endpoint(organization_id, role, endpoint_id, if_match)
        self._registry.let_go(gone.integration_id, gone.version, now)

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

    def _installable(self, organization_id: str, new: NewEndpoint, stamp: Stamp) -> Release:
        publisher, _, slug = new.integration.partition("/")
        try:
            return self._registry.installable(
                publisher, slug, new.version, organization_id, stamp.now
            )
        except NotFound as missing:
            at = "/version" if missing.code == "RELEASE_NOT_FOUND" and new.version else ""
            raise InvalidInput.at(
                at or "/integration", "names no release that you may use"
            ) from None

    def _dependencies(
        self, organization_id: str, release: Release, stamp: Stamp
    ) -> list[InstalledDependency]:
        try:
            found = Dependencies(self._registry, organization_id, stamp.now).all_resolved(release)
        except NotFound:
            raise InvalidInput.at(
                "/integration", "depends on an integration that you may not use"
            ) from None
        return [
            InstalledDependency(
                integration=f"{dependency.publisher}/{dependency.slug}",
                integration_id=dependency.id,
                version=dependency.version,
            )
            for dependency in found
        ]

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
    """Secrets that the release does not know, or whose schema refuses them; none is quoted.

    One that is missing may come later: a test of the endpoint says so.
    """
    known = secret_names(release.auth_config, release.manifest)
    names = ", ".join(known) or "none"
    given = {name: value.get_secret_value() for name, value in new.secrets.items()}
    schema = read(release.manifest).secrets_schema
    rules = {name: rule for name, rule in schema.items() if name not in ("required", *_CLOSING)}
    return [
        Problem(f"/secrets/{name}", f"is no secret of this integration (it has: {names})")
        for name in given
        if name not in known
    ] + document_problems(given, rules, "/secrets")


def _installed(member: Member) -> InstalledMember:
    forked = member.fork_on_install
    return InstalledMember(
        name=member.name,
        kind=member.kind,
        forked=forked,
        content=member.content if forked else None,
    )
