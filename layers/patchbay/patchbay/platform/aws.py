"""AWS services other than DynamoDB: one client each per process, failures as types."""

import threading
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, Final

from patchbay.platform.aws_failures import error_code, is_busy
from patchbay.platform.botocore_session import session
from patchbay.platform.errors import InternalError, TemporarilyUnavailable
from patchbay.platform.logging import logger


class Refused(Exception):
    """A service said no to what was asked, with one of the codes that the caller expects."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


_MAKING: Final = threading.Lock()
"""Clients are made one at a time: a botocore session is not thread-safe, its clients are
(https://docs.aws.amazon.com/boto3/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients)."""


def client(service: str) -> Any:
    """The one client of this process: a call that hangs ends within 12 s, its retries included."""
    with _MAKING:
        return _client(service)


@cache
def _client(service: str) -> Any:
    import botocore.config

    config = botocore.config.Config(
        connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return session().create_client(service, config=config)


def call(
    operation: Callable[..., Any], *, expected: Collection[str] = (), **parameters: Any
) -> Any:
    """One call of a client's method.

    Raises `TemporarilyUnavailable` for what can be waited out, `Refused` for the `expected` error
    codes, and `InternalError` for any other, which is logged by its code alone: a message of AWS
    may quote what it was sent.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**parameters)
    except (ClientError, BotoCoreError) as error:
        code = error_code(error)
        if code in expected:
            raise Refused(code) from None
        if is_busy(error):
            raise TemporarilyUnavailable from None
        if not isinstance(error, ClientError):
            raise
        logger.error("AWS refused a call", operation=operation.__name__, code=code)
        raise InternalError from None
