"""What an end user's values come to: a new source with its connection, or a repaired source.

They are accepted first, as they would be stored, so that what is tested is what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.checks.roles import Role
from patchbay.connections.connection_changes import new_connection, settled_connection
from patchbay.connections.connection_model import Connection, NewConnection
from patchbay.connections.endpoint_creator import AcceptedEndpoint, EndpointCreator
from patchbay.connections.endpoint_edit import EndpointEdit
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.endpoint_model import (
    Endpoint,
    EndpointPatch,
    EndpointValues,
    OwnershipMode,
)
from patchbay.connections.record_store import RecordStore
from patchbay.installs.model import InstallSession, InstallValues
from patchbay.installs.session_subject import (
    SessionSubject,
    SessionSubjects,
    told_to_the_end_user,
)
from patchbay.installs.session_values import joined_variables
from patchbay.platform.errors import InvalidConfig, Problem
from patchbay.platform.ids import Stamp
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.tenancy.quotas import Counted

_NOT_REPAIRED: Final = "can't be changed by a repair"


@dataclass(frozen=True, slots=True)
class NewInstall:
    """A source that would be made, and the configurations of its connection."""

    accepted: AcceptedEndpoint
    given: InstallValues

    @property
    def endpoint(self) -> Endpoint:
        return self.accepted.endpoint

    @property
    def release(self) -> Release:
        return self.accepted.release


@dataclass(frozen=True, slots=True)
class RepairInstall:
    """The source of a connection as it would be changed."""

    connection: Connection
    edit: EndpointEdit

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
        creator: EndpointCreator,
        editor: EndpointEditor,
        records: RecordStore,
    ) -> None:
        self._subjects = subjects
        self._creator = creator
        self._editor = editor
        self._records = records

    def accept(
        self, session: InstallSession, given: InstallValues, name: str | None, stamp: Stamp
    ) -> AcceptedInstall:
        """Raises `InvalidConfig` with a pointer to each field, `SecretReentryRequired` for stored
        secrets that would be sent elsewhere, and `Conflict` if it can't be installed any more."""
        subject = self._subjects.of(session, stamp.now)
        variables = joined_variables(session, subject.source, subject.release, given.variables, {})
        if subject.repaired:
            _require_nothing_else(given, name)
            fields = {"secrets": given.secrets} if given.secrets else {}
            source = subject.repaired.source
            patch = EndpointPatch.model_validate(fields)
            edit = self._editor.accept(source, patch, stamp.now, variables)
            return RepairInstall(subject.repaired.connection, edit)
        return self._new(session, subject, given, variables, name, stamp)

    def secrets_of(self, install: AcceptedInstall, now: datetime) -> dict[str, str]:
        """The secrets that the source would have. Raises as `Vault.secrets_of`."""
        match install:
            case NewInstall(accepted):
                return self._creator.secrets_of(accepted)
            case RepairInstall(_, edit):
                return self._editor.secrets_after(edit, now)

    def require_whole(self, install: AcceptedInstall) -> None:
        """Raises `InvalidConfig` for secrets that no test can do without: an end user won't come
        back to add them."""
        recipe = recipe_of(install.release)
        missing = recipe.required_secrets - set(install.endpoint.secrets_set)
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
        """Stores exactly what was accepted, with `also`: all or nothing.

        Raises `TransactionRefused` if something it depends on has changed, `QuotaExceeded`,
        `SecretsLost`, and `Conflict` if it can't be installed any more.
        """
        match install:
            case NewInstall(accepted):
                space = self._subjects.space(session)
                sealed = self._creator.sealed(accepted)
                with told_to_the_end_user():
                    self._records.create(accepted.endpoint, sealed, connection, space, also)
            case RepairInstall(_, edit):
                secrets = self._editor.secret_change(edit, now)
                unchanged = (connection, connection)
                self._records.change((edit.old, edit.stored), secrets, unchanged, also)

    def _new(
        self,
        session: InstallSession,
        subject: SessionSubject,
        given: InstallValues,
        variables: dict[str, object],
        name: str | None,
        stamp: Stamp,
    ) -> NewInstall:
        with told_to_the_end_user():
            accepted = self._creator.accept_of(
                subject.release,
                session.organization_id,
                Role.SOURCE,
                EndpointValues(variables=variables, secrets=given.secrets),
                stamp,
                name=name or subject.release.name,
                integration=session.integration,
                environment=None,
                external_account_id=session.external_account_id,
                ownership_mode=OwnershipMode.BYOK,
            )
        recipe = recipe_of(subject.release)
        if problems := recipe.configuration_problems(given.configurations):
            raise InvalidConfig(problems)
        return NewInstall(accepted, given)


def _require_nothing_else(given: InstallValues, name: str | None) -> None:
    """A repair changes variables and secrets. Raises `InvalidConfig`."""
    problems = [Problem("/configurations", _NOT_REPAIRED)] if given.configurations else []
    if name is not None:
        problems.append(Problem("/name", _NOT_REPAIRED))
    if problems:
        raise InvalidConfig(problems)
