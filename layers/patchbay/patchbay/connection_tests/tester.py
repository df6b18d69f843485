"""Tests what is connected, in three steps.

1. **Prepare** reads the endpoints, the releases that they were made of, and their secrets, which
   open only for the destination that this configuration leads to. It compiles a plan for each
   endpoint. It blocks.
2. **Run** dials behind the egress guard. An access token that has ended is renewed first
   (`endpoint_part`). It is async and raises nothing.
3. **Record** (`recorder.py`) writes the result to the history, and from there to the event, the
   health, and the mark of the last success. It blocks.

The steps are separate so that a caller with many tests prepares and records them in threads, and
runs all of them in one event loop. A dry run has no third step.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from patchbay.checks.capabilities import capability_reports
from patchbay.checks.connection_report import concluded_report, joined_report, joined_steps
from patchbay.checks.connection_steps import capabilities_step, configurations_step
from patchbay.checks.live_steps import LiveSteps
from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.checks.plan import Plan
from patchbay.checks.problems import PlanProblem
from patchbay.checks.report import Step
from patchbay.checks.roles import Role
from patchbay.checks.verdict import secrets_unavailable_report
from patchbay.connection_tests.changes import EndpointFingerprint, Fingerprint
from patchbay.connection_tests.endpoint_part import EndpointPart, part_of, run_part, unusable_report
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.following import Following, told
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.model import DryRun, DryRunResult, RecordedTest, TestTrigger
from patchbay.connection_tests.recorder import TestRecorder
from patchbay.connection_tests.subjects import require_enabled
from patchbay.connection_tests.time_budgets import SYNCHRONOUS, TimeBudget
from patchbay.connections.bindings import binding_to_dial
from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.egress.guard import EgressGuard
from patchbay.grants.grants import Grants
from patchbay.grants.usable_secrets import GrantUnusable, StoredSecrets
from patchbay.platform.clock import Clock
from patchbay.platform.errors import (
    InternalError,
    InvalidConfig,
    Problem,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore

_LOST: Final = "can't be opened any more, because its data key was deleted: enter it again"


@dataclass(frozen=True, slots=True)
class PreparedTest:
    """Everything that a test needs to run. It holds secrets: keep it out of messages and logs.

    `parts` is empty if the secrets could not be read. `judged` are the steps that dial nothing.
    `connection` is None for a test of an endpoint, and for a dry run.
    """

    parts: Mapping[Role, EndpointPart] = field(repr=False)
    judged: tuple[Step, ...] = ()
    connection: Connection | None = None
    fingerprint: Fingerprint | None = None

    @property
    def targets(self) -> frozenset[str]:
        """What it dials, in canonical form: `scheme://host:port`."""
        return frozenset(
            target
            for part in self.parts.values()
            for target in part.endpoint.binding.get("destination", ())
        )


class Tester:
    """The use cases of testing. Made once per process; holds no state of a test."""

    def __init__(
        self,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
        grants: Grants,
        recorder: TestRecorder,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._endpoint_store = endpoints
        self._connections = connections
        self._grants = grants
        self._recorder = recorder
        self._clock = clock

    def test(
        self,
        identity: TestIdentity,
        guard: EgressGuard,
        *,
        trigger: TestTrigger = "manual",
        following: Following | None = None,
    ) -> RecordedTest:
        """All three steps, within the time of an HTTP request. Raises as `prepare`."""
        started = time.monotonic()
        prepared = self.prepare(identity.subject)
        with told(following) as ending:
            budget = SYNCHRONOUS.since(started)
            finished = asyncio.run(self.run(prepared, guard, budget, following))
            test = self._recorder.record(identity, finished, trigger=trigger)
            ending.result = test
        return test

    def dry_run(
        self,
        organization_id: str,
        request: DryRun,
        guard: EgressGuard,
        following: Following | None = None,
    ) -> DryRunResult:
        """Tests a connection that does not exist yet; stores nothing.

        Raises `NotFound`, and `InvalidConfig` for configurations that the source's release rejects.
        """
        started = time.monotonic()
        endpoints = self._endpoints(organization_id, request.source_id, request.destination_id)
        releases = self._releases(endpoints)
        source = recipe_of(releases[Role.SOURCE])
        if problems := source.configuration_problems(request.configurations):
            raise InvalidConfig(problems)
        prepared = self._prepared_connection(endpoints, releases, request.configurations, problems)
        with told(following) as ending:
            budget = SYNCHRONOUS.since(started)
            finished = asyncio.run(self.run(prepared, guard, budget, following))
            ending.result = result = DryRunResult.of(finished.report, finished.capabilities)
        return result

    def prepare(self, subject: TestSubject) -> PreparedTest:
        """Step 1, for one connection, source, or destination.

        Raises `NotFound`, `Conflict` for a connection that is disabled, and
        `TemporarilyUnavailable` if the table does not respond. A vault that does not respond is a
        result of the test.
        """
        if subject.role:
            endpoint = self._endpoint_store.get(subject.organization_id, subject.role, subject.id)
            endpoints = {subject.role: endpoint}
            return self._prepared(endpoints, self._releases(endpoints), {})
        return self.prepare_connection(self._connections.get(subject.organization_id, subject.id))

    def prepare_connection(
        self, connection: Connection, endpoints: Mapping[Role, Endpoint] | None = None
    ) -> PreparedTest:
        """Step 1, for a connection that has been read, and so may its endpoints. Raises as
        `prepare`."""
        require_enabled(connection)
        if endpoints is None:
            endpoints = self._endpoints(
                connection.organization_id, connection.source_id, connection.destination_id
            )
        releases = self._releases(endpoints)
        source = recipe_of(releases[Role.SOURCE])
        problems = source.configuration_problems(connection.configurations)
        return self._prepared_connection(
            endpoints, releases, connection.configurations, problems, connection
        )

    async def run(
        self,
        prepared: PreparedTest,
        guard: EgressGuard,
        budget: TimeBudget,
        following: Following | None = None,
    ) -> FinishedTest:
        """Step 2: all endpoints at the same time. Hundreds of these may run in one event loop."""
        started_at = self._clock()
        parts = prepared.parts
        live = {role: LiveSteps() for role in parts} if following else {}
        tests = [
            run_part(part, self._grants, guard, budget, live.get(role))
            for role, part in parts.items()
        ]
        if following:
            done = await following.during(asyncio.gather(*tests), partial(_joined, live))
        elif len(tests) == 1:
            # Most have one endpoint, and need no task of their own.
            done = [await tests[0]]
        else:
            done = await asyncio.gather(*tests)
        reports = dict(zip(parts, done, strict=True))
        # A test that could not read its secrets is a test too, and its failure is our fault.
        report = (
            concluded_report(joined_report(reports), prepared.judged)
            if reports
            else secrets_unavailable_report()
        )
        return FinishedTest(
            connection=prepared.connection,
            fingerprint=prepared.fingerprint,
            report=report,
            capabilities=tuple(
                capability
                for role, part in parts.items()
                for capability in capability_reports(role, part.recipe, reports[role].steps)
            ),
            started_at=started_at,
            finished_at=self._clock(),
        )

    def _endpoints(
        self, organization_id: str, source_id: str, destination_id: str | None
    ) -> dict[Role, Endpoint]:
        ids = {Role.SOURCE: source_id, Role.DESTINATION: destination_id}
        return {
            role: self._endpoint_store.get(organization_id, role, endpoint_id)
            for role, endpoint_id in ids.items()
            if endpoint_id
        }

    def _releases(self, endpoints: Mapping[Role, Endpoint]) -> dict[Role, Release]:
        return {
            role: self._registry.release(endpoint.integration_id, endpoint.version)
            for role, endpoint in endpoints.items()
        }

    def _prepared_connection(
        self,
        endpoints: Mapping[Role, Endpoint],
        releases: Mapping[Role, Release],
        configurations: Mapping[str, Any],
        problems: list[Problem],
        connection: Connection | None = None,
    ) -> PreparedTest:
        prepared = self._prepared(endpoints, releases, configurations)
        secrets = [s for part in prepared.parts.values() for s in part.plan.secret_values]
        judged = _judged(releases, problems, secrets)
        return PreparedTest(prepared.parts, judged, connection, prepared.fingerprint)

    def _prepared(
        self,
        endpoints: Mapping[Role, Endpoint],
        releases: Mapping[Role, Release],
        configurations: Mapping[str, Any],
    ) -> PreparedTest:
        try:
            parts = {
                role: self._stored_part(endpoint, releases[role])
                for role, endpoint in endpoints.items()
            }
        except (TemporarilyUnavailable, InternalError):
            return PreparedTest({})
        tested = {role: EndpointFingerprint.of(endpoint) for role, endpoint in endpoints.items()}
        return PreparedTest(parts, fingerprint=Fingerprint.of(tested, configurations))

    def _stored_part(self, endpoint: Endpoint, release: Release) -> EndpointPart:
        def look() -> StoredSecrets:
            # For where this test would send them, not for where they belong. If the endpoint was
            # edited since it was read, they are sealed for another destination, and do not open.
            binding = binding_to_dial(endpoint, release)
            return self._grants.look(endpoint, release, binding, self._clock(), for_test=True)

        try:
            return part_of(endpoint, release, look)
        except SecretsLost as lost:
            # Only its owner has the secrets, so it is the owner's move, not ours.
            fields = [f"/secrets/{name}" for name in lost.names] or ["/grant"]
            problems = tuple(PlanProblem(one, _LOST, "secret_not_found") for one in fields)
            plan = Plan(DEFAULT_TIMEOUT_MS, problems=problems)
            return EndpointPart(endpoint, recipe_of(release), plan)


def try_endpoint(
    endpoint: Endpoint,
    release: Release,
    open_secrets: Callable[[], dict[str, str]],
    guard: EgressGuard,
) -> DryRunResult:
    """Tests an endpoint as it would be with these secrets; reads and stores nothing.

    Raises what `open_secrets` raises. A reference that leads to nothing usable is a result.
    """
    return try_stored(
        endpoint, release, lambda: StoredSecrets(endpoint, open_secrets()), None, guard
    )


def try_stored(
    endpoint: Endpoint,
    release: Release,
    look: Callable[[], StoredSecrets],
    grants: Grants | None,
    guard: EgressGuard,
    following: Following | None = None,
) -> DryRunResult:
    """Tests an endpoint as it would be with secrets of which some are stored. Their access token is
    renewed as ever, and kept. Raises what `look` raises."""
    started = time.monotonic()
    try:
        part = part_of(endpoint, release, look)
    except GrantUnusable as unusable:
        return DryRunResult.of(unusable_report(unusable), ())
    live = LiveSteps()
    with told(following) as ending:
        test = run_part(part, grants, guard, SYNCHRONOUS.since(started), live)
        report = asyncio.run(following.during(test, live) if following else test)
        capabilities = capability_reports(endpoint.role, part.recipe, report.steps)
        ending.result = result = DryRunResult.of(report, tuple(capabilities))
    return result


def _joined(live: Mapping[Role, LiveSteps]) -> tuple[Step, ...]:
    return joined_steps({role: so_far() for role, so_far in live.items()})


def _judged(
    releases: Mapping[Role, Release], problems: list[Problem], secrets: Sequence[str]
) -> tuple[Step, ...]:
    """The steps of a connection's test that dial nothing."""
    configurations = configurations_step(problems, secrets)
    if Role.DESTINATION not in releases:
        return (configurations,)
    source, destination = recipe_of(releases[Role.SOURCE]), recipe_of(releases[Role.DESTINATION])
    return (configurations, capabilities_step(source, destination))
