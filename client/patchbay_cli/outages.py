"""What watches a deployment for long outlives its outages, and limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from patchbay_cli.run import Run

T = TypeVar("T")
_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


def through_outages(run: Run, call: Callable[[], T]) -> T:
    """What a call that only reads gives: it is made until the deployment answers, or somebody ends
    the program. What the deployment refuses is raised."""
    from patchbay_cli.failures import report
    from patchbay_sdk.errors import ConnectionFailed, RateLimited, ServerError

    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except (ConnectionFailed, RateLimited, ServerError) as error:
            report(error, run.output)
            asked = 0.0 if isinstance(error, ConnectionFailed) else error.retry_after_seconds or 0.0
        time.sleep(min(max(pause, asked), _LONGEST_PAUSE_SECONDS))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
