"""A monitor's test as an entry of a run and a shape, and back. Pure.

Most tests of a connection find what the one before found, in other times. So a test is stored as
two parts: its **shape** is all of its record but the times, and its **entry** has the times and
names the shape. The shape is stored once for as long as it stays the same.

What is unpacked equals what was packed, to the millisecond. What follows from the connection and
the scheduled minute (the id, the path) is not stored.

`what_changed` follows from the entry one interval before, if that one passed. If it does not, the
entry has it in `extra`:

    (empty)      since the entry before, if that one passed; null if it did not
    []           null
    [ULID, ms]   since the test with this id, which ended then; nothing changed
    [ULID, ms, variables, secret_version, release, configurations]
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from patchbay.checks.capabilities import CapabilityReport
from patchbay.checks.code_numbers import code_of, number_of
from patchbay.checks.report import CheckReport, Diagnosis, Step
from patchbay.connection_tests.changes import Fingerprint, PassedTest, ReleaseChange, WhatChanged
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connections.steady_health import StreakTest, seen_in_run
from patchbay.platform.clock import to_sortable
from patchbay.platform.strict_json import compact
from patchbay.runs.model import RunEntry, shape_id
from patchbay.runs.times import finished_at

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_PREFIX: Final = "tst_"
_KINDS_OF_CHANGES: Final = 4
_OF_AN_ENTRY: Final = 0
"""Stands in a shape where its entries have a time."""
_OPTIONAL: Final = (
    "code",
    "category",
    "blame",
    "retryable",
    "retry_after_seconds",
    "account",
    "certificate_expires_at",
)
"""The fields of a report that a shape leaves out where they are null."""
_DEFAULTS_OF_A_STEP: Final = {
    name: field.default
    for name, field in Step.model_fields.items()
    if name not in {"name", "status", "summary", "duration_ms", "first_byte_ms", "diagnosis"}
}
"""The fields of a step that a shape leaves out where they have this value."""
_OPTIONAL_AS_THEY_ARE: Final = tuple(
    name for name in _OPTIONAL if name not in {"retry_after_seconds", "certificate_expires_at"}
)
_HEAD: Final = attrgetter("passed", "message", "verified", *_OPTIONAL_AS_THEY_ARE)
_OF_A_STEP: Final = attrgetter("name", "status", "summary", "diagnosis", *_DEFAULTS_OF_A_STEP)
_SORTED: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
)


class PackedTest(NamedTuple):
    """`shape` is the text whose hash the entry has."""

    entry: RunEntry
    shape: bytes


class UnpackedTest(NamedTuple):
    test: RecordedTest
    fingerprint: Fingerprint | None


@dataclass(frozen=True, slots=True)
class EntryBefore:
    """The entry of the same connection one interval before, and its scheduled minute."""

    minute: datetime
    entry: RunEntry
    shape: bytes

    def passed(self, subject: TestSubject) -> PassedTest | None:
        """What the test after it is compared with; None if it did not pass."""
        fingerprint = _fingerprint(json.loads(self.shape)) if self.entry.passed else None
        if fingerprint is None:
            return None
        return PassedTest(
            test_id=TestIdentity.scheduled(subject, self.minute).test_id,
            at=finished_at(self.minute, self.entry),
            fingerprint=fingerprint,
        )


def pack(
    connection_id: str,
    minute: datetime,
    finished: FinishedTest,
    *,
    streak: int,
    extra: bytes = b"",
) -> PackedTest:
    """A finished test of the scheduled minute. `extra` is empty, or what `extra_of` returned.

    By a clock that is behind the schedule's, a test starts before its minute: it is packed as if it
    had started with it.
    """
    report = finished.report
    shape = _shape(report, finished.capabilities, finished.fingerprint)
    start_ms, end_ms = _ms(finished.started_at), _ms(finished.finished_at)
    entry = RunEntry(
        connection_id=connection_id,
        passed=report.passed,
        fault=report.blame == "platform",
        code=number_of(report.code),
        shape=shape_id(shape),
        start_ms=max(0, start_ms - _ms(minute)),
        took_ms=max(0, end_ms - start_ms),
        latency_ms=report.latency_ms,
        times=tuple(_times(report)),
        streak=streak,
        extra=extra,
    )
    return PackedTest(entry, shape)


def unpack(
    subject: TestSubject,
    minute: datetime,
    entry: RunEntry,
    shape: bytes,
    before: EntryBefore | None = None,
) -> UnpackedTest:
    """A test as its record has it. `before` is needed for an entry without `extra`.

    Raises `ValueError` if the shape is not this entry's.
    """
    if shape_id(shape) != entry.shape:
        raise ValueError("the shape is not that of the entry")
    read = json.loads(shape)
    fingerprint = _fingerprint(read)
    identity = TestIdentity.scheduled(subject, minute)
    started_at = minute + entry.start_ms * _MS
    test = RecordedTest(
        **{**dict.fromkeys(_OPTIONAL), **_with_times(read["test"], iter(entry.times))},
        latency_ms=entry.latency_ms,
        id=identity.test_id,
        href=identity.href,
        trigger="monitor",
        mode="sync",
        started_at=started_at,
        finished_at=finished_at(minute, entry),
        what_changed=_what_changed(entry, fingerprint, before.passed(subject) if before else None),
    )
    return UnpackedTest(test, fingerprint)


def streak_test(minute: datetime, entry: RunEntry) -> StreakTest:
    """What an entry says about the health of its connection."""
    if entry.fault:
        return StreakTest(minute, entry.streak, None)
    return seen_in_run(
        minute,
        ended=finished_at(minute, entry),
        streak=entry.streak,
        latency_ms=entry.latency_ms,
        code=code_of(entry.code),
    )


def extra_of(changed: WhatChanged | None) -> bytes:
    """The `extra` of an entry whose `what_changed` does not follow from the entry before."""
    if changed is None:
        return b"[]"
    what = [
        changed.variables,
        changed.secret_version,
        [list(change.model_dump().values()) for change in changed.release],
        changed.configurations,
    ]
    since = [changed.test_id.removeprefix(_PREFIX), _ms(changed.at)]
    return compact([*since, *what] if any(what) else since)


def _what_changed(
    entry: RunEntry, fingerprint: Fingerprint | None, passed: PassedTest | None
) -> WhatChanged | None:
    if not entry.extra:
        return WhatChanged.since(passed, fingerprint) if passed and fingerprint else None
    match json.loads(entry.extra):
        case []:
            return None
        case [ulid, ms]:
            what: list[Any] = [[], [], [], []]
        case [ulid, ms, *what] if len(what) == _KINDS_OF_CHANGES:
            pass
        case _:
            raise ValueError("not what an entry has in addition")
    variables, secrets, releases, configurations = what
    return WhatChanged(
        test_id=f"{_PREFIX}{ulid}",
        at=_EPOCH + ms * _MS,
        variables=variables,
        secret_version=secrets,
        release=[ReleaseChange(role=role, before=was, now=now) for role, was, now in releases],
        configurations=configurations,
    )


def _shape(
    report: CheckReport,
    capabilities: tuple[CapabilityReport, ...],
    fingerprint: Fingerprint | None,
) -> bytes:
    """One text for tests that differ in nothing but their times."""
    end = report.certificate_expires_at
    test = _shape_of_test(
        _HEAD(report),
        report.retry_after_seconds is not None,
        end and to_sortable(end),
        tuple((one.role, one.name, one.status) for one in capabilities),
        tuple((*_OF_A_STEP(one), one.first_byte_ms is not None) for one in report.steps),
    )
    if fingerprint is None:
        return f'{{"test":{test}}}'.encode()
    tested = {
        "configurations": fingerprint.configurations,
        "endpoints": {
            role: [one.release, one.secrets and to_sortable(one.secrets), one.variables]
            for role, one in fingerprint.endpoints.items()
        },
    }
    return f'{{"fingerprint":{_SORTED.encode(tested)},"test":{test}}}'.encode()


@lru_cache(maxsize=256)
def _shape_of_test(
    head: tuple[Any, ...],
    has_retry_after: bool,
    certificate_expires_at: str | None,
    capabilities: tuple[tuple[str, ...], ...],
    steps: tuple[tuple[Any, ...], ...],
) -> str:
    """What a shape has beside the fingerprint. The tests of one release often have the same."""
    passed, message, verified, *optional = head
    test: dict[str, Any] = {
        "status": "succeeded" if passed else "failed",
        "message": message,
        "verified": verified,
        "capabilities": capabilities,
        "steps": [_shape_of_step(*step) for step in steps],
    }
    named = zip(_OPTIONAL_AS_THEY_ARE, optional, strict=True)
    test |= {name: value for name, value in named if value is not None}
    if has_retry_after:
        test["retry_after_seconds"] = _OF_AN_ENTRY
    if certificate_expires_at:
        test["certificate_expires_at"] = certificate_expires_at
    return _SORTED.encode(test)


def _shape_of_step(
    name: str, status: str, summary: str, diagnosis: Diagnosis | None, *others: Any
) -> dict[str, Any]:
    shape: dict[str, Any] = {"name": name, "status": status, "summary": summary}
    *values, has_first_byte = others
    for (field, default), value in zip(_DEFAULTS_OF_A_STEP.items(), values, strict=True):
        if value != default:
            shape[field] = value
    if has_first_byte:
        shape["first_byte_ms"] = _OF_AN_ENTRY
    if diagnosis:
        shape["diagnosis"] = [diagnosis.title, diagnosis.remediation, diagnosis.doc_url]
    return shape


def _times(report: CheckReport) -> Iterator[int]:
    """What an entry has of a report, in the order of `_with_times`."""
    if report.retry_after_seconds is not None:
        yield report.retry_after_seconds
    for step in report.steps:
        yield step.duration_ms
        if step.first_byte_ms is not None:
            yield step.first_byte_ms


def _with_times(test: dict[str, Any], times: Iterator[int]) -> dict[str, Any]:
    """The fields of a record, from those of a shape. Raises `ValueError` if they do not fit."""
    try:
        if "retry_after_seconds" in test:
            test["retry_after_seconds"] = next(times)
        for step in test["steps"]:
            step["duration_ms"] = next(times)
            if "first_byte_ms" in step:
                step["first_byte_ms"] = next(times)
            if "diagnosis" in step:
                title, remediation, doc_url = step["diagnosis"]
                step["diagnosis"] = {
                    "title": title,
                    "remediation": remediation,
                    "doc_url": doc_url,
                }
    except StopIteration:
        raise ValueError("the entry has fewer times than its shape") from None
    if next(times, None) is not None:
        raise ValueError("the entry has more times than its shape")
    test["capabilities"] = [
        {"role": role, "name": name, "status": status}
        for role, name, status in test["capabilities"]
    ]
    return test


def _fingerprint(shape: dict[str, Any]) -> Fingerprint | None:
    stored = shape.get("fingerprint")
    if stored is None:
        return None
    return Fingerprint.model_validate(
        {
            "configurations": stored["configurations"],
            "endpoints": {
                role: {"release": release, "secrets": secrets, "variables": variables}
                for role, (release, secrets, variables) in stored["endpoints"].items()
            },
        }
    )


def _ms(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MS
