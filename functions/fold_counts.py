"""Every quarter of an hour: folds the counts of days that are over, and closes those of runs."""

from datetime import timedelta
from typing import Any, Final

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.logging import logger
from patchbay.platform.metrics import emit

BUDGET: Final = timedelta(seconds=110)
"""Twice within the function's 300 s: one day may take a while when its spaces are written to."""

deployment = Deployment(at_start=("count_folder", "day_closer"))


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    closings = deployment.day_closer.run(BUDGET)
    emit({"closing_lag": closings.lag(deployment.clock()).total_seconds()}, "Seconds")
    logger.info("closed", days=closings.closed)
    folded = deployment.count_folder.run(BUDGET)
    logger.info("folded", days=folded.days)
    if not folded.finished:
        emit({"folds_unfinished": 1})
    if closings.unexpected:
        raise closings.unexpected[0]
