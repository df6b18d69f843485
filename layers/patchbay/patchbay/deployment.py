"""The one place that wires: every store and use case of a deployment, from its settings.

Each is a property. It is built, and its module imported, when it is first used, so a function pays
only for what it needs (ADR 29). Tests and benches replace a part by setting its property before it
is used. There is no lock: a Lambda process serves one request at a time, and threads that race
build the same thing twice.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from patchbay.platform.clock import utc_now
from patchbay.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from patchbay.alerts.backtest import Backtester
    from patchbay.alerts.channel_sender import ChannelSender
    from patchbay.alerts.evaluation_queue import EvaluationQueue
    from patchbay.alerts.evaluator import Evaluator
    from patchbay.alerts.notifier import Notifier
    from patchbay.alerts.outbox import Outbox
    from patchbay.alerts.queue import NotificationQueue
    from patchbay.alerts.redelivery import Redelivery
    from patchbay.alerts.rule_editor import RuleEditor
    from patchbay.alerts.rule_store import RuleStore
    from patchbay.alerts.store import AlertStore
    from patchbay.alerts.wakes import RuleWaker
    from patchbay.alerts.watched_spaces import WatchedSpaces
    from patchbay.alerts.webhook_secrets import WebhookVault
    from patchbay.connection_tests.endpoint_dry_runs import EndpointDryRuns
    from patchbay.connection_tests.history import TestHistory
    from patchbay.connection_tests.monitored_tests import MonitoredTests
    from patchbay.connection_tests.on_demand import OnDemandTests
    from patchbay.connection_tests.progress import ProgressStore
    from patchbay.connection_tests.queued_test_runner import QueuedTestRunner
    from patchbay.connection_tests.reader import TestReader
    from patchbay.connection_tests.recorder import TestRecorder
    from patchbay.connection_tests.subjects import TestSubjects
    from patchbay.connection_tests.tested_edits import TestedEdits
    from patchbay.connection_tests.tester import Tester
    from patchbay.connections.caught_up_health import CaughtUpHealth
    from patchbay.connections.connection_editor import ConnectionEditor
    from patchbay.connections.connection_lists import ConnectionLists
    from patchbay.connections.connection_store import ConnectionStore
    from patchbay.connections.connection_summaries import ConnectionSummaries
    from patchbay.connections.endpoint_creator import EndpointCreator
    from patchbay.connections.endpoint_editor import EndpointEditor
    from patchbay.connections.endpoint_store import EndpointStore
    from patchbay.connections.health_recorder import HealthRecorder
    from patchbay.connections.health_state import AutoDisable
    from patchbay.connections.operations import ConnectionOperations
    from patchbay.connections.plan_moves import PlanMoves
    from patchbay.connections.plan_store import PlanStore
    from patchbay.connections.planner import Planner
    from patchbay.connections.record_store import RecordStore
    from patchbay.connections.shown_connections import ShownConnections
    from patchbay.connections.usage_store import UsageStore
    from patchbay.connections.vault import Vault
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.policy import EgressPolicy
    from patchbay.erasure.closing import OrganizationCloser
    from patchbay.erasure.eraser import Eraser
    from patchbay.erasure.export import OrganizationExport
    from patchbay.erasure.store import ErasureStore
    from patchbay.grants.application_store import ApplicationStore
    from patchbay.grants.applications import OAuthApplications
    from patchbay.grants.code_flow import CodeFlow
    from patchbay.grants.credential_reader import CredentialReader
    from patchbay.grants.credential_uses import CredentialUses
    from patchbay.grants.grant_desk import GrantDesk
    from patchbay.grants.grant_revoker import GrantRevoker
    from patchbay.grants.grant_store import GrantStore
    from patchbay.grants.grant_wheel import GrantWheel
    from patchbay.grants.grants import Grants
    from patchbay.grants.opened_endpoint import EndpointOpener
    from patchbay.grants.provider_proxy import ProviderProxy
    from patchbay.health.bus_intake import BusIntake
    from patchbay.health.connection_overview import ConnectionOverview
    from patchbay.health.folding import CountFolder
    from patchbay.health.organization_overview import OrganizationOverview
    from patchbay.health.reader import HealthReader
    from patchbay.health.store import EventStore
    from patchbay.health.usage_events import UsageEvents
    from patchbay.installs.framing import Framing
    from patchbay.installs.session_creator import InstallSessionCreator
    from patchbay.installs.session_store import InstallSessionStore
    from patchbay.installs.session_subject import SessionSubjects
    from patchbay.installs.wizard import InstallWizard
    from patchbay.monitors.announcer import Announcer
    from patchbay.monitors.canary import OwnNetwork
    from patchbay.monitors.dispatcher import Dispatcher
    from patchbay.monitors.pause_survey import PauseSurvey
    from patchbay.monitors.plan_reader import PlanReader
    from patchbay.monitors.store import MonitorStore
    from patchbay.monitors.sweep_queue import SweepQueue
    from patchbay.monitors.sweeper import Sweeper
    from patchbay.oidc.identity_provider import IdentityProvider
    from patchbay.oidc.sign_in_flow import SignInFlow
    from patchbay.platform.audit import AuditTrail
    from patchbay.platform.clock import Clock
    from patchbay.platform.cursor import CursorSeal
    from patchbay.platform.dynamodb import ReadAhead, Table
    from patchbay.platform.idempotency import Idempotency
    from patchbay.platform.limits import Limit, Limiter
    from patchbay.platform.lists import Lists
    from patchbay.registry.authoring import IntegrationAuthoring
    from patchbay.registry.store import RegistryStore
    from patchbay.runs.folding import DayCloser
    from patchbay.runs.reader import RunReader
    from patchbay.runs.store import RunStore
    from patchbay.status_pages.reader import StatusPageReader
    from patchbay.tenancy.access import Anyone, Permission, Principal, SessionCaller
    from patchbay.tenancy.api_key_store import ApiKeyStore
    from patchbay.tenancy.authentication import Authenticator
    from patchbay.tenancy.browser_sessions import BrowserSessions
    from patchbay.tenancy.callers import CallerView
    from patchbay.tenancy.model import Space
    from patchbay.tenancy.quotas import Quotas
    from patchbay.tenancy.sign_in import SignIn
    from patchbay.tenancy.sign_in_links import SignInLinks
    from patchbay.tenancy.status_links import StatusLinks
    from patchbay.tenancy.store import TenancyStore


class Deployment:
    """The stores and use cases of one function.

    `at_start` names what every request needs. In Lambda it is built while the function initializes,
    on a whole CPU; elsewhere, like everything else, when it is first used. A property raises
    `SettingError` if the environment lacks a variable that it needs.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        clock: Clock = utc_now,
        at_start: tuple[str, ...] = (),
    ) -> None:
        self.settings = Settings(environ)
        self.clock = clock
        if "AWS_LAMBDA_FUNCTION_NAME" in environ:
            for name in at_start:
                getattr(self, name)

    # ---------------------------------------------------------------- platform

    @cached_property
    def integrations(self) -> Table:
        from patchbay.platform.dynamodb import Table

        return Table(self.settings.integrations_table)

    @cached_property
    def events(self) -> Table:
        from patchbay.platform.dynamodb import Table

        return Table(self.settings.events_table)

    @cached_property
    def cursor_seal(self) -> CursorSeal:
        from patchbay.platform.cursor import CursorSeal

        return CursorSeal(self.integrations)

    @cached_property
    def lists(self) -> Lists:
        from patchbay.platform.lists import Lists

        return Lists(self.integrations, self.cursor_seal)

    @cached_property
    def idempotency(self) -> Idempotency:
        from patchbay.platform.idempotency import Idempotency

        return Idempotency(self.integrations)

    @cached_property
    def audit_trail(self) -> AuditTrail:
        from patchbay.platform.audit import AuditTrail

        return AuditTrail(self.integrations)

    def public_url(self, domain_name: str) -> str:
        """The origin that browsers reach the API at; `domain_name` is the API's host name that a
        request was called by."""
        return self.settings.public_url or f"https://{domain_name}"

    def redirect_uri(self, domain_name: str) -> str:
        """The one redirect URI of all OAuth applications, as providers have to know it."""
        return f"{self.public_url(domain_name)}/oauth/callback"

    @cached_property
    def brand_meta(self) -> dict[str, str]:
        """What the pages show of the operator: see `Branding.meta`."""
        from patchbay.platform.branding import Branding

        settings = self.settings
        return Branding.read(
            settings.brand_name, settings.brand_logo_url, settings.brand_color
        ).meta()

    # ---------------------------------------------------------------- tenancy

    def admit(
        self,
        context: Mapping[str, Any],
        permission: str,
        path: Mapping[str, str],
        *,
        in_space: bool,
    ) -> Principal | SessionCaller | Anyone:
        """Who calls, by the authorizer's context; see `authorizer_context.admit`.

        Raises `NotFound` also for an organization that does not exist, which an operator may name,
        and for a connection of another space, if the caller has only one.
        """
        from patchbay.tenancy.access import (
            ANY_PRINCIPAL,
            ANYONE,
            INSTALL_SESSION,
            Permission,
            authorize,
        )
        from patchbay.tenancy.authorizer_context import (
            admit,
            admit_any_principal,
            admit_anyone,
            admit_session,
        )

        if permission == INSTALL_SESSION:
            return admit_session(context)
        if permission == ANY_PRINCIPAL:
            return admit_any_principal(context)
        if permission == ANYONE:
            return admit_anyone(context)
        organization_id = path.get("organization_id")
        caller = admit(context, permission, organization_id, in_space=in_space)
        if organization_id is None:
            return caller
        self._require_organization(caller, organization_id)
        if caller.space and (connection_id := path.get("connection_id")):
            space_id = self.connections.get(organization_id, connection_id).space_id
            authorize(caller, Permission(permission), organization_id, "connection", space_id)
        return caller

    def authorize_tenant(
        self, caller: Principal, permission: Permission, organization_id: str
    ) -> None:
        """The same for an organization that is not named by the path."""
        from patchbay.tenancy.access import authorize

        authorize(caller, permission, organization_id, "organization")
        self._require_organization(caller, organization_id)

    def _require_organization(self, caller: Principal, organization_id: str) -> None:
        if organization_id != caller.organization_id:
            self.tenants.organization(organization_id)

    def authorize_trail(self, caller: Principal, organization_id: str) -> None:
        """For the audit trail, which outlives an organization that was erased.

        Raises as `authorize_tenant`.
        """
        from patchbay.platform.errors import NotFound
        from patchbay.tenancy.access import Permission

        try:
            self.authorize_tenant(caller, Permission.MANAGE, organization_id)
        except NotFound as unknown:
            if not caller.is_operator:
                raise
            try:
                self.erasures.erasure(organization_id)
            except NotFound:
                raise unknown from None

    def space_for(self, caller: Principal, permission: Permission, slug: str) -> Space:
        """The space of a slug, if the caller may do this to it; see `TenancyStore.space_for`."""
        return self.tenants.space_for(caller, permission, slug)

    @cached_property
    def tenants(self) -> TenancyStore:
        from patchbay.tenancy.store import TenancyStore

        return TenancyStore(self.integrations, self.quotas, self.wake)

    @cached_property
    def quotas(self) -> Quotas:
        from patchbay.tenancy.quotas import Quotas

        return Quotas(self.integrations, self.settings.most)

    @cached_property
    def api_keys(self) -> ApiKeyStore:
        from patchbay.tenancy.api_key_store import ApiKeyStore

        return ApiKeyStore(self.integrations, self.tenants, self.quotas)

    @cached_property
    def authenticator(self) -> Authenticator:
        from patchbay.tenancy.authentication import Authenticator, token_reader
        from patchbay.tenancy.install_tokens import InstallTokens
        from patchbay.tenancy.request_rates import RequestRates

        return Authenticator(
            self.tenants,
            self.api_keys,
            token_reader(self.settings),
            RequestRates(self.settings.requests_per_minute),
            RequestRates(self.settings.unauthenticated_requests_per_minute),
            InstallTokens(self.integrations),
            self.browser_sessions,
            self.settings.public_url,
        )

    @cached_property
    def browser_sessions(self) -> BrowserSessions:
        from patchbay.tenancy.browser_sessions import BrowserSessions

        return BrowserSessions(self.integrations, self.tenants, self.api_keys)

    @cached_property
    def sign_in_links(self) -> SignInLinks:
        from patchbay.tenancy.sign_in_links import SignInLinks

        return SignInLinks(self.integrations, self.tenants, self.api_keys, self.browser_sessions)

    @cached_property
    def caller_view(self) -> CallerView:
        from patchbay.tenancy.callers import CallerView

        return CallerView(self.tenants)

    @cached_property
    def sign_in(self) -> SignIn:
        from patchbay.platform.limits import Limiter
        from patchbay.tenancy.sign_in import SignIn

        return SignIn(
            self.api_keys,
            self.browser_sessions,
            self.sign_in_links,
            Limiter(self.integrations, "sign_ins"),
        )

    # ---------------------------------------------------------------- egress

    @cached_property
    def egress_policy(self) -> EgressPolicy:
        from patchbay.egress.policy import EgressPolicy
        from patchbay.platform.public_url import own_name

        settings = self.settings
        policy = EgressPolicy.parse(settings.egress_allow, settings.own_host_names)
        return policy.excluding([own_name(settings.public_url)])

    @cached_property
    def guard(self) -> EgressGuard:
        """For requests, which exclude the host name that they were called by."""
        from patchbay.egress.guard import EgressGuard
        from patchbay.egress.nameservers import Nameservers
        from patchbay.egress.tls import read_authorities

        return EgressGuard(
            self.egress_policy,
            operator_authorities=read_authorities(self.settings.egress_authorities),
            nameservers=Nameservers(self.settings.dns_resolver),
        )

    # ---------------------------------------------------------------- sign-in

    @cached_property
    def signs_in_by_oidc(self) -> bool:
        settings = self.settings
        return bool(settings.jwt_client_id and settings.jwt_issuer and settings.jwt_audience)

    @cached_property
    def identity_provider(self) -> IdentityProvider:
        from patchbay.oidc.identity_provider import IdentityProvider

        return IdentityProvider(self.settings.jwt_issuer, self.settings.jwt_jwks_url, self.guard)

    @cached_property
    def oidc_flow(self) -> SignInFlow:
        """Raises `NotFound` if nobody signs in at an identity provider."""
        from patchbay.oidc.sign_in_flow import SignInFlow
        from patchbay.platform.errors import NotFound
        from patchbay.tenancy.authentication import trusted_issuer

        settings = self.settings
        trusted = trusted_issuer(settings)
        if trusted is None or not self.signs_in_by_oidc:
            raise NotFound("identity provider")
        return SignInFlow(
            self.identity_provider,
            trusted,
            settings.jwt_client_id,
            settings.jwt_scopes,
            self.tenants,
            self.sign_in,
        )

    # ---------------------------------------------------------------- registry

    @cached_property
    def registry(self) -> RegistryStore:
        from patchbay.registry.store import RegistryStore

        return RegistryStore(self.integrations, self.quotas)

    @cached_property
    def authoring(self) -> IntegrationAuthoring:
        from patchbay.registry.authoring import IntegrationAuthoring

        return IntegrationAuthoring(self.registry, self.tenants)

    # ---------------------------------------------------------------- connections

    @cached_property
    def endpoints(self) -> EndpointStore:
        from patchbay.connections.endpoint_store import EndpointStore

        return EndpointStore(self.integrations, self.quotas, self.plans)

    @cached_property
    def connections(self) -> ConnectionStore:
        from patchbay.connections.connection_store import ConnectionStore

        return ConnectionStore(
            self.integrations,
            self.quotas,
            self.planner,
            lambda: self.caught_up_health,
            self.wake,
        )

    @cached_property
    def caught_up_health(self) -> CaughtUpHealth:
        from patchbay.connections.caught_up_health import CaughtUpHealth

        return CaughtUpHealth(self.run_reader, self.health_recorder)

    @cached_property
    def planner(self) -> Planner:
        from patchbay.connections.planner import Planner

        return Planner(self.integrations, pools=lambda: self.settings.pooled_runs)

    @cached_property
    def plans(self) -> PlanStore:
        from patchbay.connections.plan_store import PlanStore

        return PlanStore(self.integrations)

    @cached_property
    def plan_moves(self) -> PlanMoves:
        from patchbay.connections.plan_moves import PlanMoves

        return PlanMoves(self.integrations, self.planner)

    @cached_property
    def connection_lists(self) -> ConnectionLists:
        from patchbay.connections.connection_lists import ConnectionLists

        return ConnectionLists(self.integrations, self.endpoints, self.connections)

    @cached_property
    def connection_summaries(self) -> ConnectionSummaries:
        from patchbay.connections.connection_summaries import ConnectionSummaries

        return ConnectionSummaries(self.integrations, self.run_reader, self.clock)

    @cached_property
    def shown_connections(self) -> ShownConnections:
        from patchbay.connections.shown_connections import ShownConnections

        return ShownConnections(self.run_reader)

    @cached_property
    def connection_records(self) -> RecordStore:
        from patchbay.connections.record_store import RecordStore

        return RecordStore(
            self.integrations,
            self.quotas,
            self.endpoints,
            self.connections,
            self.planner,
            self.plans,
        )

    @cached_property
    def usages(self) -> UsageStore:
        from patchbay.connections.usage_store import UsageStore

        return UsageStore(self.integrations)

    @cached_property
    def health_recorder(self) -> HealthRecorder:
        from patchbay.connections.health_recorder import HealthRecorder

        return HealthRecorder(self.integrations, self.quotas, self.wake)

    @cached_property
    def vault(self) -> Vault:
        from patchbay.connections.vault import Vault

        return Vault(self.integrations, self.settings.vault_key_id)

    @cached_property
    def endpoint_creator(self) -> EndpointCreator:
        from patchbay.connections.endpoint_creator import EndpointCreator

        return EndpointCreator(self.registry, self.endpoints, self.vault)

    @cached_property
    def endpoint_editor(self) -> EndpointEditor:
        from patchbay.connections.endpoint_editor import EndpointEditor

        return EndpointEditor(self.registry, self.endpoints, self.connections, self.vault)

    @cached_property
    def connection_editor(self) -> ConnectionEditor:
        from patchbay.connections.connection_editor import ConnectionEditor

        return ConnectionEditor(self.tenants, self.registry, self.endpoints, self.connections)

    @cached_property
    def operations(self) -> ConnectionOperations:
        from patchbay.connections.operations import ConnectionOperations

        return ConnectionOperations(
            self.endpoint_creator,
            self.endpoint_editor,
            self.connection_editor,
            self.tenants,
            self.registry,
            self.endpoints,
            self.connections,
            self.connection_records,
            self.usages,
            self.vault,
            self.shown_connections,
        )

    # ---------------------------------------------------------------- grants

    @cached_property
    def grants(self) -> Grants:
        from patchbay.grants.grants import Grants

        return Grants(
            self.grant_store,
            self.vault,
            lambda: self.oauth_applications,
            self.clock,
        )

    @cached_property
    def grant_store(self) -> GrantStore:
        from patchbay.grants.grant_store import GrantStore

        return GrantStore(self.integrations)

    @cached_property
    def grant_wheel(self) -> GrantWheel:
        from patchbay.grants.grant_wheel import GrantWheel

        return GrantWheel(
            self.integrations,
            self.grant_store,
            self.grants,
            self.tenants,
            self.registry,
            self.endpoints,
            self.guard.excluding([self.settings.api_host]),
            self.clock,
        )

    def grant_desk(self, domain_name: str) -> GrantDesk:
        """For one request, as `on_demand_tests`."""
        from patchbay.grants.grant_desk import GrantDesk
        from patchbay.grants.grant_revoker import GrantRevoker

        guard = self.guard.excluding([domain_name])
        return GrantDesk(
            self.integrations,
            self.grant_store,
            GrantRevoker(self.registry, self.grants, guard),
            self.registry,
            self.endpoints,
            self.endpoint_editor,
        )

    @cached_property
    def endpoint_opener(self) -> EndpointOpener:
        from patchbay.grants.opened_endpoint import EndpointOpener

        return EndpointOpener(self.registry, self.endpoints, self.grants)

    @cached_property
    def credential_uses(self) -> CredentialUses:
        from patchbay.grants.credential_uses import CredentialUses
        from patchbay.platform.limits import Limit, Limiter

        settings = self.settings
        return CredentialUses(
            self.connections,
            self.usages,
            Limiter(self.integrations, "uses"),
            Limit(settings.uses_per_minute, settings.uses_in_flight),
            Limit(settings.connection_uses_per_minute, settings.uses_in_flight),
            lambda use: self.usage_events.record(use),
            self.clock,
            enabled=settings.credential_use,
        )

    @cached_property
    def credential_reader(self) -> CredentialReader:
        from patchbay.grants.credential_reader import CredentialReader

        return CredentialReader(
            self.credential_uses, self.endpoint_opener, lambda: self.guard, self.clock
        )

    @cached_property
    def application_store(self) -> ApplicationStore:
        from patchbay.grants.application_store import ApplicationStore

        return ApplicationStore(self.integrations, self.quotas)

    @cached_property
    def oauth_applications(self) -> OAuthApplications:
        from patchbay.grants.applications import OAuthApplications

        return OAuthApplications(self.application_store, self.registry, self.vault)

    @cached_property
    def code_flow(self) -> CodeFlow:
        from patchbay.grants.code_flow import CodeFlow

        return CodeFlow(
            self.integrations,
            self.registry,
            self.oauth_applications,
            self.vault,
            self.install_sessions.acting,
        )

    @cached_property
    def provider_proxy(self) -> ProviderProxy:
        from patchbay.grants.provider_proxy import ProviderProxy

        return ProviderProxy(self.credential_uses, self.endpoint_opener, self.guard, self.clock)

    # ---------------------------------------------------------------- health

    @cached_property
    def event_store(self) -> EventStore:
        from patchbay.health.store import EventStore

        return EventStore(self.events, self.settings.raw_event_days, self.run_reader, self.wake)

    @cached_property
    def run_reader(self) -> RunReader:
        from patchbay.runs.reader import RunReader

        return RunReader(self.events)

    @cached_property
    def usage_events(self) -> UsageEvents:
        from patchbay.health.usage_events import UsageEvents

        return UsageEvents(self.event_store)

    @cached_property
    def connection_overview(self) -> ConnectionOverview:
        from patchbay.health.connection_overview import ConnectionOverview

        return ConnectionOverview(self.connection_summaries, self.tenants)

    @cached_property
    def organization_overview(self) -> OrganizationOverview:
        from patchbay.health.organization_overview import OrganizationOverview

        return OrganizationOverview(self.tenants, self.event_store)

    @cached_property
    def health_reader(self) -> HealthReader:
        from patchbay.health.reader import HealthReader

        return HealthReader(
            self.event_store,
            lambda: self.connection_overview,
            self.organization_overview,
            self.lists,
        )

    @cached_property
    def bus_intake(self) -> BusIntake:
        from patchbay.health.bus_intake import BusIntake

        return BusIntake(self.tenants, self.event_store)

    @cached_property
    def count_folder(self) -> CountFolder:
        from patchbay.health.folding import CountFolder

        return CountFolder(self.events, self.clock)

    # ---------------------------------------------------------------- runs

    @cached_property
    def run_store(self) -> RunStore:
        from patchbay.runs.segments import kept_for
        from patchbay.runs.store import RunStore

        return RunStore(self.events, self.clock, kept_for(self.settings.raw_event_days))

    @cached_property
    def day_closer(self) -> DayCloser:
        from patchbay.runs.folding import DayCloser
        from patchbay.runs.segments import kept_for

        return DayCloser(self.events, self.clock, kept_for(self.settings.raw_event_days))

    # ---------------------------------------------------------------- connection tests

    @cached_property
    def test_history(self) -> TestHistory:
        from patchbay.connection_tests.history import TestHistory

        return TestHistory(self.events, self.cursor_seal, lambda: self.monitored_tests)

    @cached_property
    def monitored_tests(self) -> MonitoredTests:
        from patchbay.connection_tests.monitored_tests import MonitoredTests

        return MonitoredTests(self.run_reader)

    @cached_property
    def test_subjects(self) -> TestSubjects:
        from patchbay.connection_tests.subjects import TestSubjects

        return TestSubjects(self.endpoints, self.connections)

    @cached_property
    def test_reader(self) -> TestReader:
        from patchbay.connection_tests.reader import TestReader

        return TestReader(self.test_subjects, self.test_history, self.clock)

    @cached_property
    def auto_disable(self) -> AutoDisable:
        """When a connection is disabled for failing: only monitors do that."""
        from patchbay.connections.health_state import NO_AUTO_DISABLE

        return NO_AUTO_DISABLE

    @cached_property
    def test_recorder(self) -> TestRecorder:
        from patchbay.connection_tests.recorder import TestRecorder

        return TestRecorder(
            self.test_subjects,
            self.health_recorder,
            self.event_store,
            self.test_history,
            self.clock,
            self.auto_disable,
        )

    @cached_property
    def tester(self) -> Tester:
        from patchbay.connection_tests.tester import Tester

        return Tester(
            self.registry,
            self.endpoints,
            self.connections,
            self.grants,
            self.test_recorder,
            self.clock,
        )

    @cached_property
    def test_progress(self) -> ProgressStore:
        from patchbay.connection_tests.progress import ProgressStore

        return ProgressStore(self.integrations, self.clock)

    @cached_property
    def test_limiter(self) -> Limiter:
        from patchbay.platform.limits import Limiter

        return Limiter(self.integrations, "tests")

    @cached_property
    def test_limit(self) -> Limit:
        from patchbay.platform.limits import Limit

        return Limit(self.settings.tests_per_minute, self.settings.tests_in_flight)

    def on_demand_tests(self, domain_name: str) -> OnDemandTests:
        """For one request; `domain_name` is the API's host name that it was called by."""
        from patchbay.connection_tests.on_demand import OnDemandTests
        from patchbay.connection_tests.queue import TestQueue

        return OnDemandTests(
            self.tester,
            self.test_subjects,
            self.test_history,
            self.test_limiter,
            self.test_limit,
            TestQueue(self.settings.test_queue_url),
            self.guard.excluding([domain_name]),
            domain_name,
            self.clock,
        )

    def endpoint_dry_runs(self, domain_name: str) -> EndpointDryRuns:
        """For one request, as `on_demand_tests`."""
        from patchbay.connection_tests.endpoint_dry_runs import EndpointDryRuns
        from patchbay.connections.release_finder import ReleaseFinder

        return EndpointDryRuns(
            self.endpoint_creator,
            ReleaseFinder(self.registry),
            self.authoring,
            self.grants,
            self.test_limiter,
            self.test_limit,
            self.guard.excluding([domain_name]),
        )

    def tested_edits(self, domain_name: str) -> TestedEdits:
        """For one request, as `on_demand_tests`."""
        from patchbay.connection_tests.tested_edits import TestedEdits

        return TestedEdits(
            self.endpoint_creator,
            self.endpoint_editor,
            self.grants,
            self.test_limiter,
            self.test_limit,
            self.guard.excluding([domain_name]),
        )

    @cached_property
    def queued_test_runner(self) -> QueuedTestRunner:
        from patchbay.connection_tests.queued_test_runner import QueuedTestRunner

        api_host, guard = self.settings.api_host, self.guard
        return QueuedTestRunner(
            self.tester,
            self.test_recorder,
            self.test_history,
            self.test_limiter,
            lambda domain_name: guard.excluding([domain_name, api_host]),
            self.clock,
        )

    # ---------------------------------------------------------------- installs

    @cached_property
    def install_sessions(self) -> InstallSessionStore:
        from patchbay.installs.session_store import InstallSessionStore

        return InstallSessionStore(self.integrations, self.quotas)

    @cached_property
    def install_session_creator(self) -> InstallSessionCreator:
        from patchbay.installs.session_creator import InstallSessionCreator
        from patchbay.platform.limits import Limiter

        return InstallSessionCreator(
            self.tenants,
            self.registry,
            self.endpoints,
            self.connections,
            self.install_sessions,
            Limiter(self.integrations, "install_sessions"),
        )

    @cached_property
    def framing(self) -> Framing:
        from patchbay.installs.framing import Framing
        from patchbay.installs.open_sessions import OpenSessions

        return Framing(OpenSessions(self.install_sessions))

    @cached_property
    def session_subjects(self) -> SessionSubjects:
        from patchbay.installs.session_subject import SessionSubjects

        return SessionSubjects(self.tenants, self.registry, self.endpoints, self.connections)

    def install_wizard(self, domain_name: str) -> InstallWizard:
        """For one request, as `on_demand_tests`."""
        from patchbay.installs.first_test import FirstTests
        from patchbay.installs.installer import Installer
        from patchbay.installs.open_sessions import OpenSessions
        from patchbay.installs.session_accounts import SessionAccounts
        from patchbay.installs.wizard import InstallWizard

        guard = self.guard.excluding([domain_name])
        accounts = SessionAccounts(self.code_flow, self.oauth_applications, self.grants)
        return InstallWizard(
            OpenSessions(self.install_sessions),
            self.install_sessions,
            self.session_subjects,
            accounts,
            Installer(
                self.session_subjects,
                accounts,
                self.endpoint_creator,
                self.endpoint_editor,
                self.connection_records,
                self.grants,
            ),
            self.test_history,
            FirstTests(self.tester, self.test_recorder, self.test_history, guard, self.clock),
            self.test_progress,
            self.test_limiter,
            self.test_limit,
            self.grants,
            guard,
        )

    # ---------------------------------------------------------------- monitors

    @cached_property
    def monitors(self) -> MonitorStore:
        from patchbay.monitors.store import MonitorStore

        return MonitorStore(self.integrations)

    @cached_property
    def sweep_queue(self) -> SweepQueue:
        from patchbay.monitors.sweep_queue import SweepQueue

        return SweepQueue(self.settings.monitor_queue_url)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        from patchbay.monitors.dispatcher import Dispatcher

        return Dispatcher(self.monitors, self.sweep_queue, self.settings.monitor_lanes)

    @cached_property
    def pause_survey(self) -> PauseSurvey:
        from patchbay.monitors.pause_survey import PauseSurvey

        return PauseSurvey(self.integrations, self.clock)

    @cached_property
    def announcer(self) -> Announcer:
        from patchbay.monitors.announcer import Announcer

        return Announcer(self.integrations, self.settings.integration_bus)

    # ---------------------------------------------------------------- alerts

    @cached_property
    def alert_rules(self) -> RuleStore:
        from patchbay.alerts.rule_store import RuleStore

        return RuleStore(self.integrations, self.quotas)

    @cached_property
    def rule_waker(self) -> RuleWaker:
        from patchbay.alerts.wakes import RuleWaker

        return RuleWaker(self.integrations, self.clock)

    def wake(self, space_ids: Iterable[str], /) -> bool:
        """The `Wake` of all stores: imports what it needs at the first one."""
        return self.rule_waker(space_ids)

    @cached_property
    def watched_spaces(self) -> WatchedSpaces:
        from patchbay.alerts.watched_spaces import WatchedSpaces

        return WatchedSpaces(self.integrations)

    @cached_property
    def evaluation_queue(self) -> EvaluationQueue:
        from patchbay.alerts.evaluation_queue import EvaluationQueue

        return EvaluationQueue(self.settings.evaluation_queue_url)

    @cached_property
    def alerts(self) -> AlertStore:
        from patchbay.alerts.store import AlertStore

        return AlertStore(self.integrations)

    @cached_property
    def outbox(self) -> Outbox:
        from patchbay.alerts.outbox import Outbox

        return Outbox(self.integrations)

    @cached_property
    def webhook_vault(self) -> WebhookVault:
        from patchbay.alerts.webhook_secrets import WebhookVault

        return WebhookVault(self.vault)

    @cached_property
    def alert_topics(self) -> frozenset[str]:
        from patchbay.alerts.channels import allowed_topics

        return allowed_topics(self.settings.alert_topic_arns)

    @cached_property
    def rule_editor(self) -> RuleEditor:
        from patchbay.alerts.rule_editor import RuleEditor

        return RuleEditor(
            self.alert_rules,
            self.connection_summaries,
            self.webhook_vault,
            self.egress_policy,
            self.alert_topics,
        )

    @cached_property
    def notification_queue(self) -> NotificationQueue:
        from patchbay.alerts.queue import NotificationQueue

        return NotificationQueue(self.settings.notification_queue_url)

    @cached_property
    def redelivery(self) -> Redelivery:
        from patchbay.alerts.redelivery import Redelivery

        return Redelivery(self.alerts, self.outbox, self.notification_queue)

    @cached_property
    def backtester(self) -> Backtester:
        from patchbay.alerts.backtest import Backtester

        return Backtester(
            self.rule_editor,
            self.event_store,
            self.connection_summaries,
            self.test_limiter,
            self.test_limit,
        )

    @cached_property
    def evaluator(self) -> Evaluator:
        from patchbay.alerts.evaluator import Evaluator

        return Evaluator(
            self.watched_spaces,
            self.alert_rules,
            self.alerts,
            self.connection_summaries,
            self.event_store,
            self.tenants,
            self.evaluation_queue,
            self.notification_queue.wake,
            self.wake,
            self.public_url(self.settings.api_host),
        )

    @cached_property
    def channel_sender(self) -> ChannelSender:
        from patchbay.alerts.channel_sender import ChannelSender

        own_host = [self.settings.api_host]
        return ChannelSender(
            self.webhook_vault,
            self.guard.excluding(own_host),
            self.egress_policy.excluding(own_host),
            self.alert_topics,
            self.settings.integration_bus,
        )

    @cached_property
    def notifier(self) -> Notifier:
        from patchbay.alerts.delivery_events import DeliveryEvents
        from patchbay.alerts.notifier import Notifier
        from patchbay.platform.pacing import Turns

        return Notifier(
            self.alert_rules,
            self.outbox,
            self.channel_sender,
            Turns(self.integrations, "deliveries", self.settings.deliveries_per_minute),
            self.clock,
            DeliveryEvents(self.tenants, self.event_store),
        )

    # ---------------------------------------------------------------- status pages

    @cached_property
    def status_links(self) -> StatusLinks:
        from patchbay.tenancy.status_links import StatusLinks

        return StatusLinks(self.integrations)

    @cached_property
    def status_page_reader(self) -> StatusPageReader:
        from patchbay.status_pages.reader import StatusPageReader

        return StatusPageReader(
            self.status_links,
            self.event_store,
            self.alerts,
            self.connection_summaries,
            self.connection_overview,
        )

    # ---------------------------------------------------------------- erasure

    @cached_property
    def erasures(self) -> ErasureStore:
        from patchbay.erasure.store import ErasureStore

        return ErasureStore(self.integrations)

    @cached_property
    def organization_closer(self) -> OrganizationCloser:
        from patchbay.erasure.closing import OrganizationCloser

        return OrganizationCloser(self.integrations, self.tenants, self.erasures)

    @cached_property
    def organization_export(self) -> OrganizationExport:
        from patchbay.erasure.export import OrganizationExport

        return OrganizationExport(
            self.integrations,
            self.events,
            self.lists,
            self.tenants,
            self.settings.raw_event_days,
            self.run_reader,
            self.monitored_tests,
        )

    @cached_property
    def grant_revoker(self) -> GrantRevoker:
        """For functions that no request calls; `grant_desk` has one for each request."""
        from patchbay.grants.grant_revoker import GrantRevoker

        guard = self.guard.excluding([self.settings.api_host])
        return GrantRevoker(self.registry, self.grants, guard)

    @cached_property
    def eraser(self) -> Eraser:
        from patchbay.erasure.eraser import Eraser

        return Eraser(
            self.integrations,
            self.events,
            self.erasures,
            self.registry,
            self.grant_revoker.revoke_of,
            self.clock,
        )


class MonitorDeployment(Deployment):
    """The same for the function that runs monitors: hundreds of connections at a time.

    What a page of them needs is read together, so both tables read ahead. Its tests may disable a
    connection, and no caller knows its host name. It opens the data keys of all organizations, so
    it is the one that creates the deployment key they are opened with.
    """

    @cached_property
    def integrations(self) -> ReadAhead:
        from patchbay.platform.dynamodb import ReadAhead

        return ReadAhead(self.settings.integrations_table)

    @cached_property
    def events(self) -> ReadAhead:
        from patchbay.platform.dynamodb import ReadAhead

        return ReadAhead(self.settings.events_table)

    @cached_property
    def vault(self) -> Vault:
        from patchbay.connections.vault import Vault

        key_id = self.settings.vault_key_id
        return Vault(self.integrations, key_id, makes_deployment_keys=True)

    @cached_property
    def guard(self) -> EgressGuard:
        return super().guard.excluding([self.settings.api_host])

    @cached_property
    def auto_disable(self) -> AutoDisable:
        from patchbay.connections.health_state import AutoDisable

        return AutoDisable(self.settings.auto_disable_failures, self.settings.auto_disable_days)

    @cached_property
    def sweeper(self) -> Sweeper:
        from patchbay.monitors.page_reader import PageReader
        from patchbay.monitors.sweeper import Sweeper

        reader = PageReader(
            self.integrations,
            self.events,
            self.tester,
            self.test_recorder,
            self.test_history,
            self.vault,
            self.guard,
            self.announcer.announce,
            self.clock,
            self.plan_reader,
            self.plan_moves,
        )
        return Sweeper(self.monitors, reader, self.sweep_queue, self.own_network)

    @cached_property
    def plan_reader(self) -> PlanReader:
        from patchbay.monitors.group_reader import GroupReader
        from patchbay.monitors.pause_reader import PauseReader
        from patchbay.monitors.plan_reader import PlanReader
        from patchbay.monitors.run_recorder import RunRecorder

        recorder = RunRecorder(
            self.integrations,
            self.run_store,
            self.run_reader,
            self.test_history,
            self.health_recorder,
            self.plans,
            self.plan_moves,
            self.announcer.announce,
            self.clock,
            self.auto_disable,
            self.wake,
        )
        groups = GroupReader(self.run_store, self.monitored_tests, self.clock)
        return PlanReader(
            self.integrations,
            PauseReader(self.integrations),
            groups,
            self.tester,
            recorder,
            self.vault,
            self.guard,
            self.clock,
        )

    @cached_property
    def own_network(self) -> OwnNetwork:
        from patchbay.egress.nameservers import Nameserver
        from patchbay.egress.resolver import SystemResolver
        from patchbay.monitors.canary import (
            OwnNetwork,
            canary_at,
            name_servers,
            public_resolvers,
        )

        settings = self.settings
        internet = (
            canary_at(settings.monitor_canary, self.guard)
            if settings.monitor_canary
            else public_resolvers(Nameserver.parse_all(settings.dns_resolver))
        )
        names = name_servers(SystemResolver(), settings.api_host)
        return OwnNetwork(internet, names, self.monitors, self.clock)
