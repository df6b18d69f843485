"""The export of an organization: everything that it has, as one list, without secrets.

The list has sections: what the organization's partition lists, then what belongs to each space, to
each integration, and to each source, destination, and connection, then the audit trail. A section
is a query for each of its parts. A page ends when it has enough things, bytes, or queries, so it
may be short, or even empty, and still have a next one.

An export is not a snapshot: what is created meanwhile may be in it or not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from patchbay.alerts.keys import ALERTS, RULES, space_pk
from patchbay.alerts.model import Alert
from patchbay.alerts.outbox import read_delivery
from patchbay.alerts.rule_store import read_rule
from patchbay.connection_tests.history import KEPT, read_test
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.monitored_tests import MonitoredTests
from patchbay.connections.connection_items import read_connection
from patchbay.connections.endpoint_items import read_endpoint
from patchbay.connections.keys import (
    APPLICATIONS,
    CONNECTIONS,
    DATA_KEYS,
    DESTINATIONS,
    GRANTS,
    SOURCES,
    USAGE,
)
from patchbay.erasure.model import ExportedThing
from patchbay.grants.application_store import read_application
from patchbay.health.buckets import Bucket
from patchbay.health.monitor_runs import is_of_runs
from patchbay.health.periods import Period, Span
from patchbay.health.shards import buckets_pk, counts_in, period_of
from patchbay.health.store import events_pk, read_event
from patchbay.installs.keys import SESSIONS
from patchbay.installs.session_store import read_session
from patchbay.platform.audit import audit_pk, read_audit_event
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import AFTER_ALL, Item, Table
from patchbay.platform.lists import Listing, ListQuery, Lists, Position, Stretch
from patchbay.platform.strict_json import compact
from patchbay.registry.keys import (
    RELEASES,
    deleted_integrations_pk,
    integration_pk,
    owned_integrations_pk,
)
from patchbay.registry.store import read_integration, read_release
from patchbay.runs.reader import RunReader
from patchbay.tenancy.access import Principal
from patchbay.tenancy.keys import API_KEYS, BY_OWNER, SPACES, organization_pk
from patchbay.tenancy.model import ApiKey, Organization, Space
from patchbay.tenancy.store import TenancyStore

MAX_PAGE_BYTES: Final = 1_000_000
"""After which a page ends. A thing has at most 400 KB: an answer of Lambda may have 6 MB."""

MAX_QUERIES: Final = 40
"""Of a page: about half a second."""

_PAGE: Final = 25
_BEFORE_ALL: Final = " "
_AFTER_ALL_TIMES: Final = "9999-12-31T23:59:00.000Z"

type Read = Callable[[Item], BaseModel | dict[str, Any] | None]
type ReadRuns = Callable[[str, int], Stretch[Any]]


@dataclass(frozen=True, slots=True)
class _Part:
    """The things of one kind under one key. `read` returns None for an item that is none."""

    kind: str
    pk: str
    prefix: str
    read: Read
    events: bool = False
    """Whether they are in the events table."""
    index: str | None = None
    of_runs: ReadRuns | None = None
    """Reads things of runs instead, before a sort key."""

    @property
    def name(self) -> str:
        """Where an export is: parts are in the order of their names."""
        return f"{self.pk} {self.prefix}"


@dataclass(frozen=True, slots=True)
class _Section:
    """The parts of each of its owners; without a query, the organization itself is the only one."""

    parts: Callable[[Item], Sequence[_Part]]
    pk: str = ""
    prefix: str = ""
    index: str | None = None


@dataclass(slots=True)
class _Page:
    """A page while it is put together, and where the next one starts."""

    limit: int
    items: list[ExportedThing]
    next_start: Position | None = None
    bytes: int = 0
    queries: int = 0

    @property
    def is_full(self) -> bool:
        return (
            len(self.items) >= self.limit
            or self.bytes >= MAX_PAGE_BYTES
            or self.queries >= MAX_QUERIES
        )

    def add(self, kind: str, thing: BaseModel | dict[str, Any] | None) -> None:
        if isinstance(thing, BaseModel):
            thing = thing.model_dump(mode="json", by_alias=True)
        if thing is not None:
            self.items.append(ExportedThing(kind=kind, content=thing))
            self.bytes += len(compact(thing))


class OrganizationExport:
    """Exports organizations. Events are exported as long as they are listed."""

    def __init__(
        self,
        integrations: Table,
        events: Table,
        lists: Lists,
        tenants: TenancyStore,
        raw_event_days: int,
        runs: RunReader,
        monitored: MonitoredTests,
    ) -> None:
        self._integrations = integrations
        self._events = events
        self._lists = lists
        self._tenants = tenants
        self._retention = timedelta(days=raw_event_days)
        self._runs = runs
        self._monitored = monitored

    def page(
        self, caller: Principal, organization_id: str, query: ListQuery, now: datetime
    ) -> Listing[ExportedThing]:
        """Raises `NotFound`, `InvalidCursor`."""
        self._tenants.organization(organization_id)
        return self._lists.computed(
            caller.organization_id,
            f"EXPORT#{organization_id}",
            query,
            now,
            lambda start: self._page(organization_id, query.limit, start, now),
        )

    def _page(
        self, organization_id: str, limit: int, start: Position | None, now: datetime
    ) -> _Page:
        page = _Page(limit, [])
        sections = self._sections(organization_id, now)
        at: Position = start or {"section": 0}
        for number in range(at["section"], len(sections)):
            section = sections[number]
            for owner in self._owners(section, at.get("owner", ""), page):
                place = {"section": number, "owner": _owner_sk(section, owner)}
                if place["owner"] != at.get("owner"):
                    at = {}  # the one that the page before ended at is gone
                page.queries += 1
                for part in sorted(section.parts(owner), key=lambda part: part.name):
                    if part.name < at.get("part", ""):
                        continue
                    here = at.get("start") if part.name == at.get("part") else None
                    while True:
                        if page.is_full:
                            page.next_start = {**place, "part": part.name, "start": here}
                            return page
                        here = self._read(part, here, page)
                        if here is None:
                            break
                at = {}
            at = {}
        return page

    def _owners(self, section: _Section, first: str, page: _Page) -> Iterator[Item]:
        """From the one with this sort key on."""
        if not section.pk:
            yield {}
            return
        start: Item | None = None
        while True:
            page.queries += 1
            found = self._integrations.query(
                section.pk,
                index=section.index,
                between=(max(first, section.prefix, _BEFORE_ALL), section.prefix + AFTER_ALL),
                limit=_PAGE,
                start=start,
            )
            yield from found.items
            if (start := found.last_key) is None:
                return

    def _read(self, part: _Part, start: Item | None, page: _Page) -> Item | None:
        """Reads some of a part; returns where it goes on, None at its end."""
        page.queries += 1
        limit = min(_PAGE, page.limit - len(page.items))
        if part.of_runs:
            found = part.of_runs(start["sk"] if start else _AFTER_ALL_TIMES, limit)
            for thing in found.items.values():
                page.add(part.kind, thing)
            return {"sk": found.reached} if found.reached else None
        table = self._events if part.events else self._integrations
        read = table.query(part.pk, prefix=part.prefix, index=part.index, limit=limit, start=start)
        for item in read.items:
            page.add(part.kind, part.read(item))
        return read.last_key

    def _sections(self, organization_id: str, now: datetime) -> list[_Section]:
        own = organization_pk(organization_id)
        return [
            _Section(lambda _: _parts_of_organization(own, now)),
            _Section(lambda space: self._parts_of_space(space["id"], now), own, SPACES),
            *(
                _Section(_parts_of_integration, pk, index=BY_OWNER)
                for pk in (
                    owned_integrations_pk(organization_id),
                    deleted_integrations_pk(organization_id),
                )
            ),
            *(
                _Section(lambda subject: _parts_of_subject(subject["sk"], now), own, prefix)
                for prefix in (SOURCES, DESTINATIONS)
            ),
            _Section(
                lambda item: self._parts_of_connection(organization_id, item, now),
                own,
                CONNECTIONS,
            ),
            _Section(lambda _: [_trail(organization_id)]),
        ]

    def _parts_of_space(self, space_id: str, now: datetime) -> list[_Part]:
        """Of the days, those that have counts: only they have events."""
        oldest = Period.day_of(now - self._retention)
        stored = self._events.query_all(
            buckets_pk(space_id),
            between=(oldest.prefix, f"{Span.DAY}#{AFTER_ALL}"),
            attributes=("sk",),
        )
        days = sorted({period_of(item).start.date() for item in stored if not is_of_runs(item)})
        since = now - self._retention

        def events_of_runs(before: str, limit: int) -> Stretch[Any]:
            return self._runs.events(
                space_id,
                since=since,
                before=before,
                limit=limit,
                now=now,
                status=None,
                connection_id=None,
            )

        def counts(item: Item) -> dict[str, Any] | None:
            if is_of_runs(item):
                return None  # these are incomplete while their day is open
            return _counts(space_id, period_of(item), counts_in(item))

        def counts_of_runs(before: str, limit: int) -> Stretch[Any]:
            return self._counts_of_runs(space_id, before, limit)

        return [
            _Part("alert_rule", space_pk(space_id), RULES, read_rule),
            _Part("alert", space_pk(space_id), ALERTS, Alert.model_validate),
            _Part("delivery", space_pk(space_id), "OUT#", read_delivery),
            *(
                _Part("event_count", buckets_pk(space_id), f"{span}#", counts, events=True)
                for span in Span
            ),
            *(
                _Part(
                    "event",
                    events_pk(space_id, day),
                    "",
                    lambda item: read_event(space_id, item),
                    events=True,
                )
                for day in days
            ),
            _Part("event", f"{buckets_pk(space_id)}#", "", _nothing, of_runs=events_of_runs),
            _Part("event_count", f"{buckets_pk(space_id)}#", "#", _nothing, of_runs=counts_of_runs),
        ]

    def _counts_of_runs(self, space_id: str, before: str, limit: int) -> Stretch[Any]:
        """Those of the newest day that has any before a sort key: `<hour or day>#<span>`."""
        between = (f"{Span.DAY}#", f"{Span.DAY}#{before.partition('T')[0]}{AFTER_ALL}")
        pk = buckets_pk(space_id)
        for item in self._events.query_all(pk, between=between, newest_first=True):
            if not is_of_runs(item):
                continue
            counts = {
                f"{to_sortable(period.start)}#{period.span}": _counts(space_id, period, bucket)
                for period, bucket in self._runs.counts_of_day(space_id, item["sk"]).items()
            }
            newest = sorted((at for at in counts if at < before), reverse=True)[:limit]
            if newest:
                return Stretch({at: counts[at] for at in newest}, newest[-1])
        return Stretch({}, None)

    def _parts_of_connection(self, organization_id: str, item: Item, now: datetime) -> list[_Part]:
        """Its tests, also those of its monitor."""
        connection = read_connection(item)
        subject = TestSubject.connection(organization_id, connection.id)

        def tests_of_runs(before: str, limit: int) -> Stretch[Any]:
            return self._monitored.tests(
                subject, connection.space_id, since=now - KEPT, before=before, limit=limit, now=now
            )

        pk = item["sk"]
        return [
            *_parts_of_subject(pk, now),
            _Part("test", f"{pk}#", "", _nothing, of_runs=tests_of_runs),
        ]


def _parts_of_organization(pk: str, now: datetime) -> list[_Part]:
    return [
        _Part("organization", pk, "META", Organization.model_validate),
        _Part("space", pk, SPACES, Space.model_validate),
        _Part("api_key", pk, API_KEYS, _api_key),
        _Part("source", pk, SOURCES, read_endpoint),
        _Part("destination", pk, DESTINATIONS, read_endpoint),
        _Part("connection", pk, CONNECTIONS, read_connection),
        _Part("grant", pk, GRANTS, _grant),
        _Part("usage", pk, USAGE, _usage),
        _Part("oauth_application", pk, APPLICATIONS, read_application),
        _Part("install_session", pk, SESSIONS, lambda item: read_session(item).at(now)),
        _Part("data_key", pk, DATA_KEYS, _data_key),
    ]


def _parts_of_integration(integration: Item) -> list[_Part]:
    pk = integration_pk(integration["id"])
    return [
        _Part("integration", pk, "META", read_integration),
        _Part("release", pk, RELEASES, read_release),
    ]


def _parts_of_subject(pk: str, now: datetime) -> list[_Part]:
    def test(item: Item) -> BaseModel | None:
        return read_test(item, now) if "test" in item else None

    return [_Part("test", pk, "", test, events=True)]


def _nothing(_: Item) -> None:
    """A part of runs has no items of its own."""


def _trail(organization_id: str) -> _Part:
    return _Part("audit_event", audit_pk(organization_id), "", read_audit_event)


def _owner_sk(section: _Section, owner: Item) -> str:
    return str(owner.get(f"{section.index}_sk" if section.index else "sk", ""))


def _api_key(item: Item) -> ApiKey:
    return ApiKey.model_validate({**item, "expires_at": item["valid_until"]})


_OF_GRANT: Final = (
    "integration_id",
    "generation",
    "obtained_at",
    "expires_at",
    "refresh_expires_at",
    "scopes_asked",
    "scopes_granted",
)
_OF_USAGE: Final = ("requests", "errors", "last_used_at", "last_error_at", "last_error_code")


def _grant(item: Item) -> dict[str, Any]:
    """Without its tokens, which are sealed in the same item."""
    return {"endpoint_id": item["sk"].removeprefix(GRANTS), **_chosen(item, _OF_GRANT)}


def _usage(item: Item) -> dict[str, Any]:
    return {"connection_id": item["sk"].removeprefix(USAGE), **_chosen(item, _OF_USAGE)}


def _data_key(item: Item) -> dict[str, Any]:
    """Without the key."""
    return {"number": int(item["sk"].removeprefix(DATA_KEYS)), "created_at": item["created_at"]}


def _chosen(item: Item, names: Sequence[str]) -> dict[str, Any]:
    return {name: item.get(name) for name in names}


def _counts(space_id: str, period: Period, bucket: Bucket) -> dict[str, Any]:
    """The counts of a period, or a part of them: what has the same period adds up."""
    return {
        "space_id": space_id,
        "period": period.span.name.lower(),
        "start": to_sortable(period.start),
        "by_integration_type": {
            kind.value: {"success": tally.success, "errors": tally.errors}
            for kind, tally in sorted(bucket.by_type.items())
        },
    }
