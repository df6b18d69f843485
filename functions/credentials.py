"""The use of stored credentials: reading them, and requests to a provider that carry them."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.grants.given_credentials import CredentialsQuery, GivenCredentials
from patchbay.platform.http import HttpApi, RawReply, RawRequest, RouteOptions
from patchbay.platform.lambda_entry import entry_point
from patchbay.tenancy.access import Permission

deployment = Deployment(at_start=("credential_reader",))
api = HttpApi("Credentials", lambda: deployment)

CONNECTION = "/v1/organizations/<organization_id>/knowledge/connectors/connections/<connection_id>"

PROXY = f"{CONNECTION}/proxy/<path+>"
PROXIED: RouteOptions = {
    "permission": Permission.USE,
    "in_space": True,
    "failures": (409, 413, 422, 502, 504),
}


@api.get(f"{CONNECTION}/credentials", permission=Permission.USE, in_space=True, failures=(409, 422))
def get_credentials(
    organization_id: str, connection_id: str, query: CredentialsQuery, domain_name: str
) -> GivenCredentials:
    """Get usable credentials of a connection: a fresh access token, or its key."""
    return deployment.credential_reader.credentials(
        organization_id, connection_id, query.role, domain_name
    )


@api.raw("GET", PROXY, **PROXIED)
def proxy_get(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Read from the provider of a connection, with its credential."""
    return _forwarded(organization_id, connection_id, request, domain_name)


@api.raw("HEAD", PROXY, **PROXIED)
def proxy_head(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Read the headers of what the provider of a connection has."""
    return _forwarded(organization_id, connection_id, request, domain_name)


@api.raw("POST", PROXY, **PROXIED)
def proxy_post(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Post to the provider of a connection, with its credential."""
    return _forwarded(organization_id, connection_id, request, domain_name)


@api.raw("PUT", PROXY, **PROXIED)
def proxy_put(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Put to the provider of a connection, with its credential."""
    return _forwarded(organization_id, connection_id, request, domain_name)


@api.raw("PATCH", PROXY, **PROXIED)
def proxy_patch(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Patch at the provider of a connection, with its credential."""
    return _forwarded(organization_id, connection_id, request, domain_name)


@api.raw("DELETE", PROXY, **PROXIED)
def proxy_delete(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    """Delete at the provider of a connection, with its credential."""
    return _forwarded(organization_id, connection_id, request, domain_name)


def _forwarded(
    organization_id: str, connection_id: str, request: RawRequest, domain_name: str
) -> RawReply:
    return deployment.provider_proxy.forward(organization_id, connection_id, request, domain_name)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
