"""Tests the connections of the slots that are due."""

from functools import cache
from typing import Any

from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.tester import Tester
from patchbay.connections.state import AutoDisable
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.egress.guard import EgressGuard
from patchbay.health.store import EventStore
from patchbay.monitors.announcer import Announcer
from patchbay.monitors.canary import CanaryTarget
from patchbay.monitors.metrics import emit_sweep_metrics
from patchbay.monitors.monitored_tests import ConnectionPageTests
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.sweep_queue import SweepMessage, SweepQueue
from patchbay.monitors.sweeper import Sweeper
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import ReadAhead
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.settings import RunMonitorsSettings
from patchbay.platform.sqs_batches import read_each
from patchbay.registry.store import RegistryStore


@cache
def _sweeper() -> Sweeper:
    settings = RunMonitorsSettings.from_env()
    table, events = ReadAhead(settings.integrations_table), ReadAhead(settings.events_table)
    guard = EgressGuard.configured(
        settings.egress_allow, settings.own_host_names, settings.dns_resolver
    ).excluding([settings.api_host])
    history = TestHistory(events, CursorSeal(table))
    tester = Tester(
        RegistryStore(table),
        ConnectionStore(table),
        Vault(table, settings.vault_key_id),
        EventStore(events, settings.raw_event_days),
        history,
        utc_now,
        AutoDisable(settings.auto_disable_failures, settings.auto_disable_days),
    )
    announce = Announcer(table, settings.integration_bus).announce
    return Sweeper(
        MonitorStore(table),
        ConnectionPageTests(table, events, tester, history, guard, announce, utc_now),
        SweepQueue(settings.monitor_queue_url),
        CanaryTarget(settings.monitor_canary, guard),
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    received, unreadable = read_each(event["Records"], SweepMessage.of)
    sweeps = list(received.values())
    started = utc_now()
    swept = _sweeper().run(sweeps, lambda: context.get_remaining_time_in_millis() / 1000)
    emit_sweep_metrics(swept, [one.sweep.minute for one in sweeps], started)
    failed = [*unreadable, *swept.failed]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
