"""The queue of tests that run without a caller waiting."""

from typing import Self

from pydantic import ConfigDict

from patchbay.connection_tests.history import TestSubject, TestSubjectKind
from patchbay.connection_tests.identity import TestIdentity
from patchbay.platform.aws import call, client
from patchbay.platform.model import Model


class QueuedTest(Model):
    """A message. What is tested is read when it is run: a message holds no configuration.

    `domain_name` is the host that the API was called by, which the test may not dial.
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    kind: TestSubjectKind
    id: str
    test_id: str
    domain_name: str

    @classmethod
    def of(cls, subject: TestSubject, identity: TestIdentity, domain_name: str) -> Self:
        return cls(
            organization_id=subject.organization_id,
            kind=subject.kind,
            id=subject.id,
            test_id=identity.test_id,
            domain_name=domain_name,
        )

    @property
    def subject(self) -> TestSubject:
        return TestSubject(self.organization_id, self.kind, self.id)


class TestQueue:
    """The sending side; SQS itself hands the messages to the function that runs them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, message: QueuedTest) -> None:
        """Raises `TemporarilyUnavailable`, and `InternalError` for a queue that refuses."""
        call(
            client("sqs").send_message,
            QueueUrl=self._url,
            MessageBody=message.model_dump_json(),
        )
