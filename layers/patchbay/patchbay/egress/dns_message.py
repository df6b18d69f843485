"""DNS messages (RFC 1035): one question encoded, one answer decoded. Pure.

The decoder treats a server as hostile: lengths are checked, a compressed name may only point
backwards, and what does not match the question is not an answer to it. Record data are text of the
owner of the zone: they are compared, never shown, and never dialed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal, get_args

type RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"]

RECORD_TYPES: Final[tuple[RecordType, ...]] = get_args(RecordType.__value__)
MAX_RECORDS: Final = 100
MAX_CHAIN: Final = 16
"""How many aliases are followed in an answer: more than name servers follow themselves."""
MAX_JUMPS: Final = 127
"""How many pointers a name may be spread over: each of its labels can be behind one."""
UDP_SIZE: Final = 1232
"""What fits every path unfragmented (DNS Flag Day 2020)."""

_NUMBERS: Final[dict[RecordType, int]] = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
}
_TYPES: Final = {number: name for name, number in _NUMBERS.items()}
_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")
_INTERNET: Final = 1
_OPT: Final = 41
_RESPONSE, _TRUNCATED, _RECURSION = 0x8000, 0x0200, 0x0100
_OPCODE: Final = 0x7800
_POINTER: Final = 0xC0
_MISUNDERSTOOD: Final = frozenset({1, 4})
"""Format error and not implemented: a server that says so need not repeat the question."""


class NotAnAnswer(ValueError):
    """These bytes are no answer to the question that was asked."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What a server knows of a name. `values` are of the type that was asked for, in order.

    Addresses are canonical, names lower case without the trailing dot, an MX is its host, an SRV
    its `host:port`, a TXT its strings joined. `code` is the DNS response code: 0 success, 2 server
    failure, 3 no such name, 5 refused. `is_truncated`: the whole answer needs TCP.
    """

    code: int
    values: tuple[str, ...] = ()
    is_truncated: bool = False


def question(name: str, kind: RecordType, number: int, *, edns: bool = True) -> bytes:
    """The message that asks for `kind` of `name` (a canonical host name), with the id `number`.

    With `edns` (RFC 6891) it says which size of answers is taken, and nothing else.
    """
    header = _HEADER.pack(number, _RECURSION, 1, 0, 0, int(edns))
    extension = b"\0" + _RECORD.pack(_OPT, UDP_SIZE, 0, 0) if edns else b""
    return header + _question(name, kind) + extension


def read_answer(message: bytes, name: str, kind: RecordType, number: int) -> DnsAnswer:
    """The answer to `question(name, kind, number)`. Raises NotAnAnswer.

    Aliases (CNAME) are followed within the message: the values are of the last name.
    """
    try:
        return _read(message, name, kind, number)
    except (struct.error, IndexError) as error:
        raise NotAnAnswer from error


def _question(name: str, kind: RecordType) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return labels + b"\0" + struct.pack("!HH", _NUMBERS[kind], _INTERNET)


def _read(message: bytes, name: str, kind: RecordType, number: int) -> DnsAnswer:
    got, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if got != number or not flags & _RESPONSE or flags & _OPCODE or questions > 1:
        raise NotAnAnswer
    if not questions and flags & 0xF in _MISUNDERSTOOD:
        return DnsAnswer(flags & 0xF)
    asked, end = _name(message, _HEADER.size)
    if asked != name or message[end : end + 4] != _question(name, kind)[-4:]:
        raise NotAnAnswer
    is_truncated = bool(flags & _TRUNCATED)
    if is_truncated:
        return DnsAnswer(flags & 0xF, is_truncated=True)
    if answers > MAX_RECORDS:
        raise NotAnAnswer
    records = list(_records(message, end + 4, answers))
    aliases = {owner: value for owner, found, value in records if found == "CNAME"}
    final = name
    for _ in range(MAX_CHAIN if kind != "CNAME" else 0):
        final = aliases.get(final, final)
    values = dict.fromkeys(v for owner, found, v in records if (owner, found) == (final, kind))
    # An SRV without a host says that there is no such service.
    return DnsAnswer(flags & 0xF, tuple(v for v in values if v or kind != "SRV"))


def _records(message: bytes, offset: int, count: int) -> Iterator[tuple[str, str, str]]:
    """Owner, type and value of each record of a type that we know."""
    for _ in range(count):
        owner, offset = _name(message, offset)
        number, scope, _, length = _RECORD.unpack_from(message, offset)
        start = offset + _RECORD.size
        offset = start + length
        if offset > len(message):
            raise NotAnAnswer
        kind = _TYPES.get(number)
        if kind is not None and scope == _INTERNET:
            yield owner, kind, _value(message, kind, start, offset)


def _value(message: bytes, kind: RecordType, start: int, end: int) -> str:
    data = message[start:end]
    if kind == "A" and len(data) == 4:
        return str(IPv4Address(data))
    if kind == "AAAA" and len(data) == 16:
        return str(IPv6Address(data))
    if kind == "TXT":
        return _text(data)
    if kind == "SRV":
        # RFC 2782: priority, weight, port, and a name that is the root if there is no such service.
        (port,) = struct.unpack_from("!H", data, 4)
        host, after = _name(message, start + 6)
        if after == end:
            return f"{host}:{port}" if host else ""
    if kind in ("CNAME", "NS", "MX"):
        value, after = _name(message, start + (2 if kind == "MX" else 0))
        if after == end:
            return value
    raise NotAnAnswer


def _text(data: bytes) -> str:
    strings = []
    while data:
        length = data[0]
        if length >= len(data):
            raise NotAnAnswer
        strings.append(data[1 : length + 1])
        data = data[length + 1 :]
    return b"".join(strings).decode("utf-8", "replace")


def _name(message: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset`, and where it ends."""
    labels: list[str] = []
    length = end = jumps = 0
    before = offset
    while size := message[offset]:
        if size & _POINTER == _POINTER:
            end = end or offset + 2
            target = (size & ~_POINTER) << 8 | message[offset + 1]
            jumps += 1
            # Only ever backwards, so that there are no loops; and not by way of a whole message of
            # pointers, which every record could take again.
            if target >= before or jumps > MAX_JUMPS:
                raise NotAnAnswer
            before = offset = target
            continue
        if size & _POINTER:
            raise NotAnAnswer
        label = message[offset + 1 : offset + 1 + size]
        length += size + 1
        if len(label) < size or length > 254:
            raise NotAnAnswer
        # A dot within a label would read as two labels: no name of ours is spelled so.
        labels.append(label.decode("latin-1").lower().replace(".", "\\."))
        offset += size + 1
    return ".".join(labels), end or offset + 1
