"""Tests that callers ask for: within their organization's limits, at once or through the queue.

The tests of monitors do not come through here: their schedule is their limit.
"""

from datetime import timedelta
from typing import Final

from patchbay.connection_tests.following import Following
from patchbay.connection_tests.history import TO_FINISH, TestHistory
from patchbay.connection_tests.identity import TestIdentity, TestSubject, TestSubjectKind
from patchbay.connection_tests.model import (
    DryRun,
    DryRunResult,
    RecordedTest,
    TestConnectionOutput,
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

    def dry_run(
        self, organization_id: str, request: DryRun, following: Following | None = None
    ) -> DryRunResult:
        """Tests a connection that does not exist yet; stores nothing.

        Raises `NotFound`, `InvalidConfig`, and `RateLimited`.
        """
        now = self._clock()
        token = new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, TO_RESPOND):
            return self._tester.dry_run(organization_id, request, self._guard, following)

    def start(
        self, subject: TestSubject, stamp: Stamp, following: Following | None = None
    ) -> RecordedTest:
        """Returns the finished test. The same stamp is the same test.

        Raises `NotFound`, `Conflict` for a connection that is disabled, `RateLimited`, and
        `TemporarilyUnavailable`.
        """
        identity = TestIdentity.called(subject, stamp)
        organization_id, now = subject.organization_id, self._clock()
        with self._limiter.held(organization_id, identity.test_id, self._limit, now, TO_RESPOND):
            return self._tester.test(identity, self._guard, following=following)

    def operate(
        self, organization_id: str, connection_id: str, stamp: Stamp
    ) -> TestConnectionOutput:
        """The operation `integrations.connection.test`. Raises as `start`."""
        subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
        test = self.start(subject, stamp)
        return TestConnectionOutput.of(test, self._subjects.connection(subject))

    def enqueue(self, subject: TestSubject, stamp: Stamp, *, follow: bool) -> RecordedTest:
        """Returns the queued test, which is polled. The same stamp is the same test. Raises as
        `start`.

        1. Take a lease. 2. Store the queued test. 3. Send its message, whose runner finds it.

        The runner returns the lease, or it ends with the test's deadline.
        """
        identity = TestIdentity.called(subject, stamp)
        organization_id, now = subject.organization_id, self._clock()
        self._subjects.require(identity.subject, testable=True)
        self._limiter.enter(organization_id, identity.test_id, self._limit, now, TO_FINISH)
        try:
            test = self._history.enqueue(identity, now)
            if test.status == "queued":
                self._queue.send(QueuedTest.of(identity, self._domain_name, follow=follow))
        except PatchbayError:
            self._history.take_back(identity)
            self._limiter.leave(organization_id, identity.test_id)
            raise
        if test.finished:
            self._limiter.leave(organization_id, identity.test_id)
        return test
