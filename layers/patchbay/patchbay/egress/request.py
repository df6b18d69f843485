"""An HTTP request before it is on the wire. Pure data."""

from dataclasses import dataclass, field

from patchbay.egress.url import HttpUrl


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`headers` are the caller's own; framing, `Host` and defaults are added when it is sent.

    `credentialed` says whether the credential is in it. The caller has validated the texts. URL,
    headers, and body may hold secrets, so they are not printed.
    """

    method: str
    target: HttpUrl = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    credentialed: bool = False
    body: bytes = field(default=b"", repr=False)
