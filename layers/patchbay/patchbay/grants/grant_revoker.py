"""Asks providers to take back what they granted to endpoints that are about to go."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from patchbay.checks.failures import CheckFailure
from patchbay.checks.redaction import Redactor
from patchbay.checks.templates import ValueRefused
from patchbay.connections.bindings import binding_to_dial
from patchbay.connections.endpoint_model import Endpoint
from patchbay.grants.grant_view import RevocationOutcome
from patchbay.grants.grants import Grants
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import log_exception
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore

if TYPE_CHECKING:
    from patchbay.checks.token_revocation import RevocationCall
    from patchbay.egress.guard import EgressGuard

CALL_SECONDS: Final = 5.0
"""For each of the two tokens: somebody waits."""


@dataclass(frozen=True, slots=True)
class Revocable:
    """The calls that take the tokens of an endpoint back, ready to be made; None if the provider
    has no way."""

    endpoint: Endpoint
    calls: Sequence["RevocationCall"] | None = field(repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Revocation:
    """How it went; `summary` says why it failed."""

    outcome: RevocationOutcome
    summary: str = ""


class GrantRevoker:
    """Revokes the tokens of grants at their providers, through the guard."""

    def __init__(self, registry: RegistryStore, grants: Grants, guard: "EgressGuard") -> None:
        self._registry = registry
        self._grants = grants
        self._guard = guard

    def revocable(self, endpoint: Endpoint, now: datetime) -> Revocable:
        """What `revoke` takes, so that it can be called when the tokens are gone here. It never
        raises: what can't be opened can't be revoked, and goes all the same."""
        try:
            release = self._registry.release(endpoint.integration_id, endpoint.version)
            recipe = recipe_of(release)
            if recipe.oauth.revocation is None:
                return Revocable(endpoint, None)
            binding = binding_to_dial(endpoint, release)
            stored = self._grants.look(endpoint, release, binding, now)
            values = stored.usable.values
            made = [
                recipe.revocation(
                    endpoint.variables, stored.client, token=values[hint], hint=hint, secrets=values
                )
                for hint in ("refresh_token", "access_token")
                if values.get(hint)
            ]
        except (PatchbayError, ValueRefused) as error:
            log_exception("grant not revocable", error, endpoint_id=endpoint.id)
            return Revocable(endpoint, ())
        return Revocable(endpoint, [call for call in made if call], list(values.values()))

    def revoke(self, revocable: Revocable) -> Revocation:
        """Best effort, and it changes nothing here. It never raises for what the provider does."""
        if revocable.calls is None:
            return Revocation("unsupported")
        if not revocable.calls:
            return Revocation("nothing_to_revoke")
        try:
            asyncio.run(self._call(revocable.calls))
        except CheckFailure as failure:
            redact = Redactor([*revocable.secrets])
            return Revocation("failed", str(redact.sentence(failure.summary)))
        return Revocation("revoked")

    def revoke_of(self, endpoint: Endpoint, now: datetime) -> RevocationOutcome:
        """Both at once, for an endpoint that is still there."""
        return self.revoke(self.revocable(endpoint, now)).outcome

    async def _call(self, calls: Sequence["RevocationCall"]) -> None:
        """Makes all of them, each in its own time. Raises the first failure."""
        loop, guard = asyncio.get_running_loop(), self._guard.for_test()
        failures = []
        for call in calls:
            try:
                await call.run(guard, deadline=loop.time() + CALL_SECONDS)
            except CheckFailure as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
