"""Addresses that a browser is sent back to, or that may embed the wizard. Pure.

They are compared and followed as they are written, so they are judged by their text, not by what a
parser makes of it: parsers of URLs disagree about user info, backslashes, tabs, and more slashes
than two (https://url.spec.whatwg.org/#url-parsing), and a pattern knows none of these.

`http` is for the machine of the end user alone, as the local cloud has it: RFC 8252 §7.3 allows it
for loopback redirects.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from patchbay.platform.validation import Spelled

MAX_ADDRESS: Final = 2000
"""Characters."""

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"{_LABEL}(?:\.{_LABEL}){{0,20}}"
_PORT: Final = "(?::[1-9][0-9]{0,4})?"
_ORIGIN: Final = rf"(?:https://{_HOST}|http://(?:localhost|127\.0\.0\.1|\[::1\])){_PORT}"
ORIGIN_PATTERN: Final = f"^{_ORIGIN}$"
ADDRESS_PATTERN: Final = rf"^{_ORIGIN}(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{{0,1700}})?$"
_RULE: Final = "https, or http on loopback"


def _known_port(address: str) -> str:
    port = address.split("/")[2].partition("?")[0].partition("#")[0].rpartition(":")[2]
    if port.isdigit() and int(port) > 65_535:
        raise ValueError("must have a port up to 65535")
    return address


def _in_lower_case(origin: str) -> str:
    """As browsers write it, without the default port."""
    return origin.lower().removesuffix(":443" if origin.startswith("https:") else ":80")


Origin = Annotated[
    str,
    StringConstraints(max_length=300),
    Spelled(ORIGIN_PATTERN, f"must be an origin ({_RULE}): a scheme, a host, and maybe a port"),
    AfterValidator(_known_port),
    AfterValidator(_in_lower_case),
]
ReturnAddress = Annotated[
    str,
    StringConstraints(max_length=MAX_ADDRESS),
    Spelled(ADDRESS_PATTERN, f"must be a URL ({_RULE}), without a user name or a password"),
    AfterValidator(_known_port),
]
