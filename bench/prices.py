"""List prices of us-east-1 in dollars, as known in 2025; docs/operations.md says the same."""

from typing import Final

WRITE_UNIT: Final = 0.625e-6
READ_UNIT: Final = 0.125e-6
INVOCATION: Final = 0.20e-6
GB_SECOND: Final = 0.0000166667

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
