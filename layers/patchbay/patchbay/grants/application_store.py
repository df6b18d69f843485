"""OAuth applications in the integrations table.

    OAuth application   ORG#<org>   OAPP#<integration id>     `uses` counts the grants that need it
    its secrets         ORG#<org>   SECRET#<application id>   sealed by the vault

What stores a grant of an application counts it there, in
one transaction, so no application that a grant needs is ever deleted.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from patchbay.connections.keys import APPLICATIONS, application_key, key_of, secret_key
from patchbay.grants.application_model import OAuthApplication, integration_of
from patchbay.grants.quotas import APPLICATION_QUOTA
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact
from patchbay.registry.keys import still_installable
from patchbay.tenancy.keys import organization_key, organization_pk
from patchbay.tenancy.quotas import Count, Quotas


class ApplicationStore:
    """The OAuth applications of organizations."""

    def __init__(self, table: Table, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas
        self._lists = Lists(table, CursorSeal(table))

    def create(self, new: OAuthApplication, sealed: Item | None, request: str) -> OAuthApplication:
        """Stores an application with its sealed secrets. `request` is the id of the request that
        makes it: repeated, it gets the one of the first time.

        Raises `NotFound` for an organization or an integration that does not exist, `Conflict` if
        there is one already, `QuotaExceeded`, and `TransactionRefused` if the data keys were
        rotated in between.
        """
        writes: list[Write] = [
            Put({**_item(new), "uses": 0, "made_by": request}, ABSENT),
            Check(organization_key(new.organization_id), PRESENT),
            still_installable(new.integration_id),
        ]
        if sealed:
            writes += [Put(sealed), key_of(sealed)]
        event = recorded(
            new.organization_id,
            Entity.OAUTH_APPLICATION,
            new.id,
            Action.CREATED,
            after=_audited(new),
            secrets_entered=new.secrets_set,
        )
        try:
            self._quotas.transact(
                [*writes, event, Count(new.organization_id, APPLICATION_QUOTA, +1)]
            )
        except TransactionRefused as refused:
            if 1 in refused.failed:
                raise NotFound("organization") from None
            if standing := refused.failed.get(0):
                if standing["made_by"] == request:
                    return read_application(standing)
                raise Conflict(
                    "The organization has an OAuth application of this integration already: "
                    "change that one.",
                    id=new.id,
                ) from None
            if 2 in refused.failed:
                raise NotFound("integration") from None
            raise
        return new

    def find(self, organization_id: str, integration_id: str) -> OAuthApplication | None:
        item = self._table.get(application_key(organization_id, integration_id))
        return None if item is None else read_application(item)

    def get(self, organization_id: str, id: str) -> OAuthApplication:
        """Raises `NotFound`."""
        integration_id = integration_of(id)
        found = self.find(organization_id, integration_id) if integration_id else None
        if found is None:
            raise NotFound("oauth application")
        return found

    def page(
        self, organization_id: str, query: ListQuery, now: datetime, redirect_uri: str
    ) -> Listing[OAuthApplication]:
        """Those of the oldest integrations first. Raises `InvalidCursor`."""
        return self._lists.page(
            organization_id,
            query,
            now,
            lambda item: read_application(item).at(redirect_uri),
            pk=organization_pk(organization_id),
            prefix=APPLICATIONS,
        )

    def replace(
        self,
        old: OAuthApplication,
        new: OAuthApplication,
        sealed: Item | None = None,
        entered: Iterable[str] = (),
    ) -> None:
        """Writes a new revision, with its secrets if they are others than before.

        Raises `TransactionRefused` if it was changed, or the data keys were rotated, in between,
        and `Conflict` IN_USE for another client while grants are of the old one.
        """
        is_another = new.client_id != old.client_id
        unchanged = equals("revision", old.revision)
        values = {name: value for name, value in _item(new).items() if name not in ("pk", "sk")}
        writes: list[Write] = [
            Update(
                application_key(old.organization_id, old.integration_id),
                values=values,
                condition=unchanged & equals("uses", 0) if is_another else unchanged,
            )
        ]
        if sealed:
            writes += [Put(sealed), key_of(sealed)]
        elif old.secrets_set and not new.secrets_set:
            writes.append(Delete(secret_key(old.organization_id, old.id)))
        event = recorded(
            old.organization_id,
            Entity.OAUTH_APPLICATION,
            old.id,
            Action.CHANGED,
            before=_audited(old),
            after=_audited(new),
            secrets_entered=entered,
        )
        try:
            self._table.transact([*writes, event])
        except TransactionRefused as refused:
            standing = refused.failed.get(0)
            if standing and is_another and standing["uses"] > 0:
                raise _in_use(standing, "another client id would end them") from None
            raise

    def delete(self, organization_id: str, id: str, if_match: IfMatch) -> None:
        """Raises `NotFound`, `PreconditionFailed`, and `Conflict` IN_USE while grants need it."""

        def attempt() -> None:
            old = self.get(organization_id, id)
            require_match(if_match, old.revision)
            event = recorded(
                organization_id,
                Entity.OAUTH_APPLICATION,
                id,
                Action.DELETED,
                before=_audited(old),
            )
            unused = equals("revision", old.revision) & equals("uses", 0)
            try:
                self._quotas.transact(
                    [
                        Delete(application_key(organization_id, old.integration_id), unused),
                        Delete(secret_key(organization_id, id)),
                        event,
                        Count(organization_id, APPLICATION_QUOTA, -1),
                    ]
                )
            except TransactionRefused as refused:
                standing = refused.failed.get(0)
                if standing and standing["uses"] > 0:
                    raise _in_use(standing, "without it they can't be refreshed") from None
                raise

        serially(attempt)


def _in_use(standing: Item, why: str) -> Conflict:
    uses = int(standing["uses"])
    counted = "1 grant" if uses == 1 else f"{uses} grants"
    return Conflict(f"The OAuth application is in use by {counted}: {why}.", "IN_USE", uses=uses)


def _audited(application: OAuthApplication) -> dict[str, Any]:
    """Without what is not its own: the address of the deployment, and how often it is used."""
    return application.model_dump(mode="json", exclude={"redirect_uri", "uses"})


def _item(application: OAuthApplication) -> Item:
    return {
        **application_key(application.organization_id, application.integration_id)._asdict(),
        **application.model_dump(mode="json", exclude={"redirect_uri", "uses"}),
        "variables": compact(application.variables).decode(),
        "revision": application.revision,
    }


def read_application(item: Item) -> OAuthApplication:
    return OAuthApplication.model_validate({**item, "variables": json.loads(item["variables"])})
