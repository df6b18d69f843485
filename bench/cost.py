"""What a deployment costs in a month: by the template, by measured amounts, by list prices.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.cost
    … -m bench.cost --markdown    the tables of docs/costs.md
    … -m bench.cost --measure     what an idle run uses, for `measured.IDLE_RUNS`

The template says what there is whether it is used or not: alarms, keys, schedules, queues that are
polled, traces. What is monitored adds amounts that the bench `monitors` counted (`measured`). A
month has 30 days.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from bench.measured import IDLE_RUNS, MONITORED, PLATFORM_LOG_BYTES, IdleRun
from bench.prices import PRICES, Amounts, dollars
from bench.report import Row, table
from tests.integration.cloudformation import by_default, read_template

if TYPE_CHECKING:
    from bench.fleet import Used

MINUTES: Final = 30 * 24 * 60
IDLE_BUDGET: Final = 2.0
MONTH_BUDGET: Final = 3.0

POLLS_A_MINUTE: Final = 3
"""Of one connection: Lambda waits 20 s for a message."""
POLLERS: Final = 2
CAPPED_POLLERS: Final = 5
"""Connections to a queue with little traffic; five if the mapping has `MaximumConcurrency`.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

PAID_VERSIONS: Final = 2
"""Of a key that rotates each year: KMS keeps all, and charges for the first two."""
REFERENCE_CALLS: Final = 2
"""Of a test whose secret nobody else refers to: its description, and its value. A batch of 20
values may be billed as one call, or as 20."""
TEST_EVERY_MINUTES: Final = 5

FUNCTION: Final = "AWS::Serverless::Function"
SIZES: Final = (1_000, 100_000)
BUSY: Final = frozenset({"dispatch_monitors", "evaluate_alerts", "fold_counts"})
"""Functions of schedules whose runs are counted with what is monitored."""
_IDLE_RUNS: Final = 12
_DAYS: Final = 30


def fixed(
    template: Mapping[str, Any],
    idle_runs: Mapping[str, IdleRun] = IDLE_RUNS,
    busy: Set[str] = frozenset(),
) -> dict[str, Amounts]:
    """What a month takes in which nothing is done, by part; without the functions `busy`."""
    every = dict(scheduled_runs(template))
    runs = {name: count for name, count in every.items() if name not in busy}
    return {
        "key": {"key": _count(template, "AWS::KMS::Key")},
        "alarms": _alarms(template),
        "dashboard": {"dashboard": _count(template, "AWS::CloudWatch::Dashboard")},
        "polls of queues": {"queue request": sum(polls(template).values())},
        "schedules": total(
            _of_runs(template, name, n, idle_runs[name]) for name, n in runs.items()
        ),
        "logs": _logs(
            sum(n * (idle_runs[name].log_bytes + PLATFORM_LOG_BYTES) for name, n in runs.items())
        ),
        "traces": {"trace": sum(every.values()) if traced(template) else 0},
    }


def scheduled_runs(template: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The functions that schedules start, and how often in a month."""
    for name, function in _resources(template, FUNCTION):
        for event in function.get("Events", {}).values():
            if event["Type"] == "Schedule":
                yield _module(name, template), MINUTES / _minutes(event["Properties"]["Schedule"])
    for _, rule in _resources(template, "AWS::Events::Rule"):
        if "ScheduleExpression" in rule:
            for target in rule["Targets"]:
                name = target["Arn"]["!GetAtt"].removesuffix(".Arn")
                yield _module(name, template), MINUTES / _minutes(rule["ScheduleExpression"])


def polls(template: Mapping[str, Any]) -> dict[str, float]:
    """The requests to each queue in a month in which it is empty."""
    found = {}
    for _, function in _resources(template, FUNCTION):
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                properties = event["Properties"]
                if "ProvisionedPollerConfig" in properties:
                    raise ValueError("pollers that are provisioned have a price of their own")
                capped = by_default(properties.get("ScalingConfig"), dict(template))
                pollers = CAPPED_POLLERS if capped else POLLERS
                name = properties["Queue"]["!GetAtt"].removesuffix(".Arn")
                found[name] = pollers * POLLS_A_MINUTE * float(MINUTES)
    return found


def traced(template: Mapping[str, Any]) -> bool:
    """Whether X-Ray records runs, with the defaults of the parameters."""
    match template["Globals"]["Function"].get("Tracing", "Disabled"):
        case {"!Ref": parameter}:
            return bool(template["Parameters"][parameter]["Default"] == "Active")
        case mode:
            return bool(mode == "Active")


def monitored(shape: str, connections: int) -> dict[str, Amounts]:
    """What so many connections at 5 minutes add in a month, by part, at most.

    The amounts were measured with 1,000. More of them share runs of functions, so they cost less.
    """
    times = connections / 1000
    return {
        part: {name: amount * times for name, amount in amounts.items()}
        for part, amounts in MONITORED[shape].items()
    }


def versions(template: Mapping[str, Any], years: int) -> Amounts:
    """The versions that keys have beside their first one, after so many years."""
    keys = _resources(template, "AWS::KMS::Key")
    rotating = sum(bool(key.get("EnableKeyRotation")) for _, key in keys)
    return {"key version": rotating * min(years, PAID_VERSIONS)}


def referred(secrets: int) -> Amounts:
    """What Secrets Manager takes for secrets that connections at 5 minutes refer to, each to one of
    its own; at most."""
    calls = MINUTES / TEST_EVERY_MINUTES * REFERENCE_CALLS
    return {"secret": secrets, "secret call": secrets * calls}


def month(template: Mapping[str, Any], shape: str | None = None, connections: int = 0) -> Amounts:
    """All amounts of a month; idle without a shape."""
    if shape is None:
        return total(fixed(template).values())
    return total([*fixed(template, busy=BUSY).values(), *monitored(shape, connections).values()])


def of_days(template: Mapping[str, Any], day: "Used", stored_bytes: float) -> dict[str, Amounts]:
    """What a month of such days uses, by part."""

    def of(modules: Iterable[str]) -> Amounts:
        return total(
            {
                "write unit": _DAYS * day.total("written", module),
                "read unit": _DAYS * day.total("read", module),
            }
            for module in modules
        )

    def runs(modules: Iterable[str]) -> Amounts:
        return total(
            part
            for module in modules
            for part in (
                {"run": _DAYS * day.runs[module]},
                gigabyte_seconds(template, module, _DAYS * day.wall[module]),
            )
        )

    other: Counter[str] = Counter()
    for one in day.aws.values():
        other.update(one["other"])
    # Each run by a queue is a request to receive, and one to delete.
    requests = sum(n for name, n in other.items() if name.startswith("SQS.")) + 2 * day.deliveries
    calls = sum(n for name, n in other.items() if name.startswith("Trent"))
    events = other["AWSEvents.PutEvents"] + other["Events.PutEvents"]
    # Of what expires, as many bytes are stored in the end as are made in a day times their days.
    stored = (stored_bytes + day.total("bytes_created") / (24 * 3600)) / 1e9
    alerts = {"evaluate_alerts"} & set(day.aws)
    others = set(day.aws) - alerts
    own_lines = _DAYS * day.log_bytes + _DAYS * sum(day.runs.values()) * PLATFORM_LOG_BYTES
    return {
        "tables": of(others),
        "storage": {"stored GB": stored, "recoverable GB": stored},
        "Lambda": runs(others),
        "alerts": total([of(alerts), runs(alerts)]),
        "queues, keys, bus": {
            "queue request": _DAYS * requests,
            "key call": _DAYS * calls,
            "bus event": _DAYS * events,
        },
        "logs": _logs(own_lines),
    }


def gigabyte_seconds(template: Mapping[str, Any], module: str, seconds: float) -> Amounts:
    """What a function that ran for so long used, by its memory and architecture."""
    defaults = template["Globals"]["Function"]
    [function] = (
        found for name, found in _resources(template, FUNCTION) if _module(name, template) == module
    )
    [architecture] = function.get("Architectures", defaults["Architectures"])
    architecture = by_default(architecture, dict(template))
    gigabytes = int(function.get("MemorySize", defaults["MemorySize"])) / 1024
    return {f"GB second, {architecture}": seconds * gigabytes}


def rows() -> list[Row]:
    template = read_template()
    found = [Row("cost: idle, a month", dollars(month(template)), "$", None)]
    found.append(
        Row(
            "cost: idle, a month, beyond the allowances of an account",
            dollars(month(template), allowances=True),
            "$",
            IDLE_BUDGET,
        )
    )
    old = total([month(template), versions(template, PAID_VERSIONS)])
    found.append(
        Row("cost: idle, a month from the third year on", dollars(old, allowances=True), "$")
    )
    found += [
        Row(f"cost: idle, of it {part}", dollars(amounts), "$")
        for part, amounts in fixed(template).items()
    ]
    for connections in SIZES:
        for shape in MONITORED:
            amounts = month(template, shape, connections)
            what = f"cost: {connections:,} connections, {shape}, a month"
            budget = MONTH_BUDGET if connections == SIZES[0] else None
            found.append(Row(what, dollars(amounts), "$"))
            beyond = dollars(amounts, allowances=True)
            found.append(Row(f"{what}, beyond the allowances", beyond, "$", budget))
    return found


def markdown() -> str:
    """The tables of docs/costs.md."""
    template = read_template()
    lines = ["| idle | $ a month | without allowances |", "|---|---|---|"]
    for part, amounts in fixed(template).items():
        lines.append(_line(part, amounts))
    lines += [_line("**together**", month(template)), ""]
    lines += _monitored_lines(template) if MONITORED else []
    lines += ["| beside that | $ a month |", "|---|---|"]
    for years in range(1, PAID_VERSIONS + 1):
        what = f"old versions of the key, from year {years + 1} on"
        lines.append(_beside(what, versions(template, years)))
    for secrets in (1, SIZES[0]):
        what = f"secrets of Secrets Manager that tests at 5 minutes refer to: {secrets:,}"
        lines.append(_beside(what, referred(secrets)))
    lines.append("")
    lines += ["| price | $ | free each month | source |", "|---|---|---|---|"]
    for name, price in PRICES.items():
        free = f"{price.free:,.0f}" if price.free else ""
        each = f"{price.dollars * 1e6:g} for a million" if price.dollars < 0.001 else price.dollars
        lines.append(f"| {name} | {each} | {free} | <{price.source}> |")
    return "\n".join(lines)


def _monitored_lines(template: Mapping[str, Any]) -> Iterator[str]:
    parts = list(next(iter(MONITORED.values())))
    head = ["connections at 5 minutes", *parts, "all, with what is fixed", "without allowances"]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for connections in SIZES:
        for shape in MONITORED:
            found = monitored(shape, connections)
            amounts = month(template, shape, connections)
            cells = [f"{connections:,}, {shape}", *(_money(dollars(found[p])) for p in parts)]
            cells += [_money(dollars(amounts, allowances=True)), _money(dollars(amounts))]
            yield f"| {' | '.join(cells)} |"
    yield ""


def measure() -> Iterator[tuple[str, IdleRun]]:
    """Runs what schedules start in a deployment without organizations, warm."""
    from datetime import UTC, datetime

    from bench.fleet import MINUTE, Fleet, Shape
    from bench.provider import provider
    from bench.stand_in import CALL_SECONDS, stand_in

    with stand_in() as aws, provider() as server:
        fleet = Fleet(aws, server, Shape(0, 0, "5m"))
        minute = datetime(2026, 2, 17, 9, 1, tzinfo=UTC)
        aws.pace(CALL_SECONDS)
        for name, _ in scheduled_runs(fleet.template):
            found = []
            for _ in range(_IDLE_RUNS):
                minute += MINUTE
                fleet.at(minute)
                fleet.run(name, {"time": minute.strftime("%Y-%m-%dT%H:%M:%SZ")})
                used = fleet.taken()
                units = used.total("read", name), used.total("written", name)
                found.append(IdleRun(round(used.wall[name], 3), *units, used.log_bytes))
            # The first is cold, and on a busy machine others wait.
            yield name, min(found[1:], key=lambda run: run.seconds)


def _of_runs(template: Mapping[str, Any], module: str, runs: float, each: IdleRun) -> Amounts:
    seconds = gigabyte_seconds(template, module, runs * each.seconds)
    units = {"read unit": runs * each.read, "write unit": runs * each.written}
    return {"run": runs, **seconds, **units}


def _logs(count: float) -> Amounts:
    """Kept for a month, which is the default."""
    return {"logged GB": count / 1e9, "kept log GB": count / 1e9}


def _alarms(template: Mapping[str, Any]) -> Amounts:
    """A formula is charged for each metric that it refers to."""
    metrics = 0
    for _, alarm in _resources(template, "AWS::CloudWatch::Alarm"):
        metrics += sum("MetricStat" in one for one in alarm["Metrics"]) if "Metrics" in alarm else 1
    return {
        "alarm": metrics,
        "composite alarm": _count(template, "AWS::CloudWatch::CompositeAlarm"),
    }


def total(parts: Iterable[Amounts]) -> Amounts:
    """All of them together."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return found


def _resources(template: Mapping[str, Any], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    found = template["Resources"].items()
    return [(name, one["Properties"]) for name, one in found if one["Type"] == kind]


def _count(template: Mapping[str, Any], kind: str) -> int:
    return len(_resources(template, kind))


def _module(name: str, template: Mapping[str, Any]) -> str:
    handler: str = template["Resources"][name]["Properties"]["Handler"]
    return handler.partition(".")[0]


def _minutes(rate: str) -> int:
    [minutes] = re.findall(r"^rate\((\d+) minutes?\)$", rate)
    return int(minutes)


def _money(amount: float) -> str:
    return f"{amount:.2f}"


def _line(what: str, amounts: Amounts) -> str:
    beyond = dollars(amounts, allowances=True)
    return f"| {what} | {_money(beyond)} | {_money(dollars(amounts))} |"


def _beside(what: str, amounts: Amounts) -> str:
    return f"| {what} | {_money(dollars(amounts))} |"


def main(arguments: list[str]) -> None:
    if arguments == ["--measure"]:
        for name, run in measure():
            print(f"    {name!r}: {run},")
    elif arguments == ["--markdown"]:
        print(markdown())
    else:
        print(table(rows()))


if __name__ == "__main__":
    main(sys.argv[1:])
