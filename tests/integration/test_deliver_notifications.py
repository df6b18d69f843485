"""Deliveries to real receivers."""

import deliver_notifications
from tests.integration.api import sample_event


def test_the_sample_event_names_a_delivery_that_is_not_there(deployed: object) -> None:
    answer = deliver_notifications.handler(sample_event("deliver_notifications"), None)
    assert answer == {"batchItemFailures": []}
