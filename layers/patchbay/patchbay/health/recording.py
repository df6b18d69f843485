"""Our own connection tests as events."""

from datetime import datetime

from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.platform.ids import new_id


def event_of_test(
    space_id: str,
    connection_id: str,
    *,
    passed: bool,
    latency_ms: int,
    code: str | None,
    platform_fault: bool,
    now: datetime,
) -> Event:
    """The event of a connection's finished test.

    `code` is the code of the step that failed, None if none did. Only the code is kept, no message:
    that one may speak of the tenant's own systems.
    """
    return Event(
        id=new_id("evt", now),
        space_id=space_id,
        integration_type=IntegrationType.CONNECTION_TEST,
        status=EventStatus.SUCCESS if passed else EventStatus.ERROR,
        occurred_at=now,
        received_at=now,
        connection_id=connection_id,
        duration_ms=latency_ms,
        error_code=code,
        platform_fault=platform_fault,
    )
