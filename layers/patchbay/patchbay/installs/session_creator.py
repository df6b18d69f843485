"""Creates install sessions: everything that can be wrong with one is said to its creator, who can
change it, not to the end user, who can't."""

from datetime import timedelta
from typing import Final

from patchbay.checks.json_pointer import MISSING, resolve
from patchbay.checks.roles import Role
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.endpoint_values import settled_variables
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.installs.model import (
    InstallSession,
    IssuedInstallSession,
    NewInstallSession,
    SessionStatus,
)
from patchbay.installs.session_store import InstallSessionStore
from patchbay.platform.errors import InvalidInput, NotFound, Problem
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.revisions import merge_patch, serially
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import Release
from patchbay.registry.naming import integration_key
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.access import Principal
from patchbay.tenancy.install_tokens import mint
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

MAX_PER_MINUTE: Final = 120
MAX_AT_ONCE: Final = 20
"""Creates of sessions, of one organization."""

_RATE: Final = Limit(MAX_PER_MINUTE, MAX_AT_ONCE)
_LEASE: Final = timedelta(seconds=30)
"""No request runs longer."""
_REQUIRED: Final = "is required"


class InstallSessionCreator:
    """Opens install sessions for the end users of an organization."""

    def __init__(
        self,
        tenants: TenancyStore,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
        sessions: InstallSessionStore,
        limiter: Limiter,
    ) -> None:
        self._tenants = tenants
        self._registry = registry
        self._releases = ReleaseFinder(registry)
        self._endpoints = endpoints
        self._connections = connections
        self._sessions = sessions
        self._limiter = limiter

    def create(
        self,
        caller: Principal,
        organization_id: str,
        new: NewInstallSession,
        stamp: Stamp,
        public_url: str,
    ) -> IssuedInstallSession:
        """A new session, and its token. Raises `InvalidInput` with a pointer to each field,
        `RateLimited`, and `QuotaExceeded`."""
        session_id = stamp.id("ins")
        with self._limiter.held(organization_id, session_id, _RATE, stamp.now, _LEASE):
            source, space, release = self._subject(organization_id, new, stamp)
            base = source.variables if source else {}
            settled = _accepted_variables(new, base, release)
            _require_lockable(new, settled)
            minted = mint()
            session = InstallSession(
                id=session_id,
                organization_id=organization_id,
                status=SessionStatus.PENDING,
                integration=integration_key(release.publisher, release.slug),
                integration_id=release.id,
                version=release.version,
                space=space.slug,
                space_id=space.id,
                end_user=new.end_user,
                external_account_id=new.external_account_id,
                variables=new.variables,
                locked=new.locked,
                monitor=new.monitor,
                return_url=new.return_url,
                allowed_origins=list(dict.fromkeys(new.allowed_origins)),
                connection_id=new.connection_id,
                created_by=caller.subject_in(organization_id),
                created_at=stamp.now,
                expires_at=stamp.now + timedelta(seconds=new.expires_in_seconds),
                digest=minted.digest,
                issued_by=(caller.organization_id, caller.subject)
                if is_id("key", caller.subject)
                else None,
                revision=1,
            )
            serially(lambda: self._sessions.create(session))
            return IssuedInstallSession.of(session, minted.text, public_url)

    def _subject(
        self, organization_id: str, new: NewInstallSession, stamp: Stamp
    ) -> tuple[Endpoint | None, Space, Release]:
        """The source to repair, if there is one, the space, and the release."""
        if new.connection_id is not None:
            return self._repaired(organization_id, new, new.connection_id)
        release = self._releases.installable(
            organization_id, new.integration, new.version, stamp.now
        )
        if Role.SOURCE not in Manifest.of(release.manifest).roles:
            raise InvalidInput.at(
                "/integration", "is for destinations alone: an install session makes a source"
            )
        if new.space is not None:
            return None, self._tenants.own_space(organization_id, new.space, "/space"), release
        space = self._tenants.oldest_space(organization_id)
        if space is None:
            raise InvalidInput.at("/space", "is required: the organization has no space yet")
        return None, space, release

    def _repaired(
        self, organization_id: str, new: NewInstallSession, connection_id: str
    ) -> tuple[Endpoint, Space, Release]:
        """A repair changes one connection's source; what else the body has must be as it is."""
        try:
            connection = self._connections.get(organization_id, connection_id)
            source = self._endpoints.get(organization_id, Role.SOURCE, connection.source_id)
        except NotFound:
            message = "is not a connection of this organization"
            raise InvalidInput.at("/connection_id", message) from None
        problems = [
            Problem(f"/{name}", "can't be combined with connection_id: a repair does not change it")
            for name in ("version", "monitor", "external_account_id")
            if name in new.model_fields_set and getattr(new, name) is not None
        ]
        if new.integration != source.integration:
            problems.append(Problem("/integration", "is not the integration of this connection"))
        if new.space not in (None, connection.space):
            problems.append(Problem("/space", "is not the space of this connection"))
        if source.secret_ref is not None:
            why = "has a source whose secrets are kept in AWS Secrets Manager: change them there"
            problems.append(Problem("/connection_id", why))
        if problems:
            raise InvalidInput(problems)
        space = self._tenants.own_space(organization_id, connection.space, "/connection_id")
        return source, space, self._registry.release(source.integration_id, source.version)


def _accepted_variables(
    new: NewInstallSession, base: dict[str, object], release: Release
) -> dict[str, object]:
    """The variables that the end user starts from, with their defaults. What is missing may be what
    the end user will enter. Raises `InvalidInput`, and `InvalidConfig` for too many defaults."""
    recipe = recipe_of(release)
    settled = settled_variables(merge_patch(base, new.variables), release)
    problems = [
        Problem(f"/variables/{name}", "is a secret of this integration: the end user enters it")
        for name in new.variables
        if name in recipe.secret_names
    ]
    found = [p for p in recipe.variable_problems(settled) if p.message != _REQUIRED]
    problems += [p for p in found if p.pointer not in {one.pointer for one in problems}]
    if problems:
        raise InvalidInput(problems)
    return settled


def _require_lockable(new: NewInstallSession, settled: dict[str, object]) -> None:
    """Raises `InvalidInput` for a pointer that leads to nothing: it would lock nothing."""
    problems = [
        Problem(f"/locked/{position}", "leads to nothing in variables: give its value there")
        for position, pointer in enumerate(new.locked)
        if resolve(settled, pointer) is MISSING
    ]
    if problems:
        raise InvalidInput(problems)
