"""Each minute: asks for the tests of all connections whose turn it is."""

from datetime import datetime
from functools import cache
from typing import Any

from patchbay.monitors.announcer import Announcer
from patchbay.monitors.dispatcher import Dispatcher
from patchbay.monitors.metrics import emit_dispatch_metrics
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.sweep_queue import SweepQueue
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.settings import DispatchMonitorsSettings


@cache
def _settings() -> DispatchMonitorsSettings:
    return DispatchMonitorsSettings.from_env()


@cache
def _dispatcher() -> Dispatcher:
    store = MonitorStore(Table(_settings().integrations_table))
    return Dispatcher(store, SweepQueue(_settings().monitor_queue_url), _settings().monitor_lanes)


@cache
def _announcer() -> Announcer:
    return Announcer(Table(_settings().integrations_table), _settings().integration_bus)


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    emit_dispatch_metrics(_dispatcher().dispatch(datetime.fromisoformat(event["time"])))
    _announcer().sweep(utc_now())
