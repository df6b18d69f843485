"""Changes, upgrades, and deletes sources and destinations.

An edit is accepted, then stored. These are two steps so that what was accepted can be tested in
between.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from patchbay.checks.roles import Role
from patchbay.connections.bindings import binding_before
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_edit import (
    MAX_NAMED_CONNECTIONS,
    EndpointEdit,
    GrantChange,
    edited,
    upgrade_problems,
)
from patchbay.connections.endpoint_items import SecretChange
from patchbay.connections.endpoint_model import (
    EditReport,
    Endpoint,
    EndpointPatch,
    InvalidConnection,
)
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.installed_members import member_changes
from patchbay.connections.keys import grant_key, key_of_all, secret_key
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.connections.vault import GRANT_PURPOSE, SecretScope, Vault
from patchbay.platform.dynamodb import PRESENT, Delete, Item, Put, Update, Write, equals
from patchbay.platform.errors import (
    Conflict,
    InvalidConfig,
    PreconditionFailed,
    Problem,
    SecretsLost,
)
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import same
from patchbay.platform.validation import FieldError
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore

MAX_JUDGING_SECONDS: Final = 1.0
"""CPU for all connections of a source together: how many there are, and what validating each costs,
is its tenant's choice."""

_TOO_COSTLY: Final = (
    "has a configurationSchema that takes too long for all connections of this source: "
    "make another source, and move them one by one"
)


class EndpointEditor:
    """Edits endpoints and their secrets."""

    def __init__(
        self,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
        vault: Vault,
    ) -> None:
        self._registry = registry
        self._releases = ReleaseFinder(registry)
        self._endpoints = endpoints
        self._connections = connections
        self._vault = vault

    def change(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        now: datetime,
        *,
        grant: GrantChange = GrantChange.NONE,
        with_it: Sequence[Write] = (),
    ) -> Endpoint:
        """Stores an edit; `grant` is what else happens to the grant. `with_it` is written with it.

        Raises as `accept_stored`, and `SecretsLost` if stored secrets must be opened and can't be.
        """

        def attempt() -> EndpointEdit:
            old = self._endpoints.get(organization_id, role, endpoint_id)
            require_match(if_match, old.revision)
            edit = self.accept(old, patch, now, grant=grant)
            if not edit.changes_nothing:
                secrets = self.secret_change(edit, now)
                secrets = SecretChange([*secrets.writes, *with_it], secrets.entered)
                self._endpoints.replace(edit.old, edit.endpoint, secrets)
            return edit

        edit = serially(attempt)
        self._release_old(edit, now)
        return edit.stored

    def preview(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        now: datetime,
    ) -> EditReport:
        """What an edit, such as an upgrade, would come to. Raises `NotFound`."""
        edit = self.prepare(self._endpoints.get(organization_id, role, endpoint_id), patch, now)
        to_enter = edit.secrets_to_enter
        if not edit.problems and not to_enter and edit.reseals_kept:
            to_enter = self._lost_secrets(edit, now)
        invalid = edit.invalid_connections
        return EditReport(
            version=edit.endpoint.version,
            valid=not (
                edit.problems
                or to_enter
                or edit.reference_to_enter
                or edit.grant_to_renew
                or invalid
            ),
            errors=_field_errors(edit.problems),
            secrets_to_enter=to_enter,
            secret_ref_to_enter=edit.reference_to_enter,
            account_to_connect=edit.grant_to_renew,
            connections=[
                InvalidConnection(id=connection_id, errors=_field_errors(problems))
                for connection_id, problems in list(invalid.items())[:MAX_NAMED_CONNECTIONS]
            ],
            members=list(edit.members),
        )

    def prepare(
        self,
        old: Endpoint,
        patch: EndpointPatch,
        now: datetime,
        variables: Mapping[str, Any] | None = None,
        grant: GrantChange = GrantChange.NONE,
    ) -> EndpointEdit:
        """The edit that a patch comes to, valid or not. `variables` replace the old ones, if given.
        `grant` is what else happens to the grant, such as that the account was connected again.

        Raises `InvalidInput` for a version that can't be used, `ReferenceDenied` for the secret of
        another organization.
        """
        release = self._registry.release(old.integration_id, old.version)
        before, old_release = binding_before(old, release), release
        if patch.version is not None:
            release = self._releases.upgrade(old, patch.version, now)
        if patch.secret_ref is not None:
            self._vault.require_own_reference(patch.secret_ref, old.organization_id)
        edit = edited(old, patch, before, release, now, variables, grant)
        if edit.upgrades:
            organization_id = old.organization_id
            dependencies = self._releases.dependencies(organization_id, release, now)
            edit.endpoint.dependencies = dependencies
        changes = member_changes(
            old.members,
            edit.endpoint.members,
            Manifest.of(old_release.manifest).members,
            Manifest.of(release.manifest).members,
        )
        invalid = self._invalid_connections(old, release)
        return replace(edit, members=changes, invalid_connections=invalid)

    def accept(
        self,
        old: Endpoint,
        patch: EndpointPatch,
        now: datetime,
        variables: Mapping[str, Any] | None = None,
        grant: GrantChange = GrantChange.NONE,
    ) -> EndpointEdit:
        """An edit that may be stored.

        Raises as `prepare`; `InvalidConfig` for values that the release refuses, and for an upgrade
        that makes configurations of connections invalid; `SecretReentryRequired` if secrets that
        are kept would be sent elsewhere.
        """
        edit = self.prepare(old, patch, now, variables, grant)
        edit.require_valid()
        return edit

    def accept_stored(
        self,
        organization_id: str,
        role: Role,
        endpoint_id: str,
        patch: EndpointPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> EndpointEdit:
        """`accept` for the stored endpoint. Raises `NotFound`, `PreconditionFailed`, too."""
        old = self._endpoints.get(organization_id, role, endpoint_id)
        require_match(if_match, old.revision)
        return self.accept(old, patch, now)

    def store_accepted(self, edit: EndpointEdit, if_match: IfMatch, now: datetime) -> Endpoint:
        """Stores exactly what was accepted.

        Raises `PreconditionFailed` or, without If-Match, `Conflict` if the endpoint was changed
        since; `InvalidConfig` if a connection was changed so that an upgrade makes it invalid.
        """
        old = edit.old

        def attempt() -> None:
            current = self._endpoints.get(old.organization_id, old.role, old.id)
            if current.revision != old.revision:
                raise PreconditionFailed if if_match else _changed_since()
            if invalid := self._invalid_connections(current, edit.release):
                raise InvalidConfig(upgrade_problems(invalid))
            if not edit.changes_nothing:
                secrets = self.secret_change(edit, now)
                self._endpoints.replace(current, edit.endpoint, secrets)

        serially(attempt)
        self._release_old(edit, now)
        return edit.stored

    def secrets_after(self, edit: EndpointEdit, now: datetime) -> dict[str, str]:
        """The secrets that the endpoint would have: those that are kept and entered, or those that
        it refers to. Raises as `Vault.secrets_of`."""
        new = edit.endpoint
        if new.secret_ref is not None:
            return self._vault.secrets_of(new, edit.release, new.binding, now)
        if not edit.kept:
            return edit.entered
        try:
            # They are sent where they always were, or the edit would not have been accepted.
            stored = self._vault.secrets_of(edit.old, edit.release, edit.old.binding, now)
        except SecretsLost:
            raise SecretsLost(edit.kept) from None
        return {name: stored[name] for name in edit.kept} | edit.entered

    def secret_change(
        self, edit: EndpointEdit, now: datetime, granted: Item | None = None
    ) -> SecretChange:
        """The writes that seal the secrets of an accepted edit; none if they stay as they are.

        What happens to the grant is among them; `granted` is the item of the one that replaces it.
        Raises `SecretsLost`.
        """
        new: list[Write] = [Put(granted)] if granted else []
        if not edit.changes_secrets:
            return SecretChange([*new, *key_of_all([granted] if granted else [])])
        grant, sealed_items = self._grant_writes(edit, now)
        if granted:
            grant, sealed_items = new, [granted]
        if not edit.entered and not edit.kept:
            gone = Delete(secret_key(edit.old.organization_id, edit.old.id))
            return SecretChange([gone, *grant, *key_of_all(sealed_items)])
        scope = SecretScope.of(edit.endpoint, edit.endpoint.binding)
        sealed = self._vault.sealed(scope, self.secrets_after(edit, now), now)
        keys = key_of_all([sealed, *sealed_items])
        return SecretChange([Put(sealed), *grant, *keys], sorted(edit.entered))

    def _grant_writes(
        self, edit: EndpointEdit, now: datetime
    ) -> tuple[Sequence[Write], Sequence[Item]]:
        """The writes of the grant, and what of it was sealed for them."""
        old = edit.old
        key = grant_key(old.organization_id, old.id)
        if edit.grant is GrantChange.REPLACED:
            return [], []
        if edit.grant is GrantChange.DROPPED:
            return [Delete(key)], []
        item = self._vault.item(key) if old.may_have_grant else None
        if item is None:
            return [], []
        values: Item = {"failure": None}
        if edit.grant is GrantChange.TOKEN_ENTERED:
            values["entered_token"] = True
        condition, sealed = PRESENT, []
        if "sealed" in item and not same(old.binding, edit.endpoint.binding):
            # The same destination, in a binding of another version.
            before = SecretScope.of(old, old.binding, GRANT_PURPOSE)
            after = SecretScope.of(edit.endpoint, edit.endpoint.binding, GRANT_PURPOSE)
            tokens = self._vault.open_parts(before, item, now)
            parts = self._vault.sealed_parts(after, tokens, now)
            sealed.append(parts)
            values |= {name: parts[name] for name in ("data_key", "binding", "nonce", "sealed")}
            condition &= equals("nonce", item["nonce"])
        return [Update(key, values=values, condition=condition)], sealed

    def delete(
        self, organization_id: str, role: Role, endpoint_id: str, if_match: IfMatch, now: datetime
    ) -> None:
        """Raises `NotFound`, `PreconditionFailed`, `Conflict` IN_USE."""
        gone = self._endpoints.delete(organization_id, role, endpoint_id, if_match)
        self._registry.let_go(gone.integration_id, gone.version, now)

    def _release_old(self, edit: EndpointEdit, now: datetime) -> None:
        if edit.upgrades:
            self._registry.let_go(edit.old.integration_id, edit.old.version, now)

    def _invalid_connections(self, old: Endpoint, release: Release) -> dict[str, list[Problem]]:
        """The connections of a source that another release would refuse, unless they are drafts.

        Stops at the most that a response names. Raises `InvalidConfig` if it takes too long.
        """
        if old.role is not Role.SOURCE or release.version == old.version:
            return {}
        recipe, invalid = recipe_of(release), dict[str, list[Problem]]()
        began = time.thread_time()
        for connection in self._connections.of_endpoint(old.organization_id, old.id):
            if connection.status is Lifecycle.DRAFT:
                continue
            if problems := recipe.configuration_problems(connection.configurations):
                invalid[connection.id] = problems
            if len(invalid) == MAX_NAMED_CONNECTIONS:
                break  # no more are named
            if time.thread_time() - began > MAX_JUDGING_SECONDS:
                raise InvalidConfig([Problem("/version", _TOO_COSTLY)])
        return invalid

    def _lost_secrets(self, edit: EndpointEdit, now: datetime) -> list[str]:
        """Secrets that an edit keeps and that can't be opened any more."""
        try:
            self.secrets_after(edit, now)
        except SecretsLost as lost:
            return list(lost.names)
        return []


def _changed_since() -> Conflict:
    return Conflict("The endpoint was changed while this edit was tested: nothing was stored.")


def _field_errors(problems: list[Problem]) -> list[FieldError]:
    return [FieldError(pointer=p.pointer, message=p.message) for p in problems]
