"""DynamoDB in this process: our client sends to moto, through what a test puts between."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.awsrequest import AWSPreparedRequest
from moto.core.models import botocore_stubber

from patchbay.platform.kept_connections import ServerAnswer as Reply

__all__ = ["Attempt", "Carry", "Meet", "MotoTransport", "Reply", "counted_calls", "meet", "meeting"]

_URL: Final = "https://dynamodb.eu-central-1.amazonaws.com/"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call, on its way."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        return self.headers["X-Amz-Target"].rpartition(".")[2]

    @property
    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(self.body)
        return request


type Carry = Callable[[], Reply]
type Meet = Callable[[Attempt, Carry], Reply]
"""Gets what is sent, and the rest of its way, which it may go once, twice, or not at all."""

_MEETING: Final[list[Meet]] = []


class MotoTransport:
    """Sends to moto."""

    def __init__(self, *_: Any) -> None:
        _MEETING.clear()

    def send(self, headers: Mapping[str, str], body: bytes) -> Reply:
        return _carried(Attempt(headers, body), len(_MEETING))


def _carried(attempt: Attempt, left: int) -> Reply:
    if left:
        return _MEETING[left - 1](attempt, lambda: _carried(attempt, left - 1))
    headers: Any = attempt.headers
    request = AWSPreparedRequest("POST", _URL, headers, attempt.body, stream_output=False)
    answer = botocore_stubber("before-send", request)
    assert answer is not None
    received = {str(name).lower(): str(value) for name, value in answer.headers.items()}
    return Reply(answer.status_code, received, answer.content)


def meet(calls: Meet) -> None:
    """From now on it meets every call to DynamoDB first, until the end of the test."""
    _MEETING.append(calls)


@contextmanager
def meeting(calls: Meet) -> Iterator[None]:
    """As `meet`, until the end of the block."""
    meet(calls)
    try:
        yield
    finally:
        _MEETING.remove(calls)


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """How many requests are sent, by operation."""
    counts: Counter[str] = Counter()

    def count(attempt: Attempt, carry: Carry) -> Reply:
        counts[attempt.operation] += 1
        return carry()

    with meeting(count):
        yield counts
