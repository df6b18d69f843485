"""The client/server protocol of MySQL and MariaDB: the packets. No I/O.

The server is treated as hostile: how much it may send is limited, packets must be in sequence, and
every length is checked before it is used. A server that asks for a file of this machine
(`LOAD DATA LOCAL`) is refused. Of its errors the number is read, and its words decide only between
meanings of ours: they are never repeated.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
https://mariadb.com/docs/server/reference/clientserver-protocol
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols.foreign import Malformed, spoken

MAX_WIRE: Final = 64 * 1024
MAX_PACKET: Final = 32 * 1024
MAX_COLUMNS: Final = 1000
HEAD_BYTES: Final = 4
"""The length of a packet, three bytes, and its number in the sequence."""

OK, MORE, FILE, LONG, SWITCH, ERROR = 0x00, 0x01, 0xFB, 0xFE, 0xFE, 0xFF
"""What a packet is, by its first byte: where a result set may come, 0xFB asks for a file; in a
login, 0xFE switches the method."""

# Capabilities: https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
_LONG_PASSWORD: Final = 1
_CONNECT_WITH_DB: Final = 1 << 3
_PROTOCOL_41: Final = 1 << 9
_SSL: Final = 1 << 11
_TRANSACTIONS: Final = 1 << 13
_SECURE_CONNECTION: Final = 1 << 15
_PLUGIN_AUTH: Final = 1 << 19
# LOCAL_FILES and MULTI_STATEMENTS are missing on purpose.
_WANTED: Final = (
    _LONG_PASSWORD | _PROTOCOL_41 | _SSL | _TRANSACTIONS | _SECURE_CONNECTION | _PLUGIN_AUTH
)
_NEEDED: Final = _PROTOCOL_41 | _SECURE_CONNECTION
_UTF8MB4: Final = 45
_QUERY: Final = b"\x03"
_QUIT: Final = b"\x01"
_SHORT_EOF: Final = 9


class Sequence:
    """Numbers the packets of both sides, and limits what the server may send in a session."""

    def __init__(self) -> None:
        self._next = 0
        self._received = 0

    def read(self, head: bytes) -> int:
        """How many bytes follow the head of a packet. Raises CheckFailure, Malformed."""
        length = int.from_bytes(head[:3], "little")
        if head[3] != self._next:
            if self._received == 0:
                raise not_mysql(head)
            raise Malformed
        self._next = (self._next + 1) & 0xFF
        self._received += HEAD_BYTES + length
        if length > MAX_PACKET or self._received > MAX_WIRE:
            raise CheckFailure("response_too_large", "The server sends more than a check reads.")
        return length

    def packet(self, body: bytes) -> bytes:
        """The next packet of the client."""
        head = len(body).to_bytes(3, "little") + bytes([self._next])
        self._next = (self._next + 1) & 0xFF
        return head + body

    def command(self, body: bytes) -> bytes:
        """The first packet of a new command."""
        self._next = 0
        return self.packet(body)


class Fields:
    """Reads the fields of a packet in order. Raises Malformed where it ends too early."""

    def __init__(self, body: bytes, at: int = 0) -> None:
        self._body = body
        self._at = at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._body):
            raise Malformed
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def until_zero(self) -> bytes:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise Malformed
        taken = self._body[self._at : end]
        self._at = end + 1
        return taken

    def rest(self) -> bytes:
        return self._body[self._at :]

    def length(self) -> int:
        """A length-encoded integer."""
        first = self.number(1)
        if first < 0xFB:
            return first
        sizes = {0xFC: 2, 0xFD: 3, 0xFE: 8}
        if first not in sizes:
            raise Malformed
        return self.number(sizes[first])

    def text(self) -> bytes | None:
        """A length-encoded string, None for NULL."""
        if self._body[self._at : self._at + 1] == b"\xfb":
            self._at += 1
            return None
        return self.take(self.length())


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the server says first. `seed` is what it wants mixed into the proof of the password."""

    version: str
    capabilities: int
    method: str
    seed: bytes

    @property
    def offers_tls(self) -> bool:
        return bool(self.capabilities & _SSL)

    @property
    def is_mariadb(self) -> bool:
        return "MariaDB" in self.version


class Switch(NamedTuple):
    """Asks to prove the password by another `method`, with its own `data`."""

    method: str
    data: bytes


def read_greeting(body: bytes) -> Greeting:
    """Raises CheckFailure, Malformed."""
    fields = Fields(body)
    version = fields.number(1)
    if version != 10:
        raise not_mysql(body)
    name = fields.until_zero().decode("ascii", "replace")
    fields.take(4)
    seed = fields.take(8)
    fields.take(1)
    capabilities = fields.number(2)
    method, rest = "mysql_native_password", Fields(fields.rest())
    if rest.rest():
        rest.take(3)
        capabilities |= rest.number(2) << 16
        length = rest.number(1)
        rest.take(10)
        if capabilities & _SECURE_CONNECTION:
            seed += rest.take(max(13, length - 8))[:12]
        if capabilities & _PLUGIN_AUTH:
            method = rest.rest().partition(b"\0")[0].decode("ascii", "replace")
    if capabilities & _NEEDED != _NEEDED:
        raise CheckFailure("unexpected_response", "The server is older than MySQL 4.1.")
    return Greeting(name, capabilities, method, seed)


def ask_for_tls(greeting: Greeting, *, with_database: bool) -> bytes:
    """The body of the packet after which the client begins TLS."""
    flags = _flags(greeting, with_database=with_database)
    return struct.pack("<IIB23x", flags, MAX_PACKET, _UTF8MB4)


def log_in(greeting: Greeting, user: str, database: str | None, method: str, proof: bytes) -> bytes:
    """The body of the packet that logs in. `proof` has fewer than 251 bytes."""
    body = ask_for_tls(greeting, with_database=database is not None)
    body += user.encode() + b"\0" + bytes([len(proof)]) + proof
    if database is not None:
        body += database.encode() + b"\0"
    if greeting.capabilities & _PLUGIN_AUTH:
        body += method.encode() + b"\0"
    return body


def query(statement: str) -> bytes:
    """The body of a command that runs one statement: the server refuses a second one, because the
    client does not say that it sends several."""
    return _QUERY + statement.encode()


def goodbye() -> bytes:
    return _QUIT


def read_switch(body: bytes) -> Switch:
    """Raises Malformed."""
    if len(body) == 1:
        # Of MySQL 4.0: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_old_auth_switch_request.html
        return Switch("mysql_old_password", b"")
    fields = Fields(body, 1)
    return Switch(fields.until_zero().decode("ascii", "replace"), fields.rest())


def column_count(body: bytes) -> int:
    """How many columns a result has, by its first packet. Raises CheckFailure, Malformed."""
    if body[:1] == bytes([FILE]):
        raise CheckFailure(
            "unexpected_response",
            "The server asks for a file of this machine; a check never sends one.",
        )
    count = Fields(body).length()
    if not 0 < count <= MAX_COLUMNS:
        raise Malformed
    return count


def is_end(body: bytes) -> bool:
    """Whether a packet ends the columns or the rows of a result."""
    return body[:1] == bytes([LONG]) and len(body) < _SHORT_EOF


def read_row(body: bytes, columns: int) -> list[str | None]:
    """Raises Malformed."""
    fields = Fields(body)
    values = [fields.text() for _ in range(columns)]
    return [None if value is None else value.decode("utf-8", "replace") for value in values]


def read_error(body: bytes) -> tuple[int, str]:
    """The number and the words of an error. Raises Malformed."""
    fields = Fields(body, 1)
    number = fields.number(2)
    words = fields.rest()
    # Errors before the login have no SQLSTATE.
    return number, (words[6:] if words[:1] == b"#" else words).decode("utf-8", "replace")


def not_mysql(beginning: bytes = b"") -> CheckFailure:
    other = spoken(beginning)
    if other:
        return CheckFailure(
            "unexpected_response", f"The server speaks {other}, not MySQL's protocol."
        )
    return CheckFailure("unexpected_response", "The server does not speak MySQL's protocol.")


def _flags(greeting: Greeting, *, with_database: bool) -> int:
    wanted = _WANTED | (_CONNECT_WITH_DB if with_database else 0)
    return wanted & greeting.capabilities
