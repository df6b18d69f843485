"""OAuth applications, and the callback of the code flow."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.grants import callback_pages
from patchbay.grants.application_model import (
    NewOAuthApplication,
    OAuthApplication,
    OAuthApplicationPatch,
)
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.responses import Response
from patchbay.tenancy.access import Permission

deployment = Deployment(at_start=("tenants", "application_store"))
api = HttpApi("OAuth", lambda: deployment)

APPLICATIONS = "/v1/organizations/<organization_id>/oauth-applications"


@api.post(APPLICATIONS, permission=Permission.MANAGE, status=201, failures=(409,))
def create_oauth_application(
    organization_id: str, body: NewOAuthApplication, stamp: Stamp, domain_name: str
) -> Reply[OAuthApplication]:
    """Enter the OAuth application of an integration; its secrets are never shown."""
    created = deployment.oauth_applications.create(organization_id, body, stamp)
    return _reply(created, domain_name)


@api.get(APPLICATIONS, permission=Permission.MANAGE)
def list_oauth_applications(
    organization_id: str, query: ListQuery, domain_name: str
) -> Listing[OAuthApplication]:
    """List the OAuth applications of an organization."""
    return deployment.application_store.page(
        organization_id, query, utc_now(), deployment.redirect_uri(domain_name)
    )


@api.get(f"{APPLICATIONS}/<application_id>", permission=Permission.MANAGE)
def get_oauth_application(
    organization_id: str, application_id: str, domain_name: str
) -> Reply[OAuthApplication]:
    """Read an OAuth application, with the redirect URI to enter at the provider."""
    return _reply(deployment.application_store.get(organization_id, application_id), domain_name)


@api.patch(f"{APPLICATIONS}/<application_id>", permission=Permission.MANAGE, failures=(409, 422))
def change_oauth_application(
    organization_id: str,
    application_id: str,
    body: OAuthApplicationPatch,
    if_match: str | None,
    domain_name: str,
) -> Reply[OAuthApplication]:
    """Change an OAuth application (JSON merge patch), or rotate its secret."""
    changed = deployment.oauth_applications.change(
        organization_id, application_id, body, if_match, utc_now()
    )
    return _reply(changed, domain_name)


@api.delete(
    f"{APPLICATIONS}/<application_id>", permission=Permission.MANAGE, status=204, failures=(409,)
)
def delete_oauth_application(
    organization_id: str, application_id: str, if_match: str | None
) -> None:
    """Delete an OAuth application that no grant needs."""
    deployment.application_store.delete(organization_id, application_id, if_match)


@api.get("/oauth/callback", permission=None, status=303, media_type="text/html")
def finish_authorization(
    raw_query: str, cookies: dict[str, str], domain_name: str
) -> Response[str]:
    """Take what a provider sends back through the browser, and redirect to the page of the outcome.

    It is the redirect URI of every OAuth application. Providers add `code` and `state`, or `error`.
    """
    guard = deployment.guard.excluding([domain_name])
    finished = deployment.code_flow.finish(raw_query, cookies, guard, utc_now())
    return callback_pages.redirect(finished)


@api.get("/oauth/done/<outcome>", permission=None, media_type="text/html", failures=(404,))
def show_authorization_outcome(outcome: str, raw_query: str) -> Response[str]:
    """Show how an authorization ended, in words, and tell the page that began it."""
    return callback_pages.done_page(outcome, raw_query)


def _reply(application: OAuthApplication, domain_name: str) -> Reply[OAuthApplication]:
    shown = application.at(deployment.redirect_uri(domain_name))
    return Reply(shown, shown.revision)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
