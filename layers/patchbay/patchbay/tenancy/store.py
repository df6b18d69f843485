"""Organizations and spaces in the integrations table.

    organization         ORG#<id>          META           in by_owner under ORGANIZATIONS
    space                ORG#<org>         SPACE#<slug>
    external id claim    EXTERNAL#<id>     CLAIM          organization
    slug claim           SLUG#<slug>       CLAIM          organization, space id; `retired` after
                                                          the organization was erased
    space by its id      SPACE#<id>        META           organization, slug
    link of a status page                                 see `patchbay.tenancy.status_tokens`
    mark of a pause      PAUSED            ORG#<id>       of an organization
    mark of a pause      PAUSED            SPACE#<id>     of a space
    counts               ORG#<org>         QUOTAS         see `patchbay.tenancy.quotas`

A space counts what is in it (`uses`): each write that puts something into a space adds one in the
same transaction, so a space in use is never deleted.

`paused` is an attribute of the organization or the space. What is paused has a mark beside it,
written and deleted in the same transaction, so that a sweep of monitors learns of all pauses by one
query. An organization that is being erased has one too (see `patchbay.erasure.store`).
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
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
from patchbay.platform.errors import (
    Conflict,
    InvalidInput,
    NotFound,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import Listing, ListQuery, Lists, has_text
from patchbay.platform.revisions import (
    FIRST_REVISION,
    IfMatch,
    changes_nothing,
    require_match,
    serially,
)
from patchbay.tenancy.access import OwnSpace, Permission, Principal, authorize
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import (
    ALL_ORGANIZATIONS,
    BY_OWNER,
    SPACES,
    external_id_key,
    organization_key,
    organization_pause_key,
    organization_pk,
    slug_claim_key,
    space_by_id_key,
    space_key,
    space_pause_key,
    status_link_key,
)
from patchbay.tenancy.model import (
    NewOrganization,
    NewSpace,
    Organization,
    OrganizationPatch,
    OrganizationQuery,
    Space,
    SpacePatch,
    StatusPage,
    changes,
)
from patchbay.tenancy.quotas import SPACE_QUOTA, Count, Counted, Quotas, first_counts
from patchbay.tenancy.wakes import Wake, wake_nobody

_WOKEN_AT_ONCE: Final = 1000
"""Spaces of an organization that goes on after a pause. Others are evaluated a little later."""


class TenancyStore:
    """Organizations and their spaces."""

    def __init__(self, table: Table, quotas: Quotas, wake: Wake = wake_nobody) -> None:
        self._table = table
        self._quotas = quotas
        self._wake = wake
        self._lists = Lists(table, CursorSeal(table))

    def create_organization(self, new: NewOrganization, stamp: Stamp) -> Organization:
        """Raises `Conflict` EXTERNAL_ID_TAKEN."""
        organization = Organization(
            id=stamp.id("org"),
            name=new.name,
            external_id=new.external_id,
            created_at=stamp.now,
        )
        item = {
            **organization_key(organization.id)._asdict(),
            **organization.model_dump(mode="json"),
            f"{BY_OWNER}_pk": ALL_ORGANIZATIONS,
            f"{BY_OWNER}_sk": organization.id,
        }
        made = recorded(
            organization.id,
            Entity.ORGANIZATION,
            organization.id,
            Action.CREATED,
            after=organization,
        )
        claims = _claims(organization, None)
        try:
            self._table.transact([Put(item, ABSENT), *claims, first_counts(organization.id), made])
        except TransactionRefused as refused:
            # This id can only exist already if this request repeats another.
            if claims and 0 not in refused.failed:
                raise _external_id_taken(refused.failed[1]) from None
        return organization

    def organization(self, organization_id: str) -> Organization:
        """Raises `NotFound`."""
        item = self._table.get(organization_key(organization_id))
        if item is None:
            raise NotFound("organization")
        return Organization.model_validate(item)

    def change_organization(
        self, organization_id: str, patch: OrganizationPatch, if_match: IfMatch, now: datetime
    ) -> Organization:
        """Raises `NotFound`, `PreconditionFailed`, `Conflict` EXTERNAL_ID_TAKEN."""

        def attempt() -> Organization:
            old = self.organization(organization_id)
            require_match(if_match, old.revision)
            given = changes(patch) | _resumption(old, patch, now)
            revision = old.revision + 1
            unchanged = equals("revision", old.revision)
            if old.revision == FIRST_REVISION:
                unchanged |= without("revision")  # from before organizations could be changed
            change = Update(
                organization_key(organization_id),
                values={**_stored(given), "revision": revision},
                condition=PRESENT & unchanged,
            )
            new = old.model_copy(update={**given, "revision": revision})
            if changes_nothing(old, new):
                return old
            event = recorded(
                old.id, Entity.ORGANIZATION, old.id, Action.CHANGED, before=old, after=new
            )
            if old.paused and not new.paused:
                self._wake(self._space_ids(old.id))
            claims = _claims(new, old.external_id)
            marks = _pause_writes(organization_pause_key(old.id), old, new)
            try:
                self._table.transact([change, *claims, event, *marks])
            except TransactionRefused as refused:
                if 0 in refused.failed or new.external_id is None:
                    raise
                raise _external_id_taken(refused.failed[1]) from None
            return new

        return serially(attempt)

    def organization_called(self, external_id: str) -> Organization | None:
        """The organization with this external id: two reads, whatever the number of all."""
        claim = self._table.get(external_id_key(external_id))
        item = self._table.get(organization_key(claim["organization_id"])) if claim else None
        found = Organization.model_validate(item) if item else None
        return found if found and found.external_id == external_id else None

    def organizations(
        self, caller: Principal, query: OrganizationQuery, now: datetime
    ) -> Listing[Organization]:
        """Oldest first. Raises `InvalidCursor`."""
        if query.external_id is not None:
            scope = Lists.scope(caller.organization_id, "EXTERNAL#", "", query)
            self._lists.position(query, scope, now)  # such a list has no second page
            found = self.organization_called(query.external_id)
            items = [found] if found and has_text(query.q, found.name) else []
            return Listing(items=items, next_cursor=None)
        return self._lists.page(
            caller.organization_id,
            query,
            now,
            Organization.model_validate,
            pk=ALL_ORGANIZATIONS,
            index=BY_OWNER,
            keep=(lambda item: has_text(query.q, item["name"])) if query.q else None,
        )

    def create_space(self, organization_id: str, new: NewSpace, stamp: Stamp) -> Space:
        """Raises `Conflict` SLUG_TAKEN: a slug belongs to one space of the whole deployment; and
        `QuotaExceeded`."""
        self.organization(organization_id)
        space = Space(
            id=stamp.uuid(),
            organization_id=organization_id,
            slug=new.slug,
            name=new.name,
            created_at=stamp.now,
            updated_at=stamp.now,
            revision=1,
        )
        owner = {"organization_id": organization_id, "space_id": space.id, "slug": space.slug}
        writes: list[Counted] = [
            Put({**slug_claim_key(space.slug)._asdict(), **owner}, ABSENT),
            Put({**space_key(organization_id, space.slug)._asdict(), **_space_item(space)}, ABSENT),
            Put({**space_by_id_key(space.id)._asdict(), **owner}, ABSENT),
            recorded(organization_id, Entity.SPACE, space.id, Action.CREATED, after=space),
            Count(organization_id, SPACE_QUOTA, +1),
        ]
        try:
            self._quotas.transact(writes)
        except TransactionRefused as refused:
            if any(item and item.get("space_id") == space.id for item in refused.failed.values()):
                return space  # written by this request, or by the one that it repeats
            raise _slug_taken(space.slug) from None
        return space

    def require_free(self, slug: str) -> None:
        """Raises `Conflict` SLUG_TAKEN. Another request may still take the slug after this."""
        if self._table.get(slug_claim_key(slug)):
            raise _slug_taken(slug)

    def spaces(self, organization_id: str, query: ListQuery, now: datetime) -> Listing[Space]:
        return self._lists.page(
            organization_id,
            query,
            now,
            _space,
            pk=organization_pk(organization_id),
            prefix=SPACES,
        )

    def _space_ids(self, organization_id: str) -> list[str]:
        """The ids of up to `_WOKEN_AT_ONCE` spaces of an organization."""
        items = self._table.query_all(
            organization_pk(organization_id), prefix=SPACES, attributes=("id",)
        )
        return [item["id"] for item in islice(items, _WOKEN_AT_ONCE)]

    def oldest_space(self, organization_id: str) -> Space | None:
        """The space of things whose creator does not name one; None if there are no spaces."""
        items = self._table.query_all(organization_pk(organization_id), prefix=SPACES)
        return min(map(_space, items), key=lambda s: (s.created_at, s.slug), default=None)

    def space(self, slug: str) -> Space:
        """The space of a slug, of any organization: the caller authorizes. Raises `NotFound`."""
        claim = self._table.get(slug_claim_key(slug))
        owner = claim.get("organization_id") if claim else None
        item = self._table.get(space_key(owner, slug)) if owner else None
        if item is None:
            raise NotFound("space")
        return _space(item)

    def own_space(self, organization_id: str, slug: str, pointer: str) -> Space:
        """A space of this organization. Raises `InvalidInput` at `pointer`, where it was named."""
        try:
            space = self.space(slug)
        except NotFound:
            space = None
        if space is None or space.organization_id != organization_id:
            raise not_own_space(pointer)
        return space

    def listed_space(
        self, caller: Principal, organization_id: str, slug: str | None, pointer: str
    ) -> Space | None:
        """The space that a list is narrowed to, by its filter or because the caller has only one.

        Raises as `own_space`, and as `space_for`.
        """
        if caller.space is None:
            return self.own_space(organization_id, slug, pointer) if slug else None
        if slug not in (None, caller.space.slug):
            raise not_own_space(pointer)
        return self.space_for(caller, Permission.READ, caller.space.slug)

    def space_called(self, organization_id: str, slug: str) -> OwnSpace | None:
        """The space that has this slug now, if it is one of the organization."""
        item = self._table.get(space_key(organization_id, slug))
        return OwnSpace(item["id"], slug) if item else None

    def space_for(self, caller: Principal, permission: Permission, slug: str) -> Space:
        """The space of a slug, if the caller has the permission for it.

        Raises `PermissionDenied`, and `NotFound` for another tenant's space, as for none, and for
        any but its own if the caller has only one.
        """
        space = self.space(slug)
        authorize(caller, permission, space.organization_id, "space", space.id)
        return space

    def space_by_id(self, space_id: str) -> Space | None:
        """The space of an id, of any organization: the caller authorizes."""
        item = self._table.get(space_by_id_key(space_id))
        if item is None:
            return None
        found = self._table.get(space_key(item["organization_id"], item["slug"]))
        return _space(found) if found and found["id"] == space_id else None

    def change_space(self, slug: str, patch: SpacePatch, if_match: IfMatch, now: datetime) -> Space:
        """Raises `NotFound`, `PreconditionFailed`."""

        def attempt() -> Space:
            old = self.space(slug)
            require_match(if_match, old.revision)
            given = changes(patch) | _resumption(old, patch, now)
            if patch.status_page is not None:
                given["status_page"] = old.status_page.changed(patch.status_page)
            new = old.model_copy(update={**given, "updated_at": now, "revision": old.revision + 1})
            if changes_nothing(old, new):
                return old
            change = Update(
                space_key(old.organization_id, slug),
                values={**_stored(given), "updated_at": to_text(now), "revision": new.revision},
                condition=equals("id", old.id) & equals("revision", old.revision),
            )
            event = recorded(
                old.organization_id, Entity.SPACE, old.id, Action.CHANGED, before=old, after=new
            )
            if old.paused and not new.paused:
                self._wake([old.id])
            try:
                marks = _pause_writes(space_pause_key(old.id), old, new)
                self._table.transact([change, *_link_writes(old, new), event, *marks])
            except TransactionRefused:
                if self._table.get(organization_key(old.organization_id)) is None:
                    raise NotFound("space") from None  # it is being erased
                raise
            return new

        return serially(attempt)

    def delete_space(self, slug: str, if_match: IfMatch) -> Space:
        """Returns what it was. Raises `NotFound`, `PreconditionFailed`, and `Conflict` IN_USE if it
        is not empty."""

        def attempt() -> Space:
            space = self.space(slug)
            require_match(if_match, space.revision)
            of_space = equals("space_id", space.id)
            try:
                self._quotas.transact(
                    [
                        Delete(
                            space_key(space.organization_id, slug),
                            equals("revision", space.revision) & equals("uses", 0),
                        ),
                        Delete(slug_claim_key(slug), of_space),
                        Delete(space_by_id_key(space.id), of_space),
                        *_link_writes(space, None),
                        Delete(space_pause_key(space.id)),
                        recorded(
                            space.organization_id,
                            Entity.SPACE,
                            space.id,
                            Action.DELETED,
                            before=space,
                        ),
                        Count(space.organization_id, SPACE_QUOTA, -1),
                    ]
                )
            except TransactionRefused as refused:
                current = refused.failed.get(0)
                if current and current["uses"] > 0:
                    raise Conflict(
                        "The space still has connections, integrations, or alert rules: "
                        "delete them first.",
                        "IN_USE",
                        uses=current["uses"],
                    ) from None
                raise
            return space

        return serially(attempt)


def not_own_space(pointer: str) -> InvalidInput:
    """For a slug of something else, or of nothing, at its pointer."""
    return InvalidInput.at(pointer, "is not the slug of a space of this organization")


def _resumption(
    old: Organization | Space, patch: OrganizationPatch | SpacePatch, now: datetime
) -> dict[str, Any]:
    """The end of a pause: nothing else restarts the wait for successes."""
    return {"resumed_at": now} if old.paused and patch.paused is False else {}


def _pause_writes[T: (Organization, Space)](mark: Key, old: T, new: T) -> list[Write]:
    """The writes by which the mark of a pause begins or ends with it."""
    if old.paused == new.paused:
        return []
    return [Put(mark._asdict()) if new.paused else Delete(mark)]


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _stored_value(value) for name, value in fields.items()}


def _stored_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_text(value)
    return value.stored() if isinstance(value, StatusPage) else value


def _link_writes(old: Space, new: Space | None) -> list[Write]:
    """The writes that follow the link of a status page; `new` is None for a space that goes.

    A link has the revision since which its page shows the same, so that readers need not look at
    the space. It is made only while its organization exists: an erasure, which begins with the end
    of that, finds every link by the space.
    """
    before, after = old.status_page.token, new.status_page.token if new else None
    writes: list[Write] = []
    if before is not None and before != after:
        writes.append(Delete(status_link_key(digest(before))))
    if new is None or after is None:
        return writes
    if before == after and (old.name, old.status_page) == (new.name, new.status_page):
        return writes
    link = {
        **status_link_key(digest(after))._asdict(),
        "organization_id": new.organization_id,
        "space_id": new.id,
        "slug": new.slug,
        "revision": new.revision,
    }
    writes.append(Put(link, PRESENT if before == after else ABSENT))
    writes.append(Check(organization_key(new.organization_id), PRESENT))
    return writes


def _claims(organization: Organization, before: str | None) -> list[Write]:
    """The writes that claim the external id of an organization, and free the one it had before;
    the claim comes first. A claim of its own is never in the way, nor is one that is missing."""
    wanted, own = organization.external_id, equals("organization_id", organization.id)
    if wanted == before:
        return []
    writes: list[Write] = []
    if wanted is not None:
        item = {**external_id_key(wanted)._asdict(), "organization_id": organization.id}
        writes.append(Put(item, ABSENT | own))
    if before is not None:
        writes.append(Delete(external_id_key(before), ABSENT | own))
    return writes


def _external_id_taken(claim: Item | None) -> Conflict:
    """Who has it is for the operator to know, who alone names organizations."""
    return Conflict(
        "Another organization has this external_id: change it there first, or choose another.",
        "EXTERNAL_ID_TAKEN",
        organization_id=claim["organization_id"] if claim else None,
    )


def _slug_taken(slug: str) -> Conflict:
    return Conflict("This slug is taken.", "SLUG_TAKEN", slug=slug)


def _space_item(space: Space) -> dict[str, Any]:
    item = space.model_dump(mode="json", exclude={"status_page"})
    return {**item, "space_id": space.id, "revision": space.revision, "uses": 0}


def _space(item: Item) -> Space:
    return Space.model_validate(item)
