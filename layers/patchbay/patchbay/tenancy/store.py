"""Tenants in the integrations table.

    organization         ORG#<id>          META           in by_owner under ORGANIZATIONS
    space                ORG#<org>         SPACE#<slug>
    slug claim           SLUG#<slug>       CLAIM          organization, space id
    space by its id      SPACE#<id>        META           organization, slug
    API key, listed      ORG#<org>         KEY#<key id>
    API key, looked up   APIKEY#<prefix>   META           digest, permissions, expiry

A space counts what is in it (`uses`): whoever puts something into a space adds one in the same
transaction, so that a space in use is never deleted, whoever comes first.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_text
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
    equals,
    without,
)
from patchbay.platform.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    TemporarilyUnavailable,
    Unauthenticated,
)
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import FIRST_REVISION, IfMatch, require_match, serially
from patchbay.tenancy.access import Permission, Principal, authorize
from patchbay.tenancy.api_keys import matches, mint, prefix_of
from patchbay.tenancy.model import (
    ApiKey,
    IssuedApiKey,
    NewApiKey,
    NewOrganization,
    NewSpace,
    Organization,
    OrganizationPatch,
    Space,
    SpacePatch,
    changes,
)

ALL_ORGANIZATIONS = "ORGANIZATIONS"


def organization_pk(organization_id: str) -> str:
    return f"ORG#{organization_id}"


def organization_key(organization_id: str) -> Key:
    return Key(organization_pk(organization_id), "META")


def space_key(organization_id: str, slug: str) -> Key:
    return Key(organization_pk(organization_id), f"SPACE#{slug}")


def slug_claim_key(slug: str) -> Key:
    return Key(f"SLUG#{slug}", "CLAIM")


def space_by_id_key(space_id: str) -> Key:
    return Key(f"SPACE#{space_id}", "META")


def listed_key_key(organization_id: str, key_id: str) -> Key:
    return Key(organization_pk(organization_id), f"KEY#{key_id}")


def lookup_key(prefix: str) -> Key:
    return Key(f"APIKEY#{prefix}", "META")


def use_of_space(space: Space, change: int) -> Update:
    """Counts one more (+1) or one less (-1) thing in a space; part of the thing's transaction."""
    return Update(
        space_key(space.organization_id, space.slug),
        add={"uses": change},
        condition=PRESENT & equals("id", space.id),
    )


class Holder(NamedTuple):
    """Who holds a key, and when it expires."""

    principal: Principal
    until: datetime | None


class TenancyStore:
    """Organizations, spaces and API keys."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def create_organization(self, new: NewOrganization, stamp: Stamp) -> Organization:
        organization = Organization(id=stamp.id("org"), name=new.name, created_at=stamp.now)
        item = {
            **organization_key(organization.id)._asdict(),
            **organization.model_dump(mode="json"),
            "by_owner_pk": ALL_ORGANIZATIONS,
            "by_owner_sk": organization.id,
        }
        made = recorded(
            organization.id,
            Entity.ORGANIZATION,
            organization.id,
            Action.CREATED,
            after=organization,
        )
        # This id can only be there already by the request that this one repeats.
        with suppress(TransactionRefused):
            self._table.transact([Put(item, ABSENT), made])
        return organization

    def organization(self, organization_id: str) -> Organization:
        """Raises `NotFound`."""
        item = self._table.get(organization_key(organization_id))
        if item is None:
            raise NotFound("organization")
        return Organization.model_validate(item)

    def change_organization(
        self, organization_id: str, patch: OrganizationPatch, if_match: IfMatch
    ) -> Organization:
        """Raises `NotFound`, `PreconditionFailed`."""

        def attempt() -> Organization:
            old = self.organization(organization_id)
            require_match(if_match, old.revision)
            said = changes(patch)
            revision = old.revision + 1
            standing = equals("revision", old.revision)
            if old.revision == FIRST_REVISION:
                standing |= without("revision")  # of before organizations could be changed
            change = Update(
                organization_key(organization_id),
                values={**said, "revision": revision},
                condition=PRESENT & standing,
            )
            new = old.model_copy(update={**said, "revision": revision})
            told = recorded(
                old.id, Entity.ORGANIZATION, old.id, Action.CHANGED, before=old, after=new
            )
            self._table.transact([change, told])
            return new

        return serially(attempt)

    def organizations(
        self, caller: Principal, query: ListQuery, now: datetime
    ) -> Listing[Organization]:
        return self._lists.page(
            caller.organization_id,
            query,
            now,
            Organization.model_validate,
            pk=ALL_ORGANIZATIONS,
            index="by_owner",
        )

    def create_space(self, organization_id: str, new: NewSpace, stamp: Stamp) -> Space:
        """Raises `Conflict` SLUG_TAKEN: a slug belongs to one space of the whole deployment."""
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
        writes = [
            Put({**slug_claim_key(space.slug)._asdict(), **owner}, ABSENT),
            Put({**space_key(organization_id, space.slug)._asdict(), **_space_item(space)}, ABSENT),
            Put({**space_by_id_key(space.id)._asdict(), **owner}, ABSENT),
            recorded(organization_id, Entity.SPACE, space.id, Action.CREATED, after=space),
        ]
        try:
            self._table.transact(writes)
        except TransactionRefused as refused:
            if any(item and item.get("space_id") == space.id for item in refused.failed.values()):
                return space  # our own write, of this request or the one that it repeats
            raise _slug_taken(space.slug) from None
        return space

    def require_free(self, slug: str) -> None:
        """Raises `Conflict` SLUG_TAKEN; free now may be taken when it is claimed."""
        if self._table.get(slug_claim_key(slug)):
            raise _slug_taken(slug)

    def spaces(self, organization_id: str, query: ListQuery, now: datetime) -> Listing[Space]:
        return self._lists.page(
            organization_id,
            query,
            now,
            _space,
            pk=organization_pk(organization_id),
            prefix="SPACE#",
        )

    def oldest_space(self, organization_id: str) -> Space | None:
        """Where things go whose maker knows of no spaces; None if there is none."""
        items = self._table.query_all(organization_pk(organization_id), prefix="SPACE#")
        return min(map(_space, items), key=lambda s: (s.created_at, s.slug), default=None)

    def space(self, slug: str) -> Space:
        """The space of a slug, whoever owns it: the caller authorizes. Raises `NotFound`."""
        claim = self._table.get(slug_claim_key(slug))
        item = self._table.get(space_key(claim["organization_id"], slug)) if claim else None
        if item is None:
            raise NotFound("space")
        return _space(item)

    def own_space(self, organization_id: str, slug: str, pointer: str) -> Space:
        """A space of this organization. Raises `InvalidInput` at `pointer`, which named it."""
        try:
            space = self.space(slug)
        except NotFound:
            space = None
        if space is None or space.organization_id != organization_id:
            raise InvalidInput.at(pointer, "is not a space of this organization")
        return space

    def space_for(self, caller: Principal, permission: Permission, slug: str) -> Space:
        """The space of a slug, if the caller may do this to it.

        Raises `PermissionDenied`, and the same `NotFound` for what is another tenant's.
        """
        space = self.space(slug)
        authorize(caller, permission, space.organization_id, "space")
        return space

    def space_by_id(self, space_id: str) -> Space | None:
        """The space of an id, whoever owns it: the caller authorizes."""
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
            said = changes(patch)
            new = old.model_copy(update={**said, "updated_at": now, "revision": old.revision + 1})
            change = Update(
                space_key(old.organization_id, slug),
                values={**said, "updated_at": to_text(now), "revision": new.revision},
                condition=equals("id", old.id) & equals("revision", old.revision),
            )
            told = recorded(
                old.organization_id, Entity.SPACE, old.id, Action.CHANGED, before=old, after=new
            )
            self._table.transact([change, told])
            return new

        return serially(attempt)

    def delete_space(self, slug: str, if_match: IfMatch) -> None:
        """Raises `NotFound`, `PreconditionFailed`, and `Conflict` IN_USE if anything is in it."""

        def attempt() -> None:
            space = self.space(slug)
            require_match(if_match, space.revision)
            of_space = equals("space_id", space.id)
            try:
                self._table.transact(
                    [
                        Delete(
                            space_key(space.organization_id, slug),
                            equals("revision", space.revision) & equals("uses", 0),
                        ),
                        Delete(slug_claim_key(slug), of_space),
                        Delete(space_by_id_key(space.id), of_space),
                        recorded(
                            space.organization_id,
                            Entity.SPACE,
                            space.id,
                            Action.DELETED,
                            before=space,
                        ),
                    ]
                )
            except TransactionRefused as refused:
                standing = refused.failed.get(0)
                if standing and standing["uses"] > 0:
                    raise Conflict(
                        "The space still holds integrations or connections.",
                        "IN_USE",
                        uses=standing["uses"],
                    ) from None
                raise

        serially(attempt)

    def issue_key_for(
        self, caller: Principal, organization_id: str, new: NewApiKey, stamp: Stamp
    ) -> IssuedApiKey:
        """A new key of a caller, which may do no more and live no longer than the caller's own.

        A token has no say in the time: it is its holder who may do this, and who gets the next one.
        Raises as `issue_key`, and `PermissionDenied`.
        """
        caller.require_all(new.permissions)
        if not is_id("key", caller.subject):
            return self.issue_key(organization_id, new, caller.subject, stamp)
        try:
            own = self.key(caller.organization_id, caller.subject)
        except NotFound:
            raise Unauthenticated from None
        if own.expires_at and (new.expires_at is None or new.expires_at > own.expires_at):
            until = to_text(own.expires_at)
            raise InvalidInput.at(
                "/expires_at", f"may not be later than the end of your own key, {until}"
            )
        return self.issue_key(organization_id, new, own.id, stamp, own)

    def issue_key(
        self,
        organization_id: str,
        new: NewApiKey,
        created_by: str,
        stamp: Stamp,
        issuer: ApiKey | None = None,
    ) -> IssuedApiKey:
        """A new key with its secret. Raises `NotFound`; `InvalidInput` for a past expiry.

        An authorizer may remember a key for a while after it was revoked; with `issuer` the new one
        is made only if that key still is there: raises `Unauthenticated`.
        """
        self.organization(organization_id)
        if new.expires_at is not None and new.expires_at <= stamp.now:
            raise InvalidInput.at("/expires_at", "must be in the future")
        minted = mint()
        key = ApiKey(
            id=stamp.id("key"),
            organization_id=organization_id,
            name=new.name,
            prefix=minted.prefix,
            permissions=sorted(set(new.permissions)),
            created_by=created_by,
            created_at=stamp.now,
            expires_at=new.expires_at,
        )
        lookup: Item = {
            **lookup_key(minted.prefix)._asdict(),
            "organization_id": organization_id,
            "key_id": key.id,
            "digest": minted.digest,
            "permissions": list(key.permissions),
        }
        if key.expires_at:
            lookup |= {
                "valid_until": to_text(key.expires_at),
                "expires_at": epoch_seconds(key.expires_at),
            }
        # The listed item calls its expiry `valid_until`: `expires_at` is what DynamoDB deletes by.
        listed = key.model_dump(mode="json", exclude={"expires_at"})
        standing_issuer = (
            [Check(listed_key_key(issuer.organization_id, issuer.id), PRESENT)] if issuer else []
        )
        try:
            self._table.transact(
                [
                    Put(lookup, ABSENT),
                    Put(
                        {
                            **listed_key_key(organization_id, key.id)._asdict(),
                            **listed,
                            "valid_until": lookup.get("valid_until"),
                        },
                        ABSENT,
                    ),
                    *standing_issuer,
                    recorded(organization_id, Entity.API_KEY, key.id, Action.CREATED, after=key),
                ]
            )
        except TransactionRefused as refused:
            if issuer and 2 in refused.failed:
                raise Unauthenticated from None
            standing = refused.failed.get(1)
            if standing is None:
                raise TemporarilyUnavailable from None  # 36^8 prefixes: the next one is free
            if standing["prefix"] != minted.prefix:
                # The first attempt of this request ended before it could tell its secret.
                self.revoke_key(self.key(organization_id, key.id))
                return self.issue_key(organization_id, new, created_by, stamp, issuer)
        return IssuedApiKey(**key.model_dump(), key=minted.text)

    def keys(self, organization_id: str, query: ListQuery, now: datetime) -> Listing[ApiKey]:
        return self._lists.page(
            organization_id,
            query,
            now,
            _api_key,
            pk=organization_pk(organization_id),
            prefix="KEY#",
        )

    def key(self, organization_id: str, key_id: str) -> ApiKey:
        """Raises `NotFound`."""
        item = (
            self._table.get(listed_key_key(organization_id, key_id))
            if is_id("key", key_id)
            else None
        )
        if item is None:
            raise NotFound("API key")
        return _api_key(item)

    def revoke_key_for(
        self, caller: Principal, organization_id: str, key_id: str, if_match: IfMatch
    ) -> None:
        """A caller may revoke a key that has no permission that the caller lacks.

        Raises as `revoke_key`, `PreconditionFailed`, and `PermissionDenied`.
        """
        key = self.key(organization_id, key_id)
        require_match(if_match, FIRST_REVISION)
        caller.require_all(key.permissions)
        self.revoke_key(key)

    def revoke_key(self, key: ApiKey) -> None:
        """Raises `NotFound`. An authorizer may still remember the key for up to 60 seconds."""
        try:
            self._table.transact(
                [
                    Delete(listed_key_key(key.organization_id, key.id), PRESENT),
                    Delete(lookup_key(key.prefix)),
                    recorded(
                        key.organization_id, Entity.API_KEY, key.id, Action.DELETED, before=key
                    ),
                ]
            )
        except TransactionRefused:
            raise NotFound("API key") from None

    def holder_of_key(self, text: str, now: datetime) -> Holder | None:
        """Who holds this key, and until when; None if there is no such key, or it has expired."""
        prefix = prefix_of(text)
        item = self._table.get(lookup_key(prefix)) if prefix else None
        if item is None or not matches(text, item["digest"]):
            return None
        until = from_text(item["valid_until"]) if "valid_until" in item else None
        if until is not None and until <= now:
            return None
        principal = Principal(
            organization_id=item["organization_id"],
            subject=item["key_id"],
            permissions=frozenset(Permission(name) for name in item["permissions"]),
        )
        return Holder(principal, until)


def _slug_taken(slug: str) -> Conflict:
    return Conflict("This slug is taken.", "SLUG_TAKEN", slug=slug)


def _space_item(space: Space) -> dict[str, Any]:
    item = space.model_dump(mode="json")
    return {**item, "space_id": space.id, "revision": space.revision, "uses": 0}


def _space(item: Item) -> Space:
    return Space.model_validate(item)


def _api_key(item: Item) -> ApiKey:
    return ApiKey.model_validate({**item, "expires_at": item["valid_until"]})
