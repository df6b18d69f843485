"""Making endpoints and connections of releases: what is asked for is what is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import SecretStr

from patchbay.checks.roles import Role
from patchbay.connections.keys import key_of, secret_key
from patchbay.connections.model import (
    MAX_VALUES_BYTES,
    UNTESTED,
    Connection,
    ConnectionPatch,
    EditReport,
    Endpoint,
    EndpointPatch,
    InstalledDependency,
    InstalledMember,
    InvalidConnection,
    Lifecycle,
    Monitor,
    MonitorPatch,
    NewConnection,
    NewEndpoint,
    OwnershipMode,
    RequiredAction,
    id_prefix,
    may_become,
)
from patchbay.connections.secret_references import SecretReference
from patchbay.connections.secret_rules import secret_problems
from patchbay.connections.store import ConnectionStore, SecretChange
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.dynamodb import Delete, Item, Put
from patchbay.platform.errors import (
    Conflict,
    EditFailedTest,
    InvalidConfig,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Problem,
    SecretReentryRequired,
    SecretsLost,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.json_schema import document_problems, with_defaults
from patchbay.platform.revisions import IfMatch, merge_patch, require_match, serially
from patchbay.platform.strict_json import same
from patchbay.platform.validation import FieldError, excess
from patchbay.registry.dependencies import Dependencies
from patchbay.registry.manifest import Member, read
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

_MAX_TOLD = 20
"""Connections of an endpoint that an answer names."""

type OpenSecrets = Callable[[], dict[str, str]]
"""Opens the secrets that an endpoint would have; raises what `Vault.secrets_of` raises."""


class Tested(Protocol):
    """The report of a test; as JSON it is the `details.test` of an edit that is refused."""

    @property
    def succeeded(self) -> bool: ...

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


type TestOf[T: Tested] = Callable[[Endpoint, Release, OpenSecrets], T]
"""Tests an endpoint as it would be; nothing of it is stored. The check engine can."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What a patch makes of an endpoint. With problems, the rest is not to be stored.

    `to_enter` are the secrets that would be kept although where they go has `changed`, and
    `ref_to_enter` says the same of a reference.
    """

    endpoint: Endpoint
    release: Release
    problems: list[Problem]
    changed: list[str]
    to_enter: list[str]
    ref_to_enter: bool
    entered: dict[str, str] = field(repr=False)
    kept: list[str]
    invalid: dict[str, list[Problem]]
    """By their ids, the connections whose configurations the new release refuses."""

    def seals_kept(self, old: Endpoint) -> bool:
        """Whether stored secrets are opened, to be sealed anew beside others or without some."""
        return bool(self.kept) and bool(self.entered or self.kept != old.secrets_set)


class Configurator:
    """The use cases that make endpoints and connections; reads and deletes are the store's."""

    def __init__(
        self,
        tenants: TenancyStore,
        registry: RegistryStore,
        store: ConnectionStore,
        vault: Vault,
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

        def attempt() -> Endpoint:
            endpoint, sealed = self.made_endpoint(organization_id, role, new, stamp)
            return self._store.create_endpoint(endpoint, sealed)

        # Data keys may be rotated between the sealing and the write.
        return serially(attempt)

    def made_endpoint(
        self, organization_id: str, role: Role, new: NewEndpoint, stamp: Stamp
    ) -> tuple[Endpoint, Item | None]:
        """What a create is about to store: the endpoint and its sealed secrets."""
        release = self._release(organization_id, new.integration, new.version, stamp.now)
        manifest = read(release.manifest)
        if role not in manifest.roles:
            raise InvalidInput.at("/integration", f"can't be a {role.value}")
        schema = release.variables_schema
        variables = _canonical(
            with_defaults({**manifest.defaults, **new.variables}, schema), schema
        )
        if problems := [
            *_size_problems(variables, "/variables"),
            *document_problems(variables, schema, "/variables"),
            *secret_problems(list(new.secrets), _plain(new.secrets), release),
            *_exclusion_problems(new.secret_ref, list(new.secrets)),
        ]:
            raise InvalidConfig(problems)
        self._require_own(new.secret_ref, organization_id)
        given = _plain(new.secrets)
        endpoint = Endpoint(
            **new.model_dump(exclude={"secrets", "variables", "version"}),
            id=stamp.id(id_prefix(role)),
            organization_id=organization_id,
            role=role,
            integration_id=release.id,
            version=release.version,
            category=manifest.category,
            variables=variables,
            secrets_set=sorted(new.secrets),
            secrets_entered_at=stamp.now if new.secrets or new.secret_ref else None,
            members=[_installed(member) for member in manifest.members],
            dependencies=self._dependencies(organization_id, release, stamp.now),
            created_at=stamp.now,
            updated_at=stamp.now,
            binding=recipe_of(release).binding(release.id, variables),
            revision=1,
        )
        scope = SecretScope.of(endpoint, endpoint.binding)
        sealed = self._vault.sealed(scope, given, stamp.now) if given else None
        return endpoint, sealed

    def change_endpoint(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Endpoint:
        """Raises `NotFound`, `PreconditionFailed`, `InvalidConfig`, also for an upgrade that makes
        configurations of connections invalid, and `SecretReentryRequired` if secrets that are kept
        would go elsewhere, or have to be opened and can't be any more.
        """

        def attempt() -> tuple[Endpoint, Endpoint]:
            old = self._store.endpoint(organization_id, role, endpoint_id)
            require_match(if_match, old.revision)
            edit = self._accepted(old, patch, now)
            self._store.replace_endpoint(old, edit.endpoint, self._secret_change(old, edit, now))
            return old, edit.endpoint

        old, new = serially(attempt)
        self._let_go(old, new, now)
        return new

    def changed_endpoint(
        self,
        old: Endpoint,
        patch: EndpointPatch,
        now: datetime,
        variables: Mapping[str, Any] | None = None,
    ) -> tuple[Endpoint, SecretChange]:
        """What a change is about to store: the endpoint, and what becomes of its secrets.

        `variables`, where given, replace what there is. Raises as `change_endpoint`.
        """
        edit = self._accepted(old, patch, now, variables)
        return edit.endpoint, self._secret_change(old, edit, now)

    def change_tested[T: Tested](
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        test: TestOf[T],
        now: datetime,
    ) -> tuple[Endpoint, T]:
        """As `change_endpoint`, but stores the edit only if a test of it succeeds.

        What was tested is what is stored: raises `PreconditionFailed` or, without If-Match,
        `Conflict` if the endpoint was changed meanwhile. Raises `EditFailedTest` with the report.
        """
        old = self._store.endpoint(organization_id, role, endpoint_id)
        require_match(if_match, old.revision)
        edit = self._accepted(old, patch, now)
        report = test(edit.endpoint, edit.release, lambda: self._secrets(old, edit, now))
        if not report.succeeded:
            raise EditFailedTest(report.model_dump(mode="json"))

        def attempt() -> None:
            standing = self._store.endpoint(organization_id, role, endpoint_id)
            if standing.revision != old.revision:
                raise PreconditionFailed if if_match else _changed_meanwhile()
            if invalid := self._made_invalid(standing, edit.release):
                raise InvalidConfig(_upgrade_problems(invalid))
            new = edit.endpoint
            self._store.replace_endpoint(standing, new, self._secret_change(old, edit, now))

        serially(attempt)
        self._let_go(old, edit.endpoint, now)
        return edit.endpoint, report

    def preview(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        now: datetime,
    ) -> EditReport:
        """What an edit, such as an upgrade, would come to. Raises `NotFound`."""
        old = self._store.endpoint(organization_id, role, endpoint_id)
        edit = self._edited(old, patch, now)
        to_enter = edit.to_enter
        if not edit.problems and not to_enter and edit.seals_kept(old):
            to_enter = self._lost(old, edit, now)
        return EditReport(
            version=edit.endpoint.version,
            valid=not (edit.problems or to_enter or edit.ref_to_enter or edit.invalid),
            errors=_told(edit.problems),
            secrets_to_enter=to_enter,
            secret_ref_to_enter=edit.ref_to_enter,
            connections=[
                InvalidConnection(id=connection_id, errors=_told(problems))
                for connection_id, problems in list(edit.invalid.items())[:_MAX_TOLD]
            ],
        )

    def _accepted(
        self,
        old: Endpoint,
        patch: EndpointPatch,
        now: datetime,
        variables: Mapping[str, Any] | None = None,
    ) -> Edit:
        """An edit that may be stored. Raises `InvalidConfig` and `SecretReentryRequired`."""
        edit = self._edited(old, patch, now, variables)
        if problems := [*edit.problems, *_upgrade_problems(edit.invalid)]:
            raise InvalidConfig(problems)
        pointers = [f"/secrets/{name}" for name in edit.to_enter]
        if edit.ref_to_enter:
            pointers.append("/secret_ref")
        if pointers:
            raise SecretReentryRequired(pointers, edit.changed)
        return edit

    def _let_go(self, old: Endpoint, new: Endpoint, now: datetime) -> None:
        if new.version != old.version:
            self._registry.let_go(old.integration_id, old.version, now)

    def _require_own(self, secret_ref: str | None, organization_id: str) -> None:
        """Raises `ReferenceDenied` and `InvalidInput`."""
        if secret_ref is not None:
            SecretReference.entered(secret_ref, organization_id, self._vault.keys.region)

    def _edited(
        self,
        old: Endpoint,
        patch: EndpointPatch,
        now: datetime,
        variables: Mapping[str, Any] | None = None,
    ) -> Edit:
        release = self._registry.release(old.integration_id, old.version)
        if patch.version is not None:
            release = self._another(old, patch.version, now)
        manifest = read(release.manifest)
        schema = release.variables_schema
        replaced = variables is not None
        if variables is None:
            reset = "variables" in patch.model_fields_set and patch.variables is None
            variables = {} if reset else merge_patch(old.variables, patch.variables or {})
        if replaced or release.version != old.version:
            variables = {**manifest.defaults, **variables}
        variables = _canonical(with_defaults(variables, schema), schema)
        entered = _plain(patch.secrets or {})
        given = "secrets" in patch.model_fields_set
        removed = old.secrets_set if given and patch.secrets is None else (patch.secrets or {})
        kept = [name for name in old.secrets_set if name not in removed]
        ref_given = "secret_ref" in patch.model_fields_set
        secret_ref = patch.secret_ref if ref_given else old.secret_ref
        if ref_given:
            self._require_own(secret_ref, old.organization_id)
        problems = [
            *([] if old.role in manifest.roles else [Problem("/version", "has not this role")]),
            *_size_problems(variables, "/variables"),
            *document_problems(variables, schema, "/variables"),
            *secret_problems([*kept, *entered], entered, release),
            *_exclusion_problems(secret_ref, [*kept, *entered]),
        ]
        binding = old.binding if problems else recipe_of(release).binding(release.id, variables)
        changed = changed_parts(old.binding, binding)
        endpoint = old.model_copy(
            update={
                **_plain_changes(patch),
                "version": release.version,
                "category": manifest.category,
                "variables": variables,
                "secrets_set": sorted([*kept, *entered]),
                "secret_ref": secret_ref,
                "secrets_entered_at": _entered_at(old, secret_ref, kept, entered, now),
                "binding": binding,
                "updated_at": now,
                "revision": old.revision + 1,
            }
        )
        if release.version != old.version:
            endpoint.members = _upgraded(old.members, manifest.members)
            endpoint.dependencies = self._dependencies(old.organization_id, release, now)
        return Edit(
            endpoint=endpoint,
            release=release,
            problems=problems,
            changed=changed,
            to_enter=kept if changed else [],
            ref_to_enter=bool(changed) and secret_ref is not None and not ref_given,
            entered=entered,
            kept=kept,
            invalid=self._made_invalid(old, release),
        )

    def _made_invalid(self, old: Endpoint, release: Release) -> dict[str, list[Problem]]:
        """The connections of a source that another release would refuse; drafts may be refused."""
        if old.role is not Role.SOURCE or release.version == old.version:
            return {}
        return {
            connection.id: problems
            for connection in self._store.users(old.organization_id, old.id)
            if connection.status is not Lifecycle.DRAFT
            and (problems := recipe_of(release).configuration_problems(connection.configurations))
        }

    def _secrets(self, old: Endpoint, edit: Edit, now: datetime) -> dict[str, str]:
        """What the endpoint would have: what is kept with what is entered, or what it refers to."""
        if edit.endpoint.secret_ref is not None:
            new = edit.endpoint
            return self._vault.secrets_of(new, edit.release, new.binding, now)
        if not edit.kept:
            return edit.entered
        try:
            # They go where they always went, or the edit would not have been accepted.
            stored = self._vault.secrets_of(old, edit.release, old.binding, now)
        except SecretsLost:
            raise SecretsLost(edit.kept) from None
        return {name: stored[name] for name in edit.kept} | edit.entered

    def _lost(self, old: Endpoint, edit: Edit, now: datetime) -> list[str]:
        """Secrets that an edit keeps and that can't be opened any more."""
        try:
            self._secrets(old, edit, now)
        except SecretsLost as lost:
            return list(lost.names)
        return []

    def _secret_change(self, old: Endpoint, edit: Edit, now: datetime) -> SecretChange:
        """Seals what is entered with what is kept; nothing if neither secrets nor place change."""
        if not edit.changed and not edit.entered and edit.kept == old.secrets_set:
            return SecretChange()
        if not edit.entered and not edit.kept:
            return SecretChange([Delete(secret_key(old.organization_id, old.id))])
        scope = SecretScope.of(edit.endpoint, edit.endpoint.binding)
        sealed = self._vault.sealed(scope, self._secrets(old, edit, now), now)
        return SecretChange([Put(sealed), key_of(sealed)], sorted(edit.entered))

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

        def attempt() -> Connection:
            source = self._named(organization_id, Role.SOURCE, new.source_id)
            if new.destination_id:
                self._named(organization_id, Role.DESTINATION, new.destination_id)
            space = self.space(organization_id, new.space, "/space")
            connection = made_connection(organization_id, new, space, stamp)
            self._require_valid(connection, source)
            return self._store.create_connection(connection, space, source.version)

        return serially(attempt)

    def change_connection(
        self,
        organization_id: str,
        connection_id: str,
        patch: ConnectionPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Connection:
        """Raises `NotFound`, `PreconditionFailed`, `InvalidInput` and `InvalidConfig` with a
        pointer to each field, `Conflict` for a status that it can't become.
        """

        def attempt() -> Connection:
            old = self._store.connection(organization_id, connection_id)
            require_match(if_match, old.revision)
            new = changed_connection(old, patch, now)
            if new.destination_id and new.destination_id != old.destination_id:
                self._named(organization_id, Role.DESTINATION, new.destination_id)
            version = self.judged_by(old, new)
            self._store.change_connection(old, new, version)
            return new

        return serially(attempt)

    def judged_by(self, old: Connection, new: Connection) -> str | None:
        """The release of the source that takes the new configurations, None if none had to.

        Raises `InvalidConfig`.
        """
        finished = old.status is Lifecycle.DRAFT is not new.status
        if same(new.configurations, old.configurations) and not finished:
            return None
        source = self._named(new.organization_id, Role.SOURCE, new.source_id)
        self._require_valid(new, source)
        return source.version

    def _require_valid(self, connection: Connection, source: Endpoint) -> None:
        """A draft may be unfinished. Raises `InvalidConfig`."""
        if connection.status is Lifecycle.DRAFT:
            return
        release = self._registry.release(source.integration_id, source.version)
        if problems := recipe_of(release).configuration_problems(connection.configurations):
            raise InvalidConfig(problems)

    def space(self, organization_id: str, slug: str, pointer: str) -> Space:
        """A space of this organization. Raises `InvalidInput` at `pointer`, which named it."""
        try:
            space = self._tenants.space(slug)
        except NotFound:
            space = None
        if space is None or space.organization_id != organization_id:
            raise InvalidInput.at(pointer, "is no space of this organization")
        return space

    def _release(
        self, organization_id: str, integration: str, version: str | None, now: datetime
    ) -> Release:
        publisher, _, slug = integration.partition("/")
        try:
            return self._registry.installable(publisher, slug, version, organization_id, now)
        except NotFound as missing:
            at = "/version" if missing.code == "RELEASE_NOT_FOUND" and version else "/integration"
            raise InvalidInput.at(at, "names no release that you may use") from None

    def _another(self, old: Endpoint, version: str, now: datetime) -> Release:
        """Another release of an endpoint's integration. Raises `InvalidInput`."""
        publisher, _, slug = old.integration.partition("/")
        try:
            found = self._registry.installable(publisher, slug, version, old.organization_id, now)
        except NotFound:
            found = None
        # After a purge, publisher and slug may be those of another integration.
        if found is None or found.id != old.integration_id:
            raise InvalidInput.at("/version", "names no release that you may use")
        return found

    def _dependencies(
        self, organization_id: str, release: Release, now: datetime
    ) -> list[InstalledDependency]:
        try:
            found = Dependencies(self._registry, organization_id, now).all_resolved(release)
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


def made_connection(
    organization_id: str,
    new: NewConnection,
    space: Space,
    stamp: Stamp,
    *,
    owns_source: bool = False,
) -> Connection:
    """A connection that was never tested."""
    return Connection(
        **new.model_dump(exclude={"space", "monitor"}),
        id=stamp.id("con"),
        organization_id=organization_id,
        space=space.slug,
        space_id=space.id,
        monitor=new.monitor,
        health=UNTESTED,
        required_action=RequiredAction.NONE,
        created_at=stamp.now,
        updated_at=stamp.now,
        owns_source=owns_source,
        stated_status=None,
        revision=1,
    )


def changed_connection(old: Connection, patch: ConnectionPatch, now: datetime) -> Connection:
    """A connection after a merge patch. Pure.

    Raises `InvalidInput` for a null where there has to be something, `Conflict` for a status that
    it can't become.
    """
    said = patch.model_fields_set
    for required in ("name", "status"):
        if required in said and getattr(patch, required) is None:
            raise InvalidInput.at(f"/{required}", "is required")
    changes: dict[str, Any] = {"updated_at": now, "revision": old.revision + 1}
    if patch.name is not None:
        changes["name"] = patch.name
    if "destination_id" in said:
        changes["destination_id"] = patch.destination_id
    if "configurations" in said:
        reset = patch.configurations is None
        changes["configurations"] = (
            {} if reset else merge_patch(old.configurations, patch.configurations)
        )
        if problems := _size_problems(changes["configurations"], "/configurations"):
            raise InvalidInput(problems)
    if "monitor" in said:
        changes["monitor"] = _changed_monitor(old.monitor, patch.monitor)
    if patch.status is not None:
        changes |= {"status": become(old, patch.status), "stated_status": None}
    return old.model_copy(update=changes)


def become(old: Connection, status: Lifecycle) -> Lifecycle:
    """The status, if the connection may become it. Raises `Conflict`."""
    if not may_become(old.status, status):
        raise Conflict(
            f"A connection that is {old.status.value} can't become {status.value}.",
            errors=[{"pointer": "/status", "message": f"can't follow {old.status.value}"}],
        )
    return status


def _changed_monitor(old: Monitor, patch: MonitorPatch | None) -> Monitor:
    if patch is None:
        return Monitor()
    return Monitor.model_validate(
        merge_patch(old.model_dump(), patch.model_dump(exclude_unset=True))
    )


def changed_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The parts of a binding that are not as they were. Secrets are sealed for its very text."""
    return sorted(name for name in new if not same(new[name], old.get(name)))


def _size_problems(values: Mapping[str, Any], at: str) -> list[Problem]:
    """Each of many patches may be small, and what they come to may outgrow an item."""
    message = excess(values, MAX_VALUES_BYTES)
    return [Problem(at, message)] if message else []


def _canonical(variables: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Host names in one spelling: lower case, without the dot of the root."""
    hosts = {
        name
        for name, rule in schema.get("properties", {}).items()
        if isinstance(rule, dict) and rule.get("format") == "hostname"
    }
    return {
        name: value.lower().removesuffix(".") if name in hosts and isinstance(value, str) else value
        for name, value in variables.items()
    }


def _exclusion_problems(secret_ref: str | None, names: Sequence[str]) -> list[Problem]:
    if secret_ref is None or not names:
        return []
    message = 'excludes secrets; an edit can remove the stored ones by "secrets": null'
    return [Problem("/secret_ref", message)]


def _entered_at(
    old: Endpoint,
    secret_ref: str | None,
    kept: Sequence[str],
    entered: Mapping[str, str],
    now: datetime,
) -> datetime | None:
    """When the newest of the secrets, or the reference to them, was entered."""
    if entered or (secret_ref and secret_ref != old.secret_ref):
        return now
    return old.secrets_entered_at if kept or secret_ref else None


def _changed_meanwhile() -> Conflict:
    return Conflict("The endpoint was changed while this edit was tested: nothing was stored.")


def _upgrade_problems(invalid: Mapping[str, list[Problem]]) -> list[Problem]:
    return [
        Problem(
            "/version",
            f"takes no longer the configurations of {connection_id}: "
            + "; ".join(f"{p.pointer} {p.message}" for p in problems),
        )
        for connection_id, problems in list(invalid.items())[:_MAX_TOLD]
    ]


def _told(problems: list[Problem]) -> list[FieldError]:
    return [FieldError(pointer=p.pointer, message=p.message) for p in problems]


def _plain(secrets: Mapping[str, SecretStr | None]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secrets.items() if value is not None}


def _plain_changes(patch: EndpointPatch) -> dict[str, Any]:
    """What a patch says of the fields that it may change as they are; null resets."""
    names = {"name", "environment", "external_account_id", "ownership_mode"}
    said = {name: getattr(patch, name) for name in names & patch.model_fields_set}
    for required, default in (("name", None), ("ownership_mode", OwnershipMode.MANAGED)):
        if required in said and said[required] is None:
            if default is None:
                raise InvalidInput.at(f"/{required}", "is required")
            said[required] = default
    return said


def _upgraded(old: list[InstalledMember], members: list[Member]) -> list[InstalledMember]:
    """A forked member is the endpoint's own: an upgrade leaves it as it is."""
    forked = {member.name: member for member in old if member.forked}
    return [forked.get(member.name) or _installed(member) for member in members]


def _installed(member: Member) -> InstalledMember:
    forked = member.fork_on_install
    return InstalledMember(
        name=member.name,
        kind=member.kind,
        forked=forked,
        content=member.content if forked else None,
    )
