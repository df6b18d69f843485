"""Each minute: goes on with the erasures of organizations that are due."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import log_counts, report_trouble

deployment = Deployment(at_start=("eraser",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    done = deployment.eraser.run(lambda: context.get_remaining_time_in_millis() / 1000)
    log_counts("organizations erased", **done)
    report_trouble("erasures_stuck", done["erasures_stuck"])
    return done
