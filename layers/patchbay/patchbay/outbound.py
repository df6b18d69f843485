"""What one organization can make a deployment send, at most: computed from its limits.

    python -m patchbay.outbound --tests-per-minute 120 --monitored-connections 1000 \\
        --monitored-tests-per-day 288000 --deliveries-per-minute 300 --uses-per-minute 3000

prints the table of docs/security.md for these parameters. The other factors are the constants of
the code that holds them.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from patchbay.alerts.notifier import LATE_MINUTES
from patchbay.checks.manifest_steps import MAX_STEPS
from patchbay.checks.request_bodies import MAX_BODY
from patchbay.checks.roles import Role
from patchbay.checks.runner import MAX_TRIES
from patchbay.egress.guard import MAX_ADDRESSES, MAX_DIALS
from patchbay.egress.redirects import MAX_REDIRECTS
from patchbay.grants.provider_proxy import SENDINGS
from patchbay.monitors.reprobes import PAUSES
from patchbay.platform.http import MAX_RAW_BODY_BYTES

ENDPOINTS: Final = len(Role)
"""A test of a connection is one of its source and one of its destination."""

PROBES: Final = 1 + len(PAUSES)
"""A monitored test and its re-probes."""

_DAY_MINUTES: Final = 24 * 60


class Limits(NamedTuple):
    """The parameters of the template that bound what an organization can make us send."""

    tests_per_minute: int
    monitored_connections: int
    monitored_tests_per_day: int
    deliveries_per_minute: int
    uses_per_minute: int


class Bound(NamedTuple):
    """One row: what, how it follows from the limits, and the result."""

    what: str
    factors: str
    most: int


def outbound(limits: Limits) -> list[Bound]:
    """Everything that one organization can make the deployment send. Pure."""
    tests, monitored, a_day, deliveries, uses = limits
    asked = MAX_STEPS * MAX_TRIES * (1 + MAX_REDIRECTS)
    of_test = ENDPOINTS * min(asked, MAX_DIALS)
    average = -(-a_day // _DAY_MINUTES)
    return [
        Bound(
            "requests of one test",
            f"{ENDPOINTS} endpoints × the lesser of {MAX_STEPS} steps × {MAX_TRIES} tries × "
            f"{1 + MAX_REDIRECTS} hops and {MAX_DIALS} connections",
            of_test,
        ),
        Bound(
            "addresses dialed by one test",
            f"{of_test} connections × {MAX_ADDRESSES} addresses",
            of_test * MAX_ADDRESSES,
        ),
        Bound("bytes of one request's body", "", MAX_BODY),
        Bound(
            "requests a minute of tests on demand",
            f"{tests} tests (`TestsPerMinute`) × {of_test}",
            tests * of_test,
        ),
        Bound(
            "requests a minute of monitors, on average",
            f"{average} tests (`MaxMonitoredTestsPerDay` / {_DAY_MINUTES}) × {PROBES} probes × "
            f"{of_test}",
            average * PROBES * of_test,
        ),
        Bound(
            "requests of monitors in a single minute",
            f"{monitored} connections (`MaxMonitoredConnections`) × {PROBES} probes × {of_test}",
            monitored * PROBES * of_test,
        ),
        Bound(
            "notifications a minute, to all channels",
            f"{deliveries} attempts (`DeliveriesPerMinute`)",
            deliveries,
        ),
        Bound(
            "notifications in the minute after the notifier came late",
            f"{deliveries} × {1 + LATE_MINUTES}",
            deliveries * (1 + LATE_MINUTES),
        ),
        Bound(
            "proxied requests a minute",
            f"{uses} uses (`UsesPerMinute`) × {SENDINGS}: once more after a 401",
            uses * SENDINGS,
        ),
        Bound("bytes of one proxied request's body", "", MAX_RAW_BODY_BYTES),
    ]


def table(limits: Limits) -> str:
    """The bounds as a table in Markdown."""
    rows = [
        f"| {bound.what} | {bound.factors or 'fixed'} | {bound.most:,} |"
        for bound in outbound(limits)
    ]
    return "\n".join(["| what | follows from | most |", "|---|---|---|", *rows]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m patchbay.outbound")
    for name in Limits._fields:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, required=True)
    print(table(Limits(**vars(parser.parse_args(arguments)))), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
