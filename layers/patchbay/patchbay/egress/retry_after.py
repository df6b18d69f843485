"""The `Retry-After` header (RFC 9110 §10.2.3): seconds, or a date in any of HTTP's three forms."""

import re
from datetime import UTC, datetime
from typing import Final

# A provider that asks for more gets a day: no caller waits longer.
MAX_SECONDS: Final = 86_400
_SECONDS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
# RFC 9110 §5.6.7: the current form, and the two that a recipient must still accept.
_DATES: Final = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


def retry_after_seconds(value: str, now: datetime) -> int | None:
    """Seconds to wait from `now` (aware), 0 to a day; None if the value is not usable."""
    if _SECONDS.fullmatch(value):
        return min(int(value), MAX_SECONDS)
    for form in _DATES:
        try:
            at = datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return min(max(0, round((at - now).total_seconds())), MAX_SECONDS)
    return None
