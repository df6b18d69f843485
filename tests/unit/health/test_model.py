import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from patchbay.health.model import EventBatch, EventDraft, EventStatus, IntegrationType, accept_batch
from patchbay.platform.errors import InvalidInput, Problem
from patchbay.platform.ids import Stamp

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
NOW = datetime(2026, 2, 17, 10, 0, 0, 123_456, tzinfo=UTC)
OLDEST = NOW - timedelta(days=35)
STAMP = Stamp(NOW, b"a seed of 16 byt")
MINIMAL = {"integration_type": "webhook", "status": "SUCCESS"}


def batch(*drafts: dict[str, Any]) -> EventBatch:
    """Reads a body as the API does: strictly, from JSON."""
    body = {"events": [{**MINIMAL, **draft} for draft in drafts]}
    return EventBatch.model_validate_json(json.dumps(body), strict=True)


def problems(*drafts: dict[str, Any]) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        accept_batch(batch(*drafts), SPACE, STAMP, OLDEST)
    return list(refused.value.problems)


def test_an_event_without_id_and_time_gets_both() -> None:
    [event] = accept_batch(batch({}), SPACE, STAMP, OLDEST)

    assert event.id.startswith("evt_")
    assert event.occurred_at == event.received_at == NOW.replace(microsecond=123_000)
    assert event.space_id == SPACE
    assert event.integration_type is IntegrationType.WEBHOOK
    assert event.status is EventStatus.SUCCESS
    assert event.platform_fault is False


def test_an_event_keeps_all_that_its_sender_sent() -> None:
    sent = {
        "id": "run:2026-02-17.1",
        "integration_type": "metadata_sync",
        "status": "ERROR",
        "occurred_at": "2026-02-17T10:59:59.500+01:00",
        "connection_id": "con_01KHZ0000000000000000000AB",
        "duration_ms": 86_400_000,
        "error_code": "auth_expired",
        "message": "the token has expired",
        "metadata": {"attempt": 2, "ratio": 0.25, "tables": ["a", "b"], "note": None},
    }

    [event] = accept_batch(batch(sent), SPACE, STAMP, OLDEST)

    assert event.model_dump(mode="json", exclude={"space_id", "received_at"}) == {
        **sent,
        "occurred_at": "2026-02-17T09:59:59.500Z",
        "platform_fault": False,
    }


def test_events_of_one_call_without_ids_are_different_events() -> None:
    events = accept_batch(batch(*[{}] * 100), SPACE, STAMP, OLDEST)

    assert len({event.id for event in events}) == 100


def test_an_event_with_its_own_id_needs_its_time() -> None:
    assert problems({}, {"id": "run-1"}) == [
        Problem("/events/1/occurred_at", "is required for an event with its own id")
    ]


def test_the_retention_and_the_tolerance_are_inclusive() -> None:
    events = accept_batch(
        batch(
            {"occurred_at": (OLDEST + timedelta(milliseconds=1)).isoformat()},
            {"occurred_at": (NOW + timedelta(minutes=5)).isoformat()},
        ),
        SPACE,
        STAMP,
        OLDEST,
    )

    assert len(events) == 2


def test_all_problems_of_a_call_are_reported_at_once() -> None:
    found = problems(
        {"id": "run-1"},
        {},
        {"occurred_at": (OLDEST - timedelta(milliseconds=1)).isoformat()},
        {"occurred_at": (NOW + timedelta(minutes=5, milliseconds=1)).isoformat()},
    )

    assert [problem.pointer for problem in found] == [
        "/events/0/occurred_at",
        "/events/2/occurred_at",
        "/events/3/occurred_at",
    ]
    assert found[1].message.startswith("must not be before ")
    assert found[2].message == "must not be more than 5 minutes ahead"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "a" * 129),
        ("id", "run#1"),
        ("id", "run-1\n"),
        ("id", "rün"),
        ("integration_type", "sync"),
        ("status", "success"),
        ("occurred_at", "2026-02-17T10:00:00"),
        ("occurred_at", 1_771_322_400),
        ("connection_id", "con_1"),
        ("duration_ms", -1),
        ("duration_ms", 86_400_001),
        ("duration_ms", "5"),
        ("duration_ms", True),
        ("duration_ms", 1.5),
        ("error_code", "a" * 101),
        ("error_code", "auth expired"),
        ("message", "a" * 1001),
        ("metadata", []),
        ("metadata", {"a": {"b": {"c": {}}}}),
        ("metadata", {"text": "a" * 4096}),
        ("metadata", {"number": float("inf")}),
        ("platform_fault", True),
        ("received_at", "2026-02-17T10:00:00Z"),
        ("space_id", SPACE),
    ],
)
def test_a_field_out_of_bounds_is_refused_at_its_pointer(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        batch({}, {field: value})

    assert refused.value.errors()[0]["loc"][:3] == ("events", 1, field)


def test_metadata_may_have_4096_bytes() -> None:
    metadata = {"text": "é" * 2042}
    assert len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) == 4095

    assert EventDraft.model_validate({**MINIMAL, "metadata": metadata}).metadata == metadata


@pytest.mark.parametrize("count", [0, 101])
def test_a_call_has_1_to_100_events(count: int) -> None:
    with pytest.raises(ValidationError):
        batch(*[{}] * count)
