"""Where browsers reach this deployment: the origin of its redirect URI and of its pages."""

import re
from typing import Final

FRAME_PARAMETER: Final = "session"
"""Of the wizard's address: it leads to the origins that may show the wizard in a frame."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOOPBACK: Final = r"127\.0\.0\.1|localhost|\[::1\]"
_PORT: Final = r"(?::[1-9][0-9]{0,4})?"
_ORIGIN: Final = (
    rf"https://(?P<host>{_LABEL}(?:\.{_LABEL})+|{_LOOPBACK}){_PORT}|http://(?:{_LOOPBACK}){_PORT}"
)


def read_origin(text: str) -> str:
    """An origin as browsers spell it, or "".

    It is in lower case and has no path: providers compare a redirect URI as a string (RFC 6749,
    section 3.1.2.3). Only the loopback interface may have http, for the local cloud.

    Raises ValueError for anything else.
    """
    if text and not re.fullmatch(_ORIGIN, text):
        raise ValueError("not an https origin without a path")
    return text


def own_name(origin: str) -> str:
    """The host name of an origin that `read_origin` has read; "" if it is a loopback address, which
    the rules for dialing are about already, or if there is none."""
    match = re.fullmatch(_ORIGIN, origin)
    host = match["host"] if match else None
    return host if host and not re.fullmatch(_LOOPBACK, host) else ""
