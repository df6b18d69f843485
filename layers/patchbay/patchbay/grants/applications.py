"""OAuth applications: entering and changing them, and the client that a release is to use.

The secrets of an application are sealed for its client id, for the origins that the current release
sends them to, and for the values of variables that it names. A later release, or other variables,
that would send them elsewhere do not get them: they must be entered again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from patchbay.connections.endpoint_values import in_one_spelling, revealed
from patchbay.connections.vault import SecretScope, Vault
from patchbay.grants.application_model import (
    NewOAuthApplication,
    OAuthApplication,
    OAuthApplicationPatch,
    application_id,
)
from patchbay.grants.application_store import ApplicationStore
from patchbay.grants.client_origin import ClientOrigin
from patchbay.grants.client_places import ClientPlaces, client_places
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import (
    ApplicationUnusable,
    InternalError,
    InvalidInput,
    NoSuchRelease,
    NotFound,
    Problem,
    SecretReentryRequired,
    SecretsLost,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.problem_messages import REQUIRED
from patchbay.platform.revisions import IfMatch, changes_nothing, require_match, serially
from patchbay.platform.strict_json import same
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore

if TYPE_CHECKING:
    from patchbay.checks.oauth_client import OAuthClient
    from patchbay.registry.model import Release

SECRETS: Final = ("client_secret", "private_key")
_NOT_OWNER: Final = "may be shared only by the organization that owns the integration"


@dataclass(frozen=True, slots=True)
class ChosenClient:
    """The client for a flow, whose it is, and what it asks for if that is not what the integration
    says."""

    client: "OAuthClient"
    origin: ClientOrigin
    scopes: tuple[str, ...] | None = field(default=None)


class OAuthApplications:
    """The use cases of OAuth applications."""

    def __init__(self, store: ApplicationStore, registry: RegistryStore, vault: Vault) -> None:
        self._store = store
        self._registry = registry
        self._vault = vault

    # ---------------------------------------------------------------- for their owners

    def create(
        self, organization_id: str, new: NewOAuthApplication, stamp: Stamp
    ) -> OAuthApplication:
        """Stores an application. Raises `InvalidInput` with a pointer to each field, and as
        `ApplicationStore.create`."""
        release = self._release(organization_id, new.integration, stamp.now)
        places = client_places(release)
        new = new.model_copy(update={"variables": in_one_spelling(new.variables, release)})
        secrets = _given(new)
        self._require_valid(
            release,
            places,
            secrets.keys(),
            new.variables,
            shared_by=organization_id if new.shared else None,
        )
        _require_usable_keys(secrets, stamp.now)
        application = OAuthApplication(
            id=application_id(release.id),
            organization_id=organization_id,
            integration=new.integration,
            integration_id=release.id,
            client_id=new.client_id,
            secrets_set=sorted(secrets),
            secrets_entered_at=stamp.now,
            scopes=new.scopes,
            shared=new.shared,
            variables=new.variables,
            sent_to=sorted(places.origins),
            created_at=stamp.now,
            updated_at=stamp.now,
            revision=1,
        )

        def attempt() -> OAuthApplication:
            sealed = self._sealed(application, secrets, stamp.now)
            return self._store.create(application, sealed, stamp.id("req"))

        # Data keys may be rotated between the sealing and the write.
        return serially(attempt)

    def change(
        self,
        organization_id: str,
        id: str,
        patch: OAuthApplicationPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> OAuthApplication:
        """Applies a merge patch.

        Raises `NotFound`, `PreconditionFailed`, `InvalidInput`, `SecretReentryRequired`, and
        `Conflict` IN_USE for another client id while grants are of the old one.
        """

        def attempt() -> OAuthApplication:
            old = self._store.get(organization_id, id)
            require_match(if_match, old.revision)
            changed = _patched(old, patch)
            entered = _given(patch)
            named = patch.model_fields_set & set(SECRETS)
            kept = [name for name in old.secrets_set if name not in named]
            changed = changed.model_copy(update={"secrets_set": sorted({*kept, *entered})})
            differs = _differing(old, changed)
            if not (entered or named or differs) and changes_nothing(old, changed):
                return old
            release = self._release(organization_id, old.integration, now, old.integration_id)
            places = client_places(release)
            named_values = in_one_spelling(changed.variables, release)
            changed = changed.model_copy(update={"variables": named_values})
            differs = _differing(old, changed)
            if not (entered or named or differs) and changes_nothing(old, changed):
                return old
            self._require_valid(
                release,
                places,
                changed.secrets_set,
                changed.variables,
                shared_by=organization_id if changed.shared else None,
            )
            _require_usable_keys(entered, now)
            sealed: Item | None = None
            if entered or named or differs:
                if kept and entered and not set(places.origins) <= set(old.sent_to):
                    differs = [*differs, "sent_to"]
                if kept and differs:
                    raise SecretReentryRequired([f"/{name}" for name in kept], differs)
                secrets, origins = self._rebound(old, changed, kept, entered, places, now)
                entered_at = now if entered else old.secrets_entered_at
                changed = changed.model_copy(
                    update={"sent_to": sorted(origins), "secrets_entered_at": entered_at}
                )
                sealed = self._sealed(changed, secrets, now)
            changed = changed.model_copy(update={"updated_at": now, "revision": old.revision + 1})
            self._store.replace(old, changed, sealed, sorted(entered))
            return changed

        return serially(attempt)

    # ---------------------------------------------------------------- for flows and refreshes

    def client_for(
        self,
        organization_id: str,
        release: "Release",
        variables: Mapping[str, object],
        now: datetime,
    ) -> ChosenClient:
        """The client of an organization for a release: its own application, or else the one that
        the owner of the integration shares.

        Raises `ApplicationUnusable`, even if there is none at all.
        """
        application = self._store.find(organization_id, release.id)
        if application is None and release.organization_id != organization_id:
            shared = self._store.find(release.organization_id, release.id)
            application = shared if shared and shared.shared else None
        if application is None:
            raise ApplicationUnusable(
                "missing",
                "There is no OAuth application for this integration: the organization, or the "
                "owner of the integration, has to enter one.",
            )
        return ChosenClient(
            self._opened(application, release, variables, now),
            ClientOrigin(application.organization_id),
            None if application.scopes is None else tuple(application.scopes),
        )

    def client(
        self,
        origin: ClientOrigin,
        release: "Release",
        variables: Mapping[str, object],
        now: datetime,
    ) -> "OAuthClient":
        """The client that a grant was issued to, for a call that this release makes with these
        variables. Its secret is the current one, whichever it was when the grant was issued.

        It is for the calls of `authorization`, `renewal`, and `revocation` of the release's recipe
        alone, whose URLs are judged here. It must not be among the secrets of the steps of a test:
        they go where the author of a later release wants.

        Raises `ApplicationUnusable`.
        """
        application = (
            self._store.find(origin.organization_id, release.id)
            if origin.organization_id is not None
            else None
        )
        if application is None:
            raise ApplicationUnusable(
                "missing", "The OAuth application that this was connected with is deleted."
            )
        return self._opened(application, release, variables, now)

    # ---------------------------------------------------------------- parts

    def _opened(
        self,
        application: OAuthApplication,
        release: "Release",
        variables: Mapping[str, object],
        now: datetime,
    ) -> "OAuthClient":
        from patchbay.checks.oauth_client import OAuthClient

        places = client_places(release)
        if application.secrets_set:
            if problems := list(places.problems(variables, application.variables)):
                raise ApplicationUnusable(
                    "other_host",
                    "The OAuth application of this integration is not for this host.",
                    problems,
                )
            if not set(places.origins) <= set(application.sent_to):
                raise ApplicationUnusable(
                    "reentry_required",
                    "This release of the integration sends the client secret to another host than "
                    "before: the owner of the OAuth application has to enter the secret again.",
                )
        try:
            secrets = self._secrets(application, now)
        except SecretsLost:
            raise ApplicationUnusable(
                "secrets_lost",
                "The secret of the OAuth application can't be opened any more, because its data "
                "key was deleted: its owner has to enter it again.",
            ) from None
        except InternalError:
            # An edit has sealed them for something else since the application was read.
            fresh = self._store.find(application.organization_id, application.integration_id)
            if fresh is None or fresh.revision == application.revision:
                raise
            return self._opened(fresh, release, variables, now)
        return OAuthClient(
            application.client_id, secrets.get("client_secret"), secrets.get("private_key")
        )

    def _secrets(self, application: OAuthApplication, now: datetime) -> dict[str, str]:
        if not application.secrets_set:
            return {}
        secrets = self._vault.open(_scope(application), now, application.secrets_set)
        if not secrets.keys() >= set(application.secrets_set):
            raise InternalError
        return secrets

    def _sealed(
        self, application: OAuthApplication, secrets: Mapping[str, str], now: datetime
    ) -> Item | None:
        return self._vault.sealed(_scope(application), secrets, now) if secrets else None

    def _rebound(
        self,
        old: OAuthApplication,
        changed: OAuthApplication,
        kept: Sequence[str],
        entered: Mapping[str, str],
        places: ClientPlaces,
        now: datetime,
    ) -> tuple[dict[str, str], set[str]]:
        """The secrets of an edit, and where they may be sent.

        Those that are kept may be sent where they might before. Those that are entered may be sent
        to the origins of the current release, and to those before if they are the same secrets:
        endpoints of older releases need them there.
        """
        try:
            before = self._secrets(old, now)
        except SecretsLost:
            if kept:
                raise SecretReentryRequired([f"/{name}" for name in kept], []) from None
            before = {}
        secrets = {name: before[name] for name in kept} | dict(entered)
        if kept:
            return secrets, set(old.sent_to)
        is_same = before == secrets and not _differing(old, changed)
        return secrets, {*places.origins, *(old.sent_to if is_same else ())}

    def _release(
        self, organization_id: str, integration: str, now: datetime, known: str | None = None
    ) -> "Release":
        """The current release. Raises `InvalidInput` at /integration."""
        publisher, _, slug = integration.partition("/")
        try:
            release = self._registry.installable(publisher, slug, None, organization_id, now)
        except NoSuchRelease as missing:
            raise InvalidInput.at("/integration", missing.why) from None
        except NotFound:
            message = "is not an integration that you can use"
            raise InvalidInput.at("/integration", message) from None
        # After a purge, publisher and slug may be those of another integration.
        if known not in (None, release.id):
            raise InvalidInput.at("/integration", "is deleted")
        return release

    def _require_valid(
        self,
        release: "Release",
        places: ClientPlaces,
        secrets: Collection[str],
        named: Mapping[str, Any],
        *,
        shared_by: str | None,
    ) -> None:
        """Raises `InvalidInput` with every problem of an application that has these secrets, and
        that names these values of variables."""
        recipe = recipe_of(release)
        if recipe.authorization is None:
            raise InvalidInput.at(
                "/integration",
                "does not use OAuth 2.0 with the grant authorization_code, so it has no client",
            )
        problems = []
        if shared_by not in (None, release.organization_id):
            problems.append(Problem("/shared", _NOT_OWNER))
        needed = _NEEDED.get(recipe.authorization.request.settings.client_auth)
        if needed and needed not in secrets:
            problems.append(
                Problem(f"/{needed}", "is required: the provider asks the client for it")
            )
        if secrets:
            problems += [
                Problem(problem.pointer, "is required: it decides which host the secret is sent to")
                for problem in places.problems(named, named)
                if problem.pointer.removeprefix("/variables/") not in named
            ]
        problems += [
            Problem(
                f"/variables/{name}",
                "does not decide which host the client secret is sent to: leave it out",
            )
            for name in named
            if name not in places.open_variables
        ]
        problems += [
            problem for problem in recipe.variable_problems(named) if problem.message != REQUIRED
        ]
        if problems:
            raise InvalidInput(problems)


_NEEDED: Final = {
    "basic": "client_secret",
    "basic_plain": "client_secret",
    "body": "client_secret",
    "private_key_jwt": "private_key",
}
"""The secret of each way in which a client shows who it is."""


def _given(body: NewOAuthApplication | OAuthApplicationPatch) -> dict[str, str]:
    """The secrets that were entered, in the clear."""
    named = {name: getattr(body, name) for name in SECRETS}
    return revealed({name: value for name, value in named.items() if value is not None})


def _patched(old: OAuthApplication, patch: OAuthApplicationPatch) -> OAuthApplication:
    """Raises `InvalidInput` for null where there must be a value."""
    given = {name: getattr(patch, name) for name in patch.model_fields_set if name not in SECRETS}
    if given.get("variables", 0) is None:
        given["variables"] = {}
    if nulls := [name for name in ("client_id", "shared") if given.get(name, 0) is None]:
        raise InvalidInput([Problem(f"/{name}", "must not be null") for name in nulls])
    return old.model_copy(update=given)


def _differing(old: OAuthApplication, new: OAuthApplication) -> list[str]:
    """What the secrets are bound to, and differs."""
    differs = [] if new.client_id == old.client_id else ["client_id"]
    return differs if same(new.variables, old.variables) else [*differs, "variables"]


def _require_usable_keys(secrets: Mapping[str, str], now: datetime) -> None:
    """Raises `InvalidInput` for a private key that can't sign."""
    if "private_key" not in secrets:
        return
    from patchbay.checks.client_assertions import AssertionSettings, client_assertion
    from patchbay.checks.templates import ValueRefused
    from patchbay.checks.templates import Values as Filled

    try:
        client_assertion(
            AssertionSettings(), "client", "https://example.com/", Filled({}, secrets), now
        )
    except ValueRefused as refused:
        raise InvalidInput.at("/private_key", refused.problem.message) from None


def _scope(application: OAuthApplication) -> SecretScope:
    binding = {
        "client_id": application.client_id,
        "integration": application.integration_id,
        "sent_to": sorted(application.sent_to),
        "variables": application.variables,
    }
    return SecretScope.bound(application.organization_id, application.id, binding)
