"""What operators are told: nothing while all is well."""

import json
from datetime import timedelta

import pytest

from patchbay.platform.metrics import log_counts, report_if_late, report_trouble


def test_a_trouble_is_a_metric_without_dimensions_in_the_namespace_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METRICS_NAMESPACE", "Patchbay/prod")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "run_monitors")
    report_trouble("tests_offline", 3)
    line = json.loads(capsys.readouterr().out)
    [directive] = line.pop("_aws")["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Patchbay/prod",
        "Dimensions": [[]],
        "Metrics": [{"Name": "tests_offline", "Unit": "Count"}],
    }
    assert line == {"service": "run_monitors", "tests_offline": 3}


@pytest.mark.parametrize(("seconds", "said"), [(-5, ""), (300, ""), (301, 301.0)])
def test_only_what_is_late_is_reported(
    seconds: int, said: object, capsys: pytest.CaptureFixture[str]
) -> None:
    report_if_late("tests of monitors", timedelta(seconds=seconds), timedelta(minutes=5))
    printed = capsys.readouterr().out
    assert (printed and json.loads(printed)["seconds"]) == said


def test_what_did_nothing_says_nothing(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    report_trouble("erasures_stuck", 0)
    log_counts("organizations erased", erasures_open=0, erasures_finished=0)
    assert (capsys.readouterr().out, caplog.records) == ("", [])
    # And of what was done, only what is not zero
    log_counts("organizations erased", erasures_open=2, erasures_finished=0)
    [line] = map(vars, caplog.records)
    assert (line["erasures_open"], "erasures_finished" in line) == (2, False)
