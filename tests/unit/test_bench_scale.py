"""The simulation of large deployments, against cases that can be calculated by hand."""

from dataclasses import replace
from typing import Any

import pytest

from bench import scale
from bench.measured import SCALE, ScaleCosts
from bench.scale import Limits, Population, World

LIMITS = Limits(
    concurrency=10,
    evaluators=2,
    vcpus=1.0,
    closing_vcpus=1.0,
    closing_seconds=1_000.0,
    sweep_seconds=60.0,
)
COSTS = ScaleCosts(
    cpu_of_test=0.001,
    seconds_of_invocation=1.0,
    slow_test_seconds=25.0,
    plan_bytes=1024,
    write_units={1: 0.3},
    read_units={1: 0.8},
    evaluator_spaces_a_minute=5_000,
    closing_seconds={1: 1e-4},
)
ALONE = Population(shares=((1, 1.0),), slow=0.0, target_seconds=0.1)


def world(**limits: Any) -> World:
    return World(COSTS, replace(LIMITS, **limits), ALONE)


def test_a_sweep_takes_its_invocation_its_tests_and_the_slowest_of_them() -> None:
    # 1,000 tests a second, by CPU
    assert world().sweep(1_000) == pytest.approx((1.0 + 1.0 + 0.1, 0))
    hanging = replace(world(), population=replace(ALONE, slow=0.01))
    assert hanging.sweep(1_000)[0] == pytest.approx(1.0 + 1.0 + 25.0)


def test_a_sweep_that_has_no_time_hands_the_rest_back() -> None:
    assert world(sweep_seconds=0.4).sweep(1_000)[1] == pytest.approx(600)


def test_functions_fall_behind_when_a_minute_has_more_sweeps_than_they_do() -> None:
    # Ten functions do 28 or 29 sweeps of 2.1 s each in a minute: of some 1.4 million connections
    assert not world().falls_behind(1_350_000)
    assert world().falls_behind(1_480_000)
    # And one that is fast enough is as late as its sweeps take
    assert world().lags(100_000) == [pytest.approx(2.1)] * scale.MINUTES


def test_a_part_is_asked_for_what_was_calculated_by_hand() -> None:
    asked = {part.name: part for part in world().asked(300_000)}
    # 60,000 tests a minute; a plan is an eighth of a unit
    wheel = asked["reads of the plans of one minute, which are one partition"]
    assert wheel.share == pytest.approx(60_000 / 8 / 60 / 3_000)
    # ... and ten functions read those of 10,000 a second
    assert wheel.burst == pytest.approx(10_000 / 8 / 3_000)
    assert asked["writes of tests"].share == pytest.approx(60_000 * 0.3 / 60 / 40_000)
    # Half of the spaces have rules
    assert asked["evaluators of alert rules"].share == pytest.approx(150_000 / 10_000)
    # 288 tests a day
    assert asked["the closing of days"].share == pytest.approx(300_000 * 288 * 1e-4 / 1_000)


def test_the_size_at_which_something_breaks_is_found() -> None:
    assert scale.breaking(lambda size: size > 123_456) == pytest.approx(123_456, rel=0.01)
    assert scale.breaking(lambda _: False) is None


def test_the_parts_of_the_template_break_one_after_the_other() -> None:
    found = scale.parts(World(SCALE, scale.worlds()[0].limits))
    assert len(found) >= 3
    assert [one.size for one in found] == sorted(one.size for one in found)
    text = scale.markdown()
    assert all(one.part in text for one in found)
