"""What other benches measured, for `cost` and `scale`: each figure with the command that prints it.

Replace what a command prints now; the tables of docs/costs.md and docs/operating/scale.md are then
written again by `python -m bench.cost --markdown` and `python -m bench.scale --markdown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class IdleRun:
    """A run of a function that finds nothing to do: seconds, units, and bytes of its own lines."""

    seconds: float
    read: float
    written: float
    log_bytes: float


IDLE_RUNS: Final[Mapping[str, IdleRun]] = {
    "refresh_grants": IdleRun(seconds=0.015, read=4, written=0, log_bytes=0),
    "fold_counts": IdleRun(seconds=0.033, read=16, written=0, log_bytes=0),
    "dispatch_monitors": IdleRun(seconds=0.116, read=17, written=1, log_bytes=0),
    "evaluate_alerts": IdleRun(seconds=0.039, read=3.5, written=0, log_bytes=0),
    "deliver_notifications": IdleRun(seconds=0.030, read=2, written=0, log_bytes=0),
    "erase_organizations": IdleRun(seconds=0.007, read=1, written=0, log_bytes=0),
}
"""`python -m bench.cost --measure`"""

PLATFORM_LOG_BYTES: Final = 340
"""Of the lines START, END, and REPORT that Lambda writes, with 26 bytes for each line.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""

MONITORED: Final[Mapping[str, Mapping[str, Mapping[str, float]]]] = {
    "50 of a space": {
        "tables": {"write unit": 591700.0, "read unit": 5107000.0},
        "storage": {"stored GB": 0.09609, "recoverable GB": 0.09609},
        "Lambda": {"run": 149800.0, "GB second, arm64": 36380.0},
        "alerts": {
            "write unit": 12240.0,
            "read unit": 172800.0,
            "run": 43200.0,
            "GB second, arm64": 1883.0,
        },
        "queues, keys, bus": {"queue request": 250600.0, "key call": 7920.0},
        "logs": {"logged GB": 0.09311, "kept log GB": 0.09311},
    },
    "5 of a space": {
        "tables": {"write unit": 1382000.0, "read unit": 5337000.0},
        "storage": {"stored GB": 0.2305, "recoverable GB": 0.2305},
        "Lambda": {"run": 97920.0, "GB second, arm64": 26910.0},
        "alerts": {
            "write unit": 41760.0,
            "read unit": 367200.0,
            "run": 43200.0,
            "GB second, arm64": 2471.0,
        },
        "queues, keys, bus": {"queue request": 129600.0, "key call": 7200.0},
        "logs": {"logged GB": 0.06815, "kept log GB": 0.06815},
    },
    "1 of a space": {
        "tables": {"write unit": 1799000.0, "read unit": 6321000.0},
        "storage": {"stored GB": 0.6715, "recoverable GB": 0.6715},
        "Lambda": {"run": 210200.0, "GB second, arm64": 54620.0},
        "alerts": {
            "write unit": 43200.0,
            "read unit": 1231000.0,
            "run": 43200.0,
            "GB second, arm64": 3399.0,
        },
        "queues, keys, bus": {"queue request": 371500.0, "key call": 6480.0},
        "logs": {"logged GB": 0.1295, "kept log GB": 0.1295},
    },
}
"""`python -m bench.monitors`"""


@dataclass(frozen=True, slots=True)
class ScaleCosts:
    """Times are in seconds of one vCPU, except where they are of waiting."""

    cpu_of_test: float
    """0.6 ms with sockets, and 0.7 ms for TLS. `python -m bench.monitors`: CPU of a test, and
    `python -m bench blackbox`: what a test over https takes more than one over http"""
    seconds_of_invocation: float
    """Of waiting for tables, for a sweep. The same: of the 3.4 s of 1,000 tests of 1 s, what 400 in
    flight do not take, at most"""
    slow_test_seconds: float
    """The time limit of a monitor's test."""
    plan_bytes: float
    """With its snapshot. `bench.stand_in`'s `stored` after a fleet ran: WHEEL"""
    write_units: dict[int, float]
    """For a test, by the connections of its space. `python -m bench.monitors`"""
    read_units: dict[int, float]
    evaluator_spaces_a_minute: float
    """With rules. `python -m bench.alerts`"""
    closing_seconds: dict[int, float]
    """For a test, by the connections of its space. `python -m bench.runs`: CPU of closing"""


SCALE: Final = ScaleCosts(
    cpu_of_test=0.0013,
    seconds_of_invocation=0.5,
    slow_test_seconds=25.0,
    plan_bytes=1_150,
    write_units={50: 0.068, 5: 0.160, 1: 0.208},
    read_units={50: 0.59, 5: 0.62, 1: 0.73},
    evaluator_spaces_a_minute=60_000,
    closing_seconds={50: 20e-6, 5: 32e-6, 1: 40e-6},
)
