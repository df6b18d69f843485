"""Takes sweeps from the queue and tests their connections.

1. A sweep is read page by page, several pages at once. The connections of a page are tested at the
   same time, up to `in_flight` tests in all. Each organization prepares its tests in time of its
   own (`connection_tests/preparation.py`). Tests for which that time is not enough become a sweep
   of that organization alone, and the others of the page do not wait for them.
2. When the tests of a page have ended, the page is judged (is our own network down?) and recorded.
   If the pages so far say that there are many more connections, the rest is split (`lanes`).
3. A page starts only if it can end before the function does, even if every target of it and of the
   pages before it hangs. Otherwise the rest of the sweep goes back to the queue as a new sweep.
4. What fails at its first attempt (a test that could not be prepared, a page that could not be
   read or recorded) goes back to the queue by itself, for a second attempt some seconds later.
5. A second attempt does not retry a sweep as a whole, because a connection of it may have ended the
   process. It is split into small sweeps, and those, if they fail too, into single connections, so
   that in the end the cause stands alone. The queue delivers that one again, much later.

6. So the function sends messages to its own queue, and Lambda's detection of such loops is switched
   off for it (`RecursiveLoop: Allow`). `_send` has the bound that replaces it: a message that is
   the last of `MAX_HOPS` in a row is not followed by another. What is left of it fails, and becomes
   a dead letter. There are no more messages at once than connections, because a sweep is only
   split into parts that have none in common.

Nothing here has to happen exactly once: a test is recorded under its identity, and a test that is
in the history does not run again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from patchbay.checks.report import CheckReport
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.preparation import (
    PreparationLimits,
    PreparationOverdue,
    Preparations,
    SliceUsed,
)
from patchbay.connections.secrets_manager import reading_once
from patchbay.monitors.lanes import sweeps_of_rest
from patchbay.monitors.page_network import LOOK_SECONDS, LooksAtOwnNetwork, PageNetwork
from patchbay.monitors.reprobes import TEST_MS, MonitoredTest, run_with_reprobes
from patchbay.monitors.store import WheelPage
from patchbay.monitors.sweep_queue import SendsSweeps, SweepMessage, SweepOrder
from patchbay.monitors.wheel import Sweep
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception

PUT_OFF: Final = timedelta(seconds=5)
"""How much later the tests are done for which an organization's time was not enough."""

AGAIN: Final = timedelta(seconds=15)
"""How much later the second attempt is made at what failed. With both splits, a single connection
has its second attempt within the minute."""

SMALL_SWEEP: Final = 25
"""The connections of a small sweep."""

PREPARATION: Final = PreparationLimits()

MAX_HOPS: Final = 200
"""Messages in a row. A slot of 64,000 connections needs two to be split, and ten if all of it
fails; an organization whose tests take a minute of CPU to prepare needs fifteen."""

_SPLIT_AT_ONCE: Final = 1_000
_LAST_SECONDS: Final = 2.0
"""Kept for the response that says which messages failed."""

_EXTRA_SECONDS: Final = 1.0
"""How much longer than the tests an invocation waits for a look at our own network."""

_THREADS: Final = 24


class _SentTooOften(TemporarilyUnavailable):
    """`MAX_HOPS` messages have not ended a sweep."""


class ReadsSweeps(Protocol):
    def read_page(self, sweep: Sweep, limit: int) -> WheelPage: ...


class DueTest[T: MonitoredTest](Protocol):
    """A test that is due and not prepared yet."""

    @property
    def key(self) -> Key:
        """The key of the connection, or of its plan, in the table."""
        ...

    @property
    def organization_id(self) -> str: ...

    @property
    def unprepared(self) -> T:
        """The test that can only crash."""
        ...

    def prepare(self) -> T | None:
        """The test, ready to run; None if it can no longer run. Blocks."""
        ...


class DuePage[T: MonitoredTest](Protocol):
    """The connections of a page that are due."""

    @property
    def due(self) -> Sequence[DueTest[T]]: ...

    def record(self, results: Sequence[tuple[T, FinishedTest]]) -> None: ...


class ReadsPages[T: MonitoredTest](Protocol):
    def read(self, found: WheelPage, minute: datetime) -> DuePage[T]:
        """The connections that are due, with what their tests need read ahead."""
        ...


class WatchesOwnNetwork(LooksAtOwnNetwork, Protocol):
    async def look_if_due(self) -> None:
        """Looks while all is well, so that a server that can be reached is known as such."""
        ...


@dataclass(slots=True)
class SweepResult:
    """What an invocation did. `failed` are the messages that have to be delivered again."""

    reports: list[CheckReport] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    handed_back: int = 0
    split: int = 0
    """Parts of sweeps with many connections that went to other functions."""
    put_off: int = 0
    """Tests of organizations that had used their time to prepare."""
    sent_again: int = 0
    """Sweeps, or parts of them, that failed and have a second attempt."""
    most_in_flight: int = 0


@dataclass(frozen=True, slots=True)
class SweepLimits:
    """`page` counts connections, `in_flight` tests: Lambda gives 1,024 file descriptors, and a test
    of two endpoints takes two. `page_seconds` is what a page may take: its slowest preparation, its
    slowest test, a look at our own network, and 12 s to read and to record it, since calls to
    DynamoDB are cut off after 9 s.
    """

    page: int = 250
    in_flight: int = 400
    pages_at_once: int = 4
    preparation: PreparationLimits = PREPARATION
    page_seconds: float = PREPARATION.most_seconds + TEST_MS / 1000 + LOOK_SECONDS + 12
    test_ms: int = TEST_MS


class Sweeper:
    def __init__(
        self,
        store: ReadsSweeps,
        reader: ReadsPages[Any],
        queue: SendsSweeps,
        network: WatchesOwnNetwork,
        limits: SweepLimits | None = None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._queue = queue
        self._network = network
        self._limits = limits or SweepLimits()

    def run(self, messages: Sequence[SweepMessage], remaining: Callable[[], float]) -> SweepResult:
        """Does the sweeps of one delivery. `remaining` returns the function's remaining seconds.

        A secret of Secrets Manager is read once for all of them.
        """
        with reading_once():
            return asyncio.run(self._run(messages, remaining))

    async def _run(
        self, messages: Sequence[SweepMessage], remaining: Callable[[], float]
    ) -> SweepResult:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="sweep")
        )
        invocation = _Invocation(
            self._store, self._reader, self._queue, self._network, self._limits, remaining
        )
        looking = asyncio.ensure_future(self._network.look_if_due())
        await asyncio.gather(*(invocation.handle(message) for message in messages))
        await asyncio.wait({looking}, timeout=_EXTRA_SECONDS)
        looking.cancel()
        return invocation.result


class _Invocation:
    """One invocation: what its sweeps share."""

    def __init__(
        self,
        store: ReadsSweeps,
        reader: ReadsPages[Any],
        queue: SendsSweeps,
        network: WatchesOwnNetwork,
        limits: SweepLimits,
        remaining: Callable[[], float],
    ) -> None:
        self.result = SweepResult()
        self._store = store
        self._reader = reader
        self._queue = queue
        self._network = network
        self._limits = limits
        self._remaining = remaining
        self._pages = asyncio.Semaphore(limits.pages_at_once)
        self._tests = asyncio.Semaphore(limits.in_flight)
        self._preparations = Preparations(limits.preparation)
        # One at a time: pages of one space would contend for its buckets.
        self._recording = asyncio.Lock()
        self._in_flight = 0
        self._unfinished = 0
        """Tests of started pages that have not ended: running, or waiting to run."""
        self._fewer = asyncio.Event()

    async def handle(self, message: SweepMessage) -> None:
        """Handles a message to its end. What fails is sent again, or adds it to `result.failed`."""
        again: list[Sweep] = []
        try:
            async with asyncio.timeout(max(0.0, self._remaining() - _LAST_SECONDS)):
                try:
                    if message.attempts == 1 or not await self._split(message.sweep):
                        await self._sweep(message.sweep, again)
                except TemporarilyUnavailable as error:
                    self._log(message, error)
                    again.append(message.sweep)
                if again and message.attempts > 1:
                    self.result.failed.append(message.message_id)
                elif again:
                    orders = [SweepOrder(part, AGAIN, attempts=1) for part in again]
                    await self._send(orders)
                    self.result.sent_again += len(again)
        except Exception as error:
            self.result.failed.append(message.message_id)
            self._log(message, error)

    async def _send(self, orders: Sequence[SweepOrder]) -> None:
        """Raises `TemporarilyUnavailable` if the queue does not accept all of them, or may not get
        them."""
        if any(order.sweep.hops >= MAX_HOPS for order in orders):
            raise _SentTooOften
        await asyncio.to_thread(self._queue.send, orders)

    def _log(self, message: SweepMessage, error: Exception) -> None:
        log_exception(
            "sweep failed",
            error,
            message_id=message.message_id,
            slot=message.sweep.slot,
            attempts=message.attempts,
        )

    async def _split(self, sweep: Sweep) -> bool:
        """Splits a sweep into smaller ones; False if it has at most one connection."""
        found = await asyncio.to_thread(self._store.read_page, sweep, _SPLIT_AT_ONCE)
        keys = found.sort_keys
        if len(keys) <= 1 and found.rest is None:
            return False
        size = SMALL_SWEEP if len(keys) > SMALL_SWEEP else 1
        parts = [keys[at : at + size] for at in range(0, len(keys), size)]
        orders = [SweepOrder(sweep.only(part[0], part[-1])) for part in parts]
        if found.rest:
            orders.append(SweepOrder(found.rest))
        await self._send(orders)
        return True

    async def _sweep(self, sweep: Sweep, again: list[Sweep]) -> None:
        """Adds to `again` the parts that failed."""
        rest: Sweep | None = sweep
        read: list[str] = []
        async with asyncio.TaskGroup() as pages:
            while rest:
                await self._pages.acquire()
                if not await self._has_time_for_page():
                    self._pages.release()
                    break
                try:
                    found = await self._read(rest)
                except TemporarilyUnavailable as error:
                    log_exception("sweep not readable", error, slot=sweep.slot)
                    again.append(rest)
                    return  # the pages before it go on
                self._unfinished += len(found.keys)
                pages.create_task(self._page(found, rest, again))
                read += found.sort_keys
                rest = await self._my_part(found.rest, read, sweep) if found.rest else None
        if rest:
            await self._send([SweepOrder(rest)])
            self.result.handed_back += 1

    async def _my_part(self, rest: Sweep, read: Sequence[str], sweep: Sweep) -> Sweep:
        """What this invocation does of the rest; other functions do the other parts."""
        mine, *others = sweeps_of_rest(rest, read, sweep.low)
        if not others:
            return rest
        try:
            await self._send([SweepOrder(part) for part in others])
        except TemporarilyUnavailable as error:
            log_exception("sweep not split", error, slot=sweep.slot)
            return rest
        self.result.split += len(others)
        return mine

    async def _has_time_for_page(self) -> bool:
        """Whether a page that starts now ends in time. Waits while that may become true, as earlier
        tests end."""
        limits = self._limits
        while (left := self._remaining()) >= limits.page_seconds:
            # Earlier tests go first. At worst, each of them takes its whole time.
            # A page has at most as many tests as may be in flight.
            rounds = (self._unfinished + limits.in_flight - 1) // limits.in_flight
            if left >= limits.page_seconds + rounds * limits.test_ms / 1000:
                return True
            self._fewer.clear()
            await self._fewer.wait()
        return False

    def _count_finished(self, tests: int = 1) -> None:
        self._unfinished -= tests
        self._fewer.set()

    async def _read(self, sweep: Sweep) -> WheelPage:
        try:
            return await asyncio.to_thread(self._store.read_page, sweep, self._limits.page)
        except BaseException:
            self._pages.release()
            raise

    async def _page(self, found: WheelPage, sweep: Sweep, again: list[Sweep]) -> None:
        """Tests, judges, and records a page. If it fails, the pages beside it go on."""
        try:
            page = await self._read_due(found, sweep.minute)
            network = PageNetwork(self._network)
            put_off: list[DueTest[Any]] = []
            failed: list[DueTest[Any]] = []
            tested = await asyncio.gather(
                *(self._test(one, network, put_off, failed) for one in page.due)
            )
            results = await network.judged([one for one in tested if one])
            async with self._recording:
                await asyncio.to_thread(page.record, results)
            self.result.reports += [result.report for _, result in results]
            again += _sweeps_of(failed, found, sweep)
            if put_off:
                orders = [SweepOrder(own, PUT_OFF) for own in _sweeps_of(put_off, found, sweep)]
                await self._send(orders)
                self.result.put_off += len(put_off)
        except Exception as error:
            log_exception("page failed", error, slot=sweep.slot)
            if keys := found.sort_keys:
                again.append(sweep.only(keys[0], keys[-1]))
        finally:
            self._pages.release()

    async def _read_due(self, found: WheelPage, minute: datetime) -> DuePage[Any]:
        due = 0
        try:
            page = await asyncio.to_thread(self._reader.read, found, minute)
            due = len(page.due)
            return page
        finally:
            self._count_finished(len(found.keys) - due)

    async def _test(
        self,
        due: DueTest[Any],
        network: PageNetwork,
        put_off: list[DueTest[Any]],
        failed: list[DueTest[Any]],
    ) -> tuple[MonitoredTest, FinishedTest] | None:
        """None if the test did not run: it is put off, gone, or its preparation failed."""
        try:
            if test := await self._prepared(due):
                return test, await self._run(test, network)
        except SliceUsed:
            put_off.append(due)
        except Exception as error:
            log_exception("test not prepared", error, connection=due.key.sk)
            failed.append(due)
        finally:
            self._count_finished()
        return None

    async def _prepared(self, due: DueTest[Any]) -> MonitoredTest | None:
        test: MonitoredTest | None
        try:
            test = await self._preparations.prepare(due.organization_id, due.prepare)
        except PreparationOverdue as error:
            log_exception("test not prepared in time", error, connection=due.key.sk)
            test = due.unprepared
        return test

    async def _run(self, test: MonitoredTest, network: PageNetwork) -> FinishedTest:
        async with self._tests:
            self._in_flight += 1
            self.result.most_in_flight = max(self.result.most_in_flight, self._in_flight)
            try:
                return await run_with_reprobes(
                    test, self._limits.test_ms, on_failure=network.look_at_first_failure
                )
            finally:
                self._in_flight -= 1


def _sweeps_of(tests: Sequence[DueTest[Any]], found: WheelPage, sweep: Sweep) -> list[Sweep]:
    """A sweep for each organization of these tests."""
    places = dict(zip(found.keys, found.sort_keys, strict=True))
    of_organization: dict[str, list[str]] = defaultdict(list)
    for one in tests:
        of_organization[one.organization_id].append(places[one.key])
    return [
        sweep.only(min(own), max(own)).of_organization(organization_id)
        for organization_id, own in of_organization.items()
    ]
