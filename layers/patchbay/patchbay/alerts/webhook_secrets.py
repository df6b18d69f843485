"""The signing secrets of webhooks, in the vault.

Patchbay makes a webhook's secret, shows it once, and signs with it. A secret is sealed for its rule
and URL, so it cannot sign for another receiver: an edit of the URL makes a new one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.rule_model import WebhookChannel
from patchbay.alerts.signing import new_secret
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import InternalError
from patchbay.platform.strict_json import canonical

ROTATION_OVERLAP: Final = timedelta(hours=24)
"""How long the previous secret also signs after a rotation."""


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """The secrets of one webhook: the current one and, during a rotation, the previous one.

    `rotation` is the id of the request that made the current one.
    """

    current: str
    previous: str | None = None
    previous_until: datetime | None = None
    rotation: str | None = None

    def signing(self, now: datetime) -> Sequence[str]:
        """The secrets to sign with at `now`, the current one first."""
        if self.previous and self.previous_until and now < self.previous_until:
            return (self.current, self.previous)
        return (self.current,)


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

        A repeated request has the same `rotation` and gets the same secrets.
        """
        if secrets is None:
            return WebhookSecrets(new_secret(), rotation=rotation)
        if secrets.rotation == rotation:
            return secrets
        return WebhookSecrets(new_secret(), secrets.current, now + ROTATION_OVERLAP, rotation)

    def sealed(
        self,
        organization_id: str,
        rule_id: str,
        channel: WebhookChannel,
        secrets: WebhookSecrets,
        now: datetime,
    ) -> Item:
        values = {"current": secrets.current}
        if secrets.previous and secrets.previous_until:
            values |= {
                "previous": secrets.previous,
                "previous_until": to_text(secrets.previous_until),
            }
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
        until = values.get("previous_until")
        return WebhookSecrets(
            values["current"],
            values.get("previous"),
            from_text(until) if until else None,
            values.get("rotation"),
        )


def _scope(organization_id: str, rule_id: str, channel: WebhookChannel) -> SecretScope:
    binding = canonical({"rule": rule_id, "url": channel.url})
    return SecretScope(organization_id, channel.id, hashlib.sha256(binding).hexdigest())
