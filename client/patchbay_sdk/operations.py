"""The operations that have a method: where each is, and how it is read.

Written by `make sdk` from the API document: edits are lost.
"""

from __future__ import annotations

from typing import Any

from patchbay_sdk import models
from patchbay_sdk.model import either, mapping
from patchbay_sdk.operation import ListOperation, Operation, model, nothing, text

ORGANIZATIONS_LIST: ListOperation[models.Organization] = ListOperation(
    "/v1/organizations", models.Organization
)
ORGANIZATIONS_CREATE: Operation[models.Organization] = Operation(
    "POST", "/v1/organizations", model(models.Organization), is_keyed=True
)
ORGANIZATIONS_GET: Operation[models.Organization] = Operation(
    "GET", "/v1/organizations/{organization_id}", model(models.Organization)
)
ORGANIZATIONS_UPDATE: Operation[models.Organization] = Operation(
    "PATCH", "/v1/organizations/{organization_id}", model(models.Organization)
)
ORGANIZATIONS_ERASE: Operation[models.Erasure] = Operation(
    "DELETE", "/v1/organizations/{organization_id}", model(models.Erasure)
)
ORGANIZATIONS_GET_ERASURE: Operation[models.Erasure] = Operation(
    "GET", "/v1/organizations/{organization_id}/erasure", model(models.Erasure)
)
ORGANIZATIONS_EXPORT: ListOperation[models.ExportedThing] = ListOperation(
    "/v1/organizations/{organization_id}/export", models.ExportedThing
)
ORGANIZATIONS_LIST_QUOTAS: ListOperation[models.OrganizationQuota] = ListOperation(
    "/v1/organizations/{organization_id}/quotas", models.OrganizationQuota
)
AUDIT_EVENTS_LIST: ListOperation[models.AuditEvent] = ListOperation(
    "/v1/organizations/{organization_id}/audit-events", models.AuditEvent
)
API_KEYS_LIST: ListOperation[models.ApiKey] = ListOperation(
    "/v1/organizations/{organization_id}/api-keys", models.ApiKey
)
API_KEYS_CREATE: Operation[models.IssuedApiKey] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/api-keys",
    model(models.IssuedApiKey),
    is_keyed=True,
)
API_KEYS_GET: Operation[models.ApiKey] = Operation(
    "GET", "/v1/organizations/{organization_id}/api-keys/{key_id}", model(models.ApiKey)
)
API_KEYS_REVOKE: Operation[None] = Operation(
    "DELETE", "/v1/organizations/{organization_id}/api-keys/{key_id}", nothing
)
DATA_KEYS_LIST: Operation[models.DataKeys] = Operation(
    "GET", "/v1/organizations/{organization_id}/data-keys", model(models.DataKeys)
)
DATA_KEYS_ROTATE: Operation[models.DataKey] = Operation(
    "POST", "/v1/organizations/{organization_id}/data-keys", model(models.DataKey), is_keyed=True
)
DATA_KEYS_DELETE_THROUGH: Operation[models.DeletedDataKeys] = Operation(
    "DELETE", "/v1/organizations/{organization_id}/data-keys", model(models.DeletedDataKeys)
)
DATA_KEYS_DELETE: Operation[None] = Operation(
    "DELETE", "/v1/organizations/{organization_id}/data-keys/{number}", nothing
)
DATA_KEYS_RESEAL: Operation[models.Resealed] = Operation(
    "POST", "/v1/organizations/{organization_id}/data-keys/reseal", model(models.Resealed)
)
SPACES_LIST: ListOperation[models.Space] = ListOperation(
    "/v1/organizations/{organization_id}/spaces", models.Space
)
SPACES_CREATE: Operation[models.Space] = Operation(
    "POST", "/v1/organizations/{organization_id}/spaces", model(models.Space), is_keyed=True
)
SPACES_GET: Operation[models.Space] = Operation("GET", "/spaces/{slug}", model(models.Space))
SPACES_UPDATE: Operation[models.Space] = Operation("PATCH", "/spaces/{slug}", model(models.Space))
SPACES_DELETE: Operation[None] = Operation("DELETE", "/spaces/{slug}", nothing)
INTEGRATIONS_LIST: ListOperation[models.Integration] = ListOperation(
    "/v1/integrations", models.Integration
)
INTEGRATIONS_CREATE: Operation[models.Integration] = Operation(
    "POST", "/v1/integrations", model(models.Integration), is_keyed=True
)
INTEGRATIONS_GET: Operation[models.Integration] = Operation(
    "GET", "/v1/integrations/{integration_id}", model(models.Integration)
)
INTEGRATIONS_UPDATE: Operation[models.Integration] = Operation(
    "PATCH", "/v1/integrations/{integration_id}", model(models.Integration)
)
INTEGRATIONS_DELETE: Operation[None] = Operation(
    "DELETE", "/v1/integrations/{integration_id}", nothing
)
INTEGRATIONS_PUBLISH: Operation[models.Release] = Operation(
    "POST", "/v1/integrations/{integration_id}/publish", model(models.Release), is_keyed=True
)
INTEGRATIONS_PREVIEW_PUBLISH: Operation[models.PublishReport] = Operation(
    "POST", "/v1/integrations/{integration_id}/publish", model(models.PublishReport), is_keyed=True
)
INTEGRATIONS_RESTORE: Operation[models.Integration] = Operation(
    "POST", "/v1/integrations/{integration_id}/restore", model(models.Integration)
)
INTEGRATIONS_LIST_RELEASES: ListOperation[models.ReleaseSummary] = ListOperation(
    "/v1/integrations/{integration_id}/versions", models.ReleaseSummary
)
INTEGRATIONS_GET_RELEASE: Operation[models.Release] = Operation(
    "GET", "/v1/integrations/{integration_id}/versions/{version}", model(models.Release)
)
INTEGRATIONS_UPDATE_RELEASE: Operation[models.Release] = Operation(
    "PATCH", "/v1/integrations/{integration_id}/versions/{version}", model(models.Release)
)
CATALOG_LIST: ListOperation[models.CatalogEntry] = ListOperation("/v1/catalog", models.CatalogEntry)
CATALOG_GET: Operation[models.Release] = Operation(
    "GET", "/v1/catalog/{publisher}/{slug}", model(models.Release)
)
SOURCES_LIST: ListOperation[models.Endpoint] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/sources", models.Endpoint
)
SOURCES_CREATE: Operation[models.Endpoint | models.TestedEndpoint] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources",
    model(either(models.Endpoint, models.TestedEndpoint)),
    is_keyed=True,
)
SOURCES_GET: Operation[models.Endpoint] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}",
    model(models.Endpoint),
)
SOURCES_UPDATE: Operation[models.Endpoint | models.TestedEndpoint] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}",
    model(either(models.Endpoint, models.TestedEndpoint)),
)
SOURCES_PREVIEW_UPDATE: Operation[models.EditReport] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}",
    model(models.EditReport),
)
SOURCES_DELETE: Operation[None] = Operation(
    "DELETE",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}",
    nothing,
)
SOURCES_GET_RELEASE: Operation[models.Release] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/release",
    model(models.Release),
)
SOURCES_GET_GRANT: Operation[models.GrantView] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/grant",
    model(models.GrantView),
)
SOURCES_DELETE_GRANT: Operation[models.GrantRemoved] = Operation(
    "DELETE",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/grant",
    model(models.GrantRemoved),
)
SOURCES_TEST: Operation[models.RecordedTest] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/test",
    model(models.RecordedTest),
    is_keyed=True,
)
SOURCES_LIST_TESTS: ListOperation[models.RecordedTest] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/tests",
    models.RecordedTest,
)
SOURCES_GET_TEST: Operation[models.RecordedTest] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}/tests/{test_id}",
    model(models.RecordedTest),
)
DESTINATIONS_LIST: ListOperation[models.Endpoint] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations", models.Endpoint
)
DESTINATIONS_CREATE: Operation[models.Endpoint | models.TestedEndpoint] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations",
    model(either(models.Endpoint, models.TestedEndpoint)),
    is_keyed=True,
)
DESTINATIONS_GET: Operation[models.Endpoint] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}",
    model(models.Endpoint),
)
DESTINATIONS_UPDATE: Operation[models.Endpoint | models.TestedEndpoint] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}",
    model(either(models.Endpoint, models.TestedEndpoint)),
)
DESTINATIONS_PREVIEW_UPDATE: Operation[models.EditReport] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}",
    model(models.EditReport),
)
DESTINATIONS_DELETE: Operation[None] = Operation(
    "DELETE",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}",
    nothing,
)
DESTINATIONS_GET_RELEASE: Operation[models.Release] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/release",
    model(models.Release),
)
DESTINATIONS_GET_GRANT: Operation[models.GrantView] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/grant",
    model(models.GrantView),
)
DESTINATIONS_DELETE_GRANT: Operation[models.GrantRemoved] = Operation(
    "DELETE",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/grant",
    model(models.GrantRemoved),
)
DESTINATIONS_TEST: Operation[models.RecordedTest] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/test",
    model(models.RecordedTest),
    is_keyed=True,
)
DESTINATIONS_LIST_TESTS: ListOperation[models.RecordedTest] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/tests",
    models.RecordedTest,
)
DESTINATIONS_GET_TEST: Operation[models.RecordedTest] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/{destination_id}/tests/{test_id}",
    model(models.RecordedTest),
)
CONNECTIONS_LIST: ListOperation[models.Connection] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/connections", models.Connection
)
CONNECTIONS_CREATE: Operation[models.Connection] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections",
    model(models.Connection),
    is_keyed=True,
)
CONNECTIONS_GET: Operation[models.Connection] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}",
    model(models.Connection),
)
CONNECTIONS_UPDATE: Operation[models.Connection] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}",
    model(models.Connection),
)
CONNECTIONS_DELETE: Operation[None] = Operation(
    "DELETE",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}",
    nothing,
)
CONNECTIONS_TEST: Operation[models.RecordedTest] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}/test",
    model(models.RecordedTest),
    is_keyed=True,
)
CONNECTIONS_LIST_TESTS: ListOperation[models.RecordedTest] = ListOperation(
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}/tests",
    models.RecordedTest,
)
CONNECTIONS_GET_TEST: Operation[models.RecordedTest] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}/tests/{test_id}",
    model(models.RecordedTest),
)
CONNECTIONS_GET_CREDENTIALS: Operation[models.GivenCredentials] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}/credentials",
    model(models.GivenCredentials),
)
KNOWLEDGE_CONNECTORS_TEST_CONNECTION: Operation[models.DryRunResult] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/test",
    model(models.DryRunResult),
)
KNOWLEDGE_CONNECTORS_TEST_SOURCE: Operation[models.DryRunResult] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/sources/test",
    model(models.DryRunResult),
)
KNOWLEDGE_CONNECTORS_TEST_DESTINATION: Operation[models.DryRunResult] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/knowledge/connectors/destinations/test",
    model(models.DryRunResult),
)
KNOWLEDGE_CONNECTORS_GET_TEST_PROGRESS: Operation[models.TestProgress] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/knowledge/connectors/test-progress/{progress}",
    model(models.TestProgress),
)
INTEGRATION_CONNECTIONS_CREATE: Operation[models.ConnectionRecord] = Operation(
    "POST", "/integrations/connection/create/v1.0.0", model(models.ConnectionRecord), is_keyed=True
)
INTEGRATION_CONNECTIONS_UPDATE: Operation[models.ConnectionRecord] = Operation(
    "POST", "/integrations/connection/update/v1.0.0", model(models.ConnectionRecord), is_keyed=True
)
INTEGRATION_CONNECTIONS_DELETE: Operation[models.Deleted] = Operation(
    "POST", "/integrations/connection/delete/v1.0.0", model(models.Deleted), is_keyed=True
)
INTEGRATION_CONNECTIONS_LIST: ListOperation[models.ConnectionRecord] = ListOperation(
    "/integrations/connection/list/v1.0.0", models.ConnectionRecord, "connections", "nextCursor"
)
INTEGRATION_CONNECTIONS_TEST: Operation[models.TestConnectionOutput] = Operation(
    "POST",
    "/integrations/connection/test/v1.0.0",
    model(models.TestConnectionOutput),
    is_keyed=True,
)
EVENTS_ADD: Operation[models.IngestResult] = Operation(
    "POST", "/spaces/{slug}/integration-events", model(models.IngestResult), is_keyed=True
)
EVENTS_LIST: ListOperation[models.Event] = ListOperation(
    "/spaces/{slug}/integration-events", models.Event
)
HEALTH_GET: Operation[models.HealthSummary] = Operation(
    "GET", "/spaces/{slug}/integration-health", model(models.HealthSummary)
)
HEALTH_GET_SERIES: Operation[models.HealthSeries] = Operation(
    "GET", "/spaces/{slug}/integration-health/series", model(models.HealthSeries)
)
HEALTH_LIST_CONNECTIONS: ListOperation[models.ConnectionHealth] = ListOperation(
    "/spaces/{slug}/integration-health/connections", models.ConnectionHealth
)
HEALTH_LIST_SPACES: ListOperation[models.SpaceHealth] = ListOperation(
    "/v1/organizations/{organization_id}/integration-health", models.SpaceHealth
)
ALERT_RULES_LIST: ListOperation[models.AlertRule] = ListOperation(
    "/spaces/{slug}/alert-rules", models.AlertRule
)
ALERT_RULES_CREATE: Operation[models.IssuedAlertRule] = Operation(
    "POST", "/spaces/{slug}/alert-rules", model(models.IssuedAlertRule), is_keyed=True
)
ALERT_RULES_GET: Operation[models.AlertRule] = Operation(
    "GET", "/spaces/{slug}/alert-rules/{rule_id}", model(models.AlertRule)
)
ALERT_RULES_UPDATE: Operation[models.IssuedAlertRule] = Operation(
    "PATCH", "/spaces/{slug}/alert-rules/{rule_id}", model(models.IssuedAlertRule), is_keyed=True
)
ALERT_RULES_DELETE: Operation[None] = Operation(
    "DELETE", "/spaces/{slug}/alert-rules/{rule_id}", nothing
)
ALERT_RULES_BACKTEST: Operation[models.Backtest] = Operation(
    "POST", "/spaces/{slug}/alert-rules/backtest", model(models.Backtest)
)
ALERT_RULES_ROTATE_WEBHOOK_SECRET: Operation[models.IssuedWebhookSecret] = Operation(
    "POST",
    "/spaces/{slug}/alert-rules/{rule_id}/channels/{channel_id}/rotate-secret",
    model(models.IssuedWebhookSecret),
    is_keyed=True,
)
ALERT_RULES_LIST_SUBJECTS: ListOperation[models.RuleSubject] = ListOperation(
    "/spaces/{slug}/alert-rules/{rule_id}/subjects", models.RuleSubject
)
ALERTS_LIST: ListOperation[models.Alert] = ListOperation("/spaces/{slug}/alerts", models.Alert)
ALERTS_GET: Operation[models.Alert] = Operation(
    "GET", "/spaces/{slug}/alerts/{alert_id}", model(models.Alert)
)
ALERTS_ACKNOWLEDGE: Operation[models.Alert] = Operation(
    "POST", "/spaces/{slug}/alerts/{alert_id}/acknowledge", model(models.Alert)
)
ALERTS_LIST_DELIVERIES: ListOperation[models.Delivery] = ListOperation(
    "/spaces/{slug}/alerts/{alert_id}/deliveries", models.Delivery
)
ALERTS_RESEND_DELIVERY: Operation[models.Delivery] = Operation(
    "POST",
    "/spaces/{slug}/alerts/{alert_id}/deliveries/{delivery_id}/resend",
    model(models.Delivery),
)
STATUS_PAGES_GET: Operation[models.StatusReport] = Operation(
    "GET", "/v1/status/{token}", model(models.StatusReport)
)
STATUS_PAGES_GET_BADGE: Operation[str] = Operation("GET", "/status/{token}/badges/{badge}", text)
INSTALL_SESSIONS_LIST: ListOperation[models.InstallSession] = ListOperation(
    "/v1/organizations/{organization_id}/install-sessions", models.InstallSession
)
INSTALL_SESSIONS_CREATE: Operation[models.IssuedInstallSession] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/install-sessions",
    model(models.IssuedInstallSession),
    is_keyed=True,
)
INSTALL_SESSIONS_GET: Operation[models.InstallSession] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/install-sessions/{session_id}",
    model(models.InstallSession),
)
INSTALL_SESSIONS_REVOKE: Operation[None] = Operation(
    "DELETE", "/v1/organizations/{organization_id}/install-sessions/{session_id}", nothing
)
INSTALL_GET: Operation[models.InstallForm] = Operation(
    "GET", "/v1/install", model(models.InstallForm)
)
INSTALL_GET_AUTHORIZATION: Operation[models.AuthorizationStep] = Operation(
    "GET", "/v1/install/authorize", model(models.AuthorizationStep)
)
INSTALL_AUTHORIZE: Operation[models.StartedAuthorization] = Operation(
    "POST", "/v1/install/authorize", model(models.StartedAuthorization)
)
INSTALL_TEST: Operation[models.DryRunResult] = Operation(
    "POST", "/v1/install/test", model(models.DryRunResult)
)
INSTALL_GET_TEST: Operation[models.TestProgress] = Operation(
    "GET", "/v1/install/tests/{progress}", model(models.TestProgress)
)
INSTALL_COMPLETE: Operation[models.InstallCompletion] = Operation(
    "POST", "/v1/install/complete", model(models.InstallCompletion)
)
OAUTH_APPLICATIONS_LIST: ListOperation[models.OAuthApplication] = ListOperation(
    "/v1/organizations/{organization_id}/oauth-applications", models.OAuthApplication
)
OAUTH_APPLICATIONS_CREATE: Operation[models.OAuthApplication] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/oauth-applications",
    model(models.OAuthApplication),
    is_keyed=True,
)
OAUTH_APPLICATIONS_GET: Operation[models.OAuthApplication] = Operation(
    "GET",
    "/v1/organizations/{organization_id}/oauth-applications/{application_id}",
    model(models.OAuthApplication),
)
OAUTH_APPLICATIONS_UPDATE: Operation[models.OAuthApplication] = Operation(
    "PATCH",
    "/v1/organizations/{organization_id}/oauth-applications/{application_id}",
    model(models.OAuthApplication),
)
OAUTH_APPLICATIONS_DELETE: Operation[None] = Operation(
    "DELETE", "/v1/organizations/{organization_id}/oauth-applications/{application_id}", nothing
)
SIGN_IN_LINKS_CREATE: Operation[models.IssuedSignInLink] = Operation(
    "POST",
    "/v1/organizations/{organization_id}/sign-in-links",
    model(models.IssuedSignInLink),
    is_keyed=True,
)
BROWSER_SESSIONS_LIST: ListOperation[models.BrowserSession] = ListOperation(
    "/v1/browser-sessions", models.BrowserSession
)
BROWSER_SESSIONS_CREATE: Operation[models.Caller] = Operation(
    "POST", "/v1/browser-sessions", model(models.Caller)
)
BROWSER_SESSIONS_GET_CALLER: Operation[models.Caller] = Operation(
    "GET", "/v1/browser-sessions/current", model(models.Caller)
)
BROWSER_SESSIONS_GET_SIGN_IN_WAYS: Operation[models.SignInWays] = Operation(
    "GET", "/v1/browser-sessions/ways", model(models.SignInWays)
)
BROWSER_SESSIONS_DELETE_CURRENT: Operation[None] = Operation(
    "DELETE", "/v1/browser-sessions/current", nothing
)
BROWSER_SESSIONS_DELETE_ALL: Operation[None] = Operation("DELETE", "/v1/browser-sessions", nothing)
DOCUMENTATION_GET_OPENAPI_DOCUMENT: Operation[dict[str, Any]] = Operation(
    "GET", "/openapi.json", model(mapping)
)
DOCUMENTATION_GET_GUIDE: Operation[str] = Operation("GET", "/docs/guides/{guide}", text)
