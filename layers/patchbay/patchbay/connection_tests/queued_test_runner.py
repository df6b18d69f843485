"""Runs the tests of the queue. A message may come late, twice, or to two at once.

1. Claim the test; only one may run it at a time, and none after its deadline.
2. Prepare, run and record it, beside the others of the batch. What can't be tested any more, as it
   was disabled since the call, ends with that as its result.
3. What is done, overdue or gone is settled, and needs its message no more. Anything else comes
   back, and the queue gives it up after a few times.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from patchbay.connection_tests.history import TestClaim, TestHistory, TestSubject
from patchbay.connection_tests.identity import TestIdentity
from patchbay.connection_tests.queue import QueuedTest
from patchbay.connection_tests.tester import ASYNCHRONOUS, PreparedTest, Tester
from patchbay.egress.guard import EgressGuard
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.limits import Limiter
from patchbay.platform.logging import logger


class QueuedTestRunner:
    """The use case of the function behind the queue.

    `guard_for` makes the guard of a test that was asked for at this host name of the API.
    """

    def __init__(
        self,
        tester: Tester,
        history: TestHistory,
        limiter: Limiter,
        guard_for: Callable[[str], EgressGuard],
        clock: Clock,
    ) -> None:
        self._tester = tester
        self._history = history
        self._limiter = limiter
        self._guard_for = guard_for
        self._clock = clock

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Runs a batch of SQS records side by side; the answer is the ids of those to come back."""

        async def batch() -> list[bool]:
            return await asyncio.gather(*(self._handled(record) for record in records))

        done = asyncio.run(batch())
        pairs = zip(records, done, strict=True)
        return [record["messageId"] for record, is_done in pairs if not is_done]

    async def _handled(self, record: Mapping[str, Any]) -> bool:
        """Whether its message is done with. One that fails must not take its neighbours with it."""
        try:
            return await self._run(QueuedTest.model_validate_json(record["body"]))
        except NotFound:
            return True  # deleted meanwhile, and nobody can read its tests any more
        except Exception as error:
            logger.error(
                "queued test not run", message_id=record["messageId"], error=type(error).__name__
            )
        return False

    async def _run(self, message: QueuedTest) -> bool:
        subject, identity = message.subject, TestIdentity(message.test_id)
        claim = await asyncio.to_thread(self._history.claim, subject, identity, self._clock())
        if claim is TestClaim.HELD:
            # If who holds it dies, this message is what the test is settled by.
            return False
        try:
            if claim is TestClaim.OURS:
                await self._tested(message, subject, identity)
            else:
                await asyncio.to_thread(self._tester.settle, subject, identity)
        finally:
            leave = self._limiter.leave
            await asyncio.to_thread(leave, subject.organization_id, identity.test_id)
        return True

    async def _tested(
        self, message: QueuedTest, subject: TestSubject, identity: TestIdentity
    ) -> None:
        prepared = await asyncio.to_thread(self._prepared, subject, identity)
        if prepared is None:
            return
        guard = self._guard_for(message.domain_name)
        finished = await self._tester.run(prepared, guard, ASYNCHRONOUS)
        await asyncio.to_thread(
            self._tester.record,
            subject,
            identity,
            prepared,
            finished,
            trigger="manual",
            mode="async",
        )

    def _prepared(self, subject: TestSubject, identity: TestIdentity) -> PreparedTest | None:
        """None if it can't be tested as it now stands; then that is recorded.

        Raises as `Tester.prepare`, and `NotFound` if it is not there at all.
        """
        try:
            try:
                return self._tester.prepare(subject)
            except NotFound:
                # An endpoint of a connection may have been exchanged between two reads.
                return self._tester.prepare(subject)
        except (Conflict, NotFound) as refused:
            self._tester.refuse(subject, identity, refused.message)
        return None
