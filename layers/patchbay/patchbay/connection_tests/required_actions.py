"""What the owner of a connection has to do about the code that its last test ended with. Pure."""

from collections.abc import Mapping
from typing import Final

from patchbay.checks.codes import Code, CodeCategory, describe
from patchbay.connections.model import RequiredAction

_OF_CATEGORY: Final[Mapping[CodeCategory, RequiredAction]] = {
    "config": RequiredAction.FIX_CONFIG,
    "auth": RequiredAction.REAUTHORIZE,
    "permission": RequiredAction.GRANT_PERMISSION,
    "account": RequiredAction.FIX_ACCOUNT,
    # Only the author of the integration can correct its requests.
    "integration": RequiredAction.CONTACT_SUPPORT,
    "network": RequiredAction.WAIT,
    "policy": RequiredAction.FIX_CONFIG,
    "rate_limit": RequiredAction.WAIT,
    "provider": RequiredAction.WAIT,
    "platform": RequiredAction.CONTACT_SUPPORT,
}

_OF_CODE: Final[Mapping[Code, RequiredAction]] = {
    # A secret that is missing is entered where a wrong one is.
    "secret_not_found": RequiredAction.REAUTHORIZE,
    # No later attempt will like the same certificate: the host or its certificate is wrong.
    "tls_error": RequiredAction.FIX_CONFIG,
    # Who runs the firewall has to let the tests through.
    "blocked_by_intermediary": RequiredAction.CONTACT_SUPPORT,
    # Who runs the server has to act: neither waiting nor a setting of ours renews a certificate.
    "certificate_expired": RequiredAction.CONTACT_SUPPORT,
    # The provider works, but not as the integration expects it to.
    "unexpected_response": RequiredAction.CONTACT_SUPPORT,
    "response_too_large": RequiredAction.CONTACT_SUPPORT,
}
"""Where a code asks for something else than its category."""


def required_action(code: Code | None) -> RequiredAction:
    """For the code of a report; none without a code, since the test passed."""
    if code is None:
        return RequiredAction.NONE
    return _OF_CODE.get(code) or _OF_CATEGORY[describe(code).category]
