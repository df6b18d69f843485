"""Uses of credentials as events of their space, for connections that ask for it.

Counted by default they would lower the success rate that customers see for what their own back end
did, and each costs as much as an event that a back end sends.
"""

from patchbay.grants.credential_uses import EndedUse
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import logger


def event_of_use(ended: EndedUse) -> Event:
    """It happened when the use began. Its identity is the use's, so it counts once."""
    use, outcome = ended.use, ended.outcome
    return Event(
        id=use.id,
        space_id=use.connection.space_id,
        integration_type=IntegrationType.USAGE,
        status=EventStatus.ERROR if outcome.code else EventStatus.SUCCESS,
        occurred_at=use.at,
        received_at=outcome.at,
        connection_id=use.connection.id,
        duration_ms=max(0, round((outcome.at - use.at).total_seconds() * 1000)),
        error_code=outcome.code,
    )


class UsageEvents:
    """Records how uses end."""

    def __init__(self, events: EventStore) -> None:
        self._events = events

    def record(self, ended: EndedUse) -> None:
        """Stores the event of a use.

        What a caller is given never waits for its event: if the table does not answer, the event is
        lost, and the log says so.
        """
        try:
            self._events.add([event_of_use(ended)], ended.outcome.at)
        except TemporarilyUnavailable as error:
            logger.warning("use not recorded", use=ended.use.id, error=error.code)
