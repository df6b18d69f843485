"""The operations `integrations.connection.create`, `update`, `delete` and `list`.

A record is a connection and its source as one. `create` and `delete` write both in one transaction,
and `update` changes either or both. They are the use cases of sources and connections under other
names: the same rules apply, with pointers into the operation's own input.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from patchbay.checks.roles import Role
from patchbay.connections.bindings import binding_before
from patchbay.connections.connection_changes import (
    new_connection,
    next_lifecycle,
    settled_connection,
    watched_anew,
)
from patchbay.connections.connection_editor import ConnectionEditor
from patchbay.connections.connection_model import Connection, NewConnection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_creator import EndpointCreator
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import Endpoint, EndpointPatch, NewEndpoint, SecretProvider
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.endpoint_values import changed_parts
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.operation_models import (
    ConnectionRecord,
    ConnectionRecords,
    CreateConnection,
    ListConnections,
    UpdateConnection,
    secrets_of,
)
from patchbay.connections.record_store import RecordStore
from patchbay.connections.shown_connections import ShownConnections
from patchbay.connections.usage_model import NEVER_USED
from patchbay.connections.usage_store import UsageStore
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.errors import (
    InvalidConfig,
    InvalidInput,
    NotFound,
    Problem,
    ReferenceDenied,
    SecretReentryRequired,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import changes_nothing, serially
from patchbay.platform.validation import problems_of
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

NO_SECRETS: Final = "patchbay://none"
_STORED: Final = re.compile(r"patchbay://(src_[0-9A-HJKMNP-TV-Z]{26})")

_FIELDS: Final = {
    "integration": "/integrationKey",
    "version": "/integrationVersion",
    "name": "/label",
    "ownership_mode": "/ownershipMode",
    "external_account_id": "/externalAccountId",
    "environment": "/environment",
    "space": "/space",
    "variables": "/config",
}
"""Fields of sources and connections, and the operations' names for them."""

_WITHOUT_PARTS: Final = {
    "secrets": "/secretRef",
    "secret_ref": "/secretRef",
    "configurations": "/status",
}
"""Fields whose parts the operations don't have. Only `status` can require configurations."""


class ConnectionOperations:
    """The use cases of the operations, for one organization at a time."""

    def __init__(
        self,
        creator: EndpointCreator,
        endpoint_editor: EndpointEditor,
        connection_editor: ConnectionEditor,
        tenants: TenancyStore,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
        records: RecordStore,
        usages: UsageStore,
        vault: Vault,
        shown: ShownConnections,
    ) -> None:
        self._creator = creator
        self._endpoint_editor = endpoint_editor
        self._connection_editor = connection_editor
        self._tenants = tenants
        self._registry = registry
        self._endpoints = endpoints
        self._connections = connections
        self._records = records
        self._usages = usages
        self._vault = vault
        self._shown = shown

    def create(self, new: CreateConnection, stamp: Stamp) -> ConnectionRecord:
        """Creates a source of the newest release of a major version, and a connection of it.

        A connection that still lacks secrets or configurations is a draft, and its required action
        says so. Raises `NotFound` for an organization that does not exist, `InvalidInput` and
        `InvalidConfig` with a pointer to each field, `SecretReentryRequired` for secrets that are
        bound to another destination or can't be opened any more.
        """

        def attempt() -> ConnectionRecord:
            space = self._space(new)
            given = self._credentials(new.tenant_id, new.secret_provider, new.secret_ref, stamp.now)
            source, sealed = self._creator.prepare(
                new.tenant_id, Role.SOURCE, _new_source(new, given.fields), stamp
            )
            given.require_scope(source)
            connection = self._new_connection(new, source, space, stamp)
            stored, connected = self._records.create(source, sealed, connection, space)
            return self._record(connected, stored)

        with _named_as_the_operations_do():
            return serially(attempt)

    def update(
        self, organization_id: str, change: UpdateConnection, now: datetime
    ) -> ConnectionRecord:
        """Raises `NotFound`, and as `create`."""

        def attempt() -> ConnectionRecord:
            old = self._connections.get(organization_id, change.connection_id)
            source = self._endpoints.get(organization_id, Role.SOURCE, old.source_id)
            new = _changed_connection(old, change, now)
            new, version = self._connection_editor.judged(old, new)
            if changes_nothing(old, new):
                new = old
            fields, given = self._changes_of_source(old, source, change, now)
            if not fields and change.config is None:
                if new is not old:
                    self._connections.change(old, new, version)
                return self._record(self._shown.one(new, now), source)
            patch = EndpointPatch.model_validate(fields)
            edit = self._endpoint_editor.accept(source, patch, now, change.config)
            secrets = self._endpoint_editor.secret_change(edit, now)
            given.require_scope(edit.endpoint)
            self._records.change((source, edit.stored), secrets, (old, new))
            return self._record(self._shown.one(new, now), edit.stored)

        with _named_as_the_operations_do():
            return serially(attempt)

    def delete(self, organization_id: str, connection_id: str, now: datetime) -> None:
        """Deletes a connection; with its source, if that was created with it and no other
        connection uses it.

        Raises `NotFound`.
        """
        connection = self._connections.get(organization_id, connection_id)
        space = self._tenants.own_space(organization_id, connection.space, "/connectionId")
        gone = self._records.delete(organization_id, connection_id, space)
        if gone:
            self._registry.let_go(gone.integration_id, gone.version, now)

    def list_records(self, query: ListConnections, now: datetime) -> ConnectionRecords:
        """Raises `InvalidCursor`."""

        def is_asked_for(connection: Connection, source: Endpoint) -> bool:
            return query.status in (None, connection.word) and query.category in (
                None,
                source.category,
            )

        page = self._records.page(query.tenant_id, query, is_asked_for, now)
        connections = self._shown.all([connection for connection, _ in page.items], now)
        sources = [source for _, source in page.items]
        usages = self._usages.of_all(query.tenant_id, connections)
        return ConnectionRecords(
            connections=[
                ConnectionRecord.of(connection, source, usages.get(connection.id, NEVER_USED))
                for connection, source in zip(connections, sources, strict=True)
            ],
            next_cursor=page.next_cursor,
        )

    def _record(self, connection: Connection, source: Endpoint) -> ConnectionRecord:
        return ConnectionRecord.of(connection, source, self._usages.of(connection))

    def _space(self, new: CreateConnection) -> Space:
        if new.space is not None:
            return self._tenants.own_space(new.tenant_id, new.space, "/space")
        space = self._tenants.oldest_space(new.tenant_id)
        if space is None:
            self._tenants.organization(new.tenant_id)
            raise InvalidInput.at("/tenantId", "has no space yet: create one first")
        return space

    def _new_connection(
        self, new: CreateConnection, source: Endpoint, space: Space, stamp: Stamp
    ) -> Connection:
        release = self._registry.release(source.integration_id, source.version)
        recipe = recipe_of(release)
        action = RequiredAction.NONE
        if recipe.secret_names and not source.secrets_set and _is_in_vault(source):
            action = RequiredAction.REAUTHORIZE
        elif recipe.configuration_problems({}):
            action = RequiredAction.FIX_CONFIG
        finished = action is RequiredAction.NONE
        body = NewConnection(
            name=new.label,
            source_id=source.id,
            space=space.slug,
            status=Lifecycle.ACTIVE if finished else Lifecycle.DRAFT,
        )
        connection = new_connection(new.tenant_id, body, space, stamp, owns_source=True)
        connection = settled_connection(connection, recipe)
        return connection.model_copy(update={"required_action": action})

    def _changes_of_source(
        self, old: Connection, source: Endpoint, change: UpdateConnection, now: datetime
    ) -> tuple[dict[str, Any], "_Credentials"]:
        """The fields of a patch of the source, and its credentials."""
        said = {
            "ownership_mode": change.ownership_mode,
            "external_account_id": change.external_account_id,
            # A source that was created by itself keeps its own name.
            "name": change.label if old.owns_source else None,
        }
        fields: dict[str, Any] = {n: value for n, value in said.items() if value is not None}
        provider, reference = change.secret_provider, change.secret_ref
        current = secrets_of(source)
        if reference is None and provider not in (None, current[0]):
            raise InvalidInput.at("/secretRef", "is required with another secretProvider")
        if reference is None or (provider or current[0], reference) == current:
            if reference is not None and change.config is not None and not _is_in_vault(source):
                fields["secret_ref"] = reference  # entered again, for its new destination
            return fields, _Credentials({})
        given = self._credentials(
            source.organization_id, provider or _provider_of(reference), reference, now
        )
        gone = dict.fromkeys(set(source.secrets_set) - set(given.fields.get("secrets", {})))
        if not _is_in_vault(source):
            fields["secret_ref"] = None
        fields |= given.fields
        if gone:
            fields["secrets"] = {**gone, **given.fields.get("secrets", {})}
        return fields, given

    def _credentials(
        self, organization_id: str, provider: SecretProvider, reference: str, now: datetime
    ) -> "_Credentials":
        """The credentials that a secretRef names. Raises `InvalidInput` if it names none."""
        if provider is SecretProvider.AWS:
            return _Credentials({"secret_ref": reference})
        if reference == NO_SECRETS:
            return _Credentials({})
        stored = _STORED.fullmatch(reference)
        if stored is None:
            raise InvalidInput.at(
                "/secretRef", f"must be {NO_SECRETS} or patchbay://<id of a source>"
            )
        try:
            other = self._endpoints.get(organization_id, Role.SOURCE, stored[1])
        except NotFound:
            raise InvalidInput.at(
                "/secretRef", "does not name a source of this organization"
            ) from None
        if not other.secrets_set:
            raise InvalidInput.at("/secretRef", "names a source that has no stored secrets")
        release = self._registry.release(other.integration_id, other.version)
        renewal = recipe_of(release).renewal
        if renewal and renewal.needs_refresh_token and _has_refresh_token(other):
            # A provider that replaces it with each use would end the grants of both.
            raise InvalidInput.at(
                "/secretRef",
                "names a source with a refresh token, which one source alone may use: connect the "
                "account once more, for this one",
            )
        scope = SecretScope.of(other, other.binding)
        secrets = self._vault.open(scope, now, other.secrets_set)
        return _Credentials({"secrets": secrets}, other, binding_before(other, release))


def _has_refresh_token(source: Endpoint) -> bool:
    return source.granted_at is not None or "refresh_token" in source.secrets_set


@dataclass(frozen=True, slots=True)
class _Credentials:
    """The fields of a source that set its secrets, and the source that the secrets come from."""

    fields: dict[str, Any] = field(repr=False)
    owner: Endpoint | None = None
    binding: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """That of the other source."""

    def require_scope(self, source: Endpoint) -> None:
        """Raises `SecretReentryRequired` if another source's secrets would be sent elsewhere."""
        if self.owner is None:
            return
        if changed := changed_parts(self.binding, source.binding):
            raise SecretReentryRequired(
                [f"/secrets/{name}" for name in self.owner.secrets_set], changed
            )


def _new_source(new: CreateConnection, credentials: dict[str, Any]) -> NewEndpoint:
    return NewEndpoint.model_validate(
        {
            "name": new.label,
            "integration": new.integration_key.replace(".", "/"),
            "version": f"{new.integration_version}.x",
            "variables": new.config,
            "environment": new.environment,
            "external_account_id": new.external_account_id,
            "ownership_mode": new.ownership_mode,
            **credentials,
        }
    )


def _changed_connection(old: Connection, change: UpdateConnection, now: datetime) -> Connection:
    """Raises `Conflict` for a status that it can't become."""
    changes: dict[str, Any] = {"updated_at": now, "revision": old.revision + 1}
    if change.label is not None:
        changes["name"] = change.label
    if change.status is not None:
        changes["stated_status"] = change.status
        changes["status"] = next_lifecycle(old, _meant(old.status, change.status))
    return watched_anew(old, old.model_copy(update=changes), now)


def _meant(status: Lifecycle, word: HealthStatus) -> Lifecycle:
    """The lifecycle that a word means: connected resumes, disconnected pauses what is active."""
    if word is HealthStatus.CONNECTED:
        return Lifecycle.ACTIVE
    if word is HealthStatus.DISCONNECTED and status is Lifecycle.ACTIVE:
        return Lifecycle.PAUSED
    return status


def _is_in_vault(source: Endpoint) -> bool:
    return secrets_of(source)[0] is SecretProvider.PATCHBAY


def _provider_of(reference: str) -> SecretProvider:
    in_aws = reference.startswith("aws:")
    return SecretProvider.AWS if in_aws else SecretProvider.PATCHBAY


@contextmanager
def _named_as_the_operations_do() -> Iterator[None]:
    """Makes the pointers of errors lead into the operation's input."""
    try:
        yield
    except ValidationError as error:
        raise InvalidInput([_renamed(problem) for problem in problems_of(error)]) from None
    except InvalidInput as error:
        kind = InvalidConfig if isinstance(error, InvalidConfig) else InvalidInput
        raise kind([_renamed(problem) for problem in error.problems]) from None
    except (ReferenceDenied, SecretReentryRequired) as error:
        for entry in error.details["errors"]:
            named = _renamed(Problem(entry["pointer"], entry["message"]))
            entry |= {"pointer": named.pointer, "message": named.message}
        raise


def _renamed(problem: Problem) -> Problem:
    name, slash, part = problem.pointer.removeprefix("/").partition("/")
    if name in _WITHOUT_PARTS:
        message = f"{problem.pointer} {problem.message}" if part else problem.message
        return Problem(_WITHOUT_PARTS[name], message)
    if name in _FIELDS:
        return Problem(_FIELDS[name] + slash + part, problem.message)
    return problem
