"""One connection's turn: a test, and a second look before its first failure counts."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from patchbay.checks.report import CheckReport
from patchbay.checks.verdict import undialed_report
from patchbay.platform.logging import log_exception

TEST_MS: Final = 25_000
"""What a turn may take, its second looks included: a manifest's `timeoutMs` is at most that."""

PAUSES: Final = (1.0, 2.0)
"""Seconds before the first and the second re-probe."""

_LEAST_MS: Final = 1_000
"""A re-probe that has less time than this would judge the time and not the target."""

_GRACE_SECONDS: Final = 1.0
"""A test ends itself at its time; one that does not is ended this much later."""


class MonitoredTest(Protocol):
    """A test of a connection that only has to be run."""

    @property
    def connection_id(self) -> str: ...

    @property
    def places(self) -> frozenset[str]:
        """Where it goes, canonically: `scheme://host:port`."""
        ...

    @property
    def first_failure(self) -> bool:
        """Whether a failure now would be the first after a success."""
        ...

    async def run(self, total_ms: int) -> CheckReport: ...


async def run_with_reprobes(
    trial: MonitoredTest,
    total_ms: int = TEST_MS,
    on_failure: Callable[[CheckReport], None] = lambda _: None,
) -> CheckReport:
    """A turn to its report; raises nothing but cancellation.

    A first failure is looked at again, twice at most and quickly, if the code's row says that
    trying again helps: a wrong password is as wrong a second later, and who limits our rate wants
    fewer calls. One success excuses it; otherwise the first failure is the answer. `on_failure` is
    told of it before it is looked at again.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + total_ms / 1000
    first = await _run(trial, total_ms)
    if not first.passed:
        on_failure(first)
    if not trial.first_failure or not _passing(first):
        return first
    for pause in PAUSES:
        left_ms = int((deadline - loop.time() - pause) * 1000)
        if left_ms < _LEAST_MS:
            break
        await asyncio.sleep(pause)
        again = await _run(trial, left_ms)
        if again.passed:
            return again
    return first


def _passing(report: CheckReport) -> bool:
    """Whether the failure may well be over in a second."""
    return (
        not report.passed
        and bool(report.retryable)
        and report.category not in {"rate_limit", "platform"}
    )


async def _run(trial: MonitoredTest, total_ms: int) -> CheckReport:
    try:
        async with asyncio.timeout(total_ms / 1000 + _GRACE_SECONDS):
            return await trial.run(total_ms)
    except Exception as error:
        # Whatever it is, the other tests go on.
        log_exception("test crashed", error, connection_id=trial.connection_id)
        return crash_report()


def crash_report() -> CheckReport:
    """The report of a test that ended through us."""
    return undialed_report("test", "internal_error", "A fault of the platform ended the test.")
