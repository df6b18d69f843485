"""Closes an organization for its erasure: from then on nothing of it can be reached.

The organization's own item is deleted, and the record of the erasure takes its place, in one
transaction. Keys, tokens, and requests look for that item, and so do the transactions that create
things. The claims of its spaces, which events and alerts are found by, are retired right after it.
"""

from contextlib import suppress
from datetime import datetime
from typing import Final

from patchbay.erasure.model import Erasure
from patchbay.erasure.store import ErasureStore
from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Delete,
    Item,
    Table,
    equals,
    without,
)
from patchbay.platform.errors import Conflict, InvalidInput, NotFound
from patchbay.platform.revisions import FIRST_REVISION, IfMatch, require_match, serially
from patchbay.registry.keys import all_integrations_pks
from patchbay.registry.release_uses import uses_of_integration
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import (
    API_KEYS,
    BY_OWNER,
    SPACES,
    lookup_key,
    organization_key,
    organization_pk,
    retired,
    slug_claim_key,
    space_by_id_key,
    status_link_key,
)
from patchbay.tenancy.store import TenancyStore

CLOSED_AT_ONCE: Final = 100
"""Spaces and keys that the request itself closes; the eraser closes the others, within a minute."""

OPERATOR_ORGANIZATION: Final = "OPERATOR_ORGANIZATION"


class OrganizationCloser:
    """Accepts the erasure of organizations."""

    def __init__(self, table: Table, tenants: TenancyStore, erasures: ErasureStore) -> None:
        self._table = table
        self._tenants = tenants
        self._erasures = erasures

    def close(
        self,
        caller: Principal,
        organization_id: str,
        confirm: str,
        if_match: IfMatch,
        now: datetime,
    ) -> Erasure:
        """Closes an organization, and queues its erasure; a repetition returns the erasure.

        Raises `InvalidInput` for another `confirm`, `NotFound`, `PreconditionFailed`, and
        `Conflict`: OPERATOR_ORGANIZATION for one that operates this deployment, IN_USE while other
        organizations use its integrations.
        """
        if confirm != organization_id:
            raise InvalidInput.at("/query/confirm", "must be the id of the organization")
        if organization_id == caller.organization_id:
            raise Conflict(
                "The organization of your own key can't be erased.", OPERATOR_ORGANIZATION
            )

        def attempt() -> Erasure:
            try:
                return self._erasures.erasure(organization_id)
            except NotFound:
                pass
            organization = self._tenants.organization(organization_id)
            require_match(if_match, organization.revision)
            self._require_tenant(organization_id, now)
            self._require_unused(organization_id)
            unchanged = equals("revision", organization.revision)
            if organization.revision == FIRST_REVISION:
                unchanged |= without("revision")
            gone = Delete(organization_key(organization_id), PRESENT & unchanged)
            return self._erasures.accept(organization, gone, now)

        erasure = serially(attempt)
        self._close_parts(organization_id)
        return erasure

    def _require_tenant(self, organization_id: str, now: datetime) -> None:
        """Raises `Conflict` if the organization has keys of an operator."""
        keys = self._table.query_all(organization_pk(organization_id), prefix=API_KEYS)
        admin = [
            key["id"]
            for key in keys
            if Permission.ADMIN in key["permissions"]
            and (key["valid_until"] is None or from_text(key["valid_until"]) > now)
        ]
        if admin:
            raise Conflict(
                f"The organization has API keys with {Permission.ADMIN}: revoke them first.",
                OPERATOR_ORGANIZATION,
                keys=len(admin),
            )

    def _require_unused(self, organization_id: str) -> None:
        """Raises `Conflict` IN_USE if others have endpoints of its integrations. It does not say
        who: that is for nobody to know."""
        uses: dict[str, int] = {}
        for pk in all_integrations_pks(organization_id):
            for item in self._table.query_all(pk, index=BY_OWNER, attributes=("id",)):
                uses[item["id"]] = uses_of_integration(self._table, item["id"])
        if not any(uses.values()):
            return
        for prefix in ("SRC#", "DST#"):
            for endpoint in self._table.query_all(
                organization_pk(organization_id), prefix=prefix, attributes=("integration_id",)
            ):
                if endpoint["integration_id"] in uses:
                    uses[endpoint["integration_id"]] -= 1
        used = {integration_id: count for integration_id, count in uses.items() if count > 0}
        if used:
            raise Conflict(
                "Other organizations have sources or destinations of its integrations.",
                "IN_USE",
                integrations=sorted(used),
                endpoints=sum(used.values()),
            )

    def _close_parts(self, organization_id: str) -> None:
        pk = organization_pk(organization_id)
        keys = self._table.query(pk, prefix=API_KEYS, limit=CLOSED_AT_ONCE, attributes=("prefix",))
        for item in keys.items:
            close_key(self._table, item)
        spaces = self._table.query(
            pk, prefix=SPACES, limit=CLOSED_AT_ONCE, attributes=("id", "slug", "status_page")
        )
        for item in spaces.items:
            close_space(self._table, item)


def close_key(table: Table, item: Item) -> None:
    """No authorizer that has not read the key in the last minute finds it any more."""
    table.write(Delete(lookup_key(item["prefix"])))


def close_space(table: Table, item: Item) -> None:
    """Nobody finds the space by its slug, its id, or the link of its status page any more; the slug
    stays taken."""
    if token := item.get("status_page", {}).get("token"):
        table.write(Delete(status_link_key(digest(token))))
    own = equals("space_id", item["id"])
    with suppress(ConditionFailed):  # it is retired
        table.write(retired(slug_claim_key(item["slug"]), own))
    table.write(Delete(space_by_id_key(item["id"])))
