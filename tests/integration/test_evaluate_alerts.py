"""The evaluation of rules on the tables: under concurrency, lost replies and crashes."""

import evaluate_alerts
from tests.integration.alerting import Context
from tests.integration.api import sample_event


def test_the_sample_event_evaluates_nothing_where_there_are_no_rules(deployed: object) -> None:
    answer = evaluate_alerts.handler(sample_event("evaluate_alerts"), Context())
    assert answer["alert_spaces_evaluated"] == 0
