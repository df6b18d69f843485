"""A deployment of 10⁶ connections at 5 minutes, simulated: what breaks first, and at what size.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.scale
    … -m bench.scale --markdown    the tables of docs/operating/scale.md

Nothing is measured here. The costs of a test, a plan, a space, and a day are what other benches
measured (`measured.SCALE`); the limits are those of the template, of the product, and of AWS. An
hour is run minute by minute for one size at a time: the sweeps that are due, and the functions that
take them from the queue. What else is asked for in a minute follows from the size. A part
**breaks** when it falls behind and doesn't catch up, or is asked for more than it can do in a
minute. The size at which it does is found by bisection, each part with the others unlimited:
otherwise the first would hide the rest.
"""

import heapq
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.measured import SCALE, ScaleCosts
from bench.report import Row, table
from fold_counts import BUDGET as FOLD_BUDGET
from patchbay.connections.layouts import POOLED_BELOW, SPACES_OF_POOL
from patchbay.health.shards import LANES as FOLD_LANES
from patchbay.monitors.lanes import CONNECTIONS_OF_A_SWEEP
from patchbay.monitors.sweeper import SweepLimits
from tests.integration.cloudformation import by_default, read_template

MINUTES: Final = 60
INTERVAL: Final = 5
SHOWN: Final = 1_000_000
SMALLEST: Final = 1_000
LARGEST: Final = 1_000_000_000
LATE_SECONDS: Final = 60.0
"""A sweep that starts later than this after its minute is late: the next ones are due by then."""

PARTITION_READS: Final = 3_000
PARTITION_WRITES: Final = 1_000
"""Units a second of one partition, before DynamoDB splits it for its heat.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""
TABLE_UNITS: Final = 40_000
"""Units a second of an on-demand table, of each kind: a quota that can be raised.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
IN_FLIGHT: Final = 120_000
"""Messages of a standard queue.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
ACCOUNT_CONCURRENCY: Final = 1_000
"""Functions of an account that run at once: a quota that can be raised. New accounts have less.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
VCPU_MEGABYTES: Final = 1_769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the template and the product."""

    concurrency: int
    """Functions that test at once."""
    evaluators: int
    vcpus: float
    """Of a function that tests."""
    closing_vcpus: float
    closing_seconds: float
    """That the closing of days has each day."""
    sweep_seconds: float
    """That an invocation has for tests before it hands the rest back."""
    in_flight: int = SweepLimits().in_flight
    tests_of_sweep: int = CONNECTIONS_OF_A_SWEEP

    @classmethod
    def of(cls, template: dict[str, Any]) -> "Limits":
        resources = template["Resources"]

        def cap(function: str, event: str) -> int:
            source = resources[function]["Properties"]["Events"][event]["Properties"]
            return int(by_default(source["ScalingConfig"]["MaximumConcurrency"], template))

        runner = resources["RunMonitorsFunction"]["Properties"]
        folder = resources["FoldCountsFunction"]["Properties"]
        return cls(
            concurrency=cap("RunMonitorsFunction", "Sweep"),
            evaluators=cap("EvaluateAlertsFunction", "Batch"),
            vcpus=runner["MemorySize"] / VCPU_MEGABYTES,
            closing_vcpus=folder["MemorySize"] / VCPU_MEGABYTES,
            closing_seconds=FOLD_BUDGET.total_seconds() * 24 * 4,
            sweep_seconds=runner["Timeout"] - SweepLimits().page_seconds,
        )


@dataclass(frozen=True, slots=True)
class Population:
    """The share of connections in spaces of each size, and the share of spaces with rules."""

    shares: tuple[tuple[int, float], ...] = ((50, 0.5), (5, 0.35), (1, 0.15))
    with_rules: float = 0.5
    slow: float = 0.01
    """Tests that wait until their time limit."""
    target_seconds: float = 0.5
    """That a usual target takes."""

    def spaces(self, connections: float) -> float:
        return sum(connections * share / size for size, share in self.shares)

    def cells(self, connections: float) -> float:
        """What shares runs: spaces, and pools of small ones."""
        return sum(
            connections * share / size / (SPACES_OF_POOL if size < POOLED_BELOW else 1)
            for size, share in self.shares
        )

    def of_a_test(self, by_size: dict[int, float]) -> float:
        """The mean of a cost that depends on the size of the space."""
        return sum(share * by_size[size] for size, share in self.shares)


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for, as a share of a limit: in a minute, and in its busiest seconds.

    Above the second, calls are throttled and repeated, so it takes longer. Above the first, it is
    not done before the next minute.
    """

    name: str
    share: float
    burst: float
    limit: str


@dataclass(frozen=True, slots=True)
class World:
    """What a simulation is of."""

    costs: ScaleCosts
    limits: Limits
    population: Population = Population()

    def lags(self, connections: float) -> list[float]:
        """How late the last sweep of each minute started, in seconds."""
        due = connections / INTERVAL
        sweeps = max(1, round(due / self.limits.tests_of_sweep))
        workers = [0.0] * self.limits.concurrency
        queue: deque[tuple[float, float]] = deque()
        lags = []
        for minute in range(MINUTES):
            begins, ends = minute * 60.0, minute * 60.0 + 60
            queue.extend([(begins, due / sweeps)] * sweeps)
            late = 0.0
            # The functions that are free within the minute take what was sent first.
            while queue and workers[0] < ends:
                sent, tests = queue.popleft()
                starts = max(sent, workers[0], begins)
                seconds, left = self.sweep(tests)
                heapq.heapreplace(workers, starts + seconds)
                late = max(late, starts - sent)
                if left:
                    queue.append((starts + seconds, left))
            lags.append(max(late, ends - queue[0][0]) if queue else late)
        return lags

    def rate(self) -> float:
        """Tests a second of one function that always has some to do."""
        slow = self.population.slow
        waits = self.population.target_seconds + slow * self.costs.slow_test_seconds
        return min(self.limits.in_flight / waits, self.limits.vcpus / self.costs.cpu_of_test)

    def sweep(self, tests: float) -> tuple[float, float]:
        """How long a function takes for a sweep, and how many tests it hands back."""
        fits = min(tests, self.rate() * self.limits.sweep_seconds)
        # The sweep ends when its slowest test does.
        hangs = fits * self.population.slow >= 1
        slowest = self.costs.slow_test_seconds if hangs else self.population.target_seconds
        return self.costs.seconds_of_invocation + fits / self.rate() + slowest, tests - fits

    def falls_behind(self, connections: float) -> bool:
        lags = self.lags(connections)
        return lags[-1] > LATE_SECONDS and lags[-1] > lags[MINUTES // 2]

    def asked(self, connections: float) -> Iterator[Part]:
        """What each part is asked for."""
        costs, limits, population = self.costs, self.limits, self.population
        due = connections / INTERVAL
        sweeps = max(1.0, due / limits.tests_of_sweep)
        # Without a limit, sweeps read and write as fast as they test; with one, in a minute.
        seconds = min(60.0, max(1.0, due / min(sweeps, limits.concurrency) / self.rate()))

        def of_a_minute(name: str, units: float, most: int, unit: str) -> Part:
            return Part(name, units / 60 / most, units / seconds / most, f"{most:,} {unit}")

        plans = due * costs.plan_bytes / 4096 / 2
        name = "reads of the plans of one minute, which are one partition"
        yield of_a_minute(name, plans, PARTITION_READS, "RRU/s")
        written = due * population.of_a_test(costs.write_units)
        yield of_a_minute("writes of tests", written, TABLE_UNITS, "WRU/s, a quota")
        read = due * population.of_a_test(costs.read_units)
        yield of_a_minute("reads of tests", read, TABLE_UNITS, "RRU/s, a quota")
        notes = population.cells(connections) / INTERVAL / FOLD_LANES
        name = "fold notes after midnight, one of eight partitions"
        yield of_a_minute(name, notes, PARTITION_WRITES, "WRU/s")
        spaces = population.spaces(connections) * population.with_rules
        share = spaces / costs.evaluator_spaces_a_minute / limits.evaluators
        yield Part("evaluators of alert rules", share, share, f"{limits.evaluators} functions")
        closing = connections * 24 * 60 / INTERVAL * population.of_a_test(costs.closing_seconds)
        share = closing / limits.closing_vcpus / limits.closing_seconds
        limit = f"{limits.closing_seconds:,.0f} s a day of one function"
        yield Part("the closing of days", share, share, limit)
        share = sweeps / IN_FLIGHT
        yield Part("messages in flight", share, share, f"{IN_FLIGHT:,}")


def breaking(breaks: Callable[[float], bool]) -> int | None:
    """The smallest size, to one percent, at which a part breaks; None if it never does."""
    smallest, largest = SMALLEST, LARGEST
    if not breaks(largest):
        return None
    while largest - smallest > max(1, smallest // 100):
        # Sizes of all magnitudes are tried
        middle = round((smallest * largest) ** 0.5)
        smallest, largest = (smallest, middle) if breaks(middle) else (middle, largest)
    return largest


@dataclass(frozen=True, slots=True)
class Broken:
    """A part, and the sizes from which it falls behind and from which it throttles, if any."""

    part: str
    size: int
    throttles: int | None
    limit: str


def _breaking(asked: Callable[[float], Part]) -> tuple[int | None, int | None]:
    """The sizes at which a part can't be done in a minute, and in its busiest seconds."""
    size = breaking(lambda connections: asked(connections).share > 1)
    return size, breaking(lambda connections: asked(connections).burst > 1)


def parts(world: World) -> list[Broken]:
    """The parts, the one that breaks first before the others."""
    limits = world.limits
    found = []
    if size := breaking(world.falls_behind):
        found.append(Broken("the functions that test", size, None, f"{limits.concurrency} at once"))
    for number, part in enumerate(world.asked(SHOWN)):

        def asked(connections: float, number: int = number) -> Part:
            return list(world.asked(connections))[number]

        size, burst = _breaking(asked)
        if size:
            found.append(Broken(part.name, size, burst if burst != size else None, part.limit))
    return sorted(found, key=lambda one: one.size)


def worlds() -> tuple[World, World]:
    """As the template has it, and with an account's whole concurrency for functions that test."""
    limits = Limits.of(read_template())
    raised = Limits(
        **{name: getattr(limits, name) for name in Limits.__slots__}
        | {"concurrency": ACCOUNT_CONCURRENCY}
    )
    return World(SCALE, limits), World(SCALE, raised)


def rows() -> list[Row]:
    as_it_is, raised = worlds()
    return [
        *(
            Row(f"scale: connections at 5 minutes until this breaks: {one.part}", one.size, "")
            for one in parts(as_it_is)
        ),
        Row("scale: lag of sweeps after an hour at 10⁶", as_it_is.lags(SHOWN)[-1], "s"),
        Row("scale: the same with 1,000 functions", raised.lags(SHOWN)[-1], "s", LATE_SECONDS),
    ]


def markdown() -> str:
    """The tables of docs/operating/scale.md."""
    as_it_is, raised = worlds()
    at_once = as_it_is.limits.concurrency
    lines = ["| | part | breaks beyond | throttles from | its limit |", "|---|---|---|---|---|"]
    for number, one in enumerate(parts(as_it_is), 1):
        throttles = _size(one.throttles) if one.throttles else ""
        cells = (number, one.part, _size(one.size), throttles, one.limit)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", f"| at 10⁶ | {at_once} functions | {ACCOUNT_CONCURRENCY:,} functions |"]
    lines.append("|---|---|---|")
    lags = " | ".join(f"{world.lags(SHOWN)[-1]:,.0f} s" for world in (as_it_is, raised))
    lines.append(f"| lag of the last sweep after an hour | {lags} |")
    for both in zip(as_it_is.asked(SHOWN), raised.asked(SHOWN), strict=True):
        shares = " | ".join(f"{part.share:.0%}, at most {part.burst:.0%}" for part in both)
        lines.append(f"| {both[0].name}, of the limit | {shares} |")
    return "\n".join(lines)


def _size(size: int) -> str:
    """With two digits that count: it is known to one percent at best."""
    rounded = float(f"{size:.1e}")
    return f"{rounded / 1e6:,.1f} million" if rounded >= 1e6 else f"{rounded:,.0f}"


if __name__ == "__main__":
    print(markdown() if sys.argv[1:] == ["--markdown"] else table(rows()))
