"""The codes that a step can fail with: whose move it is, whether a retry helps, and what to do.

`describe` is the only reader of the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Blame = Literal["customer", "provider", "unknown", "platform"]
type CodeCategory = Literal[
    "config", "auth", "permission", "network", "policy", "rate_limit", "provider", "platform"
]
type Code = Literal[
    "config_invalid",
    "config_missing_field",
    "secret_not_found",
    "auth_invalid",
    "auth_expired",
    "auth_revoked",
    "permission_denied",
    "scope_missing",
    "dns_error",
    "connection_refused",
    "connection_reset",
    "network_unreachable",
    "connect_timeout",
    "tls_error",
    "certificate_expired",
    "egress_blocked",
    "rate_limited",
    "provider_error",
    "provider_timeout",
    "unexpected_response",
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
        "at the provider, or use one that has it.",
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
        "No trusted TLS connection was possible",
        "The certificate must be valid for this host name and signed by a public authority, and "
        "the server must support TLS 1.2 or later.",
    ),
    CodeInfo(
        "certificate_expired",
        "network",
        False,
        "unknown",
        "The server's certificate has expired",
        "The owner of the server must renew its certificate.",
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
