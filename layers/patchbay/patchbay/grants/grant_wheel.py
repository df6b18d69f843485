"""Looks after grants that nobody uses: refreshes them before they die, and warns of their end.

Every few minutes, the sparse index has what is due: a refresh token that would die unused, a lease
whose holder is gone, a warning, an end. Each grant is looked at as it stands, so it does not matter
how often, or by how many processes at once, a turn is made; what a turn does not reach is due at
the next one.

No organization starves another. Its grants are taken in turns with those of others, at most two of
them at a time, so a provider that hangs holds two places. A grant that can't be looked after now is
put off, behind what others have due.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from patchbay.checks.roles import Role
from patchbay.connections.announcements import Announcement
from patchbay.connections.bindings import binding_to_dial
from patchbay.connections.connection_items import read_connection
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.health_state import AnnouncementType
from patchbay.connections.keys import connection_key, use_key
from patchbay.grants.grant_model import ENDED_TOLD, Grant, GrantEnd
from patchbay.grants.grant_store import SHARDS, DueGrant, GrantStore, Overtaken
from patchbay.grants.grants import Grants
from patchbay.grants.timing import due_at, fixed_end, is_idle, warning_at
from patchbay.grants.usable_secrets import GrantUnusable, StoredSecrets
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import NotFound, PatchbayError
from patchbay.platform.logging import log_exception
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.store import TenancyStore

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

AT_ONCE: Final = 24
OF_ONE: Final = 2
"""Of one organization at once."""
PAGE: Final = 1000
"""Grants of a shard that a turn takes up."""
PAGE_OF_ONE: Final = 400
"""Of one organization: more than it can be given in a turn."""
MAX_TOLD: Final = 50
"""Connections of an endpoint that are announced."""
PUT_OFF: Final = timedelta(hours=1)
_LAST_SECONDS: Final = 40.0
"""A call, its storing, and what surrounds them: with less time nothing more begins."""
_CALL_SECONDS: Final = 25.0


class GrantWheel:
    """One turn after another. `guard` must not dial the deployment itself."""

    def __init__(
        self,
        table: Table,
        store: GrantStore,
        grants: Grants,
        tenants: TenancyStore,
        registry: RegistryStore,
        endpoints: EndpointStore,
        guard: "EgressGuard",
        clock: Clock,
    ) -> None:
        self._table = table
        self._store = store
        self._grants = grants
        self._tenants = tenants
        self._registry = registry
        self._endpoints = endpoints
        self._guard = guard
        self._clock = clock

    def turn(self, remaining: Callable[[], float]) -> Counter[str]:
        """Looks after what is due, while there is time; returns how often each thing was done.

        Raises `TemporarilyUnavailable` if the index can't be read.
        """
        now = self._clock()
        with ThreadPoolExecutor(SHARDS) as pool:
            shards = pool.map(
                lambda shard: self._store.due(shard, now, PAGE, PAGE_OF_ONE), range(SHARDS)
            )
            due = [one for shard in shards for one in shard]
        if not due:
            return Counter()
        return asyncio.run(self._turn(due, remaining))

    async def _turn(self, due: Sequence[DueGrant], remaining: Callable[[], float]) -> Counter[str]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE))
        done: Counter[str] = Counter()
        waiting: defaultdict[str, deque[DueGrant]] = defaultdict(deque)
        for one in due:
            waiting[one.organization_id].append(one)
        # Two of each organization at first, then the next two of each.
        turns = deque(organization_id for organization_id in waiting for _ in range(OF_ONE))

        async def worker() -> None:
            while turns and remaining() > _LAST_SECONDS:
                organization_id = turns.popleft()
                if not waiting[organization_id]:
                    continue
                done[await self._looked_after(waiting[organization_id].popleft())] += 1
                turns.append(organization_id)

        await asyncio.gather(*(worker() for _ in range(min(AT_ONCE, len(turns)))))
        done["left"] += sum(map(len, waiting.values()))
        return +done

    async def _looked_after(self, due: DueGrant) -> str:
        """What was done. Never raises: the others go on."""
        try:
            return await self._look_after(due)
        except Overtaken:
            return "overtaken"
        except Exception as error:
            log_exception("grant not looked after", error, endpoint_id=due.endpoint_id)
            await asyncio.to_thread(self._put_off, due)
            return "put_off"

    async def _look_after(self, due: DueGrant) -> str:
        now = self._clock()
        grant = await asyncio.to_thread(self._store.reread, due.organization_id, due.endpoint_id)
        at = due_at(grant) if grant else None
        if grant is None or at is None or at > now:
            return "not_due"  # the index is behind
        if grant.end is not None:
            await asyncio.to_thread(self._tell_end, grant, grant.end)
            return "ended"
        end = fixed_end(grant)
        if end is not None and end <= now:
            ended = GrantEnd("expired", "auth_expired", end)
            await asyncio.to_thread(self._tell_end, grant, ended)
            return "ended"
        if (warning := warning_at(grant, now)) is not None and end is not None:
            await asyncio.to_thread(self._warn, grant, warning, end)
            return "warned"
        if grant.lease is None and not is_idle(grant, now):
            await asyncio.to_thread(self._put_off, due)
            return "put_off"
        return await self._refresh(due, grant)

    async def _refresh(self, due: DueGrant, grant: Grant) -> str:
        now = self._clock()
        stored = await asyncio.to_thread(self._look, due, now)
        if stored is None:
            await asyncio.to_thread(self._put_off, due)
            return "put_off"
        deadline = asyncio.get_running_loop().time() + _CALL_SECONDS
        try:
            await self._grants.refreshed(
                stored, self._guard.for_test(), deadline=deadline, newer_than=grant.generation
            )
        except GrantUnusable as unusable:
            if unusable.has_ended:
                return "refused"  # told at the next turn
            await asyncio.to_thread(self._put_off, due)
            return "failed"
        return "refreshed"

    def _look(self, due: DueGrant, now: datetime) -> StoredSecrets | None:
        """What is stored for a refresh; None for a paused organization, or an endpoint that is
        gone."""
        if self._tenants.organization(due.organization_id).paused:
            return None
        try:
            endpoint = self._endpoint(due.organization_id, due.endpoint_id)
        except NotFound:
            return None
        release = self._registry.release(endpoint.integration_id, endpoint.version)
        return self._grants.look(endpoint, release, binding_to_dial(endpoint, release), now)

    def _endpoint(self, organization_id: str, endpoint_id: str) -> Endpoint:
        role = Role.SOURCE if endpoint_id.startswith("src_") else Role.DESTINATION
        return self._endpoints.get(organization_id, role, endpoint_id)

    def _put_off(self, due: DueGrant) -> None:
        """Behind what others have due. What fails is only due again at the next turn."""
        try:
            grant = self._store.reread(due.organization_id, due.endpoint_id)
            if grant and grant.lease is None:
                self._store.note(grant, replace(grant, put_off_until=self._clock() + PUT_OFF))
        except (PatchbayError, Overtaken) as error:
            log_exception("grant not put off", error, endpoint_id=due.endpoint_id)

    def _tell_end(self, grant: Grant, end: GrantEnd) -> None:
        told = self._announcements(grant, AnnouncementType.REAUTHORIZE, end.at, end.at)
        self._store.note(grant, replace(grant, end=end, told=ENDED_TOLD), *told)

    def _warn(self, grant: Grant, warning: str, end: datetime) -> None:
        at = end - timedelta(days=int(warning.rpartition(" ")[2]))
        told = self._announcements(grant, AnnouncementType.EXPIRING, at, end)
        self._store.note(grant, replace(grant, told=warning), *told)

    def _announcements(
        self, grant: Grant, kind: AnnouncementType, at: datetime, ends_at: datetime
    ) -> list[Put]:
        """One for each connection of the endpoint. Their ids follow from what they say, so one that
        is written twice is one event."""
        organization_id = grant.organization_id
        key = use_key(organization_id, grant.endpoint_id, "")
        uses = self._table.query(key.pk, prefix=key.sk, limit=MAX_TOLD).items
        ids = [str(item["sk"]).rpartition("#")[2] for item in uses]
        items = (self._table.get(connection_key(organization_id, one)) for one in ids)
        return [
            Put(
                Announcement.of_access(
                    read_connection(item), kind, at, grant.endpoint_id, ends_at
                ).item()
            )
            for item in items
            if item
        ]
