"""Erases organizations that were closed: page after page, in passes, until nothing is found.

1. The first pass begins at once. What was granted through a browser is revoked at its provider.
   Then the data keys go, so that no secret can be read any more, and after them all that the
   organization's partition lists, with what belongs to each thing in other partitions, its
   integrations, and what is kept for requests.
2. The next pass begins when no process can be working for the organization any more (`SETTLED`). It
   does the same again, and looks where things were, by the marks that the first one left, and by
   the audit trail for what was deleted before. It also strips the audit trail.
3. Passes are repeated until one has found nothing. That one was the verification.

What is deleted needs no position: a step that is cut off begins again with what is left. A mark is
written before the partitions of a thing are emptied, and the thing itself goes last. So a process
may die anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Final

from patchbay.connection_tests.progress import progress_pk
from patchbay.connections.announcements import OUTBOX_PKS, UNDIVIDED_PK
from patchbay.connections.connection_items import read_plans
from patchbay.connections.endpoint_items import read_endpoint
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.keys import (
    DATA_KEYS,
    GRANTS,
    PLAN_WORK,
    application_key,
    endpoint_key,
    flow_key,
    move_key,
)
from patchbay.erasure.closing import close_key, close_space
from patchbay.erasure.families import TableName, kind_of
from patchbay.erasure.keys import ERASURE_SK, marks_pk
from patchbay.erasure.store import ErasureRun, ErasureStore
from patchbay.health.monitor_runs import is_of_runs
from patchbay.health.periods import Period, Span
from patchbay.health.shards import MAIN_SHARD, buckets_pk, period_of, shard_of, spread_day_key
from patchbay.health.store import events_pk
from patchbay.platform.audit import Action, Entity, audit_pk, stripped
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    equals,
    without,
)
from patchbay.platform.errors import PatchbayError, TemporarilyUnavailable
from patchbay.platform.idempotency import records_pks
from patchbay.platform.limits import limits_pk
from patchbay.platform.logging import log_exception, logger
from patchbay.registry.keys import (
    DELETED,
    PUBLISHERS,
    RELEASES,
    all_integrations_pks,
    integration_key,
    integration_pk,
    publisher_key,
    slug_key,
)
from patchbay.registry.release_uses import (
    USES,
    ReleaseUses,
    end_use_of_release,
    no_permits,
)
from patchbay.registry.store import RegistryStore
from patchbay.runs.erasing import SharedRuns, own_partitions
from patchbay.tenancy.keys import (
    API_KEYS,
    BY_OWNER,
    SPACES,
    browser_session_key,
    install_token_key,
    organization_pk,
    retired,
    sign_in_code_key,
    space_pause_key,
)

RESERVE_SECONDS: Final = 30.0
"""No page begins when less is left of the function's time: calls that hang take 9 s each."""

REVOKED_FOR: Final = timedelta(minutes=30)
"""How long, at most, the data keys wait for providers that are asked to revoke grants."""

PAGE: Final = 100
_WRITERS: Final = 10
_STUCK_AFTER: Final = 5
"""Failures in a row."""

_ATTRIBUTES: Final = (
    "pk",
    "sk",
    "id",
    "slug",
    "prefix",
    "integration_id",
    "version",
    "digest",
    "granted_by",
    "status_page",
    "plans",
    "paused",
)

type SecondsLeft = Callable[[], float]
type Revoke = Callable[[Endpoint, datetime], str]
"""Revokes what was granted to an endpoint, at its provider; `revoked` if that did it. Never raises
for what the provider does."""


class _OutOfTime(Exception):
    """The step goes on in the next run."""


class Eraser:
    """Works on the erasures that are due."""

    def __init__(
        self,
        integrations: Table,
        events: Table,
        store: ErasureStore,
        registry: RegistryStore,
        revoke: Revoke,
        clock: Clock,
    ) -> None:
        self._integrations = integrations
        self._events = events
        self._store = store
        self._registry = registry
        self._uses = ReleaseUses(integrations)
        self._count = self._uses.within(integrations.transact)
        self._revoke = revoke
        self._clock = clock
        self._steps: Sequence[Callable[[ErasureRun, SecondsLeft], None]] = (
            self._close,
            self._grants,
            self._data_keys,
            self._owned,
            self._owned_integrations,
            self._kept_for_requests,
            self._announcements,
            self._marked,
            self._trail,
        )

    def run(self, seconds_left: SecondsLeft) -> dict[str, int]:
        """Goes on with each erasure that is due. Returns the counts."""
        finished = failed = stuck = still = 0
        for organization_id in list(self._store.queued()):
            if seconds_left() < RESERVE_SECONDS:
                break
            still += 1
            run = self._store.begin(organization_id, self._clock())
            if run is not None:
                try:
                    finished += self._go_on(run, seconds_left)
                except Exception as error:
                    # Any exception: an erasure that fails must not hold up the others.
                    failed += 1
                    self._store.fail(run, self._failed(run, error), self._clock())
            stuck += self._store.failures(organization_id) >= _STUCK_AFTER
        return {
            "erasures_open": still - finished,
            "erasures_finished": finished,
            "erasures_failed": failed,
            "erasures_stuck": stuck,
        }

    def _failed(self, run: ErasureRun, error: Exception) -> str:
        if isinstance(error, TemporarilyUnavailable):
            logger.warning("erasure postponed", organization_id=run.organization_id)
            return error.code
        log_exception("erasure failed", error, organization_id=run.organization_id)
        return error.code if isinstance(error, PatchbayError) else "INTERNAL_ERROR"

    def _go_on(self, run: ErasureRun, seconds_left: SecondsLeft) -> bool:
        """Whether the erasure is finished."""
        self._store.keep_paused(run)
        while True:
            try:
                while run.step < len(self._steps):
                    self._steps[run.step](run, seconds_left)
                    run.step, run.start = run.step + 1, None
            except _OutOfTime:
                self._store.keep(run, self._clock())
                return False
            if run.verifies and run.found == 0:
                self._finish(run, seconds_left)
                return True
            found, due_at = run.found, max(run.settled_at, self._clock())
            left = found if run.verifies else None
            run.number, run.step, run.found, run.used_releases = run.number + 1, 0, 0, 0
            if due_at > self._clock() or seconds_left() < RESERVE_SECONDS:
                self._store.keep(run, due_at, left=left)
                return False

    def _finish(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """Only marks are left; a run that is cut off here finds the rest of them."""
        for page in self._pages(marks_pk(run.organization_id), seconds_left):
            self._delete(self._integrations, page)
        self._store.finish(run, self._clock())
        logger.info("organization erased", organization_id=run.organization_id)

    # ---------------------------------------------------------------- steps

    def _close(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """What the request did not close, because there is so much of it."""
        pk = organization_pk(run.organization_id)
        for prefix, close in ((API_KEYS, close_key), (SPACES, close_space)):
            for page in self._pages(pk, seconds_left, prefix=prefix, attributes=_ATTRIBUTES):
                for item in page:
                    close(self._integrations, item)

    def _grants(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """What was granted through a browser is revoked, while its tokens can still be opened: once
        each, as far as there is time."""
        if run.verifies:
            return
        organization_id = run.organization_id
        grants = self._positioned(run, organization_pk(organization_id), seconds_left, GRANTS)
        for grant in grants:
            key = endpoint_key(organization_id, grant["sk"].removeprefix(GRANTS))
            item = self._integrations.get(key)
            if item is None or item.get("granted_at") is None:
                continue  # tokens that were entered may be in use elsewhere
            now = self._clock()
            is_late = now > run.requested_at + REVOKED_FOR
            if is_late or self._revoke(read_endpoint(item), now) != "revoked":
                run.not_revoked += 1

    def _data_keys(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        self._sweep(
            run, self._integrations, organization_pk(run.organization_id), seconds_left, DATA_KEYS
        )

    def _owned(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """All that the organization's partition lists, each thing after what belongs to it."""
        pk = organization_pk(run.organization_id)
        for page in self._pages(pk, seconds_left, keep=ERASURE_SK, attributes=_ATTRIBUTES):
            plain: list[Item] = []
            for item in page:
                match item["sk"].partition("#")[0]:
                    case "SRC" | "DST":
                        self._subject(run, item["sk"], seconds_left)
                        self._endpoint(run, item)
                    case "CON":
                        self._subject(run, item["sk"], seconds_left)
                        self._connection(run, item)
                    case "SPACE":
                        close_space(self._integrations, item)
                        self._mark(run, f"SPACE#{item['id']}")
                        self._space(run, item["id"], seconds_left)
                        own = [move_key(item["id"])._asdict()]
                        if item.get("paused"):
                            own.append(space_pause_key(item["id"])._asdict())
                        self._remove(run, self._integrations, [*own, item])
                    case "DELETED":
                        self._integration(run, item["sk"].removeprefix(DELETED), seconds_left)
                        self._remove(run, self._integrations, [item])
                    case "KEY":
                        close_key(self._integrations, item)
                        plain.append(item)
                    case "INS":
                        token = install_token_key(item["digest"])
                        self._remove(run, self._integrations, [token._asdict(), item])
                    case "BROWSER":
                        signed_in = browser_session_key(item["digest"])
                        self._remove(run, self._integrations, [signed_in._asdict(), item])
                    case "SIGNIN":
                        link = sign_in_code_key(item["digest"])
                        self._remove(run, self._integrations, [link._asdict(), item])
                    case "FLOW":
                        flow = flow_key(item["sk"].partition("#")[2])
                        self._remove(run, self._integrations, [flow._asdict(), item])
                    case "PUB":
                        self._retire_publisher(run, item["sk"].removeprefix(PUBLISHERS))
                        plain.append(item)
                    case _:
                        plain.append(item)
            self._remove(run, self._integrations, plain)

    def _owned_integrations(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """The index is behind the table. The next pass finds what this one does not."""
        seen: set[str] = set()
        for pk in all_integrations_pks(run.organization_id):
            for item in self._integrations.query_all(pk, index=BY_OWNER, attributes=("id",)):
                _in_time(seconds_left)
                if item["id"] not in seen:
                    seen.add(item["id"])
                    self._integration(run, item["id"], seconds_left)

    def _kept_for_requests(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        organization_id = run.organization_id
        for pk in (
            *records_pks(organization_id),
            limits_pk(organization_id),
            progress_pk(organization_id),
        ):
            self._sweep(run, self._integrations, pk, seconds_left)

    def _announcements(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """Those that wait to be sent, and what waits to be done about plans, among those of all
        organizations."""
        own = []
        for pk in (UNDIVIDED_PK, *OUTBOX_PKS):
            for item in self._integrations.query_all(pk, attributes=("pk", "sk", "detail")):
                _in_time(seconds_left)
                if item["detail"].get("organization_id") == run.organization_id:
                    own.append(item)
        marks = self._integrations.query_all(PLAN_WORK, attributes=("pk", "sk", "organization_id"))
        own += [mark for mark in marks if mark["organization_id"] == run.organization_id]
        self._remove(run, self._integrations, own)

    def _marked(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """Looks again where things were."""
        if not run.verifies:
            return
        for item in self._positioned(run, marks_pk(run.organization_id), seconds_left):
            kind, _, name = item["sk"].partition("#")
            self._look_again(run, kind, name, seconds_left)

    def _trail(self, run: ErasureRun, seconds_left: SecondsLeft) -> None:
        """Looks where things were that were deleted before, and strips the trail itself."""
        if not run.verifies:
            return
        for item in self._positioned(run, audit_pk(run.organization_id), seconds_left):
            if item["action"] == Action.DELETED and not item.get("stripped"):
                place = _PLACES.get(item["entity"])
                if place:
                    kind, prefix = place
                    self._look_again(run, kind, prefix + item["entity_id"], seconds_left)
            if change := stripped(item):
                self._unless_gone(change)

    def _look_again(self, run: ErasureRun, kind: str, name: str, seconds_left: SecondsLeft) -> None:
        match kind:
            case "SPACE":
                self._space(run, name, seconds_left)
            case "SUBJECT":
                self._sweep(run, self._events, name, seconds_left)
            case "INTEGRATION":
                self._releases(run, name, seconds_left)

    # ---------------------------------------------------------------- things

    def _subject(self, run: ErasureRun, pk: str, seconds_left: SecondsLeft) -> None:
        """The tests of a source, a destination, or a connection."""
        self._mark(run, f"SUBJECT#{pk}")
        self._sweep(run, self._events, pk, seconds_left)

    def _space(self, run: ErasureRun, space_id: str, seconds_left: SecondsLeft) -> None:
        """A day's counts go after its events: they say on which days there are any, and in which
        pools the space has runs."""
        self._sweep(run, self._integrations, buckets_pk(space_id), seconds_left)
        days = f"{Span.DAY.value}#"
        for page in self._pages(
            buckets_pk(space_id), seconds_left, table=self._events, prefix=days
        ):
            for item in page:
                if is_of_runs(item):
                    self._shared_runs(run, space_id, item, seconds_left)
                    continue
                period = period_of(item)
                day: date = period.start.date()
                self._sweep(run, self._events, events_pk(space_id, day), seconds_left)
                if shard_of(item) != MAIN_SHARD:
                    self._note(run, space_id, period, shard_of(item))
            self._remove(run, self._events, page)
        for pk in (*own_partitions(space_id), buckets_pk(space_id)):
            self._sweep(run, self._events, pk, seconds_left)

    def _shared_runs(
        self, run: ErasureRun, space_id: str, item: Item, seconds_left: SecondsLeft
    ) -> None:
        day = self._events.get(Key(item["pk"], item["sk"]))
        if day is None:
            return  # by another run of this erasure
        shared = SharedRuns(self._events, space_id, day)
        for _ in shared.erase():
            _in_time(seconds_left)
        self._remove(run, self._events, [key._asdict() for key in shared.notes()])

    def _note(self, run: ErasureRun, space_id: str, day: Period, shard: int) -> None:
        self._remove(run, self._events, [spread_day_key(space_id, day, shard)._asdict()])

    def _connection(self, run: ErasureRun, item: Item) -> None:
        """With its plans. If a move has written others since it was read, it stays for these: a
        move of a connection that is gone writes none."""
        found: Item | None = item
        while found:
            plans = [place.key._asdict() for place in read_plans(found)]
            self._remove(run, self._integrations, plans)
            as_read = equals("plans", found["plans"]) if plans else without("plans")
            try:
                self._integrations.write(Delete(Key(item["pk"], item["sk"]), as_read))
                found = None
            except ConditionFailed as failed:
                found = failed.item
        run.remove(kind_of(TableName.INTEGRATIONS, Key(item["pk"], item["sk"])))

    def _endpoint(self, run: ErasureRun, item: Item) -> None:
        """The release has one endpoint less, and so has the OAuth application that it was connected
        through. Both may be another organization's."""
        key = Key(item["pk"], item["sk"])
        integration_id, version = item["integration_id"], item["version"]
        counts = [end_use_of_release(integration_id, version, item["id"])]
        if owner := item.get("granted_by"):
            application = application_key(owner, integration_id)
            counts.append(Update(application, add={"uses": -1}, condition=PRESENT))
        while True:
            try:
                self._count([Delete(key, PRESENT), *counts])
            except TransactionRefused as refused:
                if 0 in refused.failed:
                    return  # by this run, before its reply was lost
                # The others are gone.
                counts = [one for n, one in enumerate(counts, 1) if n not in refused.failed]
            else:
                break
        run.remove(kind_of(TableName.INTEGRATIONS, key))
        self._registry.let_go(integration_id, version, self._clock())

    def _integration(self, run: ErasureRun, integration_id: str, seconds_left: SecondsLeft) -> None:
        """It leaves the catalog first: nobody can begin to use it while its releases go."""
        self._mark(run, f"INTEGRATION#{integration_id}")
        item = self._integrations.get(integration_key(integration_id))
        if item and item["organization_id"] == run.organization_id:
            claim = slug_key(item["publisher"], item["slug"])
            own = equals("integration_id", integration_id)
            if self._unless_gone(Delete(claim, own)):
                run.remove(kind_of(TableName.INTEGRATIONS, claim))
            self._retire_publisher(run, item["publisher"])
            own_item = Delete(integration_key(integration_id))
            self._integrations.transact([own_item, *no_permits(integration_id)])
            run.remove(kind_of(TableName.INTEGRATIONS, own_item.key))
        self._releases(run, integration_id, seconds_left)

    def _releases(self, run: ErasureRun, integration_id: str, seconds_left: SecondsLeft) -> None:
        """Everything of an integration but the releases that others use."""
        pk = integration_pk(integration_id)
        for page in self._pages(pk, seconds_left):
            plain = [item for item in page if not item["sk"].startswith((RELEASES, USES))]
            self._remove(run, self._integrations, plain)
            for item in page:
                if item["sk"].startswith(RELEASES):
                    self._release(run, Key(item["pk"], item["sk"]))

    def _release(self, run: ErasureRun, key: Key) -> None:
        """With the shards that it is counted in, if nobody uses it."""
        item = self._integrations.get(key)
        if item is None:
            return
        unused = self._uses.unused(item)
        try:
            if unused is None:
                run.used_releases += run.verifies
                return
            self._integrations.transact([Delete(key, unused.condition), *unused.shards])
        except TransactionRefused:
            run.used_releases += run.verifies
            return
        for gone in (key, *(shard.key for shard in unused.shards)):
            run.remove(kind_of(TableName.INTEGRATIONS, gone))

    def _retire_publisher(self, run: ErasureRun, publisher: str) -> None:
        own = equals("organization_id", run.organization_id)
        if self._unless_gone(retired(publisher_key(publisher), own)):
            run.remove("publishers")

    # ---------------------------------------------------------------- items

    def _mark(self, run: ErasureRun, sk: str) -> None:
        self._integrations.write(Put({"pk": marks_pk(run.organization_id), "sk": sk}))

    def _sweep(
        self,
        run: ErasureRun,
        table: Table,
        pk: str,
        seconds_left: SecondsLeft,
        prefix: str = "",
    ) -> None:
        """Empties a partition, or what begins with a prefix in it."""
        for page in self._pages(pk, seconds_left, table=table, prefix=prefix):
            self._remove(run, table, page)

    def _pages(
        self,
        pk: str,
        seconds_left: SecondsLeft,
        *,
        table: Table | None = None,
        prefix: str = "",
        keep: str = "",
        attributes: Sequence[str] = ("pk", "sk"),
    ) -> Iterator[list[Item]]:
        """The items of a partition but the one to keep. Raises `_OutOfTime` before a page for which
        there is none left."""
        start: Item | None = None
        while True:
            _in_time(seconds_left)
            page = (table or self._integrations).query(
                pk, prefix=prefix, limit=PAGE, start=start, attributes=attributes
            )
            if items := [item for item in page.items if item["sk"] != keep]:
                yield items
            if (start := page.last_key) is None:
                return

    def _positioned(
        self, run: ErasureRun, pk: str, seconds_left: SecondsLeft, prefix: str = ""
    ) -> Iterator[Item]:
        """The items of a partition that stays, from where the step was cut off."""
        while True:
            _in_time(seconds_left)
            page = self._integrations.query(pk, prefix=prefix, limit=PAGE, start=run.start)
            for item in page.items:
                _in_time(seconds_left)
                yield item
                run.start = {"pk": item["pk"], "sk": item["sk"]}
            if page.last_key is None:
                return
            run.start = page.last_key

    def _remove(self, run: ErasureRun, table: Table, items: Iterable[Item]) -> None:
        keys = [Key(item["pk"], item["sk"]) for item in items]
        self._delete(table, [key._asdict() for key in keys])
        name = TableName.EVENTS if table is self._events else TableName.INTEGRATIONS
        for key in keys:
            run.remove(kind_of(name, key))

    def _delete(self, table: Table, items: Iterable[Item]) -> None:
        writes = [Delete(Key(item["pk"], item["sk"])) for item in items]
        if len(writes) == 1:
            table.write(writes[0])
            return
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(table.write, writes):
                pass

    def _unless_gone(self, write: Update | Delete) -> bool:
        """Whether the write's condition held."""
        try:
            self._integrations.write(write)
        except ConditionFailed:
            return False
        return True


_PLACES: Final = {
    Entity.SPACE: ("SPACE", ""),
    Entity.SOURCE: ("SUBJECT", "SRC#"),
    Entity.DESTINATION: ("SUBJECT", "DST#"),
    Entity.CONNECTION: ("SUBJECT", "CON#"),
    Entity.INTEGRATION: ("INTEGRATION", ""),
}
"""Where the items of a thing are, by what the audit trail calls it."""


def _in_time(seconds_left: SecondsLeft) -> None:
    if seconds_left() < RESERVE_SECONDS:
        raise _OutOfTime
