"""Sign-in links: a back end gives a person a signed-in dashboard, and the person sees no key.

    sign-in link           SIGNIN#<SHA-256 of its code>   META
    sign-in link, listed   ORG#<org>                      SIGNIN#<link id>

The code is in the fragment of the address, which no browser sends to a server. It is found by its
hash, as keys are, and is deleted in the transaction of the session that it begins: it works once.
"""

import re
import secrets
from datetime import datetime, timedelta
from typing import Final

from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
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
from patchbay.platform.errors import InvalidInput, NotFound, TemporarilyUnavailable, Unauthenticated
from patchbay.platform.ids import Stamp, is_id
from patchbay.tenancy.access import OwnSpace, Permission, Principal
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.browser_session_model import (
    IssuedSignInLink,
    NewSignInLink,
    SignInLink,
    SignInWay,
)
from patchbay.tenancy.browser_sessions import BrowserSessions, FollowedKey, NewSession
from patchbay.tenancy.keys import listed_sign_in_link_key, organization_key, sign_in_code_key
from patchbay.tenancy.store import TenancyStore

PAGE: Final = "/app/sign-in"
"""The page of the dashboard that takes a code."""

_CODE: Final = re.compile(r"pbl_[A-Za-z0-9_-]{43}")


class SignInLinks:
    """The links of all organizations that nobody has used yet."""

    def __init__(
        self,
        table: Table,
        tenants: TenancyStore,
        keys: ApiKeyStore,
        sessions: BrowserSessions,
    ) -> None:
        self._table = table
        self._tenants = tenants
        self._keys = keys
        self._sessions = sessions

    def issue_for(
        self,
        caller: Principal,
        organization_id: str,
        new: NewSignInLink,
        stamp: Stamp,
        public_url: str,
    ) -> IssuedSignInLink:
        """A new link, with no permission that the caller lacks.

        What it begins ends with the caller's key, or with the caller's own session, if that is
        sooner. Raises `PermissionDenied`, `NotFound`, and `InvalidInput` for a space that the
        organization doesn't have, and for a permission that no session of a browser has.
        """
        if Permission.USE in new.permissions:
            at = new.permissions.index(Permission.USE)
            raise InvalidInput.at(
                f"/permissions/{at}", "can't be held by a browser: issue an API key for it"
            )
        if new.space and Permission.ADMIN in new.permissions:
            raise InvalidInput.at("/space", f"can't be combined with {Permission.ADMIN}")
        caller.require_all(new.permissions)
        self._tenants.organization(organization_id)
        space = self._tenants.own_space(organization_id, new.space, "/space") if new.space else None
        followed, ends_by = self._bounds(caller)
        code = f"pbl_{secrets.token_urlsafe(32)}"
        link = SignInLink(
            id=stamp.id("sil"),
            organization_id=organization_id,
            permissions=sorted(set(new.permissions)),
            space=new.space,
            created_by=caller.subject_in(organization_id),
            created_at=stamp.now,
            expires_at=stamp.now + timedelta(seconds=new.expires_in_seconds),
        )
        item: Item = {
            **sign_in_code_key(digest(code))._asdict(),
            "digest": digest(code),
            "link_id": link.id,
            "organization_id": organization_id,
            "permissions": list(link.permissions),
            "valid_until": to_sortable(link.expires_at),
            "expires_at": epoch_seconds(link.expires_at),
        }
        if space:
            item |= {"space": space.slug, "space_id": space.id}
        if followed:
            item |= {"key_prefix": followed.prefix, "key_id": followed.id}
        if ends_by:
            item["ends_by"] = to_sortable(ends_by)
        self._store(link, item)
        return IssuedSignInLink(**link.model_dump(), url=f"{public_url}{PAGE}#{code}")

    def redeemed(self, code: str, now: datetime) -> tuple[NewSession, list[Write]] | None:
        """The session that a code begins, and the writes that use the code up; the first has the
        condition that nobody has. None for a code that is none, is used, or has expired."""
        item = self._table.get(sign_in_code_key(digest(code))) if _CODE.fullmatch(code) else None
        if item is None or now >= from_text(item["valid_until"]):
            return None
        organization_id, link_id = item["organization_id"], item["link_id"]
        begun = NewSession(
            organization_id=organization_id,
            subject=link_id,
            signed_in_by=SignInWay.SIGN_IN_LINK,
            key=FollowedKey(item["key_prefix"], item["key_id"]) if "key_id" in item else None,
            permissions=frozenset(map(Permission, item["permissions"])),
            space=OwnSpace(item["space_id"], item["space"]) if "space_id" in item else None,
            ends_by=from_text(item["ends_by"]) if "ends_by" in item else None,
        )
        used_up: list[Write] = [
            Delete(sign_in_code_key(digest(code)), PRESENT),
            Delete(listed_sign_in_link_key(organization_id, link_id)),
        ]
        return begun, used_up

    def _bounds(self, caller: Principal) -> tuple[FollowedKey | None, datetime | None]:
        """The key that what the caller gives away follows, and until when that lasts.

        Raises `Unauthenticated` if the caller's own key or session is gone.
        """
        if own := caller.browser_session:
            session = self._sessions.of(caller)
            if session is None:
                raise Unauthenticated
            return session.key, own.ends_at
        if not is_id("key", caller.subject):
            return None, None
        try:
            key = self._keys.get(caller.organization_id, caller.subject)
        except NotFound:
            raise Unauthenticated from None
        return FollowedKey(key.prefix, key.id), None

    def _store(self, link: SignInLink, item: Item) -> None:
        """If the first attempt of this request ended before it could return its address, the new
        code takes the place of that one."""
        organization_id = link.organization_id
        listed = listed_sign_in_link_key(organization_id, link.id)
        entry = {"digest": item["digest"], "expires_at": item["expires_at"]}
        writes: list[Write] = [
            Put({**listed._asdict(), **entry}, ABSENT),
            Put(item, ABSENT),
            Check(organization_key(organization_id), PRESENT),
        ]
        begun = recorded(organization_id, Entity.SIGN_IN_LINK, link.id, Action.CREATED, after=link)
        try:
            self._table.transact([*writes, begun])
        except TransactionRefused as refused:
            if 2 in refused.failed:
                raise NotFound("organization") from None
            first = refused.failed.get(0)
            if first is None:
                raise TemporarilyUnavailable from None
            again = Update(listed, values=entry, condition=equals("digest", first["digest"]))
            old = Delete(sign_in_code_key(first["digest"]), PRESENT)
            try:
                self._table.transact([again, old, *writes[1:]])
            except TransactionRefused:
                raise TemporarilyUnavailable from None
