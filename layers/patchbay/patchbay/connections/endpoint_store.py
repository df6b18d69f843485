"""Sources and destinations in the integrations table. Their items are described in
`endpoint_items`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from patchbay.checks.roles import Role
from patchbay.connections.audit_events import audited
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_items import (
    SecretChange,
    chosen_by,
    endpoint_change,
    endpoint_delete,
    endpoint_item,
    read_endpoint,
    use_of_application,
    user_of,
    with_gone_applications,
)
from patchbay.connections.endpoint_model import Endpoint, EndpointQuery, id_prefix
from patchbay.connections.keys import endpoint_key, key_of_all, use_key
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.quotas import ENDPOINT_QUOTA
from patchbay.platform.audit import Action
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Item,
    Put,
    Table,
    TransactionRefused,
)
from patchbay.platform.errors import Conflict, InvalidInput, NotFound
from patchbay.platform.ids import is_id
from patchbay.platform.lists import Listing, Lists, has_text
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.registry.release_uses import ReleaseUses, begin_use_of_release
from patchbay.tenancy.keys import organization_key, organization_pk
from patchbay.tenancy.quotas import Count, Counted, Quotas

_MAX_NAMED_USERS: Final = 20


class EndpointStore:
    """The endpoints of organizations."""

    def __init__(self, table: Table, quotas: Quotas, plans: PlanStore) -> None:
        self._table = table
        uses = ReleaseUses(table)
        self._transact = uses.within(quotas.transact)
        self._replace = uses.within(table.transact)
        self._plans = plans
        self._lists = Lists(table, CursorSeal(table))

    def create(
        self,
        endpoint: Endpoint,
        sealed: Item | None,
        *connected: Counted,
        uses: int = 0,
        granted: Item | None = None,
    ) -> Endpoint:
        """Stores an endpoint with its sealed secrets, and counts it at its release: all or nothing.

        `connected` are the writes of `uses` connections of it, `granted` is the item of the grant
        that it begins with. Returns the stored endpoint: if this
        request is repeated, that of the first time. Raises `NotFound` for an organization that does
        not exist, `InvalidInput` if the release was withdrawn in between, `QuotaExceeded`, and
        `TransactionRefused` if the data keys were rotated in between.
        """
        writes: list[Counted] = [
            Put(endpoint_item(endpoint, uses), ABSENT),
            *begin_use_of_release(endpoint.integration_id, endpoint.version, endpoint.id),
            # The operator may name any organization, even one that does not exist.
            Check(organization_key(endpoint.organization_id), PRESENT),
        ]
        items = [item for item in (sealed, granted) if item]
        writes += [*(Put(item, ABSENT) for item in items), *key_of_all(items)]
        writes += use_of_application(endpoint, +1)
        event = audited(
            endpoint, Action.CREATED, after=endpoint, secrets_entered=endpoint.secrets_set
        )
        one_more = Count(endpoint.organization_id, ENDPOINT_QUOTA, +1)
        try:
            self._transact([*writes, *connected, event, one_more])
        except TransactionRefused as refused:
            if 3 in refused.failed:
                raise NotFound("organization") from None
            # This id can only exist already by this request, or the one that it repeats.
            if current := refused.failed.get(0):
                return read_endpoint(current)
            if refused.failed.keys() <= {1, 2}:  # nothing else was in the way
                why = "was just deleted, or this release yanked"
                raise InvalidInput.at("/integration", why) from None
            raise
        return endpoint

    def replace(self, old: Endpoint, new: Endpoint, secrets: SecretChange) -> None:
        """Writes a new revision with its secrets, and counts it at its new release.

        Raises `TransactionRefused` if it was changed in between.
        """
        with_gone_applications(self._replace, endpoint_change(old, new, secrets))
        self._plans.drop_now(new.organization_id, new.id, new.revision)

    def get(self, organization_id: str, role: Role, endpoint_id: str) -> Endpoint:
        """Raises `NotFound` (SOURCE_NOT_FOUND, DESTINATION_NOT_FOUND)."""
        item = (
            self._table.get(endpoint_key(organization_id, endpoint_id))
            if is_id(id_prefix(role), endpoint_id)
            else None
        )
        if item is None:
            raise NotFound(role.value)
        return read_endpoint(item)

    def uses(self, organization_id: str, endpoint_id: str) -> int:
        """How many connections an endpoint has; 0 if it does not exist."""
        item = self._table.get(endpoint_key(organization_id, endpoint_id))
        return int(item["uses"]) if item else 0

    def page(
        self, organization_id: str, role: Role, query: EndpointQuery, now: datetime
    ) -> Listing[Endpoint]:
        """Oldest first. Raises `InvalidCursor`."""
        is_chosen = chosen_by(query)
        return self._lists.page(
            organization_id,
            query,
            now,
            read_endpoint,
            pk=organization_pk(organization_id),
            prefix=f"{id_prefix(role).upper()}#",
            keep=(lambda item: is_chosen(item) and has_text(query.q, item["name"]))
            if query.filters()
            else None,
        )

    def sources_of(
        self, organization_id: str, connections: Iterable[Connection]
    ) -> dict[str, Endpoint]:
        """The sources of connections by their ids, in one call for 100."""
        items = self.source_items(organization_id, connections)
        return {source_id: read_endpoint(item) for source_id, item in items.items()}

    def source_items(
        self, organization_id: str, connections: Iterable[Connection]
    ) -> dict[str, Item]:
        """As `sources_of`, as they are stored: to look at few of their attributes."""
        keys = {endpoint_key(organization_id, c.source_id) for c in connections}
        return {item["id"]: item for item in self._table.get_all(keys).values()}

    def delete(
        self, organization_id: str, role: Role, endpoint_id: str, if_match: IfMatch
    ) -> Endpoint:
        """Deletes an endpoint with its secrets, and returns what it was.

        Raises `NotFound`, `PreconditionFailed`, `Conflict` IN_USE.
        """

        def attempt() -> Endpoint:
            endpoint = self.get(organization_id, role, endpoint_id)
            require_match(if_match, endpoint.revision)
            try:
                event = audited(endpoint, Action.DELETED, before=endpoint)
                writes = [*endpoint_delete(endpoint, uses=0), event]
                with_gone_applications(self._transact, writes)
            except TransactionRefused as refused:
                current = refused.failed.get(0)
                if current and current["uses"] > 0:
                    raise Conflict(
                        f"The {role.value} is used by connections.",
                        "IN_USE",
                        used_by=self._ids_of_users(organization_id, endpoint_id),
                    ) from None
                raise
            return endpoint

        return serially(attempt)

    def _ids_of_users(self, organization_id: str, endpoint_id: str) -> list[str]:
        key = use_key(organization_id, endpoint_id, "")
        page = self._table.query(key.pk, prefix=key.sk, limit=_MAX_NAMED_USERS)
        return [user_of(item) for item in page.items]
