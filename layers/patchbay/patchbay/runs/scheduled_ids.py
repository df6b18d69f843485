"""The ids of a monitor's test and of its event, which follow from the connection and the minute."""

from datetime import datetime

from patchbay.platform.ids import derived_id


def scheduled_test_id(connection_id: str, minute: datetime) -> str:
    """The same for every delivery of a connection's test at this scheduled minute."""
    return derived_id("tst", minute, connection_id)


def event_id_of(test_id: str) -> str:
    """The id of the one event that a test adds to its connection's space."""
    return f"evt_{test_id.removeprefix('tst_')}"
