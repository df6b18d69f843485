"""A method for each operation, in namespaces.

Written by `make sdk` from the API document: edits are lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from patchbay_sdk import operations
from patchbay_sdk.namespace import AsyncExchange, AsyncNamespace
from patchbay_sdk.operation import OMIT, Omit
from patchbay_sdk.proxy import AsyncProxy

if TYPE_CHECKING:
    from patchbay_sdk import choices, models, params
    from patchbay_sdk.model import Model
    from patchbay_sdk.pages import AsyncPages


class AsyncAlertRules(AsyncNamespace):
    """When an alert begins, and who is notified."""

    def list(
        self, *, slug: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.AlertRule]:
        """List the alert rules of a space.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.ALERT_RULES_LIST, {"slug": slug}, query={"limit": limit, "cursor": cursor}
        )

    async def create(
        self,
        *,
        slug: str,
        name: str,
        condition: params.AlertCondition | Model,
        enabled: bool | Omit = OMIT,
        severity: choices.Severity | Omit = OMIT,
        for_seconds: int | Omit = OMIT,
        keep_firing_for_seconds: int | Omit = OMIT,
        reminder_seconds: int | Omit = OMIT,
        channels: Sequence[params.NewChannel | Model] | Omit = OMIT,
        idempotency_key: str | None = None,
    ) -> models.IssuedAlertRule:
        """Create an alert rule; only this answer has the secrets of its webhooks.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        name: The name of the rule.
        condition: When the alert begins.
        enabled: Whether it is switched on. Default: `true`.
        severity: A label for the receivers. Default: `"warning"`.
        for_seconds: How long the condition must hold before the alert fires. Default: `0`.
        keep_firing_for_seconds: How long the condition must be clear before the alert is
            resolved. Default: `0`.
        reminder_seconds: 0 for no reminders. Default: `0`.
        channels: Where notifications are sent: at most 5 channels.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.ALERT_RULES_CREATE,
            {"slug": slug},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "name": name,
                "enabled": enabled,
                "severity": severity,
                "condition": condition,
                "for_seconds": for_seconds,
                "keep_firing_for_seconds": keep_firing_for_seconds,
                "reminder_seconds": reminder_seconds,
                "channels": channels,
            },
        )

    async def get(self, *, slug: str, rule_id: str) -> models.AlertRule:
        """Read an alert rule, without the secrets of its webhooks.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        rule_id: The id of the alert rule.
        """
        return await self._call(operations.ALERT_RULES_GET, {"slug": slug, "rule_id": rule_id})

    async def update(
        self,
        *,
        slug: str,
        rule_id: str,
        name: str | Omit = OMIT,
        enabled: bool | Omit | None = OMIT,
        severity: choices.Severity | Omit | None = OMIT,
        condition: Mapping[str, Any] | Omit = OMIT,
        for_seconds: int | Omit | None = OMIT,
        keep_firing_for_seconds: int | Omit | None = OMIT,
        reminder_seconds: int | Omit | None = OMIT,
        channels: Sequence[params.NewChannel | Model] | Omit | None = OMIT,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> models.IssuedAlertRule:
        """Change an alert rule (JSON merge patch); only this answer has the secrets of new
        webhooks.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        rule_id: The id of the alert rule.
        name: The name of the rule.
        enabled: Whether it is switched on.
        severity: A label for the receivers.
        condition: The members of the condition to change.
        for_seconds: How long the condition must hold before the alert fires.
        keep_firing_for_seconds: How long the condition must be clear before the alert is
            resolved.
        reminder_seconds: Seconds between two reminders of a firing alert: 0 for none, or at
            least 300.
        channels: Where notifications are sent: at most 5 channels.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.ALERT_RULES_UPDATE,
            {"slug": slug, "rule_id": rule_id},
            headers={"Idempotency-Key": idempotency_key, "If-Match": if_match},
            body={
                "name": name,
                "enabled": enabled,
                "severity": severity,
                "condition": condition,
                "for_seconds": for_seconds,
                "keep_firing_for_seconds": keep_firing_for_seconds,
                "reminder_seconds": reminder_seconds,
                "channels": channels,
            },
        )

    async def delete(self, *, slug: str, rule_id: str, if_match: str | None = None) -> None:
        """Delete an alert rule; its alerts end without a notification.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        rule_id: The id of the alert rule.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.ALERT_RULES_DELETE,
            {"slug": slug, "rule_id": rule_id},
            headers={"If-Match": if_match},
        )

    async def backtest(
        self, *, slug: str, rule: params.NewAlertRule, days: int | Omit = OMIT
    ) -> models.Backtest:
        """Find when a rule would have fired over the last days; nothing is stored.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        rule: The rule to try.
        days: How many days back to look. Default: `30`.
        """
        return await self._call(
            operations.ALERT_RULES_BACKTEST, {"slug": slug}, body={"rule": rule, "days": days}
        )

    async def rotate_webhook_secret(
        self, *, slug: str, rule_id: str, channel_id: str, idempotency_key: str | None = None
    ) -> models.IssuedWebhookSecret:
        """Rotate the secret of a webhook; the previous one also signs for 24 hours.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        rule_id: The id of the alert rule.
        channel_id: The id of the channel.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.ALERT_RULES_ROTATE_WEBHOOK_SECRET,
            {"slug": slug, "rule_id": rule_id, "channel_id": channel_id},
            headers={"Idempotency-Key": idempotency_key},
        )

    def list_subjects(
        self, *, slug: str, rule_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.RuleSubject]:
        """List the subjects of an alert rule, with the state of each.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        rule_id: The id of the alert rule.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.ALERT_RULES_LIST_SUBJECTS,
            {"slug": slug, "rule_id": rule_id},
            query={"limit": limit, "cursor": cursor},
        )


class AsyncAlerts(AsyncNamespace):
    """Outages of one subject, and their notifications."""

    def list(
        self,
        *,
        slug: str,
        limit: int | None = None,
        cursor: str | None = None,
        state: choices.AlertFilter | None = None,
        rule_id: str | None = None,
    ) -> AsyncPages[models.Alert]:
        """List the alerts of a space, newest first.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        state: Only alerts in this state.
        rule_id: The id of the alert rule.
        """
        return self._list(
            operations.ALERTS_LIST,
            {"slug": slug},
            query={"limit": limit, "cursor": cursor, "state": state, "rule_id": rule_id},
        )

    async def get(self, *, slug: str, alert_id: str) -> models.Alert:
        """Read an alert.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        alert_id: The id of the alert.
        """
        return await self._call(operations.ALERTS_GET, {"slug": slug, "alert_id": alert_id})

    async def acknowledge(self, *, slug: str, alert_id: str) -> models.Alert:
        """Acknowledge a firing alert; no reminders are sent until it is resolved.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        alert_id: The id of the alert.
        """
        return await self._call(operations.ALERTS_ACKNOWLEDGE, {"slug": slug, "alert_id": alert_id})

    def list_deliveries(
        self, *, slug: str, alert_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.Delivery]:
        """List the deliveries of an alert, with every attempt.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        alert_id: The id of the alert.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.ALERTS_LIST_DELIVERIES,
            {"slug": slug, "alert_id": alert_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def resend_delivery(
        self, *, slug: str, alert_id: str, delivery_id: str
    ) -> models.Delivery:
        """Resend a delivery, under the same notification id.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        alert_id: The id of the alert.
        delivery_id: The id of the delivery.
        """
        return await self._call(
            operations.ALERTS_RESEND_DELIVERY,
            {"slug": slug, "alert_id": alert_id, "delivery_id": delivery_id},
        )


class AsyncApiKeys(AsyncNamespace):
    """API keys of an organization."""

    def list(
        self, *, organization_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.ApiKey]:
        """List the API keys of an organization, without their secrets.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.API_KEYS_LIST,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def create(
        self,
        *,
        organization_id: str,
        name: str,
        permissions: Sequence[choices.Permission],
        expires_at: datetime | str | Omit | None = OMIT,
        space: str | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.IssuedApiKey:
        """Issue an API key that expires no later than yours; only this answer has its secret.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        name: The name of the key.
        permissions: What the key may do.
        expires_at: When the key stops working; null for a key that doesn't expire.
        space: The slug of the only space that the key may act in; the whole organization if
            it is left out.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.API_KEYS_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "name": name,
                "permissions": permissions,
                "expires_at": expires_at,
                "space": space,
            },
        )

    async def get(self, *, organization_id: str, key_id: str) -> models.ApiKey:
        """Read an API key, without its secret.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        key_id: The id of the API key.
        """
        return await self._call(
            operations.API_KEYS_GET, {"organization_id": organization_id, "key_id": key_id}
        )

    async def revoke(
        self, *, organization_id: str, key_id: str, if_match: str | None = None
    ) -> None:
        """Revoke an API key that has no permission that yours lacks.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        key_id: The id of the API key.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.API_KEYS_REVOKE,
            {"organization_id": organization_id, "key_id": key_id},
            headers={"If-Match": if_match},
        )


class AsyncAuditEvents(AsyncNamespace):
    """Who changed what, and when."""

    def list(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        entity: choices.Entity | None = None,
        entity_id: str | None = None,
        subject: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> AsyncPages[models.AuditEvent]:
        """List the changes in an organization in the last 400 days, newest first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        entity: Only changes of this kind of thing.
        entity_id: Only changes of the thing with this id.
        subject: Only changes by this subject.
        since: Only what happened at this time or later.
        until: Only what happened before this time.
        """
        return self._list(
            operations.AUDIT_EVENTS_LIST,
            {"organization_id": organization_id},
            query={
                "limit": limit,
                "cursor": cursor,
                "entity": entity,
                "entity_id": entity_id,
                "subject": subject,
                "since": since,
                "until": until,
            },
        )


class AsyncBrowserSessions(AsyncNamespace):
    """People who are signed in to the dashboard."""

    def list(self) -> AsyncPages[models.BrowserSession]:
        """List the sessions of browsers that the caller is signed in to, newest first.

        For every caller with a session, a key, or a token.
        """
        return self._list(operations.BROWSER_SESSIONS_LIST, {})

    async def create(
        self, *, api_key: str | Omit | None = OMIT, code: str | Omit | None = OMIT
    ) -> models.Caller:
        """Sign a browser in with an API key, or with the code of a sign-in link: it gets a
        cookie.

        Open to everybody.

        api_key: An API key. The session ends with it.
        code: The code of a sign-in link: what stands behind the # of its address.
        """
        return await self._call(
            operations.BROWSER_SESSIONS_CREATE, {}, body={"api_key": api_key, "code": code}
        )

    async def get_caller(self) -> models.Caller:
        """Read who is calling, and what they may do: with a session, a key, or a token.

        For every caller with a session, a key, or a token.
        """
        return await self._call(operations.BROWSER_SESSIONS_GET_CALLER, {})

    async def get_sign_in_ways(self) -> models.SignInWays:
        """Read how people can sign in to the dashboard of this deployment.

        Open to everybody.
        """
        return await self._call(operations.BROWSER_SESSIONS_GET_SIGN_IN_WAYS, {})

    async def delete_current(self) -> None:
        """Sign this browser out.

        For every caller with a session, a key, or a token.
        """
        return await self._call(operations.BROWSER_SESSIONS_DELETE_CURRENT, {})

    async def delete_all(self) -> None:
        """Sign the caller out of all browsers: no cookie of theirs can be used any more, at
        once.

        For every caller with a session, a key, or a token.
        """
        return await self._call(operations.BROWSER_SESSIONS_DELETE_ALL, {})


class AsyncCatalog(AsyncNamespace):
    """Integrations that can be connected."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        publisher: str | None = None,
        slug: str | None = None,
        q: str | None = None,
        name: str | None = None,
        trust_tier: choices.TrustTier | None = None,
        capability: choices.Capability | None = None,
        role: choices.Role | None = None,
        auth_type: Literal["oauth2", "api_key", "basic", "none"] | None = None,
    ) -> AsyncPages[models.CatalogEntry]:
        """Search and filter the public integrations, by publisher or name.

        Permission: `platform.integration.read`.

        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        publisher: How the publisher begins.
        slug: Only integrations with this slug.
        q: Part of the name, the slug, or the description, in any case.
        name: How the name of the integration begins.
        trust_tier: Only integrations of this trust tier.
        capability: Only integrations with this capability.
        role: Only integrations that can be this.
        auth_type: Only integrations that authenticate in this way.
        """
        return self._list(
            operations.CATALOG_LIST,
            {},
            query={
                "limit": limit,
                "cursor": cursor,
                "publisher": publisher,
                "slug": slug,
                "q": q,
                "name": name,
                "trustTier": trust_tier,
                "capability": capability,
                "role": role,
                "authType": auth_type,
            },
        )

    async def get(self, *, publisher: str, slug: str) -> models.Release:
        """Read the current release of an integration; strangers do not see who made it, or
        where.

        Permission: `platform.integration.read`.

        publisher: The publisher of the integration.
        slug: The slug of the integration.
        """
        return await self._call(operations.CATALOG_GET, {"publisher": publisher, "slug": slug})


class AsyncConnections(AsyncNamespace):
    """What is connected: a source, perhaps a destination, and their monitor."""

    def list(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        integration: str | None = None,
        version: str | None = None,
        environment: str | None = None,
        external_account_id: str | None = None,
        space: str | None = None,
        source_id: str | None = None,
        destination_id: str | None = None,
        status: choices.Lifecycle | None = None,
        health: choices.HealthStatus | None = None,
        category: str | None = None,
        q: str | None = None,
    ) -> AsyncPages[models.Connection]:
        """List the connections of an organization, by space, endpoint, state, or their source.

        Permission: `platform.integration.read`. Keys of one space may call it.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        integration: Only connections whose source is of this integration, as publisher/slug.
        version: Only connections whose source has this release, or one of this range.
        environment: Only connections whose source has this label, exactly.
        external_account_id: Only connections whose source is of this account at the provider,
            exactly.
        space: Only connections in the space with this slug.
        source_id: The id of the source.
        destination_id: The id of the destination.
        status: Only those with this status.
        health: Only connections with this health.
        category: Only connections whose source's integration has this category.
        q: Part of the name, in any case.
        """
        return self._list(
            operations.CONNECTIONS_LIST,
            {"organization_id": organization_id},
            query={
                "limit": limit,
                "cursor": cursor,
                "integration": integration,
                "version": version,
                "environment": environment,
                "external_account_id": external_account_id,
                "space": space,
                "source_id": source_id,
                "destination_id": destination_id,
                "status": status,
                "health": health,
                "category": category,
                "q": q,
            },
        )

    async def create(
        self,
        *,
        organization_id: str,
        name: str,
        source_id: str,
        space: str,
        destination_id: str | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        monitor: params.Monitor | models.Monitor | Omit | None = OMIT,
        record_uses: bool | Omit | None = OMIT,
        status: Literal["draft", "active"] | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.Connection:
        """Create a connection in a space, from a source and an optional destination.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        name: The name of the connection.
        source_id: The id of a source.
        space: The slug of the space.
        destination_id: The id of a destination.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        monitor: Whether and how often the connection is tested in the background.
        record_uses: Whether uses of the connection's credentials are events of its space, of
            the type usage. Off by default. Default: `false`.
        status: A draft is not tested in the background, and its configurations are not
            checked yet. Default: `"active"`.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.CONNECTIONS_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "name": name,
                "source_id": source_id,
                "destination_id": destination_id,
                "configurations": configurations,
                "space": space,
                "monitor": monitor,
                "record_uses": record_uses,
                "status": status,
            },
        )

    async def get(self, *, organization_id: str, connection_id: str) -> models.Connection:
        """Read a connection.

        Permission: `platform.integration.read`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        """
        return await self._call(
            operations.CONNECTIONS_GET,
            {"organization_id": organization_id, "connection_id": connection_id},
        )

    async def update(
        self,
        *,
        organization_id: str,
        connection_id: str,
        name: str | Omit = OMIT,
        destination_id: str | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        monitor: params.MonitorPatch | Omit | None = OMIT,
        record_uses: bool | Omit = OMIT,
        status: choices.Lifecycle | Omit = OMIT,
        if_match: str | None = None,
    ) -> models.Connection:
        """Change a connection (JSON merge patch); its source and its space stay.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        name: The name of the connection.
        destination_id: The id of a destination.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        monitor: Whether and how often the connection is tested in the background.
        record_uses: Whether uses of the connection's credentials are events of its space, of
            the type usage. Off by default.
        status: What the owner wants from the connection.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.CONNECTIONS_UPDATE,
            {"organization_id": organization_id, "connection_id": connection_id},
            headers={"If-Match": if_match},
            body={
                "name": name,
                "destination_id": destination_id,
                "configurations": configurations,
                "monitor": monitor,
                "record_uses": record_uses,
                "status": status,
            },
        )

    async def delete(
        self, *, organization_id: str, connection_id: str, if_match: str | None = None
    ) -> None:
        """Delete a connection; its source and its destination stay.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.CONNECTIONS_DELETE,
            {"organization_id": organization_id, "connection_id": connection_id},
            headers={"If-Match": if_match},
        )

    async def test(
        self,
        *,
        organization_id: str,
        connection_id: str,
        mode: choices.TestMode | None = None,
        follow: bool | None = None,
        progress: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RecordedTest:
        """Run the health check of a connection, now or through the queue; it records an event.

        Permission: `platform.integration.test`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        mode: Whether to wait for the test, or to queue it and read it later.
        follow: Show the steps of a queued test while it runs.
        progress: The id that the caller made up for the test.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.CONNECTIONS_TEST,
            {"organization_id": organization_id, "connection_id": connection_id},
            query={"mode": mode, "follow": follow, "progress": progress},
            headers={"Idempotency-Key": idempotency_key},
        )

    def list_tests(
        self,
        *,
        organization_id: str,
        connection_id: str,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[models.RecordedTest]:
        """List the tests of a connection in the last 90 days, newest first.

        Permission: `platform.integration.read`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.CONNECTIONS_LIST_TESTS,
            {"organization_id": organization_id, "connection_id": connection_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def get_test(
        self, *, organization_id: str, connection_id: str, test_id: str
    ) -> models.RecordedTest:
        """Read a test of a connection; poll this route for a queued test.

        Permission: `platform.integration.read`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        test_id: The id of the test.
        """
        return await self._call(
            operations.CONNECTIONS_GET_TEST,
            {
                "organization_id": organization_id,
                "connection_id": connection_id,
                "test_id": test_id,
            },
        )

    async def get_credentials(
        self, *, organization_id: str, connection_id: str, role: choices.Role | None = None
    ) -> models.GivenCredentials:
        """Get usable credentials of a connection: a fresh access token, or its key.

        Permission: `platform.credential.use`. Keys of one space may call it.

        organization_id: The id of the organization.
        connection_id: The id of the connection.
        role: Whose credentials: those of the source, or of the destination.
        """
        return await self._call(
            operations.CONNECTIONS_GET_CREDENTIALS,
            {"organization_id": organization_id, "connection_id": connection_id},
            query={"role": role},
        )


class AsyncDataKeys(AsyncNamespace):
    """The keys that seal an organization's secrets."""

    async def list(self, *, organization_id: str) -> models.DataKeys:
        """List the data keys that an organization's secrets are sealed under.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        """
        return await self._call(operations.DATA_KEYS_LIST, {"organization_id": organization_id})

    async def rotate(
        self, *, organization_id: str, idempotency_key: str | None = None
    ) -> models.DataKey:
        """Rotate the data key: new secrets use the new key, and old ones still open.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.DATA_KEYS_ROTATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
        )

    async def delete_through(
        self, *, organization_id: str, through: int, confirm: str
    ) -> models.DeletedDataKeys:
        """Delete data keys; secrets that are sealed under them can never be opened again.

        Permission: `platform.admin`.

        organization_id: The id of the organization.
        through: Delete all keys up to this number.
        confirm: The id of the organization again.
        """
        return await self._call(
            operations.DATA_KEYS_DELETE_THROUGH,
            {"organization_id": organization_id},
            query={"through": through, "confirm": confirm},
        )

    async def delete(self, *, organization_id: str, number: str) -> None:
        """Delete an old data key that no secret uses.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        number: The number of the data key.
        """
        return await self._call(
            operations.DATA_KEYS_DELETE, {"organization_id": organization_id, "number": number}
        )

    async def reseal(
        self, *, organization_id: str, limit: int | None = None, cursor: str | None = None
    ) -> models.Resealed:
        """Reseal one page of an organization's secrets under the current data key.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return await self._call(
            operations.DATA_KEYS_RESEAL,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor},
        )


class AsyncDestinations(AsyncNamespace):
    """Accounts that data goes to."""

    def list(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        integration: str | None = None,
        version: str | None = None,
        environment: str | None = None,
        external_account_id: str | None = None,
        q: str | None = None,
    ) -> AsyncPages[models.Endpoint]:
        """List the destinations of an organization, by release, environment, account, or name.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        integration: Only those of this integration, as publisher/slug.
        version: Only those of this release, or of this range of releases.
        environment: Only those with this label, exactly.
        external_account_id: Only those of this account at the provider, exactly.
        q: Part of the name, in any case.
        """
        return self._list(
            operations.DESTINATIONS_LIST,
            {"organization_id": organization_id},
            query={
                "limit": limit,
                "cursor": cursor,
                "integration": integration,
                "version": version,
                "environment": environment,
                "external_account_id": external_account_id,
                "q": q,
            },
        )

    async def create(
        self,
        *,
        organization_id: str,
        name: str,
        integration: str,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        version: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
        test: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.Endpoint | models.TestedEndpoint:
        """Create a destination from a release, with variables and secrets; `test` tests it
        first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        name: A name for people.
        integration: Publisher/slug of the registry or the catalog.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        version: A version or a range of npm, such as ^1.2.0, 1.x, or ^1 || ^2; by default the
            current release.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are. Default: `"managed"`.
        test: Store the endpoint only if a test of it passes.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.DESTINATIONS_CREATE,
            {"organization_id": organization_id},
            query={"test": test},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "variables": variables,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "name": name,
                "integration": integration,
                "version": version,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def get(self, *, organization_id: str, destination_id: str) -> models.Endpoint:
        """Read a destination; its secrets are shown by name only.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        """
        return await self._call(
            operations.DESTINATIONS_GET,
            {"organization_id": organization_id, "destination_id": destination_id},
        )

    async def update(
        self,
        *,
        organization_id: str,
        destination_id: str,
        name: str | Omit = OMIT,
        version: str | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        members: Sequence[params.MemberPatch] | Omit | None = OMIT,
        secrets: Mapping[str, str | None] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
        test: bool | None = None,
        if_match: str | None = None,
    ) -> models.Endpoint | models.TestedEndpoint:
        """Change or upgrade a destination (merge patch); `dry_run` previews, `test` tests first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        name: A name for people.
        version: Another release of the same integration, or a range of releases.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        members: Edits of the endpoint's own copies; copies that are not named stay.
        secrets: Secrets by name. They are write-only: no answer has them.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are.
        test: Store the edit only if a test of it passes.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.DESTINATIONS_UPDATE,
            {"organization_id": organization_id, "destination_id": destination_id},
            query={"test": test},
            headers={"If-Match": if_match},
            body={
                "name": name,
                "version": version,
                "variables": variables,
                "members": members,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def preview_update(
        self,
        *,
        organization_id: str,
        destination_id: str,
        name: str | Omit = OMIT,
        version: str | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        members: Sequence[params.MemberPatch] | Omit | None = OMIT,
        secrets: Mapping[str, str | None] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
    ) -> models.EditReport:
        """Change or upgrade a destination (merge patch); `dry_run` previews, `test` tests first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        name: A name for people.
        version: Another release of the same integration, or a range of releases.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        members: Edits of the endpoint's own copies; copies that are not named stay.
        secrets: Secrets by name. They are write-only: no answer has them.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are.
        """
        return await self._call(
            operations.DESTINATIONS_PREVIEW_UPDATE,
            {"organization_id": organization_id, "destination_id": destination_id},
            query={
                "dry_run": True,
            },
            body={
                "name": name,
                "version": version,
                "variables": variables,
                "members": members,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def delete(
        self, *, organization_id: str, destination_id: str, if_match: str | None = None
    ) -> None:
        """Delete a destination that no connection uses, and its secrets; revoke its grant.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.DESTINATIONS_DELETE,
            {"organization_id": organization_id, "destination_id": destination_id},
            headers={"If-Match": if_match},
        )

    async def get_release(self, *, organization_id: str, destination_id: str) -> models.Release:
        """Read the release of a destination, even if its integration is deleted.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        """
        return await self._call(
            operations.DESTINATIONS_GET_RELEASE,
            {"organization_id": organization_id, "destination_id": destination_id},
        )

    async def get_grant(self, *, organization_id: str, destination_id: str) -> models.GrantView:
        """Read what a provider granted to a destination: status, scopes, and expiry, no tokens.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        """
        return await self._call(
            operations.DESTINATIONS_GET_GRANT,
            {"organization_id": organization_id, "destination_id": destination_id},
        )

    async def delete_grant(
        self, *, organization_id: str, destination_id: str
    ) -> models.GrantRemoved:
        """Remove the grant of a destination, and revoke its tokens at the provider.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        """
        return await self._call(
            operations.DESTINATIONS_DELETE_GRANT,
            {"organization_id": organization_id, "destination_id": destination_id},
        )

    async def test(
        self,
        *,
        organization_id: str,
        destination_id: str,
        mode: choices.TestMode | None = None,
        follow: bool | None = None,
        progress: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RecordedTest:
        """Test a destination, now or through the queue (mode=async).

        Permission: `platform.integration.test`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        mode: Whether to wait for the test, or to queue it and read it later.
        follow: Show the steps of a queued test while it runs.
        progress: The id that the caller made up for the test.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.DESTINATIONS_TEST,
            {"organization_id": organization_id, "destination_id": destination_id},
            query={"mode": mode, "follow": follow, "progress": progress},
            headers={"Idempotency-Key": idempotency_key},
        )

    def list_tests(
        self,
        *,
        organization_id: str,
        destination_id: str,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[models.RecordedTest]:
        """List the tests of a destination in the last 90 days, newest first.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.DESTINATIONS_LIST_TESTS,
            {"organization_id": organization_id, "destination_id": destination_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def get_test(
        self, *, organization_id: str, destination_id: str, test_id: str
    ) -> models.RecordedTest:
        """Read a test of a destination; poll this route for a queued test.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        destination_id: The id of the destination.
        test_id: The id of the test.
        """
        return await self._call(
            operations.DESTINATIONS_GET_TEST,
            {
                "organization_id": organization_id,
                "destination_id": destination_id,
                "test_id": test_id,
            },
        )


class AsyncDocumentation(AsyncNamespace):
    """What the deployment says of itself."""

    async def get_openapi_document(self) -> dict[str, Any]:
        """Read the whole API as one OpenAPI 3.1 document.

        Open to everybody.
        """
        return await self._call(operations.DOCUMENTATION_GET_OPENAPI_DOCUMENT, {})

    async def get_guide(self, *, guide: str) -> str:
        """Read a guide, as Markdown.

        Open to everybody.

        guide: The name of the guide.
        """
        return await self._call(operations.DOCUMENTATION_GET_GUIDE, {"guide": guide})


class AsyncEvents(AsyncNamespace):
    """What happened to integrations in a space."""

    async def add(
        self, *, slug: str, events: Sequence[params.EventDraft], idempotency_key: str | None = None
    ) -> models.IngestResult:
        """Record 1 to 100 events of a space; if one is invalid, none is stored.

        Permission: `platform.events.write`. Keys of one space may call it.

        slug: The slug of the space.
        events: The events to record: 1 to 100. If one is invalid, none is stored.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.EVENTS_ADD,
            {"slug": slug},
            headers={"Idempotency-Key": idempotency_key},
            body={"events": events},
        )

    def list(
        self,
        *,
        slug: str,
        limit: int | None = None,
        cursor: str | None = None,
        integration_type: choices.IntegrationType | None = None,
        status: choices.EventStatus | None = None,
        connection_id: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> AsyncPages[models.Event]:
        """List the events of a space, newest first.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        integration_type: Only events of this type.
        status: Only those with this status.
        connection_id: The id of the connection.
        since: Only what happened at this time or later.
        until: Only what happened before this time.
        """
        return self._list(
            operations.EVENTS_LIST,
            {"slug": slug},
            query={
                "limit": limit,
                "cursor": cursor,
                "integration_type": integration_type,
                "status": status,
                "connection_id": connection_id,
                "since": since,
                "until": until,
            },
        )


class AsyncHealth(AsyncNamespace):
    """How reliable a space's integrations are."""

    async def get(
        self,
        *,
        slug: str,
        days: int | None = None,
        exclude_blame: choices.ExcludeBlame | None = None,
        exclude_type: str | None = None,
    ) -> models.HealthSummary:
        """Summarize the health of a space over the last days: exact counts and rates.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        days: How many days the period has.
        exclude_blame: `none` counts platform faults as errors.
        exclude_type: Types that do not count, separated by commas; by default all count.
        """
        return await self._call(
            operations.HEALTH_GET,
            {"slug": slug},
            query={"days": days, "exclude_blame": exclude_blame, "exclude_type": exclude_type},
        )

    async def get_series(
        self,
        *,
        slug: str,
        days: int | None = None,
        exclude_blame: choices.ExcludeBlame | None = None,
        exclude_type: str | None = None,
        interval: choices.SeriesInterval | None = None,
        integration_type: choices.IntegrationType | None = None,
    ) -> models.HealthSeries:
        """Read the health of a space over time: a point for each hour or day, gaps included.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        days: How many days the period has.
        exclude_blame: `none` counts platform faults as errors.
        exclude_type: Types that do not count, separated by commas; by default all count.
        interval: What one point covers.
        integration_type: Only events of this type.
        """
        return await self._call(
            operations.HEALTH_GET_SERIES,
            {"slug": slug},
            query={
                "days": days,
                "exclude_blame": exclude_blame,
                "exclude_type": exclude_type,
                "interval": interval,
                "integration_type": integration_type,
            },
        )

    def list_connections(
        self, *, slug: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.ConnectionHealth]:
        """List the connections of a space, worst first: status, last success, required action.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.HEALTH_LIST_CONNECTIONS,
            {"slug": slug},
            query={"limit": limit, "cursor": cursor},
        )

    def list_spaces(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        days: int | None = None,
        exclude_blame: choices.ExcludeBlame | None = None,
        exclude_type: str | None = None,
    ) -> AsyncPages[models.SpaceHealth]:
        """Compare the spaces of an organization, worst first, with the previous period.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        days: How many days the period has.
        exclude_blame: `none` counts platform faults as errors.
        exclude_type: Types that do not count, separated by commas; by default all count.
        """
        return self._list(
            operations.HEALTH_LIST_SPACES,
            {"organization_id": organization_id},
            query={
                "limit": limit,
                "cursor": cursor,
                "days": days,
                "exclude_blame": exclude_blame,
                "exclude_type": exclude_type,
            },
        )


class AsyncInstall(AsyncNamespace):
    """What an end user does with the token of an install session as the API key."""

    async def get(self) -> models.InstallForm:
        """Read what to ask an end user for: schemas, prefilled and locked values, what is wrong.

        For the token of an install session alone.
        """
        return await self._call(operations.INSTALL_GET, {})

    async def get_authorization(self) -> models.AuthorizationStep:
        """Read whether the account is connected, with which scopes, or why it is not.

        For the token of an install session alone.
        """
        return await self._call(operations.INSTALL_GET_AUTHORIZATION, {})

    async def authorize(
        self, *, variables: Mapping[str, Any] | Omit | None = OMIT
    ) -> models.StartedAuthorization:
        """Begin to connect an account at the provider: where to send the browser, with a cookie.

        For the token of an install session alone.

        variables: What was entered so far.
        """
        return await self._call(operations.INSTALL_AUTHORIZE, {}, body={"variables": variables})

    async def test(
        self,
        *,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        progress: str | Omit | None = OMIT,
    ) -> models.DryRunResult:
        """Test what an end user entered; nothing is stored.

        For the token of an install session alone.

        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        progress: An id of your own, of 16 to 64 letters, digits, `-`, and `_`, such as a
            UUID: the steps can be read by it while the test runs.
        """
        return await self._call(
            operations.INSTALL_TEST,
            {},
            body={
                "variables": variables,
                "secrets": secrets,
                "configurations": configurations,
                "progress": progress,
            },
        )

    async def get_test(self, *, progress: str) -> models.TestProgress:
        """Read the steps so far of a test of this session, by the id that was sent with it.

        For the token of an install session alone.

        progress: The id that the caller made up for the test.
        """
        return await self._call(operations.INSTALL_GET_TEST, {"progress": progress})

    async def complete(
        self,
        *,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        progress: str | Omit | None = OMIT,
        name: str | Omit | None = OMIT,
    ) -> models.InstallCompletion:
        """Connect, or repair, with what an end user entered, and test it; repeating changes
        nothing.

        For the token of an install session alone.

        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        progress: An id of your own, of 16 to 64 letters, digits, `-`, and `_`, such as a
            UUID: the steps can be read by it while the test runs.
        name: Of the connection; by default that of the integration.
        """
        return await self._call(
            operations.INSTALL_COMPLETE,
            {},
            body={
                "variables": variables,
                "secrets": secrets,
                "configurations": configurations,
                "progress": progress,
                "name": name,
            },
        )


class AsyncInstallSessions(AsyncNamespace):
    """Links by which end users connect something."""

    def list(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        status: choices.SessionStatus | None = None,
    ) -> AsyncPages[models.InstallSession]:
        """List the install sessions of the last weeks, newest first, without their tokens.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        status: Only those with this status.
        """
        return self._list(
            operations.INSTALL_SESSIONS_LIST,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor, "status": status},
        )

    async def create(
        self,
        *,
        organization_id: str,
        integration: str,
        version: str | Omit | None = OMIT,
        space: str | Omit | None = OMIT,
        end_user: params.EndUser | models.EndUser | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        locked: Sequence[str] | Omit | None = OMIT,
        monitor: params.Monitor | models.Monitor | Omit | None = OMIT,
        return_url: str | Omit | None = OMIT,
        allowed_origins: Sequence[str] | Omit | None = OMIT,
        connection_id: str | Omit | None = OMIT,
        expires_in_seconds: int | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.IssuedInstallSession:
        """Create a session for an end user; only this answer has its token and its address.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        integration: Publisher/slug of the registry or the catalog.
        version: A release or a range of releases; by default the current one.
        space: Of the new connection; by default the oldest space.
        end_user: Who installs, as the caller knows them; null if the caller does not say.
        external_account_id: The id of the account at the provider, for the caller's own use.
        variables: What the end user starts from.
        locked: JSON Pointers into variables: what the end user can't change.
        monitor: Whether and how often the connection is tested in the background.
        return_url: Where the browser goes at the end: https, or http on loopback.
        allowed_origins: Origins of pages that may embed the wizard: https, or http on
            loopback.
        connection_id: Repair this connection instead of making one.
        expires_in_seconds: How long it can be used. Default: `1800`.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INSTALL_SESSIONS_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "integration": integration,
                "version": version,
                "space": space,
                "end_user": end_user,
                "external_account_id": external_account_id,
                "variables": variables,
                "locked": locked,
                "monitor": monitor,
                "return_url": return_url,
                "allowed_origins": allowed_origins,
                "connection_id": connection_id,
                "expires_in_seconds": expires_in_seconds,
            },
        )

    async def get(self, *, organization_id: str, session_id: str) -> models.InstallSession:
        """Read an install session: its status, and what it made.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        session_id: The id of the install session.
        """
        return await self._call(
            operations.INSTALL_SESSIONS_GET,
            {"organization_id": organization_id, "session_id": session_id},
        )

    async def revoke(
        self, *, organization_id: str, session_id: str, if_match: str | None = None
    ) -> None:
        """Revoke an install session: its token can't be used any more, at once.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        session_id: The id of the install session.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.INSTALL_SESSIONS_REVOKE,
            {"organization_id": organization_id, "session_id": session_id},
            headers={"If-Match": if_match},
        )


class AsyncIntegrationConnections(AsyncNamespace):
    """The five operations of `integrations.connection`."""

    async def create(
        self,
        *,
        tenant_id: str,
        integration_key: str,
        integration_version: int,
        label: str,
        ownership_mode: choices.OwnershipMode,
        secret_provider: choices.SecretProvider,
        secret_ref: str,
        config: Mapping[str, Any],
        external_account_id: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        space: str | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.ConnectionRecord:
        """Create a source and a connection (operation integrations.connection.create).

        Permission: `platform.integration.manage`.

        tenant_id: The id of the organization.
        integration_key: Publisher.slug.
        integration_version: The major version of the release.
        label: A name for people.
        ownership_mode: Whose credentials they are.
        secret_provider: Where the secrets are kept.
        secret_ref: Patchbay://none, patchbay://<id of a source whose stored secrets to copy>,
            or aws://secretsmanager/<region>/<name>.
        config: The variables of the source.
        external_account_id: The id of the account at the provider, for the caller's own use.
        environment: A label of the tenant's own, such as production or sandbox.
        space: An addition; by default the organization's oldest space.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATION_CONNECTIONS_CREATE,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "tenantId": tenant_id,
                "integrationKey": integration_key,
                "integrationVersion": integration_version,
                "label": label,
                "ownershipMode": ownership_mode,
                "externalAccountId": external_account_id,
                "secretProvider": secret_provider,
                "secretRef": secret_ref,
                "environment": environment,
                "config": config,
                "space": space,
            },
        )

    async def update(
        self,
        *,
        connection_id: str,
        label: str | Omit | None = OMIT,
        status: choices.HealthStatus | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        secret_provider: choices.SecretProvider | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        config: Mapping[str, Any] | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.ConnectionRecord:
        """Change a connection and its source (operation integrations.connection.update).

        Permission: `platform.integration.manage`.

        connection_id: The id of the connection.
        label: A name for people.
        status: Connected resumes, disconnected pauses, the others are recorded.
        ownership_mode: Whose credentials they are.
        external_account_id: The id of the account at the provider, for the caller's own use.
        secret_provider: Where the secrets are kept.
        secret_ref: Where the secrets are: `patchbay://<source_id>`, or a secret of AWS
            Secrets Manager.
        config: The variables of the source.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATION_CONNECTIONS_UPDATE,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "connectionId": connection_id,
                "label": label,
                "status": status,
                "ownershipMode": ownership_mode,
                "externalAccountId": external_account_id,
                "secretProvider": secret_provider,
                "secretRef": secret_ref,
                "config": config,
            },
        )

    async def delete(
        self, *, connection_id: str, idempotency_key: str | None = None
    ) -> models.Deleted:
        """Delete a connection and its own source (operation integrations.connection.delete).

        Permission: `platform.integration.manage`.

        connection_id: The id of the connection.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATION_CONNECTIONS_DELETE,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={"connectionId": connection_id},
        )

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        tenant_id: str,
        category: str | None = None,
        status: choices.HealthStatus | None = None,
    ) -> AsyncPages[models.ConnectionRecord]:
        """List the connections of a tenant (operation integrations.connection.list).

        Permission: `platform.integration.read`.

        limit: How many items a page has at most.
        cursor: `nextCursor` of the page before.
        tenant_id: The id of the organization.
        category: Only connections whose source's integration has this category.
        status: Only those with this status.
        """
        return self._list(
            operations.INTEGRATION_CONNECTIONS_LIST,
            {},
            query={
                "limit": limit,
                "cursor": cursor,
                "tenantId": tenant_id,
                "category": category,
                "status": status,
            },
        )

    async def test(
        self, *, connection_id: str, idempotency_key: str | None = None
    ) -> models.TestConnectionOutput:
        """Run the health check of a connection (operation integrations.connection.test).

        Permission: `platform.integration.manage`.

        connection_id: The id of the connection.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATION_CONNECTIONS_TEST,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={"connectionId": connection_id},
        )


class AsyncIntegrations(AsyncNamespace):
    """Definitions of what can be connected, and their releases."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        workspace_id: str | None = None,
        slug: str | None = None,
        publisher: str | None = None,
        visibility: choices.Visibility | None = None,
        q: str | None = None,
        deleted: bool | None = None,
    ) -> AsyncPages[models.Integration]:
        """List the integrations of your organization.

        Permission: `platform.integration.read`.

        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        workspace_id: Only integrations of the space with this id.
        slug: Only the integrations with this slug.
        publisher: Only integrations of this publisher, by its name or its key.
        visibility: Only integrations that this audience sees.
        q: Part of the name, the slug, or the description, in any case.
        deleted: Only integrations that are deleted and can still be restored.
        """
        return self._list(
            operations.INTEGRATIONS_LIST,
            {},
            query={
                "limit": limit,
                "cursor": cursor,
                "workspaceId": workspace_id,
                "slug": slug,
                "publisher": publisher,
                "visibility": visibility,
                "q": q,
                "deleted": deleted,
            },
        )

    async def create(
        self,
        *,
        name: str,
        workspace_id: str,
        publisher: str,
        slug: str,
        description: str | Omit | None = OMIT,
        icon_url: str | Omit | None = OMIT,
        trust_tier: choices.TrustTier | Omit | None = OMIT,
        manifest: Mapping[str, Any] | Omit | None = OMIT,
        variables_schema: Mapping[str, Any] | Omit | None = OMIT,
        auth_config: Mapping[str, Any] | Omit | None = OMIT,
        visibility: choices.Visibility | Omit | None = OMIT,
        retention_tier: choices.RetentionTier | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.Integration:
        """Create an integration as a draft.

        Permission: `platform.integration.manage`.

        name: The name of the integration.
        workspace_id: The id of the space that the integration is built in.
        publisher: Who publishes the integration. Slugs are unique within a publisher.
        slug: The name in paths: lower-case letters, digits, and hyphens.
        description: What the integration is for.
        icon_url: The https address of an icon.
        trust_tier: How far the operator vouches for the publisher. Default: `"community"`.
        manifest: How to test the integration, and what it offers. Publishing takes a snapshot
            of it.
        variables_schema: The JSON Schema of the variables that an endpoint needs. Secrets
            have no place in it.
        auth_config: How to authenticate: the credential and where it goes, and how OAuth
            tokens are issued and renewed. The guide auth-config has every member.
        visibility: Who can see the integration. Default: `"private"`.
        retention_tier: How long it can be restored after it was deleted: none, 7 (short), 30
            (medium), or 365 days (long). Null means medium.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATIONS_CREATE,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "name": name,
                "description": description,
                "iconUrl": icon_url,
                "trustTier": trust_tier,
                "manifest": manifest,
                "variablesSchema": variables_schema,
                "authConfig": auth_config,
                "visibility": visibility,
                "retentionTier": retention_tier,
                "workspaceId": workspace_id,
                "publisher": publisher,
                "slug": slug,
            },
        )

    async def get(self, *, integration_id: str) -> models.Integration:
        """Read an integration.

        Permission: `platform.integration.read`.

        integration_id: The id of the integration.
        """
        return await self._call(operations.INTEGRATIONS_GET, {"integration_id": integration_id})

    async def update(
        self,
        *,
        integration_id: str,
        name: str | Omit = OMIT,
        description: str | Omit | None = OMIT,
        icon_url: str | Omit | None = OMIT,
        trust_tier: choices.TrustTier | Omit | None = OMIT,
        manifest: Mapping[str, Any] | Omit | None = OMIT,
        variables_schema: Mapping[str, Any] | Omit | None = OMIT,
        auth_config: Mapping[str, Any] | Omit | None = OMIT,
        visibility: choices.Visibility | Omit | None = OMIT,
        retention_tier: choices.RetentionTier | Omit | None = OMIT,
        if_match: str | None = None,
    ) -> models.Integration:
        """Change an integration's draft (JSON merge patch).

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        name: The name of the integration.
        description: What the integration is for.
        icon_url: The https address of an icon.
        trust_tier: How far the operator vouches for the publisher.
        manifest: How to test the integration, and what it offers. Publishing takes a snapshot
            of it.
        variables_schema: The JSON Schema of the variables that an endpoint needs. Secrets
            have no place in it.
        auth_config: How to authenticate: the credential and where it goes, and how OAuth
            tokens are issued and renewed. The guide auth-config has every member.
        visibility: Who can see the integration.
        retention_tier: How long it can be restored after it was deleted: none, 7 (short), 30
            (medium), or 365 days (long). Null means medium.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.INTEGRATIONS_UPDATE,
            {"integration_id": integration_id},
            headers={"If-Match": if_match},
            body={
                "name": name,
                "description": description,
                "iconUrl": icon_url,
                "trustTier": trust_tier,
                "manifest": manifest,
                "variablesSchema": variables_schema,
                "authConfig": auth_config,
                "visibility": visibility,
                "retentionTier": retention_tier,
            },
        )

    async def delete(self, *, integration_id: str, if_match: str | None = None) -> None:
        """Delete an integration until it is purged; endpoints keep its releases.

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.INTEGRATIONS_DELETE,
            {"integration_id": integration_id},
            headers={"If-Match": if_match},
        )

    async def publish(
        self,
        *,
        integration_id: str,
        version: str,
        changelog: str | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.Release:
        """Publish the draft as an immutable release; `dry_run` reports what prevents it.

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        version: The semantic version of the release.
        changelog: What is new for those who upgrade; null if the author does not say.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATIONS_PUBLISH,
            {"integration_id": integration_id},
            headers={"Idempotency-Key": idempotency_key},
            body={"version": version, "changelog": changelog},
        )

    async def preview_publish(
        self,
        *,
        integration_id: str,
        version: str,
        changelog: str | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.PublishReport:
        """Publish the draft as an immutable release; `dry_run` reports what prevents it.

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        version: The semantic version of the release.
        changelog: What is new for those who upgrade; null if the author does not say.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.INTEGRATIONS_PREVIEW_PUBLISH,
            {"integration_id": integration_id},
            query={
                "dry_run": True,
            },
            headers={"Idempotency-Key": idempotency_key},
            body={"version": version, "changelog": changelog},
        )

    async def restore(self, *, integration_id: str) -> models.Integration:
        """Restore a deleted integration that has not been purged.

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        """
        return await self._call(operations.INTEGRATIONS_RESTORE, {"integration_id": integration_id})

    def list_releases(
        self, *, integration_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.ReleaseSummary]:
        """List the releases of an integration, highest version first.

        Permission: `platform.integration.read`.

        integration_id: The id of the integration.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.INTEGRATIONS_LIST_RELEASES,
            {"integration_id": integration_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def get_release(self, *, integration_id: str, version: str) -> models.Release:
        """Read a release.

        Permission: `platform.integration.read`.

        integration_id: The id of the integration.
        version: The semantic version of the release.
        """
        return await self._call(
            operations.INTEGRATIONS_GET_RELEASE,
            {"integration_id": integration_id, "version": version},
        )

    async def update_release(
        self,
        *,
        integration_id: str,
        version: str,
        changelog: str | Omit | None = OMIT,
        deprecated: str | Omit | None = OMIT,
        yanked: str | Omit | None = OMIT,
        if_match: str | None = None,
    ) -> models.Release:
        """Deprecate or yank a release, or change its changelog (JSON merge patch).

        Permission: `platform.integration.manage`.

        integration_id: The id of the integration.
        version: The semantic version of the release.
        changelog: What is new for those who upgrade; null if the author does not say.
        deprecated: Why this release should not be used any more, though it still can be; null
            if it should.
        yanked: Why nothing new can be made of this release; null if it can. What has it keeps
            it.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.INTEGRATIONS_UPDATE_RELEASE,
            {"integration_id": integration_id, "version": version},
            headers={"If-Match": if_match},
            body={"changelog": changelog, "deprecated": deprecated, "yanked": yanked},
        )


class AsyncKnowledgeConnectors(AsyncNamespace):
    """Tests of what is not stored yet."""

    async def test_connection(
        self,
        *,
        organization_id: str,
        source_id: str,
        destination_id: str | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        progress: str | Omit | None = OMIT,
    ) -> models.DryRunResult:
        """Test whether a source, and a destination, can connect; nothing is stored.

        Permission: `platform.integration.test`.

        organization_id: The id of the organization.
        source_id: The id of a source.
        destination_id: The id of a destination.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        progress: An id of your own, of 16 to 64 letters, digits, `-`, and `_`, such as a
            UUID: the steps can be read by it while the test runs.
        """
        return await self._call(
            operations.KNOWLEDGE_CONNECTORS_TEST_CONNECTION,
            {"organization_id": organization_id},
            body={
                "source_id": source_id,
                "destination_id": destination_id,
                "configurations": configurations,
                "progress": progress,
            },
        )

    async def test_source(
        self,
        *,
        organization_id: str,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        integration: str | Omit | None = OMIT,
        integration_id: str | Omit | None = OMIT,
        version: str | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        progress: str | Omit | None = OMIT,
    ) -> models.DryRunResult:
        """Test a source that is not stored, of a release or of a draft.

        Permission: `platform.integration.test`.

        organization_id: The id of the organization.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        integration: Publisher/slug of the registry or the catalog.
        integration_id: Instead of integration: one of your own, as its draft is now.
        version: A release or a range of releases; by default the current one.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        progress: An id of your own, of 16 to 64 letters, digits, `-`, and `_`, such as a
            UUID: the steps can be read by it while the test runs.
        """
        return await self._call(
            operations.KNOWLEDGE_CONNECTORS_TEST_SOURCE,
            {"organization_id": organization_id},
            body={
                "variables": variables,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "integration": integration,
                "integration_id": integration_id,
                "version": version,
                "configurations": configurations,
                "progress": progress,
            },
        )

    async def test_destination(
        self,
        *,
        organization_id: str,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        integration: str | Omit | None = OMIT,
        integration_id: str | Omit | None = OMIT,
        version: str | Omit | None = OMIT,
        configurations: Mapping[str, Any] | Omit | None = OMIT,
        progress: str | Omit | None = OMIT,
    ) -> models.DryRunResult:
        """Test a destination that is not stored, of a release or of a draft.

        Permission: `platform.integration.test`.

        organization_id: The id of the organization.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        integration: Publisher/slug of the registry or the catalog.
        integration_id: Instead of integration: one of your own, as its draft is now.
        version: A release or a range of releases; by default the current one.
        configurations: Settings of the connection, as `configurationSchema` of the releases
            wants them.
        progress: An id of your own, of 16 to 64 letters, digits, `-`, and `_`, such as a
            UUID: the steps can be read by it while the test runs.
        """
        return await self._call(
            operations.KNOWLEDGE_CONNECTORS_TEST_DESTINATION,
            {"organization_id": organization_id},
            body={
                "variables": variables,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "integration": integration,
                "integration_id": integration_id,
                "version": version,
                "configurations": configurations,
                "progress": progress,
            },
        )

    async def get_test_progress(
        self, *, organization_id: str, progress: str
    ) -> models.TestProgress:
        """Read the steps so far of a test that you wait for, by the id that you sent with it.

        Permission: `platform.integration.test`. Keys of one space may call it.

        organization_id: The id of the organization.
        progress: The id that the caller made up for the test.
        """
        return await self._call(
            operations.KNOWLEDGE_CONNECTORS_GET_TEST_PROGRESS,
            {"organization_id": organization_id, "progress": progress},
        )


class AsyncOauthApplications(AsyncNamespace):
    """Your applications at providers, for OAuth 2.0."""

    def list(
        self, *, organization_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.OAuthApplication]:
        """List the OAuth applications of an organization.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.OAUTH_APPLICATIONS_LIST,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def create(
        self,
        *,
        organization_id: str,
        integration: str,
        client_id: str,
        client_secret: str | Omit | None = OMIT,
        private_key: str | Omit | None = OMIT,
        scopes: Sequence[str] | Omit | None = OMIT,
        shared: bool | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.OAuthApplication:
        """Enter the OAuth application of an integration; its secrets are never shown.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        integration: Publisher/slug of the registry or the catalog.
        client_id: The id that the provider gave the client.
        client_secret: Write-only.
        private_key: Write-only: of a client that signs (private_key_jwt), in PEM.
        scopes: What is asked for in place of the scopes of the integration.
        shared: Use it for every organization that has none of its own; only the owner of the
            integration may share one. Default: `false`.
        variables: The values of variables that decide which host the client secret is sent
            to, where the author leaves that open: the application is used for these values
            only.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.OAUTH_APPLICATIONS_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "integration": integration,
                "client_id": client_id,
                "client_secret": client_secret,
                "private_key": private_key,
                "scopes": scopes,
                "shared": shared,
                "variables": variables,
            },
        )

    async def get(self, *, organization_id: str, application_id: str) -> models.OAuthApplication:
        """Read an OAuth application, with the redirect URI to enter at the provider.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        application_id: The id of the OAuth application.
        """
        return await self._call(
            operations.OAUTH_APPLICATIONS_GET,
            {"organization_id": organization_id, "application_id": application_id},
        )

    async def update(
        self,
        *,
        organization_id: str,
        application_id: str,
        client_id: str | Omit = OMIT,
        client_secret: str | Omit | None = OMIT,
        private_key: str | Omit | None = OMIT,
        scopes: Sequence[str] | Omit | None = OMIT,
        shared: bool | Omit = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        if_match: str | None = None,
    ) -> models.OAuthApplication:
        """Change an OAuth application (JSON merge patch), or rotate its secret.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        application_id: The id of the OAuth application.
        client_id: The id that the provider gave the client.
        client_secret: Write-only.
        private_key: Write-only.
        scopes: What is asked for in place of the scopes of the integration.
        shared: Use it for every organization that has none of its own; only the owner of the
            integration may share one.
        variables: The values of variables that decide which host the client secret is sent
            to, where the author leaves that open: the application is used for these values
            only.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.OAUTH_APPLICATIONS_UPDATE,
            {"organization_id": organization_id, "application_id": application_id},
            headers={"If-Match": if_match},
            body={
                "client_id": client_id,
                "client_secret": client_secret,
                "private_key": private_key,
                "scopes": scopes,
                "shared": shared,
                "variables": variables,
            },
        )

    async def delete(
        self, *, organization_id: str, application_id: str, if_match: str | None = None
    ) -> None:
        """Delete an OAuth application that no grant needs.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        application_id: The id of the OAuth application.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.OAUTH_APPLICATIONS_DELETE,
            {"organization_id": organization_id, "application_id": application_id},
            headers={"If-Match": if_match},
        )


class AsyncOrganizations(AsyncNamespace):
    """Tenants, which own everything else."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        external_id: str | None = None,
        q: str | None = None,
    ) -> AsyncPages[models.Organization]:
        """List the organizations of the deployment, or find one by its external id.

        Permission: `platform.admin`.

        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        external_id: Only the organization with this id in your own system, exactly.
        q: Part of the name, in any case.
        """
        return self._list(
            operations.ORGANIZATIONS_LIST,
            {},
            query={"limit": limit, "cursor": cursor, "external_id": external_id, "q": q},
        )

    async def create(
        self,
        *,
        name: str,
        external_id: str | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.Organization:
        """Create an organization.

        Permission: `platform.admin`.

        name: The name of the organization.
        external_id: The id of the customer in your own system, unique in the deployment; null
            if there is none.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.ORGANIZATIONS_CREATE,
            {},
            headers={"Idempotency-Key": idempotency_key},
            body={"name": name, "external_id": external_id},
        )

    async def get(self, *, organization_id: str) -> models.Organization:
        """Read an organization.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        """
        return await self._call(operations.ORGANIZATIONS_GET, {"organization_id": organization_id})

    async def update(
        self,
        *,
        organization_id: str,
        name: str | Omit = OMIT,
        external_id: str | Omit | None = OMIT,
        paused: bool | Omit = OMIT,
        if_match: str | None = None,
    ) -> models.Organization:
        """Change an organization, or pause all its monitors (JSON merge patch).

        Permission: `platform.admin`.

        organization_id: The id of the organization.
        name: The name of the organization.
        external_id: The id of the customer in your own system, unique in the deployment; null
            if there is none.
        paused: Whether all its monitors are paused.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.ORGANIZATIONS_UPDATE,
            {"organization_id": organization_id},
            headers={"If-Match": if_match},
            body={"name": name, "external_id": external_id, "paused": paused},
        )

    async def erase(
        self, *, organization_id: str, confirm: str, if_match: str | None = None
    ) -> models.Erasure:
        """Close an organization, and erase it with everything that it has.

        Permission: `platform.admin`.

        organization_id: The id of the organization.
        confirm: The id of the organization again.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.ORGANIZATIONS_ERASE,
            {"organization_id": organization_id},
            query={"confirm": confirm},
            headers={"If-Match": if_match},
        )

    async def get_erasure(self, *, organization_id: str) -> models.Erasure:
        """Read how far the erasure of an organization is, and what it leaves.

        Permission: `platform.admin`.

        organization_id: The id of the organization.
        """
        return await self._call(
            operations.ORGANIZATIONS_GET_ERASURE, {"organization_id": organization_id}
        )

    def export(
        self, *, organization_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.ExportedThing]:
        """List everything that an organization has, without secrets.

        Permission: `platform.admin`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.ORGANIZATIONS_EXPORT,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor},
        )

    def list_quotas(self, *, organization_id: str) -> AsyncPages[models.OrganizationQuota]:
        """List how many things of each kind an organization may have, and how many it has.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        """
        return self._list(
            operations.ORGANIZATIONS_LIST_QUOTAS, {"organization_id": organization_id}
        )


class AsyncSignInLinks(AsyncNamespace):
    """Links that sign a person in to the dashboard."""

    async def create(
        self,
        *,
        organization_id: str,
        permissions: Sequence[choices.Permission] | Omit | None = OMIT,
        space: str | Omit | None = OMIT,
        expires_in_seconds: int | Omit | None = OMIT,
        idempotency_key: str | None = None,
    ) -> models.IssuedSignInLink:
        """Create a link that signs a browser in to the dashboard, once; only this answer has it.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        permissions: What the person may do; to read, if it is left out. Default:
            `["platform.integration.read"]`.
        space: The slug of the only space that the person may act in; the whole organization
            if it is left out.
        expires_in_seconds: Seconds until the link stops working. Default: `300`.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.SIGN_IN_LINKS_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "permissions": permissions,
                "space": space,
                "expires_in_seconds": expires_in_seconds,
            },
        )


class AsyncSources(AsyncNamespace):
    """Accounts that data comes from."""

    def list(
        self,
        *,
        organization_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        integration: str | None = None,
        version: str | None = None,
        environment: str | None = None,
        external_account_id: str | None = None,
        q: str | None = None,
    ) -> AsyncPages[models.Endpoint]:
        """List the sources of an organization, by release, environment, account, or name.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        integration: Only those of this integration, as publisher/slug.
        version: Only those of this release, or of this range of releases.
        environment: Only those with this label, exactly.
        external_account_id: Only those of this account at the provider, exactly.
        q: Part of the name, in any case.
        """
        return self._list(
            operations.SOURCES_LIST,
            {"organization_id": organization_id},
            query={
                "limit": limit,
                "cursor": cursor,
                "integration": integration,
                "version": version,
                "environment": environment,
                "external_account_id": external_account_id,
                "q": q,
            },
        )

    async def create(
        self,
        *,
        organization_id: str,
        name: str,
        integration: str,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        secrets: Mapping[str, str] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        version: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
        test: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.Endpoint | models.TestedEndpoint:
        """Create a source from a release, with variables and secrets; `test` tests it first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        name: A name for people.
        integration: Publisher/slug of the registry or the catalog.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        secrets: Write-only.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        version: A version or a range of npm, such as ^1.2.0, 1.x, or ^1 || ^2; by default the
            current release.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are. Default: `"managed"`.
        test: Store the endpoint only if a test of it passes.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.SOURCES_CREATE,
            {"organization_id": organization_id},
            query={"test": test},
            headers={"Idempotency-Key": idempotency_key},
            body={
                "variables": variables,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "name": name,
                "integration": integration,
                "version": version,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def get(self, *, organization_id: str, source_id: str) -> models.Endpoint:
        """Read a source; its secrets are shown by name only.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        """
        return await self._call(
            operations.SOURCES_GET, {"organization_id": organization_id, "source_id": source_id}
        )

    async def update(
        self,
        *,
        organization_id: str,
        source_id: str,
        name: str | Omit = OMIT,
        version: str | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        members: Sequence[params.MemberPatch] | Omit | None = OMIT,
        secrets: Mapping[str, str | None] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
        test: bool | None = None,
        if_match: str | None = None,
    ) -> models.Endpoint | models.TestedEndpoint:
        """Change or upgrade a source (merge patch); `dry_run` previews, `test` tests first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        name: A name for people.
        version: Another release of the same integration, or a range of releases.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        members: Edits of the endpoint's own copies; copies that are not named stay.
        secrets: Secrets by name. They are write-only: no answer has them.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are.
        test: Store the edit only if a test of it passes.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.SOURCES_UPDATE,
            {"organization_id": organization_id, "source_id": source_id},
            query={"test": test},
            headers={"If-Match": if_match},
            body={
                "name": name,
                "version": version,
                "variables": variables,
                "members": members,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def preview_update(
        self,
        *,
        organization_id: str,
        source_id: str,
        name: str | Omit = OMIT,
        version: str | Omit | None = OMIT,
        variables: Mapping[str, Any] | Omit | None = OMIT,
        members: Sequence[params.MemberPatch] | Omit | None = OMIT,
        secrets: Mapping[str, str | None] | Omit | None = OMIT,
        secret_ref: str | Omit | None = OMIT,
        environment: str | Omit | None = OMIT,
        external_account_id: str | Omit | None = OMIT,
        ownership_mode: choices.OwnershipMode | Omit | None = OMIT,
    ) -> models.EditReport:
        """Change or upgrade a source (merge patch); `dry_run` previews, `test` tests first.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        name: A name for people.
        version: Another release of the same integration, or a range of releases.
        variables: What is not secret, as `variablesSchema` of the release wants it.
        members: Edits of the endpoint's own copies; copies that are not named stay.
        secrets: Secrets by name. They are write-only: no answer has them.
        secret_ref: Instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS
            Secrets Manager under patchbay/<organization_id>/ whose value is a JSON object of
            secret names and strings.
        environment: A label of the tenant's own, such as production or sandbox.
        external_account_id: The id of the account at the provider, for the caller's own use.
        ownership_mode: Whose credentials they are.
        """
        return await self._call(
            operations.SOURCES_PREVIEW_UPDATE,
            {"organization_id": organization_id, "source_id": source_id},
            query={
                "dry_run": True,
            },
            body={
                "name": name,
                "version": version,
                "variables": variables,
                "members": members,
                "secrets": secrets,
                "secret_ref": secret_ref,
                "environment": environment,
                "external_account_id": external_account_id,
                "ownership_mode": ownership_mode,
            },
        )

    async def delete(
        self, *, organization_id: str, source_id: str, if_match: str | None = None
    ) -> None:
        """Delete a source that no connection uses, and its secrets; revoke its grant.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.SOURCES_DELETE,
            {"organization_id": organization_id, "source_id": source_id},
            headers={"If-Match": if_match},
        )

    async def get_release(self, *, organization_id: str, source_id: str) -> models.Release:
        """Read the release of a source, even if its integration is deleted.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        """
        return await self._call(
            operations.SOURCES_GET_RELEASE,
            {"organization_id": organization_id, "source_id": source_id},
        )

    async def get_grant(self, *, organization_id: str, source_id: str) -> models.GrantView:
        """Read what a provider granted to a source: status, scopes, and expiry, no tokens.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        """
        return await self._call(
            operations.SOURCES_GET_GRANT,
            {"organization_id": organization_id, "source_id": source_id},
        )

    async def delete_grant(self, *, organization_id: str, source_id: str) -> models.GrantRemoved:
        """Remove the grant of a source, and revoke its tokens at the provider.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        """
        return await self._call(
            operations.SOURCES_DELETE_GRANT,
            {"organization_id": organization_id, "source_id": source_id},
        )

    async def test(
        self,
        *,
        organization_id: str,
        source_id: str,
        mode: choices.TestMode | None = None,
        follow: bool | None = None,
        progress: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RecordedTest:
        """Test a source, now or through the queue (mode=async).

        Permission: `platform.integration.test`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        mode: Whether to wait for the test, or to queue it and read it later.
        follow: Show the steps of a queued test while it runs.
        progress: The id that the caller made up for the test.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.SOURCES_TEST,
            {"organization_id": organization_id, "source_id": source_id},
            query={"mode": mode, "follow": follow, "progress": progress},
            headers={"Idempotency-Key": idempotency_key},
        )

    def list_tests(
        self,
        *,
        organization_id: str,
        source_id: str,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[models.RecordedTest]:
        """List the tests of a source in the last 90 days, newest first.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.SOURCES_LIST_TESTS,
            {"organization_id": organization_id, "source_id": source_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def get_test(
        self, *, organization_id: str, source_id: str, test_id: str
    ) -> models.RecordedTest:
        """Read a test of a source; poll this route for a queued test.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        source_id: The id of the source.
        test_id: The id of the test.
        """
        return await self._call(
            operations.SOURCES_GET_TEST,
            {"organization_id": organization_id, "source_id": source_id, "test_id": test_id},
        )


class AsyncSpaces(AsyncNamespace):
    """Parts of an organization, such as an environment."""

    def list(
        self, *, organization_id: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.Space]:
        """List the spaces of an organization.

        Permission: `platform.integration.read`.

        organization_id: The id of the organization.
        limit: How many items a page has at most.
        cursor: `next_cursor` of the page before.
        """
        return self._list(
            operations.SPACES_LIST,
            {"organization_id": organization_id},
            query={"limit": limit, "cursor": cursor},
        )

    async def create(
        self, *, organization_id: str, slug: str, name: str, idempotency_key: str | None = None
    ) -> models.Space:
        """Create a space.

        Permission: `platform.integration.manage`.

        organization_id: The id of the organization.
        slug: The name in paths, unique in the deployment.
        name: The name of the space.
        idempotency_key: The same request sent again within 24 hours gets the first answer
            again.
        """
        return await self._call(
            operations.SPACES_CREATE,
            {"organization_id": organization_id},
            headers={"Idempotency-Key": idempotency_key},
            body={"slug": slug, "name": name},
        )

    async def get(self, *, slug: str) -> models.Space:
        """Read a space.

        Permission: `platform.integration.read`. Keys of one space may call it.

        slug: The slug of the space.
        """
        return await self._call(operations.SPACES_GET, {"slug": slug})

    async def update(
        self,
        *,
        slug: str,
        name: str | Omit = OMIT,
        paused: bool | Omit = OMIT,
        record_deliveries: bool | Omit = OMIT,
        status_page: params.StatusPagePatch | Omit = OMIT,
        if_match: str | None = None,
    ) -> models.Space:
        """Change a space (JSON merge patch), or make a status page of it.

        Permission: `platform.integration.manage`. Keys of one space may call it.

        slug: The slug of the space.
        name: The name of the space.
        paused: Whether all its monitors are paused.
        record_deliveries: Whether deliveries of the space's alerts are events of it: those of
            webhooks of the type webhook, others of the type alert. They count like all
            events. Off by default.
        status_page: The public page of the space: whether there is one, and what it shows.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.SPACES_UPDATE,
            {"slug": slug},
            headers={"If-Match": if_match},
            body={
                "name": name,
                "paused": paused,
                "record_deliveries": record_deliveries,
                "status_page": status_page,
            },
        )

    async def delete(self, *, slug: str, if_match: str | None = None) -> None:
        """Delete an empty space, and revoke the keys that are for it alone.

        Permission: `platform.integration.manage`.

        slug: The slug of the space.
        if_match: The ETag that was read: the request is refused with 412 if the entity has
            changed since.
        """
        return await self._call(
            operations.SPACES_DELETE, {"slug": slug}, headers={"If-Match": if_match}
        )


class AsyncStatusPages(AsyncNamespace):
    """What everybody with its link may see of a space."""

    async def get(self, *, token: str) -> models.StatusReport:
        """Read a status page: how a space is doing, and how it did on each of the last 90 days.

        Open to everybody.

        token: What the address of a status page ends with.
        """
        return await self._call(operations.STATUS_PAGES_GET, {"token": token})

    async def get_badge(
        self,
        *,
        token: str,
        badge: str,
        days: Literal["7", "30", "90"] | None = None,
        named: Literal["true", "false"] | None = None,
    ) -> str:
        """Read a badge of a status page: `uptime.svg`, `health.svg`, or `response.svg`.

        Open to everybody.

        token: What the address of a status page ends with.
        badge: The badge: `uptime.svg`, `health.svg`, or `response.svg`.
        days: Of how many days, today included. `health.svg` is about now, whatever this is.
        named: `true` for the name of the page before the label.
        """
        return await self._call(
            operations.STATUS_PAGES_GET_BADGE,
            {"token": token, "badge": badge},
            query={"days": days, "named": named},
        )


class AsyncResources:
    """The namespaces of a client."""

    def __init__(self, client: AsyncExchange) -> None:
        self.alert_rules = AsyncAlertRules(client)
        self.alerts = AsyncAlerts(client)
        self.api_keys = AsyncApiKeys(client)
        self.audit_events = AsyncAuditEvents(client)
        self.browser_sessions = AsyncBrowserSessions(client)
        self.catalog = AsyncCatalog(client)
        self.connections = AsyncConnections(client)
        self.data_keys = AsyncDataKeys(client)
        self.destinations = AsyncDestinations(client)
        self.documentation = AsyncDocumentation(client)
        self.events = AsyncEvents(client)
        self.health = AsyncHealth(client)
        self.install = AsyncInstall(client)
        self.install_sessions = AsyncInstallSessions(client)
        self.integration_connections = AsyncIntegrationConnections(client)
        self.integrations = AsyncIntegrations(client)
        self.knowledge_connectors = AsyncKnowledgeConnectors(client)
        self.oauth_applications = AsyncOauthApplications(client)
        self.organizations = AsyncOrganizations(client)
        self.sign_in_links = AsyncSignInLinks(client)
        self.sources = AsyncSources(client)
        self.spaces = AsyncSpaces(client)
        self.status_pages = AsyncStatusPages(client)
        self.proxy = AsyncProxy(client)
