"""What a caller sends to have something tested, and what they get: contracts 3.2 and 3.3."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from patchbay.checks.capabilities import CapabilityReport
from patchbay.checks.codes import Blame, Code, CodeCategory
from patchbay.checks.report import CheckReport, Step
from patchbay.connection_tests.changes import WhatChanged
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.model import Endpoint, Values
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import ConnectionId, DestinationId, SourceId
from patchbay.platform.model import Model

type TestTrigger = Literal["manual", "monitor"]
"""Who asked for a test: a call, or a connection's monitor."""

type TestMode = Literal["sync", "async"]
type TestStatus = Literal["queued", "running", "succeeded", "failed"]


class DryRun(Model):
    """The body of a dry run."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar = {
        "source_id": "src_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "destination_id": "dst_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    }

    source_id: SourceId
    destination_id: DestinationId | None = None
    configurations: Values = Field(default_factory=dict)


class ModeQuery(Model):
    """The query string of a test: `async` answers at once, and the test is polled."""

    model_config = ConfigDict(extra="forbid")

    mode: TestMode = "sync"


class TestFindings(Model):
    """What a test found.

    `verified` is true when a step proved access. The code, whose move it is (`blame`) and whether
    to try again are there when it failed.
    """

    status: TestStatus
    message: str
    verified: bool
    code: Code | None
    category: CodeCategory | None
    blame: Blame | None
    retryable: bool | None
    retry_after_seconds: int | None
    account: str | None
    certificate_expires_at: UtcTime | None = None
    latency_ms: int | None
    capabilities: tuple[CapabilityReport, ...]
    steps: tuple[Step, ...]

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @staticmethod
    def told(report: CheckReport) -> dict[str, Any]:
        """The fields that a report has in common with its findings."""
        names = CheckReport.model_fields.keys() & TestFindings.model_fields.keys()
        status = "succeeded" if report.passed else "failed"
        return {"status": status} | {name: getattr(report, name) for name in names}


class DryRunResult(TestFindings):
    """The result of a dry run: `status` and `message` of the contract, and how it came to them."""

    status: Literal["succeeded", "failed"]
    latency_ms: int

    @classmethod
    def of(cls, report: CheckReport, capabilities: tuple[CapabilityReport, ...]) -> Self:
        return cls(**cls.told(report), capabilities=capabilities)


class RecordedTest(TestFindings):
    """A test that is kept: where it stands, what it found, and what had changed.

    `started_at`, `finished_at` and `latency_ms` (milliseconds of the test itself) are null until
    there is something to say. `what_changed` is null until a test of the same has passed once.
    `href` is the path to read it at.
    """

    id: str
    href: str
    trigger: TestTrigger
    mode: TestMode
    queued_at: UtcTime | None = None
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None
    what_changed: WhatChanged | None = None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None

    @property
    def refused(self) -> bool:
        """Whether it ended without having begun, for a reason that is not ours."""
        return self.finished and self.started_at is None and self.blame != "platform"

    @classmethod
    def queued(cls, test_id: str, href: str, asked_at: datetime) -> Self:
        return cls(
            id=test_id,
            href=href,
            trigger="manual",
            mode="async",
            status="queued",
            message="The test waits for its turn",
            verified=False,
            code=None,
            category=None,
            blame=None,
            retryable=None,
            retry_after_seconds=None,
            account=None,
            latency_ms=None,
            capabilities=(),
            steps=(),
            queued_at=asked_at,
        )

    def running(self, now: datetime) -> Self:
        update = {"status": "running", "message": "The test is running", "started_at": now}
        return self.model_copy(update=update)


def health_status(test: TestFindings) -> HealthStatus:
    """The contract's word for a test: out of reach is disconnected, our own fault is unknown."""
    if test.status == "succeeded":
        return HealthStatus.CONNECTED
    if test.blame == "platform":
        return HealthStatus.UNKNOWN
    if test.category == "network":
        return HealthStatus.DISCONNECTED
    return HealthStatus.ERROR


class TestedEndpoint(Endpoint):
    """An endpoint as it was stored, and the test of it that passed before."""

    test: DryRunResult

    @classmethod
    def of(cls, endpoint: Endpoint, test: DryRunResult) -> Self:
        return cls(**{name: getattr(endpoint, name) for name in Endpoint.model_fields}, test=test)


class TestConnection(Model):
    """The input of the operation `integrations.connection.test`."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    EXAMPLE: ClassVar = {"connectionId": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}

    connection_id: ConnectionId


def _is_none(value: object) -> bool:
    return value is None


class TestConnectionOutput(Model):
    """The output of `integrations.connection.test`; what there is nothing to say of is left out."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    success: bool
    status: HealthStatus
    latency_ms: int
    error: Annotated[str | None, Field(exclude_if=_is_none)] = None
    error_code: Annotated[str | None, Field(exclude_if=_is_none)] = None

    @classmethod
    def of(cls, test: TestFindings) -> Self:
        """Of a test that has finished."""
        return cls(
            success=test.status == "succeeded",
            status=health_status(test),
            latency_ms=test.latency_ms or 0,
            error=None if test.status == "succeeded" else test.message,
            error_code=test.code,
        )
