"""The queue of what one evaluation is too little for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from patchbay.platform.aws import call, client
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.strict_json import compact, loads

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

_MESSAGES_A_CALL: Final = 10
"""AWS: SendMessageBatch takes up to 10 messages, and 256 KB: a message has some 10 KB."""

TOO_LATE: Final = timedelta(minutes=3)
"""A batch that waited longer is dropped: its spaces are woken, and sent again in another minute."""


@dataclass(frozen=True, slots=True)
class EvaluationBatch:
    """Some of the spaces that are due at `now`, the scheduled minute."""

    now: datetime
    space_ids: Sequence[str]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Reads a record of an SQS event. Raises if it is not one of ours."""
        body = loads(record["body"].encode())
        return cls(from_text(body["now"]), [str(space_id) for space_id in body["spaces"]])

    def encode(self) -> dict[str, Any]:
        return {"now": to_text(self.now), "spaces": [*self.space_ids]}

    def is_too_late(self, now: datetime) -> bool:
        return now > self.now + TOO_LATE


class SendsBatches(Protocol):
    def send(self, batches: Sequence[EvaluationBatch]) -> None: ...


class EvaluationQueue:
    """`url` is the URL of an SQS queue."""

    def __init__(self, url: str, sqs: "SQSClient | None" = None) -> None:
        self._url = url
        self._sqs = sqs

    def send(self, batches: Sequence[EvaluationBatch]) -> None:
        """Sends all of them; some may be sent twice.

        Raises `TemporarilyUnavailable` if the queue did not accept all of them.
        """
        if not batches:
            return
        sqs = self._sqs or client("sqs")
        for some in batched(batches, _MESSAGES_A_CALL, strict=False):
            answer = call(
                sqs.send_message_batch,
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "MessageBody": compact(batch.encode()).decode()}
                    for number, batch in enumerate(some)
                ],
            )
            if answer.get("Failed"):
                raise TemporarilyUnavailable
