"""The use cases of end users: see what to enter, test it, and complete the session."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from patchbay.connection_tests.following import Following
from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.model import DryRunResult
from patchbay.connection_tests.on_demand import TO_RESPOND
from patchbay.connection_tests.progress import Follower, ProgressStore, TestProgress
from patchbay.connection_tests.tester import try_stored
from patchbay.egress.guard import EgressGuard
from patchbay.grants.code_flow import StartedFlow
from patchbay.grants.grants import Grants
from patchbay.installs.first_test import FirstTests, first_test
from patchbay.installs.install_form import form_of, repaired_connection
from patchbay.installs.installer import Installer
from patchbay.installs.model import (
    AuthorizationStep,
    CompletedConnection,
    CompletedSource,
    InstallCompletion,
    InstallForm,
    InstallOutcome,
    InstallRequest,
    InstallSession,
    InstallValues,
    SessionStatus,
)
from patchbay.installs.open_sessions import OpenSessions
from patchbay.installs.session_accounts import SessionAccounts
from patchbay.installs.session_store import InstallSessionStore
from patchbay.installs.session_subject import SessionSubjects
from patchbay.installs.session_values import joined_variables
from patchbay.platform.audit import Action
from patchbay.platform.errors import NotFound, QuotaExceeded, SessionEnded
from patchbay.platform.ids import Stamp, new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.revisions import serially
from patchbay.tenancy.access import SessionCaller

MAX_TESTS: Final = 50
"""Tests of one session before it is completed."""
MAX_AUTHORIZATIONS: Final = 50
"""How often one session may begin to connect an account."""


class InstallWizard:
    """For one request: `guard` must not dial the host that it was sent to."""

    def __init__(
        self,
        open_sessions: OpenSessions,
        sessions: InstallSessionStore,
        subjects: SessionSubjects,
        accounts: SessionAccounts,
        installer: Installer,
        history: TestHistory,
        first_tests: FirstTests,
        progress: ProgressStore,
        limiter: Limiter,
        limit: Limit,
        grants: Grants,
        guard: EgressGuard,
    ) -> None:
        self._open_sessions = open_sessions
        self._sessions = sessions
        self._subjects = subjects
        self._accounts = accounts
        self._installer = installer
        self._history = history
        self._first_tests = first_tests
        self._progress = progress
        self._limiter = limiter
        self._limit = limit
        self._grants = grants
        self._guard = guard

    def form(self, caller: SessionCaller, now: datetime) -> InstallForm:
        """What to ask for. Raises as `OpenSessions.require`, and `Conflict` if it can't be
        installed any more."""
        session = serially(lambda: self._opened(caller, now))
        subject = self._subjects.of(session, now)
        repair = None
        if repaired := subject.repaired:
            tested = TestSubject.connection(session.organization_id, repaired.connection.id)
            repair = repaired_connection(
                repaired.connection,
                self._history.newest(tested, repaired.connection.space_id, now),
                self._subjects.other_connections(repaired),
            )
        return form_of(
            session,
            subject,
            self._subjects.organization_name(session.organization_id),
            self._accounts.step(session, subject, now),
            repair,
        )

    def authorize(
        self,
        caller: SessionCaller,
        entered: Mapping[str, Any],
        redirect_uri: str,
        now: datetime,
    ) -> StartedFlow:
        """Begins to connect an account at the provider.

        Raises as `OpenSessions.require` and `CodeFlow.start`, `InvalidConfig` for what is locked,
        and `QuotaExceeded` if the session has begun so often.
        """
        session = self._open_sessions.require(caller, now)
        subject = self._subjects.of(session, now)
        variables = joined_variables(session, subject.source, subject.release, entered, {})
        if not self._sessions.count_authorization(session, MAX_AUTHORIZATIONS):
            quota = "authorizations_of_install_session"
            raise QuotaExceeded(quota, MAX_AUTHORIZATIONS, MAX_AUTHORIZATIONS)
        return self._accounts.start(session, subject, variables, redirect_uri, now)

    def authorization(self, caller: SessionCaller, now: datetime) -> AuthorizationStep:
        """Whether the account is connected. Raises as `form`, and `NotFound` if none can be."""
        session = self._open_sessions.require(caller, now)
        step = self._accounts.step(session, self._subjects.of(session, now), now)
        if step is None:
            raise NotFound("authorization")
        return step

    def test(self, caller: SessionCaller, given: InstallValues, now: datetime) -> DryRunResult:
        """Tests what an end user entered; stores nothing.

        Raises as `OpenSessions.require` and `Installer.accept`, `RateLimited` if the organization
        has no test left for now, and `QuotaExceeded` if the session has none.
        """
        session = self._open_sessions.require(caller, now)
        install = self._installer.accept(session, given, None, Stamp.fresh(now))
        token = new_id("tst", now)
        with self._limiter.held(session.organization_id, token, self._limit, now, TO_RESPOND):
            serially(lambda: self._count_test(caller, now))
            return try_stored(
                install.endpoint,
                install.release,
                lambda: self._installer.look(install, self._guard, now),
                self._grants,
                self._guard,
                self._following(caller, given),
            )

    def progress(self, caller: SessionCaller, progress_id: str, now: datetime) -> TestProgress:
        """The steps so far of a test of this session, also of the one that follows its completion.

        Raises `NotFound`, and as `OpenSessions.require` for a session that has ended otherwise.
        """
        session, status = self._open_sessions.look(caller, now)
        if status not in (SessionStatus.PENDING, SessionStatus.COMPLETED):
            self._open_sessions.refuse(session, status, now)
        return self._progress.progress(Follower.session(caller), progress_id, now)

    def complete(
        self, caller: SessionCaller, request: InstallRequest, stamp: Stamp
    ) -> InstallCompletion:
        """Stores what the end user entered and completes the session, in one transaction; then
        tests it.

        A repetition gets the same outcome, and the test if it was not run. Raises as
        `OpenSessions.require` and `Installer.accept`, and `QuotaExceeded`.
        """
        session = serially(lambda: self._completed(caller, request, stamp))
        if session.outcome is None or session.completed_at is None:
            raise ValueError("a completed session has an outcome")
        try:
            return self._completion(
                session,
                session.outcome,
                session.completed_at,
                self._following(caller, request),
            )
        except NotFound:
            # What it made was deleted since.
            raise SessionEnded(SessionStatus.COMPLETED) from None

    def _opened(self, caller: SessionCaller, now: datetime) -> InstallSession:
        session = self._open_sessions.require(caller, now)
        if session.opened_at is not None:
            return session
        return self._sessions.change(session, {"opened_at": now}, Action.OPENED)

    def _count_test(self, caller: SessionCaller, now: datetime) -> None:
        session = self._open_sessions.require(caller, now)
        if session.tests >= MAX_TESTS:
            raise QuotaExceeded("tests_of_install_session", MAX_TESTS, session.tests)
        self._sessions.change(session, {"tests": session.tests + 1}, Action.TESTED)

    def _completed(
        self, caller: SessionCaller, request: InstallRequest, stamp: Stamp
    ) -> InstallSession:
        """The session, completed by this request or an earlier one."""
        now = stamp.now
        session, status = self._open_sessions.look(caller, now)
        if status is SessionStatus.COMPLETED and session.expires_at > now:
            return session
        if status is not SessionStatus.PENDING:
            self._open_sessions.refuse(session, status, now)
        given = InstallValues.model_construct(
            variables=request.variables,
            secrets=request.secrets,
            configurations=request.configurations,
        )
        install = self._installer.accept(session, given, request.name, stamp)
        self._installer.require_whole(install)
        connection = self._installer.connection(session, install, stamp)
        test = first_test(session.organization_id, connection.id, session.id, now)
        outcome = InstallOutcome(
            source_id=install.endpoint.id, connection_id=connection.id, test_id=test.test_id
        )
        ending = self._sessions.completing(session, outcome, now)
        self._installer.store(session, install, connection, ending, now)
        return session.model_copy(
            update={"status": SessionStatus.COMPLETED, "completed_at": now, "outcome": outcome}
        )

    def _following(self, caller: SessionCaller, given: InstallValues) -> Following | None:
        return self._progress.following(Follower.session(caller), given.progress)

    def _completion(
        self,
        session: InstallSession,
        outcome: InstallOutcome,
        completed_at: datetime,
        following: Following | None,
    ) -> InstallCompletion:
        source, connection = self._subjects.made(session.organization_id, outcome)
        identity = first_test(session.organization_id, connection.id, session.id, completed_at)
        return InstallCompletion(
            session_id=session.id,
            source=CompletedSource(
                id=source.id,
                name=source.name,
                integration=source.integration,
                version=source.version,
            ),
            connection=CompletedConnection(
                id=connection.id,
                name=connection.name,
                space=connection.space,
                monitor=connection.monitor,
            ),
            test=self._first_tests.run(identity, following),
            return_url=session.return_url,
        )
