"""The price of a month, against rows that were calculated by hand."""

from typing import Any

import pytest

from bench import cost
from bench.measured import IDLE_RUNS, MONITORED, IdleRun
from bench.prices import PRICES, dollars
from local.paths import ROOT
from tests.integration.cloudformation import read_template


def template() -> dict[str, Any]:
    """A key, two alarms of three metrics, a function that is run each minute, and two queues."""
    formula = {"Metrics": [{"Expression": "a + b"}, {"MetricStat": {}}, {"MetricStat": {}}]}
    queues = {
        "A": {"Type": "SQS", "Properties": {"Queue": {"!GetAtt": "AQueue.Arn"}}},
        "B": {
            "Type": "SQS",
            "Properties": {
                "Queue": {"!GetAtt": "BQueue.Arn"},
                "ScalingConfig": {"MaximumConcurrency": 9},
            },
        },
    }
    target = {"Arn": {"!GetAtt": "WorkFunction.Arn"}}
    return {
        "Parameters": {"Tracing": {"Default": "Active"}},
        "Globals": {
            "Function": {
                "Architectures": ["arm64"],
                "MemorySize": 512,
                "Tracing": {"!Ref": "Tracing"},
            }
        },
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
            "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}},
            "OneAlarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {}},
            "BothAlarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": formula},
            "WorkFunction": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"Handler": "work.handler", "MemorySize": 1024, "Events": queues},
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {"ScheduleExpression": "rate(1 minute)", "Targets": [target]},
            },
        },
    }


IDLE = {"work": IdleRun(seconds=0.1, read=2, written=1, log_bytes=660)}


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ("key", 1.00),
        ("alarms", 0.30),
        ("dashboard", 3.00),
        # 43,200 minutes, 3 polls a minute, 2 and 5 connections
        ("polls of queues", 907_200 * 0.40e-6),
        # 43,200 runs of 0.1 s with 1 GB, 2 units read and 1 written
        ("schedules", 43_200 * 0.20e-6 + 4_320 * 0.0000133334 + 86_400 * 0.125e-6 + 0.027),
        # 1,000 bytes a run, taken in and kept
        ("logs", 0.0432 * 0.53),
        ("traces", 43_200 * 5e-6),
    ],
)
def test_a_part_costs_what_was_calculated_by_hand(part: str, wanted: float) -> None:
    assert dollars(cost.fixed(template(), IDLE)[part]) == pytest.approx(wanted)


def test_old_versions_of_a_key_that_rotates_are_paid_for_two_of_them() -> None:
    found = read_template()
    paid = [dollars(cost.versions(found, years)) for years in range(5)]
    assert paid == [0, 1, 2, 2, 2]
    # One that does not rotate has none
    assert dollars(cost.versions(template(), 5)) == 0


def test_a_secret_that_tests_refer_to_costs_its_price_and_two_calls_a_test() -> None:
    # 8,640 tests in a month
    assert dollars(cost.referred(1)) == pytest.approx(0.40 + 17_280 * 0.05 / 10_000)


def test_the_page_of_costs_has_what_the_program_prints() -> None:
    page = (ROOT / "docs" / "costs.md").read_text()
    for printed in cost.markdown().split("\n\n"):
        assert printed in page


def test_an_account_gets_something_for_nothing_and_pays_for_the_rest() -> None:
    amounts = {"dashboard": 2, "alarm": 13, "queue request": 2_592_000, "stored GB": 30, "key": 1}
    assert dollars(amounts) == pytest.approx(6 + 1.3 + 1.0368 + 7.5 + 1)
    assert dollars(amounts, allowances=True) == pytest.approx(0.3 + 0.6368 + 1.25 + 1)


def test_what_is_monitored_is_counted_once() -> None:
    # The runs of a schedule that was busy are among what was measured
    assert dollars(cost.fixed(template(), IDLE, busy={"work"})["schedules"]) == 0
    found = read_template()
    idle, busy = cost.month(found), cost.total(cost.fixed(found, busy=cost.BUSY).values())
    assert dollars(busy) < dollars(idle)


def test_every_amount_has_a_price_and_every_schedule_was_measured() -> None:
    found = read_template()
    assert {name for name, _ in cost.scheduled_runs(found)} == IDLE_RUNS.keys()
    for shape in MONITORED:
        for size in cost.SIZES:
            assert cost.month(found, shape, size).keys() <= PRICES.keys()
    for price in PRICES.values():
        assert price.source.startswith("https://aws.amazon.com/")


def test_an_idle_deployment_costs_no_more_than_its_budget() -> None:
    assert dollars(cost.month(read_template()), allowances=True) <= cost.IDLE_BUDGET
