"""What the owner of a connection has to do about the code of its last test. Pure."""

from collections.abc import Mapping
from typing import Final

from patchbay.checks.codes import Code, CodeCategory, describe
from patchbay.connections.health_status import RequiredAction

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
    # A missing secret is entered in the same place as a wrong one.
    "secret_not_found": RequiredAction.REAUTHORIZE,
    # Retrying does not help: the host or its certificate is wrong.
    "tls_error": RequiredAction.FIX_CONFIG,
    "tls_version_unsupported": RequiredAction.CONTACT_SUPPORT,
    "authentication_too_weak": RequiredAction.CONTACT_SUPPORT,
    "certificate_name_mismatch": RequiredAction.FIX_CONFIG,
    "certificate_not_yet_valid": RequiredAction.CONTACT_SUPPORT,
    "certificate_chain_incomplete": RequiredAction.CONTACT_SUPPORT,
    # A private authority may have signed it, whose certificate can be given.
    "certificate_untrusted": RequiredAction.FIX_CONFIG,
    "certificate_self_signed": RequiredAction.FIX_CONFIG,
    "client_certificate_required": RequiredAction.FIX_CONFIG,
    "client_certificate_refused": RequiredAction.REAUTHORIZE,
    # The operator of the firewall has to let the tests through.
    "blocked_by_intermediary": RequiredAction.CONTACT_SUPPORT,
    # Only the operator of the server can renew a certificate.
    "certificate_expired": RequiredAction.CONTACT_SUPPORT,
    # The provider works, but not as the integration expects.
    "unexpected_response": RequiredAction.CONTACT_SUPPORT,
    "redirect_loop": RequiredAction.CONTACT_SUPPORT,
    "response_too_large": RequiredAction.CONTACT_SUPPORT,
}
"""The codes that require another action than their category does."""


def required_action(code: Code | None) -> RequiredAction:
    """The action for the code of a report; `NONE` for a test that passed and has no code."""
    if code is None:
        return RequiredAction.NONE
    return _OF_CODE.get(code) or _OF_CATEGORY[describe(code).category]
