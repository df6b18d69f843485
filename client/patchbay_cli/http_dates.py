"""The `Date` of an answer, as the answering server has written it."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def date_of(header: str | None) -> datetime | None:
    """The time that a `Date` says, aware; None if it says none."""
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    # RFC 5322 has "-0000" for a time whose zone nobody knows, which is UTC.
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
