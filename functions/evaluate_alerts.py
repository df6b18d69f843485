"""Each minute: evaluates every alert rule."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.clock import from_text
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import emit

deployment = Deployment(at_start=("evaluator",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    done = deployment.evaluator.run(
        from_text(event["time"]), lambda: context.get_remaining_time_in_millis() / 1000
    )
    emit(done.metrics())
    return done.metrics()
