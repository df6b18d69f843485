"""Batches of SQS records: one that can't be read is nothing to the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from patchbay.platform.logging import logger


def read_each[T](
    records: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T]
) -> tuple[dict[str, T], list[str]]:
    """What `read` makes of each record, by the message's id, and the messages it fails for.

    Those the queue has to deliver again, and in the end puts aside.
    """
    found: dict[str, T] = {}
    unreadable: list[str] = []
    for record in records:
        message_id = record["messageId"]
        try:
            found[message_id] = read(record)
        except Exception as error:
            # Only the type: the text of an error may quote the message.
            logger.error("message not readable", message_id=message_id, error=type(error).__name__)
            unreadable.append(message_id)
    return found, unreadable
