"""What an end user's values come to: a new source with its connection, or a repaired source.

They are accepted first, as they would be stored, so that what is tested is what is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from patchbay.checks.roles import Role
from patchbay.connections.connection_changes import new_connection, settled_connection
from patchbay.connections.connection_model import Connection, NewConnection
from patchbay.connections.endpoint_creator import AcceptedEndpoint, EndpointCreator
from patchbay.connections.endpoint_edit import EndpointEdit, GrantChange
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import (
    Endpoint,
    EndpointPatch,
    EndpointValues,
    OwnershipMode,
)
from patchbay.connections.record_store import RecordStore
from patchbay.egress.guard import EgressGuard
from patchbay.grants.code_flow import ObtainedGrant, consumed
from patchbay.grants.grants import Grants
from patchbay.grants.usable_secrets import StoredSecrets
from patchbay.installs.model import InstallSession, InstallValues
from patchbay.installs.session_accounts import TOKENS, SessionAccounts, require_fitting
from patchbay.installs.session_subject import (
    Repaired,
    SessionSubject,
    SessionSubjects,
    told_to_the_end_user,
)
from patchbay.installs.session_values import joined_variables
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import AuthorizationRequired, InvalidConfig, Problem
from patchbay.platform.ids import Stamp
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.tenancy.quotas import Counted

_NOT_REPAIRED: Final = "can't be changed by a repair"


@dataclass(frozen=True, slots=True)
class NewInstall:
    """A source that would be made, the configurations of its connection, and the account that was
    connected for it, if one was."""

    accepted: AcceptedEndpoint
    given: InstallValues
    obtained: ObtainedGrant | None

    @property
    def endpoint(self) -> Endpoint:
        return self.accepted.endpoint

    @property
    def release(self) -> Release:
        return self.accepted.release


@dataclass(frozen=True, slots=True)
class RepairInstall:
    """The source of a connection as it would be changed, and the account that was connected again,
    if one was."""

    connection: Connection
    edit: EndpointEdit
    obtained: ObtainedGrant | None

    @property
    def endpoint(self) -> Endpoint:
        return self.edit.endpoint

    @property
    def release(self) -> Release:
        return self.edit.release


type AcceptedInstall = NewInstall | RepairInstall


class Installer:
    """Accepts what end users enter, and stores it."""

    def __init__(
        self,
        subjects: SessionSubjects,
        accounts: SessionAccounts,
        creator: EndpointCreator,
        editor: EndpointEditor,
        records: RecordStore,
        grants: Grants,
    ) -> None:
        self._subjects = subjects
        self._accounts = accounts
        self._grants = grants
        self._creator = creator
        self._editor = editor
        self._records = records

    def accept(
        self, session: InstallSession, given: InstallValues, name: str | None, stamp: Stamp
    ) -> AcceptedInstall:
        """Raises `InvalidConfig` with a pointer to each field, `SecretReentryRequired` for stored
        secrets that would be sent elsewhere, `AuthorizationRequired` if the account must be
        connected first, and `Conflict` if it can't be installed any more."""
        subject = self._subjects.of(session, stamp.now)
        obtained = self._accounts.obtained(session, subject, stamp.now)
        captured = obtained.captured if obtained else {}
        variables = joined_variables(
            session, subject.source, subject.release, given.variables, captured
        )
        _require_one_way(given, obtained)
        if subject.repaired:
            _require_nothing_else(given, name)
            return self._repaired(
                subject.release, subject.repaired, given, variables, obtained, stamp
            )
        return self._new(session, subject, given, variables, obtained, name, stamp)

    def look(self, install: AcceptedInstall, guard: EgressGuard, now: datetime) -> StoredSecrets:
        """The secrets to test it with. Raises as `Vault.secrets_of` and `Grants.look_at_new`."""
        endpoint, release = install.endpoint, install.release
        if isinstance(install, RepairInstall):
            edit, old = install.edit, install.edit.old
            if old.may_have_grant and edit.grant not in (
                GrantChange.DROPPED,
                GrantChange.REPLACED,
            ):
                # Its tokens are sent where they always were, or it would not have been accepted.
                gone = dict.fromkeys(set(old.secrets_set) - set(endpoint.secrets_set))
                changed = {**gone, **edit.entered}
                return self._grants.look(
                    old, release, old.binding, now, for_test=True, entered_now=changed
                )
            secrets = self._editor.secrets_after(edit, now)
        else:
            secrets = self._creator.secrets_of(install.accepted)
        if obtained := install.obtained:
            values = {**secrets, **obtained.secrets}
            return StoredSecrets(endpoint, values, issued_at=obtained.obtained_at)
        return self._grants.look_at_new(endpoint, release, secrets, guard)

    def require_whole(self, install: AcceptedInstall) -> None:
        """Raises `InvalidConfig` for secrets that no test can do without: an end user won't come
        back to add them."""
        recipe, endpoint = recipe_of(install.release), install.endpoint
        missing = recipe.required_secrets - set(endpoint.secrets_set)
        if endpoint.granted_at:
            missing -= set(recipe.credentials)
        if missing:
            problems = [Problem(f"/secrets/{name}", "is required") for name in sorted(missing)]
            raise InvalidConfig(problems)

    def connection(
        self, session: InstallSession, install: AcceptedInstall, stamp: Stamp
    ) -> Connection:
        """The connection that would be made, or the one that is repaired. Raises `Conflict`."""
        if isinstance(install, RepairInstall):
            return install.connection
        source = install.endpoint
        space = self._subjects.space(session)
        new = NewConnection(
            name=source.name,
            source_id=source.id,
            configurations=install.given.configurations,
            space=space.slug,
            monitor=session.monitor,
        )
        made = new_connection(session.organization_id, new, space, stamp, owns_source=True)
        return settled_connection(made, recipe_of(install.release))

    def store(
        self,
        session: InstallSession,
        install: AcceptedInstall,
        connection: Connection,
        also: Sequence[Counted],
        now: datetime,
    ) -> None:
        """Stores exactly what was accepted, with its grant and `also`: all or nothing.

        Raises `TransactionRefused` if something it depends on has changed, `QuotaExceeded`,
        `SecretsLost`, and `Conflict` if it can't be installed any more.
        """
        if install.obtained:
            also = [*also, consumed(session.organization_id, session.id, install.obtained)]
        match install:
            case NewInstall(accepted):
                granted = self._granted(install)
                space = self._subjects.space(session)
                sealed = self._creator.sealed(accepted)
                with told_to_the_end_user():
                    self._records.create(
                        accepted.endpoint, sealed, connection, space, also, granted
                    )
            case RepairInstall(_, edit):
                secrets = self._editor.secret_change(edit, now, self._granted(install))
                unchanged = (connection, connection)
                self._records.change((edit.old, edit.stored), secrets, unchanged, also)

    def _granted(self, install: AcceptedInstall) -> Item | None:
        """The item of its new grant, if it has one."""
        if install.obtained is None:
            return None
        return self._accounts.granted(install.endpoint, install.release, install.obtained)

    def _new(
        self,
        session: InstallSession,
        subject: SessionSubject,
        given: InstallValues,
        variables: Mapping[str, Any],
        obtained: ObtainedGrant | None,
        name: str | None,
        stamp: Stamp,
    ) -> NewInstall:
        release = subject.release
        with told_to_the_end_user():
            accepted = self._creator.accept_of(
                release,
                session.organization_id,
                Role.SOURCE,
                EndpointValues(variables=dict(variables), secrets=given.secrets),
                stamp,
                name=name or release.name,
                integration=session.integration,
                environment=None,
                external_account_id=session.external_account_id,
                ownership_mode=OwnershipMode.BYOK,
            )
        recipe = recipe_of(release)
        if problems := recipe.configuration_problems(given.configurations):
            raise InvalidConfig(problems)
        if obtained is None:
            if recipe.authorization and TOKENS.isdisjoint(given.secrets):
                raise AuthorizationRequired("missing")
            return NewInstall(accepted, given, None)
        require_fitting(obtained, release, accepted.endpoint.variables)
        endpoint = _granted_to(accepted.endpoint, obtained, stamp.now)
        return NewInstall(replace(accepted, endpoint=endpoint), given, obtained)

    def _repaired(
        self,
        release: Release,
        repaired: Repaired,
        given: InstallValues,
        variables: Mapping[str, Any],
        obtained: ObtainedGrant | None,
        stamp: Stamp,
    ) -> RepairInstall:
        source, connection = repaired.source, repaired.connection
        fields = {"secrets": given.secrets} if given.secrets else {}
        patch = EndpointPatch.model_validate(fields)
        if obtained is None:
            edit = self._editor.accept(source, patch, stamp.now, variables)
            return RepairInstall(connection, edit, None)
        edit = self._editor.accept(source, patch, stamp.now, variables, GrantChange.REPLACED)
        require_fitting(obtained, release, edit.endpoint.variables)
        endpoint = _granted_to(edit.endpoint, obtained, stamp.now)
        return RepairInstall(connection, replace(edit, endpoint=endpoint), obtained)


def _granted_to(endpoint: Endpoint, obtained: ObtainedGrant, now: datetime) -> Endpoint:
    by = obtained.origin.organization_id
    return endpoint.model_copy(update={"granted_at": now, "granted_by": by})


def _require_one_way(given: InstallValues, obtained: ObtainedGrant | None) -> None:
    """Raises `InvalidConfig` for tokens that are entered beside those that were obtained."""
    entered = sorted(TOKENS & given.secrets.keys()) if obtained else []
    if entered:
        message = "can't be combined with an account that was connected"
        raise InvalidConfig([Problem(f"/secrets/{name}", message) for name in entered])


def _require_nothing_else(given: InstallValues, name: str | None) -> None:
    """A repair changes variables and secrets. Raises `InvalidConfig`."""
    problems = [Problem("/configurations", _NOT_REPAIRED)] if given.configurations else []
    if name is not None:
        problems.append(Problem("/name", _NOT_REPAIRED))
    if problems:
        raise InvalidConfig(problems)
