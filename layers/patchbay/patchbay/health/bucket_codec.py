"""The stored form of a bucket: one binary attribute.

Buckets are what a summary reads, and they are in every ingest transaction, where each KB begun
costs 2 WRU. So the counts are a run of unsigned LEB128 numbers:

    version, mask of the types that have events, mask of the types that have platform faults,
    for each type with events:  successes, errors, last success, last error, latency sum in ms,
                                histogram slots
    for each type with faults:  faults, last fault

A mask has the bit of each type's code. Times are milliseconds since the start of the period. Those
of successes and errors are plus one, and 0 stands for none.

Version 1 is still read. It has one number of platform faults, without type and time: they are
connection tests, and the start of the period stands for the time.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from patchbay.health.buckets import SLOTS, Bucket, FaultTally, Tally
from patchbay.health.model import IntegrationType

_VERSION: Final = 2
# Stored: codes may be added but never changed.
_CODES: Final = {
    IntegrationType.METADATA_SYNC: 0,
    IntegrationType.QUALITY_CHECK: 1,
    IntegrationType.PROFILING: 2,
    IntegrationType.WEBHOOK: 3,
    IntegrationType.ALERT: 4,
    IntegrationType.CONNECTION_TEST: 5,
    IntegrationType.USAGE: 6,
}
_TYPES: Final = {code: kind for kind, code in _CODES.items()}
_NUMBERS_PER_TALLY: Final = 5 + SLOTS
_MILLISECOND: Final = timedelta(milliseconds=1)


def encode_bucket(bucket: Bucket, start: datetime) -> bytes:
    """`start` is the start of the period that all events of the bucket are in."""
    numbers = [_VERSION, _mask(bucket.by_type), _mask(bucket.faults)]
    for kind in _in_order(bucket.by_type):
        tally = bucket.by_type[kind]
        numbers += (
            tally.success,
            tally.errors,
            _offset(tally.last_success_at, start),
            _offset(tally.last_error_at, start),
            tally.latency_sum_ms,
            *tally.latencies,
        )
    for kind in _in_order(bucket.faults):
        faults = bucket.faults[kind]
        numbers += (faults.count, (faults.last_at - start) // _MILLISECOND)
    return b"".join(_leb128(number) for number in numbers)


def decode_bucket(stored: bytes, start: datetime) -> Bucket:
    """Reads what `encode_bucket` returns. Raises `ValueError` for an unknown version."""
    numbers = _numbers(stored)
    match version := next(numbers):
        case 2:
            typed, faulty = _types_of(next(numbers)), _types_of(next(numbers))
            by_type = {kind: _tally(numbers, start) for kind in typed}
            faults = {
                kind: FaultTally(next(numbers), start + next(numbers) * _MILLISECOND)
                for kind in faulty
            }
        case 1:
            count = next(numbers)
            fault = FaultTally(count, start)
            faults = {IntegrationType.CONNECTION_TEST: fault} if count else {}
            by_type = {_TYPES[code]: _tally(numbers, start) for code in numbers}
        case _:
            raise ValueError(f"a bucket of version {version}")
    return Bucket(by_type, faults)


def _mask(kinds: Iterable[IntegrationType]) -> int:
    return sum(1 << _CODES[kind] for kind in kinds)


def _types_of(mask: int) -> list[IntegrationType]:
    return [_TYPES[code] for code in range(mask.bit_length()) if mask >> code & 1]


def _in_order(kinds: Iterable[IntegrationType]) -> list[IntegrationType]:
    return sorted(kinds, key=lambda kind: _CODES[kind])


def _tally(numbers: Iterator[int], start: datetime) -> Tally:
    success, errors, last_success, last_error, latency_sum, *latencies = islice(
        numbers, _NUMBERS_PER_TALLY
    )
    return Tally(
        success,
        errors,
        _moment(last_success, start),
        _moment(last_error, start),
        latency_sum,
        tuple(latencies),
    )


def _offset(moment: datetime | None, start: datetime) -> int:
    return 0 if moment is None else (moment - start) // _MILLISECOND + 1


def _moment(offset: int, start: datetime) -> datetime | None:
    return start + (offset - 1) * _MILLISECOND if offset else None


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _numbers(encoded: bytes) -> Iterator[int]:
    numbers = []
    number = shift = 0
    for byte in encoded:
        if byte < 0x80:
            numbers.append(number | byte << shift)
            number = shift = 0
        else:
            number |= (byte & 0x7F) << shift
            shift += 7
    return iter(numbers)
