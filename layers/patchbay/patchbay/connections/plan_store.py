"""Plans as tests use them: what a test reads, kept with its plan.

    work   PLANS   DROP#<endpoint id>#<revision>   an edit whose snapshots are still to be dropped

A **snapshot** (`snapshots`) has the items that a test reads: its connection, its endpoints, and
their secrets, which stay sealed. It never has what a grant holds. It is used until one of them is
edited:

- An edit of a connection writes its plan again, in the same transaction.
- An edit of an endpoint writes a mark in its transaction. Then the snapshots of all connections of
  the endpoint are dropped, and the mark goes last. If the editor dies before that, the dispatcher
  does it.

A sweep reads the marks before it reads plans, both strongly consistent, and uses no snapshot of an
endpoint that has a mark. So what a test uses is not older than the begin of its sweep.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from patchbay.connections.connection_items import read_plans
from patchbay.connections.endpoint_items import user_of
from patchbay.connections.keys import (
    DROPS,
    PLAN_WORK,
    connection_key,
    drop_key,
    use_key,
)
from patchbay.connections.plans import OF_HEALTH, MonitorPlan, new_revision
from patchbay.connections.snapshots import packed
from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Table,
    Update,
    equals,
)
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import logger

MAX_SNAPSHOT_BYTES: Final = 24 << 10
"""Of a packed snapshot: a plan that would be larger is stored without one."""

MAX_DROPS_AT_ONCE: Final = 200
"""Connections of an endpoint whose snapshots the request drops that edits it."""

_WRITERS: Final = 10
_BATCH: Final = 100


class PlanStore:
    """The plans in the integrations table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def endpoints_under_edit(self) -> frozenset[str]:
        """The endpoints whose connections have snapshots that must not be used. To be read before
        the plans are."""
        marks = self._table.query_all(PLAN_WORK, prefix=DROPS, attributes=("sk",))
        return frozenset(mark["sk"].split("#")[1] for mark in marks)

    def keep(self, plan: MonitorPlan, connection: Item, others: Collection[Item]) -> None:
        """Keeps with a plan what a test read after it had read the plan: the item of the
        connection, and the others that a snapshot has. Nothing if the plan was written since."""
        snapshot = packed(connection, others)
        values: Item = {name: connection[name] for name in OF_HEALTH if name in connection}
        if len(snapshot) <= MAX_SNAPSHOT_BYTES:
            values["snapshot"] = snapshot
        unchanged = equals("revision", plan.revision)
        with suppress(ConditionFailed):
            self._table.write(
                Update(
                    plan.key,
                    values={**values, "revision": new_revision()},
                    condition=PRESENT & unchanged,
                )
            )

    def drop_now(self, organization_id: str, endpoint_id: str, revision: int) -> None:
        """Drops the snapshots of an endpoint that was edited. What fails, or is too much for a
        request, is done within a minute by `drop_left_behind`."""
        try:
            self._drop(organization_id, endpoint_id, revision, at_most=MAX_DROPS_AT_ONCE)
        except PatchbayError as error:
            logger.warning("snapshots left to drop", code=error.code, endpoint=endpoint_id)

    def drop_left_behind(self) -> int:
        """Drops what editors left behind. Returns how many edits there were.

        One that an editor is still at is done twice, which changes nothing. Raises
        `TemporarilyUnavailable`.
        """
        marks = self._table.query(PLAN_WORK, prefix=DROPS, limit=_BATCH).items
        for mark in marks:
            _, endpoint_id, revision = mark["sk"].split("#")
            self._drop(mark["organization_id"], endpoint_id, int(revision))
        return len(marks)

    def _drop(
        self, organization_id: str, endpoint_id: str, revision: int, at_most: int | None = None
    ) -> None:
        key = use_key(organization_id, endpoint_id, "")
        uses = self._table.query_all(key.pk, prefix=key.sk, attributes=("sk",))
        connections = [connection_key(organization_id, user_of(use)) for use in uses]
        if at_most is not None and len(connections) > at_most:
            return
        for first in range(0, len(connections), _BATCH):
            items = self._table.get_all(connections[first : first + _BATCH]).values()
            plans = [place.key for item in items for place in read_plans(item)]
            if plans:
                from concurrent.futures import ThreadPoolExecutor

                with ThreadPoolExecutor(_WRITERS) as pool:
                    list(pool.map(self._drop_of, plans))
        self._table.write(Delete(drop_key(endpoint_id, revision)))

    def _drop_of(self, plan: Key) -> None:
        values = {"revision": new_revision()}
        with suppress(ConditionFailed):  # it was moved: the new one has none
            self._table.write(Update(plan, values, remove=("snapshot",), condition=PRESENT))
