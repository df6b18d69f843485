from datetime import UTC, datetime

from patchbay.health.buckets import Bucket, FaultTally
from patchbay.health.model import EventStatus, IntegrationType, event_of_test

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
CONNECTION = "con_01KHZ0000000000000000000AB"
NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)


def test_a_passed_test_is_a_success_of_its_connection() -> None:
    event = event_of_test(
        SPACE, CONNECTION, passed=True, latency_ms=120, code=None, platform_fault=False, now=NOW
    )

    assert event.integration_type is IntegrationType.CONNECTION_TEST
    assert event.status is EventStatus.SUCCESS
    assert (event.space_id, event.connection_id) == (SPACE, CONNECTION)
    assert (event.occurred_at, event.duration_ms, event.error_code) == (NOW, 120, None)


def test_no_total_counts_a_test_with_a_platform_fault() -> None:
    event = event_of_test(
        SPACE,
        CONNECTION,
        passed=False,
        latency_ms=3000,
        code="secret_store_unavailable",
        platform_fault=True,
        now=NOW,
    )

    assert event.status is EventStatus.ERROR
    assert event.error_code == "secret_store_unavailable"
    assert Bucket().absorb([event]) == Bucket(
        faults={IntegrationType.CONNECTION_TEST: FaultTally(1, NOW)}
    )
