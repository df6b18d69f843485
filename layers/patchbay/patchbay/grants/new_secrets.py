"""Secrets that are not stored: what a test of them needs. Nothing is read or written."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.redaction import Redactor
from patchbay.checks.templates import ValueRefused
from patchbay.connections.endpoint_model import Endpoint
from patchbay.grants.grant_model import RenewedBy
from patchbay.grants.usable_secrets import GrantUnusable, StoredSecrets
from patchbay.platform.event_loops import run_within
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

if TYPE_CHECKING:
    from patchbay.checks.recipe import Recipe
    from patchbay.egress.guard import EgressGuard


def look_at_new(
    endpoint: Endpoint,
    release: Release,
    secrets: Mapping[str, str],
    guard: "EgressGuard",
    now: datetime,
    replaced: dict[str, str] | None,
    seconds: float,
) -> StoredSecrets:
    """Secrets that are not stored yet, with an access token where a test needs one.

    A provider may replace the refresh token then: the new one is put into `replaced`, and must be
    stored in its place. Without `replaced` none is sent. It calls the provider, and raises
    `GrantUnusable`.
    """
    recipe = recipe_of(release)
    renewed_by = how_renewed(recipe, secrets)
    missing = recipe.needs_access_token and "access_token" not in secrets
    keeps = renewed_by == "client" or replaced is not None
    if recipe.renewal is None or endpoint.secret_ref is not None or renewed_by is None:
        return StoredSecrets(endpoint, secrets)
    if not keeps or not (missing or (recipe.refreshes and replaced is not None)):
        return StoredSecrets(endpoint, secrets)
    client = OAuthClient.of_secrets(secrets)
    try:
        call = recipe.renewal.refresh(endpoint.variables, client, secrets=secrets)
        issued = run_within(lambda deadline: call.run(guard.for_test(), deadline=deadline), seconds)
    except ValueRefused as refused:
        raise value_refused(refused) from None
    except CheckFailure as failed:
        redact = Redactor([*secrets.values()])
        raise GrantUnusable(
            failed.code,
            str(redact.sentence(failed.summary)),
            failed.field_pointer or "/secrets/refresh_token",
            failed.retry_after_seconds,
        ) from None
    if replaced is not None and issued.refresh_token and "refresh_token" in secrets:
        replaced["refresh_token"] = issued.refresh_token
    tokens = {"access_token": issued.access_token}
    return StoredSecrets(endpoint, {**secrets, **tokens, **(replaced or {})}, issued_at=now)


def how_renewed(recipe: "Recipe", known: Collection[str]) -> RenewedBy | None:
    """What another access token is issued for, with secrets of these names; None if nothing is."""
    if recipe.renewal is None:
        return None
    sent = {p.name for p in recipe.renewal.placeholders() if p.source == "secrets"}
    if not sent <= set(known):
        return None
    if "refresh_token" in sent:
        return "refresh_token"
    return "access_token" if "access_token" in sent else "client"


def value_refused(refused: ValueRefused) -> GrantUnusable:
    """Why a request for a token can't be made with these values."""
    problem = refused.problem
    summary = f"{problem.pointer} {problem.message}."
    return GrantUnusable(problem.code, summary, problem.pointer)
