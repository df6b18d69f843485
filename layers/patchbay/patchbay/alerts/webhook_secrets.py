"""The signing secrets of webhooks, in the vault.

Patchbay makes a webhook's secret, shows it once, and signs with it. A secret is sealed for its rule
and URL, so it cannot sign for another receiver: an edit of the URL makes a new one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.rule_model import WebhookChannel
from patchbay.alerts.signing import new_secret
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import Conflict, InternalError

ROTATION_OVERLAP: Final = timedelta(hours=24)
"""How long a secret also signs after its rotation, whatever rotations follow."""

MAX_ROTATED: Final = 10
"""Secrets of one webhook that were rotated and still sign. Each adds 47 bytes to a header."""


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """The secrets of one webhook: the current one, and those that were rotated.

    `rotated` has them newest first, each with the time until which it also signs. `rotation` is the
    id of the request that made the current one.
    """

    current: str
    rotated: tuple[tuple[str, datetime], ...] = ()
    rotation: str | None = None

    def signing(self, now: datetime) -> Sequence[str]:
        """The secrets to sign with at `now`, newest first."""
        return (self.current, *(secret for secret, _ in self.still_valid(now)))

    def still_valid(self, now: datetime) -> tuple[tuple[str, datetime], ...]:
        return tuple((secret, until) for secret, until in self.rotated if now < until)

    @property
    def previous_until(self) -> datetime | None:
        """Until when the secret before the current one also signs; None if there was none."""
        return self.rotated[0][1] if self.rotated else None


class WebhookVault:
    """Seals and opens the secrets of webhooks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def issue(
        self, organization_id: str, rule_id: str, channel: WebhookChannel, now: datetime
    ) -> tuple[str, Item]:
        """A new secret, and the sealed item that holds it."""
        secrets = WebhookSecrets(new_secret())
        return secrets.current, self.sealed(organization_id, rule_id, channel, secrets, now)

    def rotated(
        self, secrets: WebhookSecrets | None, rotation: str, now: datetime
    ) -> WebhookSecrets:
        """The secrets with a new current one. `secrets` is None if they are lost.

        A repeated request has the same `rotation` and gets the same secrets. Raises `Conflict`
        ROTATION_LIMIT if as many secrets as may be kept are still promised to sign.
        """
        if secrets is None:
            return WebhookSecrets(new_secret(), rotation=rotation)
        if secrets.rotation == rotation:
            return secrets
        kept = secrets.still_valid(now)
        if len(kept) == MAX_ROTATED:
            free_at = to_text(kept[-1][1])
            raise Conflict(
                f"This webhook has {MAX_ROTATED} earlier secrets that are still valid: "
                f"rotate it again after {free_at}.",
                "ROTATION_LIMIT",
                limit=MAX_ROTATED,
                free_at=free_at,
            )
        before = (secrets.current, now + ROTATION_OVERLAP)
        return WebhookSecrets(new_secret(), (before, *kept), rotation)

    def sealed(
        self,
        organization_id: str,
        rule_id: str,
        channel: WebhookChannel,
        secrets: WebhookSecrets,
        now: datetime,
    ) -> Item:
        values = {"current": secrets.current}
        if secrets.rotated:
            rotated = [[secret, to_text(until)] for secret, until in secrets.rotated]
            values["rotated"] = json.dumps(rotated)
        if secrets.rotation:
            values["rotation"] = secrets.rotation
        return self._vault.sealed(_scope(organization_id, rule_id, channel), values, now)

    def open(
        self, organization_id: str, rule_id: str, channel: WebhookChannel, now: datetime
    ) -> WebhookSecrets:
        """Raises `SecretsLost` if the data key was deleted, `InternalError` if there are no secrets
        for this URL, and `TemporarilyUnavailable`."""
        values = self._vault.open(_scope(organization_id, rule_id, channel), now)
        if "current" not in values:
            raise InternalError
        rotated = json.loads(values.get("rotated", "[]"))
        if "previous" in values:  # from before more than one was kept
            rotated = [[values["previous"], values["previous_until"]]]
        return WebhookSecrets(
            values["current"],
            tuple((secret, from_text(until)) for secret, until in rotated),
            values.get("rotation"),
        )


def _scope(organization_id: str, rule_id: str, channel: WebhookChannel) -> SecretScope:
    return SecretScope.bound(organization_id, channel.id, {"rule": rule_id, "url": channel.url})
