"""Each minute: queues the tests of all monitored connections that are due."""

from datetime import datetime
from typing import Any

from patchbay.deployment import Deployment
from patchbay.monitors.metrics import report_dispatch
from patchbay.platform.clock import utc_now
from patchbay.platform.lambda_entry import entry_point

deployment = Deployment(at_start=("dispatcher", "announcer"))


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    def seconds_left() -> float:
        seconds: float = context.get_remaining_time_in_millis() / 1000
        return seconds

    survey, minute = deployment.pause_survey.read(), datetime.fromisoformat(event["time"])
    report_dispatch(deployment.dispatcher.dispatch(minute, pauses_are_marked=survey.is_done))
    deployment.plans.drop_left_behind()
    deployment.plan_moves.go_on(utc_now(), seconds_left)
    deployment.pause_survey.go_on(survey, seconds_left)
    # The only part that needs the bus comes last: nothing else waits for its outages. The parts
    # before it leave it time.
    deployment.announcer.send_left_behind(utc_now())
