"""Alert rules and alerts, as a caller sees them.

A rule watches **subjects** (its space, integration types, connections) and tells its **channels**.
An **alert** is one outage of one subject: it is opened when the rule's condition is first met and
ends when it is resolved.
"""

import math
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict, JsonValue

from patchbay.health.model import IntegrationType
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import ConnectionId, pattern
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.platform.validation import KIND, DisplayName, NotNull, Told

MAX_RULES: Final = 50
"""Rules of one space: an evaluation reads all of them each minute."""

MAX_CHANNELS: Final = 5
MIN_REMINDER_SECONDS: Final = 300
MAX_EVENT_WINDOW_SECONDS: Final = 86_400
"""Of what is judged by single events, as everything about one connection is."""

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR

RuleId = Annotated[str, StringConstraints(pattern=pattern("rul"))]
ChannelId = Annotated[str, StringConstraints(pattern=pattern("chn"))]


class Severity(StrEnum):
    """A label for whoever is told; it changes nothing here."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class SubjectKind(StrEnum):
    """What a rule can judge by itself: what gets an alert of its own."""

    SPACE = "space"
    INTEGRATION_TYPE = "integration_type"
    CONNECTION = "connection"


class _Input(Model):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _both(**rules: JsonDict) -> JsonDict:
    return {"properties": {**rules}, "required": [*sorted(rules)]}


_TWO_SCOPES: Final[list[JsonValue]] = [
    _both(integration_type={"type": "string"}, connection_id={"type": "string"}),
    _both(per={"const": SubjectKind.INTEGRATION_TYPE}, connection_id={"type": "string"}),
    _both(per={"const": SubjectKind.CONNECTION}, integration_type={"type": "string"}),
]


class _Scoped(_Input):
    """What a condition looks at: all events of the space, of one type, or of one connection.

    `per` splits it: each type, or each connection of the space, is a subject of its own.
    """

    model_config = ConfigDict(json_schema_extra={"not": {"anyOf": _TWO_SCOPES}})

    per: SubjectKind = SubjectKind.SPACE
    integration_type: IntegrationType | None = None
    connection_id: ConnectionId | None = None

    @model_validator(mode="after")
    def _one_scope(self) -> "_Scoped":
        if self.integration_type and self.connection_id:
            raise ValueError("takes integration_type or connection_id, not both")
        if self.per is SubjectKind.INTEGRATION_TYPE and self.connection_id:
            raise ValueError("per integration_type can't be of one connection")
        if self.per is SubjectKind.CONNECTION and self.integration_type:
            raise ValueError("per connection can't be of one integration type")
        return self

    @property
    def of_connections(self) -> bool:
        return self.per is SubjectKind.CONNECTION or self.connection_id is not None


_WHOLE_HOURS: Final = Told({"anyOf": [{"maximum": _HOUR - 1}, {"multipleOf": _HOUR}]})
_TWO_DECIMALS: Final = Told({"multipleOf": 0.01})


class SuccessRate(_Scoped):
    """Met while the success rate is below `threshold` in both windows.

    The long window tells that it matters, the short one that it still goes on. Windows of an hour
    and more are whole hours, and begin at the full hour as those of the health summary do; shorter
    ones are exact. An alert ends when a window is at `recovery_threshold` again.
    """

    kind: Literal["success_rate"]
    threshold: Annotated[float, Field(gt=0, le=100, description="percent"), _TWO_DECIMALS]
    recovery_threshold: Annotated[float, Field(gt=0, le=100), _TWO_DECIMALS] | None = Field(
        default=None, description="percent; the threshold itself if absent"
    )
    short_window_seconds: Annotated[int, Field(ge=300, le=_DAY), _WHOLE_HOURS] = _HOUR
    long_window_seconds: Annotated[int, Field(ge=300, le=30 * _DAY), _WHOLE_HOURS] = 6 * _HOUR
    minimum_events: int = Field(
        default=10, ge=1, le=1_000_000, description="in the short window; fewer are no data"
    )

    @field_validator("threshold", "recovery_threshold")
    @classmethod
    def _two_decimals(cls, value: float | None) -> float | None:
        if value is not None and not math.isclose(value, round(value, 2)):
            raise ValueError("has more than 2 decimals")
        return value

    @field_validator("short_window_seconds", "long_window_seconds")
    @classmethod
    def _whole_hours(cls, value: int) -> int:
        if value >= _HOUR and value % _HOUR:
            raise ValueError("is a whole number of hours (3600, 7200, …) from an hour on")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "SuccessRate":
        if self.short_window_seconds > self.long_window_seconds:
            raise ValueError("has a short window that is longer than the long one")
        if self.recovery_threshold is not None and self.recovery_threshold < self.threshold:
            raise ValueError("has a recovery_threshold below the threshold")
        if self.of_connections and self.long_window_seconds > MAX_EVENT_WINDOW_SECONDS:
            raise ValueError("of connections has windows of at most 24 hours")
        return self

    @property
    def short_window(self) -> timedelta:
        return timedelta(seconds=self.short_window_seconds)

    @property
    def long_window(self) -> timedelta:
        return timedelta(seconds=self.long_window_seconds)


class Stale(_Scoped):
    """Met when the last success is longer ago than `after_seconds`.

    What never succeeded counts from when the rule was made or last changed.
    """

    kind: Literal["stale"]
    after_seconds: int = Field(ge=300, le=14 * _DAY)

    @model_validator(mode="after")
    def _bounded(self) -> "Stale":
        if self.of_connections and self.after_seconds > MAX_EVENT_WINDOW_SECONDS:
            raise ValueError("of connections is at most 24 hours")
        return self

    @property
    def after(self) -> timedelta:
        return timedelta(seconds=self.after_seconds)


class ConnectionDown(_Input):
    """Met while a connection's health is `disconnected` or `error`; `unknown` is no data.

    Every connection of the space is a subject, or the one of `connection_id`. Paused ones and
    drafts are left out.
    """

    kind: Literal["connection_down"]
    connection_id: ConnectionId | None = None


def _kind_tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"{KIND}{kind}"


type AlertCondition = Annotated[
    Annotated[SuccessRate, Tag(f"{KIND}success_rate")]
    | Annotated[Stale, Tag(f"{KIND}stale")]
    | Annotated[ConnectionDown, Tag(f"{KIND}connection_down")],
    Discriminator(
        _kind_tag,
        custom_error_type="kind",
        custom_error_message="needs a kind: success_rate, stale or connection_down",
    ),
]


class NewWebhookChannel(_Input):
    """An HTTPS endpoint that gets a signed POST (Standard Webhooks)."""

    kind: Literal["webhook"]
    id: ChannelId | None = None
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class NewSnsChannel(_Input):
    """An SNS topic, one of those that the deployment allows."""

    kind: Literal["sns"]
    id: ChannelId | None = None
    topic_arn: Annotated[str, StringConstraints(max_length=512)]


class NewEventBridgeChannel(_Input):
    """The deployment's own event bus."""

    kind: Literal["eventbridge"]
    id: ChannelId | None = None


type NewChannel = Annotated[
    Annotated[NewWebhookChannel, Tag(f"{KIND}webhook")]
    | Annotated[NewSnsChannel, Tag(f"{KIND}sns")]
    | Annotated[NewEventBridgeChannel, Tag(f"{KIND}eventbridge")],
    Discriminator(
        _kind_tag,
        custom_error_type="kind",
        custom_error_message="needs a kind: webhook, sns or eventbridge",
    ),
]


_ToADay = Annotated[int, Field(ge=0, le=_DAY)]
_Reminder = Annotated[
    int,
    Field(ge=0, le=7 * _DAY),
    Told({"anyOf": [{"const": 0}, {"minimum": MIN_REMINDER_SECONDS}]}),
]


class NewAlertRule(_Input):
    """The body of a create. A channel with an `id` is one that the rule has already."""

    EXAMPLE: ClassVar = {
        "name": "Too many errors",
        "severity": "critical",
        "condition": {"kind": "success_rate", "threshold": 95, "recovery_threshold": 99.5},
        "for_seconds": 300,
        "reminder_seconds": 3600,
        "channels": [{"kind": "eventbridge"}],
    }

    name: DisplayName
    enabled: bool = True
    severity: Severity = Severity.WARNING
    condition: AlertCondition
    for_seconds: _ToADay = Field(
        default=0, description="how long the condition holds before it fires"
    )
    keep_firing_for_seconds: _ToADay = Field(
        default=0, description="how long it is over before the alert is resolved"
    )
    reminder_seconds: _Reminder = Field(default=0, description="0 for no reminders")
    channels: list[NewChannel] = Field(default_factory=list, max_length=MAX_CHANNELS)

    @field_validator("reminder_seconds")
    @classmethod
    def _not_too_often(cls, value: int) -> int:
        if 0 < value < MIN_REMINDER_SECONDS:
            raise ValueError(f"is 0 (none) or at least {MIN_REMINDER_SECONDS}")
        return value


class AlertRulePatch(_Input):
    """JSON merge patch of a rule: what is left out stays, null resets, `channels` are replaced.

    The result is validated as a new rule is.
    """

    EXAMPLE: ClassVar = {"enabled": False}

    name: Annotated[DisplayName | None, NotNull()] = None
    enabled: bool | None = None
    severity: Severity | None = None
    condition: Annotated[dict[str, Any] | None, NotNull()] = None
    for_seconds: _ToADay | None = None
    keep_firing_for_seconds: _ToADay | None = None
    reminder_seconds: _Reminder | None = None
    channels: Annotated[list[NewChannel], Field(max_length=MAX_CHANNELS)] | None = None


class WebhookChannel(NewWebhookChannel):
    id: str


class SnsChannel(NewSnsChannel):
    id: str


class EventBridgeChannel(NewEventBridgeChannel):
    id: str


type Channel = Annotated[
    Annotated[WebhookChannel, Tag(f"{KIND}webhook")]
    | Annotated[SnsChannel, Tag(f"{KIND}sns")]
    | Annotated[EventBridgeChannel, Tag(f"{KIND}eventbridge")],
    Discriminator(_kind_tag),
]
"""A channel of a rule. What is read can be sent back."""


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
    """When it was made, enabled or got another condition: nothing is stale by the time before."""
    deleting: bool = Field(default=False, exclude=True)
    revision: int = Field(exclude=True)


class IssuedAlertRule(AlertRule):
    """A rule, and the signing secrets that were made for its webhooks just now, by channel id.

    A secret is shown this once.
    """

    secrets: dict[str, str] = Field(default_factory=dict)


class IssuedWebhookSecret(Model):
    """A webhook's new signing secret, shown this once.

    Until `previous_valid_until` messages are signed with the one before, too.
    """

    channel_id: str
    secret: str
    previous_valid_until: UtcTime | None


class AlertSubject(Model):
    """What is judged: the space (`id` is the space's), a type by its name, or a connection."""

    model_config = ConfigDict(frozen=True)

    kind: SubjectKind
    id: str

    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def of_key(cls, key: str) -> "AlertSubject":
        kind, _, name = key.partition(":")
        return cls(kind=SubjectKind(kind), id=name)


class RuleSubject(Model):
    """A subject that a rule has judged: its state, `no_data` included, since when."""

    subject: AlertSubject
    state: Literal["ok", "no_data", "pending", "firing"]
    since: UtcTime | None
    alert_id: str | None


class AlertState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class AlertResolution(StrEnum):
    """Why an alert ended."""

    RECOVERED = "recovered"
    RULE_CHANGED = "rule_changed"
    RULE_DISABLED = "rule_disabled"
    RULE_DELETED = "rule_deleted"
    SUBJECT_GONE = "subject_gone"


class Alert(Model):
    """One outage of one subject."""

    model_config = ConfigDict(frozen=True)

    id: str
    rule_id: str
    rule_name: str
    severity: Severity
    condition: str
    subject: AlertSubject
    state: AlertState
    summary: str
    opened_at: UtcTime
    fired_at: UtcTime | None = None
    resolved_at: UtcTime | None = None
    resolution: AlertResolution | None = None
    last_notified_at: UtcTime | None = None
    reminders: int = 0
    acknowledged_at: UtcTime | None = None
    acknowledged_by: str | None = None


class AlertFilter(StrEnum):
    """The states of an alert, and those that fire and have been acknowledged."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertQuery(ListQuery):
    state: AlertFilter | None = None
    rule_id: RuleId | None = None


class NoticeKind(StrEnum):
    """What a channel is told; with `alert.` before it, the type of the message."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class DeliveryStatus(StrEnum):
    """`skipped`: a recovery or reminder of an alert that never reached the channel."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


class DeliveryAttempt(Model):
    """One try: the status that the receiver answered, or why there was none."""

    at: UtcTime
    status_code: int | None = None
    error: str | None = None
    duration_ms: int


class Delivery(Model):
    """One notification to one channel. `notification_id` is its `webhook-id`."""

    id: str
    notification_id: str
    alert_id: str
    rule_id: str
    channel_id: str
    channel: str
    notice: NoticeKind
    status: DeliveryStatus
    created_at: UtcTime
    next_attempt_at: UtcTime | None
    attempts: list[DeliveryAttempt]


class BacktestRequest(_Input):
    """A rule as it would be made, and how far back to try it."""

    EXAMPLE: ClassVar = {"rule": NewAlertRule.EXAMPLE, "days": 7}

    rule: NewAlertRule
    days: int = Field(default=30, ge=1, le=30)


class BacktestFiring(Model):
    """One alert that the rule would have raised; `resolved_at` null goes on."""

    subject: AlertSubject
    opened_at: UtcTime
    fired_at: UtcTime
    resolved_at: UtcTime | None
    reminders: int
    summary: str


class Backtest(Model):
    """When a rule would have fired, judged at the end of each hour.

    `notes` say where that differs from what an evaluation each minute would have seen.
    """

    since: UtcTime
    until: UtcTime
    resolution_seconds: int
    subjects: int
    firings: list[BacktestFiring]
    notes: list[str]
