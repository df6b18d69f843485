"""Testing what is connected: endpoints and connections, from their ids to a report.

1. Read the endpoint, the release it was made of, and its secrets, which only open for the
   destination that this configuration leads to.
2. Compile the plan and run it behind the egress guard: no side effect but the dial itself.
3. A connection's test leaves an event in its space and the newest word on its health; a dry run and
   an endpoint's test leave nothing.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from patchbay.checks.actions import required_action
from patchbay.checks.binding import binding_of
from patchbay.checks.contracts import DryRun
from patchbay.checks.egress import EgressGuard
from patchbay.checks.model import CheckReport
from patchbay.checks.plan import CheckTarget, Plan, compile_plan
from patchbay.checks.reports import joined, out_of_secrets
from patchbay.checks.runner import run
from patchbay.connections.configuring import configuration_problems
from patchbay.connections.model import Connection, Endpoint, Health, HealthStatus, Lifecycle
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Place, Vault
from patchbay.health.recording import event_of_test
from patchbay.health.store import EventStore
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict, InternalError, InvalidConfig, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.registry.manifest import Role
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore

SYNCHRONOUS_LIMIT_MS: Final = 25_000
"""API Gateway ends an HTTP request after 30 s: what is left over stores and answers."""


class Tester:
    """The use cases of testing."""

    def __init__(
        self,
        registry: RegistryStore,
        store: ConnectionStore,
        vault: Vault,
        events: EventStore,
        guard: EgressGuard,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._store = store
        self._vault = vault
        self._events = events
        self._guard = guard
        self._clock = clock

    def dry_run(self, organization_id: str, request: DryRun) -> CheckReport:
        """Whether a connection of these would work; nothing is stored.

        Raises `NotFound`, and `InvalidConfig` for configurations that the source's release refuses.
        """
        return self._tested(
            organization_id,
            request.source_id,
            request.destination_id,
            request.configurations,
        )

    def test_endpoint(self, organization_id: str, role: Role, endpoint_id: str) -> CheckReport:
        """Whether one source or destination works; nothing is stored. Raises `NotFound`."""
        endpoint = self._store.endpoint(organization_id, role, endpoint_id)
        return self._run({role: (endpoint, self._release(endpoint))})

    def test_connection(self, organization_id: str, connection_id: str) -> CheckReport:
        """The health check of a connection; it leaves an event.

        Raises `NotFound`, `Conflict` for one that is disabled: nothing is dialled for it.
        """
        connection = self._store.connection(organization_id, connection_id)
        if connection.status is Lifecycle.DISABLED:
            raise Conflict("The connection is disabled: make it active to test it.")
        report = self._tested(
            organization_id,
            connection.source_id,
            connection.destination_id,
            connection.configurations,
        )
        self._record(connection, report)
        return report

    def _tested(
        self,
        organization_id: str,
        source_id: str,
        destination_id: str | None,
        configurations: dict[str, Any],
    ) -> CheckReport:
        source = self._store.endpoint(organization_id, Role.SOURCE, source_id)
        release = self._release(source)
        if problems := configuration_problems(release, configurations):
            raise InvalidConfig(problems)
        parts = {Role.SOURCE: (source, release)}
        if destination_id:
            destination = self._store.endpoint(organization_id, Role.DESTINATION, destination_id)
            parts[Role.DESTINATION] = (destination, self._release(destination))
        return self._run(parts)

    def _release(self, endpoint: Endpoint) -> Release:
        return self._registry.release(endpoint.integration_id, endpoint.version)

    def _plan(self, endpoint: Endpoint, release: Release) -> Plan:
        return compile_plan(
            CheckTarget(
                manifest=release.manifest,
                auth_config=release.auth_config,
                variables_schema=release.variables_schema,
                variables=endpoint.variables,
                secrets=self._secrets(endpoint, release) if endpoint.secrets_set else {},
            )
        )

    def _secrets(self, endpoint: Endpoint, release: Release) -> dict[str, str]:
        """Opened for where this test would send them, not for where they are said to belong.

        An endpoint that is edited between its read and this has secrets for another place already:
        they do not open.
        """
        place = Place.of(endpoint, binding_of(release, endpoint.variables))
        return self._vault.open(place, self._clock())

    def _run(self, parts: Mapping[Role, tuple[Endpoint, Release]]) -> CheckReport:
        """All endpoints side by side, each behind the same guard."""
        try:
            plans = {role: self._plan(*part) for role, part in parts.items()}
        except (TemporarilyUnavailable, InternalError):
            # A test that could not read its secrets is a test too: nobody's fault but ours.
            return out_of_secrets()

        async def side_by_side() -> list[CheckReport]:
            return await asyncio.gather(
                *(run(plan, self._guard, total_ms=SYNCHRONOUS_LIMIT_MS) for plan in plans.values())
            )

        reports = dict(zip(plans, asyncio.run(side_by_side()), strict=True))
        for role, report in reports.items():
            if report.fault:
                logger.error(
                    "check crashed",
                    role=role,
                    step=report.fault.step,
                    error=report.fault.error,
                    trace=report.fault.trace,
                )
        return joined(reports)

    def _record(self, connection: Connection, report: CheckReport) -> None:
        now = self._clock()
        ours = report.blame == "platform"
        event = event_of_test(
            connection.space_id,
            connection.id,
            passed=report.passed,
            latency_ms=report.latency_ms,
            code=report.code,
            platform_fault=ours,
            now=now,
        )
        self._events.add([event], now)
        if not ours:
            health = Health(
                status=health_status(report),
                since=now,
                checked_at=now,
                latency_ms=report.latency_ms,
                error_code=report.code,
                error_message=None if report.passed else report.message,
            )
            self._store.record_health(connection, health, required_action(report.code))


def health_status(report: CheckReport) -> HealthStatus:
    """The contract's word for a report: out of reach is disconnected, our own fault is unknown."""
    if report.passed:
        return HealthStatus.CONNECTED
    if report.blame == "platform":
        return HealthStatus.UNKNOWN
    if report.category == "network":
        return HealthStatus.DISCONNECTED
    return HealthStatus.ERROR
