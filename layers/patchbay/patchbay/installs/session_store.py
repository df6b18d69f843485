"""Install sessions in the integrations table.

    install session   ORG#<org>        INS#<id>   its state
    its token         INSTALL#<hash>   META       whose it is: `patchbay.tenancy.install_tokens`

Both go 30 days after the session has expired. Every change of a session has the condition that it
is still as it was read, so of two that end it, one does.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from patchbay.connections.keys import secret_key
from patchbay.installs.keys import SESSIONS, session_key
from patchbay.installs.model import (
    KEPT_FOR,
    InstallOutcome,
    InstallSession,
    InstallSessionQuery,
    SessionStatus,
)
from patchbay.installs.quotas import SESSION_QUOTA
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, to_sortable
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
    at_most,
    equals,
    without,
)
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.ids import is_id
from patchbay.platform.lists import Listing, Lists
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact
from patchbay.tenancy.keys import (
    install_token_key,
    listed_key_key,
    organization_key,
    organization_pk,
)
from patchbay.tenancy.quotas import Count, Counted, Quotas

_DOCUMENTS = ("variables", "end_user", "monitor", "outcome")
"""Attributes that are stored as JSON texts."""


class InstallSessionStore:
    """The install sessions of organizations."""

    def __init__(self, table: Table, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas
        self._lists = Lists(table, CursorSeal(table))

    def create(self, session: InstallSession) -> None:
        """Stores a new session and the item of its token.

        If the first attempt of this request ended before it could return its token, the new token
        takes the place of that one. Raises `NotFound` for an organization that does not exist,
        `QuotaExceeded`, and `TransactionRefused` if the session was used in between.
        """
        organization_id = session.organization_id
        try:
            self._quotas.transact(
                [
                    Put(_session_item(session), ABSENT),
                    Put(_token_item(session), ABSENT),
                    Check(organization_key(organization_id), PRESENT),
                    _audited(session, Action.CREATED, after=session),
                    Count(organization_id, SESSION_QUOTA, +1),
                ]
            )
        except TransactionRefused as refused:
            if 2 in refused.failed:
                raise NotFound("organization") from None
            if (current := refused.failed.get(0)) is None:
                raise
            if current["digest"] != session.digest:
                self._reissue(read_session(current), session.digest)

    def get(self, organization_id: str, session_id: str) -> InstallSession:
        """As it is stored: see `InstallSession.at`. Raises `NotFound`."""
        item = (
            self._table.get(session_key(organization_id, session_id))
            if is_id("ins", session_id)
            else None
        )
        if item is None:
            raise NotFound("install session")
        return read_session(item)

    def acting(self, organization_id: str, session_id: str, now: datetime) -> str | None:
        """Who acts in a session, as the audit trail names them; None if it is not pending."""
        try:
            session = self.get(organization_id, session_id)
        except NotFound:
            return None
        is_pending = session.status_at(now) is SessionStatus.PENDING
        return session.subject if is_pending and not self.is_withdrawn(session) else None

    def page(
        self, organization_id: str, query: InstallSessionQuery, now: datetime
    ) -> Listing[InstallSession]:
        """Newest first. Raises `InvalidCursor`."""

        def is_asked_for(item: Item) -> bool:
            return read_session(item).status_at(now) is query.status

        return self._lists.page(
            organization_id,
            query,
            now,
            lambda item: read_session(item).at(now),
            pk=organization_pk(organization_id),
            prefix=SESSIONS,
            newest_first=True,
            keep=is_asked_for if query.status else None,
        )

    def revoke(
        self, organization_id: str, session_id: str, if_match: IfMatch, now: datetime
    ) -> None:
        """Ends a session; one that was revoked or has expired stays as it is.

        Raises `NotFound`, `PreconditionFailed`, and `Conflict` for one that is completed.
        """

        def attempt() -> None:
            session = self.get(organization_id, session_id)
            require_match(if_match, session.revision)
            match session.status_at(now):
                case SessionStatus.COMPLETED:
                    raise Conflict(
                        "The install session is completed: delete the connection that it made."
                    )
                case SessionStatus.PENDING:
                    change = {"status": SessionStatus.REVOKED, "revoked_at": now}
                    ended = self.ending(session, change, Action.REVOKED)
                    # With what its code flow has obtained
                    tokens = Delete(secret_key(organization_id, session_id))
                    self._quotas.transact([*ended, tokens])

        serially(attempt)

    def count_authorization(self, session: InstallSession, most: int) -> bool:
        """Counts that the session begins to connect an account; False if it has done so too often.

        The audit trail has what comes of it, so this alone is not a change of the session.
        """
        room = without("authorizations") | at_most("authorizations", most - 1)
        key = session_key(session.organization_id, session.id)
        try:
            self._table.transact([Update(key, add={"authorizations": 1}, condition=PRESENT & room)])
        except TransactionRefused:
            return False
        return True

    def is_withdrawn(self, session: InstallSession) -> bool:
        """Whether the API key that made it was revoked."""
        if session.issued_by is None:
            return False
        return self._table.get(listed_key_key(*session.issued_by)) is None

    @staticmethod
    def ending(
        session: InstallSession, changes: Mapping[str, Any], action: Action
    ) -> list[Counted]:
        """The writes that end a pending session; the session's own comes first."""
        return [
            *InstallSessionStore.changing(session, changes, action),
            Count(session.organization_id, SESSION_QUOTA, -1),
        ]

    @staticmethod
    def completing(
        session: InstallSession, outcome: InstallOutcome, now: datetime
    ) -> list[Counted]:
        """The writes that complete a pending session, if the API key that made it is still there;
        the session's own comes first."""
        changes = {
            "status": SessionStatus.COMPLETED,
            "completed_at": now,
            "outcome": outcome,
        }
        writes = InstallSessionStore.ending(session, changes, Action.COMPLETED)
        if session.issued_by:
            writes.append(Check(listed_key_key(*session.issued_by), PRESENT))
        return writes

    @staticmethod
    def changing(
        session: InstallSession, changes: Mapping[str, Any], action: Action
    ) -> list[Counted]:
        """The writes of a change of a session that nobody else has changed since it was read."""
        after = session.model_copy(update={**changes, "revision": session.revision + 1})
        item = _session_item(after)
        return [
            Update(
                session_key(session.organization_id, session.id),
                values={name: item[name] for name in (*changes, "revision")},
                condition=equals("revision", session.revision),
            ),
            _audited(session, action, before=session, after=after),
        ]

    def change(
        self, session: InstallSession, changes: Mapping[str, Any], action: Action
    ) -> InstallSession:
        """Raises `TransactionRefused` if it was changed in between."""
        self._quotas.transact(self.changing(session, changes, action))
        return session.model_copy(update={**changes, "revision": session.revision + 1})

    def _reissue(self, standing: InstallSession, digest: str) -> None:
        fresh = standing.model_copy(update={"digest": digest, "revision": standing.revision + 1})
        self._table.transact(
            [
                Update(
                    session_key(standing.organization_id, standing.id),
                    values={"digest": digest, "revision": fresh.revision},
                    condition=equals("revision", standing.revision),
                ),
                Delete(install_token_key(standing.digest)),
                Put(_token_item(fresh), ABSENT),
            ]
        )


def _session_item(session: InstallSession) -> Item:
    shown = session.model_dump(mode="json")
    del shown["expires_at"]  # it is what DynamoDB deletes by
    return {
        **session_key(session.organization_id, session.id)._asdict(),
        **shown,
        **{name: compact(shown[name]).decode() for name in _DOCUMENTS},
        "valid_until": to_sortable(session.expires_at),
        "digest": session.digest,
        "space_id": session.space_id,
        "issued_by": list(session.issued_by) if session.issued_by else None,
        "revision": session.revision,
        "expires_at": _kept_until(session),
    }


def _token_item(session: InstallSession) -> Item:
    return {
        **install_token_key(session.digest)._asdict(),
        "organization_id": session.organization_id,
        "session_id": session.id,
        "subject": session.subject,
        "expires_at": _kept_until(session),
    }


def _kept_until(session: InstallSession) -> int:
    return epoch_seconds(session.expires_at, KEPT_FOR)


def read_session(item: Item) -> InstallSession:
    documents = {name: json.loads(item[name]) for name in _DOCUMENTS}
    issued_by = item["issued_by"]
    return InstallSession.model_validate(
        {
            **item,
            **documents,
            "issued_by": tuple(issued_by) if issued_by else None,
            "expires_at": item["valid_until"],
        }
    )


def _audited(
    session: InstallSession,
    action: Action,
    *,
    before: InstallSession | None = None,
    after: InstallSession | None = None,
) -> Put:
    return recorded(
        session.organization_id,
        Entity.INSTALL_SESSION,
        session.id,
        action,
        before=_without_person(before),
        after=_without_person(after),
    )


def _without_person(session: InstallSession | None) -> dict[str, Any] | None:
    """What the trail, which is kept for 400 days, has of a session: of its end user only the id."""
    if session is None:
        return None
    shown = session.model_dump(mode="json")
    if session.end_user:
        shown["end_user"] = {"id": session.end_user.id}
    return shown
