"""Runs a plan: the implicit gates, then the steps of the manifest in order, within a time budget.

The gates `config` and `secrets` fail with the problems of the plan. The gates `egress`, `dns`,
`tcp`, and `tls` do not dial: they are the parts of the first connection that the first step opens,
so a test dials no more than its steps do. If one of these parts fails, its gate fails and the step
is skipped. The duration of a step includes its own connection, even if the gates show it as well.
These four gates are as mandatory as the first step. Later steps report their failures themselves. A
plan without steps dials nothing and has only the first two gates.

A test that is followed shows its `LiveSteps`: each step as it ends, and the gates of the first
connection as its parts end. Nobody is told anything, so a test that nobody follows pays nothing.

After an unexpected exception the step fails with `internal_error`, and the exception is the `fault`
of the report; no step or message has any text of it.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Final, Required, TypedDict

from patchbay.checks.certificate_expiry import expiry_notice
from patchbay.checks.codes import Code, describe
from patchbay.checks.failures import CheckFailure
from patchbay.checks.live_steps import LiveSteps
from patchbay.checks.plan import Plan, PlannedStep
from patchbay.checks.probe import Compiled, Notice, Outcome
from patchbay.checks.redaction import Redactor
from patchbay.checks.report import (
    CheckReport,
    Diagnosis,
    Fault,
    SkipReason,
    Step,
    StepCategory,
    StepStatus,
)
from patchbay.checks.templates import Placeholder, ValueRefused
from patchbay.checks.verdict import verdict
from patchbay.egress.failures import DialFailure, DialPhase
from patchbay.egress.guard import EgressGuard
from patchbay.egress.loop_waits import within
from patchbay.egress.timings import DialTimings
from patchbay.platform.logging import trace_of

MAX_ACCOUNT: Final = 200
_MAX_RAW_ACCOUNT: Final = 1000
MAX_TRIES: Final = 2
"""Of a step with `retry`."""

RETRY_SECONDS: Final = 0.5
"""The pause before a step with `retry` is tried again."""
RETRY_LEAST_SECONDS: Final = 1.5
"""The time that must be left for a second try, its pause included."""
# A probe ends at its deadline by itself; one that does not is canceled this much later.
_GRACE_SECONDS: Final = 0.25
_PHASES: Final[tuple[DialPhase, ...]] = ("egress", "dns", "tcp", "tls")
_PHASE_PASSED: Final[dict[DialPhase, str]] = {
    "egress": "This target may be dialed.",
    "dns": "The host's name was resolved.",
    "tcp": "The host accepted the connection.",
    "tls": "TLS was negotiated, and the certificate is valid for the host.",
}
_SKIPPED: Final[dict[SkipReason, str]] = {
    "gate_failed": "Not tried, because a gate before it failed.",
    "budget_exhausted": "There was no time left for it.",
    "not_applicable": "Not needed for this target.",
}
_OF_CONFIGURATION: Final = (
    ("config", "The configuration is complete."),
    ("secrets", "All required secrets are set."),
)
# Pointers to secrets, to the reference to them, and to the grant.
_OF_SECRETS: Final = ("/secrets/", "/secret_ref", "/grant")


class _Passed(TypedDict, total=False):
    status: Required[StepStatus]
    summary: Required[str]
    code: Code | None
    field_pointer: str | None
    diagnosis: Diagnosis


async def run(
    plan: Plan, guard: EgressGuard, *, total_ms: int, live: LiveSteps | None = None
) -> CheckReport:
    """Runs a test to its verdict. Raises nothing but cancellation.

    It ends after `total_ms`, or the plan's own limit if that is less, and at the latest a quarter
    of a second later. `live` shows its steps while it runs.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    deadline = started + min(total_ms, plan.timeout_ms) / 1000
    guard = guard.for_test()
    test = _Test(plan)
    if live is not None:
        live.look = test.so_far
    test.judge_configuration()
    for index, step in enumerate(plan.steps):
        if test.halted_by:
            test.skip(step, "gate_failed")
        elif loop.time() >= deadline:
            test.skip(step, "budget_exhausted")
        else:
            await test.run_step(step, guard, deadline, is_first=index == 0)
    return test.report(_ms(loop.time() - started))


class _Test:
    """A test while it runs: collects its steps. A gate that fails halts it."""

    def __init__(self, plan: Plan) -> None:
        self.halted_by: str | None = None
        self._plan = plan
        self._redact = Redactor(plan.secret_values)
        self._steps: list[Step] = []
        self._retry_after: dict[str, int] = {}
        self._proven = False
        self._account: str | None = None
        self._obtained: dict[str, str] = {}
        self._obtained_with: dict[str, str | None] = {}
        self._issued: set[str] = set()
        self._warned_of: set[float] = set()
        self._certificates: list[float] = []
        self._fault: Fault | None = None
        self._dialing: tuple[PlannedStep, DialTimings] | None = None

    def so_far(self) -> tuple[Step, ...]:
        """The steps that have ended, as the report will have them.

        While the first step runs, the gates of its connection that have passed are among them. A
        server of TLS 1.3 may refuse a client's certificate after the handshake: only then does a
        gate that was shown as passed fail in the end.
        """
        gates = self._gates_so_far(*self._dialing) if self._dialing else ()
        return (*self._steps, *gates)

    def judge_configuration(self) -> None:
        """The gates `config` and `secrets`."""
        if not self._plan.problems:
            self._steps += _passed_configuration()
            return
        found = self._plan.problems
        secrets = [p for p in found if p.pointer.startswith(_OF_SECRETS)]
        config = [p for p in found if p not in secrets]
        for (name, passed), problems in zip(_OF_CONFIGURATION, (config, secrets), strict=True):
            if self.halted_by:
                self._add_skipped(name, "gate_failed")
            elif problems:
                summary = "; ".join(f"{p.pointer} {p.message}" for p in problems) + "."
                first = problems[0]
                failure = CheckFailure(first.code, summary, detail=first.detail)
                self._add_failed(name, failure, field_pointer=first.pointer)
            else:
                self._add(_passed_gate(name, passed))

    def skip(self, step: PlannedStep, reason: SkipReason) -> None:
        self._add_skipped(step.name, reason, category=step.category, mandatory=step.mandatory)

    async def run_step(
        self, step: PlannedStep, guard: EgressGuard, deadline: float, *, is_first: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        timings = DialTimings()
        failure: CheckFailure | None = None
        outcome: Outcome | None = None
        try:
            compiled = self._completed(step)
            if compiled.secret_values:
                self._keep_secret(compiled.secret_values)
            until = min(deadline, started + step.timeout_ms / 1000)
            for tries_left in reversed(range(MAX_TRIES if step.retry else 1)):
                if is_first and not tries_left:
                    # Another try may find something else: nothing is shown before the last.
                    self._dialing = step, timings
                try:
                    outcome = await _run_probe(compiled, guard, until, timings)
                    break
                except (CheckFailure, DialFailure) as failed:
                    if not tries_left or not _may_pass(failed, until - loop.time()):
                        raise
                await asyncio.sleep(RETRY_SECONDS)
                timings = DialTimings()
        except CheckFailure as error:
            failure = error
        except DialFailure as error:
            failure = CheckFailure.of(error)
        except Exception as error:
            # It must not affect the other steps, nor the tests that run at the same time.
            self._fault = self._fault or self._describe(step.name, error)
            failure = CheckFailure("internal_error", "A fault of the platform ended the step.")
        self._dialing = None
        duration_ms = _ms(loop.time() - started)
        if timings.certificate_expires_at is not None:
            self._certificates.append(timings.certificate_expires_at)
        if is_first:
            self._add_dial_gates(step, timings, failure)
        if failure is None:
            if outcome:
                self._obtain(step, outcome)
                notice = outcome.notice or self._expiry_notice(timings)
                self._add_passed(step, outcome, notice, duration_ms, timings.first_byte_ms)
        elif is_first and failure.phase:
            self.skip(step, "gate_failed")
        else:
            self._add_failed(
                step.name,
                failure,
                field_pointer=self._field(step, step.compiled.field_pointer(failure)),
                category=step.category,
                mandatory=step.mandatory,
                duration_ms=duration_ms,
                first_byte_ms=timings.first_byte_ms,
            )

    def report(self, latency_ms: int) -> CheckReport:
        return verdict(
            self._steps,
            proven=self._proven,
            called=bool(self._plan.steps),
            latency_ms=latency_ms,
            account=self._account,
            certificate_expires_at=datetime.fromtimestamp(min(self._certificates), UTC)
            if self._certificates
            else None,
            retry_after=self._retry_after,
            fault=self._fault,
        )

    def _add_dial_gates(
        self, step: PlannedStep, timings: DialTimings, failure: CheckFailure | None
    ) -> None:
        """Adds the parts of the first connection as gates."""
        if failure is None and self._soon_expired(timings) is None:
            self._steps += _passed_dial(step.mandatory, *timings.durations())
            return
        failed_phase = failure.phase if failure else None
        is_after_failure = False
        for phase, duration_ms in zip(_PHASES, timings.durations(), strict=True):
            if is_after_failure:
                self._add_skipped(phase, "gate_failed", mandatory=step.mandatory)
            elif failure and phase == failed_phase:
                is_after_failure = True
                self._add_failed(
                    phase,
                    failure,
                    field_pointer=self._field(step, step.compiled.field_pointer(failure)),
                    mandatory=step.mandatory,
                    duration_ms=duration_ms or 0,
                )
            elif duration_ms is None:
                self._add_skipped(phase, "not_applicable", mandatory=False)
            else:
                notice = self._expiry_notice(timings) if phase == "tls" else None
                self._add(self._dial_gate(phase, step, duration_ms, notice))

    def _gates_so_far(self, step: PlannedStep, timings: DialTimings) -> Iterator[Step]:
        """The gates that have passed, in their order, of a connection that is being opened."""
        durations = timings.durations()
        ended = [number for number, ms in enumerate(durations) if ms is not None]
        if ended in ([], [0]):
            return  # what a name leads to is judged after the lookup
        for phase, duration_ms in zip(_PHASES[: ended[-1] + 1], durations, strict=False):
            if duration_ms is None:
                yield _skipped(phase, "not_applicable", mandatory=False)
            else:
                yield self._dial_gate(phase, step, duration_ms, self._soon_expired(timings))

    def _dial_gate(
        self, phase: DialPhase, step: PlannedStep, duration_ms: int, notice: Notice | None
    ) -> Step:
        summary = _PHASE_PASSED[phase]
        if notice is None or phase != "tls":
            return _passed_gate(phase, summary, step.mandatory, duration_ms)
        return Step(
            name=phase,
            mandatory=step.mandatory,
            duration_ms=duration_ms,
            **self._passed(summary, notice),
        )

    def _completed(self, step: PlannedStep) -> Compiled:
        """The step with the secrets that the steps before it obtained. Raises CheckFailure."""
        if step.recompile is None or not self._obtained:
            return step.compiled
        try:
            return step.recompile(self._obtained)
        except ValueRefused as refusal:
            raise CheckFailure(
                "unexpected_response", "What the provider issued can't be used as a credential."
            ) from refusal

    def _obtain(self, step: PlannedStep, outcome: Outcome) -> None:
        if not outcome.obtained and not outcome.secret_values:
            return
        self._obtained.update(outcome.obtained)
        credential = self._field(step, step.compiled.credential_pointer)
        for name in outcome.obtained:
            self._obtained_with[Placeholder("secrets", name).pointer] = credential
        self._keep_secret([*outcome.obtained.values(), *outcome.secret_values])

    def _keep_secret(self, values: Iterable[str]) -> None:
        new = set(values) - self._issued
        new.difference_update(self._plan.secret_values)
        if new:
            self._issued |= new
            self._redact = Redactor([*self._plan.secret_values, *self._issued])

    def _field(self, step: PlannedStep, pointer: str | None) -> str | None:
        """The field of the endpoint: of a secret that a step obtained, the one it was obtained
        with."""
        return self._obtained_with.get(pointer) if pointer in step.obtained else pointer

    def _expiry_notice(self, timings: DialTimings) -> Notice | None:
        """The warning about a certificate that expires soon, once for each certificate."""
        notice, expires_at = self._soon_expired(timings), timings.certificate_expires_at
        if notice and expires_at is not None:
            self._warned_of.add(expires_at)
        return notice

    def _soon_expired(self, timings: DialTimings) -> Notice | None:
        expires_at = timings.certificate_expires_at
        if expires_at is None or expires_at in self._warned_of:
            return None
        return expiry_notice(expires_at, time.time())

    def _add_passed(
        self,
        step: PlannedStep,
        outcome: Outcome,
        notice: Notice | None,
        duration_ms: int,
        first_byte_ms: int | None,
    ) -> None:
        self._proven = self._proven or (step.compiled.proves_access and outcome.proves)
        if self._account is None and outcome.account is not None:
            self._account = self._clean(outcome.account)
        self._add(
            Step.of_valid(
                name=step.name,
                category=step.category,
                mandatory=step.mandatory,
                duration_ms=duration_ms,
                first_byte_ms=first_byte_ms,
                **self._passed(outcome.summary, notice),
            )
        )

    def _add_failed(
        self,
        name: str,
        failure: CheckFailure,
        *,
        field_pointer: str | None,
        category: StepCategory = "gate",
        mandatory: bool = True,
        duration_ms: int = 0,
        first_byte_ms: int | None = None,
    ) -> None:
        if failure.retry_after_seconds is not None:
            self._retry_after[name] = failure.retry_after_seconds
        self._add(
            Step.failed(
                name,
                failure.code,
                self._redact.sentence(failure.summary),
                category=category,
                mandatory=mandatory,
                detail=failure.detail,
                duration_ms=duration_ms,
                first_byte_ms=first_byte_ms,
                field_pointer=self._redact.pointer(field_pointer),
            )
        )

    def _add_skipped(
        self,
        name: str,
        reason: SkipReason,
        *,
        category: StepCategory = "gate",
        mandatory: bool = True,
    ) -> None:
        self._add(_skipped(name, reason, category=category, mandatory=mandatory))

    def _add(self, step: Step) -> None:
        self._steps.append(step)
        if step.status == "failed" and step.category == "gate":
            self.halted_by = self.halted_by or step.name

    def _clean(self, account: str) -> str:
        """A server's text, made safe to show: printable, then redacted, and only then cut short."""
        printable = "".join(c for c in account[:_MAX_RAW_ACCOUNT] if c.isprintable())
        return self._redact.of_server(printable)[:MAX_ACCOUNT]

    def _passed(self, summary: str, notice: Notice | None) -> _Passed:
        summary = str(self._redact.sentence(summary))
        if notice is None:
            return {"status": "passed", "summary": summary}
        return {
            "status": "warning",
            "summary": f"{summary} {self._redact.sentence(notice.summary)}",
            "code": notice.code,
            "field_pointer": self._redact.pointer(notice.field_pointer),
            "diagnosis": Diagnosis(title=notice.title, remediation=notice.remediation),
        }

    def _describe(self, step: str, error: Exception) -> Fault:
        trace = self._redact(trace_of(error))
        return Fault(step, type(error).__name__, self._redact(str(error)), trace)


def _skipped(
    name: str, reason: SkipReason, *, category: StepCategory = "gate", mandatory: bool = True
) -> Step:
    return _skipped_step(name, reason, category, mandatory)


# Steps are immutable, and of the gates of most tests there are the same few: they are shared.
# Their summaries are words of ours alone, in which no secret is looked for.
@lru_cache(maxsize=512)
def _passed_gate(name: str, summary: str, mandatory: bool = True, duration_ms: int = 0) -> Step:
    return Step(
        name=name, mandatory=mandatory, duration_ms=duration_ms, status="passed", summary=summary
    )


@cache
def _passed_configuration() -> tuple[Step, ...]:
    return tuple(_passed_gate(name, passed) for name, passed in _OF_CONFIGURATION)


@lru_cache(maxsize=512)
def _passed_dial(mandatory: bool, *durations: int | None) -> tuple[Step, ...]:
    """The gates of a connection of which all parts passed."""
    return tuple(
        _skipped_step(phase, "not_applicable", "gate", False)
        if duration_ms is None
        else _passed_gate(phase, _PHASE_PASSED[phase], mandatory, duration_ms)
        for phase, duration_ms in zip(_PHASES, durations, strict=True)
    )


@lru_cache(maxsize=512)
def _skipped_step(name: str, reason: SkipReason, category: StepCategory, mandatory: bool) -> Step:
    return Step(
        name=name,
        category=category,
        mandatory=mandatory,
        status="skipped",
        summary=_SKIPPED[reason],
        skip_reason=reason,
    )


async def _run_probe(
    compiled: Compiled, guard: EgressGuard, deadline: float, timings: DialTimings
) -> Outcome:
    try:
        return await within(
            deadline + _GRACE_SECONDS,
            compiled.probe.run(guard, deadline=deadline, timings=timings),
        )
    except TimeoutError as error:
        raise CheckFailure("provider_timeout", "The step did not finish in time.") from error


def _may_pass(failure: CheckFailure | DialFailure, seconds_left: float) -> bool:
    """Whether a second try may pass where the first one failed, and there is time for it.

    A limit of the provider's is not tried again: it asked for fewer calls.
    """
    info = describe(failure.code)
    return info.retryable and info.category != "rate_limit" and seconds_left > RETRY_LEAST_SECONDS


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
