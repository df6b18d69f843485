"""The one logger: JSON lines to CloudWatch, with the function's name and the request's trace id."""

import traceback
from typing import Any

from aws_lambda_powertools import Logger

logger = Logger()
"""Named by POWERTOOLS_SERVICE_NAME. What is logged is chosen field by field: never a body, never a
header, never an exception's text of another system."""


def log_exception(message: str, error: BaseException, **fields: Any) -> None:
    """Logs an error with the exception's type and trace, but not its text, which may quote data."""
    logger.error(message, error=type(error).__name__, trace=trace_of(error), **fields)


def trace_of(error: BaseException) -> str:
    """The places in the code that an exception passed: source lines, which hold no values."""
    return "".join(traceback.format_tb(error.__traceback__))
