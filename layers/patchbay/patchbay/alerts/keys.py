"""Where a rule stands with a subject, and where a space's items of alerting lie."""

import hashlib
from dataclasses import dataclass
from typing import Final

from patchbay.alerts.model import AlertSubject
from patchbay.alerts.state_machine import QUIET, SubjectState

LANES: Final = 4
"""Into how many runs of the index the spaces are split: a stable hash of the space's id."""

INDEX: Final = "monitor_slot"


def space_pk(space_id: str) -> str:
    return f"SPACE#{space_id}"


def lane_of(space_id: str) -> int:
    return hashlib.sha256(space_id.encode()).digest()[0] % LANES


@dataclass(frozen=True, slots=True)
class TrackedSubject:
    """The state of a rule and subject as it is stored.

    `generation` counts its writes; `alert_id` is the open alert, or the last one;
    `fired_generation` is the write that made it fire.
    """

    subject: AlertSubject
    state: SubjectState = QUIET
    generation: int = 0
    alert_id: str = ""
    fired_generation: int = 0
