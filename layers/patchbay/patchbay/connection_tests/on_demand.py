"""Tests that callers ask for: within their organization's limits, at once or through the queue.

The tests of monitors do not come through here: their schedule is their limit.
"""

from datetime import timedelta
from typing import Final

from patchbay.connection_tests.history import TO_FINISH, TestHistory
from patchbay.connection_tests.identity import TestIdentity, TestSubject, TestSubjectKind
from patchbay.connection_tests.model import (
    DryRun,
    DryRunResult,
    RecordedTest,
    TestConnectionOutput,
    TestMode,
)
from patchbay.connection_tests.queue import QueuedTest, TestQueue
from patchbay.connection_tests.subjects import TestSubjects
from patchbay.connection_tests.tester import Tester
from patchbay.egress.guard import EgressGuard
from patchbay.platform.clock import Clock
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp, new_id
from patchbay.platform.limits import Limit, Limiter

TO_RESPOND: Final = timedelta(seconds=30)
"""No request runs longer: then the lease of a function that was killed is free again."""


class OnDemandTests:
    """The use cases of callers of the API. `domain_name` is the host that they called."""

    def __init__(
        self,
        tester: Tester,
        subjects: TestSubjects,
        history: TestHistory,
        limiter: Limiter,
        limit: Limit,
        queue: TestQueue,
        guard: EgressGuard,
        domain_name: str,
        clock: Clock,
    ) -> None:
        self._tester = tester
        self._subjects = subjects
        self._history = history
        self._limiter = limiter
        self._limit = limit
        self._queue = queue
        self._guard = guard
        self._domain_name = domain_name
        self._clock = clock

    def dry_run(self, organization_id: str, request: DryRun) -> DryRunResult:
        """Tests a connection that does not exist yet; stores nothing.

        Raises `NotFound`, `InvalidConfig`, and `RateLimited`.
        """
        now = self._clock()
        token = new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            return self._tester.dry_run(organization_id, request, self._guard)

    def start(self, subject: TestSubject, mode: TestMode, stamp: Stamp) -> RecordedTest:
        """Returns the test: finished, or with `async` queued. The same stamp is the same test.

        Raises `NotFound`, `Conflict` for a connection that is disabled, `RateLimited`, and
        `TemporarilyUnavailable`.
        """
        identity = TestIdentity.called(subject, stamp)
        if mode == "async":
            return self._enqueue(identity)
        organization_id, now = subject.organization_id, self._clock()
        with self._limiter.held(organization_id, identity.test_id, self._limit, now, TO_RESPOND):
            return self._tester.test(identity, self._guard)

    def operate(
        self, organization_id: str, connection_id: str, stamp: Stamp
    ) -> TestConnectionOutput:
        """The operation `integrations.connection.test`. Raises as `start`."""
        subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
        test = self.start(subject, "sync", stamp)
        return TestConnectionOutput.of(test, self._subjects.connection(subject))

    def _enqueue(self, identity: TestIdentity) -> RecordedTest:
        """1. Take a lease. 2. Store the queued test. 3. Send its message, whose runner finds it.

        The runner returns the lease, or it ends with the test's deadline.
        """
        organization_id, now = identity.subject.organization_id, self._clock()
        self._subjects.require(identity.subject, testable=True)
        self._limiter.enter(organization_id, identity.test_id, self._limit, now, TO_FINISH)
        try:
            test = self._history.enqueue(identity, now)
            if test.status == "queued":
                self._queue.send(QueuedTest.of(identity, self._domain_name))
        except PatchbayError:
            self._history.take_back(identity)
            self._limiter.leave(organization_id, identity.test_id)
            raise
        if test.finished:
            self._limiter.leave(organization_id, identity.test_id)
        return test
