"""Sessions of browsers: an opaque cookie of 256 random bits for a key, a sign-in link, or an OpenID
Connect sign-in.

    session           BROWSER#<SHA-256 of the cookie>   META
    session, listed   ORG#<org>                         BROWSER#<hash of the subject>#<session id>

- A session of an API key, or of a link that a key made, follows the key: without the key there is
  no session, and its permissions are read again with each request. No session holds
  `platform.credential.use`.
- It ends when it was not used for twelve hours, and seven days after it began at the latest: after
  twelve hours if no key says whether it should still be. Its item is read with each request, so
  signing out counts at once.
- When it was last used is written at most every ten minutes.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from patchbay.platform.actor import acting, current_actor
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
from patchbay.platform.cookies import SESSION_COOKIE, HostCookie
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import NotFound, TemporarilyUnavailable, Unauthenticated
from patchbay.platform.ids import new_id
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.tenancy.access import OwnSession, OwnSpace, Permission, Principal
from patchbay.tenancy.api_key_store import ApiKeyStore, Holder
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.browser_session_model import BrowserSession, SignInWay
from patchbay.tenancy.keys import (
    browser_session_key,
    browser_sessions_of,
    listed_browser_session_key,
    organization_key,
    organization_pk,
)
from patchbay.tenancy.store import TenancyStore

IDLE_FOR: Final = timedelta(hours=12)
LIFETIME: Final = timedelta(days=7)
"""Of a session that follows a key."""
LIFETIME_WITHOUT_KEY: Final = timedelta(hours=12)
"""Of one whose permissions are those that it began with."""
SEEN_EVERY: Final = timedelta(minutes=10)

MAX_SESSIONS: Final = 30
"""Of one subject. One more ends the oldest. All of them end in one transaction: each takes three of
its 100 writes."""

_COOKIE: Final = re.compile(r"pbs_[A-Za-z0-9_-]{43}")


class FollowedKey(NamedTuple):
    """The API key that a session depends on."""

    prefix: str
    id: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session begins with.

    `permissions` are all that it may ever hold; with a `key`, those that the key doesn't hold are
    left out when it is used, and None means all of the key's. `ends_by` is when it ends at the
    latest, if that is sooner than by the rules.
    """

    organization_id: str
    subject: str
    signed_in_by: SignInWay
    key: FollowedKey | None = None
    permissions: frozenset[Permission] | None = None
    space: OwnSpace | None = None
    ends_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored."""

    item: Item = field(repr=False)

    @property
    def organization_id(self) -> str:
        return str(self.item["organization_id"])

    @property
    def subject(self) -> str:
        return str(self.item["subject"])

    @property
    def ends_at(self) -> datetime:
        return from_text(self.item["valid_until"])

    @property
    def last_seen_at(self) -> datetime:
        return from_text(self.item["last_seen_at"])

    @property
    def idle_ends_at(self) -> datetime:
        return min(self.last_seen_at + IDLE_FOR, self.ends_at)

    @property
    def key(self) -> FollowedKey | None:
        prefix = self.item.get("key_prefix")
        return FollowedKey(prefix, self.item["key_id"]) if prefix else None

    @property
    def permissions(self) -> frozenset[Permission] | None:
        names = self.item.get("permissions")
        return None if names is None else frozenset(map(Permission, names))

    @property
    def space(self) -> OwnSpace | None:
        space_id = self.item.get("space_id")
        return OwnSpace(space_id, self.item["space"]) if space_id else None

    def has_ended(self, now: datetime) -> bool:
        return now >= self.idle_ends_at

    def shown(self, own: OwnSession | None = None) -> BrowserSession:
        """As answers and the audit trail show it."""
        session_id = self.item["id"]
        return BrowserSession(
            id=session_id,
            signed_in_by=SignInWay(self.item["signed_in_by"]),
            created_at=from_text(self.item["created_at"]),
            last_seen_at=self.last_seen_at,
            expires_at=self.ends_at,
            idle_ends_at=self.idle_ends_at,
            current=own is not None and own.id == session_id,
        )

    def ending(self) -> list[Write]:
        """The writes that end it. In the trail it ends by its own subject, even where the
        next one to sign in at its browser is of another organization.
        """
        session_id = self.item["id"]
        listed = listed_browser_session_key(self.organization_id, self.subject, session_id)
        own = current_actor()._replace(subject=self.subject, organization_id=self.organization_id)
        with acting(own):
            ended = recorded(
                self.organization_id,
                Entity.BROWSER_SESSION,
                session_id,
                Action.SIGNED_OUT,
                before=_audited(self.shown()),
            )
        return [
            Delete(browser_session_key(self.item["digest"]), PRESENT),
            Delete(listed),
            ended,
        ]


class OpenedSession(NamedTuple):
    """A session that has just begun, with its cookie."""

    principal: Principal
    session: StoredSession
    cookie: HostCookie


def signed_out() -> HostCookie:
    """The cookie that takes a session from a browser."""
    return HostCookie(SESSION_COOKIE, "", 0)


class BrowserSessions:
    """The sessions of all organizations."""

    def __init__(self, table: Table, tenants: TenancyStore, keys: ApiKeyStore) -> None:
        self._table = table
        self._tenants = tenants
        self._keys = keys

    def open(
        self, new: NewSession, now: datetime, replaced: str = "", also: Sequence[Write] = ()
    ) -> OpenedSession:
        """Begins a session, always with a new cookie. `replaced` is the cookie that the browser
        had: its session ends. The first of the writes `also` must go through, too.

        Raises `Unauthenticated` if the organization, the key, or the space is gone, or if the
        condition of the first of `also` does not hold.
        """
        text = f"pbs_{secrets.token_urlsafe(32)}"
        lifetime = LIFETIME if new.key else LIFETIME_WITHOUT_KEY
        ends_at = min(now + lifetime, new.ends_by or now + lifetime)
        session = StoredSession(_item(new, digest(text), now, ends_at))
        principal = self._principal(session, now)
        if principal is None:
            raise Unauthenticated
        listed = {
            **listed_browser_session_key(
                new.organization_id, new.subject, session.item["id"]
            )._asdict(),
            "digest": session.item["digest"],
            "expires_at": session.item["expires_at"],
        }

        def attempt() -> None:
            ended = self._excess(new.organization_id, new.subject)
            before = self._stored(replaced)
            if before and before.item["pk"] not in {one.item["pk"] for one in ended}:
                ended = [before, *ended]
            begun = recorded(
                new.organization_id,
                Entity.BROWSER_SESSION,
                session.item["id"],
                Action.SIGNED_IN,
                after=_audited(session.shown()),
            )
            try:
                self._table.transact(
                    [
                        *also[:1],
                        Put(session.item, ABSENT),
                        Put(listed, ABSENT),
                        Check(organization_key(new.organization_id), PRESENT),
                        *also[1:],
                        begun,
                        *(write for one in ended for write in one.ending()),
                    ]
                )
            except TransactionRefused as refused:
                if (also and 0 in refused.failed) or len(also[:1]) + 2 in refused.failed:
                    raise Unauthenticated from None
                raise

        serially(attempt)
        cookie = HostCookie(SESSION_COOKIE, text, int(LIFETIME.total_seconds()))
        return OpenedSession(principal, session, cookie)

    def holder(self, text: str, now: datetime) -> Principal | None:
        """Who is signed in by this cookie; None if the session has ended, or what it follows.

        Raises `TemporarilyUnavailable`.
        """
        session = self._stored(text)
        if session is None or session.has_ended(now):
            return None
        principal = self._principal(session, now)
        if principal is None or not self._seen(session, now):
            return None
        return principal

    def of(self, caller: Principal) -> StoredSession | None:
        """The session that a caller acts through; None for one without, or if it has ended."""
        own = caller.browser_session
        if own is None:
            return None
        key = listed_browser_session_key(caller.organization_id, caller.subject, own.id)
        listed = self._table.get(key)
        item = self._table.get(browser_session_key(listed["digest"])) if listed else None
        return StoredSession(item) if item else None

    def all_of(self, caller: Principal, now: datetime) -> list[StoredSession]:
        """The sessions of the caller's subject, newest first."""
        found = self._of_subject(caller.organization_id, caller.subject)
        return [session for session in reversed(found) if not session.has_ended(now)]

    def end(self, caller: Principal) -> None:
        """Ends the session that the caller acts through. Raises `NotFound` if there is none."""

        def attempt() -> None:
            session = self.of(caller)
            if session is None:
                raise NotFound("browser session")
            self._table.transact(session.ending())

        serially(attempt)

    def end_all(self, caller: Principal) -> None:
        """Ends all sessions of the caller's subject; there may be none."""

        def attempt() -> None:
            sessions = self._of_subject(caller.organization_id, caller.subject)
            # More than the limit only if several began at the same time.
            for start in range(0, len(sessions), MAX_SESSIONS):
                some = sessions[start : start + MAX_SESSIONS]
                self._table.transact([write for one in some for write in one.ending()])

        serially(attempt)

    def _stored(self, text: str) -> StoredSession | None:
        if not _COOKIE.fullmatch(text):
            return None
        item = self._table.get(browser_session_key(digest(text)))
        return StoredSession(item) if item else None

    def _of_subject(self, organization_id: str, subject: str) -> list[StoredSession]:
        """Oldest first."""
        pk, prefix = organization_pk(organization_id), browser_sessions_of(subject)
        listed = list(self._table.query_all(pk, prefix=prefix))
        keys = [browser_session_key(item["digest"]) for item in listed]
        found = self._table.get_all(keys) if keys else {}
        return [StoredSession(found[key]) for key in keys if key in found]

    def _excess(self, organization_id: str, subject: str) -> list[StoredSession]:
        """The oldest sessions, if one more would be too many."""
        sessions = self._of_subject(organization_id, subject)
        return sessions[: max(0, len(sessions) + 1 - MAX_SESSIONS)]

    def _principal(self, session: StoredSession, now: datetime) -> Principal | None:
        """Whom a session stands for now."""
        organization_id = session.organization_id
        followed = self._followed(session, now)
        if session.key and followed is None:
            return None
        if (
            # The look-up of a key sees that its own organization is there.
            (followed is None or followed.principal.organization_id != organization_id)
            # The first item that an erasure takes is the organization's own.
            and self._table.get(organization_key(organization_id)) is None
        ):
            return None
        space = session.space
        if space and space != self._tenants.space_called(organization_id, space.slug):
            return None
        held = session.permissions
        if followed:
            of_key = followed.principal
            held = of_key.permissions if held is None else frozenset(filter(of_key.holds, held))
        return Principal(
            organization_id=organization_id,
            subject=session.subject,
            permissions=(held or frozenset()) - {Permission.USE},
            space=space,
            browser_session=OwnSession(session.item["id"], session.ends_at),
        )

    def _followed(self, session: StoredSession, now: datetime) -> Holder | None:
        key = session.key
        return self._keys.holder_of(key.prefix, key.id, now) if key else None

    def _seen(self, session: StoredSession, now: datetime) -> bool:
        """Notes that a session is used; False if it has ended meanwhile."""
        if now - session.last_seen_at < SEEN_EVERY:
            return True
        seen = Update(
            browser_session_key(session.item["digest"]),
            values={"last_seen_at": to_sortable(now)},
            condition=equals("last_seen_at", session.item["last_seen_at"]),
        )
        try:
            self._table.write(seen)
        except ConditionFailed as standing:
            return standing.item is not None  # another request has noted it
        except TemporarilyUnavailable:
            # The next request notes it: an outage of writes alone signs nobody out.
            logger.warning("the use of a session is not noted")
        return True


def _item(new: NewSession, mark: str, now: datetime, ends_at: datetime) -> Item:
    item: Item = {
        **browser_session_key(mark)._asdict(),
        "id": new_id("bsn", now),
        "digest": mark,
        "organization_id": new.organization_id,
        "subject": new.subject,
        "signed_in_by": new.signed_in_by.value,
        "created_at": to_sortable(now),
        "last_seen_at": to_sortable(now),
        "valid_until": to_sortable(ends_at),
        "expires_at": epoch_seconds(ends_at),
    }
    if new.key:
        item |= {"key_prefix": new.key.prefix, "key_id": new.key.id}
    if new.permissions is not None:
        item["permissions"] = sorted(new.permissions)
    if new.space:
        item |= {"space_id": new.space.id, "space": new.space.slug}
    return item


def _audited(session: BrowserSession) -> dict[str, object]:
    return session.model_dump(mode="json", include={"signed_in_by", "created_at", "expires_at"})
