"""The session of a request by its token: read as it stands, so an end counts at once."""

from contextlib import suppress
from datetime import datetime

from patchbay.installs.model import InstallSession, SessionStatus
from patchbay.installs.session_store import InstallSessionStore
from patchbay.platform.audit import Action
from patchbay.platform.dynamodb import TransactionRefused
from patchbay.platform.errors import (
    NotFound,
    SessionEnded,
    TemporarilyUnavailable,
    Unauthenticated,
)
from patchbay.tenancy.access import SessionCaller


class OpenSessions:
    """What end users may use."""

    def __init__(self, sessions: InstallSessionStore) -> None:
        self._sessions = sessions

    def require(self, caller: SessionCaller, now: datetime) -> InstallSession:
        """The session of a caller, which is pending.

        Raises `SessionEnded`, and `Unauthenticated` for one that is gone.
        """
        session, status = self.look(caller, now)
        if status is not SessionStatus.PENDING:
            self.refuse(session, status, now)
        return session

    def look(self, caller: SessionCaller, now: datetime) -> tuple[InstallSession, SessionStatus]:
        """The session of a caller, and how it stands. Raises `Unauthenticated`."""
        try:
            session = self._sessions.get(caller.organization_id, caller.session_id)
        except NotFound:
            raise Unauthenticated.by_install_token() from None
        status = session.status_at(now)
        if status is SessionStatus.PENDING and self._sessions.is_withdrawn(session):
            status = SessionStatus.REVOKED
        return session, status

    def refuse(self, session: InstallSession, status: SessionStatus, now: datetime) -> None:
        """Raises `SessionEnded`. The first time is in the audit trail: each would fill it."""
        if session.refused_at is None:
            with suppress(TransactionRefused, TemporarilyUnavailable):
                self._sessions.change(session, {"refused_at": now}, Action.REFUSED)
        raise SessionEnded(status)
