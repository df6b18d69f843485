"""Folds the counts of the days that are over, every quarter of an hour."""

from datetime import timedelta
from functools import cache
from typing import Any, Final

from patchbay.health.folding import CountFolder
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.logging import logger
from patchbay.platform.settings import EventsSettings

BUDGET: Final = timedelta(seconds=200)
"""Of the function's 300 s: one day may take a while when its spaces are being written to."""


@cache
def _folder() -> CountFolder:
    return CountFolder(Table(EventsSettings.from_env().events_table), utc_now)


@entry_point
def handler(event: dict[str, Any], context: Any) -> None:
    logger.info("folded", days=_folder().run(BUDGET))
