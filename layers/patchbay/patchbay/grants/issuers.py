"""Who issued the answer of a callback (RFC 9207): against mix-up, where a hostile provider sends
the browser to an honest one, so that the code of the honest one comes back in a flow of the hostile
one (RFC 9700 §4.4). Pure.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from patchbay.checks.templates import ValueRefused, Values
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.url import parse_url

if TYPE_CHECKING:
    from patchbay.checks.authorization_code import AuthorizationRecipe


def is_issuer(
    recipe: "AuthorizationRecipe", variables: Mapping[str, object], iss: str | None
) -> bool:
    """Whether an answer with this `iss` may be one of the flow's own provider.

    With `issuer` in `authConfig`, it has to be exactly that (RFC 9207 §2.4), and has to be there.
    Without, an `iss` has to be an https URL on the host and port of the authorization or token URL.
    """
    values = Values({**recipe.defaults, **variables}, {})
    try:
        if expected := recipe.expected_issuer(variables):
            return iss == expected
        if iss is None:
            return True
        url = parse_url(iss)
        own = {one.origin(values) for one in (recipe.authorization_url, recipe.request.url)}
    except (EgressBlocked, ValueRefused):
        return False
    return url.scheme == "https" and url.origin in own
