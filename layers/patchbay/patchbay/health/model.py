"""Events: what a caller sends, what is stored, and how one becomes the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from patchbay.platform.clock import UtcTime, to_text
from patchbay.platform.errors import InvalidInput, Problem
from patchbay.platform.ids import ConnectionId, Stamp, new_id
from patchbay.platform.model import Model
from patchbay.platform.validation import READABLE_PATTERN, Documented, Readable, Spelled, within

MAX_EVENTS_PER_CALL: Final = 100
MAX_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of a sender may be ahead of ours."""

_MAX_METADATA_BYTES: Final = 4096
_MAX_METADATA_DEPTH: Final = 3
_MAX_DURATION_MS: Final = 86_400_000


class IntegrationType(StrEnum):
    """The work that an event is about: the types of the health contract, our own tests, and the
    uses of credentials."""

    METADATA_SYNC = "metadata_sync"
    QUALITY_CHECK = "quality_check"
    PROFILING = "profiling"
    WEBHOOK = "webhook"
    ALERT = "alert"
    CONNECTION_TEST = "connection_test"
    USAGE = "usage"


class EventStatus(StrEnum):
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


# No '#': it separates the fields of a key.
EventId = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9_.:-]{1,128}$", "must have 1 to 128 letters, digits, and characters of _.:-"
    ),
]
ErrorCode = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9_.-]{1,100}$", "must have 1 to 100 letters, digits, and characters of _.-"
    ),
]
Message = Annotated[
    str, StringConstraints(max_length=1000), Readable, Documented({"pattern": READABLE_PATTERN})
]
Metadata = Annotated[dict[str, JsonValue], within(_MAX_METADATA_BYTES, _MAX_METADATA_DEPTH)]
DurationMs = Annotated[int, Field(strict=True, ge=0, le=_MAX_DURATION_MS)]


class EventDraft(Model):
    """An event as a caller sends it. An event with its own id must also have its time."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "not": {
                "properties": {"id": {"type": "string"}, "occurred_at": {"type": "null"}},
                "required": ["id"],
            }
        },
    )

    id: EventId | None = None
    integration_type: IntegrationType
    status: EventStatus
    occurred_at: UtcTime | None = None
    connection_id: ConnectionId | None = None
    duration_ms: DurationMs | None = None
    error_code: ErrorCode | None = None
    message: Message | None = None
    metadata: Metadata | None = None


class EventBatch(Model):
    """The body of one ingest call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    EXAMPLE: ClassVar = {
        "events": [
            {
                "integration_type": "metadata_sync",
                "status": "ERROR",
                "connection_id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "duration_ms": 812,
                "error_code": "rate_limited",
                "message": "The provider asked to wait.",
                "metadata": {"page": 3},
            }
        ]
    }

    events: Annotated[list[EventDraft], Field(min_length=1, max_length=MAX_EVENTS_PER_CALL)]


class Event(Model):
    """Something that happened to an integration in a space.

    Its identity is its id together with `occurred_at`. A platform fault is a test that failed
    because of Patchbay: it is stored, but no total counts it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: EventId
    space_id: str
    integration_type: IntegrationType
    status: EventStatus
    occurred_at: UtcTime
    received_at: UtcTime
    connection_id: ConnectionId | None = None
    duration_ms: DurationMs | None = None
    error_code: ErrorCode | None = None
    message: Message | None = None
    metadata: Metadata | None = None
    platform_fault: bool = False


@dataclass(frozen=True, slots=True)
class EventOutline:
    """What decisions read of an event, without what its sender wrote about it."""

    ATTRIBUTES: ClassVar = (
        "sk",
        "integration_type",
        "status",
        "connection_id",
        "platform_fault",
    )

    integration_type: IntegrationType
    status: EventStatus
    occurred_at: datetime
    connection_id: str | None
    platform_fault: bool


class IngestResult(Model):
    """How many events of a call were stored and counted, and how many were stored before."""

    accepted: int
    duplicates: int


def accept_batch(
    batch: EventBatch,
    space_id: str,
    stamp: Stamp,
    oldest: datetime,
    received_at: datetime | None = None,
) -> list[Event]:
    """The events of a call, one per draft and in the same order, duplicates included.

    `oldest` is the start of the retention. `received_at` is the time of the call, by default that
    of the stamp. Raises `InvalidInput` with every problem of the call (`/events/3/occurred_at`);
    then none of its events may be stored.

    An event without an id or a time gets them from the stamp. They are the same for a request that
    is repeated under its Idempotency-Key, and for a message that is delivered again.
    """
    now = received_at or stamp.now
    problems = [
        Problem(f"/events/{position}/occurred_at", sentence)
        for position, draft in enumerate(batch.events)
        for sentence in _time_problems(draft, stamp.now, now, oldest)
    ]
    if problems:
        raise InvalidInput(problems)
    return [
        Event(
            id=draft.id or stamp.id("evt", str(position)),
            space_id=space_id,
            integration_type=draft.integration_type,
            status=draft.status,
            occurred_at=draft.occurred_at or stamp.now,
            received_at=now,
            connection_id=draft.connection_id,
            duration_ms=draft.duration_ms,
            error_code=draft.error_code,
            message=draft.message,
            metadata=draft.metadata,
        )
        for position, draft in enumerate(batch.events)
    ]


def _time_problems(
    draft: EventDraft, default: datetime, now: datetime, oldest: datetime
) -> Iterator[str]:
    occurred_at = draft.occurred_at or default
    if draft.id is not None and draft.occurred_at is None:
        # Without it, a repeated call would store the same id again, under another time.
        yield "is required for an event with its own id"
    elif occurred_at < oldest:
        yield f"must not be before {to_text(oldest)}, the oldest time that is stored"
    elif occurred_at > now + MAX_AHEAD:
        yield f"must not be more than {MAX_AHEAD.seconds // 60} minutes ahead"


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

    `code` is the code of the failed step, None if no step failed. The message of the step is not
    stored: it may describe the tenant's own systems.
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
