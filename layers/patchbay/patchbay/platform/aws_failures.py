"""Which failures of AWS services pass by themselves."""

from typing import Any, Final

_BUSY_CODES: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "InternalError",
        "InternalFailure",
        "InternalException",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "ServiceUnavailable",
        "DependencyTimeoutException",
        "TransactionInProgressException",
        # A single write met another request's transaction; botocore does not retry it by itself.
        "TransactionConflictException",
    }
)
"""The words of the services for limits and for faults of their own."""


def error_code(error: Exception) -> str:
    """The code of an error response, empty for a failure without one."""
    # A failure of the connection has the attribute, and it is None.
    response: Any = getattr(error, "response", None) or {}
    code: str = response.get("Error", {}).get("Code", "")
    return code


def is_busy(error: Exception) -> bool:
    """Whether the caller can only wait: the service is busy, or did not respond."""
    from botocore.exceptions import ConnectionError, HTTPClientError

    return isinstance(error, ConnectionError | HTTPClientError) or error_code(error) in _BUSY_CODES
