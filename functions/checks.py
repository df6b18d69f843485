"""Tests of sources, destinations and connections, and their history."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from patchbay.connection_tests.history import TestHistory, TestSubject, TestSubjectKind
from patchbay.connection_tests.model import (
    DryRun,
    DryRunResult,
    ModeQuery,
    RecordedTest,
    TestConnection,
    TestConnectionOutput,
)
from patchbay.connection_tests.reader import TestReader
from patchbay.connections.store import ConnectionStore
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.idempotency import Idempotency
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.settings import ChecksSettings
from patchbay.tenancy.access import Permission, Principal, admit

if TYPE_CHECKING:
    from patchbay.connection_tests.on_demand import OnDemandTests
    from patchbay.connection_tests.tester import Tester
    from patchbay.egress.guard import EgressGuard


@cache
def _settings() -> ChecksSettings:
    return ChecksSettings.from_env()


@cache
def _table() -> Table:
    return Table(_settings().integrations_table)


@cache
def _history() -> TestHistory:
    return TestHistory(Table(_settings().events_table), CursorSeal(_table()))


@cache
def _store() -> ConnectionStore:
    return ConnectionStore(_table())


@cache
def _reader() -> TestReader:
    return TestReader(_store(), _history(), utc_now)


# Whoever polls a test, or reads what was found, needs nothing of what a test is made with.


@cache
def _tester() -> "Tester":
    from patchbay.connection_tests.tester import Tester
    from patchbay.connections.vault import Vault
    from patchbay.health.store import EventStore
    from patchbay.registry.store import RegistryStore

    return Tester(
        RegistryStore(_table()),
        _store(),
        Vault(_table(), _settings().vault_key_id),
        EventStore(Table(_settings().events_table), _settings().raw_event_days),
        _history(),
        utc_now,
    )


@cache
def _guard() -> "EgressGuard":
    from patchbay.egress.guard import EgressGuard

    settings = _settings()
    return EgressGuard.configured(
        settings.egress_allow, settings.own_host_names, settings.dns_resolver
    )


@lru_cache(maxsize=8)
def _tests(domain_name: str) -> "OnDemandTests":
    from patchbay.connection_tests.on_demand import OnDemandTests
    from patchbay.connection_tests.queue import TestQueue
    from patchbay.platform.limits import Limit, Limiter

    settings = _settings()
    return OnDemandTests(
        _tester(),
        _store(),
        _history(),
        Limiter(_table(), "tests"),
        Limit(settings.tests_per_minute, settings.tests_in_flight),
        TestQueue(settings.test_queue_url),
        _guard().excluding([domain_name]),
        domain_name,
        utc_now,
    )


def _of_queued() -> dict[int, Any]:
    """What `mode=async` answers, for the document."""
    return {202: RecordedTest}


@cache
def _idempotency() -> Idempotency:
    return Idempotency(_table())


api = HttpApi(admit, tag="Tests", idempotency=_idempotency)

BASE = "/v1/organizations/<organization_id>/knowledge/connectors"


@api.post(f"{BASE}/connections/test", permission=Permission.MANAGE, failures=(429,))
def dry_run(organization_id: str, body: DryRun, domain_name: str) -> DryRunResult:
    """Test whether a source, and a destination, would connect; nothing is stored."""
    return _tests(domain_name).dry_run(organization_id, body)


@api.post(
    f"{BASE}/sources/<source_id>/test",
    permission=Permission.MANAGE,
    failures=(429,),
    answers=_of_queued,
)
def check_source(
    organization_id: str, source_id: str, query: ModeQuery, stamp: Stamp, domain_name: str
) -> Reply[RecordedTest]:
    """Test a source, at once or by the queue (mode=async)."""
    return _started(
        TestSubject(organization_id, TestSubjectKind.SOURCE, source_id), query, stamp, domain_name
    )


@api.post(
    f"{BASE}/destinations/<destination_id>/test",
    permission=Permission.MANAGE,
    failures=(429,),
    answers=_of_queued,
)
def check_destination(
    organization_id: str, destination_id: str, query: ModeQuery, stamp: Stamp, domain_name: str
) -> Reply[RecordedTest]:
    """Test a destination, at once or by the queue (mode=async)."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return _started(subject, query, stamp, domain_name)


@api.post(
    f"{BASE}/connections/<connection_id>/test",
    permission=Permission.MANAGE,
    failures=(429,),
    answers=_of_queued,
)
def check_connection(
    organization_id: str, connection_id: str, query: ModeQuery, stamp: Stamp, domain_name: str
) -> Reply[RecordedTest]:
    """Run the health check of a connection, at once or by the queue; it leaves an event."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return _started(subject, query, stamp, domain_name)


@api.get(f"{BASE}/sources/<source_id>/tests", permission=Permission.READ)
def list_source_tests(
    organization_id: str, source_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a source of the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.SOURCE, source_id)
    return _reader().page(subject, query)


@api.get(f"{BASE}/sources/<source_id>/tests/<test_id>", permission=Permission.READ)
def get_source_test(organization_id: str, source_id: str, test_id: str) -> RecordedTest:
    """Read a test of a source; one that is queued is polled here."""
    return _reader().test(TestSubject(organization_id, TestSubjectKind.SOURCE, source_id), test_id)


@api.get(f"{BASE}/destinations/<destination_id>/tests", permission=Permission.READ)
def list_destination_tests(
    organization_id: str, destination_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a destination of the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return _reader().page(subject, query)


@api.get(f"{BASE}/destinations/<destination_id>/tests/<test_id>", permission=Permission.READ)
def get_destination_test(organization_id: str, destination_id: str, test_id: str) -> RecordedTest:
    """Read a test of a destination; one that is queued is polled here."""
    subject = TestSubject(organization_id, TestSubjectKind.DESTINATION, destination_id)
    return _reader().test(subject, test_id)


@api.get(f"{BASE}/connections/<connection_id>/tests", permission=Permission.READ)
def list_connection_tests(
    organization_id: str, connection_id: str, query: ListQuery
) -> Listing[RecordedTest]:
    """List the tests of a connection of the last 90 days, newest first."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return _reader().page(subject, query)


@api.get(f"{BASE}/connections/<connection_id>/tests/<test_id>", permission=Permission.READ)
def get_connection_test(organization_id: str, connection_id: str, test_id: str) -> RecordedTest:
    """Read a test of a connection; one that is queued is polled here."""
    subject = TestSubject(organization_id, TestSubjectKind.CONNECTION, connection_id)
    return _reader().test(subject, test_id)


@api.post("/integrations/connection/test/v1.0.0", permission=Permission.MANAGE, failures=(429,))
def integrations_connection_test(
    caller: Principal, body: TestConnection, stamp: Stamp, domain_name: str
) -> TestConnectionOutput:
    """Run the health check of a connection (operation integrations.connection.test)."""
    subject = TestSubject(caller.organization_id, TestSubjectKind.CONNECTION, body.connection_id)
    return TestConnectionOutput.of(_tests(domain_name).start(subject, "sync", stamp))


def _started(
    subject: TestSubject, query: ModeQuery, stamp: Stamp, domain_name: str
) -> Reply[RecordedTest]:
    test = _tests(domain_name).start(subject, query.mode, stamp)
    if query.mode == "sync":
        return Reply(test)
    return Reply(test, status=202, location=test.href)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
