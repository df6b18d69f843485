"""What goes wrong between us and DynamoDB."""

from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from patchbay.platform.dynamodb import connect


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
