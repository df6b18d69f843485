"""A connection for tests of what is done with one."""

from datetime import UTC, datetime
from typing import Any, Final

from patchbay.connections.connection_model import UNTESTED, Connection, Monitor
from patchbay.connections.health_status import RequiredAction
from patchbay.connections.lifecycle import Lifecycle

MADE_AT: Final = datetime(2026, 2, 17, 12, tzinfo=UTC)


def sample_connection(**fields: Any) -> Connection:
    """One that is monitored and was never tested, with these fields instead of its own."""
    own: dict[str, Any] = {
        "id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "organization_id": "org_1",
        "name": "n",
        "source_id": "src_1",
        "destination_id": None,
        "configurations": {},
        "space": "main",
        "space_id": "spc_1",
        "monitor": Monitor(enabled=True),
        "status": Lifecycle.ACTIVE,
        "health": UNTESTED,
        "required_action": RequiredAction.NONE,
        "created_at": MADE_AT,
        "updated_at": MADE_AT,
        "owns_source": False,
        "stated_status": None,
        "revision": 1,
    }
    return Connection(**own | fields)
