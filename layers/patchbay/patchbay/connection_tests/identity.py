"""Which test it is: the identity that makes recording it twice the same as once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from patchbay.platform.ids import Stamp, derived_id, is_id, time_of

PREFIX: Final = "tst"


@dataclass(frozen=True, slots=True)
class TestIdentity:
    """A test's id, `tst_<ULID>`. The time in the id is part of the key that it is stored under.

    A test that is started by a call has the id of the call's stamp, so that a call which is
    repeated under its Idempotency-Key is the same test. A monitor's test is `scheduled`.
    """

    test_id: str

    def __post_init__(self) -> None:
        if not is_id(PREFIX, self.test_id):
            raise ValueError("a test's id is tst_ and a ULID")
        time_of(self.test_id)

    @property
    def at(self) -> datetime:
        """When the test was asked for; for a monitor's test the scheduled minute."""
        return time_of(self.test_id)

    @property
    def event_id(self) -> str:
        """The id of the one event that the test leaves in its connection's space."""
        return f"evt_{self.test_id.removeprefix(f'{PREFIX}_')}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for a text that is no test's id."""
        try:
            return cls(text)
        except ValueError:
            return None

    @classmethod
    def called(cls, stamp: Stamp) -> Self:
        return cls(stamp.id(PREFIX))

    @classmethod
    def scheduled(cls, connection_id: str, minute: datetime) -> Self:
        """The same for every delivery of a connection's turn in this scheduled minute."""
        return cls(derived_id(PREFIX, minute, connection_id))
