"""A short form of the simulation of runs; `make simulate` runs 1,500 schedules."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulator.runs_model import run_schedules
from tests.simulator.runs_mutants import RULES, RuleBroken, found_by


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", [1, 14, 27, 40])
def test_what_is_read_is_what_was_recorded_under_every_fault(first: int) -> None:
    outcome = run_schedules(range(first, first + 3))

    assert outcome.tests > 100
    assert outcome.comparisons > 20


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_broken_rule_is_found(rule: RuleBroken) -> None:
    assert found_by(rule, most=60)
