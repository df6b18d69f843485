"""No grant is lost, and no two refreshes of one generation are in flight, whatever fails.

All 10,000 runs: `make model`.
"""

import logging
from collections.abc import Iterator

import pytest

from patchbay.grants import grant_store, timing
from patchbay.platform.logging import logger
from tests.simulator.grants_model import run_models


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Every fault that the model makes would be logged."""
    before = logger.log_level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def test_a_hostile_provider_and_crashes_lose_no_grant(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_models(range(30))

    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.violations == []
    assert outcome.happened["refreshed"] > 100


def test_the_model_finds_a_lease_that_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grant_store, "LEASE", timing.LEASE / 24)

    assert run_models(range(20)).violations


def test_a_lease_is_not_taken_for_a_token_that_was_replaced_since() -> None:
    # A process reads the grant while another renews it, and takes the lease when that has ended.
    assert run_models(range(20_780, 20_781)).violations == []


def test_an_attempt_that_sends_nothing_keeps_what_was_lost_before_it() -> None:
    # A process dies with its answer. The next one takes the lease too late to send anything.
    assert run_models(range(838, 839)).violations == []
