"""The values of enumerations; answers of a later version may have more.

Written by `make sdk` from the API document: edits are lost.
"""

from __future__ import annotations

from typing import Literal

Action = Literal[
    "created",
    "changed",
    "deleted",
    "restored",
    "published",
    "remarked",
    "resealed",
    "made_current",
    "acknowledged",
    "resent",
    "opened",
    "tested",
    "completed",
    "revoked",
    "refused",
    "credentials_given",
    "proxied",
    "erased",
    "authorized",
    "signed_in",
    "signed_out",
]
"""What was done to it."""
AlertFilter = Literal["pending", "firing", "acknowledged", "resolved"]
"""A state of an alert. `acknowledged` selects the firing alerts that were acknowledged."""
AlertResolution = Literal[
    "recovered",
    "rule_changed",
    "rule_disabled",
    "rule_deleted",
    "subject_gone",
    "subject_paused",
    "subject_disabled",
]
"""Why an alert ended."""
AlertState = Literal["pending", "firing", "resolved"]
"""Where an alert is."""
Blame = Literal["customer", "provider", "unknown", "platform"]
"""Who can fix a failure."""
BlockDetail = Literal["address", "name", "port", "scheme", "parse", "redirect", "option", "budget"]
"""What the egress guard refused."""
Capability = Literal["metadata_sync", "quality_check", "profiling", "webhook", "alert"]
"""What an integration can do; also the types under which its events are counted."""
CapabilityStatus = Literal["proven", "at_risk", "untested"]
"""What a test showed for a capability."""
Code = Literal[
    "config_invalid",
    "config_missing_field",
    "secret_not_found",
    "secret_not_permitted",
    "auth_invalid",
    "auth_expired",
    "auth_revoked",
    "permission_denied",
    "scope_missing",
    "payment_required",
    "account_locked",
    "address_not_allowed",
    "not_found",
    "request_rejected",
    "authentication_unsupported",
    "blocked_by_intermediary",
    "dns_error",
    "connection_refused",
    "connection_reset",
    "network_unreachable",
    "connect_timeout",
    "tls_error",
    "tls_version_unsupported",
    "authentication_too_weak",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_untrusted",
    "certificate_self_signed",
    "certificate_chain_incomplete",
    "certificate_name_mismatch",
    "client_certificate_required",
    "client_certificate_refused",
    "egress_blocked",
    "rate_limited",
    "provider_error",
    "provider_timeout",
    "unexpected_response",
    "redirect_loop",
    "response_too_large",
    "secret_store_unavailable",
    "budget_exhausted",
    "internal_error",
    "monitor_offline",
]
"""Why a step failed, as a stable code."""
CodeCategory = Literal[
    "config",
    "auth",
    "permission",
    "account",
    "integration",
    "network",
    "policy",
    "rate_limit",
    "provider",
    "platform",
]
"""What kind of failure a code stands for."""
ConnectedThrough = Literal["application", "secrets"]
"""What the tokens of a grant belong to."""
ConnectionState = Literal["working", "failing", "unknown", "paused"]
"""How a connection is doing now. `unknown`: it was not tested, or not lately."""
DeliveryStatus = Literal["pending", "delivered", "failed", "skipped"]
"""`skipped`: a message that a later one made needless, or the recovery of an alert that never
reached the channel.
"""
EndReason = Literal["refused", "answer_lost", "expired"]
"""Why a grant ended."""
Entity = Literal[
    "organization",
    "space",
    "api_key",
    "integration",
    "source",
    "destination",
    "connection",
    "data_key",
    "alert_rule",
    "alert",
    "install_session",
    "oauth_application",
    "grant",
    "browser_session",
    "sign_in_link",
]
"""What can be changed."""
ErasureStatus = Literal["queued", "erasing", "waiting", "verifying", "erased"]
"""How far an erasure is."""
EventStatus = Literal["SUCCESS", "ERROR"]
"""Whether the work succeeded."""
ExcludeBlame = Literal["platform", "none"]
"""Whose failures do not count as errors of the integration."""
GrantStatus = Literal["active", "expiring", "failing", "reauthorize"]
"""How a grant is doing."""
HealthStatus = Literal["connected", "disconnected", "error", "unknown"]
"""How a connection is doing, according to its last tests."""
IntegrationType = Literal[
    "metadata_sync", "quality_check", "profiling", "webhook", "alert", "connection_test", "usage"
]
"""The work that an event is about: the types of the health contract, our own tests, and the uses
of credentials.
"""
KeptThing = Literal["audit_trail", "backups", "names", "releases"]
"""What an erasure leaves."""
Lifecycle = Literal["draft", "active", "paused", "disabled"]
"""What its owner wants from a connection. How it is doing is its health."""
MemberOutcome = Literal["added", "replaced", "removed", "kept", "unchanged"]
"""What an edit does to a member of an endpoint."""
MonitorInterval = Literal["1m", "5m", "15m", "1h", "24h"]
"""How often a monitored connection is tested."""
NoticeKind = Literal["firing", "reminder", "resolved"]
"""What a notification is about. Prefixed with `alert.`, it is the type of the message."""
OwnershipMode = Literal["managed", "byok"]
"""Whose credentials they are: the operator's for the customer, or the customer's own."""
Permission = Literal[
    "platform.integration.read",
    "platform.integration.test",
    "platform.integration.manage",
    "platform.credential.use",
    "platform.events.write",
    "platform.admin",
]
"""What a caller may do. ADMIN implies all permissions but USE, and MANAGE implies TEST."""
RequiredAction = Literal[
    "none",
    "reauthorize",
    "fix_config",
    "grant_permission",
    "fix_account",
    "wait",
    "contact_support",
]
"""What the owner of a connection has to do about its status: nothing while it is connected."""
RetentionTier = Literal["short", "medium", "long", "none"]
"""How long a deleted integration can be restored."""
RevocationOutcome = Literal["revoked", "failed", "unsupported", "nothing_to_revoke"]
"""What a provider did when it was asked to revoke tokens."""
Role = Literal["source", "destination"]
"""What an endpoint of a release can be."""
SecretProvider = Literal["patchbay", "aws-secrets-manager"]
"""Where an endpoint's secrets are kept: in the vault, or in AWS Secrets Manager."""
SeriesInterval = Literal["hour", "day"]
"""What one point of a series covers."""
SessionStatus = Literal["pending", "completed", "revoked", "expired"]
"""A session is pending until one of the others ends it."""
Severity = Literal["info", "warning", "critical"]
"""A label for the receivers of an alert. It has no effect on evaluation or delivery."""
SignInWay = Literal["api_key", "sign_in_link", "oidc"]
"""How a session began."""
SkipReason = Literal["gate_failed", "budget_exhausted", "not_applicable"]
"""Why a step was skipped."""
StatusState = Literal["operational", "degraded", "down", "no_data"]
"""How a space is doing now. `down`: nothing succeeds. `degraded`: something fails."""
StepCategory = Literal["gate", "capability"]
"""What a failure of a step costs: the test, or one capability."""
StepStatus = Literal["passed", "warning", "failed", "skipped"]
"""How a step ended."""
SubjectKind = Literal["space", "integration_type", "connection"]
"""What an alert can be about."""
TestMode = Literal["sync", "async"]
"""Whether the caller waited for a test, or queued it."""
TestStatus = Literal["queued", "running", "succeeded", "failed"]
"""How far a test is, and whether it passed."""
TestTrigger = Literal["manual", "monitor"]
"""Who asked for a test."""
TrustTier = Literal[
    "first_party", "vendor_official", "verified_partner", "verified_publisher", "community"
]
"""How far the operator vouches for a publisher."""
Visibility = Literal["private", "unlisted", "public"]
"""Who can see an integration: its organization, everyone who knows its name, or everyone."""
