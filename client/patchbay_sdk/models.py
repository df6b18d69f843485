"""What the API answers.

Written by `make sdk` from the API document: edits are lost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from patchbay_sdk import choices
from patchbay_sdk.model import (
    Model,
    anything,
    boolean,
    by,
    each,
    identifier,
    integer,
    many,
    mapping,
    maybe,
    number,
    string,
    time,
)


class AccountChoice(Model):
    """One part of an account, such as a workspace, and the variables that choose it."""

    label: str
    """What the part is called."""
    variables: dict[str, Any]
    """The variables to send for it."""


class Alert(Model):
    """One outage of one subject."""

    id: str
    """The id of the alert."""
    rule_id: str
    """The id of the rule."""
    rule_name: str
    """The name of the rule."""
    severity: choices.Severity | str
    """A label for the receivers."""
    condition: str
    """The kind of condition that was met."""
    subject: AlertedSubject
    """What the alert is about."""
    state: choices.AlertState | str
    """Where it is between pending and resolved."""
    summary: str
    """What is wrong, in a sentence."""
    connection: AlertedConnection | None
    """How the connection was doing when its channels were last notified; null for an alert about
    a space or a type.
    """
    opened_at: datetime
    """When the condition was first met."""
    fired_at: datetime | None
    """When the alert began to fire; null while it is pending."""
    resolved_at: datetime | None
    """When the alert ended; null while it has not."""
    resolution: choices.AlertResolution | str | None
    """Why the alert ended; null while it has not."""
    last_notified_at: datetime | None
    """When the last notification was written; null before the first."""
    reminders: int
    """How many reminders were sent. Default: `0`."""
    acknowledged_at: datetime | None
    """When somebody acknowledged the alert; null if nobody has."""
    acknowledged_by: str | None
    """The subject of the caller who acknowledged the alert."""


class AlertRule(Model):
    """An alert rule of a space."""

    id: str
    """The id of the rule."""
    organization_id: str
    """The organization that owns it."""
    space: str
    """The slug of the space."""
    space_id: str
    """The id of the space."""
    name: str
    """The name of the rule."""
    enabled: bool
    """Whether it is switched on."""
    severity: choices.Severity | str
    """A label for the receivers."""
    condition: SuccessRate | Stale | ConnectionDown
    """When the alert begins."""
    for_seconds: int
    """How long the condition must hold before the alert fires."""
    keep_firing_for_seconds: int
    """How long the condition must be clear before the alert is resolved."""
    reminder_seconds: int
    """Seconds between two reminders of a firing alert: 0 for none, or at least 300."""
    channels: list[WebhookChannel | SnsChannel | EventBridgeChannel]
    """Where notifications are sent: at most 5 channels."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""


class AlertSubject(Model):
    """The space, an integration type, or a connection. `id` is its id; of a type, its name."""

    kind: choices.SubjectKind | str
    """What the alert is about."""
    id: str
    """The id of the space or the connection, or the name of the integration type."""


class AlertedConnection(Model):
    """How the connection of an alert was doing: its status, what its last failure was, and what
    its owner has to do.
    """

    status: choices.HealthStatus | str
    """How it stands."""
    error_code: str | None
    """The code of the failure; null without one."""
    error_message: str | None
    """What the last failed test said; null without a failure."""
    required_action: choices.RequiredAction | str
    """What the owner of the connection has to do."""


class AlertedSubject(Model):
    """A subject in words. `name` is that of the space, the type, or the connection;
    `external_account_id` is that of the connection's source.
    """

    kind: choices.SubjectKind | str
    """What the alert is about."""
    id: str
    """The id of the space or the connection, or the name of the integration type."""
    name: str | None
    """A name for people."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""


class ApiKey(Model):
    """An API key without its secret. `prefix` is the public part, to recognize it by."""

    id: str
    """The id of the key."""
    organization_id: str
    """The organization that owns it."""
    name: str
    """The name of the key."""
    prefix: str
    """The public part of the key, to recognize it by."""
    permissions: list[choices.Permission | str]
    """What the key may do."""
    space: str | None
    """The slug of the only space that the key may act in; null if it may act in the whole
    organization.
    """
    created_by: str
    """The subject of the caller who created it."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime | None
    """When the key stops working; null for a key that doesn't expire."""


class AuditEvent(Model):
    """One change of one thing.

    `before` and `after` hold the fields that differ; `before` is null for what was made,
    `after` for what was deleted. A value of more than 1 KB is replaced by its `sha256` and
    `bytes`.
    """

    id: str
    """The id of the audit event."""
    organization_id: str
    """The organization that owns it."""
    at: datetime
    """When it happened."""
    subject: str
    """Who made the change: the subject of a key or token."""
    trace_id: str | None
    """The id of the request, which the logs carry."""
    entity: choices.Entity | str
    """What kind of thing was changed."""
    entity_id: str
    """The id of what was changed."""
    action: choices.Action | str
    """What was done."""
    before: dict[str, Any] | None
    """The fields that differ, as they were; null if the entity was created."""
    after: dict[str, Any] | None
    """The fields that differ, as they are now; null if the entity was deleted."""
    secrets_entered: list[str]
    """The names of the secrets that were entered, never their values."""


class AuthorizationFailure(Model):
    """Why the last attempt to connect the account failed, for people."""

    outcome: str
    """How it ended."""
    title: str
    """What happened."""
    text: str
    """What to do about it."""
    code: str | None
    """The code of the check that failed; null if none did."""
    summary: str | None
    """What the provider answered, cleaned; null if it was not asked."""
    at: datetime
    """When it happened."""


class AuthorizationStep(Model):
    """Where a session stands with the account that is connected at the provider.

    `found_variables` need not be asked for: the provider tells them. `kept` says that a
    repair keeps the account that is connected, unless it is connected again. With `choices`,
    one of them is to be sent with the other variables.
    """

    scopes: list[str]
    """The scopes that are asked for, or were."""
    found_variables: list[str]
    """Variables that the provider tells: nobody is asked for them."""
    authorized: bool
    """Whether the end user connected an account in this session."""
    kept: bool
    """Whether a repair keeps the account that is connected, unless it is connected again."""
    scopes_granted: list[str] | None
    """What the provider granted; null if it does not say, or nothing was connected."""
    scopes_missing: list[str]
    """What was asked for and not granted."""
    choices: list[AccountChoice]
    """Parts of the account, of which one is to be chosen; empty if there is nothing to choose."""
    failure: AuthorizationFailure | None
    """Why the last attempt failed; null if it did not."""


class Backtest(Model):
    """When a rule would have fired, judged at the end of each hour.

    `notes` say where this differs from an evaluation each minute.
    """

    since: datetime
    """The start of the time that was looked at."""
    until: datetime
    """The end of the time that was looked at."""
    resolution_seconds: int
    """Seconds between two evaluations of the backtest."""
    subjects: int
    """How many subjects were judged."""
    firings: list[BacktestFiring]
    """The alerts that the rule would have raised, oldest first."""
    notes: list[str]
    """How this differs from an evaluation each minute."""


class BacktestFiring(Model):
    """An alert that the rule would have raised. `resolved_at` is null if it would still fire."""

    subject: AlertSubject
    """What the alert is about."""
    opened_at: datetime
    """When the condition was first met."""
    fired_at: datetime
    """When the alert began to fire; null while it is pending."""
    resolved_at: datetime | None
    """When the alert ended; null while it has not."""
    reminders: int
    """How many reminders were sent."""
    summary: str
    """What was wrong, in a sentence."""


class BrowserSession(Model):
    """A session of a browser, without its cookie."""

    id: str
    """The id of the session."""
    signed_in_by: choices.SignInWay | str
    """How the browser signed in."""
    created_at: datetime
    """When the browser signed in."""
    last_seen_at: datetime
    """When it was last used, to ten minutes."""
    expires_at: datetime
    """When it ends at the latest."""
    idle_ends_at: datetime
    """When it ends if it is not used any more."""
    current: bool
    """Whether this is the session of the request. Default: `false`."""


class Caller(Model):
    """Who calls, and what they may do: by a session of a browser, a key, or a token."""

    organization: CallersOrganization
    """The organization of the caller."""
    subject: str
    """Who calls: the id of a key or of a sign-in link, or `jwt:` and the subject of a token."""
    permissions: list[choices.Permission | str]
    """What the caller may do, with what other permissions imply."""
    space: CallersSpace | None
    """The only space that the caller may act in; null if it may act in the whole organization."""
    expires_at: datetime | None
    """When the session ends at the latest; null for a key or a token."""
    idle_ends_at: datetime | None
    """When the session ends if it is not used any more; null for a key or a token."""
    signed_in_by: choices.SignInWay | str | None
    """How the browser signed in; null for a key or a token."""


class CallersOrganization(Model):
    """The organization of a caller."""

    id: str
    """The id of the organization."""
    name: str
    """The name of the organization."""
    external_id: str | None
    """The id of the customer in your own system, unique in the deployment; null if there is
    none.
    """


class CallersSpace(Model):
    """The only space that a caller may act in."""

    id: str
    """The id of the space."""
    slug: str
    """The slug of the space."""


class CapabilityReport(Model):
    """A capability that a release declares.

    `proven`: its steps passed. `at_risk`: one of them did not, which does not affect other
    capabilities. `untested`: the release has no step for it, or none of its steps ran.
    """

    role: choices.Role | str
    """Whether it is a source or a destination."""
    name: choices.Capability | str
    """The capability."""
    status: choices.CapabilityStatus | str
    """What the test showed for the capability."""


class CatalogEntry(Model):
    """A public integration in the list of the catalog, without its documents."""

    id: str
    """The id of the integration."""
    publisher: str
    """Who publishes the integration. Slugs are unique within a publisher."""
    slug: str
    """The name in paths: lower-case letters, digits, and hyphens."""
    name: str
    """The name of the integration."""
    description: str | None
    """What the integration is for."""
    icon_url: str | None
    """The https address of an icon."""
    trust_tier: choices.TrustTier | str
    """How far the operator vouches for the publisher."""
    current_version: str
    """The version of the newest stable release; null for a draft."""
    deprecated: str | None
    """Why the current release should not be used any more; null if it should."""
    auth_type: Literal["oauth2", "api_key", "basic", "none"] | str
    """How the integration authenticates."""
    capabilities: list[choices.Capability | str]
    """What the integration can do."""
    roles: list[choices.Role | str]
    """What an endpoint of the integration can be."""
    key: str
    """How bodies and addresses name it: the key of its publisher, a slash, and its slug."""


class CompletedConnection(Model):
    """A connection that a session made or repaired."""

    id: str
    """The id of it."""
    name: str
    """A name for people."""
    space: str
    """The slug of the space."""
    monitor: Monitor
    """Whether and how often the connection is tested in the background."""


class CompletedSource(Model):
    """A source that a session made or repaired."""

    id: str
    """The id of it."""
    name: str
    """A name for people."""
    integration: str
    """The integration, as publisher/slug."""
    version: str
    """The semantic version of the release."""


class Connection(Model):
    """A source, optionally joined to a destination, in a space."""

    id: str
    """The id of the connection."""
    organization_id: str
    """The organization that owns it."""
    name: str
    """The name of the connection."""
    source_id: str
    """The id of a source."""
    destination_id: str | None
    """The id of a destination."""
    configurations: dict[str, Any]
    """Settings of the connection, as `configurationSchema` of the releases wants them."""
    space: str
    """The slug of the space."""
    space_id: str
    """The id of the space."""
    monitor: Monitor
    """Whether and how often the connection is tested in the background."""
    record_uses: bool
    """Whether uses of the connection's credentials are events of its space, of the type usage.
    Off by default. Default: `false`.
    """
    status: choices.Lifecycle | str
    """What the owner wants from the connection."""
    health: Health
    """How the connection is doing, according to its tests."""
    required_action: choices.RequiredAction | str
    """What the owner of the connection has to do."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""


class ConnectionDown(Model):
    """Met while a connection's health is `disconnected` or `error`; `unknown` counts as no data.

    Every connection of the space is a subject, or only the one with `connection_id`. Drafts
    and paused connections are left out.
    """

    kind: Literal["connection_down"]
    """What kind it is; decides which other members there are."""
    connection_id: str | None
    """The id of a connection."""
    _optional = ("connection_id",)


class ConnectionHealth(Model):
    """One connection. `lifecycle` is set by its owner, `status` by its tests.

    `last_success_at` and `error_code` are of its tests. `stale` is true for a monitored
    connection without a success for two of its intervals of being monitored: the time before
    its monitor was enabled, resumed, or given another interval does not count.
    `interval_seconds` is null while nothing is tested in the background, also because the
    space or the organization is paused.
    """

    connection_id: str
    """The id of a connection."""
    name: str
    """The name of the connection."""
    lifecycle: choices.Lifecycle | str
    """What the owner wants from the connection."""
    status: choices.HealthStatus | str
    """How the connection is doing, according to its last tests."""
    since: datetime | None
    """Since when it has this status; null if it never had another."""
    checked_at: datetime | None
    """When the connection was last tested; null if never."""
    last_success_at: datetime | None
    """When the newest success happened; null without one."""
    seconds_since_success: int | None
    """Seconds since the last success; null if there was none."""
    interval_seconds: int | None
    """Seconds between two tests of the monitor; null without one."""
    stale: bool
    """Whether a monitored connection had no success for two of its intervals."""
    required_action: choices.RequiredAction | str
    """What the owner of the connection has to do."""
    error_code: str | None
    """The code of the failure; null without one."""


class ConnectionRecord(Model):
    """A connection and its source, as one.

    `usage…` are of its tests and of the uses of its credentials, together. Those that failed
    because of Patchbay do not count.
    """

    id: str
    """The id of the connection."""
    tenant_id: str
    """The id of the organization."""
    integration_key: str
    """The integration, as publisher.slug."""
    integration_version: int
    """The major version of the release."""
    label: str
    """A name for people."""
    ownership_mode: choices.OwnershipMode | str
    """Whose credentials they are."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""
    secret_provider: choices.SecretProvider | str
    """Where the secrets are kept."""
    secret_ref: str
    """Where the secrets are: `patchbay://<source_id>`, or a secret of AWS Secrets Manager."""
    status: choices.HealthStatus | str
    """Whether the connection is in use, and how it is doing."""
    environment: str | None
    """A label of the tenant's own, such as production or sandbox."""
    health_status: choices.HealthStatus | str | None
    """How the connection is doing, according to its last tests."""
    health_checked_at: datetime | None
    """When the connection was last tested."""
    health_latency_ms: int | None
    """How long the last test took, in milliseconds."""
    health_error_code: str | None
    """The code of the last test's failure."""
    health_error_message: str | None
    """What the last failed test said."""
    usage_request_count: int
    """How often Patchbay has used the connection: its tests so far, without those that failed
    because of Patchbay.
    """
    usage_success_count: int
    """How many of the uses succeeded."""
    usage_error_count: int
    """How many of the uses failed."""
    usage_last_used_at: datetime | None
    """When the connection was last used; left out before the first use."""
    usage_last_error_at: datetime | None
    """When a use last failed; left out if none has."""
    usage_last_error_code: str | None
    """The code of the last failure; left out if there was none."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    _optional = (
        "external_account_id",
        "environment",
        "health_status",
        "health_checked_at",
        "health_latency_ms",
        "health_error_code",
        "health_error_message",
        "usage_last_used_at",
        "usage_last_error_at",
        "usage_last_error_code",
    )


class DataKey(Model):
    """A key that secrets of an organization are sealed under."""

    number: int
    """The number of the key, counted from 1."""
    current: bool
    """Whether new secrets are sealed under this key."""
    created_at: datetime
    """When it was created."""


class DataKeys(Model):
    """The data keys of an organization, oldest first.

    `current` is the number of the key that new secrets are sealed under. The first key is
    created with the first secret.
    """

    current: int
    """The number of the key that new secrets are sealed under; 0 before the first one."""
    keys: list[DataKey]
    """The keys, oldest first."""


class DayPoint(Model):
    """The counts of one day."""

    starts_at: datetime
    """The start of the hour or day."""
    total: int
    """How many events there are."""
    errors: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""


class DayStatus(Model):
    """The counts of one day of UTC."""

    date: str
    """The day, in UTC."""
    total: int
    """How many events there are."""
    success: int
    """How many events are successes."""
    errors: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""


class Deleted(Model):
    """The output of the operation `integrations.connection.delete`."""

    success: bool
    """Whether it succeeded. Default: `true`."""


class DeletedDataKeys(Model):
    """The keys that were deleted, and when the last process has dropped them from its memory."""

    deleted: list[int]
    """The numbers of the deleted keys."""
    unreadable_at: datetime
    """When the last process has dropped the keys from its memory."""


class Delivery(Model):
    """One notification to one channel. A webhook gets `notification_id` as its `webhook-id`."""

    id: str
    """The id of the delivery."""
    notification_id: str
    """The id of the notification, the same for every attempt."""
    alert_id: str
    """The id of the alert."""
    rule_id: str
    """The id of the rule."""
    channel_id: str
    """The id of the channel."""
    channel: str
    """The kind of channel."""
    notice: choices.NoticeKind | str
    """What the notification says."""
    status: choices.DeliveryStatus | str
    """Whether the notification arrived."""
    created_at: datetime
    """When it was created."""
    next_attempt_at: datetime | None
    """When the next attempt is due; null if there will be none."""
    attempts: list[DeliveryAttempt]
    """Every attempt so far, oldest first."""


class DeliveryAttempt(Model):
    """One attempt: the status code of the response, or why there was none."""

    at: datetime
    """When it happened."""
    status_code: int | None
    """The status code of the response; null if there was none."""
    error: str | None
    """Why it failed; null or left out if it did not."""
    duration_ms: int
    """How long it took, in milliseconds."""


class Diagnosis(Model):
    """What a code means and what to do about it."""

    title: str
    """What is wrong, in a few words."""
    remediation: str
    """What to do about it."""
    doc_url: str | None
    """A page about it; null if there is none."""


class DryRunResult(Model):
    """The result of a dry run: the contract's `status` and `message`, and the steps behind them."""

    status: Literal["succeeded", "failed"] | str
    """Whether the test passed."""
    message: str
    """What happened, in a sentence."""
    verified: bool
    """Whether a step proved that the credentials give access."""
    code: choices.Code | str | None
    """The reason for the failure, as a stable code; null if there is none."""
    category: choices.CodeCategory | str | None
    """The category of the code; null without a code."""
    blame: choices.Blame | str | None
    """Who can fix the failure; null if there is none."""
    retryable: bool | None
    """Whether the same test may pass later without a change; null if it passed."""
    retry_after_seconds: int | None
    """Seconds to wait before the next try, if the provider said so."""
    account: str | None
    """The account at the provider that the credentials belong to, if a step reads it."""
    certificate_expires_at: datetime | None
    """When the server's certificate expires; null if none was seen."""
    latency_ms: int
    """How long the test took, in milliseconds; null until it is known."""
    capabilities: list[CapabilityReport]
    """What the test showed for each capability that the release declares."""
    steps: list[Step]
    """The steps of the test, in order."""


class EditReport(Model):
    """What an edit would do. Nothing was stored. `connections` has at most 20.

    `account_to_connect`: the account must be connected again, since its tokens would be sent
    elsewhere.
    """

    version: str
    """The semantic version of the release."""
    valid: bool
    """Whether the edit would be taken."""
    errors: list[FieldError]
    """Why the edit would be refused; empty if it is valid."""
    secrets_to_enter: list[str]
    """The names of the secrets that must be entered again with this edit."""
    secret_ref_to_enter: bool
    """Whether `secret_ref` must be entered again."""
    account_to_connect: bool
    """Whether the account must be connected again: the edit changes where its tokens are sent.
    Default: `false`.
    """
    connections: list[InvalidConnection]
    """Connections whose configurations would no longer be valid; at most 20."""
    members: list[MemberChange] | None
    """What the edit does to each member."""
    _optional = ("members",)


class EndUser(Model):
    """Who installs, as the caller knows them."""

    id: str
    """The id of the end user in the caller's own system. The audit trail has it."""
    name: str | None
    """The name of the end user."""
    email: str | None
    """The e-mail address of the end user, for the caller's own use."""
    _optional = ("name", "email")


class Endpoint(Model):
    """A source or destination. Of its secrets, only the names are shown.

    With a `secret_ref`, `secrets_set` is empty: the names are in the secret that it refers
    to.
    """

    id: str
    """The id of the source or destination."""
    organization_id: str
    """The organization that owns it."""
    role: choices.Role | str
    """Whether it is a source or a destination."""
    name: str
    """A name for people."""
    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    version: str
    """The semantic version of the release."""
    category: str
    """The category of the integration, by its manifest."""
    variables: dict[str, Any]
    """What is not secret, as `variablesSchema` of the release wants it."""
    secrets_set: list[str]
    """The names of the stored secrets, never their values."""
    secret_ref: str | None
    """A secret of AWS Secrets Manager that is used instead of the vault; null for the vault."""
    secrets_entered_at: datetime | None
    """When secrets were last entered; null if none were."""
    granted_at: datetime | None
    """When the account was last connected through a browser; null if it was not."""
    members: list[InstalledMember]
    """The members of the release, each a reference or the endpoint's own copy."""
    dependencies: list[InstalledDependency]
    """The releases that the dependencies of the release resolved to."""
    environment: str | None
    """A label of the tenant's own, such as production or sandbox."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""
    ownership_mode: choices.OwnershipMode | str
    """Whose credentials they are."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    secret_provider: choices.SecretProvider | str
    """Where the secrets are kept."""


class Erasure(Model):
    """The erasure of an organization.

    `removed` counts the items by kind; an interrupted run may count some of them twice or not
    at all. `left` is what the last verification found and removed: an erasure ends with one
    that found nothing.
    """

    organization_id: str
    """The organization that owns it."""
    status: choices.ErasureStatus | str
    """How far the erasure is."""
    requested_at: datetime
    """When the erasure was requested: the organization has been closed since then."""
    started_at: datetime | None
    """When the first run began; null until then."""
    verifies_at: datetime
    """From when on nothing can be written for the organization any more: a verification begins
    then.
    """
    finished_at: datetime | None
    """When the last verification found nothing; null until then."""
    removed: dict[str, int]
    """How many items were removed, by kind."""
    grants_not_revoked: int
    """How many grants their providers could not be asked to revoke."""
    left: int | None
    """How much the last verification found, and removed; null before the first."""
    failures: int
    """How many attempts have failed in a row."""
    error_code: str | None
    """Why the last attempt failed; null if it did not."""
    kept: list[Kept]
    """What is left, and until when."""


class Event(Model):
    """Something that happened to an integration in a space.

    Its identity is its id together with `occurred_at`. A platform fault is a test that failed
    because of Patchbay: it is stored, but no total counts it.
    """

    id: str
    """The id of the event, the caller's own or ours."""
    space_id: str
    """The id of the space."""
    integration_type: choices.IntegrationType | str
    """The kind of work that the event or the count is about."""
    status: choices.EventStatus | str
    """Whether the work succeeded."""
    occurred_at: datetime
    """When it happened. A monitor's test happened at the minute that it was scheduled for."""
    received_at: datetime
    """When the event was stored; of a monitor's test, when the test ended."""
    connection_id: str | None
    """The id of a connection."""
    duration_ms: int | None
    """How long it took, in milliseconds."""
    error_code: str | None
    """The code of the failure; null without one."""
    message: str | None
    """What happened, for a person; null if the event has no message."""
    metadata: dict[str, Any] | None
    """Anything the caller wants to keep with the event."""
    platform_fault: bool
    """Whether the test failed because of Patchbay. No total counts such an event. Default:
    `false`.
    """


class EventBridgeChannel(Model):
    """The deployment's own event bus, as a rule has it."""

    kind: Literal["eventbridge"]
    """What kind it is; decides which other members there are."""
    id: str
    """The id of the channel."""


class ExportedThing(Model):
    """One thing of an organization, of the kind `kind`, as answers of the API show it."""

    kind: str
    """What kind of thing it is."""
    content: dict[str, Any]
    """The thing, as the API shows it."""


class FieldError(Model):
    """What is wrong with a document: where, as a JSON Pointer, and a sentence."""

    pointer: str
    """Where it is, as a JSON Pointer (RFC 6901)."""
    message: str
    """What is wrong there. It goes on where the pointer stops."""


class FoundProblem(Model):
    """What the last test found wrong, and the field to change, if it is one."""

    code: choices.Code | str
    """The reason for the failure, as a stable code; null if there is none."""
    summary: str
    """What happened, in a sentence."""
    title: str
    """What is wrong, in a few words."""
    remediation: str
    """What to do about it."""
    field_pointer: str | None
    """The field to change, as a JSON Pointer into the endpoint; null if no field is to blame."""


class GivenCredentials(Model):
    """Usable credentials of an endpoint, by the type of its `authConfig`.

    `secrets` are other secrets that the integration lets callers read. Never a refresh token,
    a client secret, or a private key.
    """

    type: Literal["oauth2", "api_key", "basic", "none"] | str
    """How the integration authenticates."""
    endpoint_id: str
    """The id of the source or destination."""
    access_token: str | None
    """The access token, for `oauth2`."""
    api_key: str | None
    """The key, for `api_key`."""
    username: str | None
    """The user name, for `basic`."""
    password: str | None
    """The password, for `basic`."""
    secrets: dict[str, str]
    """Other secrets, by name, that the integration lets callers read."""
    header: GivenHeader | None
    """The header that carries the credential; null if none does."""
    base_url: str | None
    """Where the requests of this integration go; null if the release does not say."""
    expires_at: datetime | None
    """When the access token expires; null if it does not, or nobody said."""
    scopes: list[str] | None
    """The scopes that the provider granted; null if it does not say."""
    _optional = ("access_token", "api_key", "username", "password")


class GivenHeader(Model):
    """The header that carries the credential in a request to the provider."""

    name: str
    """The name of the header."""
    value: str
    """Its whole value, with the credential."""


class GrantEnding(Model):
    """Why and when a grant ended."""

    reason: choices.EndReason | str
    """Whether the provider refused the refresh token, an answer with a new one may have been
    lost, or the access expired.
    """
    code: choices.Code | str
    """The reason for the failure, as a stable code; null if there is none."""
    message: str
    """What happened, in a sentence."""
    at: datetime
    """When it happened."""


class GrantFailure(Model):
    """The last attempt to renew the access token, which failed: `count` attempts in a row did."""

    code: choices.Code | str
    """The reason for the failure, as a stable code; null if there is none."""
    message: str
    """What happened, in a sentence."""
    at: datetime
    """When it happened."""
    retry_at: datetime
    """When the next renewal may be tried."""
    count: int
    """How many events have a duration."""


class GrantRemoved(Model):
    """A grant that was removed, and whether the provider took its tokens back."""

    endpoint_id: str
    """The id of the source or destination."""
    revocation: choices.RevocationOutcome | str
    """Whether the provider has revoked the tokens."""
    message: str
    """What the provider was asked, and what it said."""


class GrantView(Model):
    """What a provider issued for an endpoint; the tokens themselves are never shown.

    `expires_at` is the end of the access token, `ends_at` when nothing can renew it any more,
    as far as the provider said. `scopes_granted` is null if the provider did not say.
    """

    endpoint_id: str
    """The id of the source or destination."""
    status: choices.GrantStatus | str
    """How it stands."""
    required_action: choices.RequiredAction | str
    """What the owner of the connection has to do."""
    connected_through: choices.ConnectedThrough | str
    """Whether the tokens belong to an OAuth application, or to a client that was entered with
    them.
    """
    connected_at: datetime | None
    """When the account was last connected through a browser; null if its tokens were entered."""
    renewable: bool
    """Whether the access token can be renewed without a person."""
    renewed_at: datetime | None
    """When the provider last issued an access token."""
    expires_at: datetime | None
    """When the key stops working; null for a key that doesn't expire."""
    ends_at: datetime | None
    """When nothing can renew the access any more; null if the provider did not say."""
    generation: int
    """The number of the renewal that the tokens came from."""
    scopes_asked: list[str]
    """The scopes that were asked for."""
    scopes_granted: list[str] | None
    """The scopes that were granted; null if the provider did not say."""
    scopes_missing: list[str]
    """The scopes that the release asks for and that were not granted."""
    failure: GrantFailure | None
    """The last renewal, if it failed; null otherwise."""
    end: GrantEnding | None
    """Why the grant ended; null while it has not."""
    warnings: list[GrantWarning]
    """What limits the grant, or will end it, and what to do."""


class GrantWarning(Model):
    """What will keep a grant from working, or already limits it, and what to do."""

    code: Literal["scope_missing", "access_ends"] | str
    """The reason for the failure, as a stable code; null if there is none."""
    title: str
    """What is wrong, in a few words."""
    message: str
    """What happened, in a sentence."""
    remediation: str
    """What to do about it."""


class Health(Model):
    """How a connection is doing, according to its last tests.

    `since` is when the status began. With a monitor, one failure does not make a connection
    fail yet, and one success does not end its failing. The error goes with the status: there
    is none while it is connected, and while it fails it is that of its last failure.
    `checked_at`, `latency_ms`, and the consecutive counts are of the newest tests.
    """

    status: choices.HealthStatus | str
    """How the connection is doing, according to its last tests."""
    since: datetime | None
    """Since when it has this status; null if it never had another."""
    checked_at: datetime | None
    """When the connection was last tested; null if never."""
    latency_ms: int | None
    """How long the test took, in milliseconds; null until it is known."""
    error_code: str | None
    """The code of the failure; null without one."""
    error_message: str | None
    """What the last failed test said; null without a failure."""
    consecutive_failures: int
    """How many of the newest tests failed in a row. Default: `0`."""
    consecutive_successes: int
    """How many of the newest tests passed in a row. Default: `0`."""


class HealthSeries(Model):
    """Points from the start of the window to now, without gaps. Together they are the summary."""

    space_id: str
    """The id of the space."""
    period_days: int
    """How many days the period has."""
    interval: choices.SeriesInterval | str
    """What one point covers: an hour or a day."""
    integration_type: choices.IntegrationType | str | None
    """The kind of work that the event or the count is about."""
    points: list[SeriesPoint]
    """The points, oldest first, without gaps."""


class HealthSummary(Model):
    """`success_rate` is a percentage, 0.0–100.0. Without events it is 0.0 and `no_data` is true."""

    space_id: str
    """The id of the space."""
    period_days: int
    """How many days the period has."""
    total_events: int
    """How many events there are."""
    success_count: int
    """How many events are successes."""
    error_count: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    last_success_at: datetime | None
    """When the newest success happened; null without one."""
    last_error_at: datetime | None
    """When the newest error of the period happened; null without one."""
    by_integration_type: list[TypeHealth]
    """The same counts for each type with events in the period, largest total first."""
    no_data: bool
    """Whether there was no event at all."""
    platform_faults: int
    """How many tests failed because of Patchbay. They are in no other count."""


class IngestResult(Model):
    """How many events of a call were stored and counted, and how many were stored before."""

    accepted: int
    """How many events were stored and counted."""
    duplicates: int
    """How many events had been stored before. They are not counted again."""


class InstallCompletion(Model):
    """What a session made or repaired, and the first test of it."""

    session_id: str
    """The id of the install session."""
    source: CompletedSource
    """The source that was made or repaired."""
    connection: CompletedConnection
    """The connection that was made or repaired."""
    test: RecordedTest
    """The first test of the connection; still running if another request runs it."""
    return_url: str | None
    """Where the browser goes at the end: https, or http on loopback."""


class InstallForm(Model):
    """What to ask an end user for, as JSON Schemas, and what is known already."""

    session_id: str
    """The id of the install session."""
    mode: Literal["install", "repair"] | str
    """Whether the session makes a connection, or repairs one."""
    expires_at: datetime
    """When the session stops working."""
    organization_name: str
    """The name of the organization that the connection is for."""
    end_user_name: str | None
    """The name of the end user; null if the creator of the session does not say."""
    return_url: str | None
    """Where the browser goes at the end: https, or http on loopback."""
    allowed_origins: list[str]
    """Origins of pages that may embed the wizard: https, or http on loopback."""
    integration: InstalledIntegration
    """What is installed, for people."""
    variables_schema: dict[str, Any]
    """The JSON Schema of the variables."""
    variables: dict[str, Any]
    """What the end user starts from, with the defaults."""
    locked: list[str]
    """JSON Pointers into the variables: what the end user can't change."""
    secrets: list[SecretField]
    """The secrets to ask for."""
    authorization: AuthorizationStep | None
    """The account to connect at the provider; null if none is connected there, or by no OAuth
    application.
    """
    configurations_schema: dict[str, Any]
    """The JSON Schema of the configurations; empty for a repair."""
    monitor: Monitor
    """Whether and how often the connection is tested in the background."""
    repair: RepairedConnection | None
    """The connection to repair; null for a session that makes one."""


class InstallOutcome(Model):
    """What a completed session made or repaired."""

    source_id: str
    """The id of a source."""
    connection_id: str
    """The id of a connection."""
    test_id: str
    """The id of the test."""


class InstallSession(Model):
    """A permission to install, or repair, one integration for one organization. Its token is
    shown by the create alone.
    """

    id: str
    """The id of it."""
    organization_id: str
    """The organization that owns it."""
    status: choices.SessionStatus | str
    """Whether it can still be used, or how it ended."""
    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    version: str
    """The semantic version of the release."""
    space: str
    """The slug of the space."""
    end_user: EndUser | None
    """Who installs, as the caller knows them; null if the caller does not say."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""
    variables: dict[str, Any]
    """What the end user starts from."""
    locked: list[str]
    """JSON Pointers into the variables: what the end user can't change."""
    monitor: Monitor
    """Whether and how often the connection is tested in the background."""
    return_url: str | None
    """Where the browser goes at the end: https, or http on loopback."""
    allowed_origins: list[str]
    """Origins of pages that may embed the wizard: https, or http on loopback."""
    connection_id: str | None
    """The connection to repair; null for a session that makes one."""
    created_by: str
    """The subject of the caller who created it."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime
    """When it stops working."""
    opened_at: datetime | None
    """When the end user first opened it; null until then."""
    completed_at: datetime | None
    """When the end user completed it; null until then."""
    revoked_at: datetime | None
    """When it was revoked; null if it was not."""
    outcome: InstallOutcome | None
    """What it made or repaired; null until it is completed."""
    tests: int
    """How many tests its end user has run. Default: `0`."""
    refused_at: datetime | None
    """When it was first used after its end; null if it was not."""


class InstalledDependency(Model):
    """The release that a dependency resolved to when the endpoint was created or upgraded."""

    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    version: str
    """The semantic version of the release."""


class InstalledIntegration(Model):
    """What is installed, for people."""

    integration: str
    """The integration, as publisher/slug."""
    name: str
    """A name for people."""
    description: str | None
    """What the integration is for."""
    icon_url: str | None
    """The address of its icon; null if it has none."""
    publisher: str
    """Who publishes the integration. Slugs are unique within a publisher."""
    trust_tier: choices.TrustTier | str
    """How far the operator trusts its publisher."""
    version: str
    """The semantic version of the release."""
    capabilities: list[choices.Capability | str]
    """What the integration can do."""


class InstalledMember(Model):
    """A member of the release: the endpoint's own copy (`forked`), or a reference to the
    release's.

    `content` is null for a reference. A copy that is `detached` is never changed by an
    upgrade; editing one detaches it.
    """

    name: str
    """The name of the member."""
    kind: str
    """What kind it is; decides which other members there are."""
    forked: bool
    """Whether the endpoint has a copy of its own."""
    detached: bool
    """Whether upgrades leave this copy as it is. Default: `false`."""
    content: dict[str, Any] | None
    """The endpoint's own copy of the member; null for a reference to the release's."""


class Integration(Model):
    """A definition in the registry. `currentVersion` null means draft: never published.

    The first 18 fields have the order and names of the published contract.
    """

    id: str
    """The id of the integration."""
    workspace_id: str
    """The id of the space that the integration is built in."""
    slug: str
    """The name in paths: lower-case letters, digits, and hyphens."""
    name: str
    """The name of the integration."""
    description: str | None
    """What the integration is for."""
    icon_url: str | None
    """The https address of an icon."""
    publisher: str
    """Who publishes the integration. Slugs are unique within a publisher."""
    trust_tier: choices.TrustTier | str
    """How far the operator vouches for the publisher."""
    current_version: str | None
    """The version of the newest stable release; null for a draft."""
    manifest: dict[str, Any]
    """How to test the integration, and what it offers. Publishing takes a snapshot of it."""
    variables_schema: dict[str, Any]
    """The JSON Schema of the variables that an endpoint needs. Secrets have no place in it."""
    auth_config: dict[str, Any]
    """How to authenticate: the credential and where it goes, and how OAuth tokens are issued and
    renewed. The guide auth-config has every member.
    """
    visibility: choices.Visibility | str
    """Who can see the integration."""
    created_by: str
    """The subject of the caller who created it."""
    deleted_at: datetime | None
    """When it was deleted; null if it was not."""
    retention_tier: choices.RetentionTier | str | None
    """How long it can be restored after it was deleted: none, 7 (short), 30 (medium), or 365
    days (long). Null means medium.
    """
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    key: str
    """How bodies and addresses name it: the key of its publisher, a slash, and its slug."""


class InvalidConnection(Model):
    """A connection whose configurations an upgrade of its source would make invalid."""

    id: str
    """The id of the connection."""
    errors: list[FieldError]
    """What is wrong with its configurations."""


class IssuedAlertRule(Model):
    """A rule, and the new signing secrets of its webhooks by channel id. A secret is shown once."""

    id: str
    """The id of the rule."""
    organization_id: str
    """The organization that owns it."""
    space: str
    """The slug of the space."""
    space_id: str
    """The id of the space."""
    name: str
    """The name of the rule."""
    enabled: bool
    """Whether it is switched on."""
    severity: choices.Severity | str
    """A label for the receivers."""
    condition: SuccessRate | Stale | ConnectionDown
    """When the alert begins."""
    for_seconds: int
    """How long the condition must hold before the alert fires."""
    keep_firing_for_seconds: int
    """How long the condition must be clear before the alert is resolved."""
    reminder_seconds: int
    """Seconds between two reminders of a firing alert: 0 for none, or at least 300."""
    channels: list[WebhookChannel | SnsChannel | EventBridgeChannel]
    """Where notifications are sent: at most 5 channels."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    secrets: dict[str, str]
    """The signing secrets of new webhooks, by channel id. This answer alone has them."""


class IssuedApiKey(Model):
    """A new API key with its secret, which is shown only once."""

    id: str
    """The id of the key."""
    organization_id: str
    """The organization that owns it."""
    name: str
    """The name of the key."""
    prefix: str
    """The public part of the key, to recognize it by."""
    permissions: list[choices.Permission | str]
    """What the key may do."""
    space: str | None
    """The slug of the only space that the key may act in; null if it may act in the whole
    organization.
    """
    created_by: str
    """The subject of the caller who created it."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime | None
    """When the key stops working; null for a key that doesn't expire."""
    key: str
    """The API key. This answer alone has it."""


class IssuedInstallSession(Model):
    """A new session with its token, which no other answer has, and the address to send the end
    user to.
    """

    id: str
    """The id of it."""
    organization_id: str
    """The organization that owns it."""
    status: choices.SessionStatus | str
    """Whether it can still be used, or how it ended."""
    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    version: str
    """The semantic version of the release."""
    space: str
    """The slug of the space."""
    end_user: EndUser | None
    """Who installs, as the caller knows them; null if the caller does not say."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""
    variables: dict[str, Any]
    """What the end user starts from."""
    locked: list[str]
    """JSON Pointers into the variables: what the end user can't change."""
    monitor: Monitor
    """Whether and how often the connection is tested in the background."""
    return_url: str | None
    """Where the browser goes at the end: https, or http on loopback."""
    allowed_origins: list[str]
    """Origins of pages that may embed the wizard: https, or http on loopback."""
    connection_id: str | None
    """The connection to repair; null for a session that makes one."""
    created_by: str
    """The subject of the caller who created it."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime
    """When it stops working."""
    opened_at: datetime | None
    """When the end user first opened it; null until then."""
    completed_at: datetime | None
    """When the end user completed it; null until then."""
    revoked_at: datetime | None
    """When it was revoked; null if it was not."""
    outcome: InstallOutcome | None
    """What it made or repaired; null until it is completed."""
    tests: int
    """How many tests its end user has run. Default: `0`."""
    refused_at: datetime | None
    """When it was first used after its end; null if it was not."""
    token: str
    """The token of the session. Only this answer has it."""
    url: str
    """The address to send the end user to. Its fragment is the token, which no server's log has."""


class IssuedSignInLink(Model):
    """A new link with its address, which is shown only once."""

    id: str
    """The id of the link, which is the subject of what the person does."""
    organization_id: str
    """The organization that owns it."""
    permissions: list[choices.Permission | str]
    """What the person may do."""
    space: str | None
    """The slug of the only space that the person may act in; null if it is the whole
    organization.
    """
    created_by: str
    """The subject of the caller who created it."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime
    """When the link stops working."""
    url: str
    """The address to send the person to. Only this answer has it."""


class IssuedWebhookSecret(Model):
    """A webhook's new signing secret, shown once.

    Until `previous_valid_until`, messages are also signed with the previous secret.
    """

    channel_id: str
    """The id of the channel."""
    secret: str
    """The signing secret. This answer alone has it."""
    previous_valid_until: datetime | None
    """Until when messages are also signed with the previous secret; null without one."""


class Kept(Model):
    """Something that an erasure leaves. Null as `until` is forever."""

    what: choices.KeptThing | str
    """What it is."""
    until: datetime | None
    """When that goes, too; null if never, or not known before the erasure has ended."""


class Latency(Model):
    """The latency of the events that have a `duration_ms`. Null if none has."""

    count: int
    """How many events have a duration."""
    mean_ms: int | None
    """The mean, in milliseconds; null without events that have a duration."""
    p50_ms: int | None
    """The median, in milliseconds; null without events that have a duration."""
    p95_ms: int | None
    """The 95th percentile, in milliseconds; null without events that have a duration."""


class MemberChange(Model):
    """What an edit does to one member."""

    name: str
    """The name of the member."""
    kind: str
    """What kind it is; decides which other members there are."""
    outcome: choices.MemberOutcome | str
    """What happens to the member."""


class Monitor(Model):
    """Whether and how often a connection is tested in the background, while it is active."""

    enabled: bool | None
    """Whether it is switched on. Default: `false`."""
    interval: choices.MonitorInterval | str | None
    """How often the connection is tested. Default: `"5m"`."""
    _optional = ("enabled", "interval")


class OAuthApplication(Model):
    """The OAuth application of an integration. Of its secrets, only the names are shown.

    `redirect_uri` is what to enter at the provider, exactly so. `sent_to` are the origins
    that the secret may be sent to: those of the release that was current when it was entered.
    `uses` counts the grants that need it.
    """

    id: str
    """The id of it."""
    organization_id: str
    """The organization that owns it."""
    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    client_id: str
    """The id that the provider gave the client."""
    secrets_set: list[str]
    """The names of the stored secrets, never their values."""
    secrets_entered_at: datetime
    """When secrets were last entered; null if none were."""
    scopes: list[str] | None
    """What is asked for; null for the scopes of the integration."""
    shared: bool
    """Whether organizations without one of their own use it, too."""
    variables: dict[str, Any]
    """The values of variables that it is for."""
    sent_to: list[str]
    """The origins that the secrets may be sent to."""
    redirect_uri: str
    """What to enter at the provider as the redirect URI, exactly so."""
    uses: int
    """How many grants need it. Default: `0`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""


class Organization(Model):
    """A tenant. It owns everything else."""

    id: str
    """The id of the organization."""
    name: str
    """The name of the organization."""
    external_id: str | None
    """The id of the customer in your own system, unique in the deployment; null if there is
    none.
    """
    paused: bool
    """Whether all its monitors are paused. Default: `false`."""
    created_at: datetime
    """When it was created."""


class OrganizationQuota(Model):
    """How many things of a kind an organization may have, and how many it has."""

    name: str
    """The kind of thing, as in the details of a 409 QUOTA_EXCEEDED."""
    limit: int
    """How many the organization may have: the deployment's limit, or one of its own from the
    operator.
    """
    used: int | None
    """How many there are; null until the first one is created, in an organization that is older
    than the quota.
    """


class PeriodDifference(Model):
    """`compared` minus `previous`. `success_rate` is in percentage points; null if one of them
    has no data.
    """

    total_events: int
    """How many more events there are than in the previous period."""
    success_rate: float | None
    """The difference in percentage points; null if a period has no data."""


class PeriodStatus(Model):
    """The counts of the last days of UTC, today included."""

    period_days: int
    """How many days the period has."""
    total: int
    """How many events there are."""
    success: int
    """How many events are successes."""
    errors: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""
    p50_ms: int | None
    """The median, in milliseconds; null without events that have a duration."""


class PeriodTotals(Model):
    """The counts of one period. Without events `success_rate` is 0.0 and `no_data` is true."""

    total_events: int
    """How many events there are."""
    success_count: int
    """How many events are successes."""
    error_count: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""


class PublishReport(Model):
    """The result that a publish would have; nothing was stored.

    `notices` prevent nothing. They say which variables need the secrets again when they
    change.
    """

    version: str
    """The semantic version of the release."""
    publishable: bool
    """Whether the draft could be published."""
    errors: list[FieldError]
    """What prevents publishing; empty if nothing does."""
    notices: list[FieldError] | None
    """What to know before publishing. It prevents nothing."""
    _optional = ("notices",)


class RecordedTest(Model):
    """A test in the history: its status, what it found, and what had changed.

    `started_at`, `finished_at`, and `latency_ms` (the test's own milliseconds) are null until
    they are known. `what_changed` is null until a test of the same subject has passed. `href`
    is the path to read the test at.
    """

    status: choices.TestStatus | str
    """How far the test is, and whether it passed."""
    message: str
    """What happened, in a sentence."""
    verified: bool
    """Whether a step proved that the credentials give access."""
    code: choices.Code | str | None
    """The reason for the failure, as a stable code; null if there is none."""
    category: choices.CodeCategory | str | None
    """The category of the code; null without a code."""
    blame: choices.Blame | str | None
    """Who can fix the failure; null if there is none."""
    retryable: bool | None
    """Whether the same test may pass later without a change; null if it passed."""
    retry_after_seconds: int | None
    """Seconds to wait before the next try, if the provider said so."""
    account: str | None
    """The account at the provider that the credentials belong to, if a step reads it."""
    certificate_expires_at: datetime | None
    """When the server's certificate expires; null if none was seen."""
    latency_ms: int | None
    """How long the test took, in milliseconds; null until it is known."""
    capabilities: list[CapabilityReport]
    """What the test showed for each capability that the release declares."""
    steps: list[Step]
    """The steps of the test, in order."""
    id: str
    """The id of the test."""
    href: str
    """The path to read the test at."""
    trigger: choices.TestTrigger | str
    """Who asked for the test."""
    mode: choices.TestMode | str
    """Whether the caller waited for the test."""
    queued_at: datetime | None
    """When the test was queued; null if the caller waited for it."""
    started_at: datetime | None
    """When the test began; null until then."""
    finished_at: datetime | None
    """When the test ended; null until then."""
    what_changed: WhatChanged | None
    """What differs from the last test that passed; null without one."""


class Release(Model):
    """An integration as it was published under a semantic version. Its content never changes.

    `currentVersion` is that of the integration at the time of this release.
    """

    id: str
    """The id of the integration."""
    workspace_id: str
    """The id of the space that the integration is built in."""
    slug: str
    """The name in paths: lower-case letters, digits, and hyphens."""
    name: str
    """The name of the integration."""
    description: str | None
    """What the integration is for."""
    icon_url: str | None
    """The https address of an icon."""
    publisher: str
    """Who publishes the integration. Slugs are unique within a publisher."""
    trust_tier: choices.TrustTier | str
    """How far the operator vouches for the publisher."""
    current_version: str | None
    """The version of the newest stable release; null for a draft."""
    manifest: dict[str, Any]
    """How to test the integration, and what it offers. Publishing takes a snapshot of it."""
    variables_schema: dict[str, Any]
    """The JSON Schema of the variables that an endpoint needs. Secrets have no place in it."""
    auth_config: dict[str, Any]
    """How to authenticate: the credential and where it goes, and how OAuth tokens are issued and
    renewed. The guide auth-config has every member.
    """
    visibility: choices.Visibility | str
    """Who can see the integration."""
    created_by: str
    """The subject of the caller who created it."""
    deleted_at: datetime | None
    """When it was deleted; null if it was not."""
    retention_tier: choices.RetentionTier | str | None
    """How long it can be restored after it was deleted: none, 7 (short), 30 (medium), or 365
    days (long). Null means medium.
    """
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    changelog: str | None
    """What is new for those who upgrade; null if the author does not say."""
    deprecated: str | None
    """Why this release should not be used any more, though it still can be; null if it should."""
    yanked: str | None
    """Why nothing new can be made of this release; null if it can. What has it keeps it."""
    version: str
    """The semantic version of the release."""
    published_at: datetime
    """When the release was published."""
    published_by: str
    """The subject of the caller who published it; empty for strangers."""
    key: str
    """How bodies and addresses name it: the key of its publisher, a slash, and its slug."""


class ReleaseChange(Model):
    """A change of release; null if there was, or is, no such endpoint."""

    role: choices.Role | str
    """Whether it is a source or a destination."""
    before: str | None
    """The version before; null if there was no endpoint."""
    now: str | None
    """The version now; null if there is no endpoint."""


class ReleaseSummary(Model):
    """A release in a list, without its documents."""

    changelog: str | None
    """What is new for those who upgrade; null if the author does not say."""
    deprecated: str | None
    """Why this release should not be used any more, though it still can be; null if it should."""
    yanked: str | None
    """Why nothing new can be made of this release; null if it can. What has it keeps it."""
    version: str
    """The semantic version of the release."""
    published_at: datetime
    """When the release was published."""
    published_by: str
    """The subject of the caller who published it; empty for strangers."""


class RepairedConnection(Model):
    """The connection to repair. `other_connections` use the same source, so they change, too."""

    name: str
    """A name for people."""
    status: choices.HealthStatus | str
    """How it is doing."""
    tested_at: datetime | None
    """When it was last tested; null if never."""
    problems: list[FoundProblem]
    """What the newest test found wrong."""
    other_connections: int
    """How many other connections use the same source, and change with it."""


class Resealed(Model):
    """One page of secrets: how many were re-sealed under the current key, and the endpoints
    whose secrets could not be opened and must be entered again or deleted.
    """

    resealed: int
    """How many secrets were sealed again."""
    unreadable: list[str]
    """The endpoints whose secrets could not be opened."""
    next_cursor: str | None
    """The cursor of the next page; null on the last one."""


class RuleSubject(Model):
    """A subject of a rule: its state, including `no_data`, and since when it is in it."""

    subject: AlertSubject
    """What the alert is about."""
    state: Literal["ok", "no_data", "pending", "firing"] | str
    """What the last evaluation found."""
    since: datetime | None
    """Since when it has this status; null if it never had another."""
    alert_id: str | None
    """The id of the alert."""


class SecretField(Model):
    """A secret to ask for. `is_set` says that a repair keeps the stored one if none is entered;
    its value is never shown.
    """

    name: str
    """The name of the secret."""
    value_schema: dict[str, Any]
    """The JSON Schema of the value, with what its author says about it."""
    required: bool
    """Whether it can't do without."""
    is_set: bool
    """Whether a value is stored, which is kept if none is entered."""


class SeriesPoint(Model):
    """One hour or day. The first day starts where the window does, which may be after midnight."""

    starts_at: datetime
    """The start of the hour or day."""
    total: int
    """How many events there are."""
    success: int
    """How many events are successes."""
    errors: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""
    platform_faults: int
    """How many tests failed because of Patchbay. They are in no other count."""
    latency: Latency
    """How long the events took that have a duration."""


class ShownAlert(Model):
    """A firing alert in words of ours: what its rule watches for."""

    summary: str
    """What the rule watches for."""
    severity: Literal["info", "warning", "critical"] | str
    """A label for the receivers."""
    since: datetime
    """When it began to fire."""


class ShownConnection(Model):
    """A connection that is in service."""

    name: str
    """The name of the connection."""
    state: choices.ConnectionState | str
    """How it is doing now; `unknown` if it was not tested, or not lately."""


class SignInWays(Model):
    """The ways to sign in that this deployment offers, besides links."""

    api_key: bool
    """Whether people can sign in with an API key."""
    oidc: bool
    """Whether people can sign in at the identity provider of the deployment."""


class SnsChannel(Model):
    """An SNS topic, as a rule has it."""

    kind: Literal["sns"]
    """What kind it is; decides which other members there are."""
    id: str
    """The id of the channel."""
    topic_arn: str
    """The ARN of the topic."""


class Space(Model):
    """A part of an organization; health is kept per space. Its slug is unique in the deployment."""

    id: str
    """The id of the space, a UUID."""
    organization_id: str
    """The organization that owns it."""
    slug: str
    """The name in paths, unique in the deployment."""
    name: str
    """The name of the space."""
    paused: bool
    """Whether all its monitors are paused. Default: `false`."""
    record_deliveries: bool
    """Whether deliveries of the space's alerts are events of it: those of webhooks of the type
    webhook, others of the type alert. They count like all events. Off by default. Default:
    `false`.
    """
    status_page: StatusPage
    """The public page of the space: whether there is one, and what it shows."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""


class SpaceHealth(Model):
    """The summary of a space without its types, compared with the previous period.

    `previous` ends where the period begins and has its length in whole hours. `compared` has
    the period without the present hour, which is not over: both are equally long. They are
    null if counts are no longer stored for all of `previous`.
    """

    space_id: str
    """The id of the space."""
    slug: str
    """The slug of the space."""
    name: str
    """The name of the space."""
    period_days: int
    """How many days the period has."""
    total_events: int
    """How many events there are."""
    success_count: int
    """How many events are successes."""
    error_count: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""
    no_data: bool
    """Whether there was no event at all."""
    platform_faults: int
    """How many tests failed because of Patchbay. They are in no other count."""
    previous: PeriodTotals | None
    """The counts of the previous period; null if they are no longer stored."""
    compared: PeriodTotals | None
    """The totals without the present hour, as long as the previous period; null if that is no
    longer stored.
    """
    difference: PeriodDifference | None
    """This period minus the previous one; null if they can't be compared."""
    series: list[DayPoint]
    """A point for each day, oldest first."""


class Stale(Model):
    """Met when the last success is longer ago than `after_seconds`.

    For a subject that never succeeded, the time counts from when the rule was created,
    enabled, or given another condition.
    """

    per: choices.SubjectKind | str | None
    """What the condition is judged for: the space as a whole, each type, or each connection.
    Default: `"space"`.
    """
    integration_type: choices.IntegrationType | str | None
    """The kind of work that the event or the count is about."""
    connection_id: str | None
    """The id of a connection."""
    kind: Literal["stale"]
    """What kind it is; decides which other members there are."""
    after_seconds: int
    """How many seconds may pass without a success."""
    _optional = ("per", "integration_type", "connection_id")


class StartedAuthorization(Model):
    """Where to send the browser, which has to keep the cookie of this answer. The page at the
    end tells the one that opened it which `flow` has ended.
    """

    flow: str
    """What the page at the end tells the page that opened it."""
    authorization_url: str
    """Where to send the browser."""
    expires_at: datetime
    """Until when the browser may come back."""


class StatusPage(Model):
    """A page about a space for everybody who has its address."""

    enabled: bool
    """Whether there is a page. Off by default; off, and on again, makes another address.
    Default: `false`.
    """
    title: str | None
    """The name that the page shows; null for the name of the space."""
    show_connections: bool
    """Whether the page shows connections, and alerts about them, by their names. Off by default.
    Default: `false`.
    """
    url: str | None
    """The address of the page; null while there is none, and for callers who may not manage the
    space.
    """


class StatusReport(Model):
    """A status page. `connections` is null if its space does not show them."""

    name: str
    """The title of the page, or the name of its space."""
    state: choices.StatusState | str
    """How the space is doing now. `down`: nothing that ran has succeeded. `degraded`: a
    connection is failing, an alert is firing, or fewer than 95% have succeeded.
    """
    summary: str
    """The state in a sentence, with its reasons."""
    updated_at: datetime
    """When this was computed, at most half a minute ago."""
    periods: list[PeriodStatus]
    """The last 7, 30, and 90 days, today included."""
    days: list[DayStatus]
    """The last 90 days of UTC, oldest first, without gaps."""
    by_integration_type: list[TypeStatus]
    """The counts of each type of work over the 90 days, most first."""
    alerts: list[ShownAlert]
    """The alerts that are firing, longest first; at most 20."""
    more_alerts: bool
    """Whether more alerts are firing."""
    connections: list[ShownConnection] | None
    """The connections, worst first, at most 100; null if the page does not show them."""
    more_connections: bool
    """Whether there are more connections."""


class Step(Model):
    """One step of a test: an implicit gate, or a step of the manifest.

    `field_pointer` is the field to change, a JSON Pointer into the endpoint
    (`/variables/region`, `/secrets/api_key`). `detail` says why the guard refused to dial
    (code `egress_blocked`). `diagnosis` is set if `code` is, and with every warning.
    `first_byte_ms` is the time from the request to the first byte of the response, if there
    was one.
    """

    name: str
    """The name of the step."""
    category: choices.StepCategory | str
    """Whether a failure ends the test (`gate`) or costs one capability. Default: `"gate"`."""
    mandatory: bool
    """Whether the test fails if this step does. Default: `true`."""
    status: choices.StepStatus | str
    """How the step ended."""
    code: choices.Code | str | None
    """The reason for the failure, as a stable code; null if there is none."""
    detail: choices.BlockDetail | str | None
    """Why the egress guard refused to dial; null unless the code is `egress_blocked`."""
    duration_ms: int
    """How long it took, in milliseconds. Default: `0`."""
    first_byte_ms: int | None
    """Milliseconds from the request to the first byte of the response; null without one."""
    summary: str
    """What happened, in a sentence."""
    diagnosis: Diagnosis | None
    """What the code means and what to do; null without a code or a warning."""
    field_pointer: str | None
    """The field to change, as a JSON Pointer into the endpoint; null if no field is to blame."""
    skip_reason: choices.SkipReason | str | None
    """Why the step was skipped; null if it ran."""
    _optional = ("first_byte_ms",)


class SuccessRate(Model):
    """Met while the success rate is below `threshold` in both windows.

    The long window shows that the problem matters, the short one that it is still going on.
    Windows of an hour or more are whole hours and begin on the hour, as in the health
    summary; shorter ones are exact. An alert ends when the rate of either window reaches
    `recovery_threshold`.
    """

    per: choices.SubjectKind | str | None
    """What the condition is judged for: the space as a whole, each type, or each connection.
    Default: `"space"`.
    """
    integration_type: choices.IntegrationType | str | None
    """The kind of work that the event or the count is about."""
    connection_id: str | None
    """The id of a connection."""
    kind: Literal["success_rate"]
    """What kind it is; decides which other members there are."""
    threshold: float
    """Percent."""
    recovery_threshold: float | None
    """Percent; `threshold` if absent."""
    short_window_seconds: int | None
    """The short window, which shows that the problem is still going on. Default: `3600`."""
    long_window_seconds: int | None
    """The long window, which shows that the problem matters. Default: `21600`."""
    minimum_events: int | None
    """In the short window; fewer count as no data. Default: `10`."""
    _optional = (
        "per",
        "integration_type",
        "connection_id",
        "recovery_threshold",
        "short_window_seconds",
        "long_window_seconds",
        "minimum_events",
    )


class TestConnectionOutput(Model):
    """The output of `integrations.connection.test`; fields without a value are left out.

    `status` is that of the connection's record after the test, as a list has it: one failure
    does not yet make a monitored connection fail, and a success does not resume a paused one.
    """

    success: bool
    """Whether it succeeded."""
    status: choices.HealthStatus | str
    """How it stands."""
    latency_ms: int
    """How long the test took, in milliseconds."""
    error: str | None
    """Why it failed; null or left out if it did not."""
    error_code: str | None
    """The code of the failure, left out after a success."""
    _optional = ("error", "error_code")


class TestProgress(Model):
    """What a test has so far: the steps that have ended, in the order of its report.

    `message` says how it stands, or how it ended. `finished_at` is null while it runs.
    """

    status: Literal["running", "succeeded", "failed"] | str
    """How it stands."""
    message: str
    """What happened, in a sentence."""
    steps: list[Step]
    """The steps of the test, in order."""
    started_at: datetime
    """When the test began; null until then."""
    finished_at: datetime | None
    """When the test ended; null until then."""


class TestedEndpoint(Model):
    """An endpoint as it was stored, and the test of it that passed first."""

    id: str
    """The id of the source or destination."""
    organization_id: str
    """The organization that owns it."""
    role: choices.Role | str
    """Whether it is a source or a destination."""
    name: str
    """A name for people."""
    integration: str
    """The integration, as publisher/slug."""
    integration_id: str
    """The id of the integration."""
    version: str
    """The semantic version of the release."""
    category: str
    """The category of the integration, by its manifest."""
    variables: dict[str, Any]
    """What is not secret, as `variablesSchema` of the release wants it."""
    secrets_set: list[str]
    """The names of the stored secrets, never their values."""
    secret_ref: str | None
    """A secret of AWS Secrets Manager that is used instead of the vault; null for the vault."""
    secrets_entered_at: datetime | None
    """When secrets were last entered; null if none were."""
    granted_at: datetime | None
    """When the account was last connected through a browser; null if it was not."""
    members: list[InstalledMember]
    """The members of the release, each a reference or the endpoint's own copy."""
    dependencies: list[InstalledDependency]
    """The releases that the dependencies of the release resolved to."""
    environment: str | None
    """A label of the tenant's own, such as production or sandbox."""
    external_account_id: str | None
    """The id of the account at the provider, for the caller's own use."""
    ownership_mode: choices.OwnershipMode | str
    """Whose credentials they are."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    test: DryRunResult
    """The test that passed before the edit was stored."""
    secret_provider: choices.SecretProvider | str
    """Where the secrets are kept."""


class TypeHealth(Model):
    """One integration type in the window."""

    integration_type: choices.IntegrationType | str
    """The kind of work that the event or the count is about."""
    total: int
    """How many events there are."""
    success: int
    """How many events are successes."""
    errors: int
    """How many events are errors."""
    last_event_at: datetime
    """When the newest event of the type happened."""


class TypeStatus(Model):
    """The counts of one type of work over all days of the page."""

    integration_type: choices.IntegrationType | str
    """The kind of work that the event or the count is about."""
    total: int
    """How many events there are."""
    success: int
    """How many events are successes."""
    errors: int
    """How many events are errors."""
    success_rate: float
    """Successes in percent of all events, 0.0 to 100.0; 0.0 without events."""


class WebhookChannel(Model):
    """The address is shown masked. A caller that sends the mask back keeps the address."""

    kind: Literal["webhook"]
    """What kind it is; decides which other members there are."""
    id: str
    """The id of the channel."""
    url: str
    """The https address that gets the notifications."""


class WhatChanged(Model):
    """What differs from the last test that passed: names, never values.

    `test_id` and `at` are that test's. Variables are named with their role (`source.region`);
    `secret_version` lists the roles whose secrets were entered again, replaced, or removed.
    If all are empty, nothing was changed here.
    """

    test_id: str
    """The id of the test."""
    at: datetime
    """When it happened."""
    variables: list[str]
    """Names of the variables that differ, with their role."""
    secret_version: list[choices.Role | str]
    """The roles whose secrets were entered again, replaced, or removed."""
    release: list[ReleaseChange]
    """The releases that differ."""
    configurations: list[str]
    """Names of the configurations that differ."""


AccountChoice._readers = {"label": string, "variables": mapping}
Alert._readers = {
    "id": identifier,
    "rule_id": identifier,
    "rule_name": string,
    "severity": string,
    "condition": string,
    "subject": AlertedSubject,
    "state": string,
    "summary": string,
    "connection": maybe(AlertedConnection),
    "opened_at": time,
    "fired_at": maybe(time),
    "resolved_at": maybe(time),
    "resolution": maybe(string),
    "last_notified_at": maybe(time),
    "reminders": integer,
    "acknowledged_at": maybe(time),
    "acknowledged_by": maybe(string),
}
AlertRule._readers = {
    "id": identifier,
    "organization_id": identifier,
    "space": string,
    "space_id": identifier,
    "name": string,
    "enabled": boolean,
    "severity": string,
    "condition": by(
        "kind", {"success_rate": SuccessRate, "stale": Stale, "connection_down": ConnectionDown}
    ),
    "for_seconds": integer,
    "keep_firing_for_seconds": integer,
    "reminder_seconds": integer,
    "channels": many(
        by(
            "kind",
            {"webhook": WebhookChannel, "sns": SnsChannel, "eventbridge": EventBridgeChannel},
        )
    ),
    "created_at": time,
    "updated_at": time,
}
AlertSubject._readers = {"kind": string, "id": identifier}
AlertedConnection._readers = {
    "status": string,
    "error_code": maybe(string),
    "error_message": maybe(string),
    "required_action": string,
}
AlertedSubject._readers = {
    "kind": string,
    "id": identifier,
    "name": maybe(string),
    "external_account_id": maybe(string),
}
ApiKey._readers = {
    "id": identifier,
    "organization_id": identifier,
    "name": string,
    "prefix": string,
    "permissions": many(string),
    "space": maybe(string),
    "created_by": string,
    "created_at": time,
    "expires_at": maybe(time),
}
AuditEvent._readers = {
    "id": identifier,
    "organization_id": identifier,
    "at": time,
    "subject": string,
    "trace_id": maybe(string),
    "entity": string,
    "entity_id": identifier,
    "action": string,
    "before": maybe(mapping),
    "after": maybe(mapping),
    "secrets_entered": many(string),
}
AuthorizationFailure._readers = {
    "outcome": string,
    "title": string,
    "text": string,
    "code": maybe(string),
    "summary": maybe(string),
    "at": time,
}
AuthorizationStep._readers = {
    "scopes": many(string),
    "found_variables": many(string),
    "authorized": boolean,
    "kept": boolean,
    "scopes_granted": maybe(many(string)),
    "scopes_missing": many(string),
    "choices": many(AccountChoice),
    "failure": maybe(AuthorizationFailure),
}
Backtest._readers = {
    "since": time,
    "until": time,
    "resolution_seconds": integer,
    "subjects": integer,
    "firings": many(BacktestFiring),
    "notes": many(string),
}
BacktestFiring._readers = {
    "subject": AlertSubject,
    "opened_at": time,
    "fired_at": time,
    "resolved_at": maybe(time),
    "reminders": integer,
    "summary": string,
}
BrowserSession._readers = {
    "id": identifier,
    "signed_in_by": string,
    "created_at": time,
    "last_seen_at": time,
    "expires_at": time,
    "idle_ends_at": time,
    "current": boolean,
}
Caller._readers = {
    "organization": CallersOrganization,
    "subject": string,
    "permissions": many(string),
    "space": maybe(CallersSpace),
    "expires_at": maybe(time),
    "idle_ends_at": maybe(time),
    "signed_in_by": maybe(string),
}
CallersOrganization._readers = {"id": identifier, "name": string, "external_id": maybe(string)}
CallersSpace._readers = {"id": identifier, "slug": identifier}
CapabilityReport._readers = {"role": string, "name": string, "status": string}
CatalogEntry._aliases = {
    "iconUrl": "icon_url",
    "trustTier": "trust_tier",
    "currentVersion": "current_version",
    "authType": "auth_type",
}
CatalogEntry._readers = {
    "id": identifier,
    "publisher": string,
    "slug": identifier,
    "name": string,
    "description": maybe(string),
    "icon_url": maybe(string),
    "trust_tier": string,
    "current_version": string,
    "deprecated": maybe(string),
    "auth_type": string,
    "capabilities": many(string),
    "roles": many(string),
    "key": string,
}
CompletedConnection._readers = {
    "id": identifier,
    "name": string,
    "space": string,
    "monitor": Monitor,
}
CompletedSource._readers = {
    "id": identifier,
    "name": string,
    "integration": string,
    "version": string,
}
Connection._readers = {
    "id": identifier,
    "organization_id": identifier,
    "name": string,
    "source_id": identifier,
    "destination_id": maybe(identifier),
    "configurations": mapping,
    "space": string,
    "space_id": identifier,
    "monitor": Monitor,
    "record_uses": boolean,
    "status": string,
    "health": Health,
    "required_action": string,
    "created_at": time,
    "updated_at": time,
}
ConnectionDown._readers = {"kind": string, "connection_id": maybe(identifier)}
ConnectionHealth._readers = {
    "connection_id": identifier,
    "name": string,
    "lifecycle": string,
    "status": string,
    "since": maybe(time),
    "checked_at": maybe(time),
    "last_success_at": maybe(time),
    "seconds_since_success": maybe(integer),
    "interval_seconds": maybe(integer),
    "stale": boolean,
    "required_action": string,
    "error_code": maybe(string),
}
ConnectionRecord._aliases = {
    "tenantId": "tenant_id",
    "integrationKey": "integration_key",
    "integrationVersion": "integration_version",
    "ownershipMode": "ownership_mode",
    "externalAccountId": "external_account_id",
    "secretProvider": "secret_provider",
    "secretRef": "secret_ref",
    "healthStatus": "health_status",
    "healthCheckedAt": "health_checked_at",
    "healthLatencyMs": "health_latency_ms",
    "healthErrorCode": "health_error_code",
    "healthErrorMessage": "health_error_message",
    "usageRequestCount": "usage_request_count",
    "usageSuccessCount": "usage_success_count",
    "usageErrorCount": "usage_error_count",
    "usageLastUsedAt": "usage_last_used_at",
    "usageLastErrorAt": "usage_last_error_at",
    "usageLastErrorCode": "usage_last_error_code",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
ConnectionRecord._readers = {
    "id": identifier,
    "tenant_id": identifier,
    "integration_key": string,
    "integration_version": integer,
    "label": string,
    "ownership_mode": string,
    "external_account_id": maybe(string),
    "secret_provider": string,
    "secret_ref": string,
    "status": string,
    "environment": maybe(string),
    "health_status": maybe(string),
    "health_checked_at": maybe(time),
    "health_latency_ms": maybe(integer),
    "health_error_code": maybe(string),
    "health_error_message": maybe(string),
    "usage_request_count": integer,
    "usage_success_count": integer,
    "usage_error_count": integer,
    "usage_last_used_at": maybe(time),
    "usage_last_error_at": maybe(time),
    "usage_last_error_code": maybe(string),
    "created_at": time,
    "updated_at": time,
}
DataKey._readers = {"number": integer, "current": boolean, "created_at": time}
DataKeys._readers = {"current": integer, "keys": many(DataKey)}
DayPoint._readers = {
    "starts_at": time,
    "total": integer,
    "errors": integer,
    "success_rate": number,
    "no_data": boolean,
}
DayStatus._readers = {
    "date": string,
    "total": integer,
    "success": integer,
    "errors": integer,
    "success_rate": number,
    "no_data": boolean,
}
Deleted._readers = {"success": boolean}
DeletedDataKeys._readers = {"deleted": many(integer), "unreadable_at": time}
Delivery._readers = {
    "id": identifier,
    "notification_id": identifier,
    "alert_id": identifier,
    "rule_id": identifier,
    "channel_id": identifier,
    "channel": string,
    "notice": string,
    "status": string,
    "created_at": time,
    "next_attempt_at": maybe(time),
    "attempts": many(DeliveryAttempt),
}
DeliveryAttempt._readers = {
    "at": time,
    "status_code": maybe(integer),
    "error": maybe(string),
    "duration_ms": integer,
}
Diagnosis._readers = {"title": string, "remediation": string, "doc_url": maybe(string)}
DryRunResult._readers = {
    "status": string,
    "message": string,
    "verified": boolean,
    "code": maybe(string),
    "category": maybe(string),
    "blame": maybe(string),
    "retryable": maybe(boolean),
    "retry_after_seconds": maybe(integer),
    "account": maybe(string),
    "certificate_expires_at": maybe(time),
    "latency_ms": integer,
    "capabilities": many(CapabilityReport),
    "steps": many(Step),
}
EditReport._readers = {
    "version": string,
    "valid": boolean,
    "errors": many(FieldError),
    "secrets_to_enter": many(string),
    "secret_ref_to_enter": boolean,
    "account_to_connect": boolean,
    "connections": many(InvalidConnection),
    "members": maybe(many(MemberChange)),
}
EndUser._readers = {"id": identifier, "name": maybe(string), "email": maybe(string)}
Endpoint._readers = {
    "id": identifier,
    "organization_id": identifier,
    "role": string,
    "name": string,
    "integration": string,
    "integration_id": identifier,
    "version": string,
    "category": string,
    "variables": mapping,
    "secrets_set": many(string),
    "secret_ref": maybe(string),
    "secrets_entered_at": maybe(time),
    "granted_at": maybe(time),
    "members": many(InstalledMember),
    "dependencies": many(InstalledDependency),
    "environment": maybe(string),
    "external_account_id": maybe(string),
    "ownership_mode": string,
    "created_at": time,
    "updated_at": time,
    "secret_provider": string,
}
Erasure._readers = {
    "organization_id": identifier,
    "status": string,
    "requested_at": time,
    "started_at": maybe(time),
    "verifies_at": time,
    "finished_at": maybe(time),
    "removed": each(integer),
    "grants_not_revoked": integer,
    "left": maybe(integer),
    "failures": integer,
    "error_code": maybe(string),
    "kept": many(Kept),
}
Event._readers = {
    "id": identifier,
    "space_id": identifier,
    "integration_type": string,
    "status": string,
    "occurred_at": time,
    "received_at": time,
    "connection_id": maybe(identifier),
    "duration_ms": maybe(integer),
    "error_code": maybe(string),
    "message": maybe(string),
    "metadata": maybe(each(anything)),
    "platform_fault": boolean,
}
EventBridgeChannel._readers = {"kind": string, "id": identifier}
ExportedThing._readers = {"kind": string, "content": mapping}
FieldError._readers = {"pointer": string, "message": string}
FoundProblem._readers = {
    "code": string,
    "summary": string,
    "title": string,
    "remediation": string,
    "field_pointer": maybe(string),
}
GivenCredentials._readers = {
    "type": string,
    "endpoint_id": identifier,
    "access_token": maybe(string),
    "api_key": maybe(string),
    "username": maybe(string),
    "password": maybe(string),
    "secrets": each(string),
    "header": maybe(GivenHeader),
    "base_url": maybe(string),
    "expires_at": maybe(time),
    "scopes": maybe(many(string)),
}
GivenHeader._readers = {"name": string, "value": string}
GrantEnding._readers = {"reason": string, "code": string, "message": string, "at": time}
GrantFailure._readers = {
    "code": string,
    "message": string,
    "at": time,
    "retry_at": time,
    "count": integer,
}
GrantRemoved._readers = {"endpoint_id": identifier, "revocation": string, "message": string}
GrantView._readers = {
    "endpoint_id": identifier,
    "status": string,
    "required_action": string,
    "connected_through": string,
    "connected_at": maybe(time),
    "renewable": boolean,
    "renewed_at": maybe(time),
    "expires_at": maybe(time),
    "ends_at": maybe(time),
    "generation": integer,
    "scopes_asked": many(string),
    "scopes_granted": maybe(many(string)),
    "scopes_missing": many(string),
    "failure": maybe(GrantFailure),
    "end": maybe(GrantEnding),
    "warnings": many(GrantWarning),
}
GrantWarning._readers = {"code": string, "title": string, "message": string, "remediation": string}
Health._readers = {
    "status": string,
    "since": maybe(time),
    "checked_at": maybe(time),
    "latency_ms": maybe(integer),
    "error_code": maybe(string),
    "error_message": maybe(string),
    "consecutive_failures": integer,
    "consecutive_successes": integer,
}
HealthSeries._readers = {
    "space_id": identifier,
    "period_days": integer,
    "interval": string,
    "integration_type": maybe(string),
    "points": many(SeriesPoint),
}
HealthSummary._readers = {
    "space_id": identifier,
    "period_days": integer,
    "total_events": integer,
    "success_count": integer,
    "error_count": integer,
    "success_rate": number,
    "last_success_at": maybe(time),
    "last_error_at": maybe(time),
    "by_integration_type": many(TypeHealth),
    "no_data": boolean,
    "platform_faults": integer,
}
IngestResult._readers = {"accepted": integer, "duplicates": integer}
InstallCompletion._readers = {
    "session_id": identifier,
    "source": CompletedSource,
    "connection": CompletedConnection,
    "test": RecordedTest,
    "return_url": maybe(string),
}
InstallForm._readers = {
    "session_id": identifier,
    "mode": string,
    "expires_at": time,
    "organization_name": string,
    "end_user_name": maybe(string),
    "return_url": maybe(string),
    "allowed_origins": many(string),
    "integration": InstalledIntegration,
    "variables_schema": mapping,
    "variables": mapping,
    "locked": many(string),
    "secrets": many(SecretField),
    "authorization": maybe(AuthorizationStep),
    "configurations_schema": mapping,
    "monitor": Monitor,
    "repair": maybe(RepairedConnection),
}
InstallOutcome._readers = {
    "source_id": identifier,
    "connection_id": identifier,
    "test_id": identifier,
}
InstallSession._readers = {
    "id": identifier,
    "organization_id": identifier,
    "status": string,
    "integration": string,
    "integration_id": identifier,
    "version": string,
    "space": string,
    "end_user": maybe(EndUser),
    "external_account_id": maybe(string),
    "variables": mapping,
    "locked": many(string),
    "monitor": Monitor,
    "return_url": maybe(string),
    "allowed_origins": many(string),
    "connection_id": maybe(identifier),
    "created_by": string,
    "created_at": time,
    "expires_at": time,
    "opened_at": maybe(time),
    "completed_at": maybe(time),
    "revoked_at": maybe(time),
    "outcome": maybe(InstallOutcome),
    "tests": integer,
    "refused_at": maybe(time),
}
InstalledDependency._readers = {
    "integration": string,
    "integration_id": identifier,
    "version": string,
}
InstalledIntegration._readers = {
    "integration": string,
    "name": string,
    "description": maybe(string),
    "icon_url": maybe(string),
    "publisher": string,
    "trust_tier": string,
    "version": string,
    "capabilities": many(string),
}
InstalledMember._readers = {
    "name": string,
    "kind": string,
    "forked": boolean,
    "detached": boolean,
    "content": maybe(mapping),
}
Integration._aliases = {
    "workspaceId": "workspace_id",
    "iconUrl": "icon_url",
    "trustTier": "trust_tier",
    "currentVersion": "current_version",
    "variablesSchema": "variables_schema",
    "authConfig": "auth_config",
    "createdBy": "created_by",
    "deletedAt": "deleted_at",
    "retentionTier": "retention_tier",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
Integration._readers = {
    "id": identifier,
    "workspace_id": identifier,
    "slug": identifier,
    "name": string,
    "description": maybe(string),
    "icon_url": maybe(string),
    "publisher": string,
    "trust_tier": string,
    "current_version": maybe(string),
    "manifest": mapping,
    "variables_schema": mapping,
    "auth_config": mapping,
    "visibility": string,
    "created_by": string,
    "deleted_at": maybe(time),
    "retention_tier": maybe(string),
    "created_at": time,
    "updated_at": time,
    "key": string,
}
InvalidConnection._readers = {"id": identifier, "errors": many(FieldError)}
IssuedAlertRule._readers = {
    "id": identifier,
    "organization_id": identifier,
    "space": string,
    "space_id": identifier,
    "name": string,
    "enabled": boolean,
    "severity": string,
    "condition": by(
        "kind", {"success_rate": SuccessRate, "stale": Stale, "connection_down": ConnectionDown}
    ),
    "for_seconds": integer,
    "keep_firing_for_seconds": integer,
    "reminder_seconds": integer,
    "channels": many(
        by(
            "kind",
            {"webhook": WebhookChannel, "sns": SnsChannel, "eventbridge": EventBridgeChannel},
        )
    ),
    "created_at": time,
    "updated_at": time,
    "secrets": each(string),
}
IssuedApiKey._readers = {
    "id": identifier,
    "organization_id": identifier,
    "name": string,
    "prefix": string,
    "permissions": many(string),
    "space": maybe(string),
    "created_by": string,
    "created_at": time,
    "expires_at": maybe(time),
    "key": string,
}
IssuedInstallSession._readers = {
    "id": identifier,
    "organization_id": identifier,
    "status": string,
    "integration": string,
    "integration_id": identifier,
    "version": string,
    "space": string,
    "end_user": maybe(EndUser),
    "external_account_id": maybe(string),
    "variables": mapping,
    "locked": many(string),
    "monitor": Monitor,
    "return_url": maybe(string),
    "allowed_origins": many(string),
    "connection_id": maybe(identifier),
    "created_by": string,
    "created_at": time,
    "expires_at": time,
    "opened_at": maybe(time),
    "completed_at": maybe(time),
    "revoked_at": maybe(time),
    "outcome": maybe(InstallOutcome),
    "tests": integer,
    "refused_at": maybe(time),
    "token": string,
    "url": string,
}
IssuedSignInLink._readers = {
    "id": identifier,
    "organization_id": identifier,
    "permissions": many(string),
    "space": maybe(string),
    "created_by": string,
    "created_at": time,
    "expires_at": time,
    "url": string,
}
IssuedWebhookSecret._readers = {
    "channel_id": identifier,
    "secret": string,
    "previous_valid_until": maybe(time),
}
Kept._readers = {"what": string, "until": maybe(time)}
Latency._readers = {
    "count": integer,
    "mean_ms": maybe(integer),
    "p50_ms": maybe(integer),
    "p95_ms": maybe(integer),
}
MemberChange._readers = {"name": string, "kind": string, "outcome": string}
Monitor._readers = {"enabled": maybe(boolean), "interval": maybe(string)}
OAuthApplication._readers = {
    "id": identifier,
    "organization_id": identifier,
    "integration": string,
    "integration_id": identifier,
    "client_id": identifier,
    "secrets_set": many(string),
    "secrets_entered_at": time,
    "scopes": maybe(many(string)),
    "shared": boolean,
    "variables": mapping,
    "sent_to": many(string),
    "redirect_uri": string,
    "uses": integer,
    "created_at": time,
    "updated_at": time,
}
Organization._readers = {
    "id": identifier,
    "name": string,
    "external_id": maybe(string),
    "paused": boolean,
    "created_at": time,
}
OrganizationQuota._readers = {"name": string, "limit": integer, "used": maybe(integer)}
PeriodDifference._readers = {"total_events": integer, "success_rate": maybe(number)}
PeriodStatus._readers = {
    "period_days": integer,
    "total": integer,
    "success": integer,
    "errors": integer,
    "success_rate": number,
    "no_data": boolean,
    "p50_ms": maybe(integer),
}
PeriodTotals._readers = {
    "total_events": integer,
    "success_count": integer,
    "error_count": integer,
    "success_rate": number,
    "no_data": boolean,
}
PublishReport._readers = {
    "version": string,
    "publishable": boolean,
    "errors": many(FieldError),
    "notices": maybe(many(FieldError)),
}
RecordedTest._readers = {
    "status": string,
    "message": string,
    "verified": boolean,
    "code": maybe(string),
    "category": maybe(string),
    "blame": maybe(string),
    "retryable": maybe(boolean),
    "retry_after_seconds": maybe(integer),
    "account": maybe(string),
    "certificate_expires_at": maybe(time),
    "latency_ms": maybe(integer),
    "capabilities": many(CapabilityReport),
    "steps": many(Step),
    "id": identifier,
    "href": string,
    "trigger": string,
    "mode": string,
    "queued_at": maybe(time),
    "started_at": maybe(time),
    "finished_at": maybe(time),
    "what_changed": maybe(WhatChanged),
}
Release._aliases = {
    "workspaceId": "workspace_id",
    "iconUrl": "icon_url",
    "trustTier": "trust_tier",
    "currentVersion": "current_version",
    "variablesSchema": "variables_schema",
    "authConfig": "auth_config",
    "createdBy": "created_by",
    "deletedAt": "deleted_at",
    "retentionTier": "retention_tier",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "publishedAt": "published_at",
    "publishedBy": "published_by",
}
Release._readers = {
    "id": identifier,
    "workspace_id": identifier,
    "slug": identifier,
    "name": string,
    "description": maybe(string),
    "icon_url": maybe(string),
    "publisher": string,
    "trust_tier": string,
    "current_version": maybe(string),
    "manifest": mapping,
    "variables_schema": mapping,
    "auth_config": mapping,
    "visibility": string,
    "created_by": string,
    "deleted_at": maybe(time),
    "retention_tier": maybe(string),
    "created_at": time,
    "updated_at": time,
    "changelog": maybe(string),
    "deprecated": maybe(string),
    "yanked": maybe(string),
    "version": string,
    "published_at": time,
    "published_by": string,
    "key": string,
}
ReleaseChange._readers = {"role": string, "before": maybe(string), "now": maybe(string)}
ReleaseSummary._aliases = {"publishedAt": "published_at", "publishedBy": "published_by"}
ReleaseSummary._readers = {
    "changelog": maybe(string),
    "deprecated": maybe(string),
    "yanked": maybe(string),
    "version": string,
    "published_at": time,
    "published_by": string,
}
RepairedConnection._readers = {
    "name": string,
    "status": string,
    "tested_at": maybe(time),
    "problems": many(FoundProblem),
    "other_connections": integer,
}
Resealed._readers = {"resealed": integer, "unreadable": many(string), "next_cursor": maybe(string)}
RuleSubject._readers = {
    "subject": AlertSubject,
    "state": string,
    "since": maybe(time),
    "alert_id": maybe(identifier),
}
SecretField._readers = {
    "name": string,
    "value_schema": mapping,
    "required": boolean,
    "is_set": boolean,
}
SeriesPoint._readers = {
    "starts_at": time,
    "total": integer,
    "success": integer,
    "errors": integer,
    "success_rate": number,
    "no_data": boolean,
    "platform_faults": integer,
    "latency": Latency,
}
ShownAlert._readers = {"summary": string, "severity": string, "since": time}
ShownConnection._readers = {"name": string, "state": string}
SignInWays._readers = {"api_key": boolean, "oidc": boolean}
SnsChannel._readers = {"kind": string, "id": identifier, "topic_arn": string}
Space._readers = {
    "id": identifier,
    "organization_id": identifier,
    "slug": identifier,
    "name": string,
    "paused": boolean,
    "record_deliveries": boolean,
    "status_page": StatusPage,
    "created_at": time,
    "updated_at": time,
}
SpaceHealth._readers = {
    "space_id": identifier,
    "slug": identifier,
    "name": string,
    "period_days": integer,
    "total_events": integer,
    "success_count": integer,
    "error_count": integer,
    "success_rate": number,
    "no_data": boolean,
    "platform_faults": integer,
    "previous": maybe(PeriodTotals),
    "compared": maybe(PeriodTotals),
    "difference": maybe(PeriodDifference),
    "series": many(DayPoint),
}
Stale._readers = {
    "per": maybe(string),
    "integration_type": maybe(string),
    "connection_id": maybe(identifier),
    "kind": string,
    "after_seconds": integer,
}
StartedAuthorization._readers = {"flow": string, "authorization_url": string, "expires_at": time}
StatusPage._readers = {
    "enabled": boolean,
    "title": maybe(string),
    "show_connections": boolean,
    "url": maybe(string),
}
StatusReport._readers = {
    "name": string,
    "state": string,
    "summary": string,
    "updated_at": time,
    "periods": many(PeriodStatus),
    "days": many(DayStatus),
    "by_integration_type": many(TypeStatus),
    "alerts": many(ShownAlert),
    "more_alerts": boolean,
    "connections": maybe(many(ShownConnection)),
    "more_connections": boolean,
}
Step._readers = {
    "name": string,
    "category": string,
    "mandatory": boolean,
    "status": string,
    "code": maybe(string),
    "detail": maybe(string),
    "duration_ms": integer,
    "first_byte_ms": maybe(integer),
    "summary": string,
    "diagnosis": maybe(Diagnosis),
    "field_pointer": maybe(string),
    "skip_reason": maybe(string),
}
SuccessRate._readers = {
    "per": maybe(string),
    "integration_type": maybe(string),
    "connection_id": maybe(identifier),
    "kind": string,
    "threshold": number,
    "recovery_threshold": maybe(number),
    "short_window_seconds": maybe(integer),
    "long_window_seconds": maybe(integer),
    "minimum_events": maybe(integer),
}
TestConnectionOutput._aliases = {"latencyMs": "latency_ms", "errorCode": "error_code"}
TestConnectionOutput._readers = {
    "success": boolean,
    "status": string,
    "latency_ms": integer,
    "error": maybe(string),
    "error_code": maybe(string),
}
TestProgress._readers = {
    "status": string,
    "message": string,
    "steps": many(Step),
    "started_at": time,
    "finished_at": maybe(time),
}
TestedEndpoint._readers = {
    "id": identifier,
    "organization_id": identifier,
    "role": string,
    "name": string,
    "integration": string,
    "integration_id": identifier,
    "version": string,
    "category": string,
    "variables": mapping,
    "secrets_set": many(string),
    "secret_ref": maybe(string),
    "secrets_entered_at": maybe(time),
    "granted_at": maybe(time),
    "members": many(InstalledMember),
    "dependencies": many(InstalledDependency),
    "environment": maybe(string),
    "external_account_id": maybe(string),
    "ownership_mode": string,
    "created_at": time,
    "updated_at": time,
    "test": DryRunResult,
    "secret_provider": string,
}
TypeHealth._readers = {
    "integration_type": string,
    "total": integer,
    "success": integer,
    "errors": integer,
    "last_event_at": time,
}
TypeStatus._readers = {
    "integration_type": string,
    "total": integer,
    "success": integer,
    "errors": integer,
    "success_rate": number,
}
WebhookChannel._readers = {"kind": string, "id": identifier, "url": string}
WhatChanged._readers = {
    "test_id": identifier,
    "at": time,
    "variables": many(string),
    "secret_version": many(string),
    "release": many(ReleaseChange),
    "configurations": many(string),
}
