"""Testing what is connected: from an id to a report, and from a report to what is kept of it.

Three steps, so that whoever runs many tests at once can do the first and the last in threads and
all of the second in one event loop:

1. `prepare` reads: the endpoints, the releases they were made of, and their secrets, which only
   open for the destination that this configuration leads to. It compiles the plans. Blocking.
2. `run` dials, behind the egress guard, and does nothing else. Async, raises nothing, blocks
   nothing.
3. `record` writes, exactly once for a test's identity: the history first, then from what stands
   there the event in the connection's space, the connection's health and the mark of the last
   success. Blocking; crash, retry and redelivery come to one item, one event, one count.

A dry run is 1 and 2 only.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

from patchbay.checks.capabilities import CapabilityReport, capability_reports, fitting
from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.checks.plan import Plan
from patchbay.checks.problems import PlanProblem
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.reports import (
    concluded,
    joined,
    judged_configurations,
    naming_reference,
    out_of_secrets,
)
from patchbay.checks.roles import Role
from patchbay.checks.runner import run
from patchbay.connection_tests.changes import (
    EndpointFingerprint,
    Fingerprint,
    PassedTest,
    WhatChanged,
)
from patchbay.connection_tests.history import TestHistory, TestRecord, TestSubject, TestSubjectKind
from patchbay.connection_tests.identity import TestIdentity
from patchbay.connection_tests.model import (
    DryRun,
    DryRunResult,
    RecordedTest,
    TestFindings,
    TestMode,
    TestTrigger,
    health_status,
)
from patchbay.connection_tests.reader import refuse_disabled, require
from patchbay.connection_tests.required_actions import required_action
from patchbay.connections.announcements import Announcement
from patchbay.connections.health_state import NO_AUTO_DISABLE, AutoDisable, HealthObservation
from patchbay.connections.model import Connection, Endpoint
from patchbay.connections.secret_references import ReferenceUnusable
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.egress.guard import EgressGuard
from patchbay.health.model import Event
from patchbay.health.recording import event_of_test
from patchbay.health.store import EventStore
from patchbay.platform.clock import Clock
from patchbay.platform.errors import (
    InternalError,
    InvalidConfig,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.logging import logger
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """The time of a whole test: at most `most_ms`, and `default_ms` where the manifest has no
    `timeoutMs` of its own. Each step has its own limit besides."""

    most_ms: int
    default_ms: int


SYNCHRONOUS: Final = TimeBudget(25_000, DEFAULT_TIMEOUT_MS)
"""API Gateway ends an HTTP request after 30 s: what is left over reads, stores and answers."""

ASYNCHRONOUS: Final = TimeBudget(60_000, 60_000)
"""Nobody waits on an open request; the function that runs queued tests has 90 s."""

_LOST: Final = "can't be opened any more, because its data key was deleted: enter it again"


@dataclass(frozen=True, slots=True)
class EndpointPart:
    """One endpoint of a test, and the plan that its release makes of its values."""

    endpoint: Endpoint
    release: Release
    plan: Plan


@dataclass(frozen=True, slots=True)
class PreparedTest:
    """All that a test needs to run: nothing is read any more.

    `parts` is empty if the secrets could not be read. Holds secrets: kept out of texts and logs.
    `judged` are the steps that dial nothing. `connection` is None for an endpoint or a dry run.
    """

    parts: Mapping[Role, EndpointPart] = field(repr=False)
    judged: tuple[Step, ...]
    connection: Connection | None = None
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class FinishedTest:
    """A test that has run: its report, and when it began and ended."""

    report: CheckReport
    capabilities: tuple[CapabilityReport, ...]
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class EndedTest:
    """A test that has run and is to be recorded. `passed` is the last one that passed before."""

    subject: TestSubject
    identity: TestIdentity
    prepared: PreparedTest
    finished: FinishedTest
    passed: PassedTest | None


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A test as it stands in the history; everything else is derived from that."""

    subject: TestSubject
    identity: TestIdentity
    connection: Connection | None
    standing: TestRecord

    @property
    def at(self) -> datetime:
        return self.standing.test.finished_at or self.identity.at

    def event(self) -> Event | None:
        """The event of a connection's test. Its id is of the test and its time as recorded, so that
        a repetition meets the event that stands there."""
        if self.connection is None:
            return None
        test = self.standing.test
        event = event_of_test(
            self.connection.space_id,
            self.connection.id,
            passed=test.succeeded,
            latency_ms=test.latency_ms or 0,
            code=test.code,
            platform_fault=test.blame == "platform",
            now=self.at,
        )
        return event.model_copy(update={"id": self.identity.event_id})


class Spread(Protocol):
    """As `map`, in any order of doing: `ThreadPoolExecutor.map` does."""

    def __call__[T, R](self, do: Callable[[T], R], things: Iterable[T], /) -> Iterable[R]: ...


class Tester:
    """The use cases of testing. Made once per process; it holds no state of a test."""

    def __init__(
        self,
        registry: RegistryStore,
        store: ConnectionStore,
        vault: Vault,
        events: EventStore,
        history: TestHistory,
        clock: Clock,
        disable: AutoDisable = NO_AUTO_DISABLE,
    ) -> None:
        self._registry = registry
        self._store = store
        self._vault = vault
        self._events = events
        self._history = history
        self._clock = clock
        self._disable = disable

    def test(
        self,
        subject: TestSubject,
        identity: TestIdentity,
        guard: EgressGuard,
        *,
        trigger: TestTrigger = "manual",
    ) -> RecordedTest:
        """All three steps, within the time of an HTTP request. Raises `NotFound`."""
        prepared = self.prepare(subject)
        finished = asyncio.run(self.run(prepared, guard, SYNCHRONOUS))
        return self.record(subject, identity, prepared, finished, trigger=trigger)

    def dry_run(self, organization_id: str, request: DryRun, guard: EgressGuard) -> DryRunResult:
        """Whether a connection of these would work; nothing is stored.

        Raises `NotFound`, and `InvalidConfig` for configurations that the source's release refuses.
        """
        endpoints = self._endpoints(organization_id, request.source_id, request.destination_id)
        releases = self._releases(endpoints)
        if problems := recipe_of(releases[Role.SOURCE]).configuration_problems(
            request.configurations
        ):
            raise InvalidConfig(problems)
        judged = (judged_configurations([]),)
        prepared = self._prepared(endpoints, releases, request.configurations, judged)
        finished = asyncio.run(self.run(prepared, guard, SYNCHRONOUS))
        return DryRunResult.of(finished.report, finished.capabilities)

    def prepare(self, subject: TestSubject) -> PreparedTest:
        """Step 1, for one connection, source or destination.

        Raises `NotFound`, `Conflict` for a connection that is disabled, and
        `TemporarilyUnavailable` if the table does not answer; a vault that does not is a test's
        result.
        """
        if subject.role:
            endpoint = self._store.endpoint(subject.organization_id, subject.role, subject.id)
            endpoints = {subject.role: endpoint}
            return self._prepared(endpoints, self._releases(endpoints), {}, ())
        return self.prepare_connection(self._store.connection(subject.organization_id, subject.id))

    def prepare_connection(self, connection: Connection) -> PreparedTest:
        """Step 1, for a connection that has been read. Raises as `prepare`."""
        refuse_disabled(connection)
        endpoints = self._endpoints(
            connection.organization_id, connection.source_id, connection.destination_id
        )
        releases = self._releases(endpoints)
        problems = recipe_of(releases[Role.SOURCE]).configuration_problems(
            connection.configurations
        )
        judged = (judged_configurations(problems),)
        prepared = self._prepared(endpoints, releases, connection.configurations, judged)
        return replace(prepared, connection=connection)

    async def run(
        self, prepared: PreparedTest, guard: EgressGuard, budget: TimeBudget
    ) -> FinishedTest:
        """Step 2: all endpoints side by side. Hundreds of these may run in one event loop."""
        started_at = self._clock()
        runs = [
            run(_within(budget, part), guard, total_ms=budget.most_ms)
            for part in prepared.parts.values()
        ]
        reports = dict(zip(prepared.parts, await asyncio.gather(*runs), strict=True))
        reports = {role: _told(prepared.parts[role].endpoint, reports[role]) for role in reports}
        # A test that could not read its secrets is a test too: nobody's fault but ours.
        report = joined(reports) if reports else out_of_secrets()
        return FinishedTest(
            concluded(report, prepared.judged) if reports else report,
            tuple(
                capability
                for role, report in reports.items()
                for capability in capability_reports(
                    role, recipe_of(prepared.parts[role].release), report.steps
                )
            ),
            started_at,
            self._clock(),
        )

    def record(
        self,
        subject: TestSubject,
        identity: TestIdentity,
        prepared: PreparedTest,
        finished: FinishedTest,
        *,
        trigger: TestTrigger,
        mode: TestMode = "sync",
    ) -> RecordedTest:
        """Step 3: the answer is the test as it stands in the history, of whoever was first.

        Raises `TemporarilyUnavailable`; then repeat it, with this run or another one.
        """
        passed = self._history.last_passed(subject, finished.finished_at)
        one = EndedTest(subject, identity, prepared, finished, passed)
        standing = self._written(one, trigger, mode)
        self.follow([FollowUp(subject, identity, prepared.connection, standing)])
        return standing.test

    def record_all(
        self, ended: Sequence[EndedTest], *, trigger: TestTrigger, spread: Spread = map
    ) -> list[Announcement]:
        """Step 3 for many tests: each as if it were alone, their events together.

        `spread` does independent writes at once. Returns what is to be told to the bus. Raises
        `TemporarilyUnavailable` if some of it did not get through; then repeat it.
        """
        standing = list(spread(lambda one: self._written(one, trigger, "sync"), ended))
        return self.follow(
            [
                FollowUp(one.subject, one.identity, one.prepared.connection, stands)
                for one, stands in zip(ended, standing, strict=True)
            ],
            spread,
        )

    def follow(self, recorded: Sequence[FollowUp], spread: Spread = map) -> list[Announcement]:
        """What follows from recorded tests: events, health, marks. All of it may be repeated."""
        events = [event for one in recorded if (event := one.event())]
        if events:
            self._events.add(events, self._clock())
        return [told for each in spread(self._noted, recorded) for told in each]

    def settle(self, subject: TestSubject, identity: TestIdentity) -> None:
        """Ends a queued test that is not to be run: any more, or again.

        One whose deadline is over is recorded as every reader tells it. One that is recorded has
        everything follow from that once more: who recorded it may have died before.
        Raises `NotFound` for a connection that was deleted meanwhile.
        """
        standing = self._history.settle(subject, identity, self._clock())
        if standing and not standing.test.refused:
            connection = (
                self._store.connection(subject.organization_id, subject.id)
                if subject.kind is TestSubjectKind.CONNECTION
                else None
            )
            self.follow([FollowUp(subject, identity, connection, standing)])

    def refuse(self, subject: TestSubject, identity: TestIdentity, reason: str) -> None:
        """Ends a queued test that can't be begun. Nothing was dialled, so nothing follows from it.

        Raises `NotFound` if what it is of is not there any more: then nobody can read its tests.
        """
        require(self._store, subject)
        self._history.refuse(subject, identity, reason, self._clock())

    def _written(self, one: EndedTest, trigger: TestTrigger, mode: TestMode) -> TestRecord:
        now = one.prepared.fingerprint
        test = RecordedTest(
            **TestFindings.told(one.finished.report),
            capabilities=one.finished.capabilities,
            id=one.identity.test_id,
            href=one.subject.href(one.identity.test_id),
            trigger=trigger,
            mode=mode,
            queued_at=one.identity.at if mode == "async" else None,
            started_at=one.finished.started_at,
            finished_at=one.finished.finished_at,
            what_changed=WhatChanged.since(one.passed, now) if one.passed and now else None,
        )
        return self._history.finish(one.subject, one.identity, test, now)

    def _noted(self, one: FollowUp) -> list[Announcement]:
        test, fingerprint = one.standing.test, one.standing.fingerprint
        if test.succeeded and fingerprint:
            passed = PassedTest(test_id=test.id, at=one.at, fingerprint=fingerprint)
            self._history.note_passed(one.subject, passed)
        if one.connection is None or test.blame == "platform":
            return []
        seen = HealthObservation(
            at=one.identity.at,
            status=health_status(test),
            latency_ms=test.latency_ms or 0,
            finished_at=one.at,
            error_code=test.code,
            error_message=None if test.succeeded else test.message,
            certificate_expires_at=test.certificate_expires_at,
        )
        action = required_action(test.code)
        return self._store.observe(one.connection, seen, action, self._disable)

    def _endpoints(
        self, organization_id: str, source_id: str, destination_id: str | None
    ) -> dict[Role, Endpoint]:
        ids = {Role.SOURCE: source_id, Role.DESTINATION: destination_id}
        return {
            role: self._store.endpoint(organization_id, role, endpoint_id)
            for role, endpoint_id in ids.items()
            if endpoint_id
        }

    def _prepared(
        self,
        endpoints: Mapping[Role, Endpoint],
        releases: Mapping[Role, Release],
        configurations: Mapping[str, Any],
        judged: tuple[Step, ...],
    ) -> PreparedTest:
        if len(releases) > 1:
            step = fitting(recipe_of(releases[Role.SOURCE]), recipe_of(releases[Role.DESTINATION]))
            judged = (*judged, step)
        parts, marks = {}, {}
        try:
            for role, endpoint in endpoints.items():
                release = releases[role]
                plan = self._planned(endpoint, release)
                parts[role] = EndpointPart(endpoint, release, plan)
                marks[role] = EndpointFingerprint.of(endpoint)
        except (TemporarilyUnavailable, InternalError):
            return PreparedTest({}, judged)
        return PreparedTest(parts, judged, fingerprint=Fingerprint.of(marks, configurations))

    def _planned(self, endpoint: Endpoint, release: Release) -> Plan:
        try:
            return _plan(endpoint, release, functools.partial(self._secrets, endpoint, release))
        except SecretsLost as lost:
            # It is its owner's move, not ours: only they have the secrets.
            problems = tuple(
                PlanProblem(f"/secrets/{name}", _LOST, "secret_not_found") for name in lost.names
            )
            return Plan(DEFAULT_TIMEOUT_MS, problems=problems)

    def _releases(self, endpoints: Mapping[Role, Endpoint]) -> dict[Role, Release]:
        return {
            role: self._registry.release(endpoint.integration_id, endpoint.version)
            for role, endpoint in endpoints.items()
        }

    def _secrets(self, endpoint: Endpoint, release: Release) -> dict[str, str]:
        """Opened for where this test would send them, not for where they are said to belong.

        An endpoint that is edited between its read and this has secrets for another place already:
        they do not open.
        """
        binding = recipe_of(release).binding(release.id, endpoint.variables)
        return self._vault.secrets_of(endpoint, release, binding, self._clock())


def try_endpoint(
    endpoint: Endpoint,
    release: Release,
    open_secrets: Callable[[], dict[str, str]],
    guard: EgressGuard,
) -> DryRunResult:
    """Tests an endpoint as it would be, with these secrets; nothing is read or stored.

    Raises what `open_secrets` raises, `SecretsLost` too: the edit is refused for it. But a
    reference that leads to nothing usable is a result.
    """
    part = EndpointPart(endpoint, release, _plan(endpoint, release, open_secrets))
    plan = _within(SYNCHRONOUS, part)
    report = _told(endpoint, asyncio.run(run(plan, guard, total_ms=SYNCHRONOUS.most_ms)))
    capabilities = capability_reports(endpoint.role, recipe_of(release), report.steps)
    return DryRunResult.of(report, tuple(capabilities))


def _plan(endpoint: Endpoint, release: Release, open_secrets: Callable[[], dict[str, str]]) -> Plan:
    try:
        secrets = open_secrets()
    except ReferenceUnusable as unusable:
        problem = PlanProblem("/secret_ref", unusable.message, unusable.code)
        return Plan(DEFAULT_TIMEOUT_MS, problems=(problem,))
    return recipe_of(release).plan(endpoint.variables, secrets)


def _told(endpoint: Endpoint, report: CheckReport) -> CheckReport:
    """Logs what crashed; where secrets are referred to, points at the reference."""
    if report.fault:
        logger.error(
            "check crashed",
            role=endpoint.role,
            step=report.fault.step,
            error=report.fault.error,
            trace=report.fault.trace,
        )
    return naming_reference(report) if endpoint.secret_ref else report


def _within(budget: TimeBudget, part: EndpointPart) -> Plan:
    if recipe_of(part.release).timeout_ms is not None:
        return part.plan
    return replace(part.plan, timeout_ms=budget.default_ms)
