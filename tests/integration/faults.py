"""What goes wrong between us and DynamoDB."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from patchbay.platform.dynamodb import connect


@contextmanager
def atomic(*operations: str) -> Iterator[None]:
    """Within the block, moto does one call of these operations at a time.

    It judges a condition and applies the write in two steps, between which another thread may do
    the same; DynamoDB does not.
    """
    turn = threading.Lock()

    def serve(request: Any, **_: Any) -> Any:
        with turn:
            return botocore_stubber("before-send", request)

    events = [f"before-send.dynamodb.{operation}" for operation in operations]
    for event in events:
        connect().meta.events.register_first(event, serve)
    try:
        yield
    finally:
        for event in events:
            connect().meta.events.unregister(event, serve)


class LostReplies:
    """Within the block, each first write of these operations is applied and its reply is lost."""

    def __init__(self, *operations: str) -> None:
        self._events = [f"before-send.dynamodb.{operation}" for operation in operations]
        self._lose = True

    def __enter__(self) -> Self:
        for event in self._events:
            connect().meta.events.register_first(event, self._meet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for event in self._events:
            connect().meta.events.unregister(event, self._meet)

    def _meet(self, request: Any, **_: Any) -> None:
        self._lose, losing = not self._lose, self._lose
        if losing:
            botocore_stubber("before-send", request)
            raise ReadTimeoutError(endpoint_url=request.url)
