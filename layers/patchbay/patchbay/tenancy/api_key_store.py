"""API keys in the integrations table.

API key, listed      ORG#<org>         KEY#<key id>
API key, looked up   APIKEY#<prefix>   META           digest, permissions, expiry

Both have the id and the slug of the space that a key is for, if it is for one.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_text
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
    equals,
)
from patchbay.platform.errors import (
    InvalidInput,
    NotFound,
    TemporarilyUnavailable,
    Unauthenticated,
)
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import FIRST_REVISION, IfMatch, require_match
from patchbay.tenancy.access import OwnSpace, Permission, Principal
from patchbay.tenancy.api_keys import matches, mint, prefix_of
from patchbay.tenancy.fair_cache import FairCache
from patchbay.tenancy.keys import (
    API_KEYS,
    listed_key_key,
    lookup_key,
    organization_key,
    organization_pk,
    space_key,
)
from patchbay.tenancy.model import ApiKey, IssuedApiKey, NewApiKey
from patchbay.tenancy.quotas import API_KEY_QUOTA, Count, Quotas
from patchbay.tenancy.store import TenancyStore, not_own_space

CACHED_FOR: Final = timedelta(seconds=60)
"""How long a revoked key may still work."""

MAX_KNOWN: Final = 1000


class Holder(NamedTuple):
    """Who holds a key or a token, and until when that is known: at most until it expires.

    `space` is the slug that a token confines its holder to, until the space is looked up.
    """

    principal: Principal
    until: datetime | None
    space: str | None = None


class ApiKeyStore:
    """The API keys of organizations."""

    def __init__(self, table: Table, tenants: TenancyStore, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas
        self._tenants = tenants
        self._lists = Lists(table, CursorSeal(table))
        self._known: FairCache[str, Item] = FairCache(MAX_KNOWN)

    def issue_for(
        self, caller: Principal, organization_id: str, new: NewApiKey, stamp: Stamp
    ) -> IssuedApiKey:
        """A new key for a caller, with no permission that the caller lacks.

        A key can't issue one that expires later than itself, nor can the session of a sign-in link.
        A token can: its holder gets the next token anyway. Raises as `issue`, and
        `PermissionDenied`.
        """
        caller.require_all(new.permissions)
        session = caller.browser_session
        if session and is_id("sil", caller.subject):
            _require_earlier(new.expires_at, session.ends_at, "the end of your session")
        if not is_id("key", caller.subject):
            return self.issue(organization_id, new, caller.subject_in(organization_id), stamp)
        try:
            own = self.get(caller.organization_id, caller.subject)
        except NotFound:
            raise Unauthenticated from None
        if own.expires_at:
            _require_earlier(new.expires_at, own.expires_at, "the expiry of your own key")
        return self.issue(organization_id, new, caller.subject_in(organization_id), stamp, own)

    def issue(
        self,
        organization_id: str,
        new: NewApiKey,
        created_by: str,
        stamp: Stamp,
        issuer: ApiKey | None = None,
    ) -> IssuedApiKey:
        """A new key with its secret. Raises `NotFound`; `InvalidInput` for a past expiry;
        `InvalidInput` for a space that the organization doesn't have; `QuotaExceeded`, for which a
        key counts until it is revoked, even if it has expired.

        An authorizer may accept a key for a while after it was revoked. With `issuer`, the new key
        is created only if that key still exists; otherwise raises `Unauthenticated`.
        """
        self._tenants.organization(organization_id)
        if new.expires_at is not None and new.expires_at <= stamp.now:
            raise InvalidInput.at("/expires_at", "must be in the future")
        space = self._tenants.own_space(organization_id, new.space, "/space") if new.space else None
        minted = mint()
        key = ApiKey(
            id=stamp.id("key"),
            organization_id=organization_id,
            name=new.name,
            prefix=minted.prefix,
            permissions=sorted(set(new.permissions)),
            space=new.space,
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
        of_space = {"space": space.slug, "space_id": space.id} if space else {}
        # The listed item calls its expiry `valid_until`, because DynamoDB deletes by `expires_at`.
        listed = key.model_dump(mode="json", exclude={"expires_at"})
        issuer_exists = (
            [Check(listed_key_key(issuer.organization_id, issuer.id), PRESENT)] if issuer else []
        )
        space_exists = (
            [Check(space_key(organization_id, space.slug), equals("id", space.id))] if space else []
        )
        try:
            self._quotas.transact(
                [
                    Put({**lookup, **of_space}, ABSENT),
                    Put(
                        {
                            **listed_key_key(organization_id, key.id)._asdict(),
                            **listed,
                            **of_space,
                            "valid_until": lookup.get("valid_until"),
                        },
                        ABSENT,
                    ),
                    *issuer_exists,
                    *space_exists,
                    recorded(organization_id, Entity.API_KEY, key.id, Action.CREATED, after=key),
                    Count(organization_id, API_KEY_QUOTA, +1),
                ]
            )
        except TransactionRefused as refused:
            if issuer and 2 in refused.failed:
                raise Unauthenticated from None
            current = refused.failed.get(1)
            if current is None and new.space and 2 + len(issuer_exists) in refused.failed:
                raise not_own_space("/space") from None
            if current is None:
                raise TemporarilyUnavailable from None  # 36^8 prefixes: the next one is free
            if current["prefix"] != minted.prefix:
                # The first attempt of this request ended before it could return the secret.
                self.revoke(self.get(organization_id, key.id))
                return self.issue(organization_id, new, created_by, stamp, issuer)
        return IssuedApiKey(**key.model_dump(), key=minted.text)

    def page(self, organization_id: str, query: ListQuery, now: datetime) -> Listing[ApiKey]:
        return self._lists.page(
            organization_id,
            query,
            now,
            _api_key,
            pk=organization_pk(organization_id),
            prefix=API_KEYS,
        )

    def get(self, organization_id: str, key_id: str) -> ApiKey:
        """Raises `NotFound`."""
        item = (
            self._table.get(listed_key_key(organization_id, key_id))
            if is_id("key", key_id)
            else None
        )
        if item is None:
            raise NotFound("API key")
        return _api_key(item)

    def revoke_for(
        self, caller: Principal, organization_id: str, key_id: str, if_match: IfMatch
    ) -> None:
        """Revokes a key, unless it has a permission that the caller lacks.

        Raises as `revoke`, `PreconditionFailed`, and `PermissionDenied`.
        """
        key = self.get(organization_id, key_id)
        require_match(if_match, FIRST_REVISION)
        caller.require_all(key.permissions)
        self.revoke(key)

    def revoke(self, key: ApiKey) -> None:
        """Raises `NotFound`. An authorizer may still accept the key for up to 60 seconds."""
        self._known.drop(key.prefix)
        try:
            self._quotas.transact(
                [
                    Delete(listed_key_key(key.organization_id, key.id), PRESENT),
                    Delete(lookup_key(key.prefix)),
                    recorded(
                        key.organization_id, Entity.API_KEY, key.id, Action.DELETED, before=key
                    ),
                    Count(key.organization_id, API_KEY_QUOTA, -1),
                ]
            )
        except TransactionRefused:
            raise NotFound("API key") from None

    def delete_space(self, slug: str, if_match: IfMatch) -> None:
        """Deletes an empty space, and revokes the keys that are for it alone.

        No key of a space is accepted once the space is gone, even if this ends halfway. Raises as
        `TenancyStore.delete_space`.
        """
        space = self._tenants.delete_space(slug, if_match)
        pk = organization_pk(space.organization_id)
        for item in self._table.query_all(pk, prefix=API_KEYS):
            if item.get("space_id") == space.id:
                with suppress(NotFound):
                    self.revoke(_api_key(item))

    def holder(self, text: str, now: datetime) -> Holder | None:
        """Who holds this key, and until when; None if the key or its organization does not exist,
        or the key has expired."""
        prefix = prefix_of(text)
        known = self._look_up(prefix, now) if prefix else None
        if known is None or not matches(text, known[1]["digest"]):
            return None
        return self._holder(*known, now)

    def holder_of(self, prefix: str, key_id: str, now: datetime) -> Holder | None:
        """The same for a key that was shown before, by its prefix and its id."""
        known = self._look_up(prefix, now)
        if known is None or known[1]["key_id"] != key_id:
            return None
        return self._holder(*known, now)

    def _holder(self, until: datetime, item: Item, now: datetime) -> Holder | None:
        if "valid_until" in item:
            until = min(until, from_text(item["valid_until"]))
            if until <= now:
                return None
        space = OwnSpace(item["space_id"], item["space"]) if "space_id" in item else None
        if space and space != self._tenants.space_called(item["organization_id"], space.slug):
            return None
        principal = Principal(
            organization_id=item["organization_id"],
            subject=item["key_id"],
            permissions=frozenset(Permission(name) for name in item["permissions"]),
            space=space,
        )
        return Holder(principal, until)

    def _look_up(self, prefix: str, now: datetime) -> tuple[datetime, Item] | None:
        """The item of a prefix, read at most once a minute.

        A prefix is not secret, and guesses at its key need no key. Without this, a flood of them
        would use up the reads of the one partition that the key of their victim is in.
        """
        if known := self._known.get(prefix, now):
            return known
        item = self._table.get(lookup_key(prefix))
        if item is None:
            return None
        if self._table.get(organization_key(item["organization_id"])) is None:
            return None  # it is being erased
        until = now + CACHED_FOR
        self._known.put(prefix, item["organization_id"], until, item)
        return until, item


def _require_earlier(asked: datetime | None, until: datetime, what: str) -> None:
    if asked is None or asked > until:
        raise InvalidInput.at("/expires_at", f"must not be later than {what}, {to_text(until)}")


def _api_key(item: Item) -> ApiKey:
    return ApiKey.model_validate({**item, "expires_at": item["valid_until"]})
