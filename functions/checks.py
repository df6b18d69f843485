"""Tests of sources, destinations and connections."""

from functools import cache
from typing import Any

from patchbay.checks.contracts import Answer, ConnectionTest, ConnectionTestOutput, DryRun
from patchbay.checks.egress import EgressGuard
from patchbay.checks.policy import EgressPolicy
from patchbay.checks.testing import Tester, health_status
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi
from patchbay.platform.settings import ChecksSettings
from patchbay.registry.manifest import Role
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.access import Permission, Principal, admit

api = HttpApi(admit, tag="Tests")

BASE = "/v1/organizations/<organization_id>/knowledge/connectors"


@cache
def _tester() -> Tester:
    settings = ChecksSettings.from_env()
    table = Table(settings.integrations_table)
    return Tester(
        RegistryStore(table),
        ConnectionStore(table),
        Vault(table, settings.vault_key_id),
        EventStore(Table(settings.events_table), settings.raw_event_days),
        EgressGuard(EgressPolicy.parse(settings.egress_allow)),
        utc_now,
    )


@api.post(f"{BASE}/connections/test", permission=Permission.MANAGE)
def dry_run(organization_id: str, body: DryRun) -> Answer:
    """Test whether a source, and a destination, would connect; nothing is stored."""
    return Answer.of(_tester().dry_run(organization_id, body))


@api.post(f"{BASE}/sources/<source_id>/test", permission=Permission.MANAGE)
def check_source(organization_id: str, source_id: str) -> Answer:
    """Test a source; nothing is stored."""
    return Answer.of(_tester().test_endpoint(organization_id, Role.SOURCE, source_id))


@api.post(f"{BASE}/destinations/<destination_id>/test", permission=Permission.MANAGE)
def check_destination(organization_id: str, destination_id: str) -> Answer:
    """Test a destination; nothing is stored."""
    return Answer.of(_tester().test_endpoint(organization_id, Role.DESTINATION, destination_id))


@api.post(f"{BASE}/connections/<connection_id>/test", permission=Permission.MANAGE)
def check_connection(organization_id: str, connection_id: str) -> Answer:
    """Run the health check of a connection; it leaves an event in its space."""
    return Answer.of(_tester().test_connection(organization_id, connection_id))


@api.post("/integrations/connection/test/v1.0.0", permission=Permission.MANAGE)
def integrations_connection_test(caller: Principal, body: ConnectionTest) -> ConnectionTestOutput:
    """Run the health check of a connection (operation integrations.connection.test)."""
    report = _tester().test_connection(caller.organization_id, body.connection_id)
    return ConnectionTestOutput(
        success=report.passed,
        status=health_status(report),
        latency_ms=report.latency_ms,
        error=None if report.passed else report.message,
        error_code=report.code,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
