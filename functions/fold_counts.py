"""Every quarter of an hour: folds the counts of days that are over, and closes those of runs."""

from datetime import timedelta
from typing import Any, Final

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import log_counts, report_if_late

BUDGET: Final = timedelta(seconds=400)
"""Twice within the function's 900 s: one day may take a while when its spaces are written to."""

MOST_CLOSING_LAG: Final = timedelta(days=1)
"""Since the end of the day. Runs are stored for four days: until then, nothing is lost."""

deployment = Deployment(at_start=("count_folder", "day_closer"))


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    closings = deployment.day_closer.run(BUDGET)
    report_if_late("closing of days", closings.lag(deployment.clock()), MOST_CLOSING_LAG)
    folded = deployment.count_folder.run(BUDGET)
    log_counts(
        "days folded",
        days_closed=closings.closed,
        days_folded=folded.days,
        folds_unfinished=not folded.finished,
    )
    if closings.unexpected:
        raise closings.unexpected[0]
