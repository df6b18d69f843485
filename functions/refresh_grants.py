"""Every five minutes: looks after grants that would end or die of disuse."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import log_counts

deployment = Deployment(at_start=("grant_wheel",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    done = deployment.grant_wheel.turn(lambda: context.get_remaining_time_in_millis() / 1000)
    log_counts("grants refreshed", **{f"grants_{what}": count for what, count in done.items()})
