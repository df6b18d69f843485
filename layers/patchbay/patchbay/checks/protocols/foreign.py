"""A server that does not speak the protocol it was asked for, and which one it may speak."""

from typing import Final


class Malformed(Exception):
    """What the server sent is not of the protocol; it began with `beginning`, if that is known."""

    def __init__(self, beginning: bytes = b"") -> None:
        super().__init__()
        self.beginning = beginning


_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"HTTP", "HTTP"),
    (b"<htm", "HTTP"),
    (b"<!DO", "HTTP"),
    (b"SSH-", "SSH"),
    (b"220", "SMTP or FTP"),
    (b"* OK", "IMAP"),
    (b"+OK ", "POP3"),
    # An alert of TLS, in answer to what was sent in the clear.
    (b"\x15\x03", "TLS"),
)


def spoken(beginning: bytes) -> str | None:
    """The protocol whose answer or greeting begins like this; None if it is not a known one."""
    return next((name for start, name in _BEGINNINGS if beginning.startswith(start)), None)
