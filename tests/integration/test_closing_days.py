"""What monitors recorded of a day that is over becomes two small items and a compressed segment."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import fold_counts
from patchbay.connections.wheel import minute_number
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Item, Table
from patchbay.runs.folding import CLOSED_AFTER, DayCloser
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, shape_id
from patchbay.runs.store import RunStore
from tests.integration.api import sample_event

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
OTHER = "7d1d5f0c-1111-4222-8333-0123456789ab"
CONNECTION = "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SHAPE = b"{}"
KEPT = timedelta(days=91)


def entry(latency_ms: int = 168, connection_id: str = CONNECTION) -> RunEntry:
    return RunEntry(
        connection_id, True, False, 0, shape_id(SHAPE), 40, 172, latency_ms, (12, 31, 125), 1
    )


def record(table: Table, minute: datetime, *, cell: Cell | None = None, late: int = 0) -> None:
    """Records a test of each space as the monitor of this minute does, so many minutes late."""
    at = minute + timedelta(minutes=late)
    store = RunStore(table, lambda: at, KEPT)
    key = RunKey(cell or Cell.of_space(SPACE), minute_number(minute), "5m#0")
    spaces = [SPACE] if key.cell.space_id else [SPACE, OTHER]
    run = Run(key, {space_id: (entry(),) for space_id in spaces})
    before = key._replace(minute=key.minute - 5)
    store.record(run, {CONNECTION: SHAPE}, store.find([before]).get(before))


def record_day(table: Table, start: datetime, cell: Cell | None = None) -> None:
    """Records every hour of a day."""
    for hour in range(24):
        record(table, start + timedelta(hours=hour), cell=cell)


def items(table: Table, space_id: str = SPACE) -> dict[str, Item]:
    return {item["sk"]: item for item in table.query_all(f"SPACE#{space_id}")}


def segments(table: Table, space_id: str = SPACE) -> list[Item]:
    return list(table.query_all(f"SPACE#{space_id}#S"))


DAY = datetime(2026, 2, 16, tzinfo=UTC)
OVER = DAY + timedelta(days=1, minutes=CLOSED_AFTER)


def test_a_day_is_closed_when_late_deliveries_have_come(events_table: Table) -> None:
    record_day(events_table, DAY)

    early = DayCloser(events_table, lambda: OVER - timedelta(minutes=1), KEPT)
    assert early.run(timedelta(minutes=1)).closed == 0
    assert "hours" in items(events_table)["D#2026-02-16#M"]

    closings = DayCloser(events_table, lambda: OVER, KEPT).run(timedelta(minutes=1))

    assert (closings.closed, closings.oldest, closings.unexpected) == (1, None, [])
    found = items(events_table)
    assert list(found) == ["D#2026-02-16#M", "H#2026-02-16T:#M"]
    assert len(found["D#2026-02-16#M"]["counts"]) < 60
    [chunk] = segments(events_table)
    assert len(chunk["b"]) < 24 * 15
    assert DayCloser(events_table, lambda: OVER, KEPT).run(timedelta(minutes=1)).closed == 0


def test_the_spaces_of_a_pool_are_closed_together(events_table: Table) -> None:
    record_day(events_table, DAY, Cell.of_pool(7))

    closings = DayCloser(events_table, lambda: OVER, KEPT).run(timedelta(minutes=1))

    assert closings.closed == 1
    for space_id in (SPACE, OTHER):
        assert "counts" in items(events_table, space_id)["D#2026-02-16#M"]
        assert len(segments(events_table, space_id)) == 1


def test_a_run_after_the_closing_has_a_chunk_of_its_own(events_table: Table) -> None:
    record_day(events_table, DAY)
    DayCloser(events_table, lambda: OVER, KEPT).run(timedelta(minutes=1))
    before = items(events_table)["D#2026-02-16#M"]

    for _ in range(2):
        record(events_table, DAY + timedelta(minutes=10), late=2 * 1440)

    after = items(events_table)["D#2026-02-16#M"]
    assert after["rev"] == before["rev"] + 1
    assert [chunk["sk"][10:12] for chunk in segments(events_table)] == [
        "#" + before["closing"][0],
        "#~",
    ]


def test_one_day_that_fails_holds_no_other_up(
    events_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_day(events_table, DAY)
    record_day(events_table, DAY + timedelta(days=1))
    close, failures = DayCloser.close, iter([RuntimeError("damaged")])

    def failing(*arguments: Any) -> Any:
        for error in failures:
            raise error
        return close(*arguments)

    monkeypatch.setattr(DayCloser, "close", failing)
    now = OVER + timedelta(days=1)
    closings = DayCloser(events_table, lambda: now, KEPT).run(timedelta(minutes=1))

    assert [str(error) for error in closings.unexpected] == ["damaged"]
    assert closings.closed == 1
    assert closings.lag(now) == timedelta(days=1, minutes=CLOSED_AFTER)


def test_the_function_closes_days_and_tells_if_it_is_late(
    deployed: dict[str, Table],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = deployed["EventsTable"]
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    record_day(table, today - timedelta(days=2))

    fold_counts.handler(sample_event("fold_counts"), None)

    assert '"late"' not in capsys.readouterr().out
    monkeypatch.setattr(fold_counts, "MOST_CLOSING_LAG", timedelta(seconds=-1))
    fold_counts.handler(sample_event("fold_counts"), None)
    late = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (late["late"], late["what"], late["seconds"]) == (1, "closing of days", 0)
    assert len(segments(table)) == 1
