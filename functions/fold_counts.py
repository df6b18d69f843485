"""Every quarter of an hour: folds the counts of the days that are over."""

from datetime import timedelta
from typing import Any, Final

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.logging import logger

BUDGET: Final = timedelta(seconds=200)
"""Of the function's 300 s: one day may take a while when its spaces are being written to."""

deployment = Deployment(at_start=("count_folder",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    logger.info("folded", days=deployment.count_folder.run(BUDGET))
