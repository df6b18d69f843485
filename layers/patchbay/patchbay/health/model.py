"""Events: what a caller may send, what is kept of it, and the rules in between."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from patchbay.platform.clock import UtcTime, to_text
from patchbay.platform.errors import InvalidInput, Problem
from patchbay.platform.ids import ConnectionId, Stamp
from patchbay.platform.model import Model
from patchbay.platform.validation import READABLE_PATTERN, Readable, Told, within

MAX_EVENTS_PER_CALL: Final = 100
MAX_AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may run ahead of ours."""

_MAX_METADATA_BYTES: Final = 4096
_MAX_METADATA_DEPTH: Final = 3
_MAX_DURATION_MS: Final = 86_400_000


class IntegrationType(StrEnum):
    """What kind of work an event is about: the types of the health contract, and our own tests."""

    METADATA_SYNC = "metadata_sync"
    QUALITY_CHECK = "quality_check"
    PROFILING = "profiling"
    WEBHOOK = "webhook"
    ALERT = "alert"
    CONNECTION_TEST = "connection_test"


class EventStatus(StrEnum):
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


# No '#': it parts the fields of a key.
EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
ErrorCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Message = Annotated[
    str, StringConstraints(max_length=1000), Readable, Told({"pattern": READABLE_PATTERN})
]
Metadata = Annotated[dict[str, JsonValue], within(_MAX_METADATA_BYTES, _MAX_METADATA_DEPTH)]
DurationMs = Annotated[int, Field(strict=True, ge=0, le=_MAX_DURATION_MS)]


class EventDraft(Model):
    """An event as a caller sends it. One that brings its own id brings its time, too."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "anyOf": [
                {"properties": {"id": {"type": "null"}}},
                {"properties": {"occurred_at": {"type": "string"}}, "required": ["occurred_at"]},
            ]
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
    through us: it is kept, and counted in none of the totals.
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


class IngestResult(Model):
    """What became of a call's events: stored and counted now, or known already."""

    accepted: int
    duplicates: int


def accept_batch(
    batch: EventBatch,
    space_id: str,
    stamp: Stamp,
    oldest: datetime,
    received_at: datetime | None = None,
) -> list[Event]:
    """The events of a call, one per draft and in its order, duplicates included.

    `oldest` is the start of the retention, `received_at` the moment of the call where it is not the
    stamp's. Raises `InvalidInput` with every problem of the call (`/events/3/occurred_at`); then
    none of it may be stored.

    The stamp gives an event without its own id one, and its time: the same ones again for a request
    that is repeated under its Idempotency-Key, or a message that is delivered again.
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
        # Without it a repeated call would bring the same id under another time, hence twice.
        yield "is required for an event that brings its own id"
    elif occurred_at < oldest:
        yield f"is older than events are kept: the oldest time taken is {to_text(oldest)}"
    elif occurred_at > now + MAX_AHEAD:
        yield f"is more than {MAX_AHEAD.seconds // 60} minutes ahead"
