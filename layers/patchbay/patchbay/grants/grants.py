"""The one way to usable secrets: for tests, monitors, use, and the proxy.

`look` reads what is stored, and blocks; `usable` renews an access token that has ended or is about
to, and is async. `secrets_of` is both, for a caller without an event loop.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import ValueRefused
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.vault import GRANT_PURPOSE, SecretScope, Vault
from patchbay.grants.client_origin import OF_ENDPOINT, ClientOrigin
from patchbay.grants.grant_model import Grant, RenewedBy
from patchbay.grants.grant_store import GrantStore, new_item
from patchbay.grants.new_secrets import how_renewed, look_at_new, value_refused
from patchbay.grants.refresher import (
    NotInTime,
    Refresher,
    Renewable,
    RenewalFailed,
    Renewed,
    answered,
)
from patchbay.grants.timing import AFTER_REJECTION, RECENT, is_due, is_expired
from patchbay.grants.usable_secrets import (
    GrantUnusable,
    Need,
    StoredSecrets,
    UsableSecrets,
    merged,
    unusable,
)
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import Conflict, TemporarilyUnavailable
from patchbay.platform.event_loops import loop_time, run_within
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchbay.checks.recipe import Recipe
    from patchbay.checks.token_calls import IssuedTokens, TokenCall
    from patchbay.checks.token_renewal import RenewalRecipe
    from patchbay.egress.guard import EgressGuard
    from patchbay.grants.clients import FindsClients

type FindsGuard = Callable[[], EgressGuard]
"""It is asked for if a token is renewed, which most requests have no need of."""

_OF_CLIENT: Final = ("client_id", "client_secret", "private_key")
USE_SECONDS: Final = 20.0
"""What `secrets_of` may take."""


class Grants:
    """The grants of endpoints. One per process: it keeps answers that could not be stored yet."""

    def __init__(
        self,
        store: GrantStore,
        vault: Vault,
        applications: "Callable[[], FindsClients]",
        clock: Clock,
        refresher: Refresher | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._applications = applications
        self._clock = clock
        self._refresher = refresher or Refresher(store, vault, clock)

    def secrets_of(
        self,
        endpoint: Endpoint,
        release: Release,
        binding: Mapping[str, Any],
        guard: FindsGuard,
        now: datetime,
        seconds: float = USE_SECONDS,
    ) -> UsableSecrets:
        """Secrets that can be sent where `binding` says. Raises as `look` and `usable`."""
        stored = self.look(endpoint, release, binding, now)
        if stored.need is Need.NONE:
            return stored.usable
        return run_within(
            lambda deadline: self.usable(stored, guard().for_test(), deadline=deadline), seconds
        )

    def renew(
        self,
        endpoint: Endpoint,
        release: Release,
        binding: Mapping[str, Any],
        guard: FindsGuard,
        now: datetime,
        *,
        because_401: UsableSecrets,
        seconds: float = USE_SECONDS,
    ) -> UsableSecrets | None:
        """Other secrets after the provider answered 401 to these; None if there are none.

        Raises as `look`, and `GrantUnusable` if the grant has ended.
        """
        stored = self.look(endpoint, release, binding, now)
        return run_within(
            lambda deadline: self.usable_after_401(
                stored, because_401, guard().for_test(), deadline=deadline
            ),
            seconds,
        )

    def look(
        self,
        endpoint: Endpoint,
        release: Release,
        binding: Mapping[str, Any],
        now: datetime,
        *,
        for_test: bool = False,
        entered_now: Mapping[str, str | None] | None = None,
    ) -> StoredSecrets:
        """What is stored, to be sent where `binding` says, and whether its access token is to be
        renewed: if it has ended or will soon, and for a test if one of its steps refreshes it.
        A test of which no step sends a stored access token needs none.

        `entered_now` are secrets in place of stored ones, and None for those that are gone. Raises
        as `Vault.secrets_of`.
        """
        entered = self._vault.secrets_of(endpoint, release, binding, now)
        if entered_now:
            changed = {**entered, **entered_now}
            entered = {name: value for name, value in changed.items() if value is not None}
        recipe = recipe_of(release)
        renewal = recipe.renewal
        if renewal is None or endpoint.secret_ref is not None:
            return StoredSecrets(endpoint, entered)
        grant = self._store.get(endpoint.organization_id, endpoint.id)
        scope = scope_of(endpoint, binding)
        tokens: Mapping[str, str] = {}
        if grant and grant.has_tokens:
            tokens = self._vault.open_parts(scope, dict(grant.sealed), now)
        origin = grant.origin if grant else OF_ENDPOINT
        client, problem = self._client(origin, endpoint, release, entered, now)
        if origin.is_application and client:
            # Steps may show who asks. What proves it goes to the token URL alone.
            entered = {**entered, "client_id": client.client_id}
        values = merged(entered, tokens, grant)
        known = {*values, *(client.secrets() if client else ())}
        renewed_by = how_renewed(recipe, known)
        if grant is None and renewed_by is None:
            return StoredSecrets(endpoint, entered)
        renewable = None
        if renewed_by is not None and client is not None:
            renewable = Renewable(
                endpoint=endpoint,
                scope=scope,
                grant=replace(grant, renewed_by=renewed_by) if grant else None,
                first=_first(endpoint, recipe, renewed_by),
                secrets=entered,
                call=functools.partial(
                    _call, renewal, endpoint, client, grant.redirect_uri if grant else None
                ),
            )
        need = _need(grant, values, now)
        if for_test and not recipe.needs_access_token:
            need = Need.NONE
        if for_test and renewable and recipe.refreshes and not _is_recent(grant, now):
            need = Need.NOW
        return StoredSecrets(endpoint, entered, grant, tokens, renewable, need, problem, client)

    def look_at_new(
        self,
        endpoint: Endpoint,
        release: Release,
        secrets: Mapping[str, str],
        guard: "EgressGuard",
        replaced: dict[str, str] | None = None,
        seconds: float = USE_SECONDS,
    ) -> StoredSecrets:
        """Secrets that are not stored yet, as `new_secrets.look_at_new`."""
        return look_at_new(endpoint, release, secrets, guard, self._clock(), replaced, seconds)

    async def usable(
        self, stored: StoredSecrets, guard: "EgressGuard", *, deadline: float
    ) -> UsableSecrets:
        """Secrets that can be sent; `deadline` is a time of the event loop. For a token that has
        not ended, no other's renewal is waited for, and half of the time stays for its use.

        Raises `GrantUnusable`, and `TemporarilyUnavailable`.
        """
        if stored.need is Need.NONE:
            return stored.usable
        is_urgent = stored.need is Need.NOW
        ends = deadline if is_urgent else (loop_time() + deadline) / 2
        try:
            return await self._renewed(stored, guard, ends, stored.generation, waits=is_urgent)
        except (GrantUnusable, TemporarilyUnavailable):
            grant = stored.grant
            if stored.need is Need.SOON and grant and not is_expired(grant, self._clock()):
                return stored.usable
            raise

    async def refreshed(
        self, stored: StoredSecrets, guard: "EgressGuard", *, deadline: float, newer_than: int
    ) -> UsableSecrets:
        """Secrets with an access token of a later generation, whether or not the one before has
        ended. Raises as `usable`."""
        return await self._renewed(stored, guard, deadline, newer_than)

    async def usable_after_401(
        self,
        stored: StoredSecrets,
        used: UsableSecrets,
        guard: "EgressGuard",
        *,
        deadline: float,
    ) -> UsableSecrets | None:
        """Other secrets after the provider answered 401 to these; None if there are none.

        A token that is refused again and again is renewed only now and then. Raises
        `GrantUnusable` if the grant turns out to have ended.
        """
        grant, now = stored.grant, self._clock()
        if stored.renewable is None or used.renewed_here:
            return None
        newer_than = used.generation or 0
        is_newer = grant is not None and grant.generation > newer_than
        rejected_at = grant.rejected_at if grant and not is_newer else None
        if rejected_at and now < rejected_at + AFTER_REJECTION:
            return None
        try:
            return await self._renewed(stored, guard, deadline, newer_than, rejected_at=now)
        except GrantUnusable as failed:
            if failed.has_ended:
                raise
            return None
        except TemporarilyUnavailable:
            return None

    def new_item(
        self,
        endpoint: Endpoint,
        release: Release,
        issued: "IssuedTokens",
        origin: ClientOrigin,
        now: datetime,
        *,
        scopes_asked: Sequence[str] = (),
        redirect_uri: str | None = None,
    ) -> Item:
        """The item of a new grant, for the transaction that connects its endpoint.

        That transaction puts it without a condition, over a grant that was there before, and checks
        with `key_of_all` that its data key is still the current one. The endpoint has `granted_at`
        then. Raises `TemporarilyUnavailable`.
        """
        recipe = recipe_of(release)
        tokens = {"access_token": issued.access_token}
        if issued.refresh_token:
            tokens["refresh_token"] = issued.refresh_token
        first = _first(endpoint, recipe, how_renewed(recipe, (*tokens, *_OF_CLIENT)))
        asked = tuple(scopes_asked) or first.scopes_asked
        begun = replace(first, origin=origin, scopes_asked=asked, redirect_uri=redirect_uri)
        grant = answered(begun, issued, now)
        sealed = self._vault.sealed_parts(scope_of(endpoint, endpoint.binding), tokens, now)
        return new_item(replace(grant, generation=1, attempts=1), sealed)

    async def _renewed(
        self,
        stored: StoredSecrets,
        guard: "EgressGuard",
        deadline: float,
        newer_than: int,
        rejected_at: datetime | None = None,
        *,
        waits: bool = True,
    ) -> UsableSecrets:
        what, now = stored.renewable, self._clock()
        if what is None:
            raise _missing(stored, now)
        if rejected_at and what.grant:
            what = replace(what, grant=replace(what.grant, rejected_at=rejected_at))
        elif rejected_at:
            what = replace(what, first=replace(what.first, rejected_at=rejected_at))
        try:
            renewed = await self._refresher.renew(
                what, guard, deadline=deadline, newer_than=newer_than, waits=waits
            )
        except RenewalFailed as failed:
            raise unusable(failed.grant, now) from None
        except ValueRefused as refused:
            raise value_refused(refused) from None
        except NotInTime:
            raise GrantUnusable(
                "budget_exhausted",
                "There was no time left to renew the access token.",
                "/grant",
            ) from None
        return _usable(stored, renewed)

    def _client(
        self,
        origin: ClientOrigin,
        endpoint: Endpoint,
        release: Release,
        entered: Mapping[str, str],
        now: datetime,
    ) -> tuple["OAuthClient | None", str]:
        """The client of the tokens, or None and what is wrong with its application."""
        if origin.is_application:
            try:
                applications = self._applications()
                return applications.client(origin, release, endpoint.variables, now), ""
            except Conflict as unusable:
                return None, unusable.message
        return OAuthClient.of_secrets(entered), ""


def scope_of(endpoint: Endpoint, binding: Mapping[str, Any]) -> SecretScope:
    """What the tokens of an endpoint's grant are sealed for."""
    return SecretScope.of(endpoint, binding, GRANT_PURPOSE)


def _first(endpoint: Endpoint, recipe: "Recipe", renewed_by: RenewedBy | None) -> Grant:
    """The grant that begins with an endpoint's first answer."""
    asked = recipe.authorization.scopes if recipe.authorization else ()
    if not asked and recipe.renewal:
        asked = recipe.renewal.scopes
    return Grant(
        endpoint.organization_id,
        endpoint.id,
        incarnation=uuid4().hex,
        integration_id=endpoint.integration_id,
        renewed_by=renewed_by,
        scopes_asked=tuple(asked),
    )


def _is_recent(grant: Grant | None, now: datetime) -> bool:
    return bool(grant and grant.obtained_at and now < grant.obtained_at + RECENT)


def _need(grant: Grant | None, values: Mapping[str, str], now: datetime) -> Need:
    if "access_token" not in values or (grant and grant.end):
        return Need.NOW
    if grant is None or grant.entered_token or not is_due(grant, now):
        return Need.NONE
    return Need.NOW if is_expired(grant, now) else Need.SOON


def _call(
    renewal: "RenewalRecipe",
    endpoint: Endpoint,
    client: "OAuthClient",
    redirect_uri: str | None,
    secrets: Mapping[str, str],
) -> "TokenCall":
    return renewal.refresh(endpoint.variables, client, secrets=secrets, redirect_uri=redirect_uri)


def _missing(stored: StoredSecrets, now: datetime) -> GrantUnusable:
    """Why there is no access token, where nothing renews one."""
    if stored.client_problem:
        return GrantUnusable("config_invalid", stored.client_problem, "/grant")
    if stored.grant is None:
        return GrantUnusable(
            "secret_not_found", "The access token is missing.", "/secrets/access_token"
        )
    return unusable(stored.grant, now)


def _usable(stored: StoredSecrets, renewed: Renewed) -> UsableSecrets:
    grant = renewed.grant
    return UsableSecrets(
        merged(stored.entered, renewed.tokens, grant),
        generation=grant.generation,
        expires_at=grant.expires_at,
        renewed_at=grant.obtained_at,
        renewed_here=renewed.here,
        grant=grant,
    )
