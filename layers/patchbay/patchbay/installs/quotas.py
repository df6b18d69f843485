"""What is counted of an organization's install sessions: those that are open.

A session is open until it is completed, revoked, or expired. Expiring is no write, so a session
that has expired is counted until the next count, which comes before a create is refused.
"""

from datetime import timedelta
from typing import Final

from patchbay.installs.keys import SESSIONS
from patchbay.platform.clock import to_sortable, utc_now
from patchbay.platform.dynamodb import Table
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.quotas import Quota

_LATEST: Final = timedelta(minutes=2)
"""A request that began before a session expired may still complete it, and is counted then. None
runs this long."""


def _open_sessions(table: Table, organization_id: str) -> int:
    latest = to_sortable(utc_now() - _LATEST)
    found = table.query_all(
        organization_pk(organization_id), prefix=SESSIONS, attributes=("status", "valid_until")
    )
    return sum(1 for one in found if one["status"] == "pending" and one["valid_until"] > latest)


SESSION_QUOTA: Final = Quota("install_sessions", _open_sessions, lapse=True)
