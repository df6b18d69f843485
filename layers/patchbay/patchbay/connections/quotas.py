"""What is counted of an organization's sources, destinations, and connections."""

from typing import Final

from patchbay.connections.keys import CONNECTIONS, DESTINATIONS, SOURCES
from patchbay.platform.dynamodb import Table
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.quotas import Quota

_ON_THE_WHEEL: Final = "monitor_slot_pk"
"""The attribute that a connection has while it is monitored."""


def _endpoints(table: Table, organization_id: str) -> int:
    pk = organization_pk(organization_id)
    return table.count(pk, SOURCES) + table.count(pk, DESTINATIONS)


def _connections(table: Table, organization_id: str) -> int:
    return table.count(organization_pk(organization_id), CONNECTIONS)


def _monitored(table: Table, organization_id: str) -> int:
    found = table.query_all(
        organization_pk(organization_id), prefix=CONNECTIONS, attributes=(_ON_THE_WHEEL,)
    )
    return sum(_ON_THE_WHEEL in item for item in found)


ENDPOINT_QUOTA: Final = Quota("endpoints", _endpoints)
CONNECTION_QUOTA: Final = Quota("connections", _connections)
MONITOR_QUOTA: Final = Quota("monitored_connections", _monitored)
