"""Tests of sources, destinations and connections, and their history."""

from typing import TYPE_CHECKING, Any

from patchbay.checks.roles import Role
from patchbay.connection_tests.identity import TestSubject, TestSubjectKind
from patchbay.connection_tests.model import (
    DryRun,
    DryRunResult,
    EndpointDryRun,
    ModeQuery,
    RecordedTest,
    TestConnection,
    TestConnectionOutput,
)
from patchbay.connection_tests.progress import Follower, TestProgress
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.tenancy.access import Permission, Principal

if TYPE_CHECKING:
    from patchbay.connection_tests.following import Following

deployment = Deployment(at_start=("test_reader",))
api = HttpApi("Tests", lambda: deployment)

BASE = "/v1/organizations/<organization_id>/knowledge/connectors"


def _of_queued() -> dict[int, Any]:
    """The answer of `mode=async`, for the document."""
    return {202: RecordedTest}


@api.post(f"{BASE}/connections/test", permission=Permission.TEST, failures=(429,))
def dry_run(
    caller: Principal, organization_id: str, body: DryRun, domain_name: str
) -> DryRunResult:
    """Test whether a source, and a destination, can connect; nothing is stored."""
    following = _following(caller, organization_id, body.progress)
    return deployment.on_demand_tests(domain_name).dry_run(organization_id, body, following)


@api.post(f"{BASE}/sources/test", permission=Permission.TEST, failures=(422, 429))
def dry_run_source(
    caller: Principal, organization_id: str, body: EndpointDryRun, domain_name: str
) -> DryRunResult:
    """Test a source that is not stored, of a release or of a draft."""
    return _dry_run(caller, organization_id, Role.SOURCE, body, domain_name)


@api.post(f"{BASE}/destinations/test", permission=Permission.TEST, failures=(422, 429))
def dry_run_destination(
    caller: Principal, organization_id: str, body: EndpointDryRun, domain_name: str
) -> DryRunResult:
    """Test a destination that is not stored, of a release or of a draft."""
    return _dry_run(caller, organization_id, Role.DESTINATION, body, domain_name)


@api.get(f"{BASE}/test-progress/<progress>", permission=Permission.TEST, in_space=True)
def get_test_progress(caller: Principal, organization_id: str, progress: str) -> TestProgress:
    """Read the steps so far of a test that you wait for, by the id that you sent with it."""
    follower = Follower.principal(organization_id, caller)
    return deployment.test_progress.progress(follower, progress, utc_now())


@api.post(
    f"{BASE}/sources/<source_id>/test",
    permission=Permission.TEST,
    failures=(429,),
    answers=_of_queued,
)
def check_source(
    caller: Principal,
    organization_id: str,
    source_id: str,
    query: ModeQuery,
    stamp: Stamp,
    domain_name: str,
) -> Reply[RecordedTest]:
    """Test a source, now or through the queue (mode=async)."""
    subject = TestSubject(organization_id, TestSubjectKind.SOURCE, source_id)
    return _started(caller, subject, query, stamp, domain_name)


@api.post(
    f"{BASE}/destinations/<destination_id>/test",
    permission=Permission.TEST,
    failures=(429,),
    answers=_of_queued,
)
def check_destination(
    caller: Principal,
    organization_id: str,
    destination_id: str,
    query: ModeQuery,
    stamp: Stamp,
    domain_name: str,
) -> Reply[RecordedTest]:
    """Test a destination, now or through the queue (mode=async)."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return _started(caller, subject, query, stamp, domain_name)


@api.post(
    f"{BASE}/connections/<connection_id>/test",
    permission=Permission.TEST,
    in_space=True,
    failures=(429,),
    answers=_of_queued,
)
def check_connection(
    caller: Principal,
    organization_id: str,
    connection_id: str,
    query: ModeQuery,
    stamp: Stamp,
    domain_name: str,
) -> Reply[RecordedTest]:
    """Run the health check of a connection, now or through the queue; it records an event."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return _started(caller, subject, query, stamp, domain_name)


@api.get(f"{BASE}/sources/<source_id>/tests", permission=Permission.READ)
def list_source_tests(
    organization_id: str, source_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a source in the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.SOURCE, source_id)
    return deployment.test_reader.page(subject, query)


@api.get(f"{BASE}/sources/<source_id>/tests/<test_id>", permission=Permission.READ)
def get_source_test(organization_id: str, source_id: str, test_id: str) -> RecordedTest:
    """Read a test of a source; poll this route for a queued test."""
    return deployment.test_reader.test(
        TestSubject(organization_id, TestSubjectKind.SOURCE, source_id), test_id
    )


@api.get(f"{BASE}/destinations/<destination_id>/tests", permission=Permission.READ)
def list_destination_tests(
    organization_id: str, destination_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a destination in the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return deployment.test_reader.page(subject, query)


@api.get(f"{BASE}/destinations/<destination_id>/tests/<test_id>", permission=Permission.READ)
def get_destination_test(organization_id: str, destination_id: str, test_id: str) -> RecordedTest:
    """Read a test of a destination; poll this route for a queued test."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return deployment.test_reader.test(subject, test_id)


@api.get(f"{BASE}/connections/<connection_id>/tests", permission=Permission.READ, in_space=True)
def list_connection_tests(
    organization_id: str, connection_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a connection in the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return deployment.test_reader.page(subject, query)


@api.get(
    f"{BASE}/connections/<connection_id>/tests/<test_id>", permission=Permission.READ, in_space=True
)
def get_connection_test(organization_id: str, connection_id: str, test_id: str) -> RecordedTest:
    """Read a test of a connection; poll this route for a queued test."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return deployment.test_reader.test(subject, test_id)


@api.post("/integrations/connection/test/v1.0.0", permission=Permission.MANAGE, failures=(429,))
def integrations_connection_test(
    caller: Principal, body: TestConnection, stamp: Stamp, domain_name: str
) -> TestConnectionOutput:
    """Run the health check of a connection (operation integrations.connection.test)."""
    tests = deployment.on_demand_tests(domain_name)
    return tests.operate(caller.organization_id, body.connection_id, stamp)


def _dry_run(
    caller: Principal, organization_id: str, role: Role, body: EndpointDryRun, domain_name: str
) -> DryRunResult:
    dry_runs = deployment.endpoint_dry_runs(domain_name)
    following = _following(caller, organization_id, body.progress)
    return dry_runs.run(organization_id, role, body, utc_now(), following)


def _started(
    caller: Principal, subject: TestSubject, query: ModeQuery, stamp: Stamp, domain_name: str
) -> Reply[RecordedTest]:
    tests = deployment.on_demand_tests(domain_name)
    if query.mode == "sync":
        following = _following(caller, subject.organization_id, query.progress)
        return Reply(tests.start(subject, stamp, following))
    test = tests.enqueue(subject, stamp, follow=query.follow)
    return Reply(test, status=202, location=test.href)


def _following(caller: Principal, organization_id: str, progress: str | None) -> "Following | None":
    if progress is None:
        return None
    follower = Follower.principal(organization_id, caller)
    return deployment.test_progress.following(follower, progress)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
