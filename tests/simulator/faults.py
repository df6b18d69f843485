"""A DynamoDB client that fails as networks, services and processes do."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.kept_connections import NoAnswer

RATE: Final = 0.02
"""The probability of each kind of fault, for each call."""

_SINGLE_WRITES: Final = ("put_item", "update_item", "delete_item")


class Crash(BaseException):
    """The process has ended. The code under test must not catch this."""


class FaultyClient:
    """Forwards calls to a real client. Some of them fail, before or after the call."""

    def __init__(
        self,
        client: Any,
        chance: Random,
        pause: Callable[[], None],
        happened: Counter[str],
        *,
        rate: float = RATE,
        conflicts: int = 5,
    ) -> None:
        """`conflicts` is how many times as likely as other faults those of transactions are."""
        self._client = client
        self._chance = chance
        self._pause = pause
        self._happened = happened
        self._rate = rate
        self._conflicts = conflicts

    def __getattr__(self, operation: str) -> Any:
        return partial(self._call, operation)

    def _call(self, operation: str, **request: Any) -> Any:
        self._pause()
        self._happened["calls"] += 1
        call = partial(getattr(self._client, operation), **request)
        kinds: list[Callable[[str, Callable[[], Any]], Any]] = [
            self._throttled,
            self._lost_for_good,
            self._crashed_before,
            self._crashed_after,
        ]
        if operation == "transact_write_items":
            # More of these, so that writers use side shards and there is something to fold.
            kinds += [self._lost_and_repeated, *[self._conflicted] * self._conflicts]
        elif operation in _SINGLE_WRITES:
            kinds.append(self._lost_and_repeated)
        drawn = self._chance.random() / self._rate if self._rate else len(kinds)
        if drawn >= len(kinds):
            return call()
        return kinds[int(drawn)](operation, call)

    def _throttled(self, operation: str, _: Callable[[], Any]) -> Any:
        self._happened["throttled"] += 1
        raise DynamoDBError(operation, "ThrottlingException")

    def _conflicted(self, operation: str, _: Callable[[], Any]) -> Any:
        self._happened["transaction conflicts"] += 1
        reasons = [{"Code": "TransactionConflict"}]
        raise DynamoDBError(
            operation, "TransactionCanceledException", details={"CancellationReasons": reasons}
        )

    def _lost_for_good(self, _: str, call: Callable[[], Any]) -> Any:
        """The call is applied, but its reply is lost."""
        call()
        self._happened["replies lost for good"] += 1
        raise NoAnswer("timeout")

    def _lost_and_repeated(self, _: str, call: Callable[[], Any]) -> Any:
        """The call is applied, its reply is lost, and the client repeats it.

        If it has a token, the repetition has the same.
        """
        call()
        self._happened["replies lost, calls repeated"] += 1
        return call()

    def _crashed_before(self, _: str, __: Callable[[], Any]) -> Any:
        self._happened["crashes"] += 1
        raise Crash

    def _crashed_after(self, _: str, call: Callable[[], Any]) -> Any:
        call()
        self._happened["crashes"] += 1
        raise Crash
