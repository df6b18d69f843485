"""Plans: the members of the wheel, each with what the next test of its connection needs.

    plan   WHEEL#<interval>#<phase>   <place>#<cell>#<band>#<connection id>

Connections of one **cell** (a space, or a pool of small spaces) and **band** are due at the same
minutes, and recorded together: they are a **group**. Its phase is a hash of cell and band, and its
place is another part of that hash: a group is in one lane, however many lanes there are.

A plan is due at the minutes from `since` on and before `until`. An edit of a connection writes its
plan in the same transaction; the connection names the plan's key.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.dynamodb import Item, Key

WHEEL: Final = "WHEEL#"

_REVISION_BITS: Final = 53

OF_HEALTH: Final = ("state", "health", "required_action", "stated_status")
"""The attributes that a plan has in common with its connection, and that tests change."""


class PlanPlace(NamedTuple):
    """The key of a plan, and the minutes that it is for: from `since` on, and before `until`."""

    pk: str
    sk: str
    since: int
    until: int | None = None

    @property
    def key(self) -> Key:
        return Key(self.pk, self.sk)


@dataclass(frozen=True, slots=True)
class Group:
    """The connections of a cell that are due, and recorded, together."""

    interval: MonitorInterval
    cell: str
    band: int = 0

    @property
    def slot(self) -> str:
        """`5m#0`: with the cell and a minute, it names a run."""
        return f"{self.interval}#{self.band}"

    @property
    def phase(self) -> int:
        return int.from_bytes(self._digest[:6]) % self.interval.minutes

    @property
    def sort_key(self) -> str:
        """What the sort keys of its plans begin with."""
        return f"{self._digest[6:].hex()}#{self.cell}#{self.band}#"

    def plan_key(self, connection_id: str) -> Key:
        return Key(wheel_pk(self.interval, self.phase), f"{self.sort_key}{connection_id}")

    @staticmethod
    def of_key(key: Key) -> "Group":
        """The group of the plan with this key."""
        return _group_of(key.pk, key.sk.rpartition("#")[0])

    @property
    def _digest(self) -> bytes:
        return hashlib.blake2b(f"{self.cell}#{self.band}".encode(), digest_size=8).digest()


@lru_cache(maxsize=1024)
def _group_of(pk: str, sort_key: str) -> Group:
    """The group of plans in this partition whose sort keys begin so: there are many."""
    _, interval, _ = pk.split("#")
    _, cell, band = sort_key.split("#")
    return Group(MonitorInterval(interval), cell, int(band))


@dataclass(frozen=True, slots=True)
class MonitorPlan:
    """`health` has the attributes `OF_HEALTH` as they were last written; none if no test has read
    them from the connection yet.

    `snapshot` is what the last test read, packed; None if it was edited since. `revision` is
    another random number after each write.
    """

    key: Key
    group: Group
    organization_id: str
    space_id: str
    space: str
    connection_id: str
    since: int
    until: int | None
    revision: int
    health: Mapping[str, Any]
    snapshot: bytes | None = None

    @classmethod
    def new(cls, place: PlanPlace, *, organization_id: str, space_id: str, space: str) -> Self:
        """A plan that nothing is known of yet."""
        return cls(
            key=place.key,
            group=Group.of_key(place.key),
            organization_id=organization_id,
            space_id=space_id,
            space=space,
            connection_id=place.sk.rpartition("#")[2],
            since=place.since,
            until=place.until,
            revision=new_revision(),
            health={},
        )

    @classmethod
    def read(cls, item: Item) -> Self:
        key = Key(item["pk"], item["sk"])
        group, _, connection_id = key.sk.rpartition("#")
        return cls(
            key,
            _group_of(key.pk, group),
            item["organization_id"],
            item["space_id"],
            item["space"],
            connection_id,
            item["since"],
            item.get("until"),
            item["revision"],
            _health_of(item),
            item.get("snapshot"),
        )

    def known_as(self, connection: Item) -> "MonitorPlan":
        """The plan with the health that the connection's item has."""
        return replace(self, health=_health_of(connection))

    def item(self) -> Item:
        return {
            **self.key._asdict(),
            "organization_id": self.organization_id,
            "space_id": self.space_id,
            "space": self.space,
            "since": self.since,
            "revision": self.revision,
            **self.health,
            **({} if self.until is None else {"until": self.until}),
            **({} if self.snapshot is None else {"snapshot": self.snapshot}),
        }

    def is_due(self, minute: int) -> bool:
        """Whether it is due at a minute of its group's phase."""
        return self.since <= minute and (self.until is None or minute < self.until)


def _health_of(item: Item) -> Item:
    return {name: item[name] for name in OF_HEALTH if name in item}


def new_revision() -> int:
    return secrets.randbits(_REVISION_BITS)


def wheel_pk(interval: str, phase: int) -> str:
    return f"{WHEEL}{interval}#{phase}"
