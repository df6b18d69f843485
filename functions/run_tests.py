"""Runs the tests of the queue."""

from functools import cache
from typing import Any

from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.queued_test_runner import QueuedTestRunner
from patchbay.connection_tests.tester import Tester
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.egress.guard import EgressGuard
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.limits import Limiter
from patchbay.platform.settings import RunTestsSettings
from patchbay.registry.store import RegistryStore


@cache
def _settings() -> RunTestsSettings:
    return RunTestsSettings.from_env()


@cache
def _guard() -> EgressGuard:
    settings = _settings()
    return EgressGuard.configured(
        settings.egress_allow, settings.own_host_names, settings.dns_resolver
    )


def _guard_for(domain_name: str) -> EgressGuard:
    return _guard().excluding([domain_name, _settings().api_host])


@cache
def _queued_tests() -> QueuedTestRunner:
    settings = _settings()
    table, events = Table(settings.integrations_table), Table(settings.events_table)
    history = TestHistory(events, CursorSeal(table))
    tester = Tester(
        RegistryStore(table),
        ConnectionStore(table),
        Vault(table, settings.vault_key_id),
        EventStore(events, settings.raw_event_days),
        history,
        utc_now,
    )
    return QueuedTestRunner(tester, history, Limiter(table, "tests"), _guard_for, utc_now)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    come_back = _queued_tests().run(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in come_back]}
