"""Which origins may show the wizard in a frame: the `allowed_origins` of its session.

The wizard's page is asked for without the token of the session, which stays in the browser. So its
address names the session by a handle (`InstallSession.frame_handle`).
"""

from datetime import datetime

from patchbay.installs.model import SessionStatus
from patchbay.installs.open_sessions import OpenSessions
from patchbay.platform.errors import Unauthenticated
from patchbay.platform.ids import is_id
from patchbay.tenancy.access import SessionCaller


class Framing:
    """Reads who may frame the wizard."""

    def __init__(self, sessions: OpenSessions) -> None:
        self._sessions = sessions

    def origins(self, handle: str, now: datetime) -> list[str]:
        """Empty unless the handle is that of a session that has not ended."""
        organization_id, _, session_id = handle.partition(".")
        if not (is_id("org", organization_id) and is_id("ins", session_id)):
            return []
        try:
            session, status = self._sessions.look(
                SessionCaller(organization_id, session_id, subject=""), now
            )
        except Unauthenticated:
            return []
        return session.allowed_origins if status is SessionStatus.PENDING else []
