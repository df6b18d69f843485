"""List prices of us-east-1 in dollars, as known in 2025; docs/operations.md says the same."""

from typing import Final

WRITE_UNIT: Final = 0.625e-6
READ_UNIT: Final = 0.125e-6
"""https://aws.amazon.com/dynamodb/pricing/on-demand/"""
INVOCATION: Final = 0.20e-6
GB_SECOND: Final = 0.0000166667
"""https://aws.amazon.com/lambda/pricing/ (x86)"""
STORED_GB: Final = 0.25 + 0.20
"""Of a table for a month, and its point-in-time recovery.
https://aws.amazon.com/dynamodb/pricing/on-demand/"""
QUEUE_REQUEST: Final = 0.40e-6
"""https://aws.amazon.com/sqs/pricing/ (standard)"""
KEY: Final = 1.00
"""A key of KMS for a month. https://aws.amazon.com/kms/pricing/"""
KEY_CALL: Final = 0.03 / 10_000
LOGGED_GB: Final = 0.50
"""https://aws.amazon.com/cloudwatch/pricing/, as the next two"""
METRIC: Final = 0.30
"""A custom metric for a month."""
ALARM: Final = 0.10
"""For a month."""
BUS_EVENT: Final = 1.00e-6
"""https://aws.amazon.com/eventbridge/pricing/"""

_GATEWAY: Final = 1.00e-6
_AUTHORIZER_SECONDS: Final = 0.010
_FUNCTION_SECONDS: Final = 0.030
_HTTP_GB: Final = 0.5


def units(write: float = 0, read: float = 0) -> float:
    """What so many units of on-demand tables cost."""
    return write * WRITE_UNIT + read * READ_UNIT


def requests(count: float) -> float:
    """Gateway, authorizer and function, warm; their times are taken, not measured."""
    seconds = _AUTHORIZER_SECONDS + _FUNCTION_SECONDS
    return count * (_GATEWAY + 2 * INVOCATION + seconds * _HTTP_GB * GB_SECOND)


def running(seconds: float, megabytes: int, invocations: float = 1) -> float:
    """A function that runs so long in all."""
    return seconds * megabytes / 1024 * GB_SECOND + invocations * INVOCATION
