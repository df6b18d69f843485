"""When a test of a run was done."""

from datetime import datetime, timedelta
from typing import Final

from patchbay.runs.model import TimedEntry, moment_of

_MS: Final = timedelta(milliseconds=1)


def finished_at(timed: TimedEntry) -> datetime:
    minute, entry = timed
    return moment_of(minute) + (entry.start_ms + entry.took_ms) * _MS
