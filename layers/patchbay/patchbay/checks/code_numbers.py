"""The numbers that codes are stored as.

Only add at the end: a number that was stored once means the same code for ever. 0 is no code.
"""

from typing import Final

from patchbay.checks.codes import Code

_CODES: Final[tuple[Code, ...]] = (
    "config_invalid",
    "config_missing_field",
    "secret_not_found",
    "secret_not_permitted",
    "auth_invalid",
    "auth_expired",
    "auth_revoked",
    "permission_denied",
    "scope_missing",
    "payment_required",
    "account_locked",
    "address_not_allowed",
    "not_found",
    "request_rejected",
    "authentication_unsupported",
    "blocked_by_intermediary",
    "dns_error",
    "connection_refused",
    "connection_reset",
    "network_unreachable",
    "connect_timeout",
    "tls_error",
    "tls_version_unsupported",
    "authentication_too_weak",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_untrusted",
    "certificate_self_signed",
    "certificate_chain_incomplete",
    "certificate_name_mismatch",
    "client_certificate_required",
    "client_certificate_refused",
    "egress_blocked",
    "rate_limited",
    "provider_error",
    "provider_timeout",
    "unexpected_response",
    "redirect_loop",
    "response_too_large",
    "secret_store_unavailable",
    "budget_exhausted",
    "internal_error",
    "monitor_offline",
)
_NUMBERS: Final = {code: number for number, code in enumerate(_CODES, start=1)}


def number_of(code: Code | None) -> int:
    return _NUMBERS[code] if code else 0


def code_of(number: int) -> Code | None:
    """None for 0. Raises `ValueError` for a number that no release has stored."""
    if not 0 <= number <= len(_CODES):
        raise ValueError("not the number of a code")
    return _CODES[number - 1] if number else None
