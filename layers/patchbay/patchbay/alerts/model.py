"""Alerts, deliveries, and backtests, as a caller reads them.

An **alert** is one outage of one subject. It is opened when the condition of its rule is first met
and ends when it is resolved.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from patchbay.alerts.conditions import AlertSubject, StrictInput
from patchbay.alerts.rule_model import NewAlertRule, RuleId, Severity
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.platform.clock import UtcTime
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model


class RuleSubject(Model):
    """A subject of a rule: its state, including `no_data`, and since when it is in it."""

    subject: AlertSubject
    state: Literal["ok", "no_data", "pending", "firing"]
    since: UtcTime | None
    alert_id: str | None


class AlertedSubject(AlertSubject):
    """A subject in words. `name` is that of the space, the type, or the connection;
    `external_account_id` is that of the connection's source."""

    name: str | None = None
    external_account_id: str | None = None


class AlertedConnection(Model):
    """How the connection of an alert was doing: its status, what its last failure was, and what its
    owner has to do."""

    model_config = ConfigDict(frozen=True)

    status: HealthStatus
    error_code: str | None
    error_message: str | None
    required_action: RequiredAction


@dataclass(frozen=True, slots=True)
class AlertWords:
    """What a message says: which subject, why in a sentence, and how its connection is doing.
    `alerts_url` is where the alerts of its space are read."""

    subject: AlertedSubject
    summary: str
    alerts_url: str
    connection: AlertedConnection | None = None


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
    SUBJECT_PAUSED = "subject_paused"
    SUBJECT_DISABLED = "subject_disabled"


class Alert(Model):
    """One outage of one subject."""

    model_config = ConfigDict(frozen=True)

    id: str
    rule_id: str
    rule_name: str
    severity: Severity
    condition: str
    subject: AlertedSubject
    state: AlertState
    summary: str
    connection: AlertedConnection | None = None
    opened_at: UtcTime
    fired_at: UtcTime | None = None
    resolved_at: UtcTime | None = None
    resolution: AlertResolution | None = None
    last_notified_at: UtcTime | None = None
    reminders: int = 0
    acknowledged_at: UtcTime | None = None
    acknowledged_by: str | None = None


class AlertFilter(StrEnum):
    """A state of an alert. `acknowledged` selects the firing alerts that were acknowledged."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertQuery(ListQuery):
    state: AlertFilter | None = None
    rule_id: RuleId | None = None


class NoticeKind(StrEnum):
    """What a notification is about. Prefixed with `alert.`, it is the type of the message."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class DeliveryStatus(StrEnum):
    """`skipped`: a message that a later one made needless, or the recovery of an alert that never
    reached the channel."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


class DeliveryAttempt(Model):
    """One attempt: the status code of the response, or why there was none."""

    at: UtcTime
    status_code: int | None = None
    error: str | None = None
    duration_ms: int


class Delivery(Model):
    """One notification to one channel. A webhook gets `notification_id` as its `webhook-id`."""

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


class BacktestRequest(StrictInput):
    """A rule as for a create, and how many days back to try it."""

    EXAMPLE: ClassVar = {"rule": NewAlertRule.EXAMPLE, "days": 7}

    rule: NewAlertRule
    days: int = Field(default=30, ge=1, le=30)


class BacktestFiring(Model):
    """An alert that the rule would have raised. `resolved_at` is null if it would still fire."""

    subject: AlertSubject
    opened_at: UtcTime
    fired_at: UtcTime
    resolved_at: UtcTime | None
    reminders: int
    summary: str


class Backtest(Model):
    """When a rule would have fired, judged at the end of each hour.

    `notes` say where this differs from an evaluation each minute.
    """

    since: UtcTime
    until: UtcTime
    resolution_seconds: int
    subjects: int
    firings: list[BacktestFiring]
    notes: list[str]
