"""The queue that wakes the sender. What has to be sent is in the outbox; a message only says so."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from patchbay.platform.aws import call, client
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import compact, loads

_KEYS_A_MESSAGE: Final = 100


class Wake:
    """Tells the sender of new deliveries, through the queue at this URL."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def __call__(self, keys: Sequence[Key]) -> None:
        """A queue that does not answer costs a minute: the sender reads the outbox by itself."""
        for first in range(0, len(keys), _KEYS_A_MESSAGE):
            named = [list(key) for key in keys[first : first + _KEYS_A_MESSAGE]]
            body = compact({"deliveries": named}).decode()
            try:
                call(client("sqs").send_message, QueueUrl=self._queue_url, MessageBody=body)
            except PatchbayError as error:
                logger.warning("the sender was not woken", error=error.code)


def keys_of(record: Mapping[str, Any]) -> list[Key]:
    """The deliveries that a message of the queue names. Any error says that it is none of ours."""
    return [_key(named) for named in loads(record["body"].encode())["deliveries"]]


def _key(named: Any) -> Key:
    match named:
        case [str(pk), str(sk)]:
            return Key(pk, sk)
        case _:
            raise ValueError("not a key")
