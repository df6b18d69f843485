"""What goes wrong between us and DynamoDB."""

from collections.abc import Iterator
from contextlib import contextmanager

from patchbay.platform.kept_connections import NoAnswer
from tests.integration.table_calls import Attempt, Carry, Reply, meet, meeting


@contextmanager
def lost_replies(*operations: str) -> Iterator[None]:
    """Within the block, each first write of these operations is applied and its reply is lost."""
    lose = True

    def alternate(attempt: Attempt, carry: Carry) -> Reply:
        nonlocal lose
        answer = carry()
        if attempt.operation in operations:
            lose, losing = not lose, lose
            if losing:
                raise NoAnswer("timeout")
        return answer

    with meeting(alternate):
        yield


def lose_replies(operation: str, *, skip: int = 0, times: int = 1, applied: bool = True) -> None:
    """From now on, after `skip` such calls, `times` are applied, or not, and no reply comes."""
    left = [True] * skip + [False] * times

    def lose(attempt: Attempt, carry: Carry) -> Reply:
        if attempt.operation != operation or not left or left.pop(0):
            return carry()
        if applied:
            carry()
        raise NoAnswer("timeout")

    meet(lose)
