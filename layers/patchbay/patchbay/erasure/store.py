"""Erasures as they are stored: accepted once, and worked on by one process at a time.

From the transaction that accepts an erasure to the one that finishes it, the organization is marked
as paused: no plan that is still there runs a test.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from patchbay.erasure.keys import QUEUE_PK, erasure_key, queued_key
from patchbay.erasure.model import Erasure, ErasureStatus, Kept, KeptThing
from patchbay.platform.audit import KEPT_FOR, Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_text
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    at_most,
    equals,
)
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import new_id
from patchbay.tenancy.keys import external_id_key, organization_pause_key
from patchbay.tenancy.model import Organization

SETTLED: Final = timedelta(minutes=20)
"""After an organization was closed: no process works for it any more. An authorizer accepts a key
for 60 s, and a function ends within 900 s; whatever a queue delivers later finds nothing."""

LEASE: Final = timedelta(seconds=330)
"""Longer than the function may run (template.yaml)."""

BACKUPS_KEPT: Final = timedelta(days=35)
"""AWS: point-in-time recovery reaches back 35 days
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html)."""

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)


@dataclass(slots=True)
class ErasureRun:
    """An erasure while a process works on it: where it is, and what it has done."""

    organization_id: str
    requested_at: datetime
    settled_at: datetime
    number: int
    """Of the pass, from 1."""
    step: int
    start: Item | None
    """Where the step goes on, if it does not begin again."""
    found: int
    """In this pass."""
    removed: Counter[str] = field(default_factory=Counter)
    not_revoked: int = 0
    used_releases: int = 0
    lease: str = ""
    external_id: str | None = None
    failures: int = 0

    @property
    def verifies(self) -> bool:
        """Whether nothing that this pass finds was written after it began."""
        return self.number > 1

    def remove(self, kind: str, count: int = 1) -> None:
        """Counts what was removed."""
        self.removed[kind] += count
        self.found += count


class ErasureStore:
    """The erasures of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def erasure(self, organization_id: str) -> Erasure:
        """Raises `NotFound` for an organization that was not erased, or long ago."""
        item = self._table.get(erasure_key(organization_id))
        if item is None:
            raise NotFound("erasure")
        return _erasure(item)

    def accept(self, organization: Organization, close: Write, now: datetime) -> Erasure:
        """Records and queues an erasure, in one transaction with the write that closes the
        organization. Its external id stays taken until the end. Raises `TransactionRefused`."""
        organization_id = organization.id
        item: Item = {
            **erasure_key(organization_id)._asdict(),
            "organization_id": organization_id,
            "requested_at": to_text(now),
            "settled_at": to_text(now + SETTLED),
            "number": 1,
            "step": 0,
            "found": 0,
            "removed": {},
            "not_revoked": 0,
            "used_releases": 0,
            "failures": 0,
            "due_at": epoch_seconds(now),
            "external_id": organization.external_id,
        }
        self._table.transact(
            [
                close,
                Put(item, ABSENT),
                Put(queued_key(organization_id)._asdict(), ABSENT),
                Put(organization_pause_key(organization_id)._asdict()),
                recorded(
                    organization_id,
                    Entity.ORGANIZATION,
                    organization_id,
                    Action.DELETED,
                    before=organization,
                ),
            ]
        )
        return _erasure(item)

    def keep_paused(self, run: ErasureRun) -> None:
        """Marks an organization as paused that a release without such marks has closed."""
        self._table.write(Put(organization_pause_key(run.organization_id)._asdict()))

    def queued(self) -> Iterator[str]:
        """The organizations whose erasure is not finished."""
        for item in self._table.query_all(QUEUE_PK, attributes=("sk",)):
            yield item["sk"].partition("#")[2]

    def failures(self, organization_id: str) -> int:
        """How often an erasure that is not finished has failed in a row."""
        item = self._table.get(erasure_key(organization_id)) or {}
        return int(item.get("failures", 0))

    def begin(self, organization_id: str, now: datetime) -> ErasureRun | None:
        """Takes over an erasure. None if another process works on it, or it is not due."""
        lease = new_id("ers", now)
        key = erasure_key(organization_id)
        until = epoch_seconds(now, LEASE)
        item = self._table.get(key)
        if item is None or item["due_at"] > epoch_seconds(now):
            return None
        values = {"lease": lease, "due_at": until}
        started = {} if "started_at" in item else {"started_at": to_text(now)}
        try:
            self._table.write(
                Update(
                    key,
                    values=values | started,
                    condition=PRESENT & at_most("due_at", epoch_seconds(now)),
                )
            )
        except ConditionFailed as standing:
            if standing.item is None or standing.item.get("lease") != lease:
                return None
        run = ErasureRun(
            organization_id=organization_id,
            requested_at=from_text(item["requested_at"]),
            settled_at=from_text(item["settled_at"]),
            number=item["number"],
            step=item["step"],
            start=item.get("start"),
            found=item["found"],
            removed=Counter(item["removed"]),
            not_revoked=item["not_revoked"],
            used_releases=item["used_releases"],
            lease=lease,
            failures=item["failures"],
            external_id=item["external_id"],
        )
        if "lease" in item:
            # A process died with it. What it had found and not counted calls for another pass.
            run.found += 1
        return run

    def keep(self, run: ErasureRun, due_at: datetime, *, left: int | None = None) -> None:
        """Lets go of an erasure that is not finished, with what was done."""
        values = {"failures": 0, "due_at": epoch_seconds(due_at), **_progress(run)}
        if left is not None:
            values["left"] = left
        self._let_go(run, values, "lease", "error_code")

    def fail(self, run: ErasureRun, error_code: str, now: datetime) -> None:
        """Lets go of an erasure after a failure: it is tried again after a pause."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << min(run.failures, 10)))
        run.failures += 1
        values = {
            "failures": run.failures,
            "error_code": error_code,
            "due_at": epoch_seconds(now + pause),
            **_progress(run),
        }
        self._let_go(run, values, "lease")

    def finish(self, run: ErasureRun, now: datetime) -> None:
        """Ends an erasure, after a pass that found nothing: only now is the external id free. A
        repetition changes nothing."""
        values = {
            **_progress(run),
            "left": 0,
            "failures": 0,
            "finished_at": to_text(now),
            "expires_at": epoch_seconds(now, KEPT_FOR),
        }
        done = Update(
            erasure_key(run.organization_id),
            values,
            remove=["lease", "error_code", "external_id"],
            condition=PRESENT & equals("lease", run.lease),
        )
        freed: list[Write] = []
        if run.external_id is not None:
            own = equals("organization_id", run.organization_id)
            freed.append(Delete(external_id_key(run.external_id), ABSENT | own))
        try:
            self._table.transact(
                [
                    done,
                    Delete(queued_key(run.organization_id)),
                    Delete(organization_pause_key(run.organization_id)),
                    *freed,
                    recorded(
                        run.organization_id,
                        Entity.ORGANIZATION,
                        run.organization_id,
                        Action.ERASED,
                    ),
                ]
            )
        except TransactionRefused:
            return  # its lease ended: another process goes on

    def _let_go(self, run: ErasureRun, values: Item, *remove: str) -> None:
        condition = PRESENT & equals("lease", run.lease)
        key = erasure_key(run.organization_id)
        try:
            self._table.write(Update(key, values, remove=remove, condition=condition))
        except ConditionFailed:
            return  # our own write, repeated after its reply was lost, or the lease had ended


def _progress(run: ErasureRun) -> Item:
    return {
        "number": run.number,
        "step": run.step,
        "start": run.start,
        "found": run.found,
        "removed": dict(run.removed),
        "not_revoked": run.not_revoked,
        "used_releases": run.used_releases,
    }


def _erasure(item: Item) -> Erasure:
    finished_at = from_text(item["finished_at"]) if "finished_at" in item else None
    return Erasure(
        organization_id=item["organization_id"],
        status=_status(item),
        requested_at=from_text(item["requested_at"]),
        started_at=from_text(item["started_at"]) if "started_at" in item else None,
        verifies_at=from_text(item["settled_at"]),
        finished_at=finished_at,
        removed=dict(sorted(item["removed"].items())),
        grants_not_revoked=item["not_revoked"],
        left=item.get("left"),
        failures=item["failures"],
        error_code=item.get("error_code"),
        kept=_kept(item, finished_at),
    )


def _status(item: Item) -> ErasureStatus:
    if "finished_at" in item:
        return ErasureStatus.ERASED
    if "started_at" not in item:
        return ErasureStatus.QUEUED
    if item["number"] == 1:
        return ErasureStatus.ERASING
    waits = item["step"] == 0 and item["number"] == 2 and "lease" not in item
    return ErasureStatus.WAITING if waits else ErasureStatus.VERIFYING


def _kept(item: Item, finished_at: datetime | None) -> list[Kept]:
    """What stays; from the end of the erasure on it is known until when."""
    trail = finished_at + KEPT_FOR if finished_at else None
    backups = finished_at + BACKUPS_KEPT if finished_at else None
    kept = [
        Kept(what=KeptThing.AUDIT_TRAIL, until=trail),
        Kept(what=KeptThing.BACKUPS, until=backups),
        Kept(what=KeptThing.NAMES, until=None),
    ]
    if item["used_releases"]:
        kept.append(Kept(what=KeptThing.RELEASES, until=None))
    return kept
