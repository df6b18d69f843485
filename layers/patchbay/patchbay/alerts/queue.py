"""The queue that wakes the notifier. A message only names deliveries, which are in the outbox."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from patchbay.platform.aws import call, client
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import compact, loads

_KEYS_A_MESSAGE: Final = 100


class NotificationQueue:
    """Wakes the notifier for new deliveries. `queue_url` is the URL of an SQS queue."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def wake(self, keys: Sequence[Key]) -> None:
        """Does not raise if the queue fails: the notifier reads the outbox each minute anyway."""
        for first in range(0, len(keys), _KEYS_A_MESSAGE):
            named = [list(key) for key in keys[first : first + _KEYS_A_MESSAGE]]
            body = compact({"deliveries": named}).decode()
            try:
                call(client("sqs").send_message, QueueUrl=self._queue_url, MessageBody=body)
            except PatchbayError as error:
                logger.warning("notifier not woken", error=error.code)


def keys_of(record: Mapping[str, Any]) -> list[Key]:
    """Returns the deliveries that a message names. Raises if the message is not one of ours."""
    return [_key(named) for named in loads(record["body"].encode())["deliveries"]]


def _key(named: Any) -> Key:
    match named:
        case [str(pk), str(sk)]:
            return Key(pk, sk)
        case _:
            raise ValueError("not a key")
