"""The same call for many: some at once, at the pace that the deployment asks for.

If one call is told to come back later (`Retry-After`), all of them wait. If too many fail, what has
not begun is left alone, because the cause is likely to be the same. So it is if somebody interrupts
it: the calls that are at work end, and their outcomes are given before the interruption goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from patchbay_sdk.errors import ServerError

T = TypeVar("T")
_PASSING: Final = frozenset({502, 503, 504})
_TRIES: Final = 8
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_LONGEST_RETRY_AFTER_SECONDS: Final = 600.0
"""What asks for more patience than this has failed."""
_LEAST_TO_JUDGE: Final = 10
"""With fewer outcomes than these, a rate says nothing."""

at_once_option = click.option(
    "--at-once", type=click.IntRange(1, 32), default=4, show_default=True, help="Calls at a time."
)
max_error_rate_option = click.option(
    "--max-error-rate",
    type=click.FloatRange(0, 100),
    default=20.0,
    show_default=True,
    metavar="PERCENT",
    help="Stop if more than this fails, after the first ten.",
)


class Outcome(NamedTuple):
    """What a call did, for a line of the report."""

    done: bool
    status: str
    details: dict[str, Any]


class Bulk(Generic[T]):
    """Calls for many, which need a client that does not try again by itself."""

    def __init__(
        self, call: Callable[[T], Outcome], *, at_once: int, max_error_rate: float
    ) -> None:
        self._call = call
        self._at_once = at_once
        self._max_error_rate = max_error_rate
        self._pace = Pace()
        self._running: dict[Future[Outcome | None], T] = {}
        self.count = 0
        self.failed = 0

    @property
    def stopped(self) -> bool:
        """Whether too many have failed."""
        rate = 100 * self.failed / max(self.count, 1)
        return self.count >= _LEAST_TO_JUDGE and rate > self._max_error_rate

    def each(self, items: Iterable[T], told: Callable[[T, Outcome], None]) -> None:
        """Tells the outcome of each item. If somebody interrupts it, or an outcome can't be written
        anywhere, those of what is at work are told before that is raised."""
        try:
            for item, outcome in self._outcomes(items):
                told(item, outcome)
        except (KeyboardInterrupt, OSError):
            self._pace.end()
            for item, outcome in self._counted(list(self._running)):
                with suppress(OSError):
                    told(item, outcome)
            raise

    def _outcomes(self, items: Iterable[T]) -> Iterator[tuple[T, Outcome]]:
        """Each item with its outcome, as they end. Those that were not begun are left out."""
        waiting = iter(items)
        running = self._running
        with ThreadPoolExecutor(max_workers=self._at_once) as pool:
            try:
                while True:
                    if not self.stopped:
                        for item in islice(waiting, self._at_once - len(running)):
                            running[pool.submit(self._patiently, item)] = item
                    if not running:
                        return
                    ended, _ = wait_for(running, return_when=FIRST_COMPLETED)
                    yield from self._counted(ended)
            finally:
                self._pace.end()

    def _counted(self, ended: Iterable[Future[Outcome | None]]) -> Iterator[tuple[T, Outcome]]:
        for future in ended:
            item = self._running.pop(future)
            outcome = future.result()
            if outcome is not None:
                self.count += 1
                self.failed += not outcome.done
                yield item, outcome

    def _patiently(self, item: T) -> Outcome | None:
        """The outcome of an item; None if it was never done, because all was ended."""
        from patchbay_sdk.errors import (
            ApiError,
            ConnectionFailed,
            PatchbayError,
            RateLimited,
            ServerError,
        )

        for number in range(1, _TRIES + 1):
            if not self._pace.wait():
                return None
            try:
                return self._call(item)
            except (RateLimited, ServerError, ConnectionFailed) as error:
                if isinstance(error, ServerError) and not _passes(error):
                    return failure(error)
                asked = error.retry_after_seconds if isinstance(error, ApiError) else None
                if number == _TRIES or (asked or 0) > _LONGEST_RETRY_AFTER_SECONDS:
                    return failure(error)
                backoff = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (number - 1))
                self._pace.pause(backoff if asked is None else asked)
            except PatchbayError as error:
                return failure(error)
        raise AssertionError("the last try returns")


def _passes(error: ServerError) -> bool:
    """Whether the deployment, or a gateway before it, was not there for a moment. A provider's
    failure is an answer."""
    from patchbay_sdk.errors import ProviderFailed

    return error.status in _PASSING and not isinstance(error, ProviderFailed)


class Pace:
    """Until when nobody calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._until = 0.0

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> bool:
        """Whether one may call now; not if all was ended."""
        while not self._ended.is_set() and (left := self._until - time.monotonic()) > 0:
            self._ended.wait(left)
        return not self._ended.is_set()

    def end(self) -> None:
        """From now on nobody calls."""
        self._ended.set()


def failure(error: Exception) -> Outcome:
    """The outcome that an error is. It never has what was sent."""
    from patchbay_cli.failures import described
    from patchbay_sdk.errors import ConnectionFailed, FailedTest, ServerError, UnexpectedAnswer

    if isinstance(error, FailedTest):
        test = error.details.get("test")
        report = test if isinstance(test, dict) else {}
        told = {name: report.get(name) for name in ("code", "blame", "message")}
        return Outcome(False, "test_failed", {**told, "trace_id": error.trace_id})
    # The deployment may have done it.
    is_unclear = isinstance(error, (ConnectionFailed, ServerError, UnexpectedAnswer))
    return Outcome(False, "unclear" if is_unclear else "refused", described(error))


def told(outcome: Outcome) -> str:
    """An outcome in a few words."""
    words = [outcome.status.replace("_", " ")]
    words += [
        str(outcome.details[name]) for name in ("code", "message") if outcome.details.get(name)
    ]
    words += [f"{pointer} {message}" for pointer, message in problems_of(outcome)]
    return ": ".join(words)


def problems_of(outcome: Outcome) -> list[tuple[str, str]]:
    """What is wrong with the request, as the deployment says it: pointers and messages."""
    details = outcome.details.get("details")
    listed = details.get("errors") if isinstance(details, dict) else None
    return [
        (str(one.get("pointer", "")), str(one.get("message", "")))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    ]
