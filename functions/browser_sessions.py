"""Sessions of browsers: signing in to the dashboard, and out of it."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.browser_requests import BrowserRequest
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import CrossSiteRequest
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing
from patchbay.tenancy.access import ANY_PRINCIPAL, ANYONE, Anyone, Permission, Principal
from patchbay.tenancy.browser_session_model import (
    BrowserSession,
    Caller,
    IssuedSignInLink,
    NewBrowserSession,
    NewSignInLink,
    SignInWays,
)
from patchbay.tenancy.browser_sessions import signed_out

deployment = Deployment(at_start=("browser_sessions",))
api = HttpApi("BrowserSessions", lambda: deployment)

SESSIONS = "/v1/browser-sessions"
LINKS = "/v1/organizations/<organization_id>/sign-in-links"


@api.post(SESSIONS, permission=ANYONE, status=201)
def sign_in(caller: Anyone, body: NewBrowserSession, browser: BrowserRequest) -> Reply[Caller]:
    """Sign a browser in with an API key, or with the code of a sign-in link: it gets a cookie."""
    if not browser.is_of_own_page(deployment.settings.public_url):
        raise CrossSiteRequest
    opened = deployment.sign_in.with_secret(caller, body, browser.session, utc_now())
    return Reply(
        deployment.caller_view.of(opened.principal, opened.session), cookies=(opened.cookie,)
    )


@api.get(SESSIONS, permission=ANY_PRINCIPAL)
def list_browser_sessions(caller: Principal) -> Listing[BrowserSession]:
    """List the sessions of browsers that the caller is signed in to, newest first."""
    sessions = deployment.browser_sessions.all_of(caller, utc_now())
    return Listing(items=[one.shown(caller.browser_session) for one in sessions], next_cursor=None)


@api.delete(SESSIONS, permission=ANY_PRINCIPAL, status=204)
def sign_out_everywhere(caller: Principal) -> Reply[None]:
    """Sign the caller out of all browsers: no cookie of theirs can be used any more, at once."""
    deployment.browser_sessions.end_all(caller)
    return Reply(None, cookies=(signed_out(),))


@api.get(f"{SESSIONS}/current", permission=ANY_PRINCIPAL)
def get_caller(caller: Principal) -> Caller:
    """Read who is calling, and what they may do: with a session, a key, or a token."""
    return deployment.caller_view.of(caller, deployment.browser_sessions.of(caller))


@api.delete(f"{SESSIONS}/current", permission=ANY_PRINCIPAL, status=204)
def sign_out(caller: Principal) -> Reply[None]:
    """Sign this browser out."""
    deployment.browser_sessions.end(caller)
    return Reply(None, cookies=(signed_out(),))


@api.get(f"{SESSIONS}/ways", permission=None)
def get_sign_in_ways() -> SignInWays:
    """Read how people can sign in to the dashboard of this deployment."""
    return SignInWays(api_key=True, oidc=False)


@api.post(LINKS, permission=Permission.MANAGE, status=201)
def create_sign_in_link(
    caller: Principal,
    organization_id: str,
    body: NewSignInLink,
    stamp: Stamp,
    domain_name: str,
) -> IssuedSignInLink:
    """Create a link that signs a browser in to the dashboard, once; only this answer has it."""
    return deployment.sign_in_links.issue_for(
        caller, organization_id, body, stamp, deployment.public_url(domain_name)
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
