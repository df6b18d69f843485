"""The queue of tests that no request waits for."""

from typing import Self

from pydantic import ConfigDict

from patchbay.connection_tests.identity import TestIdentity, TestSubject, TestSubjectKind
from patchbay.platform.aws import call, client
from patchbay.platform.model import Model


class QueuedTest(Model):
    """A message. It holds no configuration: what is tested is read when the test runs.

    `domain_name` is the host that the API was called at, which the test must not dial. `follow`:
    the caller wants to see its steps while it runs.
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    kind: TestSubjectKind
    id: str
    test_id: str
    domain_name: str
    follow: bool = False

    @classmethod
    def of(cls, identity: TestIdentity, domain_name: str, *, follow: bool) -> Self:
        return cls(
            **identity.subject._asdict(),
            test_id=identity.test_id,
            domain_name=domain_name,
            follow=follow,
        )

    @property
    def identity(self) -> TestIdentity:
        """Raises `ValueError` if the message has no id of a test."""
        return TestIdentity(TestSubject(self.organization_id, self.kind, self.id), self.test_id)


class TestQueue:
    """Sends the messages; SQS hands them to the function that runs them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, message: QueuedTest) -> None:
        """Raises `TemporarilyUnavailable`, and `InternalError` if the queue rejects the message."""
        call(
            client("sqs").send_message,
            QueueUrl=self._url,
            # What is as by default is left out: the function of the release before knows it.
            MessageBody=message.model_dump_json(exclude_defaults=True),
        )
