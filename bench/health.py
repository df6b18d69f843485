"""The cost of events and health, in request units computed from calls and item sizes.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.health

DynamoDB's rules: a transaction costs 2 write units for each KB begun of each item. A strongly
consistent query costs 1 read unit for each 4 KB begun of all its items together. Sizes include
attribute names, as in DynamoDB. The real store runs on moto, and its requests and answers are
measured on the way.
"""

import os
import statistics
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench import prices
from bench.report import Row, table
from patchbay.health.bucket_codec import encode_bucket
from patchbay.health.buckets import LATENCY_BOUNDS_MS, SHARDS, Bucket, Tally
from patchbay.health.folding import CountFolder
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.periods import Period
from patchbay.health.shards import bucket_key, bucket_puts, spread_day_key
from patchbay.health.store import EventStore
from patchbay.health.summary import summarize, window_start
from patchbay.platform import aws
from patchbay.platform.dynamodb import Put, Table, connect
from tests.integration.table_calls import MotoTransport

SPACE: Final = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
CONNECTION: Final = "con_01KHZ0000000000000000000AB"
NOW: Final = datetime(2026, 2, 17, 1, 30, tzinfo=UTC)
"""The most expensive moment: 23 hours of the first day are read one by one."""

WRITE_UNITS_PER_EVENT: Final = 2.2
READ_UNITS_30_DAYS: Final = 5
READ_UNITS_366_DAYS: Final = 40
LATENCY_RATIO: Final = 1.1
RUNS: Final = 201
CALL_SECONDS: Final = 0.005
"""The time of a DynamoDB call, whether there are few events or many: their counts are 3 KB more."""


class Meter:
    """A DynamoDB client that measures its calls."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.reset()

    def reset(self) -> None:
        self.read_units = self.write_units = self.queries = 0

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def query(self, **request: Any) -> Any:
        answer = self._client.query(**request)
        self.queries += 1
        size = sum(map(item_bytes, answer["Items"]))
        self.read_units += max(1, -(-size // 4096))
        return answer

    def transact_write_items(self, **request: Any) -> Any:
        answer = self._client.transact_write_items(**request)
        for action in request["TransactItems"]:
            item = action["Put"]["Item"] if "Put" in action else action["Delete"]["Key"]
            self.write_units += 2 * -(-item_bytes(item) // 1024)
        return answer


def item_bytes(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(typed: Mapping[str, Any]) -> int:
    [(kind, value)] = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return -(-len(value.lstrip("-")) // 2) + 1
        case "B":
            return len(b64decode(value))
        case "M":
            return 3 + sum(1 + len(name) + value_bytes(v) for name, v in value.items())
        case _:
            return 1


def write_units(store: EventStore, meter: Meter) -> float:
    """Write units an event, of a batch of 25 of one hour with all fields, into existing buckets."""
    hour = NOW.replace(minute=0)
    for n in range(4):
        store.add(events_of_an_hour(25, hour, f"before-{n}"), NOW)
    meter.reset()
    store.add(events_of_an_hour(25, hour, "measured"), NOW)
    return meter.write_units / 25


def events_of_an_hour(count: int, start: datetime, name: str) -> list[Event]:
    kinds = list(IntegrationType)
    return [
        Event(
            id=f"evt_{name}-{number:020}",
            space_id=SPACE,
            integration_type=kinds[number % len(kinds)],
            status=EventStatus.ERROR if number % 5 == 0 else EventStatus.SUCCESS,
            occurred_at=start + timedelta(seconds=number),
            received_at=NOW,
            connection_id=CONNECTION,
            duration_ms=137 * number,
            error_code="provider_timeout",
            message="the provider did not answer within 10 seconds: " + "x" * 100,
            metadata={"job": "nightly", "attempt": 1},
        )
        for number in range(count)
    ]


def seed(table_: Table, days: int, events: int, shards: int, shards_today: int) -> None:
    """Writes the buckets of so many events over so many days, with all types and all slots.

    With more than one shard, the days are spread over them and have their notes.
    """
    start = window_start(NOW, days)
    periods = [Period.hour_of(start + timedelta(hours=n)) for n in range(23)]
    periods += [Period.day_of(start + timedelta(days=n)) for n in range(1, days + 1)]
    for period in periods:
        of_period = events * (period.end - period.start) // timedelta(days=days)
        spread = shards_today if period.end > NOW else shards
        for shard in range(spread):
            _seed_bucket(table_, period, of_period // spread, shard)


def _seed_bucket(table_: Table, period: Period, events: int, shard: int) -> None:
    of_type = max(1, events // len(IntegrationType))
    tally = Tally(
        success=of_type * 9 // 10,
        errors=of_type // 10,
        last_success_at=period.end - timedelta(minutes=1),
        last_error_at=period.end - timedelta(minutes=2),
        latency_sum_ms=of_type * 20_000,
        latencies=(of_type // (len(LATENCY_BOUNDS_MS) + 1),) * (len(LATENCY_BOUNDS_MS) + 1),
    )
    key = bucket_key(SPACE, period, shard)
    writes = list(bucket_puts(key, period, None, []))
    counts = encode_bucket(Bucket(dict.fromkeys(IntegrationType, tally)), period.start)
    revision = max(1, events // 25)
    table_.write(Put({**writes[0].item, "counts": counts, "revision": revision}))
    for note in writes[1:]:
        table_.write(note)
    if shard and not writes[1:]:
        # Only hours of the first day are written, and the note belongs to the day's own bucket.
        note_key = spread_day_key(SPACE, Period.day_of(period.start), shard)
        table_.write(Put({**note_key._asdict(), "expires_at": 1_900_000_000}))


def read_units(store: EventStore, meter: Meter, days: int) -> tuple[int, int]:
    """The read units and queries of one summary."""
    meter.reset()
    summarize(store.buckets_since(SPACE, window_start(NOW, days)), days, SPACE)
    return meter.read_units, meter.queries


class Replayed:
    """A client that answers queries from memory, so that only our own code is timed."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: dict[str, Any] = {}

    def query(self, **request: Any) -> Any:
        asked = repr(sorted(request.items(), key=lambda pair: pair[0]))
        if asked not in self._answers:
            self._answers[asked] = self._client.query(**request)
        return self._answers[asked]


def latencies(small: EventStore, large: EventStore) -> tuple[float, float]:
    """The median times of the 30-day summary in seconds, without DynamoDB. Runs alternate, since
    the machine may be busy."""

    def once(store: EventStore) -> float:
        begun = time.perf_counter()
        summarize(store.buckets_since(SPACE, window_start(NOW, 30)), 30, SPACE)
        return time.perf_counter() - begun

    runs = [(once(small), once(large)) for _ in range(RUNS)]
    return (
        statistics.median(one for one, _ in runs),
        statistics.median(other for _, other in runs),
    )


def rows() -> list[Row]:
    from moto import mock_aws

    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    with mock_aws():
        return _rows()


def _rows() -> list[Row]:
    connect().transport = MotoTransport()
    client = connect()
    meter = Meter(client)
    measured: Any = meter
    found: list[Row] = []

    def fresh(name: str) -> Table:
        _create(aws.client("dynamodb"), name)
        return Table(name, measured)

    written = write_units(EventStore(fresh("ingest"), 35, NO_RUNS), meter)
    million = 1_000_000
    found += [
        Row("ingest, batches of 25, an event", written, "WRU", WRITE_UNITS_PER_EVENT),
        Row(
            "cost: a million events, 25 a request",
            prices.units(write=million * written) + prices.requests(million / 25),
            "$",
        ),
    ]
    replayed: Any = Replayed(client)
    timed: list[EventStore] = []
    # Today is not over: a busy space has it on all shards in any case.
    for label, days, count, shards, shards_today, budget in (
        ("30 days, 10³ events", 30, 10**3, 1, 1, READ_UNITS_30_DAYS),
        ("30 days, 10⁶ events", 30, 10**6, 1, 1, READ_UNITS_30_DAYS),
        ("30 days, 10⁶ events, spread", 30, 10**6, SHARDS, SHARDS, READ_UNITS_30_DAYS),
        ("30 days, 10⁷ events, busy", 30, 10**7, 1, SHARDS, None),
        ("366 days, 10⁶ events", 366, 10**6, 1, 1, READ_UNITS_366_DAYS),
        ("366 days, 10⁷ events, busy", 366, 10**7, 1, SHARDS, READ_UNITS_366_DAYS),
    ):
        seeded = fresh(f"summary-{days}-{count}-{shards}-{shards_today}")
        seed(seeded, days, count, shards, shards_today)
        store = EventStore(seeded, 35, NO_RUNS)
        if shards > 1:
            units, _ = read_units(store, meter, days)
            found.append(Row(f"summary, {label}: before the fold", units, "RRU"))
            _fold(seeded)
        units, queries = read_units(store, meter, days)
        found.append(Row(f"summary, {label}", units, "RRU", budget))
        found.append(Row(f"summary, {label}: queries", queries, "queries", 2))
        if label == "30 days, 10⁶ events":
            # Reading the space takes two more units.
            price = prices.units(read=million * (units + 2)) + prices.requests(million)
            found.append(Row(f"cost: a million requests of the summary, {label}", price, "$"))
        timed.append(EventStore(Table(seeded.name, replayed), 35, NO_RUNS))
    few, many = latencies(timed[0], timed[1])
    calls = 2 * CALL_SECONDS
    found += [
        Row("summary, 30 days, 10³ events: our own code", few * 1000, "ms"),
        Row("summary, 30 days, 10⁶ events: our own code", many * 1000, "ms"),
        Row(
            f"summary, latency at 10⁶ ÷ at 10³ events, calls at {CALL_SECONDS * 1000:.0f} ms",
            (many + calls) / (few + calls),
            "",
            LATENCY_RATIO,
        ),
    ]
    return found


def _fold(table_: Table) -> None:
    """Runs both steps, the second when readers are done. Today is not over and is not folded."""
    for minutes in (0, 15, 30):
        now = NOW + timedelta(minutes=minutes)
        CountFolder(table_, _at(now)).run(timedelta(days=1))


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def _create(client: Any, name: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


if __name__ == "__main__":
    print(table(rows()))
