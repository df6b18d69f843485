"""Uses of releases through updates and rollbacks, under every fault at once.

Tenants create, upgrade, and delete endpoints of a few integrations, side by side, while their
author yanks releases, and deletes and restores integrations. Two versions of Patchbay do so: only
the newer one has permits and shards. Processes end at any call, and what has expired is removed,
item by item.

After each round, each release counts exactly the endpoints that there are, and no endpoint is
without its release. Where only the newer version runs, nothing is created of what is deleted or
yanked at the moment of the creation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from unittest.mock import patch

from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    without,
)
from patchbay.platform.errors import PatchbayError
from patchbay.platform.ids import Stamp
from patchbay.registry import release_uses
from patchbay.registry.keys import integration_key, release_key
from patchbay.registry.model import Integration, NewIntegration, Release, ReleasePatch
from patchbay.registry.release_uses import (
    PERMITS,
    ReleaseUses,
    begin_use_of_release,
    end_use_of_release,
    uses_of_integration,
)
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import NewOrganization, NewSpace
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.simulator.faults import Crash, FaultyClient
from tests.simulator.memory_dynamodb import MemoryClient
from tests.simulator.seeded_threads import SeededThreads

START: Final = datetime(2026, 2, 17, 12, tzinfo=UTC)
RATE: Final = 0.01
VERSIONS: Final = ("1.0.0", "2.0.0")
TENANT: Final = "ORG#tenant"


class Difference(Exception):
    """A rule is broken."""


@dataclass(slots=True)
class UsesOutcome:
    """What schedules met."""

    happened: Counter[str] = field(default_factory=Counter)


class JudgingClient(MemoryClient):
    """Judges each creation at its moment."""

    judge: Callable[[Item], None] | None = None

    def transact_write_items(self, **whole: Any) -> Any:
        is_new = whole["ClientRequestToken"] not in self._done
        answer = super().transact_write_items(**whole)
        for action in whole["TransactItems"]:
            if is_new and self.judge and "Put" in action:
                item = action["Put"]["Item"]
                if item["pk"]["S"] == TENANT:
                    self.judge({name: value["S"] for name, value in item.items()})
        return answer


class EarlierRegistry(RegistryStore):
    """As it was with counts in the item of a release alone."""

    def let_go(self, integration_id: str, version: str, now: datetime) -> None:
        release = self._release_item(integration_id, version)
        if release is None or release["uses"] > 0 or "expires_at" in release:
            return
        item = self._table.get(integration_key(integration_id))
        if item is None or item.get("expires_at", epoch_seconds(now) + 1) <= epoch_seconds(now):
            self._expire(release, epoch_seconds(now))
        elif "expires_at" in item:
            self._expire_unused(release, self.integration(integration_id, now))

    def _expire(self, release: Item, at: int, *checks: Check) -> None:
        change = Update(
            Key(release["pk"], release["sk"]),
            values={"expires_at": at},
            condition=PRESENT & equals("uses", 0),
        )
        with suppress(TransactionRefused):
            self._table.transact([*checks, change])

    def _yanking(self, *_: Release) -> tuple[Condition, list[Write]]:
        return PRESENT, []


class EarlierTable(Table):
    """Without permits."""

    def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
        known = [
            write
            for write in writes
            if not (isinstance(write, Delete) and write.key.sk.startswith(PERMITS))
        ]
        super().transact(known, attempts=attempts)


class UsedWorld:
    """Some integrations, and the endpoints of one tenant."""

    def __init__(self, seed: int, outcome: UsesOutcome, *, rate: float) -> None:
        self._chance = chance = Random(seed)  # noqa: S311 - schedules, guards nothing
        self._outcome, self._rate = outcome, rate
        self._threads = SeededThreads(chance)
        self._client = JudgingClient()
        self._direct = Table("integrations", self._client)
        self._now = START
        self._updated = False
        self._mixed_until = -1
        quotas = Quotas.without_limits(self._direct)
        tenants, stamp = TenancyStore(self._direct, quotas), Stamp.fresh(START)
        author = tenants.create_organization(NewOrganization(name="a"), stamp)
        self._space = tenants.create_space(author.id, NewSpace(slug="a", name="a"), stamp)
        self._registry = RegistryStore(self._direct, quotas)
        self._made: list[str] = []
        self._numbers = iter(range(1_000_000))
        for _ in range(2):
            self._publish()

    def run(self, rounds: int) -> None:
        """Raises `Difference`."""
        chance = self._chance
        for number in range(rounds):
            self._now += chance.choice([timedelta(minutes=1)] * 60 + [timedelta(days=4)])
            if chance.random() < 0.03:
                self._updated = not self._updated
                self._mixed_until = number + 5
                self._outcome.happened["updates and rollbacks"] += 1
            is_mixed = number < self._mixed_until
            is_old = is_mixed or not self._updated
            self._client.judge = None if is_old else self._judge
            works = self._works_of(self._earlier()) if is_old else []
            if is_mixed or self._updated:
                works += self._works_of(self._later())
            self._threads.run([_surviving(work) for work in chance.sample(works, k=4)])
            self._client.judge = None
            self._remove_expired()
            self._check()
            if not self._is_live(self._made[-1]) and chance.random() < 0.1:
                self._publish()

    # ------------------------------------------------------------ what happens

    def _works_of(self, registry: RegistryStore) -> list[Callable[[], None]]:
        is_old = isinstance(registry, EarlierRegistry)

        def create() -> None:
            self._create(registry, is_old=is_old)

        def drop() -> None:
            self._drop(registry, is_old=is_old)

        def yank() -> None:
            said = self._chance.choice([None, None, "broken"])
            which, version = self._any()
            registry.remark(which, version, ReleasePatch(yanked=said), None, self._now)
            self._outcome.happened["remarks"] += 1

        def delete() -> None:
            registry.delete(self._any()[0], self._space, None, self._now)
            self._outcome.happened["deletes"] += 1

        def restore() -> None:
            registry.restore(self._any()[0], self._space, self._now)
            self._outcome.happened["restores"] += 1

        rare = [work for work in (yank, delete, restore) if self._chance.random() < 0.3]
        upgrade = [] if is_old else [lambda: self._upgrade(registry)]
        return [create, create, create, create, drop, drop, drop, *rare, *upgrade]

    def _create(self, registry: RegistryStore, *, is_old: bool) -> None:
        table = registry._table
        which, version = self._any()
        if not self._is_installable(table, which, version):
            return
        name = f"SRC#{next(self._numbers)}"
        item = {"pk": TENANT, "sk": name, "integration": which, "version": version}
        if is_old:
            open_release = PRESENT & without("expires_at") & without("yanked")
            counted = Update(release_key(which, version), add={"uses": 1}, condition=open_release)
            undeleted = Check(integration_key(which), PRESENT & without("expires_at"))
            table.transact([Put(item, ABSENT), counted, undeleted])
        else:
            begin = begin_use_of_release(which, version, name)
            ReleaseUses(table).within(table.transact)([Put(item, ABSENT), *begin])
        self._outcome.happened["creations" + (" as before" if is_old else "")] += 1

    def _drop(self, registry: RegistryStore, *, is_old: bool) -> None:
        table = registry._table
        item = self._any_endpoint()
        if item is None:
            return
        which, version = item["integration"], item["version"]
        gone = Delete(Key(TENANT, item["sk"]), PRESENT & equals("version", version))
        if is_old:
            counted = Update(release_key(which, version), add={"uses": -1}, condition=PRESENT)
            table.transact([gone, counted])
        else:
            ended = end_use_of_release(which, version, item["sk"])
            ReleaseUses(table).within(table.transact)([gone, ended])
        self._outcome.happened["endpoints deleted" + (" as before" if is_old else "")] += 1
        registry.let_go(which, version, self._now)

    def _upgrade(self, registry: RegistryStore) -> None:
        table = registry._table
        item = self._any_endpoint()
        if item is None:
            return
        which, old, new = item["integration"], item["version"], self._chance.choice(VERSIONS)
        if new == old or not self._is_installable(table, which, new):
            return
        changed = Update(
            Key(TENANT, item["sk"]), values={"version": new}, condition=equals("version", old)
        )
        uses: list[Write] = [
            end_use_of_release(which, old, item["sk"]),
            *begin_use_of_release(which, new, item["sk"]),
        ]
        ReleaseUses(table).within(table.transact)([changed, *uses])
        self._outcome.happened["upgrades"] += 1
        registry.let_go(which, old, self._now)

    def _publish(self) -> None:
        new = NewIntegration.model_validate(
            {
                "workspaceId": self._space.id,
                "publisher": "acme",
                "slug": f"i{next(self._numbers)}",
                "name": "i",
                "retentionTier": self._chance.choice(["none", "short", "long"]),
            }
        )
        made: Integration = self._registry.create(new, self._space, "key_1", Stamp.fresh(self._now))
        for version in VERSIONS:
            self._registry.publish(made.id, version, "key_1", lambda _: [], self._now)
        self._made.append(made.id)

    def _remove_expired(self) -> None:
        for item in self._client.scan_items():
            at = item.get("expires_at")
            is_over = at is not None and int(at["N"]) <= epoch_seconds(self._now)
            if is_over and self._chance.random() < 0.3:
                self._client.remove(item["pk"]["S"], item["sk"]["S"])
                self._outcome.happened["expired"] += 1

    # ------------------------------------------------------------ rules

    def _judge(self, item: Item) -> None:
        if not self._is_installable(self._direct, item["integration"], item["version"]):
            raise Difference(f"{item} was created of what may not be installed")

    def _check(self) -> None:
        expected = Counter((one["integration"], one["version"]) for one in self._endpoints())
        for which in self._made:
            mine = sum(count for (of, _), count in expected.items() if of == which)
            if (counted := uses_of_integration(self._direct, which)) != mine:
                raise Difference(f"{which} counts {counted} endpoints, there are {mine}")
            for version in VERSIONS:
                self._check_release(which, version, expected[which, version])

    def _check_release(self, which: str, version: str, expected: int) -> None:
        release = self._direct.get(release_key(which, version))
        if expected and (release is None or "expires_at" in release):
            raise Difference(f"{version} of {which} goes, but {expected} endpoints use it")
        if release is not None:
            is_unused = ReleaseUses(self._direct).unused(release) is not None
            if is_unused != (expected == 0):
                raise Difference(f"{version} of {which}: unused is {is_unused}, of {expected}")

    def _is_installable(self, table: Table, which: str, version: str) -> bool:
        integration = table.get(integration_key(which))
        release = table.get(release_key(which, version))
        return (
            integration is not None
            and release is not None
            and "expires_at" not in {*integration, *release}
            and "yanked" not in release
        )

    # ------------------------------------------------------------ the world

    def _any(self) -> tuple[str, str]:
        return self._chance.choice(self._made[-2:]), self._chance.choice(VERSIONS)

    def _endpoints(self) -> list[Item]:
        return list(self._direct.query_all(TENANT))

    def _any_endpoint(self) -> Item | None:
        there = self._endpoints()
        return self._chance.choice(there) if there else None

    def _is_live(self, which: str) -> bool:
        return self._direct.get(integration_key(which)) is not None

    def _client_of_process(self) -> Any:
        happened, pause = self._outcome.happened, self._threads.pause
        return FaultyClient(
            self._client, self._chance, pause, happened, rate=self._rate, conflicts=3
        )

    def _later(self) -> RegistryStore:
        table = Table("integrations", self._client_of_process())
        return RegistryStore(table, Quotas.without_limits(table))

    def _earlier(self) -> RegistryStore:
        table = EarlierTable("integrations", self._client_of_process())
        return EarlierRegistry(table, Quotas.without_limits(table))


def run_uses(seeds: Iterable[int], rounds: int = 150, rate: float = RATE) -> UsesOutcome:
    """Runs a schedule for each seed. Raises `Difference`."""
    outcome = UsesOutcome()
    with patch("time.sleep", lambda _: None), patch.object(release_uses, "SHARDS", 3):
        for seed in seeds:
            UsedWorld(seed, outcome, rate=rate).run(rounds)
    return outcome


def _surviving(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with suppress(Crash, PatchbayError, ConditionFailed, TransactionRefused):
            work()

    return run
