"""Sessions of browsers: signing in to the dashboard, and out of it."""

from typing import TYPE_CHECKING, Any

from patchbay.deployment import Deployment
from patchbay.platform.browser_requests import BrowserRequest
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import CrossSiteRequest
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing
from patchbay.platform.responses import Response
from patchbay.tenancy.access import ANY_PRINCIPAL, ANYONE, Anyone, Permission, Principal
from patchbay.tenancy.browser_session_model import (
    BrowserSession,
    Caller,
    IssuedSignInLink,
    NewBrowserSession,
    NewSignInLink,
    OidcQuery,
    SignInWays,
)
from patchbay.tenancy.browser_sessions import signed_out

if TYPE_CHECKING:
    from patchbay.oidc.sign_in_flow import NextPage

deployment = Deployment(at_start=("browser_sessions",))
api = HttpApi("BrowserSessions", lambda: deployment)

SESSIONS = "/v1/browser-sessions"
_HTML = "text/html; charset=utf-8"
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


@api.get(f"{SESSIONS}/current", permission=ANY_PRINCIPAL, failures=(404,))
def get_caller(caller: Principal) -> Caller:
    """Read who is calling, and what they may do: with a session, a key, or a token."""
    return deployment.caller_view.of(caller, deployment.browser_sessions.of(caller))


@api.delete(f"{SESSIONS}/current", permission=ANY_PRINCIPAL, status=204, failures=(404,))
def sign_out(caller: Principal) -> Reply[None]:
    """Sign this browser out."""
    deployment.browser_sessions.end(caller)
    return Reply(None, cookies=(signed_out(),))


@api.get(f"{SESSIONS}/ways", permission=None)
def get_sign_in_ways() -> SignInWays:
    """Read how people can sign in to the dashboard of this deployment."""
    return SignInWays(api_key=True, oidc=deployment.signs_in_by_oidc)


@api.get(f"{SESSIONS}/oidc", permission=ANYONE, status=303, media_type="text/html", failures=(404,))
def start_oidc_sign_in(caller: Anyone, query: OidcQuery, domain_name: str) -> Response[str]:
    """Send the browser to the identity provider, to sign in there."""
    flow = deployment.oidc_flow
    if caller.retry_after:
        return _redirect(flow.busy())
    return _redirect(flow.start(query.return_to, _callback(domain_name), utc_now()))


@api.get(
    f"{SESSIONS}/oidc/callback",
    permission=ANYONE,
    status=303,
    media_type="text/html",
    failures=(404,),
)
def finish_oidc_sign_in(
    caller: Anyone,
    raw_query: str,
    cookies: dict[str, str],
    browser: BrowserRequest,
    domain_name: str,
) -> Response[str]:
    """Take what the identity provider sends back through the browser, and sign the browser in."""
    flow = deployment.oidc_flow
    if caller.retry_after:
        return _redirect(flow.busy())
    return _redirect(
        flow.finish(raw_query, cookies, browser.session, _callback(domain_name), utc_now())
    )


def _callback(domain_name: str) -> str:
    """The redirect URI, as the identity provider has to know it."""
    return f"{deployment.public_url(domain_name)}{SESSIONS}/oidc/callback"


def _redirect(page: "NextPage") -> Response[str]:
    headers = {
        "Location": page.location,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return Response(303, _HTML, "", headers, page.cookies)


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
    return api.resolve(event)
