"""The requests and responses of tests: contracts 3.2 and 3.3."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from patchbay.checks.capabilities import CapabilityReport
from patchbay.checks.codes import Blame, Code, CodeCategory
from patchbay.checks.report import CheckReport, Step
from patchbay.connection_tests.changes import WhatChanged
from patchbay.connections.config_values import Values
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_model import Endpoint, EndpointValues, Version
from patchbay.connections.health_status import HealthStatus
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import NamedConnectionId, NamedDestinationId, NamedSourceId
from patchbay.platform.model import Model
from patchbay.platform.validation import NullIs
from patchbay.registry.naming import IntegrationKey

DraftId = Annotated[str, StringConstraints(min_length=1, max_length=64)]

type TestTrigger = Literal["manual", "monitor"]
"""What started a test: a call, or a connection's monitor."""

type TestMode = Literal["sync", "async"]
type TestStatus = Literal["queued", "running", "succeeded", "failed"]


ProgressId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
"""Made up by the caller for one test, such as a UUID."""


class DryRun(Model):
    """The body of a dry run."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar = {
        "source_id": "src_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "destination_id": "dst_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    }

    source_id: NamedSourceId
    destination_id: NamedDestinationId | None = None
    configurations: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    progress: ProgressId | None = None


class EndpointDryRun(EndpointValues):
    """The body of a test of an endpoint that is not stored.

    It tries a release, by `integration`, or the draft of an integration of the organization's own,
    by `integration_id`. `configurations` are those of a connection of the source.
    """

    EXAMPLE: ClassVar = {
        "integration": "acme/tracker",
        "variables": {"path": "me"},
        "secrets": {"api_key": "an API key of the provider"},
    }

    integration: IntegrationKey | None = Field(
        default=None, description="publisher/slug of the registry or the catalog"
    )
    integration_id: DraftId | None = Field(
        default=None,
        description="instead of integration: one of your own, as its draft is now",
        validate_default=True,
    )
    version: Version | None = Field(
        default=None, description="a release or a range of releases; by default the current one"
    )
    configurations: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    progress: ProgressId | None = None

    @field_validator("integration_id")
    @classmethod
    def _either(cls, integration_id: str | None, info: ValidationInfo) -> str | None:
        if "integration" in info.data and (integration_id is None) == (
            info.data["integration"] is None
        ):
            raise ValueError("is required, unless integration is given, and not with it")
        return integration_id

    @field_validator("version")
    @classmethod
    def _of_a_release(cls, version: str | None, info: ValidationInfo) -> str | None:
        if version is not None and info.data.get("integration_id") is not None:
            raise ValueError("can't be combined with integration_id: a draft has no version")
        return version


class ModeQuery(Model):
    """The query string of a test: `async` responds at once, and the caller polls the test.

    Who wants to see the steps of the test while it runs asks to `follow` a queued one, and sends a
    `progress` with one that is waited for.
    """

    model_config = ConfigDict(extra="forbid")

    mode: TestMode = "sync"
    follow: bool = Field(default=False, validate_default=True)
    progress: ProgressId | None = None

    @field_validator("follow")
    @classmethod
    def _of_a_queued_test(cls, follow: bool, info: ValidationInfo) -> bool:
        if follow and info.data.get("mode") == "sync":
            raise ValueError("needs mode=async: send a progress with a test that is waited for")
        return follow

    @field_validator("progress")
    @classmethod
    def _of_a_test_that_is_waited_for(
        cls, progress: str | None, info: ValidationInfo
    ) -> str | None:
        if progress is not None and info.data.get("mode") == "async":
            raise ValueError("can't be combined with mode=async: follow the test itself")
        return progress


class TestFindings(Model):
    """What a test found.

    `verified` is true when a step proved access. A failure has a code, says whose move it is
    (`blame`), and whether to try again.
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
    def fields_of(report: CheckReport) -> dict[str, Any]:
        """The fields that findings take from a report."""
        names = CheckReport.model_fields.keys() & TestFindings.model_fields.keys()
        status = "succeeded" if report.passed else "failed"
        return {"status": status} | {name: getattr(report, name) for name in names}


class DryRunResult(TestFindings):
    """The result of a dry run: the contract's `status` and `message`, and the steps behind them."""

    status: Literal["succeeded", "failed"]
    latency_ms: int

    @classmethod
    def of(cls, report: CheckReport, capabilities: tuple[CapabilityReport, ...]) -> Self:
        return cls(**cls.fields_of(report), capabilities=capabilities)


class RecordedTest(TestFindings):
    """A test in the history: its status, what it found, and what had changed.

    `started_at`, `finished_at`, and `latency_ms` (the test's own milliseconds) are null until they
    are known. `what_changed` is null until a test of the same subject has passed. `href` is the
    path to read the test at.
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
        """Whether it ended without starting, for a reason that is not our fault."""
        return self.finished and self.started_at is None and self.blame != "platform"

    @classmethod
    def queued(cls, test_id: str, href: str, asked_at: datetime) -> Self:
        return cls(
            id=test_id,
            href=href,
            trigger="manual",
            mode="async",
            status="queued",
            message="The test is queued",
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

    def running(self, now: datetime, so_far: tuple[Step, ...] = ()) -> Self:
        update = {
            "status": "running",
            "message": "The test is running",
            "started_at": now,
            "steps": so_far,
        }
        return self.model_copy(update=update)


def health_status(test: TestFindings) -> HealthStatus:
    """The contract's status for a test: unreachable is disconnected, our own fault is unknown."""
    if test.status == "succeeded":
        return HealthStatus.CONNECTED
    if test.blame == "platform":
        return HealthStatus.UNKNOWN
    if test.category == "network":
        return HealthStatus.DISCONNECTED
    return HealthStatus.ERROR


class TestedEndpoint(Endpoint):
    """An endpoint as it was stored, and the test of it that passed first."""

    test: DryRunResult

    @classmethod
    def of(cls, endpoint: Endpoint, test: DryRunResult) -> Self:
        return cls(**{name: getattr(endpoint, name) for name in Endpoint.model_fields}, test=test)


class TestConnection(Model):
    """The input of the operation `integrations.connection.test`."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    EXAMPLE: ClassVar = {"connectionId": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}

    connection_id: NamedConnectionId


def _is_none(value: object) -> bool:
    return value is None


class TestConnectionOutput(Model):
    """The output of `integrations.connection.test`; fields without a value are left out.

    `status` is that of the connection's record after the test, as a list has it: one failure does
    not yet make a monitored connection fail, and a success does not resume a paused one.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    success: bool
    status: HealthStatus
    latency_ms: int
    error: Annotated[str | None, Field(exclude_if=_is_none)] = None
    error_code: Annotated[str | None, Field(exclude_if=_is_none)] = None

    @classmethod
    def of(cls, test: TestFindings, connection: Connection) -> Self:
        """The output for a finished test of a connection, as it is after the test."""
        return cls(
            success=test.status == "succeeded",
            status=connection.word,
            latency_ms=test.latency_ms or 0,
            error=None if test.status == "succeeded" else test.message,
            error_code=test.code,
        )
