"""Alert rules and their channels: what a caller configures and reads back."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    FieldSerializationInfo,
    StringConstraints,
    Tag,
    field_serializer,
    field_validator,
)

from patchbay.alerts.conditions import DAY_SECONDS, AlertCondition, StrictInput, kind_tag
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import named_id, spelled_id
from patchbay.platform.masked_url import masked_url
from patchbay.platform.model import Model
from patchbay.platform.validation import KIND, DisplayName, Documented, NotNull

MAX_RULES: Final = 50
"""For one space: an evaluation reads all of them each minute."""

MAX_CHANNELS: Final = 5
MIN_REMINDER_SECONDS: Final = 300

STORED: Final = {"for": "the table"}
"""The context of a dump that has addresses as they are."""

RuleId = Annotated[str, spelled_id("rul", "alert rule")]
ChannelId = Annotated[str, named_id("chn")]


class Severity(StrEnum):
    """A label for the receivers of an alert. It has no effect on evaluation or delivery."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class NewWebhookChannel(StrictInput):
    """An HTTPS endpoint that gets a signed POST (Standard Webhooks)."""

    kind: Literal["webhook"]
    id: ChannelId | None = None
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class NewSnsChannel(StrictInput):
    """An SNS topic that the deployment allows."""

    kind: Literal["sns"]
    id: ChannelId | None = None
    topic_arn: Annotated[str, StringConstraints(max_length=512)]


class NewEventBridgeChannel(StrictInput):
    """The deployment's own event bus."""

    kind: Literal["eventbridge"]
    id: ChannelId | None = None


type NewChannel = Annotated[
    Annotated[NewWebhookChannel, Tag(f"{KIND}webhook")]
    | Annotated[NewSnsChannel, Tag(f"{KIND}sns")]
    | Annotated[NewEventBridgeChannel, Tag(f"{KIND}eventbridge")],
    Discriminator(
        kind_tag,
        custom_error_type="kind",
        custom_error_message="must have a kind: webhook, sns, or eventbridge",
    ),
]


_SecondsUpToADay = Annotated[int, Field(ge=0, le=DAY_SECONDS)]
_ReminderSeconds = Annotated[
    int,
    Field(ge=0, le=7 * DAY_SECONDS),
    Documented({"not": {"exclusiveMinimum": 0, "exclusiveMaximum": MIN_REMINDER_SECONDS}}),
]


class NewAlertRule(StrictInput):
    """The body of a create. A channel with an `id` is one that the rule already has."""

    EXAMPLE: ClassVar = {
        "name": "Too many errors",
        "severity": "critical",
        "condition": {"kind": "success_rate", "threshold": 95, "recovery_threshold": 99.5},
        "for_seconds": 300,
        "reminder_seconds": 3600,
        "channels": [
            {"kind": "webhook", "url": "https://hooks.example.com/patchbay"},
            {"kind": "eventbridge"},
        ],
    }

    name: DisplayName
    enabled: bool = True
    severity: Severity = Severity.WARNING
    condition: AlertCondition
    for_seconds: _SecondsUpToADay = Field(
        default=0, description="how long the condition must hold before the alert fires"
    )
    keep_firing_for_seconds: _SecondsUpToADay = Field(
        default=0, description="how long the condition must be clear before the alert is resolved"
    )
    reminder_seconds: _ReminderSeconds = Field(default=0, description="0 for no reminders")
    channels: list[NewChannel] = Field(default_factory=list, max_length=MAX_CHANNELS)

    @field_validator("reminder_seconds")
    @classmethod
    def _not_too_often(cls, value: int) -> int:
        if 0 < value < MIN_REMINDER_SECONDS:
            raise ValueError(f"must be 0 (none) or at least {MIN_REMINDER_SECONDS}")
        return value


class AlertRulePatch(StrictInput):
    """JSON merge patch of a rule: absent fields stay, null resets, `channels` are replaced.

    The result is validated as a new rule.
    """

    EXAMPLE: ClassVar = {
        "severity": "warning",
        "channels": [{"kind": "webhook", "url": "https://hooks.example.com/on-call"}],
    }

    name: Annotated[DisplayName | None, NotNull()] = None
    enabled: bool | None = None
    severity: Severity | None = None
    condition: Annotated[dict[str, Any] | None, NotNull()] = None
    for_seconds: _SecondsUpToADay | None = None
    keep_firing_for_seconds: _SecondsUpToADay | None = None
    reminder_seconds: _ReminderSeconds | None = None
    channels: Annotated[list[NewChannel], Field(max_length=MAX_CHANNELS)] | None = None


class WebhookChannel(NewWebhookChannel):
    """The address is shown masked. A caller that sends the mask back keeps the address."""

    id: str
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] = Field(repr=False)

    @property
    def shown_url(self) -> str:
        return masked_url(self.url, self.id)

    @field_serializer("url")
    def _url(self, url: str, info: FieldSerializationInfo) -> str:
        return url if info.context == STORED else self.shown_url


class SnsChannel(NewSnsChannel):
    id: str


class EventBridgeChannel(NewEventBridgeChannel):
    id: str


type Channel = Annotated[
    Annotated[WebhookChannel, Tag(f"{KIND}webhook")]
    | Annotated[SnsChannel, Tag(f"{KIND}sns")]
    | Annotated[EventBridgeChannel, Tag(f"{KIND}eventbridge")],
    Discriminator(kind_tag),
]
"""A channel of a rule, in a form that a caller can send back."""


class AlertRule(Model):
    """An alert rule of a space."""

    model_config = ConfigDict(frozen=True)

    id: str
    organization_id: str
    space: str
    space_id: str
    name: str
    enabled: bool
    severity: Severity
    condition: AlertCondition
    for_seconds: int
    keep_firing_for_seconds: int
    reminder_seconds: int
    channels: list[Channel]
    created_at: UtcTime
    updated_at: UtcTime
    watching_since: UtcTime = Field(exclude=True)
    """When the rule was created, enabled, or given another condition. Silence before that does not
    count."""
    deleting: bool = Field(default=False, exclude=True)
    revision: int = Field(exclude=True)


class IssuedAlertRule(AlertRule):
    """A rule, and the new signing secrets of its webhooks by channel id. A secret is shown once."""

    secrets: dict[str, str] = Field(default_factory=dict)


class IssuedWebhookSecret(Model):
    """A webhook's new signing secret, shown once.

    Until `previous_valid_until`, messages are also signed with the previous secret.
    """

    channel_id: str
    secret: str
    previous_valid_until: UtcTime | None
