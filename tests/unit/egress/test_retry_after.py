"""How long a provider asks to wait."""

from datetime import UTC, datetime

import pytest

from patchbay.egress.retry_after import retry_after_seconds

NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("30", 30),
        ("999999999", 86_400),
        ("Tue, 17 Feb 2026 10:01:30 GMT", 90),
        ("Tue, 17 Feb 2026 09:00:00 GMT", 0),
        ("Tue, 17 Feb 2099 09:00:00 GMT", 86_400),
        ("Tuesday, 17-Feb-26 10:01:30 GMT", 90),
        ("Tue Feb 17 10:01:30 2026", 90),
        ("Tue Feb  7 10:01:30 2027", 86_400),
        ("Tue, 17 Feb 2026 10:01:30 +0100", None),
        ("2026-02-17T10:01:30Z", None),
        ("soon", None),
        ("-5", None),
        ("１２", None),
        ("", None),
    ],
)
def test_seconds_and_dates_become_seconds_within_a_day(value: str, seconds: int | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds
