"""Whose fault it is when many targets are unreachable: theirs, or our own network's. Pure.

A single target that is unreachable is to blame itself. When nearly all are, or when a server of the
operator's choice (the canary) is, our own network is down, and no connection is blamed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport

UNREACHABLE: Final[frozenset[Code]] = frozenset(
    {
        "dns_error",
        "connection_refused",
        "connection_reset",
        "network_unreachable",
        "connect_timeout",
    }
)
"""How a broken network of ours shows. A test that got as far as a certificate had a network."""

_NEVER_DIALED: Final = frozenset({"config", "policy", "platform"})
"""Categories of failures that say nothing about the network."""

LEAST_TARGETS: Final = 5
SHARE: Final = 0.8
"""Without a canary, at least this many targets, and this share of them, must be unreachable."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What one test shows about the network: the targets that it dials, and its report."""

    targets: frozenset[str]
    report: CheckReport

    @property
    def unreachable(self) -> bool:
        return self.report.code in UNREACHABLE

    @property
    def dialed(self) -> bool:
        answered = self.report.passed or self.report.code == "not_found"
        return answered or self.report.category not in _NEVER_DIALED


def is_own_network_down(page: Iterable[TargetReport], canary: bool | None) -> bool:
    """Whether the unreachable targets of this page are our own network's fault.

    `canary` is whether the operator's canary was reached, None without one. Then targets are
    counted, not tests: a thousand connections to one provider that is down are one target.
    """
    dialed = [one for one in page if one.dialed]
    if not any(one.unreachable for one in dialed):
        return False
    if canary is not None:
        return not canary
    targets = {target for one in dialed for target in one.targets}
    reached = {target for one in dialed if not one.unreachable for target in one.targets}
    return len(targets) >= LEAST_TARGETS and len(targets - reached) >= SHARE * len(targets)


def offline_report(report: CheckReport) -> CheckReport:
    """The report of a test that could not leave our own network: a platform fault."""
    info = describe("monitor_offline")
    return report.model_copy(
        update={
            "code": info.code,
            "category": info.category,
            "blame": info.blame,
            "retryable": info.retryable,
            "message": "The monitor had no network: this result says nothing about the connection",
        }
    )
