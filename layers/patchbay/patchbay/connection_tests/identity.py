"""What is tested, and which test of it: the identity that makes recording a test idempotent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Self

from patchbay.checks.roles import Role
from patchbay.platform.ids import Stamp, is_id, time_of
from patchbay.runs.scheduled_ids import event_id_of, scheduled_test_id

_PREFIX: Final = "tst"


class TestSubjectKind(StrEnum):
    """What is tested; the value names it in paths and messages."""

    CONNECTION = "connection"
    SOURCE = Role.SOURCE
    DESTINATION = Role.DESTINATION


class TestSubject(NamedTuple):
    """A connection, source, or destination of an organization; it need not exist."""

    organization_id: str
    kind: TestSubjectKind
    id: str

    @classmethod
    def connection(cls, organization_id: str, connection_id: str) -> Self:
        return cls(organization_id, TestSubjectKind.CONNECTION, connection_id)

    @property
    def role(self) -> Role | None:
        """None for a connection."""
        return None if self.kind is TestSubjectKind.CONNECTION else Role(self.kind)


@dataclass(frozen=True, slots=True)
class TestIdentity:
    """One test of a subject. Its id is `tst_<ULID>`; the time in it is part of the test's key.

    A test that a call starts has the id of the call's stamp, so a call that is repeated under its
    Idempotency-Key is the same test. A test of a monitor is `scheduled`.
    """

    subject: TestSubject
    test_id: str

    def __post_init__(self) -> None:
        if not is_id(_PREFIX, self.test_id):
            raise ValueError("the id of a test must be tst_ and a ULID")
        time_of(self.test_id)

    @property
    def at(self) -> datetime:
        """When the test was asked for; for a test of a monitor, the scheduled minute."""
        return time_of(self.test_id)

    @property
    def event_id(self) -> str:
        """The id of the one event that the test adds to its connection's space."""
        return event_id_of(self.test_id)

    @property
    def href(self) -> str:
        """The path to read the test at."""
        return (
            f"/v1/organizations/{self.subject.organization_id}/knowledge/connectors"
            f"/{self.subject.kind}s/{self.subject.id}/tests/{self.test_id}"
        )

    @classmethod
    def read(cls, subject: TestSubject, text: str) -> Self | None:
        """None if the text is not an id of a test."""
        try:
            return cls(subject, text)
        except ValueError:
            return None

    @classmethod
    def called(cls, subject: TestSubject, stamp: Stamp) -> Self:
        return cls(subject, stamp.id(_PREFIX))

    @classmethod
    def scheduled(cls, subject: TestSubject, minute: datetime) -> Self:
        """The same for every delivery of a connection's test at this scheduled minute."""
        return cls(subject, scheduled_test_id(subject.id, minute))
