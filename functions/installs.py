"""Install sessions: an end user connects an integration, or repairs one."""

from typing import Any

from patchbay.connection_tests.model import DryRunResult
from patchbay.connection_tests.progress import TestProgress
from patchbay.deployment import Deployment
from patchbay.installs.model import (
    AuthorizationRequest,
    AuthorizationStep,
    InstallCompletion,
    InstallForm,
    InstallRequest,
    InstallSession,
    InstallSessionQuery,
    InstallValues,
    IssuedInstallSession,
    NewInstallSession,
    StartedAuthorization,
)
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing
from patchbay.tenancy.access import INSTALL_SESSION, Permission, Principal, SessionCaller

deployment = Deployment(at_start=("install_sessions",))
api = HttpApi("Installs", lambda: deployment)

SESSIONS = "/v1/organizations/<organization_id>/install-sessions"


@api.post(SESSIONS, permission=Permission.MANAGE, status=201, failures=(429,))
def create_install_session(
    caller: Principal,
    organization_id: str,
    body: NewInstallSession,
    stamp: Stamp,
    domain_name: str,
) -> Reply[IssuedInstallSession]:
    """Create a session for an end user; only this answer has its token and its address."""
    session = deployment.install_session_creator.create(
        caller, organization_id, body, stamp, deployment.public_url(domain_name)
    )
    return Reply(session, session.revision)


@api.get(SESSIONS, permission=Permission.MANAGE)
def list_install_sessions(
    organization_id: str, query: InstallSessionQuery
) -> Listing[InstallSession]:
    """List the install sessions of the last weeks, newest first, without their tokens."""
    return deployment.install_sessions.page(organization_id, query, utc_now())


@api.get(f"{SESSIONS}/<session_id>", permission=Permission.MANAGE)
def get_install_session(organization_id: str, session_id: str) -> Reply[InstallSession]:
    """Read an install session: its status, and what it made."""
    session = deployment.install_sessions.get(organization_id, session_id).at(utc_now())
    return Reply(session, session.revision)


@api.delete(f"{SESSIONS}/<session_id>", permission=Permission.MANAGE, status=204)
def revoke_install_session(organization_id: str, session_id: str, if_match: str | None) -> None:
    """Revoke an install session: its token can't be used any more, at once."""
    deployment.install_sessions.revoke(organization_id, session_id, if_match, utc_now())


@api.get("/v1/install", permission=INSTALL_SESSION, failures=(409, 410))
def get_install(caller: SessionCaller, domain_name: str) -> InstallForm:
    """Read what to ask an end user for: schemas, prefilled and locked values, what is wrong."""
    return deployment.install_wizard(domain_name).form(caller, utc_now())


@api.post("/v1/install/test", permission=INSTALL_SESSION, failures=(409, 410, 422))
def test_install(caller: SessionCaller, body: InstallValues, domain_name: str) -> DryRunResult:
    """Test what an end user entered; nothing is stored."""
    return deployment.install_wizard(domain_name).test(caller, body, utc_now())


@api.get("/v1/install/tests/<progress>", permission=INSTALL_SESSION, failures=(404, 410))
def get_install_test(caller: SessionCaller, progress: str, domain_name: str) -> TestProgress:
    """Read the steps so far of a test of this session, by the id that was sent with it."""
    return deployment.install_wizard(domain_name).progress(caller, progress, utc_now())


@api.post("/v1/install/authorize", permission=INSTALL_SESSION, failures=(409, 410))
def authorize_install(
    caller: SessionCaller, body: AuthorizationRequest, domain_name: str
) -> Reply[StartedAuthorization]:
    """Begin to connect an account at the provider: where to send the browser, with a cookie."""
    started = deployment.install_wizard(domain_name).authorize(
        caller, body.variables, deployment.redirect_uri(domain_name), utc_now()
    )
    shown = StartedAuthorization(
        flow=started.id,
        authorization_url=started.authorization_url,
        expires_at=started.expires_at,
    )
    return Reply(shown, cookies=(started.cookie,))


@api.get("/v1/install/authorize", permission=INSTALL_SESSION, failures=(404, 409, 410))
def get_install_authorization(caller: SessionCaller, domain_name: str) -> AuthorizationStep:
    """Read whether the account is connected, with which scopes, or why it is not."""
    return deployment.install_wizard(domain_name).authorization(caller, utc_now())


@api.post("/v1/install/complete", permission=INSTALL_SESSION, failures=(409, 410, 422))
def complete_install(
    caller: SessionCaller, body: InstallRequest, domain_name: str
) -> InstallCompletion:
    """Connect, or repair, with what an end user entered, and test it; repeating changes nothing."""
    stamp = Stamp.fresh(utc_now())
    return deployment.install_wizard(domain_name).complete(caller, body, stamp)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
