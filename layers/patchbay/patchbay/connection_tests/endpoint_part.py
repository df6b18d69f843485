"""The test of one endpoint: its secrets made usable, its plan run, and run again after a 401.

1. An access token that has ended, or is about to, is renewed. If that fails, the report says so,
   and nothing else is tried.
2. The plan runs.
3. If the provider refuses an access token that should be good, it may have been revoked early. It
   is renewed once, and the plan runs again: the second result counts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from patchbay.checks.codes import Code, describe
from patchbay.checks.kept_tokens import KeptToken
from patchbay.checks.live_steps import LiveSteps
from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.checks.plan import Plan
from patchbay.checks.problems import PlanProblem
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport, Diagnosis, Step, steps_pointing_at
from patchbay.checks.runner import run
from patchbay.checks.verdict import secrets_unavailable_report, verdict
from patchbay.connection_tests.time_budgets import TimeBudget
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.secret_references import ReferenceUnusable
from patchbay.egress.guard import EgressGuard
from patchbay.grants.grant_model import Grant
from patchbay.grants.grant_view import missing_scopes, warnings_of
from patchbay.grants.grants import Grants
from patchbay.grants.usable_secrets import GrantUnusable, Need, StoredSecrets, UsableSecrets
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import InternalError, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

GRANT: Final = "grant"
"""The name of the step that is about the grant."""
_REFUSED: Final = frozenset[Code]({"auth_invalid", "auth_expired", "auth_revoked"})
_OF_TOKENS: Final = ("/secrets/access_token", "/secrets/refresh_token")
_NO_PLAN: Final = Plan(DEFAULT_TIMEOUT_MS)
_LEAST_SECONDS: Final = 1.0
"""With less time than this, a test is not repeated."""


@dataclass(frozen=True, slots=True)
class EndpointPart:
    """One endpoint of a test: the recipe of its release, and the plan with its values.

    `stored` is None if its secrets could not be used at all.
    """

    endpoint: Endpoint
    recipe: Recipe
    plan: Plan
    stored: StoredSecrets | None = field(default=None, repr=False)

    def planned(self, secrets: UsableSecrets) -> Plan:
        """The plan with these secrets."""
        kept = None
        token, renewed_at = secrets.values.get("access_token"), secrets.renewed_at
        is_kept = self.stored and (self.stored.renewable or self.stored.issued_at)
        if token and renewed_at and is_kept:
            kept = KeptToken(token, renewed_at, secrets.renewed_here)
        return self.recipe.plan(self.endpoint.variables, secrets.values, kept)


def part_of(
    endpoint: Endpoint, release: Release, look: Callable[[], StoredSecrets]
) -> EndpointPart:
    """An endpoint's part of a test. Raises what `look` raises, but for a reference that can't be
    used."""
    recipe = recipe_of(release)
    try:
        stored = look()
    except ReferenceUnusable as unusable:
        problem = PlanProblem("/secret_ref", unusable.message, unusable.code)
        return EndpointPart(endpoint, recipe, Plan(DEFAULT_TIMEOUT_MS, problems=(problem,)))
    plan = EndpointPart(endpoint, recipe, _NO_PLAN, stored).planned(stored.usable)
    return EndpointPart(endpoint, recipe, plan, stored)


async def run_part(
    part: EndpointPart,
    grants: Grants | None,
    guard: EgressGuard,
    budget: TimeBudget,
    live: LiveSteps | None = None,
) -> CheckReport:
    """The report of an endpoint. Logs a crash.

    `live` shows its steps while it runs. If the plan runs again, they begin again.
    """
    running = LiveSteps()
    if live is not None:
        live.look = lambda: _pointing(part.endpoint, running())
    report, grant = await _tested(part, grants, guard, budget, running)
    if fault := report.fault:
        logger.error(
            "check crashed",
            role=part.endpoint.role,
            step=fault.step,
            error=fault.error,
            trace=fault.trace,
        )
    steps = _pointing(part.endpoint, report.steps)
    if grant and not part.endpoint.secret_ref:
        steps = (*steps, *_warnings(grant, part.recipe))
    return report if steps is report.steps else report.model_copy(update={"steps": steps})


def _pointing(endpoint: Endpoint, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps with the field to change where the secrets come from elsewhere."""
    if endpoint.secret_ref:
        return steps_pointing_at(steps, "/secret_ref")
    if endpoint.granted_at:
        return steps_pointing_at(steps, "/grant", _OF_TOKENS)
    return steps


async def _tested(
    part: EndpointPart,
    grants: Grants | None,
    guard: EgressGuard,
    budget: TimeBudget,
    live: LiveSteps,
) -> tuple[CheckReport, Grant | None]:
    """The report, and the grant that it was made with."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + budget.most_ms / 1000
    stored, plan = part.stored, part.plan
    if stored is None or grants is None:
        return await _run(part, plan, guard, budget, live), None
    used = stored.usable
    if stored.need is not Need.NONE:
        try:
            used = await grants.usable(stored, guard.for_test(), deadline=ends)
        except GrantUnusable as unusable:
            return unusable_report(unusable), None
        except (TemporarilyUnavailable, InternalError):
            return secrets_unavailable_report(), None
        plan = await asyncio.to_thread(part.planned, used)
    report = await _run(part, plan, guard, budget.until(ends - loop.time()), live)
    if not _is_refused(report) or ends - loop.time() < _LEAST_SECONDS:
        return report, used.grant
    try:
        fresh = await grants.usable_after_401(stored, used, guard.for_test(), deadline=ends)
    except GrantUnusable as unusable:
        return unusable_report(unusable), None
    if fresh is None or ends - loop.time() < _LEAST_SECONDS:
        return report, used.grant
    plan = await asyncio.to_thread(part.planned, fresh)
    again = await _run(part, plan, guard, budget.until(ends - loop.time()), live)
    return again, fresh.grant


async def _run(
    part: EndpointPart, plan: Plan, guard: EgressGuard, budget: TimeBudget, live: LiveSteps
) -> CheckReport:
    if part.recipe.timeout_ms is None:
        plan = Plan(budget.default_ms, plan.steps, plan.problems, plan.secret_values)
    return await run(plan, guard, total_ms=budget.most_ms, live=live)


def _is_refused(report: CheckReport) -> bool:
    """Whether the provider refused the access token itself."""
    return not report.passed and any(
        step.status == "failed" and step.code in _REFUSED and step.field_pointer == _OF_TOKENS[0]
        for step in report.steps
    )


def unusable_report(unusable: GrantUnusable) -> CheckReport:
    """The report of a test that has no usable access token."""
    # A fault of the provider, or ours, is at no field of the endpoint.
    field = unusable.pointer if describe(unusable.code).blame == "customer" else None
    step = Step.failed(GRANT, unusable.code, unusable.summary, field_pointer=field)
    wait = unusable.retry_after_seconds
    return verdict(
        [step],
        proven=False,
        called=False,
        latency_ms=0,
        retry_after={} if wait is None else {GRANT: wait},
    )


def _warnings(grant: Grant | None, recipe: Recipe) -> list[Step]:
    """What limits the grant, or will end it: as a step that decides nothing."""
    if grant is None or grant.end is not None:
        return []
    return [
        Step(
            name=GRANT,
            mandatory=False,
            status="warning",
            code="scope_missing" if warning.code == "scope_missing" else None,
            summary=warning.message,
            diagnosis=Diagnosis(title=warning.title, remediation=warning.remediation),
            field_pointer="/grant",
        )
        for warning in warnings_of(grant, missing_scopes(grant, recipe), utc_now())
    ]
