"""The one URL parser: strict, parsed once, and every later use is rebuilt from the parts.

Two parsers that read one URL differently are a classic vulnerability. So everything that common
parsers read in different ways is refused here, not interpreted:

- only visible ASCII of RFC 3986; no user info, no fragment, no backslash, no percent sign in the
  host;
- a host is a name of DNS labels (letters, digits, `-`, and `_` as DNS has it), a dotted decimal
  IPv4 address of exactly four plain numbers, or an IPv6 address in brackets without a zone;
- a host whose last label is a number in any notation is an IPv4 address or nothing (as in WHATWG);
- international names are given in their punycode form (`xn--…`);
- a port is 1 to 5 plain digits without leading zeros.

The canonical host is lower case without a trailing dot.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from patchbay.egress.addresses import Address
from patchbay.egress.failures import EgressBlocked

MAX_URL = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Character classes are explicit: `\d` and `\w` would match digits of other scripts.
_SHAPE: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<path>.*)"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[^:]*))?")
# A path with its query. Brackets in a query (`?filter[x]=1`) violate RFC 3986, but are common, and
# everyone reads them alike. `++` and `*+` never go back, so the time is linear in the length.
_PATH: Final = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]++|%[0-9A-Fa-f]{2})*+"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]++|%[0-9A-Fa-f]{2})*+)?"
)
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_IPV4: Final = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An http(s) URL taken apart. `path` starts with `/` and includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as in a `Host` header: brackets for IPv6, no default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def address(self) -> str:
        """Scheme, host, and port, as a person writes them."""
        return f"{self.scheme}://{self.authority}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def at(self, path: str, *, longest: int = MAX_URL) -> "HttpUrl":
        """Another URL of this origin. `path` starts with `/` and includes the query.

        Raises EgressBlocked `parse`, as `parse_url` does.
        """
        if len(self.address) + len(path) > longest:
            raise _too_long()
        if not _PATH.fullmatch(path):
            raise _not_allowed()
        return HttpUrl(self.scheme, self.host, self.port, path)


def parse_url(text: str) -> HttpUrl:
    """The target of an absolute http(s) URL.

    Raises EgressBlocked: `parse` if it is not a strict URL, `scheme` if it has another scheme.
    Ports and hosts are not judged here.
    """
    if not 0 < len(text) <= MAX_URL:
        raise _too_long()
    if text != text.strip():
        raise EgressBlocked("parse", "The URL has white space around it.")
    shape = _SHAPE.fullmatch(text)
    if not shape:
        raise EgressBlocked("parse", "The URL is not an absolute http or https URL.")
    scheme = shape["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise EgressBlocked("scheme", "The URL's scheme is neither http nor https.")
    path = shape["path"]
    if "@" in shape["authority"]:
        raise EgressBlocked(
            "parse", "The URL has a user name or a password: leave them out of the URL."
        )
    authority = _AUTHORITY.fullmatch(shape["authority"])
    if not authority or not _PATH.fullmatch(path):
        raise _not_allowed()
    host, port = parse_host(authority["host"]), authority["port"]
    if port is not None and (not _PORT.fullmatch(port) or int(port) > 65535):
        raise EgressBlocked("parse", "The URL's port is not a number from 0 to 65535.")
    return HttpUrl(
        scheme=scheme,
        host=host,
        port=DEFAULT_PORTS[scheme] if port is None else int(port),
        path=path if path.startswith("/") else f"/{path}",
    )


@lru_cache(maxsize=1024)  # a test asks for the same host at each of its dials, and more than once
def parse_host(text: str) -> str:
    """The canonical form of a host: a lower-case name without trailing dot, or an IP address.

    IPv6 addresses are accepted with or without brackets and returned without. Raises EgressBlocked
    (`parse`).
    """
    if text != text.strip():
        raise EgressBlocked("parse", "The host has white space around it.")
    if "://" in text or "/" in text:
        raise EgressBlocked("parse", "The host has parts of a URL: give the name alone.")
    if text.startswith("[") and text.endswith("]"):
        return str(_ipv6(text[1:-1]))
    if ":" in text:
        return str(_ipv6(text))
    if _IPV4.fullmatch(text):
        return str(_ipv4(text))
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    # The Kelvin sign is not ASCII, but its lower case is a plain k.
    if len(host) > 253 or not text.isascii() or not all(map(_LABEL.fullmatch, labels)):
        raise EgressBlocked("parse", "The host is not a valid name or address.")
    if _NUMBER.fullmatch(labels[-1]):
        raise EgressBlocked("parse", "The host is a number, but not a plain IPv4 address.")
    return host


@lru_cache(maxsize=1024)
def literal_address(host: str) -> Address | None:
    """The address if a canonical host is one, None for a name."""
    if ":" in host:
        return IPv6Address(host)
    return IPv4Address(host) if _IPV4.fullmatch(host) else None


def _too_long() -> EgressBlocked:
    return EgressBlocked("parse", f"The URL is empty or longer than {MAX_URL} characters.")


def _not_allowed() -> EgressBlocked:
    return EgressBlocked("parse", "The URL has characters or parts that are not allowed.")


def _ipv4(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise EgressBlocked("parse", "The host is not a valid IPv4 address.") from error


def _ipv6(text: str) -> IPv6Address:
    # A zone (`%eth0`) is an interface of ours; ipaddress would accept it.
    if "%" in text or not text.isascii():
        raise EgressBlocked("parse", "The host is not a valid IPv6 address.")
    try:
        return IPv6Address(text)
    except AddressValueError as error:
        raise EgressBlocked("parse", "The host is not a valid IPv6 address.") from error
