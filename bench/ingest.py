"""How many events one function stores: batches of 25 of one space, one after the other.

Botocore is real. The stand-in of the monitors' bench answers, after 5 ms for each call. In AWS,
several functions write the events of a space at once, up to the 1,000 write units a second of a
partition.
"""

import os
import time
from datetime import UTC, datetime
from typing import Final

from bench.health import events_of_an_hour
from bench.report import Row

BATCH: Final = 25
BATCHES: Final = 200


def rows() -> list[Row]:
    os.environ |= {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    from bench.monitors import StandIn
    from patchbay.health.monitor_runs import NO_RUNS
    from patchbay.health.store import EventStore
    from patchbay.platform.dynamodb import Table

    aws = StandIn()
    store = EventStore(Table("EventsTable"), 35, NO_RUNS)
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    batches = [events_of_an_hour(BATCH, hour, f"batch-{n}") for n in range(BATCHES)]
    store.add(events_of_an_hour(BATCH, hour, "first"), now)
    aws.calls.clear()
    began, cpu_began = time.monotonic(), time.process_time()
    accepted = sum(store.add(batch, now).accepted for batch in batches)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu_began
    if accepted != BATCH * BATCHES:
        raise RuntimeError(f"{accepted} events were accepted")
    return [
        Row("ingest, batches of 25, one after the other", accepted / seconds, "events/s"),
        Row("ingest, CPU of an event", cpu / accepted * 1000, "ms"),
        Row("ingest, calls of DynamoDB for a batch", aws.calls.total() / BATCHES, ""),
    ]
