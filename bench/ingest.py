"""How many events one function stores: batches of 25 of one space, one after the other.

The stand-in of AWS answers after 5 ms for each call, from a process of its own. In AWS, several
functions write the events of a space at once, up to the 1,000 write units a second of a partition.
"""

import os
import time
from datetime import UTC, datetime
from typing import Final

from bench.health import events_of_an_hour
from bench.report import Row
from bench.stand_in import CALL_SECONDS, StandIn, stand_in

BATCH: Final = 25
BATCHES: Final = 200


def rows() -> list[Row]:
    with stand_in() as aws:
        os.environ |= aws.environment()
        return measured(aws)


def measured(aws: StandIn) -> list[Row]:
    """In a process whose AWS it is."""
    from patchbay.health.monitor_runs import NO_RUNS
    from patchbay.health.store import EventStore
    from patchbay.platform.dynamodb import Table

    store = EventStore(Table("EventsTable"), 35, NO_RUNS)
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    batches = [events_of_an_hour(BATCH, hour, f"batch-{n}") for n in range(BATCHES)]
    store.add(events_of_an_hour(BATCH, hour, "first"), now)
    aws.pace(CALL_SECONDS)
    aws.counts()
    began, cpu_began = time.monotonic(), time.process_time()
    accepted = sum(store.add(batch, now).accepted for batch in batches)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu_began
    if accepted != BATCH * BATCHES:
        raise RuntimeError(f"{accepted} events were accepted")
    calls = sum(aws.counts()["calls"].values())
    return [
        Row("ingest, batches of 25, one after the other", accepted / seconds, "events/s"),
        Row("ingest, CPU of an event", cpu / accepted * 1000, "ms"),
        Row("ingest, calls of DynamoDB for a batch", calls / BATCHES, ""),
    ]
