"""When a test of a run was done."""

from datetime import datetime, timedelta
from typing import Final

from patchbay.runs.model import RunEntry

_MS: Final = timedelta(milliseconds=1)


def finished_at(minute: datetime, entry: RunEntry) -> datetime:
    """`minute` is the scheduled one."""
    return minute + (entry.start_ms + entry.took_ms) * _MS
