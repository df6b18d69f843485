"""Runs a monitored test, with quick re-probes before its first failure counts."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from patchbay.checks.report import CheckReport
from patchbay.checks.verdict import undialed_report
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.tester import PreparedTest
from patchbay.connections.connection_model import Connection
from patchbay.egress.loop_waits import within
from patchbay.platform.logging import log_exception

TEST_MS: Final = 25_000
"""What a monitored test may take, its re-probes included; a manifest's `timeoutMs` can only lower
it."""

PAUSES: Final = (1.0, 2.0)
"""Seconds before the first and the second re-probe."""

_LEAST_MS: Final = 1_000
"""A re-probe with less time than this would measure the time and not the target."""

_GRACE_SECONDS: Final = 1.0
"""A test ends itself at its time limit; one that does not is ended this much later."""


class MonitoredTest(Protocol):
    """A test of a connection that is ready to run."""

    @property
    def connection_id(self) -> str: ...

    @property
    def targets(self) -> frozenset[str]:
        """What it dials, in canonical form: `scheme://host:port`."""
        ...

    @property
    def organization_id(self) -> str: ...

    @property
    def first_failure(self) -> bool:
        """Whether a failure now would be the first after a success."""
        ...

    @property
    def worked_before(self) -> bool:
        """Whether the last test of the connection before this one passed."""
        ...

    async def run(self, total_ms: int) -> FinishedTest: ...

    def crashed(self) -> FinishedTest:
        """The result if `run` raises or hangs."""
        ...


async def run_with_reprobes(
    test: MonitoredTest,
    total_ms: int,
    on_failure: Callable[[CheckReport], None],
) -> FinishedTest:
    """Runs a test to its result; raises nothing but cancellation.

    1. Run the test. A success, or a failure while the connection is already failing, is the result.
    2. Re-probe a first failure quickly, at most twice, if its code says that a retry may help: a
       wrong password is still wrong a second later, and a rate limit asks for fewer calls.
    3. One success replaces the failure; otherwise the first failure is the result.

    `on_failure` is called with the first failure before the re-probes.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + total_ms / 1000
    first = await _run(test, total_ms)
    if first.report.passed:
        return first
    on_failure(first.report)
    if not test.first_failure or not _may_pass_soon(first.report):
        return first
    for pause in PAUSES:
        left_ms = int((deadline - loop.time() - pause) * 1000)
        if left_ms < _LEAST_MS:
            break
        await asyncio.sleep(pause)
        again = await _run(test, left_ms)
        if again.report.passed:
            return again
    return first


def crashed_test(
    connection: Connection | None, prepared: PreparedTest | None, now: datetime
) -> FinishedTest:
    """A test that a fault of ours ended. `prepared` is None if it was not prepared yet."""
    report = undialed_report("test", "internal_error", "A fault of the platform ended the test.")
    fingerprint = prepared.fingerprint if prepared else None
    return FinishedTest(connection, fingerprint, report, (), now, now)


def _may_pass_soon(failure: CheckReport) -> bool:
    return bool(failure.retryable) and failure.category not in {"rate_limit", "platform"}


async def _run(test: MonitoredTest, total_ms: int) -> FinishedTest:
    until = asyncio.get_running_loop().time() + total_ms / 1000 + _GRACE_SECONDS
    try:
        return await within(until, test.run(total_ms))
    except Exception as error:
        # Whatever it is, the other tests go on.
        log_exception("test crashed", error, connection_id=test.connection_id)
        return test.crashed()
