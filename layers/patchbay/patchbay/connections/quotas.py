"""What is counted of an organization's sources, destinations, and connections.

Monitored connections are counted twice: how many there are, and how many tests a day they make. The
first bounds what can be due at one minute, the second what is due on average.
"""

from collections.abc import Iterator
from typing import Final

from patchbay.connections.keys import CONNECTIONS, DESTINATIONS, SOURCES
from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.dynamodb import Item, Table
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.quotas import Quota

_ON_THE_WHEEL: Final = ("monitor_slot_pk", "plans")
"""A connection has one of these attributes while it is monitored, both while it is moved."""
_DAY_MINUTES: Final = 24 * 60


def tests_a_day(interval: MonitorInterval) -> int:
    return _DAY_MINUTES // interval.minutes


def _endpoints(table: Table, organization_id: str) -> int:
    pk = organization_pk(organization_id)
    return table.count(pk, SOURCES) + table.count(pk, DESTINATIONS)


def _connections(table: Table, organization_id: str) -> int:
    return table.count(organization_pk(organization_id), CONNECTIONS)


def _monitored(table: Table, organization_id: str) -> Iterator[Item]:
    found = table.query_all(
        organization_pk(organization_id), prefix=CONNECTIONS, attributes=(*_ON_THE_WHEEL, "monitor")
    )
    return (item for item in found if any(name in item for name in _ON_THE_WHEEL))


def _monitors(table: Table, organization_id: str) -> int:
    return sum(1 for _ in _monitored(table, organization_id))


def _tests_a_day(table: Table, organization_id: str) -> int:
    monitored = _monitored(table, organization_id)
    return sum(tests_a_day(MonitorInterval(item["monitor"]["interval"])) for item in monitored)


ENDPOINT_QUOTA: Final = Quota("endpoints", _endpoints)
CONNECTION_QUOTA: Final = Quota("connections", _connections)
MONITOR_QUOTA: Final = Quota("monitored_connections", _monitors)
MONITORED_TEST_QUOTA: Final = Quota("monitored_tests_per_day", _tests_a_day)
