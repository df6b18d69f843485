"""The first test of what a session made or repaired: one, however often it is asked for.

Its id follows from the session. It goes the way of queued tests, without the queue: it is stored
before it runs, and claimed by one runner, so a crash leaves a test that a repetition runs, or that
ends as overdue after five minutes. It takes no turn of the tests of the organization, which could
be used up: a session has only one.
"""

from datetime import datetime

from patchbay.connection_tests.following import Following
from patchbay.connection_tests.history import TestClaim, TestHistory
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connection_tests.recorder import TestRecorder
from patchbay.connection_tests.tester import Tester
from patchbay.egress.guard import EgressGuard
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict
from patchbay.platform.ids import derived_id


def first_test(
    organization_id: str, connection_id: str, session_id: str, completed_at: datetime
) -> TestIdentity:
    """The first test of what a session completed."""
    subject = TestSubject.connection(organization_id, connection_id)
    return TestIdentity(subject, derived_id("tst", completed_at, session_id))


class FirstTests:
    """For one request: `guard` must not dial the host that it was sent to."""

    def __init__(
        self,
        tester: Tester,
        recorder: TestRecorder,
        history: TestHistory,
        guard: EgressGuard,
        clock: Clock,
    ) -> None:
        self._tester = tester
        self._recorder = recorder
        self._history = history
        self._guard = guard
        self._clock = clock

    def run(self, identity: TestIdentity, following: Following | None = None) -> RecordedTest:
        """The test: finished, or running somewhere else.

        Raises `NotFound` if its connection was deleted, and `TemporarilyUnavailable`.
        """
        self._history.enqueue(identity, self._clock())
        claim = self._history.claim(identity, self._clock())
        if claim is TestClaim.OURS:
            try:
                return self._tester.test(identity, self._guard, following=following)
            except Conflict as disabled:
                self._recorder.refuse(identity, disabled.message)
        elif claim is not TestClaim.HELD:
            self._recorder.settle(identity)
        return self._history.test(identity.subject, None, identity.test_id, self._clock())
