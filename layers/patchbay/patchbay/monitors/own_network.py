"""Whose fault it is when many can't be reached: the targets', or our own network's. Pure.

One target that is out of reach has itself to blame. When nearly everything is, or when a target of
the operator's choice (the canary) is, it is this side, and nobody's connection is to be charged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport

UNREACHED: Final[frozenset[Code]] = frozenset(
    {
        "dns_error",
        "connection_refused",
        "connection_reset",
        "network_unreachable",
        "connect_timeout",
    }
)
"""What a broken network of ours looks like. Who has got as far as a certificate has a network."""

_NEVER_DIALLED: Final = frozenset({"config", "policy", "platform"})
"""Categories of failures that say nothing about the network."""

LEAST_PLACES: Final = 5
SHARE: Final = 0.8
"""Without a canary: so many places, and so much of them, must be out of reach at once."""


@dataclass(frozen=True, slots=True)
class TargetsSeen:
    """One test's word on the network: the places that it went to, and what it answered."""

    places: frozenset[str]
    report: CheckReport

    @property
    def unreached(self) -> bool:
        return self.report.code in UNREACHED

    @property
    def dialled(self) -> bool:
        answered = self.report.passed or self.report.code == "not_found"
        return answered or self.report.category not in _NEVER_DIALLED


def is_our_network(page: Iterable[TargetsSeen], canary: bool | None) -> bool:
    """Whether the failures to reach anything on this page are our own.

    `canary` is whether the operator's canary was reached, None if there is none. Then places are
    counted, not tests: a thousand connections to one provider that is down are one place.
    """
    dialled = [seen for seen in page if seen.dialled]
    if not any(seen.unreached for seen in dialled):
        return False
    if canary is not None:
        return not canary
    places = {place for seen in dialled for place in seen.places}
    reached = {place for seen in dialled if not seen.unreached for place in seen.places}
    return len(places) >= LEAST_PLACES and len(places - reached) >= SHARE * len(places)


def excused_report(report: CheckReport) -> CheckReport:
    """The report of a test that did not get out of our own network: a platform fault."""
    info = describe("monitor_offline")
    return report.model_copy(
        update={
            "code": info.code,
            "category": info.category,
            "blame": info.blame,
            "retryable": info.retryable,
            "message": "The monitor had no network: this says nothing about the connection",
        }
    )
