"""List prices of us-east-1 in dollars, of November 2025. No other module has a price."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Price:
    """What one of something costs. `free` is how many of it each account gets a month, always."""

    dollars: float
    unit: str
    source: str
    free: float = 0


_TABLES: Final = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_LAMBDA: Final = "https://aws.amazon.com/lambda/pricing/"
_KEYS: Final = "https://aws.amazon.com/kms/pricing/"
_SECRETS: Final = "https://aws.amazon.com/secrets-manager/pricing/"
_WATCH: Final = "https://aws.amazon.com/cloudwatch/pricing/"

PRICES: Final[Mapping[str, Price]] = {
    "write unit": Price(0.625e-6, "WRU", _TABLES),
    "read unit": Price(0.125e-6, "RRU", _TABLES),
    "stored GB": Price(0.25, "GB, a month", _TABLES, free=25),
    "recoverable GB": Price(0.20, "GB, a month", _TABLES),
    "run": Price(0.20e-6, "invocation", _LAMBDA, free=1e6),
    "GB second, x86_64": Price(0.0000166667, "GB second", _LAMBDA, free=400_000),
    "GB second, arm64": Price(0.0000133334, "GB second", _LAMBDA, free=400_000),
    "queue request": Price(0.40e-6, "request", "https://aws.amazon.com/sqs/pricing/", free=1e6),
    "key": Price(1.00, "key, a month", _KEYS),
    "key version": Price(1.00, "rotated version of a key, at most two, a month", _KEYS),
    "key call": Price(0.03 / 10_000, "call", _KEYS, free=20_000),
    "secret": Price(0.40, "secret, a month", _SECRETS),
    "secret call": Price(0.05 / 10_000, "call", _SECRETS),
    "logged GB": Price(0.50, "GB", _WATCH, free=5),
    "kept log GB": Price(0.03, "GB, a month", _WATCH),
    "metric": Price(0.30, "custom metric, a month", _WATCH, free=10),
    "alarm": Price(0.10, "metric of an alarm, a month", _WATCH, free=10),
    "dashboard": Price(3.00, "dashboard of up to 50 metrics, a month", _WATCH, free=3),
    "composite alarm": Price(0.50, "alarm, a month", _WATCH),
    "trace": Price(5.00e-6, "trace", "https://aws.amazon.com/xray/pricing/", free=100_000),
    "bus event": Price(1.00e-6, "event", "https://aws.amazon.com/eventbridge/pricing/"),
    "API request": Price(1.00e-6, "request", "https://aws.amazon.com/api-gateway/pricing/"),
}
"""Rules of EventBridge that are schedules cost nothing (its page above)."""

type Amounts = Mapping[str, float]
"""How many of what has a price, by the names of `PRICES`."""

_GB_SECOND: Final = "GB second, arm64"
"""Of the default of the parameter `Architecture`."""
_AUTHORIZER_SECONDS: Final = 0.010
_FUNCTION_SECONDS: Final = 0.030
_HTTP_GB: Final = 0.5


def dollars(amounts: Amounts, *, allowances: bool = False) -> float:
    """What all of it costs; with `allowances`, without what each account gets for nothing."""
    found = 0.0
    for name, amount in amounts.items():
        price = PRICES[name]
        found += max(0.0, amount - price.free * allowances) * price.dollars
    return found


def units(write: float = 0, read: float = 0) -> float:
    """What so many units of on-demand tables cost."""
    return dollars({"write unit": write, "read unit": read})


def requests(count: float) -> float:
    """Gateway, authorizer and function, warm; their times are taken, not measured."""
    seconds = _AUTHORIZER_SECONDS + _FUNCTION_SECONDS
    each = {"API request": 1, "run": 2, _GB_SECOND: seconds * _HTTP_GB}
    return count * dollars(each)


def running(seconds: float, megabytes: int, invocations: float = 1) -> float:
    """A function that runs so long in all."""
    return dollars({_GB_SECOND: seconds * megabytes / 1024, "run": invocations})
