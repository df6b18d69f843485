"""Tests that somebody asked for: within their tenant's limits, at once or through the queue.

What a monitor runs does not pass here: its own schedule is its limit.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Final

from patchbay.connection_tests.history import TO_FINISH, TestHistory, TestSubject
from patchbay.connection_tests.identity import TestIdentity
from patchbay.connection_tests.model import DryRun, DryRunResult, RecordedTest, TestMode
from patchbay.connection_tests.queue import QueuedTest, TestQueue
from patchbay.connection_tests.reader import require
from patchbay.connection_tests.tester import Tester
from patchbay.connections.store import ConnectionStore
from patchbay.egress.guard import EgressGuard
from patchbay.platform.clock import Clock
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.platform.limits import Limit, Limiter

TO_ANSWER: Final = timedelta(seconds=30)
"""No request runs longer: after that, the lease of a function that was killed is free again."""


class OnDemandTests:
    """The use cases of the API's callers. `domain_name` is the host that they called."""

    def __init__(
        self,
        tester: Tester,
        store: ConnectionStore,
        history: TestHistory,
        limiter: Limiter,
        limit: Limit,
        queue: TestQueue,
        guard: EgressGuard,
        domain_name: str,
        clock: Clock,
    ) -> None:
        self._tester = tester
        self._store = store
        self._history = history
        self._limiter = limiter
        self._limit = limit
        self._queue = queue
        self._guard = guard
        self._domain_name = domain_name
        self._clock = clock

    def dry_run(self, organization_id: str, request: DryRun) -> DryRunResult:
        """Whether a connection of these would work; nothing is stored.

        Raises `NotFound`, `InvalidConfig` and `RateLimited`.
        """
        identity = TestIdentity.called(Stamp.fresh(self._clock()))
        with self._in_flight(organization_id, identity):
            return self._tester.dry_run(organization_id, request, self._guard)

    def start(self, subject: TestSubject, mode: TestMode, stamp: Stamp) -> RecordedTest:
        """A test, finished or queued. A repetition under the same stamp is the same test.

        Raises `NotFound`, `Conflict` for a connection that is disabled, `RateLimited`, and
        `TemporarilyUnavailable`.
        """
        identity = TestIdentity.called(stamp)
        if mode == "async":
            return self._queued(subject, identity)
        with self._in_flight(subject.organization_id, identity):
            return self._tester.test(subject, identity, self._guard)

    def _queued(self, subject: TestSubject, identity: TestIdentity) -> RecordedTest:
        """1. take a lease, 2. store that it waits, 3. send: what runs it finds it stored.

        The lease is returned by whoever runs the test, or ends with its deadline.
        """
        organization_id, now = subject.organization_id, self._clock()
        require(self._store, subject, testable=True)
        self._limiter.enter(organization_id, identity.test_id, self._limit, now, TO_FINISH)
        try:
            test = self._history.enqueue(subject, identity, now)
            if test.status == "queued":
                self._queue.send(QueuedTest.of(subject, identity, self._domain_name))
        except PatchbayError:
            self._history.take_back(subject, identity)
            self._limiter.leave(organization_id, identity.test_id)
            raise
        if test.finished:
            self._limiter.leave(organization_id, identity.test_id)
        return test

    def _in_flight(
        self, organization_id: str, identity: TestIdentity
    ) -> AbstractContextManager[None]:
        return in_flight(
            self._limiter, self._limit, organization_id, identity.test_id, self._clock()
        )


@contextmanager
def in_flight(
    limiter: Limiter, limit: Limit, organization_id: str, token: str, now: datetime
) -> Iterator[None]:
    """A test within a request, by a caller who holds a lease for as long. Raises `RateLimited`."""
    limiter.enter(organization_id, token, limit, now, TO_ANSWER)
    try:
        yield
    finally:
        limiter.leave(organization_id, token)
