"""What monitored connections cost: CPU and time of a slot of 1,000 tests, and a month in dollars.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.monitors [50 5 1 organizations]

The product runs alone in the measured process; AWS (`stand_in`, 5 ms a call) and the provider are
other processes. A slot is a minute at which all 1,000 connections are due, with answers that take a
second. A month is a simulated hour of 1,000 connections each five minutes, with answers that take a
tenth of a second, and the ends of two simulated days of fewer connections, for what is done once a
day. The sweeps of an hour are run one after the other, so a run in AWS waits no longer than here.
"""

import multiprocessing
import os
import statistics
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bench import cost
from bench.cost import MONTH_BUDGET
from bench.fleet import MINUTE, Fleet, Shape, Used
from bench.prices import Amounts, dollars
from bench.provider import provider
from bench.report import Row, table
from bench.stand_in import CALL_SECONDS, stand_in

CONNECTIONS: Final = 1000
SHAPES: Final = {
    "50": Shape(CONNECTIONS, 20, "1m"),
    "5": Shape(CONNECTIONS, 200, "1m"),
    "1": Shape(CONNECTIONS, 1000, "1m"),
    "organizations": Shape(CONNECTIONS, 1000, "1m", organizations=1000),
}
NAMES: Final = {
    "50": "50 of a space",
    "5": "5 of a space",
    "1": "1 of a space",
    "organizations": "1,000 organizations of one",
}
CPU_BUDGET_MS: Final = {"50": 0.5, "1": 0.9}
WRITE_BUDGET: Final = {"50": 0.1, "5": 0.25, "1": 0.3, "organizations": 0.3}
READ_BUDGET: Final = 0.8
WALL_BUDGET_SECONDS: Final = {"1": 5.0}
DISPATCH_BUDGET_SECONDS: Final = 5.0

WARM_UP: Final = 40
"""Minutes before, in which spaces get their layouts, and plans are moved."""
PAUSE: Final = timedelta(hours=2)
"""After it, plans that were moved are gone where they were."""
AGAIN: Final = 12
"""Tests of each connection after that: its state is steady, and everything is loaded."""
DAY_CONNECTIONS: Final = 100
DAY: Final = datetime(2026, 2, 17, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slot:
    """A minute at which all connections are due."""

    seconds: float
    """Of the fastest of three."""
    cpu_ms: float
    """Of a test, the median of three."""
    calls: float
    """Of AWS, for a test."""


@dataclass(frozen=True, slots=True)
class Month:
    """1,000 connections each five minutes."""

    written: float
    """Units for a test, without those of alerts; so `read`."""
    written_by_folds: float
    read: float
    read_by_folds: float
    amounts: dict[str, Amounts]
    """By part."""
    fixed: Amounts
    """Whatever is monitored."""
    dispatch_seconds: float


def slot(shape: Shape) -> Slot:
    """Measures in this process, which does nothing else before or after."""
    with stand_in() as aws, provider() as server:
        fleet = Fleet(aws, server, replace(shape, lanes=1))
        begin = DAY + timedelta(hours=9)
        fleet.at(begin - MINUTE)
        fleet.seed()
        _run(fleet, begin, WARM_UP)
        begin += PAUSE
        fleet.skip_to(begin)
        _run(fleet, begin, AGAIN)
        aws.pace(CALL_SECONDS)
        server.take(1.0)
        seconds, cpu, calls = [], [], []
        for number in range(3):
            fleet.taken()
            fleet.minute(begin + (AGAIN + number) * MINUTE)
            used = fleet.taken()
            # On a busy machine a few are probed again.
            if not shape.connections <= used.tests <= shape.connections * 1.05:
                raise RuntimeError(f"{used.tests} tests were made")
            seconds.append(used.wall["run_monitors"])
            cpu.append(used.cpu["run_monitors"])
            calls.append(used.total("calls", "run_monitors"))
        tests = shape.connections
        return Slot(min(seconds), statistics.median(cpu) / tests * 1000, calls[-1] / tests)


def month(shape: Shape, daily: Used) -> Month:
    """Measures an hour in this process; `daily` is what `once_a_day` found."""
    shape = replace(shape, interval="5m", rules=True)
    with stand_in() as aws, provider() as server:
        fleet = Fleet(aws, server, shape)
        begin = DAY + timedelta(hours=9)
        fleet.at(begin - MINUTE)
        fleet.seed()
        # The rules are evaluated here too: what a new rule costs once is of no month.
        _run(fleet, begin, 120, evaluate=True)
        fleet.taken()
        aws.pace(CALL_SECONDS)
        server.take(0.1)
        begin += timedelta(hours=2)
        before = fleet.tests_counted(1)
        fleet.taken()
        # Each quiet space has its look within it.
        _run(fleet, begin, 60, evaluate=True)
        hour = fleet.taken()
        counted = fleet.tests_counted(1) - before
        if counted != 12 * shape.connections:
            raise RuntimeError(f"the summaries have {counted} tests of the hour")
        stored = sum(one["bytes"] for one in aws.stored().values())
        dispatch = hour.wall["dispatch_monitors"] / hour.runs["dispatch_monitors"]
        template = fleet.template
    day = Used().plus(hour, 24).plus(daily, CONNECTIONS / DAY_CONNECTIONS)
    tests = 24 * 12 * shape.connections
    of_tests = _without(day, "evaluate_alerts")
    return Month(
        written=of_tests.total("written") / tests,
        written_by_folds=day.total("written", "fold_counts") / tests,
        read=of_tests.total("read") / tests,
        read_by_folds=day.total("read", "fold_counts") / tests,
        amounts=cost.of_days(template, day, stored),
        fixed=cost.total(cost.fixed(template, busy=cost.BUSY).values()),
        dispatch_seconds=dispatch,
    )


def once_a_day(shape: Shape) -> Used:
    """What a day costs beyond its hours: a whole day and the next night, less as many hours."""
    share = shape.connections // DAY_CONNECTIONS
    fewer = replace(
        shape,
        interval="5m",
        connections=DAY_CONNECTIONS,
        spaces=shape.spaces // share,
        organizations=max(1, shape.organizations // share),
    )
    with stand_in() as aws, provider() as server:
        fleet = Fleet(aws, server, fewer)
        fleet.at(DAY - 150 * MINUTE)
        fleet.seed()
        _run(fleet, DAY - 120 * MINUTE, 120)
        fleet.taken()
        # The minutes at which a day begins, a usual hour, the rest, and the night after.
        _run(fleet, DAY, 120)
        night = fleet.taken()
        _run(fleet, DAY + timedelta(hours=2), 60)
        hour = fleet.taken()
        _run(fleet, DAY + timedelta(hours=3), 21 * 60)
        fleet.taken()
        _run(fleet, DAY + timedelta(hours=24), 120)
        night = _only(fleet.taken(), "fold_counts").plus(_without(night, "fold_counts"), 1)
        extra = night.plus(hour, -2)
    for name in ("cpu", "wall", "runs"):
        setattr(extra, name, Counter())
    extra.log_bytes, extra.deliveries = 0, 0
    for one in extra.aws.values():
        for what, found in one.items():
            one[what] = Counter({name: max(0, count) for name, count in found.items()})
    return extra


def _run(fleet: Fleet, begin: datetime, minutes: int, *, evaluate: bool = False) -> None:
    for number in range(minutes):
        minute = begin + number * MINUTE
        fleet.minute(minute)
        if evaluate:
            fleet.evaluate(minute)


def _only(used: Used, function: str) -> Used:
    return Used(
        cpu=Counter({function: used.cpu[function]}),
        wall=Counter({function: used.wall[function]}),
        runs=Counter({function: used.runs[function]}),
        aws={function: used.aws.get(function, {})},
    )


def _without(used: Used, function: str) -> Used:
    return used.plus(_only(used, function), -1)


def _processes(count: int) -> ProcessPoolExecutor:
    """A process for each measurement: clients, keys, and clocks are of a process."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, spawn, max_tasks_per_child=1)


def rows_of(names: list[str]) -> list[Row]:
    shapes = [SHAPES[name] for name in names]
    # Days are simulated for their units alone, so they may share the machine.
    with _processes(os.cpu_count() or 1) as together:
        days = list(together.map(once_a_day, shapes))
    with _processes(1) as alone:
        slots = list(alone.map(slot, shapes))
        months = list(alone.map(month, shapes, days))
    for name, spent in zip(names, months, strict=True):
        print(f"    {NAMES[name]!r}: {_pasted(spent.amounts)},", file=sys.stderr)
    found = zip(names, slots, months, strict=True)
    return [row for name, one, spent in found for row in _rows(name, one, spent)]


def _pasted(amounts: dict[str, Amounts]) -> dict[str, dict[str, float]]:
    """The amounts as `measured.MONITORED` has them."""
    return {
        part: {name: float(f"{amount:.4g}") for name, amount in found.items() if amount}
        for part, found in amounts.items()
    }


def _rows(name: str, one: Slot, spent: Month) -> list[Row]:
    what = f"monitors, {NAMES[name]}:"
    parts = {part: dollars(amounts) for part, amounts in spent.amounts.items()}
    fixed = dollars(spent.fixed)
    both = cost.total([spent.fixed, *spent.amounts.values()])
    return [
        Row(f"{what} CPU of a test", one.cpu_ms, "ms", CPU_BUDGET_MS.get(name)),
        Row(f"{what} calls of a test", one.calls, ""),
        Row(f"{what} 1,000 tests of 1 s", one.seconds, "s", WALL_BUDGET_SECONDS.get(name)),
        Row(f"{what} a test", spent.written, "WRU", WRITE_BUDGET[name]),
        Row(f"{what} of it folds", spent.written_by_folds, "WRU"),
        Row(f"{what} a test", spent.read, "RRU", READ_BUDGET),
        Row(f"{what} of it folds", spent.read_by_folds, "RRU"),
        Row(f"{what} dispatch of a minute", spent.dispatch_seconds, "s", DISPATCH_BUDGET_SECONDS),
        Row(f"{what} each 5 minutes, a month", sum(parts.values()), "$"),
        *(Row(f"{what} of it {part}", spent, "$") for part, spent in parts.items()),
        Row(f"{what} and whatever is monitored: key, alarms, schedules, polls", fixed, "$"),
        Row(
            f"{what} all, beyond the allowances", dollars(both, allowances=True), "$", MONTH_BUDGET
        ),
    ]


def rows() -> list[Row]:
    return rows_of(list(SHAPES))


def main(names: list[str]) -> None:
    print(table(rows_of(names or list(SHAPES))))


if __name__ == "__main__":
    main(sys.argv[1:])
