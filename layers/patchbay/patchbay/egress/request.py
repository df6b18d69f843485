"""An HTTP request before it is on the wire. Pure data."""

from dataclasses import dataclass, field

from patchbay.egress.tls import TlsOptions
from patchbay.egress.url import HttpUrl


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`headers` are the caller's own; framing, `Host` and defaults are added when it is sent.

    `credentialed` says whether the credential is in it. The texts are validated by the one who
    makes it. URL, headers, and body may hold secrets, so they are not printed. Without `tls` a
    server of https is verified against the system's authorities. With `cookies` it carries those of
    the test, and keeps those that the answer sets. `upgrade` is the protocol that it asks to go on
    with, such as `websocket`.
    """

    method: str
    target: HttpUrl = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    credentialed: bool = False
    body: bytes = field(default=b"", repr=False)
    tls: TlsOptions | None = field(default=None, repr=False)
    cookies: bool = False
    upgrade: str = ""
