"""Whose fault it is when targets are unreachable: theirs, or our own network's. Pure.

Evidence of our own decides: whether servers that no tenant chose can be reached. Only if there is
none does it count what organizations see, each of them once, however many connections it has.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

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

_NOTHING: Final[frozenset[Code]] = frozenset()
_LOOKUPS: Final[frozenset[Code]] = frozenset({"dns_error"})

_NEVER_DIALED: Final = frozenset({"config", "policy", "platform"})
"""Categories of failures that say nothing about the network."""

LEAST_WITNESSES: Final = 5
"""Without evidence of our own, at least this many organizations, each with a target of its own,
must find nothing reachable."""

LEAST_PERCENT: Final = 80
"""And at least this many of a hundred organizations that saw anything."""


@dataclass(frozen=True, slots=True)
class OwnEvidence:
    """What our own attempts to reach servers that no tenant chose say about our network.

    True if it works, False if it is down, None if nothing is known. `internet` is about connections
    to the public internet, `names` about the name servers that look up the hosts of targets.
    """

    internet: bool | None = None
    names: bool | None = None

    def and_then(self, later: Self) -> Self:
        """Both looks together.

        The internet is down if either saw it down, so a short outage is not missed. Name servers
        are down only if no look got an answer: the lookups of one tenant may drown a few of ours.
        """
        return type(self)(
            _together(all, self.internet, later.internet), _together(any, self.names, later.names)
        )


def _together(judge: Callable[[list[bool]], bool], *looks: bool | None) -> bool | None:
    known = [one for one in looks if one is not None]
    return judge(known) if known else None


@dataclass(frozen=True, slots=True)
class SeenTest:
    """What one test shows about the network.

    `targets` are what it dials, as `scheme://host:port`. `worked_before` is whether the connection
    passed its last test before this minute.
    """

    organization_id: str
    targets: frozenset[str]
    worked_before: bool
    report: CheckReport

    @property
    def unreachable(self) -> bool:
        return self.report.code in UNREACHABLE

    @property
    def dialed(self) -> bool:
        answered = self.report.passed or self.report.code == "not_found"
        return answered or self.report.category not in _NEVER_DIALED


def own_faults(page: Iterable[SeenTest], evidence: OwnEvidence) -> frozenset[Code]:
    """The codes with which a test of this page failed by our own network's fault.

    1. If the internet can't be reached from here, all of `UNREACHABLE`.
    2. If our name servers do not answer, `dns_error`.
    3. What our evidence has shown to work is not at fault, whatever the tests say. Only without
       evidence about the internet do the organizations of the page decide.
    """
    if evidence.internet is False:
        return UNREACHABLE
    lookups = _LOOKUPS if evidence.names is False else _NOTHING
    if evidence.internet or not _nothing_is_reachable(page):
        return lookups
    return UNREACHABLE - _LOOKUPS if evidence.names else UNREACHABLE


def _nothing_is_reachable(page: Iterable[SeenTest]) -> bool:
    """Whether nearly all organizations of a page lost all targets that they reached before.

    1. An unreachable target counts only if its connection worked before: one that was failing says
       nothing new. An answer always counts.
    2. A target was reached if a test that dials nothing else got an answer there. A test of several
       targets does not say which of them answered.
    3. An organization lost the network if none of its tests got an answer, and one of its targets
       was reached by nobody.
    4. At least `LEAST_PERCENT` of the organizations lost it, and `LEAST_WITNESSES` of them can be
       paired with a target each, all different: one provider that is down, or one organization
       with many dead targets, is one witness.
    """
    dialed = [one for one in page if one.dialed]
    answered = [one for one in dialed if not one.unreachable]
    failed = [one for one in dialed if one.unreachable and one.worked_before]
    reached = {target for one in answered if len(one.targets) == 1 for target in one.targets}
    connected = {one.organization_id for one in answered}
    lost: dict[str, set[str]] = {}
    for one in failed:
        if one.organization_id not in connected and (dead := one.targets - reached):
            lost.setdefault(one.organization_id, set()).update(dead)
    organizations = connected | {one.organization_id for one in failed}
    return (
        100 * len(lost) >= LEAST_PERCENT * len(organizations)
        and _witnesses(lost, LEAST_WITNESSES) >= LEAST_WITNESSES
    )


def _witnesses(lost: Mapping[str, Collection[str]], enough: int) -> int:
    """How many organizations can be paired with a target each, all different; at most `enough`.

    A maximum matching by augmenting paths (Kuhn's algorithm).
    """
    paired: dict[str, str] = {}

    def pair(organization: str, tried: set[str]) -> bool:
        for target in lost[organization]:
            if target not in tried:
                tried.add(target)
                if target not in paired or pair(paired[target], tried):
                    paired[target] = organization
                    return True
        return False

    for organization in lost:
        pair(organization, set())
        if len(paired) == enough:
            break
    return len(paired)


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
