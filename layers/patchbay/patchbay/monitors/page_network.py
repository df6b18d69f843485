"""Our own network while the tests of a page ran, and what it changes about their results."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from patchbay.checks.report import CheckReport
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.monitors.own_network import (
    UNREACHABLE,
    OwnEvidence,
    SeenTest,
    offline_report,
    own_faults,
)
from patchbay.monitors.reprobes import MonitoredTest

LOOK_SECONDS: Final = 6.0
"""What a look may take."""


class LooksAtOwnNetwork(Protocol):
    async def look(self) -> OwnEvidence:
        """What can be reached now of the servers that no tenant chose. Ends in `LOOK_SECONDS`."""
        ...


class PageNetwork:
    """Looks when the first target of the page is unreachable, and again at the end, so that a short
    outage of ours is not blamed on the connections that it hit. A page without an unreachable
    target costs no look."""

    def __init__(self, own: LooksAtOwnNetwork) -> None:
        self._own = own
        self._first: asyncio.Task[OwnEvidence] | None = None

    def look_at_first_failure(self, report: CheckReport) -> None:
        if self._first is None and report.code in UNREACHABLE:
            self._first = asyncio.ensure_future(self._own.look())

    async def judged[T: MonitoredTest](
        self, tested: Sequence[tuple[T, FinishedTest]]
    ) -> list[tuple[T, FinishedTest]]:
        """The same tests; those that failed by our own fault do not blame their connections."""
        seen = [
            SeenTest(test.organization_id, test.targets, test.worked_before, finished.report)
            for test, finished in tested
        ]
        faults = own_faults(seen, await self._evidence(seen))
        return [
            (test, replace(finished, report=offline_report(finished.report)))
            if finished.report.code in faults
            else (test, finished)
            for test, finished in tested
        ]

    async def _evidence(self, page: Sequence[SeenTest]) -> OwnEvidence:
        if self._first is None:
            return OwnEvidence()
        first = await self._first
        if not any(one.unreachable for one in page):
            return first
        return first.and_then(await self._own.look())
