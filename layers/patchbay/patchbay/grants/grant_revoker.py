"""Asks providers to take back what they granted to endpoints that are about to go."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from patchbay.checks.failures import CheckFailure
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
"""For each of the two tokens."""


class GrantRevoker:
    """Revokes the tokens of grants at their providers, through the guard."""

    def __init__(self, registry: RegistryStore, grants: Grants, guard: "EgressGuard") -> None:
        self._registry = registry
        self._grants = grants
        self._guard = guard

    def revoke(self, endpoint: Endpoint, now: datetime) -> RevocationOutcome:
        """Best effort, and it changes nothing here. It never raises for what the provider does, nor
        for tokens that can't be opened."""
        try:
            calls = self._calls(endpoint, now)
        except (PatchbayError, ValueRefused) as error:
            log_exception("grant not revocable", error, endpoint_id=endpoint.id)
            return "failed"
        if calls is None:
            return "unsupported"
        if not calls:
            return "nothing_to_revoke"
        try:
            asyncio.run(self._call(calls))
        except CheckFailure:
            return "failed"
        return "revoked"

    def _calls(self, endpoint: Endpoint, now: datetime) -> list["RevocationCall"] | None:
        """None if the provider has no way."""
        release = self._registry.release(endpoint.integration_id, endpoint.version)
        recipe = recipe_of(release)
        if recipe.oauth.revocation is None:
            return None
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
        return [call for call in made if call]

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
