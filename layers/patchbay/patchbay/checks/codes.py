"""The codes that a step can fail with: whose move it is, whether a retry helps, and what to do.

The category `account` is about the customer's account at the provider, not about the credential:
no field of the endpoint is wrong. `integration` is about the request that the integration's author
wrote. Neither the customer nor the provider can change it, so the blame is unknown.

The table is that of the design's section on checks. `describe` is its only reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Blame = Literal["customer", "provider", "unknown", "platform"]
type CodeCategory = Literal[
    "config",
    "auth",
    "permission",
    "account",
    "integration",
    "network",
    "policy",
    "rate_limit",
    "provider",
    "platform",
]
type Code = Literal[
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
]


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What a code means: constants, never text of a server."""

    code: Code
    category: CodeCategory
    retryable: bool
    blame: Blame
    title: str
    remediation: str


def describe(code: Code) -> CodeInfo:
    """The row of `code`. Every code has one."""
    return _TABLE[code]


_ROWS: tuple[CodeInfo, ...] = (
    CodeInfo(
        "config_invalid",
        "config",
        False,
        "customer",
        "A setting is not usable",
        "Correct the field that is named and test again.",
    ),
    CodeInfo(
        "config_missing_field",
        "config",
        False,
        "customer",
        "A setting is missing",
        "Fill in the field that is named and test again.",
    ),
    CodeInfo(
        "secret_not_found",
        "config",
        False,
        "customer",
        "A secret is missing",
        "Enter the secret that is named and test again.",
    ),
    CodeInfo(
        "secret_not_permitted",
        "config",
        False,
        "customer",
        "The secret does not permit this use",
        "Compare the integration and the destination with what you mean the secret for. If they "
        "are right, set the tag that is named on the secret in AWS Secrets Manager and test again.",
    ),
    CodeInfo(
        "auth_invalid",
        "auth",
        False,
        "customer",
        "The credential was not accepted",
        "Create a new credential at the provider, enter it here and test again. Check that it "
        "belongs to the same account, region, and environment (live or sandbox) as the address.",
    ),
    CodeInfo(
        "auth_expired",
        "auth",
        False,
        "customer",
        "The credential has expired",
        "Renew the credential at the provider, or connect the account again.",
    ),
    CodeInfo(
        "auth_revoked",
        "auth",
        False,
        "customer",
        "The credential was revoked",
        "Someone revoked this credential at the provider: enter a new one, or connect the account "
        "again.",
    ),
    CodeInfo(
        "permission_denied",
        "permission",
        False,
        "customer",
        "The credential may not do this",
        "The provider knows the credential but refuses this call: give it the missing permission "
        "or turn the API on for the account at the provider, or use a credential that has it.",
    ),
    CodeInfo(
        "scope_missing",
        "permission",
        False,
        "customer",
        "The credential lacks a scope",
        "For an API key, add the missing scopes at the provider. For an account, connect it again "
        "and grant the scopes that the integration asks for.",
    ),
    CodeInfo(
        "payment_required",
        "account",
        False,
        "customer",
        "The account at the provider has nothing left to spend",
        "Waiting does not help. Add credit, pay the invoice, or choose a larger plan at the "
        "provider, and test again.",
    ),
    CodeInfo(
        "account_locked",
        "account",
        False,
        "customer",
        "The account at the provider is locked",
        "The provider has locked, suspended, or closed the account or its user. Have it unlocked "
        "there, then test again.",
    ),
    CodeInfo(
        "address_not_allowed",
        "account",
        False,
        "customer",
        "The provider does not accept calls from this address",
        "The account restricts which addresses may call. Add the addresses of this platform to "
        "its allowlist at the provider, then test again.",
    ),
    CodeInfo(
        "not_found",
        "config",
        False,
        "customer",
        "The provider has nothing under this name",
        "Check the field that is named. Some providers also give this answer to a credential that "
        "may not see the resource.",
    ),
    CodeInfo(
        "request_rejected",
        "integration",
        False,
        "unknown",
        "The API does not accept this request",
        "Nothing to change here, and waiting does not help: the integration's author must correct "
        "the request of this check.",
    ),
    CodeInfo(
        "authentication_unsupported",
        "integration",
        False,
        "unknown",
        "The server asks for a way to log in that this check does not use",
        "The operator of the server must offer this user another way to log in, or the "
        "integration's author must allow the one that it asks for.",
    ),
    CodeInfo(
        "blocked_by_intermediary",
        "network",
        False,
        "unknown",
        "Something in front of the API refused the request",
        "A firewall, a bot wall, a proxy, or a rule about regions refused the request before the "
        "API saw it, so the credential is not in question. Its operator must let the addresses of "
        "this platform through.",
    ),
    CodeInfo(
        "dns_error",
        "network",
        True,
        "unknown",
        "Not found in the public DNS",
        "Check the spelling of the host, and that its records are published in the public DNS.",
    ),
    CodeInfo(
        "connection_refused",
        "network",
        True,
        "unknown",
        "The connection was refused",
        "Nothing listens on this port of the host: check the port and that the service runs.",
    ),
    CodeInfo(
        "connection_reset",
        "network",
        True,
        "unknown",
        "The connection was cut",
        "The other side closed the connection before it answered: check that the port speaks this "
        "protocol and that no firewall is in the way.",
    ),
    CodeInfo(
        "network_unreachable",
        "network",
        True,
        "unknown",
        "There is no route to the host",
        "Check that the address of the host is right and reachable from the internet.",
    ),
    CodeInfo(
        "connect_timeout",
        "network",
        True,
        "unknown",
        "The host did not answer",
        "Check the host and the port, and that its firewall allows connections from here.",
    ),
    CodeInfo(
        "tls_error",
        "network",
        False,
        "unknown",
        "No TLS connection was possible",
        "Check that the port is one that speaks TLS, and that the server's TLS is in order.",
    ),
    CodeInfo(
        "tls_version_unsupported",
        "network",
        False,
        "unknown",
        "The server's TLS is too old",
        "The server must support TLS 1.2 or later: its operator has to update or configure it.",
    ),
    CodeInfo(
        "authentication_too_weak",
        "network",
        False,
        "unknown",
        "The server asks for a proof that would give the password away",
        "The operator of the server must raise the iteration count of SCRAM to 4,096 or more "
        "(scram_iterations in PostgreSQL), and set the password again. If it is not your server, "
        "change the password.",
    ),
    CodeInfo(
        "certificate_expired",
        "network",
        False,
        "unknown",
        "A certificate of the server has expired",
        "The operator of the server must renew the certificate, or the intermediate certificate "
        "that the server sends with it.",
    ),
    CodeInfo(
        "certificate_not_yet_valid",
        "network",
        False,
        "unknown",
        "The server's certificate is not valid yet",
        "The operator of the server must install a certificate that is valid today.",
    ),
    CodeInfo(
        "certificate_untrusted",
        "network",
        False,
        "unknown",
        "The server's certificate is signed by an unknown authority",
        "Use a certificate of a public authority, or give the private authority's certificate "
        "where the integration asks for one.",
    ),
    CodeInfo(
        "certificate_self_signed",
        "network",
        False,
        "unknown",
        "The server's certificate is self-signed",
        "Use a certificate of a public authority, or give this certificate where the integration "
        "asks for an authority.",
    ),
    CodeInfo(
        "certificate_chain_incomplete",
        "network",
        False,
        "unknown",
        "The server does not send its intermediate certificate",
        "The operator of the server must install the full chain: its certificate, then the "
        "intermediate certificates. Browsers hide this, because they fetch what is missing. If a "
        "private authority signed it, give that authority where the integration asks for one.",
    ),
    CodeInfo(
        "certificate_name_mismatch",
        "network",
        False,
        "unknown",
        "The server's certificate is for another host name",
        "Check the host. If it is right, its operator must install a certificate for this name.",
    ),
    CodeInfo(
        "client_certificate_required",
        "network",
        False,
        "customer",
        "The server asks for a client certificate",
        "Give a client certificate and its key where the integration asks for them; if it does "
        "not, this server can't be used with it.",
    ),
    CodeInfo(
        "client_certificate_refused",
        "network",
        False,
        "customer",
        "The server does not accept the client certificate",
        "Give a certificate that this server trusts and that has not expired, with its chain.",
    ),
    CodeInfo(
        "egress_blocked",
        "policy",
        False,
        "customer",
        "This address may not be dialed",
        "Only public addresses and the ports of the protocol are dialed. Use a public address, or "
        "ask the operator to allow the private one.",
    ),
    CodeInfo(
        "rate_limited",
        "rate_limit",
        True,
        "provider",
        "The provider limits the rate of calls",
        "Wait, then test again; test or sync less often if this returns.",
    ),
    CodeInfo(
        "provider_error",
        "provider",
        True,
        "provider",
        "The provider has a fault",
        "Nothing to change here: see the provider's status page and test again later.",
    ),
    CodeInfo(
        "provider_timeout",
        "provider",
        True,
        "provider",
        "The provider took too long",
        "Test again later; if it stays slow, see the provider's status page.",
    ),
    CodeInfo(
        "unexpected_response",
        "provider",
        True,
        "provider",
        "The response was not the expected one",
        "Check that the address is that of the provider's API; if it is, the provider or the "
        "integration's checks have changed.",
    ),
    CodeInfo(
        "redirect_loop",
        "provider",
        False,
        "provider",
        "The redirects of the provider lead nowhere",
        "Check the address. If it is right, the provider has to correct its redirects.",
    ),
    CodeInfo(
        "response_too_large",
        "provider",
        True,
        "provider",
        "The response was too large",
        "A check reads at most 64 KiB: the integration's check should call something smaller.",
    ),
    CodeInfo(
        "secret_store_unavailable",
        "platform",
        True,
        "platform",
        "The secret could not be read",
        "Nothing to change here: the secret store is not available; test again later.",
    ),
    CodeInfo(
        "budget_exhausted",
        "platform",
        True,
        "platform",
        "The test ran out of time",
        "Test again; if this returns, the steps of this test need more time than it has.",
    ),
    CodeInfo(
        "internal_error",
        "platform",
        True,
        "platform",
        "The test itself failed",
        "Nothing to change here: this is a fault of the platform; test again later.",
    ),
    CodeInfo(
        "monitor_offline",
        "platform",
        True,
        "platform",
        "The monitor had no network",
        "Nothing to change here: nothing could be reached from where the tests run. Wait for the "
        "next test.",
    ),
)

_TABLE: Mapping[Code, CodeInfo] = {row.code: row for row in _ROWS}
