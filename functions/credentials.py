"""The use of stored credentials: reading them."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.grants.given_credentials import CredentialsQuery, GivenCredentials
from patchbay.platform.http import HttpApi
from patchbay.platform.lambda_entry import entry_point
from patchbay.tenancy.access import Permission

deployment = Deployment(at_start=("credential_reader",))
api = HttpApi("Credentials", lambda: deployment)

CONNECTION = "/v1/organizations/<organization_id>/knowledge/connectors/connections/<connection_id>"


@api.get(f"{CONNECTION}/credentials", permission=Permission.USE, in_space=True, failures=(409, 422))
def get_credentials(
    organization_id: str, connection_id: str, query: CredentialsQuery
) -> GivenCredentials:
    """Get usable credentials of a connection: a fresh access token, or its key."""
    return deployment.credential_reader.credentials(organization_id, connection_id, query.role)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
