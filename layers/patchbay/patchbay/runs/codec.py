"""The stored form of a run: one binary attribute, about 40 bytes an entry.

    version, number of spaces,
    for each space:   [its UUID, if the cell is a pool,] number of entries, their bytes, entries

    entry:  flags, the rest of the connection's ULID, shape (6),
            [code,] start, latency, took − latency (zigzag), streak, number of times, times,
            [length of extra, extra]

Numbers are unsigned LEB128. The flags are 1 passed, 2 platform fault, 4 has a code, 8 has extra,
and, from the fifth bit on, how many bytes of its ULID a connection shares with the one before it in
its space. The decoder takes nothing but what the encoder returns.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from patchbay.platform.ids import ulid_bytes, ulid_text
from patchbay.runs.model import SHAPE_BYTES, Run, RunEntry, RunKey

_VERSION: Final = 1
_PASSED: Final = 1
_FAULT: Final = 2
_CODE: Final = 4
_EXTRA: Final = 8
_ULID_BYTES: Final = 16
_UUID_BYTES: Final = 16
_MOST_SHARED: Final = 15
_MOST_BITS: Final = 63
"""A number that takes more is no time and no count."""


class PackedGroup(NamedTuple):
    """The entries of a space in a stored run: where they begin and end, and how many they are."""

    start: int
    end: int
    number: int


def encode_run(run: Run) -> bytes:
    """Raises `ValueError` for a negative number, a shape of another size, or a connection twice."""
    out = bytearray((_VERSION,))
    put_number(out, len(run.entries))
    for space_id in sorted(run.entries):
        if run.key.cell.space_id is None:
            out += _uuid_bytes(space_id)
        elif run.key.cell.space_id != space_id:
            raise ValueError("an entry of another space")
        entries = run.entries[space_id]
        packed = _encode_entries(entries)
        put_number(out, len(entries))
        put_number(out, len(packed))
        out += packed
    return bytes(out)


def decode_run(key: RunKey, stored: bytes) -> Run:
    """Raises `ValueError` for what `encode_run` did not return."""
    return Run(
        key,
        {
            space_id: decode_group(stored, group)
            for space_id, group in groups_in(key, stored).items()
        },
    )


def decode_group(stored: bytes, group: PackedGroup) -> tuple[RunEntry, ...]:
    """The entries of one space; the others are not decoded. Raises `ValueError`."""
    return tuple(_decode_entries(stored, *group))


def put_number(out: bytearray, number: int) -> None:
    """Appends a number as unsigned LEB128. Raises `ValueError` for a negative one."""
    if 0 <= number <= 0x7F:
        out.append(number)  # most are small
        return
    if number < 0 or number >> _MOST_BITS:
        raise ValueError(f"{number} is out of range")
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def put_signed(out: bytearray, number: int) -> None:
    """Appends a number that may be negative: 0, -1, 1, -2, … as 0, 1, 2, 3, …"""
    put_number(out, number << 1 if number >= 0 else (-number << 1) - 1)


def number_at(stored: bytes, at: int) -> tuple[int, int]:
    """A number of `put_number`, and where the next one begins. Raises `ValueError`."""
    if at < len(stored) and (number := stored[at]) < 0x80:
        return number, at + 1  # most are small
    number = shift = 0
    while at < len(stored):
        byte = stored[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if (shift and not byte) or number >> _MOST_BITS:
                break
            return number, at
        shift += 7
    raise ValueError("not a number")


def signed(number: int) -> int:
    """The inverse of `put_signed` for a number that `number_at` read."""
    return number >> 1 if not number & 1 else -(number + 1 >> 1)


def bytes_at(stored: bytes, at: int, length: int) -> tuple[bytes, int]:
    """Some bytes, and where the next value begins. Raises `ValueError`."""
    end = at + length
    if end > len(stored):
        raise ValueError("ends too early")
    return stored[at:end], end


@lru_cache(maxsize=65_536)
def connection_of(ulid: bytes) -> str:
    """The id of the connection with this ULID."""
    return f"con_{ulid_text(ulid)}"


@lru_cache(maxsize=65_536)
def ulid_of(connection_id: str) -> bytes:
    """The inverse of `connection_of`."""
    if not connection_id.startswith("con_"):
        raise ValueError("not the id of a connection")
    return ulid_bytes(connection_id)


def groups_in(key: RunKey, stored: bytes) -> Mapping[str, PackedGroup]:
    """The groups of the spaces that have entries. Raises `ValueError`."""
    if not stored or stored[0] != _VERSION:
        raise ValueError("a run of an unknown version")
    groups: dict[str, PackedGroup] = {}
    spaces, at = number_at(stored, 1)
    before = ""
    for _ in range(spaces):
        space_id = key.cell.space_id
        if space_id is None:
            packed, at = bytes_at(stored, at, _UUID_BYTES)
            space_id = _space_of(packed)
        if space_id <= before:
            raise ValueError("spaces are not in order")
        number, at = number_at(stored, at)
        length, start = number_at(stored, at)
        at = start + length
        if at > len(stored) or not number:
            raise ValueError("ends too early")
        groups[space_id] = PackedGroup(start, at, number)
        before = space_id
    if at != len(stored):
        raise ValueError("goes on too long")
    return groups


def _encode_entries(entries: Iterable[RunEntry]) -> bytes:
    out = bytearray()
    before = b""
    for entry in sorted(entries, key=lambda entry: entry.connection_id):
        ulid = ulid_of(entry.connection_id)
        shared = _shared(before, ulid)
        if shared == _ULID_BYTES:
            raise ValueError("two entries of one connection")
        flags = min(shared, _MOST_SHARED) << 4
        flags |= flags_of(entry)
        out.append(flags)
        out += ulid[flags >> 4 :]
        if len(entry.shape) != SHAPE_BYTES:
            raise ValueError("a shape of another size")
        out += entry.shape
        put_figures(out, entry)
        before = ulid
    return bytes(out)


def _decode_entries(stored: bytes, at: int, end: int, number: int) -> Iterable[RunEntry]:
    before = b""
    for _ in range(number):
        [flags], at = bytes_at(stored, at, 1)
        shared = flags >> 4
        rest, at = bytes_at(stored, at, _ULID_BYTES - shared)
        ulid = before[:shared] + rest
        # Two share no more than is said.
        after = slice(shared, shared + 1)
        if len(ulid) != _ULID_BYTES or ulid <= before or ulid[after] == before[after]:
            raise ValueError("connections are not in order")
        shape, at = bytes_at(stored, at, SHAPE_BYTES)
        entry, at = figures_at(stored, at, flags, connection_of(ulid), shape)
        yield entry
        before = ulid
    if at != end:
        raise ValueError("entries of another size")


@lru_cache(maxsize=65_536)
def _space_of(packed: bytes) -> str:
    return str(UUID(bytes=packed))


def _uuid_bytes(space_id: str) -> bytes:
    """Raises `ValueError` for what would be read as another text."""
    uuid = UUID(space_id)
    if str(uuid) != space_id:
        raise ValueError("not the id of a space")
    return uuid.bytes


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two ULIDs begin with together; none if there is no first."""
    if not one:
        return 0
    different = int.from_bytes(one) ^ int.from_bytes(other)
    return _ULID_BYTES - (different.bit_length() + 7) // 8


def flags_of(entry: RunEntry) -> int:
    """The four lower bits of an entry's flags."""
    return (
        (_PASSED if entry.passed else 0)
        | (_FAULT if entry.fault else 0)
        | (_CODE if entry.code else 0)
        | (_EXTRA if entry.extra else 0)
    )


def put_figures(out: bytearray, entry: RunEntry) -> None:
    """Appends what an entry has beyond its flags, its connection, and its shape."""
    if entry.code:
        put_number(out, entry.code)
    put_number(out, entry.start_ms)
    put_number(out, entry.latency_ms)
    if entry.took_ms < 0:
        raise ValueError(f"{entry.took_ms} is out of range")
    put_signed(out, entry.took_ms - entry.latency_ms)
    put_number(out, entry.streak)
    put_number(out, len(entry.times))
    if entry.times and min(entry.times) >= 0 and max(entry.times) <= 0x7F:
        out += bytes(entry.times)  # most are short
    else:
        for time in entry.times:
            put_number(out, time)
    if entry.extra:
        put_number(out, len(entry.extra))
        out += entry.extra


def figures_at(
    stored: bytes, at: int, flags: int, connection_id: str, shape: bytes
) -> tuple[RunEntry, int]:
    """The entry whose figures are here, and where the next value begins. Raises `ValueError`."""
    code, extra = 0, b""
    if flags & _CODE:
        code, at = number_at(stored, at)
    start_ms, at = number_at(stored, at)
    latency_ms, at = number_at(stored, at)
    more, at = number_at(stored, at)
    streak, at = number_at(stored, at)
    count, at = number_at(stored, at)
    if count > len(stored):
        raise ValueError("ends too early")
    packed = stored[at : at + count]
    if len(packed) == count and packed.isascii():
        times, at = tuple(packed), at + count  # all are short
    else:
        found = []
        for _ in range(count):
            time, at = number_at(stored, at)
            found.append(time)
        times = tuple(found)
    if flags & _EXTRA:
        length, at = number_at(stored, at)
        extra, at = bytes_at(stored, at, length)
    took_ms = latency_ms + signed(more)
    if took_ms < 0 or bool(flags & _CODE) != bool(code) or bool(flags & _EXTRA) != bool(extra):
        raise ValueError("not an entry")
    entry = RunEntry(
        connection_id,
        bool(flags & _PASSED),
        bool(flags & _FAULT),
        code,
        shape,
        start_ms,
        took_ms,
        latency_ms,
        times,
        streak,
        extra,
    )
    return entry, at
