"""How many things an organization may have: each kind is counted exactly, in one item.

    counts   ORG#<id>   QUOTAS   for each kind: `<name>`, `<name>_changes`, maybe `<name>_limit`

What creates or deletes a thing counts it in the same transaction, so a count never differs from
what there is: not under concurrency, nor after a crash or a lost reply. A create has the condition
that there is room.

- **A new organization** begins with a count of 0 of each kind. A count that is missing, because the
  organization is older than the quota, is counted by a query when the first create needs it. Until
  then no create succeeds, and a delete only adds to `<name>_changes`.
- **A recount** reads `<name>_changes`, queries, and writes the count on the condition that
  `<name>_changes` is what it was. So it is exact even while things are created and deleted. Where
  it queries an index, which is behind the table, it waits before it queries.
- **The limit** is the deployment's, unless the operator has set `<name>_limit`.

Cost: 2 WRU for each transaction that counts, however many kinds. ADR 45 has the reasons.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from patchbay.platform.dynamodb import (
    ABSENT,
    Condition,
    ConditionFailed,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    at_most,
    equals,
    exists,
    pause_seconds,
    without,
)
from patchbay.platform.errors import QuotaExceeded, TemporarilyUnavailable
from patchbay.tenancy.keys import API_KEYS, SPACES, organization_pk, quotas_key
from patchbay.tenancy.model import OrganizationQuota

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Quota:
    """A kind of thing that is limited. `count` queries how many an organization has now, or had
    `behind_seconds` ago. Things that lapse also go by themselves, when DynamoDB removes what has
    expired: they are counted again before a create is refused."""

    name: str
    count: Callable[[Table, str], int]
    behind_seconds: float = 0.0
    lapse: bool = False


class Count(NamedTuple):
    """Counts `change` more things of a kind (fewer if it is negative), among the writes of a
    transaction."""

    organization_id: str
    quota: Quota
    change: int


type Counted = Write | Count


class QuotaUse(NamedTuple):
    """`used` is None until it is counted for the first time; `limit` is the operator's, if any."""

    used: int | None
    limit: int | None


NAMES: Final = (
    "spaces",
    "api_keys",
    "integrations",
    "releases",
    "deleted_releases",
    "endpoints",
    "connections",
    "monitored_connections",
    "monitored_tests_per_day",
    "alert_rules",
    "alert_channels",
    "install_sessions",
    "oauth_applications",
)
"""The kinds that a new organization has none of. Each package has the `Quota` of its own kinds."""


def first_counts(organization_id: str) -> Put:
    """The counts of a new organization."""
    return Put({**quotas_key(organization_id)._asdict(), **dict.fromkeys(NAMES, 0)}, ABSENT)


SPACE_QUOTA: Final = Quota(
    "spaces", lambda table, owner: table.count(organization_pk(owner), SPACES)
)
API_KEY_QUOTA: Final = Quota(
    "api_keys", lambda table, owner: table.count(organization_pk(owner), API_KEYS)
)


class Quotas:
    """The counts of organizations. `limit_of` returns the deployment's limit of a kind by its
    name, and None for no limit; `wait` waits for indexes, so many seconds."""

    def __init__(
        self,
        table: Table,
        limit_of: Callable[[str], int | None],
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._limit_of = limit_of
        self._wait = wait

    @classmethod
    def without_limits(cls, table: Table) -> "Quotas":
        """For the operator's commands, which count but are not limited."""
        return cls(table, lambda _: None)

    def transact(self, writes: Sequence[Counted]) -> None:
        """All of the writes and counts, or none of them. The counts are of one organization.

        Raises `TransactionRefused` with the positions in `writes`, as `Table.transact`;
        `QuotaExceeded` if only a count was refused; `Contended`.
        """
        positions = [n for n, write in enumerate(writes) if not isinstance(write, Count)]
        others = [write for write in writes if not isinstance(write, Count)]
        changes, organization_id = _changes([w for w in writes if isinstance(w, Count)])
        # Almost every organization is counted and has no limit of its own: that is tried first.
        known: Item | None = None
        for _ in range(_ATTEMPTS):
            counting = self._counting(organization_id, changes, known) if changes else []
            try:
                self._table.transact([*others, *counting])
            except TransactionRefused as refused:
                own = {
                    positions[n]: item for n, item in refused.failed.items() if n < len(positions)
                }
                if own or not counting:
                    raise TransactionRefused(own) from None
                known = self._with_room(organization_id, changes, refused.failed[len(positions)])
            else:
                return
        raise TemporarilyUnavailable

    def recount(self, organization_id: str, quota: Quota) -> int:
        """Counts by a query, and keeps the count. Raises `TemporarilyUnavailable` if things are
        created and deleted on and on."""
        name, key = quota.name, quotas_key(organization_id)
        for attempt in range(_ATTEMPTS):
            time.sleep(pause_seconds(attempt) if attempt else 0)
            changes = (self._table.reread(key) or {}).get(_changes_of(name))
            self._wait(quota.behind_seconds)
            used = quota.count(self._table, organization_id)
            unchanged = _is(_changes_of(name), changes)
            try:
                self._table.write(Update(key, values={name: used}, condition=unchanged))
            except ConditionFailed:
                continue
            return used
        raise TemporarilyUnavailable

    def use(self, organization_id: str, quota: Quota) -> QuotaUse:
        item = self._table.get(quotas_key(organization_id)) or {}
        return QuotaUse(item.get(quota.name), item.get(_limit_name(quota.name)))

    def of(self, organization_id: str) -> list[OrganizationQuota]:
        """All quotas of an organization, under a deployment that limits every kind."""
        item = self._table.get(quotas_key(organization_id)) or {}
        return [
            OrganizationQuota(
                name=name,
                limit=item.get(_limit_name(name), self._limit_of(name)),
                used=item.get(name),
            )
            for name in NAMES
        ]

    def set_limit(self, organization_id: str, quota: Quota, limit: int | None) -> None:
        """Gives an organization a limit of its own; None takes it away."""
        name, key = _limit_name(quota.name), quotas_key(organization_id)
        if limit is None:
            self._table.write(Update(key, remove=[name]))
        else:
            self._table.write(Update(key, values={name: limit}))

    def _counting(
        self, organization_id: str, changes: Counter[Quota], known: Item | None
    ) -> list[Update]:
        """The write that counts, if the counts are as `known`: by default, there and without a
        limit of the organization's own."""
        add: dict[str, int] = {}
        conditions: list[Condition] = []
        for quota, change in changes.items():
            name = quota.name
            add[_changes_of(name)] = 1
            if change < 0 and known is not None and name not in known:
                conditions.append(without(name))
                continue
            add[name] = change
            if change < 0:
                conditions.append(exists(name))
                continue
            own = known.get(_limit_name(name)) if known else None
            limit = self._limit_of(name) if own is None else own
            room = exists(name) if limit is None else at_most(name, limit - change)
            conditions.append(room & _is(_limit_name(name), own))
        condition = conditions[0]
        for more in conditions[1:]:
            condition &= more
        return [Update(quotas_key(organization_id), add=add, condition=condition)]

    def _with_room(
        self, organization_id: str, changes: Counter[Quota], standing: Item | None
    ) -> Item:
        """The counts to try again with. Raises `QuotaExceeded`."""
        known = dict(standing or {})
        for quota, change in changes.items():
            if change < 0:
                continue
            used = known.get(quota.name)
            own = known.get(_limit_name(quota.name))
            limit = self._limit_of(quota.name) if own is None else own
            if used is None or (quota.lapse and _is_full(used + change, limit)):
                used = known[quota.name] = self.recount(organization_id, quota)
            if limit is not None and _is_full(used + change, limit):
                raise QuotaExceeded(quota.name, limit, used)
        return known


def _changes(counts: Sequence[Count]) -> tuple[Counter[Quota], str]:
    """The change of each kind, without those that cancel out, and the organization."""
    changes: Counter[Quota] = Counter()
    for count in counts:
        changes[count.quota] += count.change
    organization_id = counts[0].organization_id if counts else ""
    return Counter({q: n for q, n in changes.items() if n}), organization_id


def _is_full(wanted: int, limit: int | None) -> bool:
    return limit is not None and wanted > limit


def _changes_of(name: str) -> str:
    return f"{name}_changes"


def _limit_name(name: str) -> str:
    return f"{name}_limit"


def _is(attribute: str, value: int | None) -> Condition:
    return without(attribute) if value is None else equals(attribute, value)
