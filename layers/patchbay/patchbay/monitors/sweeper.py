"""The runner: takes sweeps from the queue and tests who is in them.

1. A sweep is read page by page, several pages at once; of a page, everyone is tested at once, up to
   `in_flight` tests in all.
2. A page whose tests have ended is judged (whose fault is it?) and recorded, whole.
3. No page is begun that might not end before the function does, even if every target hangs of this
   page and of those before it: what is left of the sweep goes back to the queue as a sweep of its
   own.
4. A sweep that comes a second time had something in it that ended a runner, or was not recorded. It
   is not tried again as a whole: it is cut into small sweeps, and those, if they come again, into
   single ones, so that whatever it is stands alone in the end.

Nothing here has to happen exactly once: tests are recorded under their identity, and who is
recorded is not tested again.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from patchbay.checks.report import CheckReport
from patchbay.monitors.own_network import UNREACHED, TargetsSeen, excused_report, is_our_network
from patchbay.monitors.reprobes import TEST_MS, MonitoredTest, run_with_reprobes
from patchbay.monitors.store import MemberPage
from patchbay.monitors.sweep_queue import SendsSweeps, SweepMessage, SweepOrder
from patchbay.monitors.wheel import Sweep
from patchbay.platform.logging import log_exception

PAGE: Final = 250
IN_FLIGHT: Final = 400
"""Tests at once. Lambda gives 1,024 file descriptors, and a test of two ends takes two."""
PAGES_AT_ONCE: Final = 4
PART: Final = 25
"""How many connections a small sweep has."""
_SPLIT_AT_ONCE: Final = 1_000

PAGE_SECONDS: Final = TEST_MS / 1000 + 12
"""What a page may take: its slowest test, and 12 s to read and to record. DynamoDB's calls are cut
off after 9 s."""
_LAST_SECONDS: Final = 2.0
"""What is kept to say how it ended."""

_THREADS: Final = 24


class FindsMembers(Protocol):
    def members(self, sweep: Sweep, limit: int) -> MemberPage: ...


class PageTests(Protocol):
    """The turns of a page's members, and where their results go."""

    def prepare(self, members: MemberPage, minute: datetime) -> Sequence[MonitoredTest]:
        """Those of them who are to be tested, with all that is needed for it."""
        ...

    def record(
        self, tested: Sequence[tuple[MonitoredTest, CheckReport]], minute: datetime
    ) -> None: ...


class Canary(Protocol):
    async def reached(self) -> bool | None:
        """Whether the operator's canary answers; None if there is none."""
        ...


@dataclass(slots=True)
class SweepResult:
    """What an invocation did. `failed` are the messages that have to come again."""

    reports: list[CheckReport] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    handed_back: int = 0
    most_in_flight: int = 0


@dataclass(frozen=True, slots=True)
class SweepLimits:
    page: int = PAGE
    in_flight: int = IN_FLIGHT
    pages_at_once: int = PAGES_AT_ONCE
    page_seconds: float = PAGE_SECONDS
    test_ms: int = TEST_MS


class Sweeper:
    def __init__(
        self,
        finds: FindsMembers,
        turns: PageTests,
        queue: SendsSweeps,
        canary: Canary,
        limits: SweepLimits | None = None,
    ) -> None:
        self._finds = finds
        self._turns = turns
        self._queue = queue
        self._canary = canary
        self._limits = limits or SweepLimits()

    def run(self, received: Sequence[SweepMessage], remaining: Callable[[], float]) -> SweepResult:
        """Does the sweeps of one delivery. `remaining` are the seconds until the function ends."""
        return asyncio.run(self._run(received, remaining))

    async def _run(
        self, received: Sequence[SweepMessage], remaining: Callable[[], float]
    ) -> SweepResult:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="sweep")
        )
        run = _Run(self._finds, self._turns, self._queue, self._canary, self._limits, remaining)
        await asyncio.gather(*(run.one(message) for message in received))
        return run.swept


class _Run:
    """One invocation: what its sweeps share."""

    def __init__(
        self,
        finds: FindsMembers,
        turns: PageTests,
        queue: SendsSweeps,
        canary: Canary,
        limits: SweepLimits,
        remaining: Callable[[], float],
    ) -> None:
        self.swept = SweepResult()
        self._finds = finds
        self._turns = turns
        self._queue = queue
        self._canary = canary
        self._limits = limits
        self._remaining = remaining
        self._pages = asyncio.Semaphore(limits.pages_at_once)
        self._tests = asyncio.Semaphore(limits.in_flight)
        # One at a time: the pages of one space would meet on its buckets.
        self._recording = asyncio.Lock()
        self._flying = 0
        self._unfinished = 0
        """Tests of begun pages that have not ended: under way, or waiting for a place."""
        self._fewer = asyncio.Event()

    async def one(self, message: SweepMessage) -> None:
        """A message to its end; a failure of any kind is one more of `swept.failed`."""
        try:
            async with asyncio.timeout(max(0.0, self._remaining() - _LAST_SECONDS)):
                if message.attempts == 1 or not await self._split(message.sweep):
                    await self._sweep(message.sweep)
        except Exception as error:
            self.swept.failed.append(message.message_id)
            log_exception(
                "sweep failed",
                error,
                message_id=message.message_id,
                slot=message.sweep.slot,
                attempts=message.attempts,
            )

    async def _split(self, sweep: Sweep) -> bool:
        """Cuts a sweep into smaller ones; False if it has but one member."""
        members = await asyncio.to_thread(self._finds.members, sweep, _SPLIT_AT_ONCE)
        keys = members.sort_keys
        if len(keys) <= 1 and members.rest is None:
            return False
        size = PART if len(keys) > PART else 1
        parts = [keys[at : at + size] for at in range(0, len(keys), size)]
        orders = [SweepOrder(sweep.only(part[0], part[-1])) for part in parts]
        if members.rest:
            orders.append(SweepOrder(members.rest))
        await asyncio.to_thread(self._queue.send, orders)
        return True

    async def _sweep(self, sweep: Sweep) -> None:
        rest: Sweep | None = sweep
        failures: list[Exception] = []
        async with asyncio.TaskGroup() as pages:
            while rest and not failures:
                await self._pages.acquire()
                if not await self._room():
                    self._pages.release()
                    break
                members = await self._read(rest)
                self._unfinished += len(members.keys)
                pages.create_task(self._page(members, sweep.minute, failures))
                rest = members.rest
        if failures:
            raise failures[0]
        if rest:
            await asyncio.to_thread(self._queue.send, [SweepOrder(rest)])
            self.swept.handed_back += 1

    async def _room(self) -> bool:
        """Whether a page that begins now ends in time; waits as long as tests before it may make
        it so."""
        limits = self._limits
        while (left := self._remaining()) >= limits.page_seconds:
            # Whoever is before it has its place first: at worst all of them for their whole time.
            rounds = (self._unfinished + limits.page - 1) // limits.in_flight
            if left >= limits.page_seconds + rounds * limits.test_ms / 1000:
                return True
            self._fewer.clear()
            await self._fewer.wait()
        return False

    def _finished(self, tests: int = 1) -> None:
        self._unfinished -= tests
        self._fewer.set()

    async def _read(self, sweep: Sweep) -> MemberPage:
        try:
            return await asyncio.to_thread(self._finds.members, sweep, self._limits.page)
        except BaseException:
            self._pages.release()
            raise

    async def _page(self, members: MemberPage, minute: datetime, failures: list[Exception]) -> None:
        """A page to its end; the pages beside it go on when it fails."""
        try:
            tested = await self._test(members, minute)
            async with self._recording:
                await asyncio.to_thread(self._turns.record, tested, minute)
            self.swept.reports += [report for _, report in tested]
        except Exception as error:
            failures.append(error)
        finally:
            self._pages.release()

    async def _test(
        self, members: MemberPage, minute: datetime
    ) -> list[tuple[MonitoredTest, CheckReport]]:
        """Everyone of a page, tested and judged."""
        trials: Sequence[MonitoredTest] = ()
        try:
            trials = await asyncio.to_thread(self._turns.prepare, members, minute)
        finally:
            self._finished(len(members.keys) - len(trials))
        asked = _Asked(self._canary)
        reports = await asyncio.gather(*(self._attempt(trial, asked) for trial in trials))
        tested = list(zip(trials, reports, strict=True))
        seen = [TargetsSeen(trial.places, report) for trial, report in tested]
        if is_our_network(seen, await asked.answer(seen)):
            tested = [
                (trial, excused_report(report) if report.code in UNREACHED else report)
                for trial, report in tested
            ]
        return tested

    async def _attempt(self, trial: MonitoredTest, asked: "_Asked") -> CheckReport:
        try:
            async with self._tests:
                self._flying += 1
                self.swept.most_in_flight = max(self.swept.most_in_flight, self._flying)
                try:
                    return await run_with_reprobes(
                        trial, self._limits.test_ms, on_failure=asked.at_once
                    )
                finally:
                    self._flying -= 1
        finally:
            self._finished()


class _Asked:
    """The canary of a page: asked when the first test of it can't reach its target, and again at
    the end, so that a short outage of ours is not put down to those whom it met."""

    def __init__(self, canary: Canary) -> None:
        self._canary = canary
        self._first: asyncio.Task[bool | None] | None = None

    def at_once(self, report: CheckReport) -> None:
        if self._first is None and report.code in UNREACHED:
            self._first = asyncio.ensure_future(self._canary.reached())

    async def answer(self, page: Sequence[TargetsSeen]) -> bool | None:
        """Whether it was reached both times; None without a canary, or if there was no need."""
        if self._first is None:
            return None
        first = await self._first
        if first is False or not any(seen.unreached for seen in page):
            return first
        return await self._canary.reached()
