"""The report of a test: its steps and one verdict. Pure data, returned and stored as it is."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from patchbay.checks.codes import Blame, Code, CodeCategory, describe
from patchbay.egress.failures import BlockDetail
from patchbay.platform.clock import UtcTime
from patchbay.platform.model import Model

type StepCategory = Literal["gate", "capability"]
type StepStatus = Literal["passed", "warning", "failed", "skipped"]
type SkipReason = Literal["gate_failed", "budget_exhausted", "not_applicable"]


def _is_none(value: object) -> bool:
    return value is None


class Diagnosis(Model):
    """What a code means and what to do about it."""

    model_config = ConfigDict(frozen=True)

    title: str
    remediation: str
    doc_url: str | None = None

    @classmethod
    def of(cls, code: Code) -> Self:
        info = describe(code)
        return cls(title=info.title, remediation=info.remediation)


class Step(Model):
    """One step of a test: an implicit gate, or a step of the manifest.

    `field_pointer` is the field to change, a JSON Pointer into the endpoint (`/variables/region`,
    `/secrets/api_key`). `detail` says why the guard refused to dial (code `egress_blocked`).
    `diagnosis` is set if `code` is, and with every warning. `first_byte_ms` is the time from the
    request to the first byte of the response, if there was one.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    category: StepCategory = "gate"
    mandatory: bool = True
    status: StepStatus
    code: Code | None = None
    detail: BlockDetail | None = None
    duration_ms: int = 0
    first_byte_ms: Annotated[int | None, Field(exclude_if=_is_none)] = None
    summary: str
    diagnosis: Diagnosis | None = None
    field_pointer: str | None = None
    skip_reason: SkipReason | None = None

    @classmethod
    def failed(
        cls,
        name: str,
        code: Code,
        summary: str,
        *,
        category: StepCategory = "gate",
        mandatory: bool = True,
        detail: BlockDetail | None = None,
        duration_ms: int = 0,
        first_byte_ms: int | None = None,
        field_pointer: str | None = None,
    ) -> Self:
        """A step that failed with `code`; if it is not mandatory, a warning."""
        return cls(
            name=name,
            category=category,
            mandatory=mandatory,
            status="failed" if mandatory else "warning",
            code=code,
            detail=detail,
            duration_ms=duration_ms,
            first_byte_ms=first_byte_ms,
            summary=summary,
            diagnosis=Diagnosis.of(code),
            field_pointer=field_pointer,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """An unexpected exception, for the log. Known secrets are replaced in its texts."""

    step: str
    error: str
    message: str
    trace: str


class CheckReport(Model):
    """The result of a test.

    `passed` if every mandatory step passed; `verified` if a step also proved access. `code`,
    `category`, `blame`, `retryable`, and `retry_after_seconds` are those of the step that decided a
    failure, None if passed. `latency_ms` is the time of the whole test. `certificate_expires_at` is
    when the first of the certificates that were seen expires. `fault` never leaves the process: it
    is neither returned nor stored.
    """

    model_config = ConfigDict(frozen=True)

    passed: bool
    verified: bool
    code: Code | None = None
    category: CodeCategory | None = None
    blame: Blame | None = None
    retryable: bool | None = None
    retry_after_seconds: int | None = None
    latency_ms: int
    message: str
    account: str | None = None
    certificate_expires_at: UtcTime | None = None
    steps: tuple[Step, ...]
    fault: Fault | None = Field(default=None, exclude=True, repr=False)


def steps_pointing_at(
    steps: Iterable[Step], field: str, instead_of: Collection[str] = ()
) -> tuple[Step, ...]:
    """The steps of an endpoint whose secrets come from elsewhere, such as from a reference:
    `field` is what to change in place of a secret, or of these secrets."""
    return tuple(
        step.model_copy(update={"field_pointer": field})
        if _is_secret(step.field_pointer or "", instead_of)
        else step
        for step in steps
    )


def _is_secret(pointer: str, names: Collection[str]) -> bool:
    return pointer in names if names else pointer.startswith("/secrets/")
