"""The one logger: JSON lines to CloudWatch, with the function's name and the request's trace id."""

from aws_lambda_powertools import Logger

logger = Logger()
"""Named by POWERTOOLS_SERVICE_NAME. What is logged is chosen field by field: never a body, never a
header, never an exception's text of another system."""
