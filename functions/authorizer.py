"""Attaches the principal to each request of the API (Lambda authorizer, payload 2.0).

The authorizer never denies a request; it attaches the principal, or none. The functions deny (401),
in the error envelope, which the gateway can't do (ADR 2).
"""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.browser_requests import browser_request
from patchbay.platform.clock import utc_now
from patchbay.platform.lambda_entry import entry_point

deployment = Deployment(at_start=("authenticator",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    header = event.get("headers", {}).get("authorization")
    known = deployment.authenticator.context(header, utc_now(), browser_request(event))
    return {"isAuthorized": True, "context": known}
