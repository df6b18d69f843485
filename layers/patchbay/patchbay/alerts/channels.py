"""Where alerts may go, and the secrets that sign them.

A webhook's secret is ours: we make it, show it once and sign with it. It is sealed for its rule and
URL, so an edit of the URL can't have a kept secret sign for another receiver: a new one is made.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.model import WebhookChannel
from patchbay.alerts.signing import new_secret
from patchbay.connections.vault import SecretScope, Vault
from patchbay.egress.addresses import is_public
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.ports import ALLOWED_PORTS
from patchbay.egress.url import HttpUrl, literal_address, parse_url
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import InternalError
from patchbay.platform.strict_json import canonical

ROTATION_OVERLAP: Final = timedelta(hours=24)
"""How long the secret before a rotation signs, too."""

_KIND: Final = "http"


def judge_url(policy: EgressPolicy, url: str) -> HttpUrl:
    """The target of a webhook's URL, as far as it can be judged without resolving its name.

    Only https; http for an address that the operator's rules name. Raises `EgressBlocked`. The
    guard judges what the name resolves to, at each dial.
    """
    target = parse_url(url)
    address = literal_address(target.host)
    if address is not None:
        policy.judge_addresses(target.host, [address], target.port, _KIND)
    else:
        policy.judge_name(target.host)
        if not policy.allow and target.port not in ALLOWED_PORTS[_KIND]:
            raise EgressBlocked("port", f"Port {target.port} is not one that may be dialled.")
    if target.scheme != "https" and (address is None or is_public(address)):
        raise EgressBlocked("scheme", "The URL's scheme is not https.")
    return target


def allowed_topics(setting: str) -> frozenset[str]:
    """Reads the setting: topic ARNs joined by commas."""
    return frozenset(arn.strip() for arn in setting.split(",") if arn.strip())


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """The secrets of one webhook: the current one, and during a rotation the one before."""

    current: str
    previous: str | None = None
    previous_until: datetime | None = None
    rotation: str | None = None

    def signing(self, now: datetime) -> Sequence[str]:
        """Those that sign at a moment, the current one first."""
        if self.previous and self.previous_until and now < self.previous_until:
            return (self.current, self.previous)
        return (self.current,)


class WebhookVault:
    """The webhooks' secrets in the vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def issue(
        self, organization_id: str, rule_id: str, channel: WebhookChannel, now: datetime
    ) -> tuple[str, Item]:
        """A new secret, and the item that holds it, sealed."""
        secrets = WebhookSecrets(new_secret())
        return secrets.current, self.sealed(organization_id, rule_id, channel, secrets, now)

    def rotated(
        self, secrets: WebhookSecrets | None, rotation: str, now: datetime
    ) -> WebhookSecrets:
        """With a new secret beside the current one, which may be lost; the same again for a
        repeated request."""
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
        """Raises `SecretsLost` if their data key was deleted, `InternalError` if there are none for
        this URL, and `TemporarilyUnavailable`."""
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
