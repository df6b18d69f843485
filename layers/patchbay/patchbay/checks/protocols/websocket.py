"""The WebSocket protocol (RFC 6455), version 13, of a client without extensions. No I/O.

The server is treated as hostile: how much it may send is limited, and so are its frames.
"""

import hashlib
import secrets
import struct
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.word_meanings import code_of_word, codes_of_sentence

MAX_MESSAGE: Final = 64 * 1024
MAX_WIRE: Final = 256 * 1024
MAX_FRAMES: Final = 200
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_CONTROL: Final = 125


class Opcode(IntEnum):
    """RFC 6455 §5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message, or a control frame."""

    opcode: Opcode
    data: bytes

    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def new_key() -> str:
    """A `Sec-WebSocket-Key`."""
    return b64encode(secrets.token_bytes(16)).decode()


def accept_of(key: str) -> str:
    """The `Sec-WebSocket-Accept` that a server has to answer."""
    return b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def frame(opcode: Opcode, data: bytes) -> bytes:
    """A whole message of a client, which is masked (§5.3)."""
    head = bytes([0x80 | opcode])
    if len(data) <= _MAX_CONTROL:
        head += bytes([0x80 | len(data)])
    elif len(data) < 1 << 16:
        head += bytes([0x80 | 126]) + struct.pack("!H", len(data))
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", len(data))
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    return head + mask + masked


class FrameReader:
    """Reads the messages of a server from what arrives."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._received = self._frames = 0
        self._message = bytearray()
        self._opcode: Opcode | None = None

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are now whole. Raises CheckFailure."""
        self._data += data
        self._received += len(data)
        if self._received > MAX_WIRE:
            raise _too_large()
        while message := self._next():
            if isinstance(message, Message):
                yield message

    def _next(self) -> Message | bool:
        """A message, True for a part of one, and False if more has to arrive."""
        if len(self._data) < 2:
            return False
        first, second = self._data[0], self._data[1]
        length, offset = second & 0x7F, 2
        if first & 0x70 or second & 0x80:
            raise not_websocket()
        if length >= 126:
            size, form = (2, "!H") if length == 126 else (8, "!Q")
            if len(self._data) < 2 + size:
                return False
            (length,) = struct.unpack_from(form, self._data, 2)
            offset += size
        if length > MAX_MESSAGE or len(self._message) + length > MAX_MESSAGE:
            raise _too_large()
        if len(self._data) < offset + length:
            return False
        payload = bytes(self._data[offset : offset + length])
        del self._data[: offset + length]
        self._frames += 1
        if self._frames > MAX_FRAMES:
            raise _too_large()
        return self._take(first & 0x0F, payload, is_last=bool(first & 0x80))

    def _take(self, number: int, payload: bytes, *, is_last: bool) -> Message | bool:
        try:
            opcode = Opcode(number)
        except ValueError as error:
            raise not_websocket() from error
        if opcode >= Opcode.CLOSE:
            if not is_last or len(payload) > _MAX_CONTROL:
                raise not_websocket()
            return Message(opcode, payload)
        # A message begins with its type, and goes on with continuations.
        if (opcode is Opcode.CONTINUATION) != (self._opcode is not None):
            raise not_websocket()
        self._opcode = self._opcode or opcode
        self._message += payload
        if not is_last:
            return True
        message = Message(self._opcode, bytes(self._message))
        self._opcode, self._message = None, bytearray()
        return message


_OF_CLOSE: Final[dict[int, Code]] = {
    1002: "request_rejected",
    1003: "request_rejected",
    1007: "request_rejected",
    1008: "permission_denied",
    1009: "request_rejected",
    1010: "request_rejected",
    1011: "provider_error",
    1012: "provider_error",
    1013: "provider_error",
    1014: "provider_error",
    3000: "auth_invalid",
    3003: "permission_denied",
    3008: "provider_error",
    # https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, and HTTP's statuses as many
    # servers send them
    4400: "request_rejected",
    4401: "auth_invalid",
    4403: "permission_denied",
    4404: "not_found",
    4429: "rate_limited",
    4500: "provider_error",
}
"""https://www.iana.org/assignments/websocket"""


def meaning_of_close(data: bytes) -> tuple[Code, int | None]:
    """What the end of a session means, and its number; of a reason only the meaning is taken."""
    if len(data) < 2:
        return "connection_reset", None
    (number,) = struct.unpack_from("!H", data)
    reason = data[2:].decode("utf-8", "replace")
    word = code_of_word(reason) or next(iter(sorted(codes_of_sentence(reason))), None)
    if word and number not in (1011, 1012, 1013):
        return word, number
    return _OF_CLOSE.get(number, "unexpected_response"), number


def not_websocket() -> CheckFailure:
    return CheckFailure("unexpected_response", "The server does not follow the WebSocket protocol.")


def _too_large() -> CheckFailure:
    return CheckFailure("response_too_large", "The server sends more than a check reads.")
