"""The keys of runs, days, segments, and shapes in the events table. No other package knows them.

    run             SPACE#<id>#R or POOL#<n>#R    <minute>#<slot>
      of a busy cell        SPACE#<id>#B          <minute>#<slot>
      of one connection     as above              <minute>#<slot>#<ULID>
    day             SPACE#<id>                    D#2026-02-17#M
    its hours       SPACE#<id>                    H#2026-02-17T:#M      once the day is closed
    segment chunk   SPACE#<id>#S                  2026-02-17#<closing>#<part>#<ULID>
      of a late run         SPACE#<id>#S          2026-02-17#~<minute>#<cell>#<slot>
    shape           CON#<id>                      SHAPE#<12 hex>
    fold note       FOLD#<lane>                   R#2026-02-17#<cell>#<space id>

A minute is printed with ten digits. The hours sort after `H#2026-02-17T23#…`, so that one query
reads them with the hours of pushed events.
"""

import zlib
from datetime import date
from typing import Final

from patchbay.health.monitor_runs import OF_RUNS
from patchbay.health.shards import LANES, buckets_pk, spread_days_pk
from patchbay.platform.dynamodb import AFTER_ALL, Key
from patchbay.runs.model import Cell, CellKind, RunKey, start_of_day

_NOTE: Final = "R"
_PREFIX: Final = "con_"
_ORIGIN: Final = date(1970, 1, 1).toordinal()


def runs_pk(cell: Cell) -> str:
    match cell.kind:
        case CellKind.POOL:
            return f"POOL#{cell.name}#R"
        case CellKind.BUSY:
            return f"SPACE#{cell.name}#B"
        case CellKind.SPACE:
            return f"SPACE#{cell.name}#R"


def run_key(key: RunKey) -> Key:
    sort_key = f"{key.minute:010d}#{key.slot}"
    if key.single:
        sort_key += f"#{key.single.removeprefix(_PREFIX)}"
    return Key(runs_pk(key.cell), sort_key)


def read_run_key(cell: Cell, sort_key: str) -> RunKey:
    """Parses the sort key of a run of this cell."""
    minute, interval, band, *single = sort_key.split("#")
    return RunKey(
        cell, int(minute), f"{interval}#{band}", f"{_PREFIX}{single[0]}" if single else None
    )


def runs_between(first: int, last: int) -> tuple[str, str]:
    """The range of sort keys, ends included, of the runs of these minutes, ends included."""
    return f"{first:010d}#", f"{last:010d}#{AFTER_ALL}"


def day_text(day: int) -> str:
    return start_of_day(day).date().isoformat()


def day_of_text(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _ORIGIN


def day_key(space_id: str, day: int) -> Key:
    return Key(buckets_pk(space_id), f"D#{day_text(day)}{OF_RUNS}")


def hours_key(space_id: str, day: int) -> Key:
    return Key(buckets_pk(space_id), f"H#{day_text(day)}T:{OF_RUNS}")


def day_of_sort_key(sort_key: str) -> int:
    """The day of a `day_key` or an `hours_key`."""
    return day_of_text(sort_key.split("#")[1][:10])


def segments_pk(space_id: str) -> str:
    return f"SPACE#{space_id}#S"


def chunk_key(space_id: str, day: int, closing: str, part: int, connection_id: str) -> Key:
    return Key(
        segments_pk(space_id),
        f"{day_text(day)}#{closing}#{part:02d}#{connection_id.removeprefix(_PREFIX)}",
    )


def late_chunk_key(space_id: str, key: RunKey) -> Key:
    run = run_key(key).sk
    return Key(
        segments_pk(space_id), f"{day_text(key.day)}#{AFTER_ALL}{run}#{key.cell.within_space}"
    )


def late_chunks(day: int) -> tuple[str, str]:
    """The range of sort keys, ends included, of what was recorded after a day was closed."""
    start = f"{day_text(day)}#{AFTER_ALL}"
    return start, f"{start}{AFTER_ALL}"


def chunks_of_closing(day: int, closing: str) -> tuple[str, str]:
    """The range of sort keys, ends included, of the chunks of one closing."""
    start = f"{day_text(day)}#{closing}#"
    return start, f"{start}{AFTER_ALL}"


def chunks_of_part(day: int, closing: str, part: int) -> tuple[str, str]:
    """The range of sort keys, ends included, of the chunks of one part of a closing."""
    start = f"{day_text(day)}#{closing}#{part:02d}#"
    return start, f"{start}{AFTER_ALL}"


def chunks_of_connection(day: int, closing: str, part: int, connection_id: str) -> tuple[str, str]:
    """The range of sort keys, ends included, whose last item is the chunk that has a connection."""
    start = f"{day_text(day)}#{closing}#{part:02d}#"
    return start, f"{start}{connection_id.removeprefix(_PREFIX)}"


def shape_key(connection_id: str, shape: bytes) -> Key:
    pk, prefix = shapes_of(connection_id)
    return Key(pk, f"{prefix}{shape.hex()}")


def shapes_of(connection_id: str) -> tuple[str, str]:
    """The partition of a connection's shapes, and what their sort keys begin with."""
    return f"CON#{connection_id}", "SHAPE#"


def note_key(cell: Cell, space_id: str, day: int) -> Key:
    lane = zlib.crc32(str(cell).encode()) % LANES
    return Key(spread_days_pk(lane), f"{_NOTE}#{day_text(day)}#{cell}#{space_id}")


def notes_until(day: int) -> tuple[str, str]:
    """The range of sort keys, ends included, of the notes of a lane up to a day, included."""
    return f"{_NOTE}#", f"{_NOTE}#{day_text(day)}#{AFTER_ALL}"


def read_note_key(sort_key: str) -> tuple[int, Cell, str]:
    """The day, the cell, and the space of a note."""
    _, day, cell, space_id = sort_key.split("#")
    return day_of_text(day), Cell.read(cell), space_id
