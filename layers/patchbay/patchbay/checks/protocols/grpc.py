"""gRPC's health checking over HTTP/2: one unary call. No I/O.

HTTP/2 itself is that of the library h2. The server is treated as hostile: how much it may send is
limited.

- https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
- https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure

PATH: Final = "/grpc.health.v1.Health/Check"
MAX_WIRE: Final = 128 * 1024
MAX_BODY: Final = 16 * 1024
MAX_HEADERS: Final = 32 * 1024
SERVING: Final = 1
_FRAME_HEAD: Final = 9
_SETTINGS: Final = 4
_STATUS: Final = re.compile(r"[0-9]{1,2}", re.ASCII)

OF_STATUS: Final[Mapping[int, tuple[Code, str]]] = {
    1: ("provider_error", "canceled the call"),
    2: ("provider_error", "has a fault"),
    3: ("request_rejected", "does not accept the request"),
    4: ("provider_timeout", "did not answer in time"),
    5: ("not_found", "knows no service of this name"),
    6: ("request_rejected", "does not accept the request"),
    7: ("permission_denied", "does not let the credential do this"),
    8: ("rate_limited", "limits the rate of calls"),
    9: ("request_rejected", "does not accept the request"),
    10: ("provider_error", "canceled the call"),
    11: ("request_rejected", "does not accept the request"),
    12: ("request_rejected", "does not implement gRPC's health checking"),
    13: ("provider_error", "has a fault"),
    14: ("provider_error", "is not available"),
    15: ("provider_error", "has a fault"),
    16: ("auth_invalid", "does not accept the credential"),
}
"""https://grpc.io/docs/guides/status-codes/"""

HTTP_OF_STATUS: Final[Mapping[int, int]] = {3: 400, 7: 403, 8: 429, 9: 400, 16: 401}
"""The statuses by which a call is refused, and those of HTTP that mean the same
(https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto)."""


@dataclass(slots=True)
class Call:
    """One call: `start` and what `feed` returns are sent; `answer` is set at its end."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    message: bytes = field(repr=False)
    answer: "GrpcAnswer | None" = None
    _received: int = 0
    _start: bytearray | None = field(default_factory=bytearray)
    _head: dict[str, str] = field(default_factory=dict)
    _body: bytearray = field(default_factory=bytearray)
    _trailers: dict[str, str] = field(default_factory=dict)
    _connection: H2Connection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = H2Connection(
            H2Configuration(client_side=True, header_encoding="latin-1")
        )
        self._connection.local_settings.update(
            {
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS,
                SettingCodes.INITIAL_WINDOW_SIZE: 2 * MAX_BODY,
            }
        )

    def start(self) -> bytes:
        """The preface, the settings, and the request."""
        connection = self._connection
        connection.initiate_connection()
        connection.send_headers(1, self.headers)
        framed = b"\0" + struct.pack("!I", len(self.message)) + self.message
        connection.send_data(1, framed, end_stream=True)
        return bytes(connection.data_to_send())

    def feed(self, data: bytes) -> bytes:
        """Takes what has arrived; returns what has to be sent. Raises CheckFailure."""
        self._received += len(data)
        if self._received > MAX_WIRE:
            raise _too_large()
        if self._start is not None:
            self._start += data
            if len(self._start) < _FRAME_HEAD:
                return b""
            # The first frame has to be SETTINGS (RFC 9113 §3.4): others would be waited for.
            if self._start[3] != _SETTINGS:
                raise not_http2()
            data, self._start = bytes(self._start), None
        try:
            for event in self._connection.receive_data(data):
                self._take(event)
        except (H2Error, ValueError) as error:
            raise not_http2() from error
        return bytes(self._connection.data_to_send())

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived(headers=headers):
                self._head = _by_name(headers or ())
            case TrailersReceived(headers=headers):
                self._trailers = _by_name(headers or ())
            case DataReceived(data=data, flow_controlled_length=length):
                self._body += data or b""
                if len(self._body) > MAX_BODY:
                    raise _too_large()
                self._connection.acknowledge_received_data(length or 0, 1)
            case StreamEnded():
                self.answer = GrpcAnswer(self._head, bytes(self._body), self._trailers)
            case StreamReset(error_code=code):
                raise _reset(code)
            case ConnectionTerminated(error_code=code):
                if self.answer is None:
                    raise _reset(code)
            case InformationalResponseReceived():
                pass


@dataclass(frozen=True, slots=True)
class GrpcAnswer:
    """The headers, the body, and the trailers of an answer, by lower-case name."""

    headers: Mapping[str, str]
    body: bytes
    trailers: Mapping[str, str]

    @property
    def http_status(self) -> int:
        text = self.headers.get(":status", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0

    @property
    def is_grpc(self) -> bool:
        return self.headers.get("content-type", "").lower().startswith("application/grpc")

    @property
    def status(self) -> int | None:
        """The gRPC status, None if there is none. An answer without a message has it in its
        headers."""
        text = self.trailers.get("grpc-status", self.headers.get("grpc-status", ""))
        return int(text) if _STATUS.fullmatch(text) else None

    @property
    def words(self) -> str:
        text = self.trailers.get("grpc-message", self.headers.get("grpc-message", ""))
        return unquote(text)[:1000]

    def health(self) -> int | None:
        """The `status` of a HealthCheckResponse, None if the message is not one."""
        if len(self.body) < 5 or self.body[0] != 0:
            return None
        (length,) = struct.unpack_from("!I", self.body, 1)
        message = self.body[5:]
        if length != len(message):
            return None
        # The default of an enum is not sent; any other field is of a later version.
        if not message:
            return 0
        if len(message) >= 2 and message[0] == 0x08 and message[1] < 0x80:
            return message[1]
        return None


def request_of(service: str) -> bytes:
    """A HealthCheckRequest: the service is field 1, a string of at most 127 bytes."""
    name = service.encode()
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def not_http2() -> CheckFailure:
    return CheckFailure("unexpected_response", "The server does not speak gRPC (HTTP/2).")


def _reset(code: int | ErrorCodes | None) -> CheckFailure:
    if code == ErrorCodes.ENHANCE_YOUR_CALM:
        return CheckFailure("rate_limited", "The server limits the rate of calls.")
    if code == ErrorCodes.HTTP_1_1_REQUIRED:
        return not_http2()
    return CheckFailure("provider_error", "The server ended the call before it had answered.")


def _too_large() -> CheckFailure:
    return CheckFailure("response_too_large", "The answer is larger than a check reads.")


def _by_name(headers: Iterable[tuple[bytes | str, bytes | str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = _text(name).lower(), _text(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
