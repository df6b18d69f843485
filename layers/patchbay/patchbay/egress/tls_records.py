"""What a server says in the clear of a TLS handshake, up to version 1.2 (RFC 5246). Pure."""

import struct
from typing import Final

MAX_HEARD: Final = 64 * 1024
"""Bytes of a handshake that are kept to be looked at if it fails."""

_HANDSHAKE: Final = 22
_ALERT: Final = 21
_CERTIFICATE_REQUEST: Final = 13
_RECORD: Final = struct.Struct("!BHH")


def asks_for_certificate(received: bytes) -> bool:
    """Whether the server has asked for a client certificate (RFC 5246 §7.4.4).

    `received` is what it has sent since the handshake began. False for TLS 1.3, which asks within
    its encryption.
    """
    messages = _messages(received)
    while len(messages) >= 4:
        if messages[0] == _CERTIFICATE_REQUEST:
            return True
        messages = messages[4 + int.from_bytes(messages[1:4]) :]
    return False


def _messages(received: bytes) -> bytes:
    """The messages of a handshake, joined from the records before the first that is encrypted."""
    found = bytearray()
    offset = 0
    while offset + _RECORD.size <= len(received):
        kind, _, length = _RECORD.unpack_from(received, offset)
        offset += _RECORD.size
        if kind == _HANDSHAKE:
            found += received[offset : offset + length]
        elif kind != _ALERT:
            break
        offset += length
    return bytes(found)
