"""Grants in the integrations table.

    grant   ORG#<org>   GRANT#<endpoint id>   in monitor_slot while it is due some time

An attempt to renew a grant holds its **lease**. It is taken under a condition: nobody has it, or
the time of the one that had it is over, by more than clocks may differ. Taking it counts an
attempt. The answer of an attempt is stored if the grant is still of the same incarnation
and holds the answer of an earlier attempt. So a lost reply of our own write is recognized by the
number of the attempt, and a late answer never replaces a newer one.

The item is written attribute by attribute: a re-seal changes nothing but the sealed parts.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.keys import GRANTS, endpoint_key, grant_key, key_of
from patchbay.grants.grant_model import (
    LEASE_ATTRIBUTES,
    SEALED_PARTS,
    Grant,
    Lease,
    decoded,
    encoded,
    encoded_lease,
)
from patchbay.grants.timing import LEASE, SKEW, due_at
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import (
    ABSENT,
    Check,
    Condition,
    ConditionFailed,
    Item,
    Key,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    without,
)

INDEX: Final = "monitor_slot"
"""The sparse index that has what is due at a time; its partitions for grants are the shards."""
SHARDS: Final = 8
MAX_PAGES: Final = 10
"""Of a shard, that are read to find what is due."""
_DUE_ATTRIBUTES: Final = (f"{INDEX}_pk", f"{INDEX}_sk")


@dataclass(frozen=True, slots=True)
class DueGrant:
    """A grant that the index has as due; the item decides."""

    organization_id: str
    endpoint_id: str
    due: str


class Overtaken(Exception):
    """Someone else wrote first. `grant` is what stands there, None if nothing does."""

    def __init__(self, grant: Grant | None) -> None:
        super().__init__("overtaken")
        self.grant = grant


class GrantStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization_id: str, endpoint_id: str) -> Grant | None:
        """Where it was read ahead, that; else as it stands."""
        return _read(self._table.get(grant_key(organization_id, endpoint_id)))

    def reread(self, organization_id: str, endpoint_id: str) -> Grant | None:
        """As it stands now, by a strongly consistent read."""
        return _read(self._table.reread(grant_key(organization_id, endpoint_id)))

    def take(
        self, seen: Grant, endpoint: Endpoint, lease_id: str, now: datetime, *, is_new: bool
    ) -> Grant:
        """Takes the lease, and returns the grant with it.

        `seen` is the grant that the attempt is for; `is_new` if it is not stored yet: then the
        endpoint must be as it was read, so that tokens are not refreshed that were replaced since.
        Raises `Overtaken`, and `TemporarilyUnavailable` if it is not known who has it now.
        """
        attempt = seen.attempts + 1
        lease = Lease(lease_id, attempt, now, now + LEASE)
        # If an attempt was going on, its answer may be lost.
        lost_at = seen.lost_at or (seen.lease.began_at if seen.lease else None)
        leased = replace(seen, attempts=attempt, lease=lease, lost_at=lost_at)
        update = _update(leased, encoded_lease(lease) | _changed(seen, leased))
        try:
            if is_new:
                unchanged = equals("revision", endpoint.revision)
                key = endpoint_key(endpoint.organization_id, endpoint.id)
                values = {**encoded(leased), **encoded_lease(lease), **_due(leased)}
                created = replace(update, values=values, condition=ABSENT)
                self._table.transact([created, Check(key, unchanged)])
            else:
                self._table.write(replace(update, condition=_free(seen, now)))
        except (ConditionFailed, TransactionRefused) as refused:
            standing = _read(_standing(refused))
            if standing and standing.lease and standing.lease.id == lease_id:
                return standing  # our own write, whose reply was lost
            raise Overtaken(standing) from None
        return leased

    def keep(self, leased: Grant, new: Grant, sealed: Mapping[str, Any]) -> Grant:
        """Stores what the attempt of a lease obtained; `new` has it, but for the sealed tokens.

        Raises `Overtaken` if the account was connected again, or an answer of a later attempt is
        there; `DataKeyRotated` if the tokens must be sealed again; `TemporarilyUnavailable`.
        """
        attempt = leased.held.attempt
        kept = replace(new, generation=attempt, lease=None, sealed=dict(sealed))
        values = {**encoded(kept), **{name: sealed[name] for name in SEALED_PARTS}}
        del values["attempts"]  # a later one may have begun
        unanswered = _same(leased) & _earlier(attempt)
        own = Update(
            _key(kept),
            values={**values, **_due(kept)},
            remove=(*LEASE_ATTRIBUTES, *_not_due(kept)),
            condition=unanswered & equals("lease_id", leased.held.id),
        )
        try:
            self._keep(own, sealed)
        except Overtaken as overtaken:
            standing = overtaken.grant
            if standing and _is_answer_of(standing, leased):
                return standing  # our own write, whose reply was lost
            if standing is None or standing.lease is None or not _is_older(standing, leased):
                raise
            # The lease has gone to another, and yet this is the newest answer.
            self._keep(Update(_key(kept), values=values, condition=unanswered), sealed)
        return kept

    def _keep(self, update: Update, sealed: Mapping[str, Any]) -> None:
        try:
            self._table.transact([update, key_of(dict(sealed))])
        except TransactionRefused as refused:
            if 0 not in refused.failed:
                raise DataKeyRotated from None
            raise Overtaken(_read(refused.failed[0])) from None

    def settle(self, leased: Grant, new: Grant, *, until: datetime | None = None) -> Grant:
        """Ends an attempt that obtained nothing: `new` has its outcome.

        The lease ends too, or, with `until`, at that time. Raises `Overtaken` if it is another's.
        """
        lease = replace(leased.held, until=until) if until else None
        settled = replace(new, lease=lease)
        values = {**_changed(leased, settled), **_due(settled)}
        if lease:
            values |= encoded_lease(lease)
        remove = (*(() if lease else LEASE_ATTRIBUTES), *_not_due(settled))
        condition = _same(leased) & equals("lease_id", leased.held.id)
        try:
            self._table.write(
                Update(_key(leased), values=values, remove=remove, condition=condition)
            )
        except ConditionFailed as failed:
            standing = _read(failed.item)
            if standing and standing.incarnation == leased.incarnation and standing.lease is None:
                return standing  # our own write, whose reply was lost
            raise Overtaken(standing) from None
        return settled

    def note(self, seen: Grant, new: Grant, *with_it: Write) -> Grant:
        """Writes what the wheel found, unless the grant has changed since. Raises `Overtaken`."""
        noted = replace(new, lease=None)
        update = Update(
            _key(seen),
            values={**_changed(seen, noted), **_due(noted)},
            remove=_not_due(noted),
            condition=_unchanged(seen) & without("lease_id"),
        )
        try:
            self._table.transact([update, *with_it])
        except TransactionRefused as refused:
            raise Overtaken(_read(refused.failed.get(0))) from None
        return noted

    def due(self, shard: int, until: datetime, limit: int, of_one: int) -> list[DueGrant]:
        """Grants of a shard that are due, those that are due longest first: at most `of_one` of
        an organization, so that one with thousands does not hide those of others."""
        found, counts, start = list[DueGrant](), Counter[str](), None
        for _ in range(MAX_PAGES):
            page = self._table.query(
                _shard_pk(shard),
                index=INDEX,
                between=("0", to_sortable(until)),
                limit=limit,
                start=start,
            )
            for item in page.items:
                organization_id = item["pk"].partition("#")[2]
                counts[organization_id] += 1
                if counts[organization_id] <= of_one:
                    endpoint_id = item["sk"].removeprefix(GRANTS)
                    found.append(DueGrant(organization_id, endpoint_id, item[f"{INDEX}_sk"]))
            start = page.last_key
            if start is None or len(found) >= limit:
                break
        return found[:limit]


class DataKeyRotated(Exception):
    """The tokens were sealed under a data key that is not the current one any more."""


def new_item(grant: Grant, sealed: Mapping[str, Any]) -> Item:
    """The item of a grant that begins."""
    return {
        **_key(grant)._asdict(),
        **encoded(grant),
        **{name: sealed[name] for name in SEALED_PARTS},
        **_due(grant),
    }


def shard_of(organization_id: str) -> int:
    """Of an organization, so that one with many grants fills no shard but its own."""
    digest = hashlib.blake2b(organization_id.encode(), digest_size=2).digest()
    return int.from_bytes(digest) % SHARDS


def _shard_pk(shard: int) -> str:
    return f"GRANTS#{shard}"


def _read(item: Item | None) -> Grant | None:
    return decoded(item) if item else None


def _key(grant: Grant) -> Key:
    return grant_key(grant.organization_id, grant.endpoint_id)


def _standing(refused: ConditionFailed | TransactionRefused) -> Item | None:
    return refused.item if isinstance(refused, ConditionFailed) else refused.failed.get(0)


def _update(grant: Grant, values: Item) -> Update:
    return Update(_key(grant), values={**values, **_due(grant)}, remove=_not_due(grant))


def _changed(old: Grant, new: Grant) -> Item:
    before, after = encoded(old), encoded(new)
    return {name: value for name, value in after.items() if before[name] != value}


def _due(grant: Grant) -> Item:
    at = due_at(grant)
    if at is None:
        return {}
    place = _shard_pk(shard_of(grant.organization_id)), f"{to_sortable(at)}#{grant.endpoint_id}"
    return dict(zip(_DUE_ATTRIBUTES, place, strict=True))


def _not_due(grant: Grant) -> tuple[str, ...]:
    return () if due_at(grant) else _DUE_ATTRIBUTES


def _same(grant: Grant) -> Condition:
    return equals("incarnation", grant.incarnation)


def _free(seen: Grant, now: datetime) -> Condition:
    """Nobody has the lease, or its time is over; and no attempt came between."""
    late = Condition(
        "(attribute_not_exists(#lease_id) OR #lease_until < :late)",
        {"#lease_id": "lease_id", "#lease_until": "lease_until"},
        {":late": to_sortable(now - SKEW)},
    )
    return _unchanged(seen) & late


def _unchanged(seen: Grant) -> Condition:
    """Neither an attempt nor an answer came since. An answer leaves the number of attempts."""
    of_generation = equals("generation", seen.generation)
    return _same(seen) & equals("attempts", seen.attempts) & of_generation


def _earlier(attempt: int) -> Condition:
    return Condition("#generation < :attempt", {"#generation": "generation"}, {":attempt": attempt})


def _is_answer_of(standing: Grant, leased: Grant) -> bool:
    return standing.incarnation == leased.incarnation and standing.generation == leased.held.attempt


def _is_older(standing: Grant, leased: Grant) -> bool:
    return standing.incarnation == leased.incarnation and standing.generation < leased.held.attempt
