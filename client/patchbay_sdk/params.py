"""Objects within the bodies of requests, with their names in JSON.

Written by `make sdk` from the API document: edits are lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from patchbay_sdk import choices
from patchbay_sdk.model import Model


class _ConnectionDown(TypedDict):
    kind: Literal["connection_down"]
    """What kind it is; decides which other members there are."""


class ConnectionDown(_ConnectionDown, total=False):
    """Met while a connection's health is `disconnected` or `error`; `unknown` counts as no data.

    Every connection of the space is a subject, or only the one with `connection_id`. Drafts
    and paused connections are left out.
    """

    connection_id: str | None
    """The id of a connection."""


class _EndUser(TypedDict):
    id: str
    """The id of the end user in the caller's own system. The audit trail has it."""


class EndUser(_EndUser, total=False):
    """Who installs, as the caller knows them."""

    name: str | None
    """The name of the end user."""
    email: str | None
    """The e-mail address of the end user, for the caller's own use."""


class _EventDraft(TypedDict):
    integration_type: choices.IntegrationType
    """The kind of work that the event or the count is about."""
    status: choices.EventStatus
    """Whether the work succeeded."""


class EventDraft(_EventDraft, total=False):
    """An event as a caller sends it. An event with its own id must also have its time."""

    id: str | None
    """An id of the caller's own: the same id and time are counted once."""
    occurred_at: datetime | str | None
    """When it happened."""
    connection_id: str | None
    """The id of a connection."""
    duration_ms: int | None
    """How long it took, in milliseconds."""
    error_code: str | None
    """The code of the failure; null without one."""
    message: str | None
    """What happened, for a person."""
    metadata: Mapping[str, Any] | None
    """Anything the caller wants to keep with the event."""


class _MemberPatch(TypedDict):
    name: str
    """The name of the member."""


class MemberPatch(_MemberPatch, total=False):
    """An edit of the endpoint's own copy of a member.

    New content detaches it from the release. `detached` keeps it as it is from now on or, if
    false, takes the release's content again.
    """

    content: Mapping[str, Any] | None
    """The new content of the copy."""
    detached: bool | None
    """True keeps the copy through upgrades; false takes the release's content again."""


class Monitor(TypedDict, total=False):
    """Whether and how often a connection is tested in the background, while it is active."""

    enabled: bool
    """Whether it is switched on. Default: `false`."""
    interval: choices.MonitorInterval
    """How often the connection is tested. Default: `"5m"`."""


class MonitorPatch(TypedDict, total=False):
    """Fields that are left out stay; null resets to the default."""

    enabled: bool | None
    """Whether it is switched on."""
    interval: choices.MonitorInterval | None
    """How often the connection is tested; null resets it."""


class _NewAlertRule(TypedDict):
    name: str
    """The name of the rule."""
    condition: AlertCondition | Model
    """When the alert begins."""


class NewAlertRule(_NewAlertRule, total=False):
    """The body of a create. A channel with an `id` is one that the rule already has."""

    enabled: bool
    """Whether it is switched on. Default: `true`."""
    severity: choices.Severity
    """A label for the receivers. Default: `"warning"`."""
    for_seconds: int
    """How long the condition must hold before the alert fires. Default: `0`."""
    keep_firing_for_seconds: int
    """How long the condition must be clear before the alert is resolved. Default: `0`."""
    reminder_seconds: int
    """0 for no reminders. Default: `0`."""
    channels: Sequence[NewChannel | Model]
    """Where notifications are sent: at most 5 channels."""


class _NewEventBridgeChannel(TypedDict):
    kind: Literal["eventbridge"]
    """What kind it is; decides which other members there are."""


class NewEventBridgeChannel(_NewEventBridgeChannel, total=False):
    """The deployment's own event bus."""

    id: str | None
    """The id of a channel that the rule already has; left out for a new one."""


class _NewSnsChannel(TypedDict):
    kind: Literal["sns"]
    """What kind it is; decides which other members there are."""
    topic_arn: str
    """The ARN of the topic."""


class NewSnsChannel(_NewSnsChannel, total=False):
    """An SNS topic that the deployment allows."""

    id: str | None
    """The id of a channel that the rule already has; left out for a new one."""


class _NewWebhookChannel(TypedDict):
    kind: Literal["webhook"]
    """What kind it is; decides which other members there are."""
    url: str
    """The https address that gets the notifications."""


class NewWebhookChannel(_NewWebhookChannel, total=False):
    """An HTTPS endpoint that gets a signed POST (Standard Webhooks)."""

    id: str | None
    """The id of a channel that the rule already has; left out for a new one."""


class _Stale(TypedDict):
    kind: Literal["stale"]
    """What kind it is; decides which other members there are."""
    after_seconds: int
    """How many seconds may pass without a success."""


class Stale(_Stale, total=False):
    """Met when the last success is longer ago than `after_seconds`.

    For a subject that never succeeded, the time counts from when the rule was created,
    enabled, or given another condition.
    """

    per: choices.SubjectKind
    """What the condition is judged for: the space as a whole, each type, or each connection.
    Default: `"space"`.
    """
    integration_type: choices.IntegrationType | None
    """The kind of work that the event or the count is about."""
    connection_id: str | None
    """The id of a connection."""


class StatusPagePatch(TypedDict, total=False):
    """What to change about a status page; what is left out stays.

    `url` can only be sent back as it was read.
    """

    enabled: bool
    """Whether there is a page. Off, and on again, makes another address."""
    title: str | None
    """The name that the page shows; null for the name of the space."""
    show_connections: bool
    """Whether the page shows connections, and alerts about them, by their names. Off by default."""
    url: str | None
    """Can't be changed: it may be sent back as it was read."""


class _SuccessRate(TypedDict):
    kind: Literal["success_rate"]
    """What kind it is; decides which other members there are."""
    threshold: float
    """Percent."""


class SuccessRate(_SuccessRate, total=False):
    """Met while the success rate is below `threshold` in both windows.

    The long window shows that the problem matters, the short one that it is still going on.
    Windows of an hour or more are whole hours and begin on the hour, as in the health
    summary; shorter ones are exact. An alert ends when the rate of either window reaches
    `recovery_threshold`.
    """

    per: choices.SubjectKind
    """What the condition is judged for: the space as a whole, each type, or each connection.
    Default: `"space"`.
    """
    integration_type: choices.IntegrationType | None
    """The kind of work that the event or the count is about."""
    connection_id: str | None
    """The id of a connection."""
    recovery_threshold: float | None
    """Percent; `threshold` if absent."""
    short_window_seconds: int
    """The short window, which shows that the problem is still going on. Default: `3600`."""
    long_window_seconds: int
    """The long window, which shows that the problem matters. Default: `21600`."""
    minimum_events: int
    """In the short window; fewer count as no data. Default: `10`."""


AlertCondition = SuccessRate | Stale | ConnectionDown
"""When an alert begins."""
NewChannel = NewWebhookChannel | NewSnsChannel | NewEventBridgeChannel
"""A channel to send notifications to."""
