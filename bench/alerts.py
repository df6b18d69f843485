"""How many spaces with rules one evaluator does in a minute, their cost, and how fast days that are
over are folded and closed.

The product runs alone in the measured process; AWS is another one (`stand_in`, 5 ms a call). Of the
spaces 90% are quiet, 8% have an error every five minutes, and 2% have an alert that fires. Each has
three rules: a success rate, staleness, and connections that are down. An hour is run minute by
minute, so that each quiet space is looked at once; batches for the queue are done by the same
evaluator.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any, Final
from unittest import mock
from uuid import UUID

from bench import prices
from bench.fleet import MINUTE
from bench.report import Row, table
from bench.runs import DAY, Monitors
from bench.stand_in import CALL_SECONDS, StandIn, stand_in
from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.alerts.evaluator import EvaluationReport
from patchbay.alerts.rule_model import AlertRule
from patchbay.alerts.schedule import LOOK_MINUTES, SETTLE_MINUTES, each_hour
from patchbay.alerts.wakes import watch_key
from patchbay.deployment import Deployment
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.periods import Period
from patchbay.health.shards import bucket_key, bucket_puts
from patchbay.platform.dynamodb import Item, Put, Table, Write
from patchbay.platform.ids import Stamp
from patchbay.tenancy.model import NewOrganization, Organization

SPACES: Final = 1000
BUDGET: Final = 20_000
FOLDS_BUDGET: Final = 49_000
CLOSINGS_BUDGET: Final = 200_000
"""A million connections, five in each space."""
START: Final = datetime(2026, 2, 17, 9, 50, 20, tzinfo=UTC)
MEGABYTES: Final = 1024
"""The memory of the function in template.yaml. A whole vCPU is 1,769 MB."""
_SHARE: Final = MEGABYTES / 1769
_MONTH: Final = 30 * 24 * 60
_ERRORS_EVERY: Final = 5
_FOLDED: Final = 50
"""Spread space-days, of 24 hours on four shards each."""
_BUDGET_SECONDS: Final = 400 * 96
"""What the function that folds, and then closes, has for each of both in a day."""
_CLOSED: Final = (("with 5 connections", 48, 1, 5), ("with 1, in pools of 24", 4, 24, 1))
"""Days of runs at 5 minutes: cells, the spaces of each, and their connections."""


def rows() -> list[Row]:
    with stand_in() as aws, mock.patch.dict(os.environ, _environment(aws)):
        minute = _Minutes(aws)
        return [*minute.steady(), *minute.woken(), *_folds(aws), *_closings(aws)]


def _environment(aws: StandIn) -> dict[str, str]:
    return aws.environment() | {
        "INTEGRATIONS_TABLE": "IntegrationsTable",
        "EVENTS_TABLE": "EventsTable",
        "RAW_EVENT_DAYS": "35",
        "NOTIFICATION_QUEUE_URL": f"{aws.url}/0/NotificationQueue",
        "EVALUATION_QUEUE_URL": f"{aws.url}/0/EvaluationQueue",
        "API_HOST": "api.example.com",
        "PUBLIC_URL": "",
    }


class _Minutes:
    """A deployment of one evaluator, whose clock is ours."""

    def __init__(self, aws: StandIn) -> None:
        self._aws = aws
        self._now = START
        self._here = Deployment(clock=lambda: self._now)
        self._spaces = [str(UUID(int=number)) for number in range(1, SPACES + 1)]
        self._firing = self._spaces[: SPACES // 50]
        self._failing = self._spaces[SPACES // 50 : SPACES // 10]
        stamp = Stamp.fresh(START)
        organization = self._here.tenants.create_organization(NewOrganization(name="o"), stamp)
        integrations = Table("IntegrationsTable")
        _write(integrations, [i for one in self._spaces for i in _ruled(one, organization)])
        _write(Table("EventsTable"), [i for one in self._spaces for i in _counted(one)])
        aws.at(START.timestamp())

    def steady(self) -> Iterator[Row]:
        """What an hour takes, and costs."""
        self._settle()
        self._aws.counts()
        seconds = cpu = 0.0
        evaluated = 0
        for number in range(LOOK_MINUTES):
            self._now += MINUTE
            self._wake(number)
            wall, used, report = self._minute()
            seconds, cpu, evaluated = seconds + wall, cpu + used, evaluated + report
        self._aws.pace(0)
        counts = self._aws.counts()
        # With less than a vCPU, the CPU may take longer than the calls.
        needed = max(seconds, cpu / _SHARE)
        yield Row(
            "spaces with rules a minute, one evaluator",
            SPACES * LOOK_MINUTES * 60 / needed,
            "spaces",
            BUDGET,
            more_is_better=True,
        )
        yield Row("evaluating one space: CPU", cpu / evaluated * 1000, "ms")
        part = evaluated / LOOK_MINUTES / SPACES * 100
        yield Row("spaces evaluated in a minute, of those with rules", part, "%")
        months = _MONTH / LOOK_MINUTES * 1000 / SPACES
        read = sum(counts["read"].values()) * months
        written = sum(counts["written"].values()) * months
        yield Row("1,000 spaces with 3 rules, a month: reads", read / 1e6, "million RRU")
        yield Row("1,000 spaces with 3 rules, a month: writes", written / 1e6, "million WRU")
        dollars = prices.units(written, read) + prices.running(needed * months, MEGABYTES, _MONTH)
        yield Row("1,000 spaces with 3 rules, a month", dollars, "$")

    def woken(self) -> Iterator[Row]:
        """The worst minute: an outage of something that all of them use."""
        self._now += MINUTE
        for space_id in self._spaces:
            self._here.wake([space_id])
        wall, cpu, evaluated = self._minute()
        yield Row(
            "spaces evaluated in a minute, one evaluator, all at once",
            evaluated * 60 / max(wall, cpu / _SHARE),
            "spaces",
        )

    def _settle(self) -> None:
        """Opens the alerts that fire, and reads all rules once, as a warm function has."""
        self._here.wake(self._firing)
        for _ in range(SETTLE_MINUTES + 1):
            self._minute()
            self._now += MINUTE
        for space_id in self._spaces:
            self._here.watched_spaces.read(space_id, self._now)

    def _wake(self, number: int) -> None:
        """Those whose error comes at this minute. Its units count; its time is that of others."""
        self._here.wake(self._failing[number % _ERRORS_EVERY :: _ERRORS_EVERY])

    def _minute(self) -> tuple[float, float, int]:
        """Wall and CPU in seconds, and the spaces that were evaluated."""
        self._aws.pace(CALL_SECONDS)
        began, used = time.monotonic(), time.process_time()
        report = self._here.evaluator.run(self._now, lambda: 60.0)
        evaluated = report.spaces
        for message in self._aws.messages("EvaluationQueue"):
            batch = EvaluationBatch.of(message)
            evaluated += self._done(self._here.evaluator.run_batch(batch, lambda: 60.0))
        self._done(report)
        wall, cpu = time.monotonic() - began, time.process_time() - used
        self._aws.pace(0)
        return wall, cpu, evaluated

    def _done(self, report: EvaluationReport) -> int:
        if report.failed or not report.finished:
            raise RuntimeError(f"an evaluation failed: {report}")
        return report.spaces


def _ruled(space_id: str, organization: Organization) -> Iterator[Item]:
    """The items of a space with three rules, which is quiet."""
    from patchbay.alerts.rule_store import rule_item
    from patchbay.tenancy.keys import space_by_id_key, space_key

    slug = f"s-{space_id[-8:]}"
    conditions: list[dict[str, Any]] = [
        {"kind": "success_rate", "threshold": 90},
        {"kind": "stale", "after_seconds": 24 * 3600},
        {"kind": "connection_down"},
    ]
    begun = START - timedelta(days=2)
    for number, condition in enumerate(conditions):
        yield rule_item(
            AlertRule.model_validate(
                {
                    "id": f"rul_{number}",
                    "organization_id": organization.id,
                    "space": slug,
                    "space_id": space_id,
                    "name": "Rule",
                    "enabled": True,
                    "severity": "warning",
                    "condition": condition,
                    "for_seconds": 0,
                    "keep_firing_for_seconds": 0,
                    "reminder_seconds": 0,
                    "channels": [],
                    "created_at": begun,
                    "updated_at": begun,
                    "watching_since": begun,
                    "revision": 1,
                }
            )
        )
    entry = each_hour(space_id)
    yield {**watch_key(space_id)._asdict(), "rules": 3, "changes": 3, **entry.attributes}
    place = {"organization_id": organization.id, "slug": slug}
    yield {**space_by_id_key(space_id)._asdict(), **place}
    yield {
        **space_key(organization.id, slug)._asdict(),
        **place,
        "id": space_id,
        "name": "Space",
        "uses": 3,
        "created_at": begun.isoformat(),
        "updated_at": begun.isoformat(),
        "revision": 1,
    }


def _counted(space_id: str) -> Iterator[Item]:
    """The buckets of a day: 100 successes an hour; of one space in 50, nothing but errors, and of
    others a few."""
    number = UUID(space_id).int - 1
    errors = 100 if number < SPACES // 50 else 5 if number < SPACES // 10 else 0
    for hours in range(25):
        hour = Period.hour_of(START - timedelta(hours=hours))
        events = [_event(space_id, hour, one < errors) for one in range(100)]
        [put] = bucket_puts(bucket_key(space_id, hour, 0), hour, None, events)
        yield put.item


def _event(space_id: str, hour: Period, failed: bool) -> Event:
    return Event(
        id="evt_1",
        space_id=space_id,
        integration_type=IntegrationType.CONNECTION_TEST,
        status=EventStatus.ERROR if failed else EventStatus.SUCCESS,
        occurred_at=hour.start,
        received_at=hour.start,
        duration_ms=120,
    )


def _folds(aws: StandIn) -> Iterator[Row]:
    events = Table("EventsTable")
    day = Period.day_of(START - timedelta(days=1))
    hours = [Period.hour_of(day.start + timedelta(hours=n)) for n in range(24)]
    for number in range(_FOLDED):
        space_id = str(UUID(int=number + 1))
        writes: list[Put] = []
        for period in (day, *hours):
            event = [_event(space_id, Period.hour_of(period.start), failed=False)]
            for shard in (0, 3, 5, 7):
                writes += bucket_puts(bucket_key(space_id, period, shard), period, None, event)
        _write(events, [write.item for write in writes])
    now = START
    folder = Deployment(clock=lambda: now).count_folder
    seconds = cpu = 0.0
    for minutes in (0, 20, 40):
        now = START + timedelta(minutes=minutes)
        aws.pace(CALL_SECONDS)
        began, used = time.monotonic(), time.process_time()
        folder.run(timedelta(hours=1))
        seconds += time.monotonic() - began
        cpu += time.process_time() - used
        aws.pace(0)
    if folder.run(timedelta(hours=1)).days:
        raise RuntimeError("days are left")
    folded = _FOLDED / seconds * _BUDGET_SECONDS
    what = "spread space-days that are folded in a day"
    yield Row(what, folded, "days", FOLDS_BUDGET, more_is_better=True)
    yield Row("folding a spread space-day: CPU", cpu / _FOLDED * 1000, "ms")


def _closings(aws: StandIn) -> Iterator[Row]:
    events = Table("EventsTable")
    now = DAY + timedelta(days=1, hours=2)
    for name, cells, spaces, connections in _CLOSED:
        for number in range(cells):
            monitors = Monitors(spaces, connections, number + 1)
            monitors.record_until(DAY + timedelta(days=1))
            _write(events, list(monitors.items()))
        closer = Deployment(clock=lambda: now).day_closer
        aws.pace(CALL_SECONDS)
        began, used = time.monotonic(), time.process_time()
        done = closer.run(timedelta(hours=1))
        seconds, cpu = time.monotonic() - began, time.process_time() - used
        aws.pace(0)
        if done.closed != cells or done.oldest is not None or done.unexpected:
            raise RuntimeError(f"days are left: {done}")
        days = cells * spaces
        closed = days / max(seconds, cpu) * _BUDGET_SECONDS
        what = f"days of spaces {name} that are closed in a day"
        yield Row(what, closed, "days", CLOSINGS_BUDGET, more_is_better=True)
        yield Row(f"closing a day of a space {name}: CPU", cpu / days * 1000, "ms")


def _write(into: Table, items: list[Item]) -> None:
    for some in batched(items, 100, strict=False):
        puts: list[Write] = [Put(item) for item in some]
        into.transact(puts)


if __name__ == "__main__":
    print(table(rows()))
