"""Says who calls, for every request that API Gateway lets in (Lambda authorizer, payload 2.0).

It always answers "authorized", with a context that names the principal or nobody: the functions
refuse nobody themselves (401), in the error envelope, which the gateway could not do (ADR 2).
"""

from functools import cache
from typing import Any

from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.settings import AuthorizerSettings
from patchbay.tenancy.authentication import Authenticator, token_reader
from patchbay.tenancy.request_rates import RequestRates
from patchbay.tenancy.store import TenancyStore


@cache
def _authenticator() -> Authenticator:
    settings = AuthorizerSettings.from_env()
    store = TenancyStore(Table(settings.integrations_table))
    rates = RequestRates(settings.requests_per_minute)
    return Authenticator(store, token_reader(settings), rates)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    header = event.get("headers", {}).get("authorization")
    return {"isAuthorized": True, "context": _authenticator().context(header, utc_now())}
