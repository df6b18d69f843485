"""Where alerts may be sent: the rules for webhook URLs and SNS topics."""

from typing import Final

from patchbay.egress.addresses import is_public
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.ports import may_dial
from patchbay.egress.url import HttpUrl, literal_address, parse_url

_PORT_KIND: Final = "http"
"""Webhooks may use the ports of `http` checks."""


def judge_webhook_url(policy: EgressPolicy, url: str) -> HttpUrl:
    """Returns the parsed URL of a webhook if it may be dialed, as far as its text shows.

    The scheme must be https, or http to a private address that the operator allows. The name is not
    resolved here: the guard judges its addresses at each dial. Raises `EgressBlocked`.
    """
    target = parse_url(url)
    address = literal_address(target.host)
    if address is not None:
        policy.judge_addresses(target.host, [address], target.port, _PORT_KIND)
    else:
        policy.judge_name(target.host)
        if not policy.allow and not may_dial(_PORT_KIND, target.port):
            raise EgressBlocked("port", f"Port {target.port} may not be dialed.")
    if target.scheme != "https" and (address is None or is_public(address)):
        raise EgressBlocked("scheme", "The URL's scheme is not https.")
    return target


def allowed_topics(setting: str) -> frozenset[str]:
    """Parses the setting: topic ARNs separated by commas."""
    return frozenset(arn.strip() for arn in setting.split(",") if arn.strip())
