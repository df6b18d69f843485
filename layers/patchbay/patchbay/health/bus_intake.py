"""Events from the bus, through a queue. The rules are the same as for events from the API.

A message is an EventBridge envelope whose `detail` is

    {"organization_id": "org_…", "space": "<slug or id>", "events": […1 to 100, as the API takes…]}

An event without an id gets one that is derived from the envelope's id and its position in the
message; one without a time gets that of the envelope. Both are the same on every delivery of the
message, so the event is counted once. If one event of a message is not valid, the whole message is
refused: the queue delivers it again a few times and then moves it to the dead-letter queue.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from patchbay.health.model import Event, EventBatch, EventDraft, accept_batch
from patchbay.health.store import EventStore
from patchbay.platform.clock import UtcTime
from patchbay.platform.errors import InvalidInput, NotFound, Problem, TemporarilyUnavailable
from patchbay.platform.ids import Slug, Stamp
from patchbay.platform.logging import log_exception, logger
from patchbay.platform.model import Model
from patchbay.platform.strict_json import loads
from patchbay.platform.validation import problems_of
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

_MAX_PROBLEMS_LOGGED: Final = 10


class BusDetail(EventBatch):
    """What a producer sends to the bus."""

    organization_id: str
    space: Slug
    """The slug or the id of the space. An id has the form of a slug, too."""


class BusEnvelope(Model):
    """The event as EventBridge delivers it, without the members that are not used."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    detail_type: Annotated[Literal["integration.event"], Field(alias="detail-type")]
    time: UtcTime
    detail: BusDetail

    @property
    def stamp(self) -> Stamp:
        """The same on every delivery."""
        return Stamp(self.time, hashlib.blake2b(self.id.encode(), digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class BusMessage:
    """One message of the queue: its id in the queue, and its body."""

    id: str
    body: str


class BusIntake:
    """Stores the events of messages."""

    def __init__(self, tenants: TenancyStore, events: EventStore) -> None:
        self._tenants = tenants
        self._events = events

    def take(self, messages: Iterable[BusMessage], now: datetime) -> list[str]:
        """Stores the events of messages. Returns the ids of the messages to deliver again.

        The messages of one space are stored together and share the writes of its buckets.
        """
        refused: list[str] = []
        by_space: dict[str, dict[str, list[Event]]] = {}
        for message in messages:
            try:
                for space_id, events in self._read(message, now).items():
                    by_space.setdefault(space_id, {})[message.id] = events
            except InvalidInput as error:
                _log_refusal(message, error)
                refused.append(message.id)
            except Exception as error:
                # Any exception: the other messages of the batch must not fail with it.
                _log_failure(error, message_id=message.id)
                refused.append(message.id)
        for space_id, taken in by_space.items():
            try:
                added = self._events.add([e for events in taken.values() for e in events], now)
            except Exception as error:
                _log_failure(error, space_id=space_id, messages=len(taken))
                refused.extend(taken)
            else:
                logger.info(
                    "messages taken",
                    space_id=space_id,
                    messages=len(taken),
                    accepted=added.accepted,
                    duplicates=added.duplicates,
                )
        return refused

    def _read(self, message: BusMessage, now: datetime) -> dict[str, list[Event]]:
        """The events by space id. Raises `InvalidInput` with every problem of the message."""
        envelope = _envelope(message.body)
        space = self._space(envelope.detail)
        batch = EventBatch(events=envelope.detail.events)
        try:
            events = accept_batch(batch, space.id, envelope.stamp, self._events.oldest(now), now)
        except InvalidInput as error:
            raise InvalidInput(
                [Problem(f"/detail{found.pointer}", found.message) for found in error.problems]
            ) from None
        return {space.id: events}

    def _space(self, detail: BusDetail) -> Space:
        found = [self._tenants.space_by_id(detail.space), self._by_slug(detail.space)]
        for space in found:
            if space and space.organization_id == detail.organization_id:
                return space
        raise InvalidInput.at("/detail/space", "no space of this organization has this slug or id")

    def _by_slug(self, slug: str) -> Space | None:
        try:
            return self._tenants.space(slug)
        except NotFound:
            return None


def _envelope(body: str) -> BusEnvelope:
    raw = body.encode("utf-8", "surrogatepass")
    loads(raw)
    try:
        return BusEnvelope.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None


_OUR_NAMES: Final = frozenset(
    {
        "detail-type",
        *BusEnvelope.model_fields,
        *BusDetail.model_fields,
        *EventDraft.model_fields,
    }
)


def _log_failure(error: Exception, **about: Any) -> None:
    """Logs the type of an exception: the text of an unexpected one may quote a message."""
    if isinstance(error, TemporarilyUnavailable):
        logger.warning("messages postponed", **about)
    else:
        log_exception("messages failed", error, **about)


def _log_refusal(message: BusMessage, error: InvalidInput) -> None:
    """Logs the wrong fields by our names. A name that the sender chose is content, too."""
    fields = [
        "/".join(
            part if part in _OUR_NAMES or part.isdecimal() or not part else "?"
            for part in problem.pointer.split("/")
        )
        for problem in error.problems
    ]
    logger.error(
        "message refused",
        message_id=message.id,
        code=error.code,
        fields=fields[:_MAX_PROBLEMS_LOGGED],
        problems=len(fields),
    )
