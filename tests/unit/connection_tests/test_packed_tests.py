"""A monitor's test as an entry and a shape: nothing is lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.capabilities import CapabilityReport
from patchbay.checks.code_numbers import code_of
from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport, Diagnosis, Step
from patchbay.checks.roles import Capability, Role
from patchbay.checks.verdict import verdict
from patchbay.connection_tests.changes import PassedTest, WhatChanged
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.identity import TestIdentity as Identity
from patchbay.connection_tests.identity import TestSubject as Subject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connection_tests.model import TestFindings as Findings
from patchbay.connection_tests.packed_tests import (
    EntryBefore,
    PackedTest,
    extra_of,
    pack,
    unpack,
)
from tests.unit.connection_tests.test_changes import fingerprints

MINUTE = datetime(2026, 2, 17, 10, 5, tzinfo=UTC)
BEFORE = MINUTE - timedelta(minutes=5)
CONNECTION = "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SUBJECT = Subject.connection("org_01ARZ3NDEKTSV4RRFFQ69G5FAV", CONNECTION)

codes = st.sampled_from(get_args(Code.__value__))
milliseconds = st.integers(0, 120_000)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
moments = st.integers(0, 90_000_000).map(lambda ms: MINUTE + timedelta(milliseconds=ms))
passed_steps = st.builds(
    Step,
    name=texts,
    category=st.sampled_from(["gate", "capability"]),
    mandatory=st.booleans(),
    status=st.sampled_from(["passed", "warning", "skipped"]),
    duration_ms=milliseconds,
    first_byte_ms=st.none() | milliseconds,
    summary=texts,
    diagnosis=st.none() | st.builds(Diagnosis, title=texts, remediation=texts),
    field_pointer=st.none() | texts,
    skip_reason=st.none() | st.just("gate_failed"),
)
failed_steps = st.builds(
    Step.failed,
    texts,
    codes,
    texts,
    category=st.sampled_from(["gate", "capability"]),
    mandatory=st.booleans(),
    detail=st.none() | st.just("address"),
    duration_ms=milliseconds,
    first_byte_ms=st.none() | milliseconds,
    field_pointer=st.none() | texts,
)


@st.composite
def reports(draw: st.DrawFn) -> CheckReport:
    steps = draw(st.lists(passed_steps | failed_steps, max_size=8))
    return verdict(
        steps,
        proven=draw(st.booleans()),
        called=draw(st.booleans()),
        latency_ms=draw(milliseconds),
        account=draw(st.none() | texts),
        certificate_expires_at=draw(st.none() | moments),
        retry_after=draw(st.dictionaries(st.sampled_from([s.name for s in steps]), milliseconds))
        if steps
        else {},
    )


@st.composite
def finished_tests(draw: st.DrawFn) -> FinishedTest:
    capability = st.builds(
        CapabilityReport,
        role=st.sampled_from(Role),
        name=st.sampled_from(Capability),
        status=st.sampled_from(["proven", "at_risk", "untested"]),
    )
    started_at = draw(moments)
    return FinishedTest(
        None,
        draw(st.none() | fingerprints),
        draw(reports()),
        tuple(draw(st.lists(capability, max_size=3))),
        started_at,
        started_at + timedelta(milliseconds=draw(milliseconds)),
    )


def recorded(
    finished: FinishedTest, last_passed: PassedTest | None, minute: datetime = MINUTE
) -> RecordedTest:
    """As the history of tests on demand records it, and reads it back."""
    identity = Identity.scheduled(SUBJECT, minute)
    fingerprint = finished.fingerprint
    test = RecordedTest(
        **Findings.fields_of(finished.report),
        capabilities=finished.capabilities,
        id=identity.test_id,
        href=identity.href,
        trigger="monitor",
        mode="sync",
        started_at=finished.started_at,
        finished_at=finished.finished_at,
        what_changed=WhatChanged.since(last_passed, fingerprint)
        if last_passed and fingerprint
        else None,
    )
    return RecordedTest.model_validate_json(test.model_dump_json(exclude_defaults=True))


def before(packed: PackedTest) -> EntryBefore:
    return EntryBefore(BEFORE, packed.entry, packed.shape)


def simple(*steps: Step, latency_ms: int = 7) -> FinishedTest:
    report = verdict(steps, proven=True, called=True, latency_ms=latency_ms)
    return FinishedTest(None, None, report, (), MINUTE, MINUTE)


@given(finished_tests())
def test_what_is_unpacked_is_what_would_have_been_recorded(finished: FinishedTest) -> None:
    packed = pack(CONNECTION, MINUTE, finished, streak=3, extra=extra_of(None))
    found = unpack(SUBJECT, MINUTE, packed.entry, packed.shape)
    assert found.test == recorded(finished, None)
    assert found.test.model_dump_json() == recorded(finished, None).model_dump_json()
    assert found.fingerprint == finished.fingerprint


@given(finished_tests(), finished_tests())
def test_what_changed_follows_from_the_entry_before(
    first: FinishedTest, second: FinishedTest
) -> None:
    one = before(pack(CONNECTION, BEFORE, first, streak=1, extra=extra_of(None)))
    two = pack(CONNECTION, MINUTE, second, streak=1)
    passed = None
    if first.report.passed and first.fingerprint:
        was = recorded(first, None, BEFORE)
        assert was.finished_at
        passed = PassedTest(test_id=was.id, at=was.finished_at, fingerprint=first.fingerprint)
    assert one.passed(SUBJECT) == passed
    assert unpack(SUBJECT, MINUTE, two.entry, two.shape, one).test == recorded(second, passed)


@given(finished_tests(), fingerprints, moments)
def test_what_changed_since_another_test_is_in_the_entry(
    finished: FinishedTest, tested: object, at: datetime
) -> None:
    passed = PassedTest(
        test_id=Identity.scheduled(SUBJECT, BEFORE).test_id, at=at, fingerprint=tested
    )
    expected = recorded(finished, passed)
    extra = extra_of(expected.what_changed)
    packed = pack(CONNECTION, MINUTE, finished, streak=1, extra=extra)
    assert unpack(SUBJECT, MINUTE, packed.entry, packed.shape).test == expected


@given(finished_tests(), milliseconds, milliseconds)
def test_other_times_have_the_same_shape(finished: FinishedTest, later: int, longer: int) -> None:
    report = finished.report
    steps = tuple(
        step.model_copy(
            update={
                "duration_ms": step.duration_ms + longer,
                "first_byte_ms": None if step.first_byte_ms is None else longer,
            }
        )
        for step in report.steps
    )
    wait = None if report.retry_after_seconds is None else longer
    update = {"steps": steps, "latency_ms": longer, "retry_after_seconds": wait}
    other = replace(
        finished,
        report=report.model_copy(update=update),
        started_at=finished.started_at + timedelta(milliseconds=later),
        finished_at=finished.finished_at + timedelta(milliseconds=later + longer),
    )
    one, two = (pack(CONNECTION, MINUTE, test, streak=1) for test in (finished, other))
    assert one.shape == two.shape
    assert one.entry.shape == two.entry.shape


def test_a_different_finding_has_another_shape() -> None:
    fine = Step(name="s", status="passed", summary="Fine.")
    tests = [
        simple(fine),
        simple(fine.model_copy(update={"summary": "Good."})),
        simple(fine.model_copy(update={"first_byte_ms": 3})),
        simple(fine, fine),
        simple(Step.failed("s", "auth_invalid", "No.")),
    ]
    assert len({pack(CONNECTION, MINUTE, test, streak=1).entry.shape for test in tests}) == 5


def test_an_entry_tells_what_is_counted_of_its_test() -> None:
    fault = simple(Step.failed("s", "internal_error", "Ours."))
    for finished, passed, is_fault, code in (
        (simple(Step(name="s", status="passed", summary="Fine.")), True, False, None),
        (simple(Step.failed("s", "auth_invalid", "No.")), False, False, "auth_invalid"),
        (fault, False, True, "internal_error"),
    ):
        entry = pack(CONNECTION, MINUTE, finished, streak=4).entry
        assert (entry.passed, entry.fault, code_of(entry.code)) == (passed, is_fault, code)
        assert (entry.latency_ms, entry.streak, entry.connection_id) == (7, 4, CONNECTION)


def test_a_test_that_starts_before_its_minute_is_packed_as_if_it_started_with_it() -> None:
    early = replace(
        simple(Step(name="s", status="passed", summary="Fine.")),
        started_at=MINUTE - timedelta(milliseconds=80),
        finished_at=MINUTE + timedelta(milliseconds=20),
    )
    packed = pack(CONNECTION, MINUTE, early, streak=1)
    assert (packed.entry.start_ms, packed.entry.took_ms) == (0, 100)


def test_an_entry_does_not_fit_the_shape_of_another() -> None:
    one = pack(CONNECTION, MINUTE, simple(Step.failed("s", "auth_invalid", "No.")), streak=1)
    two = pack(CONNECTION, MINUTE, simple(Step.failed("s", "not_found", "No.")), streak=1)
    with pytest.raises(ValueError, match="not that of the entry"):
        unpack(SUBJECT, MINUTE, one.entry, two.shape)
    for times in ((), (1, 2)):
        with pytest.raises(ValueError, match="times than its shape"):
            unpack(SUBJECT, MINUTE, replace(one.entry, times=times), one.shape)
    with pytest.raises(ValueError, match="in addition"):
        unpack(SUBJECT, MINUTE, replace(one.entry, extra=b"[1]"), one.shape)


def test_no_text_of_a_report_is_about_how_long_it_took() -> None:
    """It would make a shape of each test."""
    for code in get_args(Code.__value__):
        info = describe(code)
        assert " ms" not in f"{info.title} {info.remediation}"
