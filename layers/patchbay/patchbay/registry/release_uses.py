"""Who uses a release, and whether it may be used: counted exactly, without an item that all tenants
write.

    permit   INT#<id>   PERMIT#<shard>           it is there while the integration may be installed
    uses     INT#<id>   USES#<sort key>#<shard>  `uses` counts endpoints of a release; `closed` is
                                                 there if the release is yanked

An endpoint has one shard of `SHARDS`, by its id. What creates it checks the permit of this shard
and adds to the uses of it, in its transaction. Both are a few bytes, and a sixteenth of the
creations of all tenants meets there: two transactions with the same item do not run side by side,
even if both only check it.

What ends the installability of an integration deletes its permits, what yanks a release closes its
shards, in its own transaction. So no creation succeeds afterwards.

**A release is counted in one item or apart.** The first creation counts it `apart` from then on: it
makes the shards, and permits that are missing, if the integration and the release allow it at this
revision. A release of which nothing was ever made has no shards, and neither has one that expires.

**How many use a release** is the sum of its item and its shards. A single one may be negative: what
ends a use may end it at another place than where it began. Nobody uses it if a transaction finds
all of them as they were read, with the sum 0. Where shards are missing nothing is known, so it is
in use.

Earlier versions of Patchbay count at the release alone, and take it for unused if it counts 0.
`HELD` in it keeps them from that, while a deployment is updated and after it is rolled back. They
do not know permits either, so a permit may be there, or missing, in error: a creation that is
refused looks at the integration itself.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeIs

from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Condition,
    Contended,
    Delete,
    Item,
    Key,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    exists,
    pause_seconds,
    without,
)
from patchbay.registry.keys import RELEASES, integration_pk, release_key
from patchbay.tenancy.quotas import Counted

SHARDS: Final = 16
"""ADR 92 has what more and fewer of them cost."""
HELD: Final = 1_000_000_000
"""What a release has more while it is counted apart."""

PERMITS: Final = "PERMIT#"
USES: Final = "USES#"

_META: Final = "META"
_ATTEMPTS: Final = 6


class Unused(NamedTuple):
    """That nobody uses a release: a condition on its item, and the deletes of its shards, with
    theirs. Both belong into one transaction."""

    condition: Condition
    shards: Sequence[Delete]


def begin_use_of_release(
    integration_id: str, version: str, endpoint_id: str
) -> tuple[Check, Update]:
    """One more endpoint of a release, and that its integration may be installed: part of the
    transaction that creates the endpoint, which is done `within` the uses of releases."""
    pk, shard = integration_pk(integration_id), _shard_of(endpoint_id)
    return (
        Check(_permit_key(pk, shard), PRESENT),
        Update(
            _uses_key(release_key(integration_id, version), shard),
            add={"uses": 1},
            condition=PRESENT & without("closed"),
        ),
    )


def end_use_of_release(integration_id: str, version: str, endpoint_id: str) -> Update:
    """One endpoint of a release less; part of the transaction that deletes it, which is done
    `within` the uses of releases."""
    key = _uses_key(release_key(integration_id, version), _shard_of(endpoint_id))
    return Update(key, add={"uses": -1}, condition=PRESENT)


def no_permits(integration_id: str) -> list[Delete]:
    """Nothing can be made of an integration any more; part of the transaction that deletes it."""
    pk = integration_pk(integration_id)
    return [Delete(_permit_key(pk, shard)) for shard in range(SHARDS)]


def yanking(release: Item, *, is_yanked: bool) -> tuple[Condition, list[Write]]:
    """That a release is yanked from now on, or no more: the condition on its item, and the writes
    of its shards. Part of a transaction that changes the revision of the integration."""
    if not _is_apart(release):
        return PRESENT & without("apart"), []
    key = Key(release["pk"], release["sk"])
    return PRESENT & exists("apart"), [
        _closed(_uses_key(key, shard), is_closed=is_yanked) for shard in range(SHARDS)
    ]


def uses_of_integration(table: Table, integration_id: str) -> int:
    """How many endpoints there are of all its releases."""
    pk = integration_pk(integration_id)
    releases = table.query_all(pk, prefix=RELEASES, attributes=("uses", "apart"))
    shards = table.query_all(pk, prefix=USES, attributes=("uses",))
    apart: int = sum(shard["uses"] for shard in shards)
    return sum(map(_counted, releases)) + apart


class ReleaseUses:
    """The uses of all releases."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def within[W: (Write, Counted)](
        self, transact: Callable[[Sequence[W]], None]
    ) -> Callable[[Sequence[W]], None]:
        """`transact`, for writes that begin or end uses of releases in whichever form they are
        counted. Raises as `transact`."""

        def counting(writes: Sequence[W]) -> None:
            todo = list(writes)
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(pause_seconds(attempt))
                try:
                    transact(todo)
                except TransactionRefused as refused:
                    if not self._may_repeat(todo, refused.failed):
                        raise
                    for number in refused.failed:
                        if _ends_use(write := todo[number]):
                            todo[number] = _at_the_release(write)
                else:
                    return
            raise Contended

        return counting

    def unused(self, release: Item) -> Unused | None:
        """That nobody uses a release, as its item was read; None if somebody does."""
        as_read = equals("uses", release["uses"])
        if not _is_apart(release):
            unused = release["uses"] == 0
            return Unused(PRESENT & as_read & without("apart"), []) if unused else None
        key = Key(release["pk"], release["sk"])
        shards = self._shards(key)
        if len(shards) < SHARDS or _counted(release) + sum(shards.values()):
            return None
        deletes = [Delete(key, equals("uses", uses)) for key, uses in shards.items()]
        return Unused(PRESENT & as_read & exists("apart"), deletes)

    def _may_repeat(self, writes: Sequence[object], failed: Mapping[int, Item | None]) -> bool:
        """Whether only a form of counting, or a permit, was in the way of these writes."""
        begun = {n: write.key for n, write in enumerate(writes) if _begins_use(write)}
        mine = {*begun, *(n for n, write in enumerate(writes) if _ends_use(write))}
        if failed.keys().isdisjoint(mine) or any(failed[n] for n in failed.keys() - mine):
            return False
        return failed.keys().isdisjoint(begun) or self._are_open([*begun.values()])

    def _are_open(self, begun: Sequence[Key]) -> bool:
        """Whether the integration and the release that these items are of may be installed. Then
        what was missing of the items, or closed in error, is there and open."""
        pk = begun[0].pk
        releases = {_release_of(key) for key in begun if key.sk.startswith(USES)}
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause_seconds(attempt))
            integration = self._table.reread(Key(pk, _META))
            if integration is None or "expires_at" in integration:
                return False
            opened: list[Write] = self._missing_permits(pk)
            for release in releases:
                shards = self._opened(release)
                if shards is None:
                    return False
                opened += shards
            if not opened:
                return True
            # Yanks, deletes, and restores, of earlier versions too, change this revision.
            same = Check(Key(pk, _META), equals("revision", integration["revision"]))
            try:
                self._table.transact([same, *opened], attempts=1)
            except (TransactionRefused, Contended):
                continue  # others do the same, or the integration was changed
            return True
        raise Contended

    def _missing_permits(self, pk: str) -> list[Write]:
        there = {item["sk"] for item in self._table.query_all(pk, prefix=PERMITS)}
        permits = [_permit_key(pk, shard) for shard in range(SHARDS)]
        return [Update(key, values={"open": True}) for key in permits if key.sk not in there]

    def _opened(self, key: Key) -> list[Write] | None:
        """What is left to do until a release is counted apart; None if it may not be used."""
        release = self._table.reread(key)
        if release is None or "expires_at" in release or "yanked" in release:
            return None
        if not _is_apart(release):
            together = PRESENT & without("apart") & without("expires_at")
            return [
                Update(key, values={"apart": True}, add={"uses": HELD}, condition=together),
                *(
                    Update(_uses_key(key, shard), values={"uses": 0}, condition=ABSENT)
                    for shard in range(SHARDS)
                ),
            ]
        shards = list(self._table.query_all(key.pk, prefix=_uses_prefix(key)))
        if len(shards) < SHARDS:
            return None
        return [
            _closed(Key(shard["pk"], shard["sk"]), is_closed=False)
            for shard in shards
            if "closed" in shard
        ]

    def _shards(self, release: Key) -> dict[Key, int]:
        items = self._table.query_all(release.pk, prefix=_uses_prefix(release))
        return {Key(item["pk"], item["sk"]): item["uses"] for item in items}


def _shard_of(endpoint_id: str) -> int:
    return hashlib.blake2b(endpoint_id.encode(), digest_size=1).digest()[0] % SHARDS


def _permit_key(pk: str, shard: int) -> Key:
    return Key(pk, f"{PERMITS}{shard:02}")


def _uses_key(release: Key, shard: int) -> Key:
    return Key(release.pk, f"{_uses_prefix(release)}{shard:02}")


def _uses_prefix(release: Key) -> str:
    return f"{USES}{release.sk.removeprefix(RELEASES)}#"


def _release_of(uses: Key) -> Key:
    return Key(uses.pk, RELEASES + uses.sk.removeprefix(USES).rpartition("#")[0])


def _at_the_release(ended: Update) -> Update:
    """The end of a use, for a release that has no such shard."""
    return Update(_release_of(ended.key), add=ended.add, condition=PRESENT)


def _closed(key: Key, *, is_closed: bool) -> Update:
    if is_closed:
        return Update(key, values={"closed": True}, condition=PRESENT)
    return Update(key, remove=["closed"], condition=PRESENT)


def _is_apart(release: Item) -> bool:
    return "apart" in release


def _counted(release: Item) -> int:
    """What the item of a release itself counts."""
    uses: int = release["uses"]
    return uses - HELD if _is_apart(release) else uses


def _begins_use(write: object) -> TypeIs[Check | Update]:
    match write:
        case Check(key=Key(sk=sk)):
            return sk.startswith(PERMITS)
        case Update(key=Key(sk=sk), add=add):
            return sk.startswith(USES) and add.get("uses") == 1
        case _:
            return False


def _ends_use(write: object) -> TypeIs[Update]:
    return (
        isinstance(write, Update) and write.key.sk.startswith(USES) and write.add.get("uses") == -1
    )
