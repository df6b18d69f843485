"""The queue of sweeps between the dispatcher and the sweepers."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from patchbay.monitors.wheel import Sweep
from patchbay.platform.aws import call, client
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.strict_json import compact, loads

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

_MAX_BATCH: Final = 10
"""AWS: SendMessageBatch takes up to 10 messages."""

_SENDERS: Final = 10
"""As many as botocore keeps connections."""


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """A sweep to send, which is delivered after `delay`. `attempts` counts those before it."""

    sweep: Sweep
    delay: timedelta = timedelta(0)
    attempts: int = 0

    def encode(self) -> dict[str, Any]:
        return {**self.sweep.encode(), "attempts": self.attempts}


@dataclass(frozen=True, slots=True)
class SweepMessage:
    """A sweep as the queue delivered it. `attempts` counts this one, and all before it: earlier
    deliveries, and attempts at the message that this one replaced."""

    message_id: str
    sweep: Sweep
    attempts: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Reads a record of an SQS event."""
        body = loads(record["body"].encode())
        deliveries = int(record["attributes"]["ApproximateReceiveCount"])
        attempts = deliveries + body.get("attempts", 0)
        return cls(record["messageId"], Sweep.decode(body).delivered(), attempts)


class SendsSweeps(Protocol):
    def send(self, orders: Iterable[SweepOrder]) -> None: ...


class SweepQueue:
    def __init__(self, url: str, sqs: "SQSClient | None" = None) -> None:
        self._url = url
        self._sqs = sqs or client("sqs")

    def send(self, orders: Iterable[SweepOrder]) -> None:
        """Sends all of them; some may be sent twice.

        Raises `TemporarilyUnavailable` if the queue did not accept all of them.
        """
        batches = list(batched(orders, _MAX_BATCH, strict=False))
        if len(batches) == 1:
            self._send(batches[0])
        elif batches:
            with ThreadPoolExecutor(min(_SENDERS, len(batches))) as pool:
                # list() raises the first failure here.
                list(pool.map(self._send, batches))

    def _send(self, orders: Sequence[SweepOrder]) -> None:
        answer = call(
            self._sqs.send_message_batch,
            QueueUrl=self._url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": compact(order.encode()).decode(),
                    "DelaySeconds": int(order.delay.total_seconds()),
                }
                for number, order in enumerate(orders)
            ],
        )
        if answer.get("Failed"):
            raise TemporarilyUnavailable
