"""What has changed since a test last passed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.roles import Role
from patchbay.connection_tests.changes import (
    EndpointFingerprint,
    Fingerprint,
    PassedTest,
    WhatChanged,
)

NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
marks = st.builds(
    EndpointFingerprint,
    release=st.sampled_from(["1.0.0", "1.1.0"]),
    secrets=st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    variables=st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["1", "2"])),
)
fingerprints = st.builds(
    Fingerprint,
    endpoints=st.dictionaries(st.sampled_from([*Role]), marks, min_size=1),
    configurations=st.dictionaries(st.sampled_from("pq"), st.sampled_from(["1", "2"])),
)


def changed(before: Fingerprint, now: Fingerprint) -> WhatChanged:
    return WhatChanged.since(PassedTest(test_id="tst_1", at=NOW, fingerprint=before), now)


def names(found: WhatChanged) -> tuple[object, ...]:
    return (
        found.variables,
        found.secret_version,
        [change.role for change in found.release],
        found.configurations,
    )


@given(before=fingerprints, now=fingerprints)
def test_nothing_is_named_if_and_only_if_nothing_differs(
    before: Fingerprint, now: Fingerprint
) -> None:
    assert (names(changed(before, now)) == ([], [], [], [])) == (before == now)


@given(before=fingerprints, now=fingerprints)
def test_the_change_back_names_the_same(before: Fingerprint, now: Fingerprint) -> None:
    assert names(changed(before, now)) == names(changed(now, before))


@given(found=fingerprints)
def test_a_fingerprint_survives_being_stored(found: Fingerprint) -> None:
    assert Fingerprint.model_validate_json(found.model_dump_json()) == found
