"""What a caller sends to have something tested, and what they get: contracts 3.2 and 3.3."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from patchbay.checks.codes import Blame, Code, CodeCategory
from patchbay.checks.model import CheckReport, Step
from patchbay.connections.model import Endpoint, HealthStatus, Values
from patchbay.platform.ids import ConnectionId, DestinationId, SourceId


class DryRun(BaseModel):
    """The body of a dry run."""

    model_config = ConfigDict(extra="forbid")

    source_id: SourceId
    destination_id: DestinationId | None = None
    configurations: Values = Field(default_factory=dict)


class Answer(BaseModel):
    """The result of a test: `status` and `message` of the contract, and how it came to them.

    `verified` is true when a step proved access. The code, whose move it is (`blame`) and whether
    to try again are there when it failed.
    """

    status: Literal["succeeded", "failed"]
    message: str
    verified: bool
    code: Code | None
    category: CodeCategory | None
    blame: Blame | None
    retryable: bool | None
    retry_after_seconds: int | None
    account: str | None
    latency_ms: int
    steps: tuple[Step, ...]

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @classmethod
    def of(cls, report: CheckReport) -> Self:
        told = {name: getattr(report, name) for name in cls.model_fields if name != "status"}
        return cls(status="succeeded" if report.passed else "failed", **told)


class TestedEndpoint(Endpoint):
    """An endpoint as it was stored, and the test of it that passed before."""

    test: Answer

    @classmethod
    def of(cls, endpoint: Endpoint, test: Answer) -> Self:
        return cls(**{name: getattr(endpoint, name) for name in Endpoint.model_fields}, test=test)


class ConnectionTest(BaseModel):
    """The input of the operation `integrations.connection.test`."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    connection_id: ConnectionId


def _is_none(value: object) -> bool:
    return value is None


class ConnectionTestOutput(BaseModel):
    """The output of `integrations.connection.test`; what there is nothing to say of is left out."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    success: bool
    status: HealthStatus
    latency_ms: int
    error: Annotated[str | None, Field(exclude_if=_is_none)] = None
    error_code: Annotated[str | None, Field(exclude_if=_is_none)] = None
