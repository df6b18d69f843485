"""Runs queued tests. A message may come late, twice, or to two runners at once.

1. Claim the test: only one runner may run it at a time, and none after its deadline.
2. Prepare, run, and record it, together with the others of the batch, which do not wait for it. If
   it can't be tested any more, such as a connection that has been disabled, that is its result. If
   preparing it does not end, that is its result too.
3. A test that is finished, overdue, or gone is settled, and its message is done. Any other message
   comes back; the queue gives up on it after a few deliveries.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from patchbay.checks.report import Step
from patchbay.checks.verdict import undialed_report
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.following import Following
from patchbay.connection_tests.history import TestClaim, TestHistory
from patchbay.connection_tests.identity import TestIdentity
from patchbay.connection_tests.model import TestFindings
from patchbay.connection_tests.preparation import PreparationOverdue, prepared_in_time
from patchbay.connection_tests.queue import QueuedTest
from patchbay.connection_tests.recorder import TestRecorder
from patchbay.connection_tests.tester import PreparedTest, Tester
from patchbay.connection_tests.time_budgets import ASYNCHRONOUS
from patchbay.egress.guard import EgressGuard
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.limits import Limiter
from patchbay.platform.logging import logger


class QueuedTestRunner:
    """`guard_for` makes the guard of a test that was asked for at this host name of the API."""

    def __init__(
        self,
        tester: Tester,
        recorder: TestRecorder,
        history: TestHistory,
        limiter: Limiter,
        guard_for: Callable[[str], EgressGuard],
        clock: Clock,
    ) -> None:
        self._tester = tester
        self._recorder = recorder
        self._history = history
        self._limiter = limiter
        self._guard_for = guard_for
        self._clock = clock

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Runs a batch of SQS records concurrently. Returns the ids of messages to redeliver."""

        async def batch() -> list[bool]:
            return await asyncio.gather(*(self._handled(record) for record in records))

        done = asyncio.run(batch())
        pairs = zip(records, done, strict=True)
        return [record["messageId"] for record, is_done in pairs if not is_done]

    async def _handled(self, record: Mapping[str, Any]) -> bool:
        """Whether the message is done. One that fails does not affect the others of its batch."""
        try:
            return await self._handle(QueuedTest.model_validate_json(record["body"]))
        except NotFound:
            return True  # its subject was deleted, so its tests can no longer be read
        except Exception as error:
            logger.error(
                "queued test not run", message_id=record["messageId"], error=type(error).__name__
            )
        return False

    async def _handle(self, message: QueuedTest) -> bool:
        identity = message.identity
        claim = await asyncio.to_thread(self._history.claim, identity, self._clock())
        if claim is TestClaim.HELD:
            return False  # if the runner that holds it dies, this message settles the test
        try:
            if claim is TestClaim.OURS:
                await self._test(
                    identity, self._guard_for(message.domain_name), follow=message.follow
                )
            else:
                await asyncio.to_thread(self._recorder.settle, identity)
        finally:
            leave = self._limiter.leave
            await asyncio.to_thread(leave, identity.subject.organization_id, identity.test_id)
        return True

    async def _test(self, identity: TestIdentity, guard: EgressGuard, *, follow: bool) -> None:
        try:
            prepared = await prepared_in_time(lambda: self._prepare(identity))
        except PreparationOverdue:
            logger.error("queued test not prepared in time", test_id=identity.test_id)
            finished = self._overdue()
        else:
            if prepared is None:
                return
            following = Following(_InHistory(self._history, identity)) if follow else None
            try:
                finished = await self._tester.run(prepared, guard, ASYNCHRONOUS, following)
            finally:
                if following:
                    following.stop()
        await asyncio.to_thread(
            self._recorder.record, identity, finished, trigger="manual", mode="async"
        )

    def _overdue(self) -> FinishedTest:
        """Our fault: nothing follows from it for the connection."""
        report = undialed_report("test", "budget_exhausted", "Preparing the test took too long.")
        now = self._clock()
        return FinishedTest(None, None, report, (), now, now)

    def _prepare(self, identity: TestIdentity) -> PreparedTest | None:
        """None if it can't be tested as it is now; then that is recorded.

        Raises as `Tester.prepare`, and `NotFound` if the subject does not exist.
        """
        try:
            try:
                return self._tester.prepare(identity.subject)
            except NotFound:
                # An endpoint of a connection may have been replaced between two reads.
                return self._tester.prepare(identity.subject)
        except (Conflict, NotFound) as refused:
            self._recorder.refuse(identity, refused.message)
        return None


class _InHistory:
    """Tells the steps of a queued test at the test itself, which begins and ends there."""

    def __init__(self, history: TestHistory, identity: TestIdentity) -> None:
        self._history = history
        self._identity = identity

    def begin(self) -> None:
        return

    def tell(self, steps: Sequence[Step]) -> None:
        self._history.tell(self._identity, steps)

    def end(self, result: TestFindings | None) -> None:
        del result  # it is recorded
