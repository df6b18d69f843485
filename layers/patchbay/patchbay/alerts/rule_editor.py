"""Creating and changing alert rules."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from patchbay.alerts.channels import judge_webhook_url
from patchbay.alerts.rule_model import (
    AlertRule,
    AlertRulePatch,
    Channel,
    EventBridgeChannel,
    IssuedAlertRule,
    IssuedWebhookSecret,
    NewAlertRule,
    NewChannel,
    NewEventBridgeChannel,
    NewSnsChannel,
    NewWebhookChannel,
    SnsChannel,
    WebhookChannel,
)
from patchbay.alerts.rule_store import RuleStore
from patchbay.alerts.webhook_secrets import WebhookSecrets, WebhookVault
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.connections.keys import secret_key
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.policy import EgressPolicy
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import Conflict, InvalidInput, NotFound, Problem, SecretsLost
from patchbay.platform.ids import Stamp
from patchbay.platform.masked_url import is_masked
from patchbay.platform.revisions import (
    IfMatch,
    changes_nothing,
    merge_patch,
    require_match,
    serially,
)
from patchbay.platform.validation import problems_of, read_strictly
from patchbay.tenancy.model import Space


class RuleEditor:
    """The use cases that write rules. Reads and deletes are in `RuleStore`.

    `topics` are the ARNs of the SNS topics that the deployment allows.
    """

    def __init__(
        self,
        rules: RuleStore,
        connections: ConnectionSummaries,
        webhook_vault: WebhookVault,
        policy: EgressPolicy,
        topics: Collection[str],
    ) -> None:
        self._rules = rules
        self._connections = connections
        self._webhook_vault = webhook_vault
        self._policy = policy
        self._topics = topics

    def create(self, space: Space, new: NewAlertRule, stamp: Stamp) -> IssuedAlertRule:
        """Creates a rule and returns it with the secrets of its webhooks.

        Raises `InvalidInput`, `Conflict`, `NotFound`.
        """
        self._require_valid(space, new, {})
        rule = AlertRule(
            **new.model_dump(exclude={"channels", "condition"}),
            condition=new.condition,
            channels=[
                _channel(channel, stamp.id("chn", str(position)))
                for position, channel in enumerate(new.channels)
            ],
            id=stamp.id("rul"),
            organization_id=space.organization_id,
            space=space.slug,
            space_id=space.id,
            created_at=stamp.now,
            updated_at=stamp.now,
            watching_since=stamp.now,
            revision=1,
        )

        def attempt() -> IssuedAlertRule:
            secrets, sealed = self._issued(rule, rule.channels, stamp.now)
            if not self._rules.create_rule(rule, space, sealed, secrets):
                # An earlier attempt of this request created the rule, but returned no secrets.
                secrets = self._current_secrets(rule, stamp.now)
            return _issued_rule(rule, secrets)

        # Data keys may be rotated between sealing and writing.
        return serially(attempt)

    def change(
        self, space: Space, rule_id: str, patch: AlertRulePatch, if_match: IfMatch, stamp: Stamp
    ) -> IssuedAlertRule:
        """Applies a merge patch. New webhooks, and those whose URL changed, get a new secret.

        Raises `NotFound`, `PreconditionFailed`, `InvalidInput`.
        """

        def attempt() -> IssuedAlertRule:
            old = self._rules.rule(space.id, rule_id)
            require_match(if_match, old.revision)
            new = _patched(old, patch)
            known = {channel.id: channel for channel in old.channels}
            channels = [_with_address(channel, known) for channel in new.channels]
            new = new.model_copy(update={"channels": _with_ids(channels, old.channels)})
            self._require_valid(space, new, known)
            # The revision is part of the id: two edits at once must not make channels of one id.
            part = f"{rule_id}#{old.revision}"
            rule = old.model_copy(
                update={
                    **{name: getattr(new, name) for name in _EDITABLE},
                    "channels": [
                        _channel(channel, channel.id or stamp.id("chn", f"{part}#{position}"))
                        for position, channel in enumerate(new.channels)
                    ],
                    "updated_at": stamp.now,
                    "revision": old.revision + 1,
                }
            )
            if changes_nothing(old, rule):
                return _issued_rule(old, {})
            if rule.condition != old.condition or (rule.enabled and not old.enabled):
                rule = rule.model_copy(update={"watching_since": stamp.now})
            fresh = [c for c in rule.channels if known.get(c.id) != c]
            secrets, sealed = self._issued(rule, fresh, stamp.now)
            kept = {channel.id for channel in rule.channels}
            dropped = [c for c in _webhooks(old.channels) if c.id not in kept]
            self._rules.replace_rule(
                old,
                rule,
                stamp.now,
                sealed,
                [secret_key(rule.organization_id, c.id) for c in dropped],
                secrets_entered=secrets,
            )
            return _issued_rule(rule, secrets)

        return serially(attempt)

    def rotate_secret(
        self, space: Space, rule_id: str, channel_id: str, stamp: Stamp
    ) -> IssuedWebhookSecret:
        """Makes a new secret for a webhook. The previous one also signs for 24 hours, unless it is
        lost, and so does each one before it until its own time.

        Raises `NotFound` if the rule has no such channel or the channel is not a webhook, and as
        `WebhookVault.rotated`.
        """

        def attempt() -> IssuedWebhookSecret:
            rule = self._rules.rule(space.id, rule_id)
            channel = next((c for c in _webhooks(rule.channels) if c.id == channel_id), None)
            if channel is None:
                raise NotFound("channel")
            try:
                before = self._open(rule, channel, stamp.now)
            except SecretsLost:
                before = None
            after = self._webhook_vault.rotated(before, stamp.id("rot"), stamp.now)
            if after is not before:
                sealed = self._webhook_vault.sealed(
                    rule.organization_id, rule.id, channel, after, stamp.now
                )
                raised = rule.model_copy(update={"revision": rule.revision + 1})
                self._rules.replace_rule(
                    rule, raised, stamp.now, [sealed], secrets_entered=[channel.id]
                )
            return IssuedWebhookSecret(
                channel_id=channel.id,
                secret=after.current,
                previous_valid_until=after.previous_until,
            )

        return serially(attempt)

    def require_valid(self, space: Space, new: NewAlertRule) -> None:
        """Raises `InvalidInput` with every problem of a rule that will not be stored."""
        self._require_valid(space, new, {}, at="/rule")

    def _require_valid(
        self, space: Space, new: NewAlertRule, known: Mapping[str, Channel], at: str = ""
    ) -> None:
        problems = []
        connection_id = new.condition.connection_id
        if connection_id is not None and not self._connections.one(
            space.organization_id, space.id, connection_id
        ):
            problem = "no connection of this space has this id"
            problems.append(Problem(f"{at}/condition/connection_id", problem))
        ids = [channel.id for channel in new.channels if channel.id is not None]
        for position, channel in enumerate(new.channels):
            place = f"{at}/channels/{position}"
            if channel.id is not None and (
                channel.id not in known or known[channel.id].kind != channel.kind
            ):
                problems.append(
                    Problem(f"{place}/id", "the rule has no channel of this kind with this id")
                )
            elif channel.id is not None and ids.count(channel.id) > 1:
                problems.append(Problem(f"{place}/id", "must not be repeated"))
            if isinstance(channel, NewSnsChannel) and channel.topic_arn not in self._topics:
                problem = "this deployment does not allow this topic"
                problems.append(Problem(f"{place}/topic_arn", problem))
            if isinstance(channel, NewWebhookChannel):
                if is_masked(channel.url):
                    problems.append(Problem(f"{place}/url", _MASKED))
                    continue
                try:
                    judge_webhook_url(self._policy, channel.url)
                except EgressBlocked as blocked:
                    problems.append(Problem(f"{place}/url", blocked.summary))
        if problems:
            raise InvalidInput(problems)

    def _issued(
        self, rule: AlertRule, channels: Collection[Channel], now: datetime
    ) -> tuple[dict[str, str], list[Item]]:
        """New secrets for those channels that are webhooks, by channel id, and their items."""
        made = {
            channel.id: self._webhook_vault.issue(rule.organization_id, rule.id, channel, now)
            for channel in _webhooks(channels)
        }
        secrets = {channel_id: secret for channel_id, (secret, _) in made.items()}
        return secrets, [item for _, item in made.values()]

    def _current_secrets(self, rule: AlertRule, now: datetime) -> dict[str, str]:
        """The secrets of a rule that was just created. Raises `Conflict` if they are lost."""
        try:
            return {c.id: self._open(rule, c, now).current for c in _webhooks(rule.channels)}
        except SecretsLost:
            raise Conflict(
                "The rule was created, but its secrets are lost: rotate them.",
                rule_id=rule.id,
            ) from None

    def _open(self, rule: AlertRule, channel: WebhookChannel, now: datetime) -> WebhookSecrets:
        return self._webhook_vault.open(rule.organization_id, rule.id, channel, now)


_MASKED: Final = (
    "is a masked address, of another channel or of what the channel had before: enter the address"
)
_EDITABLE = (
    "name",
    "enabled",
    "severity",
    "condition",
    "for_seconds",
    "keep_firing_for_seconds",
    "reminder_seconds",
)


def _patched(old: AlertRule, patch: AlertRulePatch) -> NewAlertRule:
    """Raises `InvalidInput` if the patched rule is not valid."""
    before = {name: getattr(old, name) for name in _EDITABLE} | {
        "condition": old.condition.model_dump(mode="json"),
        "channels": [channel.model_dump() for channel in old.channels],
    }
    after = merge_patch(before, patch.model_dump(mode="json", exclude_unset=True))
    try:
        return read_strictly(NewAlertRule, after)
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None


def _with_address(channel: NewChannel, known: Mapping[str, Channel]) -> NewChannel:
    """A webhook that was sent back as it was shown, with its address."""
    old = known.get(channel.id or "")
    if not isinstance(channel, NewWebhookChannel) or not isinstance(old, WebhookChannel):
        return channel
    return channel.model_copy(update={"url": old.url}) if channel.url == old.shown_url else channel


def _with_ids(channels: Iterable[NewChannel], known: Iterable[Channel]) -> list[NewChannel]:
    """The channels of an edit. One without an id is the rule's channel with the same address, if
    there is one: writing the same list again makes no new channels, and no new secrets."""
    channels = list(channels)
    named = {channel.id for channel in channels}
    free = [channel for channel in known if channel.id not in named]
    found: list[NewChannel] = []
    for channel in channels:
        own = next((one for one in free if channel.id is None and _alike(one, channel)), None)
        if own is not None:
            free.remove(own)
            found.append(channel.model_copy(update={"id": own.id}))
        else:
            found.append(channel)
    return found


def _alike(one: NewChannel, other: NewChannel) -> bool:
    """Whether two channels send to the same place."""
    match one, other:
        case NewWebhookChannel(), NewWebhookChannel():
            return one.url == other.url
        case NewSnsChannel(), NewSnsChannel():
            return one.topic_arn == other.topic_arn
        case _:
            return one.kind == other.kind == "eventbridge"


def _channel(new: NewChannel, channel_id: str) -> Channel:
    match new:
        case NewWebhookChannel():
            return WebhookChannel(kind="webhook", id=channel_id, url=new.url)
        case NewSnsChannel():
            return SnsChannel(kind="sns", id=channel_id, topic_arn=new.topic_arn)
        case NewEventBridgeChannel():
            return EventBridgeChannel(kind="eventbridge", id=channel_id)


def _webhooks(channels: Iterable[Channel]) -> Iterator[WebhookChannel]:
    return (channel for channel in channels if isinstance(channel, WebhookChannel))


def _issued_rule(rule: AlertRule, secrets: dict[str, str]) -> IssuedAlertRule:
    fields = {name: getattr(rule, name) for name in AlertRule.model_fields}
    return IssuedAlertRule(**fields, secrets=secrets)
